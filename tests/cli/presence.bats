#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Policies that would never hold anybody on this machine: porthold check says so, of what is wrong
# as of what is not there. PORTHOLD names the binary.

bats_require_minimum_version 1.5.0
load lib

setup() {
	enter_own_folder
}

check() {
	"$PORTHOLD" check --resolvers resolv.conf "$@"
}

# Of a policy with this match, and none besides.
says() { # STATUS MATCH WORDS
	printf 'porthold: 1\npolicies:\n  - {name: p, match: {%s}, allow: []}\n' "$2" >p.yaml
	run "-$1" check p.yaml
	[[ ${lines[0]} == "p.yaml:3:5: "*"$3"* ]] || fail "$output"
	((${#lines[@]} == 4)) || fail "more than one: $output"
	run -0 check --elsewhere p.yaml
	[[ $output == *": all is well" ]] || fail "$output"
}

silent() { # MATCH
	printf 'porthold: 1\npolicies:\n  - {name: p, match: {%s}, allow: []}\n' "$1" >p.yaml
	run -0 check p.yaml
	[[ $output == *": all is well" ]] || fail "$output"
}

program() { # NAME: one that runs for a while
	cp "$(type -P sleep)" "$1"
}

@test "exe: a script: its interpreter runs, and the remedy names comm" {
	printf '#! /bin/sh -e\nexit\n' >tool
	chmod 755 tool
	says 1 "exe: $PWD/tool" \
		"$PWD/tool is a script: the program that runs is its interpreter, /bin/sh; match the name that it runs under, comm: tool;"
}

@test "exe: a script that env starts has the name of what env finds" {
	printf '#!/usr/bin/env -S A=b python3 -u\n' >tool
	says 1 "exe: $PWD/tool" "its interpreter, python3; match the unit or cgroup that it runs in"
}

@test "exe: a directory, a device" {
	says 1 "exe: $PWD" "$PWD is a directory, not a program; name the program in it"
	says 1 "exe: /dev/null" "/dev/null is no file that can be executed"
}

@test "exe: not there, or not executable" {
	says 0 "exe: $PWD/tool" "warning: policy p: $PWD/tool: No such file or directory; it is held once it comes to that path"
	program tool
	chmod 644 tool
	says 0 "exe: $PWD/tool" "warning: policy p: $PWD/tool is not executable: nothing can run it"
	chmod 755 tool
	silent "exe: $PWD/tool"
}

@test "exe: others than root may put another program there" {
	program tool
	((EUID)) || chown 65534 tool
	says 0 "exe: $PWD/tool" "warning: policy p: others than root may put another program in the place of $PWD/tool"
	((EUID)) || chown 0 tool
	mkdir -m 777 open
	mv tool open/
	says 0 "exe: $PWD/open/tool" "others than root may put"
}

@test "comm: no program and no process of this name, and one that is spelled almost so" {
	says 0 "comm: nosuchprogram" "warning: policy p: no program on PATH is called nosuchprogram, and nothing of this name runs; check the spelling"
	says 0 "comm: setprivv" "did you mean setpriv?"
	silent "comm: setpriv"
	# On nobody's PATH, and it runs; then a program with a name that the kernel cuts.
	program wr-some-name
	./wr-some-name 100 3>&- &
	until [[ $(<"/proc/$!/comm") == wr-some-name ]]; do sleep 0.05; done
	silent "comm: wr-some-name"
	kill $!
	program a-very-long-name-of-a-program
	chmod 755 a-very-long-name-of-a-program
	PATH=$PWD:$PATH silent "comm: a-very-long-nam"
}

@test "comm: the number of a process" {
	program tool
	./tool 100 3>&- &
	until [[ $(<"/proc/$!/comm") == tool ]]; do sleep 0.05; done
	says 0 "comm: '$!'" "comm: $! is a number, and no process is called so; write the name of process $!: comm: tool"
	kill $!
}

@test "a cgroup and a unit that are not there" {
	says 0 "cgroup: /nosuch/group" "warning: policy p: there is no cgroup /nosuch/group now; it is held once it is made"
	says 0 "unit: nosuchunit.service" "warning: policy p: there is no unit nosuchunit.service, neither a file nor a cgroup of it"
	says 0 "unit: systemd-journald.servic.service" "there is no unit"
	silent "unit: systemd-journald.service"
	silent "unit: getty@tty1.service"
}

@test "a user that nobody is, and one without a name that runs something" {
	says 0 "uid: 3999999" "warning: policy p: nobody has the uid 3999999, and nothing runs as it; getent passwd shows the users"
	silent "uid: 0"
	((EUID == 0)) || return 0
	chmod 755 .
	program tool
	setpriv --reuid 3999998 --clear-groups "$(type -P sleep)" 100 3>&- &
	until [[ $(stat -c %u "/proc/$!") == 3999998 ]]; do sleep 0.05; done
	silent "uid: 3999998"
	kill $!
}

@test "a template of units holds nothing, and an instance of it does" {
	printf 'porthold: 1\npolicies:\n  - {name: p, match: {unit: getty@.service}, allow: []}\n' >p.yaml
	run -1 check p.yaml
	[[ ${lines[0]} == "p.yaml:3:29: 'getty@.service' is a template, and no process runs in one; write an instance of it, such as getty@1.service, or the slice that its instances run in" ]] ||
		fail "$output"
	silent "unit: getty@tty1.service"
}

@test "what is not here is said of a file that has errors, too" {
	cat >p.yaml <<-END
	porthold: 1
	policies:
	  - {name: a, match: {comm: nosuchprogram, cgroup: /nosuch/group}, allow: [tcp 80]}
	  - {name: b, match: {exe: $PWD}, allow: [tcp 99999]}
	  - {name: c, match: {unit: nosuchunit.service}, colour: red, allow: []}
	END
	run -1 check p.yaml
	[[ $output == *"p.yaml:3:5: warning: policy a: no program on PATH is called nosuchprogram"* ]]
	[[ $output == *"p.yaml:3:5: warning: policy a: there is no cgroup /nosuch/group"* ]]
	[[ $output == *"p.yaml:4:5: policy b: $PWD is a directory"* ]]
	[[ $output == *"p.yaml:4:"*"port 99999 is too large"* ]]
	[[ $output == *"p.yaml:5:5: warning: policy c: there is no unit nosuchunit.service"* ]]
	[[ $output == *": 3 errors, 3 warnings" ]] || fail "$output"
	# As far as it is YAML.
	printf '  - {name: d, match: {comm: sh}, allow: [tcp 80}\n' >>p.yaml
	run -1 check p.yaml
	[[ $output == *"policy a: there is no cgroup"*"this is not YAML"* ]] || fail "$output"
	run -1 check --elsewhere p.yaml
	[[ $output != *"policy a:"* ]] || fail "$output"
}

@test "policies by unit and by name that meet on a process and share no rule" {
	((EUID == 0)) || fail "needs root"
	local cgroup

	cgroup=$(findmnt -n -t cgroup2 -o TARGET | head -n 1)/met-$$.service
	program meettool
	mkdir "$cgroup"
	# shellcheck disable=SC2016 # expanded in there
	bash -c 'echo $$ >"$1/cgroup.procs" && exec ./meettool 100' - "$cgroup" 3>&- &
	until [[ $(<"/proc/$!/comm") == meettool ]]; do sleep 0.05; done
	meet() { # RULES RULES
		cat >p.yaml <<-END
		porthold: 1
		policies:
		  - {name: place, match: {unit: met-$$.service}, allow: [$1]}
		  - {name: tool, match: {comm: meettool}, allow: [$2]}
		END
		run check p.yaml
	}
	meet "connect tcp 443, dns" "tcp 80-442, bind tcp 443, connect udp 54, socket icmp"
	one=$output
	meet "connect tcp 443, dns" "tcp 80, connect udp 53 to 10.0.0.1"
	shared=$output
	meet "connect tcp 443" "connect tcp 400-500 to 10.0.0.1"
	shared+=$output
	meet "connect tcp 443" "loopback"
	shared+=$output
	meet "" "tcp 80"
	shared+=$output
	# By another policy of one side.
	meet "connect tcp 443" "tcp 80"
	printf '  - {name: more, match: {exe: %s}, allow: [tcp 443]}\n' "$PWD/meettool" >>p.yaml
	run check p.yaml
	shared+=$output
	# Of rules that cannot be read nothing is known.
	meet "connect tcp 443" "tcp 80, connect tcp 443 to nowhere"
	shared+=$output
	kill $!
	until rmdir "$cgroup"; do sleep 0.1; done
	[[ $one == *"p.yaml:4:5: warning: policy tool: policy place (p.yaml:3) holds process $!, meettool, too, and they share no rule"* ]] ||
		fail "$one"
	[[ $shared != *"share no rule"* ]] || fail "$shared"
	# Nobody is there on whom they meet.
	meet "connect tcp 443" "tcp 80"
	[[ $output != *"share no rule"* ]] || fail "$output"
}

@test "a file that is almost called like a policy" {
	mkdir d
	printf 'porthold: 1\npolicies: []\n' | tee d/ok.yaml d/web.yml d/Other.YAML d/.x.yml d/notes >/dev/null
	run -0 check d
	[[ $output == *"d/web.yml: warning: the file does not count: only *.yaml does; call it web.yaml"* ]]
	[[ $output == *"d/Other.YAML: warning:"*"call it Other.yaml"* ]]
	[[ $output == *"1 file, 0 policies, 0 expectations tried: 0 errors, 2 warnings" ]]
	# By its own name, and where there is no other.
	run -0 check d/web.yml
	[[ $output == "d/web.yml: warning: the file does not count: only *.yaml does; call it web.yaml"* ]] ||
		fail "$output"
	rm d/ok.yaml
	run -1 check d
	[[ $output == *"d: there is no *.yaml in this directory"* && $output == *"call it web.yaml"* ]] ||
		fail "$output"
}

@test "explain --exe of a script speaks of what runs" {
	printf '#!/bin/sh\n' >tool
	cat >p.yaml <<-END
	porthold: 1
	policies:
	  - {name: script, match: {exe: $PWD/tool}, allow: []}
	  - {name: shell, match: {exe: $(readlink -f /bin/sh)}, allow: []}
	  - {name: name, match: {comm: tool}, allow: []}
	END
	run -1 --separate-stderr "$PORTHOLD" explain --json --policy p.yaml --exe "$PWD/tool" connect tcp 10.0.0.1:80
	[[ $(jq -c '[.policies[].policy]' <<<"$output") == '["shell","name"]' ]]
	# shellcheck disable=SC2154 # what bats' run sets
	[[ $stderr == *"$PWD/tool is a script: the program that runs is its interpreter, /bin/sh, and no policy by exe matches the script itself"* ]]
}

@test "a number for a name: allow says whose it is" {
	program tool
	./tool 100 3>&- &
	until [[ $(<"/proc/$!/comm") == tool ]]; do sleep 0.05; done
	run -2 "$PORTHOLD" allow 4040 $!
	[[ $output == *"$! is a number, and a policy goes by the name of a process: that of process $! is tool: porthold allow 4040 tool;"* ]]
	kill $!
	run -2 "$PORTHOLD" allow 4040 8080
	[[ $output == *"porthold allow 4040,8080 NAME"* || $output == *"is a number"* ]]
}

# With policy directories of its own, where explain reads.
in_own_run() { # COMMANDS [VERB ARGUMENT...]
	# shellcheck disable=SC2016 # expanded in there
	unshare -m bash -euc 'mount -t tmpfs -o mode=755 own /run
		mkdir -p /run/porthold/policy.d
		printf "porthold: 1\npolicies:\n  - {name: p, match: {comm: p}, allow: []}\n" \
			>/run/porthold/policy.d/p.yaml
		chmod 755 /run/porthold/policy.d
		chmod 644 /run/porthold/policy.d/p.yaml
		eval "$1"
		shift
		exec "$PORTHOLD" "$@"' - "$1" "${@:2}"
}

explains() { # COMMANDS
	in_own_run "$1" explain --name p connect tcp 10.0.0.1:80
}

@test "a policy file or directory that others than root may write is refused" {
	((EUID == 0)) || fail "needs root"
	[[ ! -e /etc/porthold/policy.d ]] || fail "this machine has policies of its own"
	export PORTHOLD
	run -1 explains true
	[[ $output == *"10.0.0.1:80: deny"* ]]
	for command in "chown 65534 /run/porthold/policy.d/p.yaml" \
		"chmod o+w /run/porthold/policy.d/p.yaml" "chmod g+w /run/porthold/policy.d/p.yaml"; do
		run -1 explains "$command"
		[[ $output == *"/run/porthold/policy.d/p.yaml: others than root may write here, and so say whom policies confine; look at what it says, then chown root and chmod go-w it"* ]] ||
			fail "$output"
	done
	run -1 explains "chmod 777 /run/porthold/policy.d"
	[[ $output == *"/run/porthold/policy.d: others than root may write here"* ]]
}

@test "apply refuses what check calls an error, and says so of the file that was named" {
	((EUID == 0)) || fail "needs root"
	export PORTHOLD
	printf '#!/bin/sh\n' >tool
	printf 'porthold: 1\npolicies:\n  - {name: s, match: {exe: %s}, allow: []}\n' "$PWD/tool" >s.yaml
	run -1 --separate-stderr in_own_run true apply --dry-run s.yaml
	# shellcheck disable=SC2154 # what bats' run sets
	[[ $stderr == *"s.yaml:3:5: policy s: $PWD/tool is a script: "*"nothing was changed"* ]] ||
		fail "$stderr"
	[[ -z $output ]]
}

@test "a name that two of the given files have: both are files that are there" {
	((EUID == 0)) || fail "needs root"
	export PORTHOLD
	printf 'porthold: 1\npolicies:\n  - {name: s, match: {comm: sh}, allow: []}\n' | tee a.yaml >b.yaml
	run -1 in_own_run true apply --dry-run a.yaml b.yaml
	[[ $output == "b.yaml:3:5: there is a policy s already (a.yaml:3); give one of them another name"* ]] ||
		fail "$output"
}

@test "apply of what is not there, or of another kind of file" {
	((EUID == 0)) || fail "needs root"
	export PORTHOLD
	run -1 in_own_run true apply --dry-run "$PWD/nonexistent"
	[[ $output == "$PWD/nonexistent: there is no such file; check the path"* ]] || fail "$output"
	echo x >notes
	run -1 in_own_run true apply --dry-run notes
	[[ $output == *"only *.yaml counts"* ]] || fail "$output"
}
