#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# porthold explain, with the policies of --policy. PORTHOLD names the binary.

bats_require_minimum_version 1.5.0
load lib

setup() {
	enter_own_folder
	cat >p.yaml <<-'END'
	porthold: 1
	policies:
	  - name: web
	    match: {comm: web}
	    allow:
	      - connect tcp 5432 to 10.0.0.0/8 except 10.9.0.0/16
	      - dns
	  - name: more
	    match: {comm: web}
	    allow: [bind tcp 80]
	  - name: strict
	    match: {comm: web}
	    mode: audit
	    allow: [connect tcp 5432 to 10.0.0.1]
	  - name: by-uid
	    match: {comm: tool, uid: 4711}
	    allow: [connect tcp 443]
	  - name: tool
	    match: {comm: tool}
	    allow: [connect tcp 22]
	END
	chmod 644 p.yaml resolv.conf
}

explain() {
	"$PORTHOLD" explain --policy p.yaml --resolvers resolv.conf "$@"
}

field() { # FLOW KEY
	jq -r ".flows[$1].$2" <<<"$output"
}

@test "an allowed flow: which policy, which rule, where" {
	run -0 explain --name web connect tcp 10.1.2.3:5432
	[[ $output == *"connect tcp 10.1.2.3:5432: allow"* ]]
	[[ $output == *"policy web (p.yaml:6): connect tcp 5432 to 10.0.0.0/8 except 10.9.0.0/16"* ]]
	[[ $output == *"decided at the door connect"* ]]
}

@test "a denied flow: the smallest rule that would allow it" {
	run -1 explain --name web connect tcp 10.9.0.1:5432
	[[ $output == *"connect tcp 10.9.0.1:5432: deny"* ]]
	[[ $output == *"to allow it, add: connect tcp 5432 to 10.9.0.1"* ]]
}

@test "the rule that is named does allow it" {
	run -1 explain --json --name web listen tcp 127.0.0.1:8080
	rule=$(field 0 missing_rule)
	sed -i "s/\[bind tcp 80\]/[bind tcp 80, \"$rule\"]/" p.yaml
	run -0 explain --name web listen tcp 127.0.0.1:8080
}

@test "several flows: parted by commas, or in quotes" {
	run -1 explain --json --name web connect tcp 10.0.0.1:5432, bind tcp 80 , socket raw
	[[ $(jq -c '[.flows[].verdict]' <<<"$output") == '["allow","allow","deny"]' ]]
	run -0 explain --json --name web "connect tcp 10.0.0.1:5432" "bind tcp 80, bind tcp 0"
	[[ $(jq -c '[.flows[].flow]' <<<"$output") == '["connect tcp 10.0.0.1:5432","bind tcp 80","bind tcp 0"]' ]]
}

@test "rules of policies of one name add up, and audit stands apart" {
	run -0 explain --name web connect tcp 10.0.0.2:5432, listen tcp 80
	[[ $output == *"policy more (p.yaml:10): bind tcp 80"* ]]
	[[ $output == *"audit policy strict (p.yaml:11) would deny"* ]]
	run -0 explain --json --name web connect tcp 10.0.0.1:5432
	[[ $(field 0 'audit[0].verdict') == allow ]]
}

@test "a keyword says what it means" {
	run -0 explain --name web connect udp 192.0.2.53:53
	[[ $output == *"policy web (p.yaml:7): dns, which means connect udp 53 to 192.0.2.53"* ]]
	[[ $output == *"decided at the door send"* ]]
	run -1 explain --json --name tool connect udp 192.0.2.53:53
	[[ $(field 0 door) == send ]]
}

@test "nobody's name is not confined" {
	run -0 explain --name other connect tcp 10.0.0.1:22
	[[ $output == *"connect tcp 10.0.0.1:22: not confined"* ]]
}

@test "what is not known is a condition, and an answer that hangs on it is no plain one" {
	run -1 explain --name tool connect tcp 10.0.0.1:443
	[[ $output == *"by-uid (p.yaml:15), enforce, if its uid is 4711"* ]]
	[[ $output == *"10.0.0.1:443: it depends on what is not known"* ]]
	[[ $output == *"allow, if its uid is 4711, by no act of its own: policy by-uid (p.yaml:17): connect tcp 443"* ]]
	[[ $output == *"where no condition holds: deny"* ]]
	[[ $output == *"to allow it in every case, add: connect tcp 443 to 10.0.0.1"* ]]
	run -1 explain --json --name tool connect tcp 10.0.0.1:443
	[[ $(field 0 verdict) == depends && $(field 0 otherwise) == deny ]]
	# Neither grants it: that is plain.
	run -1 explain --json --name tool connect tcp 10.0.0.1:25
	[[ $(field 0 verdict) == deny && $(field 0 otherwise) == null ]]
}

@test "a condition that it may bring about itself is a further layer: that refuses what others grant" {
	run -1 explain --name tool connect tcp 10.0.0.1:22
	[[ $output == *"deny, if its uid is 4711, by an act of its own: policy by-uid (p.yaml:15)"* ]]
	[[ $output == *"where no condition holds: allow"* ]]
	# Where both grant it nothing hangs on that.
	sed -i 's/\[connect tcp 22\]/[connect tcp 22, connect tcp 443]/' p.yaml
	run -0 explain --json --name tool connect tcp 10.0.0.1:443
	[[ $(field 0 verdict) == allow && $(field 0 'cases | length') == 0 ]]
}

@test "a service is in its unit before it executes: a policy by unit is a layer beside one by name" {
	sed -i '/name: by-uid/,+2d' p.yaml
	echo "  - {name: place, match: {unit: tool.service}, allow: [connect tcp 25]}" >>p.yaml
	run -1 explain --name tool connect tcp 10.0.0.1:22
	[[ $output == *$'deny, if it runs in the unit tool.service: policy place (p.yaml:18)\n'* ]]
	run -1 explain --name tool connect tcp 10.0.0.1:25
	[[ $output == *"allow, if it runs in the unit tool.service, and is moved there, or the policies are applied, while it runs: policy place"* ]]
}

@test "a program whose policies all have a condition: allowed, refused and not confined apart" {
	cat >p.yaml <<-'END'
	porthold: 1
	policies:
	  - {name: a, match: {exe: /opt/web, unit: a.service}, allow: [connect tcp 80]}
	  - {name: b, match: {exe: /opt/web, cgroup: /b}, allow: [connect tcp 443, connect tcp 80]}
	END
	run -1 --separate-stderr explain --exe /opt/web connect tcp 10.0.0.1:443
	[[ $output == *"deny, if it runs in the unit a.service: policy a (p.yaml:3)"* ]]
	[[ $output == *"allow, if it runs below the cgroup /b: policy b (p.yaml:4): connect tcp 443"* ]]
	[[ $output == *"where no condition holds: not confined"* ]]
	run -0 --separate-stderr explain --json --exe /opt/web connect tcp 10.0.0.1:80
	[[ $(field 0 verdict) == allow && $(field 0 otherwise) == "not confined" ]]
	# One policy alone is no enforcement where its condition does not hold.
	run -1 --separate-stderr explain --json --exe /opt/web connect tcp 10.0.0.1:25
	[[ $(field 0 verdict) == depends && $(field 0 otherwise) == "not confined" ]]
}

@test "who may not ask the kernel hears of layers as what may be" {
	((EUID == 0)) || fail "needs root, to be somebody else"
	local folder=/sys/fs/bpf

	cp "$PORTHOLD" porthold
	chmod 755 porthold
	cp "$(type -P sleep)" web
	./web 100 3>&- &
	until [[ $(<"/proc/$!/comm") == web ]]; do sleep 0.05; done
	# shellcheck disable=SC2016 # expanded in there
	run unshare -m bash -euc 'mount -t tmpfs -o mode=700 closed "$1"
		exec setpriv --reuid 65534 --regid 65534 --clear-groups "${@:2}"' - "$folder" \
		./porthold explain --policy p.yaml --resolvers resolv.conf --pid $! bind tcp 80
	kill $!
	((status == 1)) || fail "$output"
	[[ $output == *"deny, if it came to that policy by an act of its own: policy web (p.yaml:3)"* ]]
	[[ $output == *"where no condition holds: allow"* ]]
}

@test "a program has the name that exec gives it" {
	run -0 explain --exe /opt/web connect tcp 10.0.0.1:5432
	[[ $output == *": allow"* ]]
	run -2 explain --exe web connect tcp 10.0.0.1:5432
}

@test "a program that is not there: matched by its path alone, and said" {
	sed -i '/name: by-uid/,+2d' p.yaml
	echo "  - {name: exe, match: {exe: $PWD/tool}, allow: [connect tcp 25]}" >>p.yaml
	run -0 --separate-stderr explain --exe "$PWD/tool" connect tcp 10.0.0.1:25
	[[ $output == "tool ($PWD/tool): these policies match"*"exe (p.yaml:18), enforce"* ]]
	[[ $stderr == *"--exe $PWD/tool: No such file or directory; only policies that name this very path"* ]]
	run -0 --separate-stderr explain --json --exe "$PWD/tool" connect tcp 10.0.0.1:25
	[[ $(jq -r '.subject.exe_error' <<<"$output") == "No such file or directory" ]]
	mkdir tool
	run -0 --separate-stderr explain --exe "$PWD/tool" connect tcp 10.0.0.1:25
	[[ $stderr == *"Is a directory"* ]]
}

@test "a program by another path to the same file" {
	sed -i '/name: by-uid/,+2d' p.yaml
	touch tool
	ln -s tool alias
	ln tool hard
	echo "  - {name: exe, match: {exe: $PWD/tool}, allow: [connect tcp 25]}" >>p.yaml
	for path in tool alias hard; do
		run -0 --separate-stderr explain --json --exe "$PWD/$path" connect tcp 10.0.0.1:25
		[[ $(field 0 policy) == exe ]]
		[[ -z $stderr ]]
	done
	touch another
	run -0 explain --json --exe "$PWD/another" connect tcp 10.0.0.1:25
	[[ $(field 0 verdict) == "not confined" ]]
}

@test "a process: its name, its uid, its threads" {
	cp "$(type -P sleep)" tool
	./tool 100 &
	pid=$!
	until [[ $(<"/proc/$pid/comm") == tool ]]; do sleep 0.05; done
	sed -i "s/uid: 4711/uid: $UID/" p.yaml
	run explain --json --pid "$pid" connect tcp 10.0.0.1:443
	kill "$pid"
	((status == 0))
	[[ $(jq -r '.subject.pid' <<<"$output") == "$pid" ]]
	[[ $(jq -r '.subject.uid' <<<"$output") == "$UID" ]]
	[[ $(field 0 policy) == by-uid && $(field 0 otherwise) == null ]]
	run -3 explain --pid 4194305 connect tcp 10.0.0.1:443
}

@test "it needs no root" {
	if ((EUID)); then
		run -0 explain --name web bind tcp 80
	else
		cp "$PORTHOLD" ./porthold
		chmod 755 porthold
		run -0 setpriv --reuid 65534 --regid 65534 --clear-groups \
			./porthold explain --policy p.yaml --name web bind tcp 80
	fi
}

@test "a bad policy file explains nothing" {
	echo "porthold: 2" >p.yaml
	run -1 --separate-stderr explain --name web bind tcp 80
	[[ $stderr == *"p.yaml:1:"*"the policies cannot be used"* && -z $output ]]
	# The same as check says of it.
	rm p.yaml
	run -1 --separate-stderr explain --name web bind tcp 80
	[[ $stderr == "p.yaml: there is no such file; check the path"* && -z $output ]]
	run -1 "$PORTHOLD" check p.yaml
	[[ $output == "p.yaml: there is no such file; check the path"* ]]
}

@test "usage" {
	run -2 explain --name web
	run -2 explain connect tcp 10.0.0.1:22
	run -2 explain --name web --pid 1 connect tcp 10.0.0.1:22
	run -2 explain --name web connect sctp 10.0.0.1:22
	run -2 explain --name web ,
	run -2 explain --name sixteen-bytes-xxx connect tcp 10.0.0.1:22
	run -2 explain --pid x connect tcp 10.0.0.1:22
}
