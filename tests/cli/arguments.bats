#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What is wrong with the words alone: said with status 2, before anything is touched.
# Needs neither root nor BPF, and in the long run runs in the machines too, over a policy in force.

bats_require_minimum_version 1.5.0
load lib

setup() {
	before=$(everything)
}

teardown() {
	[[ $(everything) == "$before" ]] || fail "something changed: $(everything)"
}

refuses() { # WORDS ARGUMENT...
	complains 2 "$1" porthold allow "${@:2}"
	[[ $output == "porthold allow: "* ]]
}

@test "port 0" {
	refuses "port 0 does not exist" 0 myprocess
	refuses "port 0 does not exist" 4040,0 myprocess
}

@test "port 65536" {
	refuses "port 65536 is too large; the largest port is 65535" 65536 myprocess
	refuses "too large" 99999999999999999999 myprocess
	refuses "too large" 1-65536 myprocess
}

@test "a range without its end" {
	refuses "the range '80-' has no last port; write 80-65535" 80- myprocess
	refuses "no first port" -- -80 myprocess
}

@test "a range that runs backwards" {
	refuses "the range '90-80' runs backwards; write 80-90" 90-80 myprocess
}

@test "protocols, and no network at all" {
	refuses "'sctp/80' names no protocol; write tcp or udp with the port, such as udp/123" 80,sctp/80 myprocess
	refuses "'none' stands beside ports; write none alone" 80,none myprocess
	refuses "port 70000 is too large" udp/70000 myprocess
	refuses "none looks like ports: which process may use them? porthold allow none NAME" none
	refuses "the ports come first: porthold allow udp/53 NAME" myprocess udp/53
	for ports in none udp/123,tcp/443 443/tcp dns,443 any/udp; do
		complains 3 "needs root" as_nobody "$PORTHOLD" allow "$ports" myprocess
	done
}

@test "a pattern, and a number, for a name" {
	refuses "the process name 'nginx*' is a pattern, and patterns are not supported; write one policy for each name" 4040 'nginx*'
	refuses "4040 is a number, and a policy goes by the name of a process" 80 4040
}

@test "letters for ports" {
	refuses "'http' is not a port" http myprocess
	refuses "is not a port" 80a myprocess
	refuses "is not a port" 0x50 myprocess
	refuses "is not a port" 80.5 myprocess
}

@test "an empty list" {
	refuses "the port is missing" "" myprocess
	refuses "missing" , myprocess
	refuses "missing after the comma" 80, myprocess
	refuses "missing" ,80 myprocess
}

@test "a name over 15 bytes: the message shows what the kernel keeps" {
	refuses "'abcdefghijklmno'" 4040 abcdefghijklmnop
	[[ $output == *"16 bytes"* && $output == *exe:* ]]
	complains 3 "needs root" as_nobody "$PORTHOLD" allow 4040 abcdefghijklmno # 15 fit
}

@test "15 bytes, not letters" {
	refuses "bytes long, and the kernel keeps 15" 4040 ääääääää
}

@test "an empty name" {
	refuses "the process name is empty" 4040 ""
}

@test "a name with a slash" {
	refuses "is a path, not a process name; write curl" 4040 /usr/bin/curl
	refuses "is a path" 4040 a/b
	refuses "is a path" 4040 /
}

@test "a name with a line break or a control character" {
	refuses "line break" 4040 $'a\nb'
	refuses "control character" 4040 $'a\tb'
	refuses "control character" 4040 $'\e[31m'
	[[ $output != *$'\e'* ]] # nor does the message hold it
}

@test "a name that is not text" {
	refuses "is not UTF-8" 4040 $'a\xff'
}

@test "a lone number" {
	refuses "4040 looks like ports: which process may use them? porthold allow 4040 NAME" 4040
	refuses "looks like ports" 80-90
	refuses "looks like ports" 80,90
}

@test "the name first, or ports without a comma" {
	refuses "the ports come first: porthold allow 4040 NAME" myprocess 4040
	refuses "ports are one word, with commas: porthold allow 4040,8080 NAME" 4040 8080 myprocess
}

@test "nothing, or too much" {
	refuses "expected [PORTS] NAME"
	refuses "expected [PORTS] NAME" 4040 myprocess other
	complains 2 "expected NAME" porthold remove
	complains 2 "expected NAME" porthold remove a b
	for verb in confirm status events doctor selftest daemon stop; do
		complains 2 "porthold $verb: unexpected argument other; see porthold $verb --help" \
			porthold "$verb" other
	done
	complains 2 "leave out --config" porthold daemon --reload --config /dev/null
}

@test "an unknown verb" {
	complains 2 "no verb is called alow; did you mean allow?" porthold alow 4040 myprocess
	complains 2 "no verb is called" porthold ""
	complains 2 "no verb is called frobnicate; see porthold --help" porthold frobnicate
}

@test "an unknown option" {
	for verb in allow remove status events; do
		run porthold "$verb" --no-such-option
		[[ $status == 2 && $output == "porthold $verb: "*option*"porthold $verb --help"* ]]
	done
}

@test "an option without its value, or with a bad one" {
	complains 2 "porthold allow: --backend magic: no such backend" porthold allow --backend magic 4040 myprocess
	run porthold allow 4040 myprocess --backend
	[[ $status == 2 ]]
	refuses "confine or leave" --children maybe 4040 myprocess
}

@test "no verb, and help" {
	run porthold
	[[ $status == 2 && $output == *"porthold allow"* ]]
	run porthold --help
	[[ $status == 0 && $output == *"Exit status"* ]]
	run porthold --version
	[[ $status == 0 && $output == "porthold "[0-9]* ]]
}

@test "help goes to standard output, complaints do not" {
	[[ $(porthold --help 2>/dev/null) == *porthold* ]]
	run -2 --separate-stderr porthold allow 0 myprocess
	[[ -z $output ]]
}

@test "not root" {
	for verb in "allow 4040 myprocess" "remove myprocess" status events stop; do
		# shellcheck disable=SC2086 # words
		complains 3 "porthold ${verb%% *}: needs root" as_nobody "$PORTHOLD" $verb
		[[ $output == *sudo* ]]
	done
}

@test "--in-cgroup: not a whole path" {
	refuses "does not begin with a slash; write the whole path, such as /" --in-cgroup part 4040 myprocess
	refuses "the cgroup" --in-cgroup "" 4040 myprocess
	refuses "the cgroup" --in-cgroup /part//of 4040 myprocess
}

@test "doctor: what only root can try is not said to be missing" {
	run as_nobody "$PORTHOLD" doctor
	[[ $status == 3 && $output == *"NO "*"BPF programs may be loaded: run as root"* ]]
	[[ $output == *"?    BPF LSM programs load: root can try"* ]]
	[[ $output != *CONFIG_* && $output != *"not here"* ]]
	[[ $(as_nobody "$PORTHOLD" doctor --json | jq -c '[.backends[].available]') == "[null,null]" ]]
}

@test "selftest: a door that nothing tries" {
	complains 2 "nothing tries a door of this name; one of: connect bind " \
		porthold selftest --door window
	for door in $(porthold selftest --door window 2>&1 | sed 's/.*one of://'); do
		complains 3 "needs root" as_nobody "$PORTHOLD" selftest --door "$door"
	done
}

@test "learn: whom to watch, how long, and how to say it" {
	complains 2 "expected --name NAME, or --policy POLICY" porthold learn
	complains 2 "expected --name NAME, or --policy POLICY" porthold learn --name a --policy b
	complains 2 "unexpected argument more" porthold learn --name a more
	complains 2 "bytes long, and the kernel keeps 15" porthold learn --name abcdefghijklmnop
	complains 2 "exact, net or any" porthold learn --name a --addresses all
	for time in "" 0 0s s 10x 10ms 1.5h -1s 31d 99999999; do
		complains 2 "write 30s, 10m, 1h or 2d" porthold learn --name a "--for=$time"
	done
	complains 3 "porthold learn: needs root" as_nobody "$PORTHOLD" learn --name a --for 30d
}
