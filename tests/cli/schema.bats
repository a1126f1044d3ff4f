#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The schema for editors and `porthold check` agree: on what is shipped, and on what is
# wrong with the structure of a document.

# shellcheck disable=SC2030,SC2031 # status and output: what bats' run sets
bats_require_minimum_version 1.5.0
load lib

tools=$BATS_TEST_DIRNAME/../../tools

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	: >no-resolvers
}

by_schema() { # FILE...
	/usr/bin/python3 "$BATS_TEST_DIRNAME/schema.py" "$tools/porthold.policy.schema.json" "$@"
}

# One policy, with PARTS put into it or in place of what is there, as JSON, which is YAML.
document() { # JQ-FILTER
	jq -n '{porthold: 1, policies: [{name: "web", match: {comm: "web"}, allow: ["tcp 80"]}]}' |
		jq "$1"
}

@test "every example is valid by the schema" {
	run -0 by_schema "$tools"/examples/*.yaml
	[[ ${#lines[@]} -ge 10 && $output != *invalid* ]] || fail "$output"
}

@test "what is right is right for both" {
	while read -r filter; do
		document "$filter" >good.yaml
		[[ $(by_schema good.yaml) == valid* ]] || fail "the schema refuses: $filter"
		run -0 porthold check --resolvers no-resolvers good.yaml
	done <<-'END'
		.
		.policies = []
		.policies[0].mode = "audit"
		.policies[0].children = "leave"
		.policies[0].allow = []
		.policies[0].allow = ["dns", "loopback", "socket icmp", "udp any", "tcp 1-2, 4"]
		.policies[0].allow = ["connect tcp 80 to 10.0.0.0/8, ::1 except 10.1.0.0/16"]
		.policies[0].allow = ["bind tcp 80 on 10.0.0.1 from 10.0.0.0/8 except 10.1.0.0/16"]
		.policies[0].match = {comm: "web", cgroup: "/a/b", uid: 0}
		.policies[0].match = {unit: "web.service"}
		.policies[0].match = {comm: "["}
		.policies[0].match = {exe: "/usr/bin/["}
		.policies[0].match = {cgroup: "/web"}
		.policies[0].expect = ["allow listen tcp 80", "deny socket raw"]
	END
}

@test "what is wrong in structure is refused by both" {
	tried=0
	while read -r filter; do
		document "$filter" >bad.yaml
		[[ $(by_schema bad.yaml) == invalid* ]] || fail "the schema takes: $filter"
		run -1 porthold check --resolvers no-resolvers bad.yaml
		[[ $output == bad.yaml:[0-9]*:[0-9]*": "* ]] || fail "$filter: $output"
		tried=$((tried + 1))
	done <<-'END'
		del(.porthold)
		.porthold = 2
		.porthold = "one"
		del(.policies)
		.policies = "web"
		.policies = {web: {}}
		.policy = []
		.policies[0] = "web"
		del(.policies[0].name)
		.policies[0].name = ""
		.policies[0].name = "a/b"
		.policies[0].name = "0123456789012345678901234567890123456789012345678901234567890123"
		.policies[0].name = "porthold-canary"
		.policies[0].name = ["web"]
		.policies[0].nmae = "web"
		del(.policies[0].match)
		.policies[0].match = {}
		.policies[0].match = {comm: "web*"}
		.policies[0].match = {comm: "we?"}
		.policies[0].match = {comm: "web[0-9]"}
		.policies[0].match = {exe: "/opt/web/*"}
		.policies[0].match = {cgroup: "/system.slice/docker-*"}
		.policies[0].match = {unit: "docker-*.scope"}
		.policies[0].match = "web"
		.policies[0].match = {name: "web"}
		.policies[0].match.comm = "0123456789abcdef"
		.policies[0].match.comm = "a/b"
		.policies[0].match.exe = "bin/web"
		.policies[0].match.cgroup = "system.slice"
		.policies[0].match.unit = "nginx"
		.policies[0].match.uid = -1
		.policies[0].match.uid = "root"
		.policies[0].match.uid = 4294967296
		.policies[0].mode = "enforcing"
		.policies[0].children = "drop"
		del(.policies[0].allow)
		.policies[0].allow = "tcp 80"
		.policies[0].allow = {tcp: 80}
		.policies[0].allow = [80]
		.policies[0].allow = ["sctp 80"]
		.policies[0].allow = ["tcp http"]
		.policies[0].allow = ["tcp 80 to 10.0.0.1"]
		.policies[0].allow = ["connect tcp 80 on 10.0.0.1"]
		.policies[0].allow = ["socket bluetooth"]
		.policies[0].expect = "allow listen tcp 80"
		.policies[0].expect = ["maybe listen tcp 80"]
		.policies[0].expect = ["allow listen udp 80"]
	END
	[[ $tried -ge 40 ]]
}
