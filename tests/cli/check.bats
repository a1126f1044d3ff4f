#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# porthold check: its output, its exit status, and that it needs nobody's permission.
# PORTHOLD names the binary.

bats_require_minimum_version 1.5.0
load lib

setup() {
	examples=$BATS_TEST_DIRNAME/../../tools/examples
	enter_own_folder
}

policy() { # FILE NAME, then lines below the name
	printf 'porthold: 1\npolicies:\n  - name: %s\n    match: {comm: %s}\n' "$2" "$2" >"$1"
	cat >>"$1"
}

check() {
	"$PORTHOLD" check --elsewhere --resolvers resolv.conf "$@"
}

@test "the examples are right" {
	run -0 --separate-stderr check "$examples"
	[[ $output == "10 files, "*": all is well" ]]
	[[ -z $stderr ]]
}

@test "it needs no root" {
	if ((EUID)); then
		run -0 check "$examples"
	else
		cp -r "$examples" examples
		cp "$PORTHOLD" ./porthold
		chmod -R a+rX .
		run -0 setpriv --reuid 65534 --regid 65534 --clear-groups ./porthold check --elsewhere examples
	fi
	[[ $output == *": all is well" ]]
}

@test "a mistake is shown with its place and its line" {
	policy a.yaml a <<-'END'
	    allow:
	      - tcp 80
	      - connect tcp 70000
	END
	run -1 check a.yaml
	[[ ${lines[0]} == "a.yaml:7:"*": "* ]]
	[[ ${lines[1]} == "          - connect tcp 70000" ]]
	[[ ${lines[2]} == *"^" ]]
}

@test "all mistakes of all files are shown in one run" {
	policy a.yaml a <<<'    allow: [tcp 0]'
	policy b.yaml b <<<'    allow: [tcp 9-1]'
	run -1 check a.yaml b.yaml /nonexistent
	[[ $output == *a.yaml:5:* && $output == *b.yaml:5:* && $output == */nonexistent:* ]]
}

@test "an expectation that holds, and one that fails" {
	policy a.yaml a <<-'END'
	    allow: [bind tcp 80]
	    expect:
	      - allow listen tcp 80
	      - allow connect tcp 10.0.0.1:22
	      - deny listen tcp 80
	END
	run -1 check a.yaml
	[[ $output == *"a.yaml:8:9: policy a denies connect tcp 10.0.0.1:22: no rule covers it; this rule would allow it: connect tcp 22 to 10.0.0.1"* ]]
	[[ $output == *'a.yaml:9:9: policy a allows listen tcp 80 by "bind tcp 80" in line 5'* ]]
	[[ $output == *"3 expectations tried: 2 errors, 0 warnings" ]]
}

@test "an audit policy has expectations too" {
	policy a.yaml a <<-'END'
	    mode: audit
	    allow: [bind tcp 80]
	    expect: [deny listen tcp 80]
	END
	run -1 check a.yaml
}

@test "dns means the resolvers that are given" {
	policy a.yaml a <<-'END'
	    allow: [dns]
	    expect: ['allow connect udp 192.0.2.53:53', 'deny connect udp 192.0.2.54:53']
	END
	run -0 check a.yaml
	echo "nameserver 192.0.2.54" >resolv.conf
	run -1 check a.yaml
}

@test "a warning does not change the exit status" {
	policy a.yaml a <<<$'    allow: []\n    children: leave'
	run -0 check a.yaml
	[[ ${lines[0]} == "a.yaml:3:5: warning: "*"an open door"* ]]
}

@test "a file, a directory, an empty directory" {
	mkdir d empty
	policy d/a.yaml a <<<'    allow: []'
	policy d/b.yaml b <<<'    allow: []'
	echo "not looked at" >d/c.txt
	run -0 check d
	[[ $output == "2 files, 2 policies, "* ]]
	run -0 check d/a.yaml d/b.yaml
	run -1 check empty
	[[ $output == "empty: there is no *.yaml in this directory"* ]]
}

@test "the same name twice" {
	policy a.yaml a <<<'    allow: []'
	policy b.yaml a <<<'    allow: []'
	run -1 check a.yaml b.yaml
}

@test "as JSON" {
	policy a.yaml a <<-'END'
	    allow: [bind tcp 80]
	    expect: [deny listen tcp 80]
	END
	run -1 --separate-stderr check --json a.yaml
	[[ $(jq -c '[.valid, .files, .policies, .expectations.tried, .expectations.failed]' <<<"$output") == '[false,1,1,1,1]' ]]
	[[ $(jq -r '.problems[0] | "\(.file):\(.line):\(.column) \(.severity)"' <<<"$output") == "a.yaml:6:14 error" ]]
}

@test "usage" {
	run -2 "$PORTHOLD" check
	run -2 "$PORTHOLD" check --what a.yaml
	run -2 "$PORTHOLD" check --resolvers /nonexistent "$examples"
}
