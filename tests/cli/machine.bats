#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# In a machine of its own, as root: what the command line refuses, and why, with a
# policy in force that must stay as it is; then what it does.

bats_require_minimum_version 1.5.0
load lib

setup_file() {
	"$PORTHOLD" allow 4040 standing
	mkdir -p /sys/fs/cgroup/part
}

setup() {
	before=$(everything)
}

unchanged() {
	[[ $(everything) == "$before" ]] || fail "something changed: $(everything)"
}

# Status 4, and the message says that one could be locked out.
locks_out() { # PORT NAME
	complains 4 "can lock you out" porthold allow "$@"
	unchanged
}

@test "allow 22 sshd" {
	locks_out 22 sshd
	locks_out 22 sshd-session
}

@test "allow 80 systemd" {
	locks_out 80 systemd
	locks_out 80 init
}

@test "a name of an ancestor of the caller" {
	locks_out 4040 bash
	[[ $output == *"an ancestor of this command"* ]]
}

@test "a name of the first process" {
	locks_out 4040 "$(cat /proc/1/comm)"
}

@test "porthold itself" {
	locks_out 4040 porthold
}

@test "the same names are possible within a cgroup" {
	porthold allow --in-cgroup /sys/fs/cgroup/part 22 sshd
	[[ $(in_force) == "sshd standing" ]]
	porthold remove sshd
	[[ $(in_force) == standing ]]
	porthold allow --in-cgroup /sys/fs/cgroup/part/ 22 sshd
	run -0 porthold check /run/porthold/policy.d
	porthold remove sshd
	[[ $(in_force) == standing ]]
}

@test "--in-cgroup: a path that is no cgroup" {
	complains 2 "cgroup" porthold allow --in-cgroup /sys/fs/cgroup/missing 4040 myprocess
	unchanged
}

@test "--attach: a path that is no cgroup" {
	complains 2 "is no cgroup; name a directory of the cgroup2 hierarchy" \
		porthold allow --attach /tmp 4040 myprocess
	complains 2 "No such file" porthold allow --attach /sys/fs/cgroup/missing 4040 myprocess
	complains 2 "Not a directory" \
		porthold allow --attach /sys/fs/cgroup/cgroup.procs 4040 myprocess
	unchanged
}

@test "--accept-degraded: a door that is none" {
	complains 2 "no door is called gate" porthold allow --accept-degraded gate 4040 myprocess
	unchanged
}

@test "remove: a policy that is not there" {
	complains 1 "allow made no policy called myprocess" porthold remove myprocess
	unchanged
}

@test "a private mount namespace" {
	private() {
		unshare -m sh -c 'mount -t bpf bpf /sys/fs/bpf && exec "$@"' - "$@"
	}
	complains 3 "private mount namespace" private "$PORTHOLD" allow 4040 myprocess
	unchanged
}

@test "a root that a policy holds: told so, and by which" {
	local shell=$BATS_TEST_TMPDIR/heldshell verb

	held() {
		# shellcheck disable=SC2016 # expanded in there
		"$shell" -c '"$@"; exit $?' - "$PORTHOLD" "$@"
	}
	cp "$(type -P bash)" "$shell"
	run -0 held status
	porthold allow 4040 heldshell
	before=$(porthold status --json | jq .generation)
	for verb in stop status apply confirm "remove standing" "allow 4041 standing"; do
		# shellcheck disable=SC2086 # words
		complains 3 "this process is confined: policy heldshell (/run/porthold/policy.d/heldshell.yaml:3) holds process " \
			held $verb
		[[ $output == *"ask from a process that none holds"* ]] || fail "$output"
	done
	run -3 held doctor
	[[ $output == *"this process is confined: policy heldshell"* ]] || fail "$output"
	# Under no name any more by which it could be found.
	complains 3 "this process is confined. Nothing was changed" "$shell" -c "exec $PORTHOLD stop"
	[[ $(in_force) == "heldshell standing" && $(porthold status --json | jq .generation) == "$before" ]]
	porthold remove heldshell
	run -0 held status
}

@test "run in a pid namespace" {
	complains 4 "run in that of the host" \
		unshare --pid --fork "$PORTHOLD" run 4040 -- true
	unchanged
}

# From where the lock-out guard would see only a part of the processes.
@test "allow and apply in a pid namespace" {
	complains 4 "run in that of the host" \
		unshare --pid --fork --mount-proc "$PORTHOLD" allow 4040 myprocess
	unchanged
	complains 4 "run in that of the host" \
		unshare --pid --fork --mount-proc "$PORTHOLD" allow --backend cgroup 4040 myprocess
	unchanged
}

@test "a user namespace" {
	run unshare -Ur "$PORTHOLD" allow 4040 myprocess
	[[ $status == 3 && -n $output ]]
	unchanged
}

@test "root without privilege" {
	run setpriv --bounding-set -all --inh-caps -all "$PORTHOLD" allow 4040 myprocess
	[[ $status == 3 && $output == porthold* ]]
	unchanged
}

@test "no BTF" {
	mount -t tmpfs hidden /sys/kernel/btf
	run porthold allow 4040 myprocess
	umount /sys/kernel/btf
	[[ $status == 3 ]] || fail "status $status: $output"
	[[ $output == *"no BTF"*CONFIG_DEBUG_INFO_BTF* ]] || fail "$output"
	unchanged
}

@test "a bad policy file blocks neither allow nor remove" {
	echo 'nonsense: [' >/run/porthold/policy.d/bad.yaml
	run porthold allow 4040 myprocess
	added=$status message=$output
	run porthold remove myprocess
	rm /run/porthold/policy.d/bad.yaml
	[[ $added == 0 ]] || fail "allow: status $added: $message"
	[[ $message == *bad.yaml* ]] || fail "not a word about bad.yaml: $message"
	[[ $status == 0 ]] || fail "remove: status $status: $output"
}

@test "no port is port 4040, and it is said" {
	run -0 porthold allow myprocess
	[[ $output == *"myprocess may use TCP port 4040 and nothing else"* ]]
	[[ $(porthold status --json | jq -r '.policies[] | select(.name == "myprocess").rules[]') \
		== "tcp 4040" ]]
	run -0 porthold remove myprocess
}

@test "allow warns of what check warns of; of DNS its answer says enough" {
	run -0 --separate-stderr porthold allow 4040 perl
	[[ $stderr == *"/policy.d/perl.yaml:3:5: warning: policy perl: perl is an interpreter"* ]]
	[[ $stderr != *DNS* && ${lines[0]} == *"nothing else on the network, not even DNS." ]]
	[[ ${lines[1]} == "This lasts until the next boot; --permanent keeps it." ]]
	run -0 --separate-stderr porthold allow --children leave 53 setpriv
	[[ $stderr == *"an open door: children: leave"* && $stderr != *DNS* ]]
	[[ ${lines[0]} == *"nothing else on the network, and of DNS what goes over TCP." ]]
	run -0 --separate-stderr porthold allow --children confine 53,53/udp setpriv
	[[ ${lines[0]} == "setpriv may use TCP port 53 and UDP port 53 and nothing else on the network." ]]
	[[ -z $stderr ]]
	run -0 --separate-stderr porthold allow 4040 myprocess
	[[ $stderr == *"/policy.d/myprocess.yaml:3:5: warning: policy myprocess: no program on PATH is called myprocess, and nothing of this name runs; check the spelling"* ]]
	porthold remove perl
	porthold remove setpriv
	porthold remove myprocess
}

@test "apply warns of what is new or changed, by the file that was named" {
	cd "$BATS_TEST_TMPDIR"
	printf 'porthold: 1\npolicies:\n  - {name: %s, match: {comm: %s}, allow: [bind tcp 80]}\n' \
		odd perl >odd.yaml
	run -0 --separate-stderr porthold apply --dry-run odd.yaml
	[[ $stderr == "odd.yaml:3:5: warning: policy odd: perl is an interpreter"* ]]
	[[ $output == *"Nothing was done"* && $output != *warning* ]]
	run -0 --separate-stderr porthold apply odd.yaml
	[[ $stderr == "odd.yaml:3:5: warning: policy odd: perl is an interpreter"* ]]
	run -0 --separate-stderr porthold apply odd.yaml
	[[ -z $stderr ]]
	run -0 --separate-stderr porthold allow 4040 setpriv
	[[ -z $stderr ]]
	rm /run/porthold/policy.d/odd.yaml
	porthold remove setpriv
	[[ $(in_force) == standing ]]
}

@test "kept copies that cannot be read are named, and nothing is changed" {
	printf 'porthold: 1\npolicies:\n  - {name: odd, match: {comm: setpriv}, allow: []}\n' \
		>"$BATS_TEST_TMPDIR/odd.yaml"
	mkdir /var/lib/porthold/good/run+porthold+policy.d+other.yaml
	before=$(everything)
	complains 3 "its copies in /var/lib/porthold/good cannot be read: Is a directory" \
		porthold apply "$BATS_TEST_TMPDIR/odd.yaml"
	unchanged
	rmdir /var/lib/porthold/good/run+porthold+policy.d+other.yaml
	run -0 porthold apply "$BATS_TEST_TMPDIR/odd.yaml"
	run -0 porthold remove --force odd
}

@test "run warns that it leaves DNS out, and takes its policy away" {
	local dropped="porthold run: dropped capabilities, CAP_NET_ADMIN and CAP_SYS_ADMIN among them; --keep-caps leaves them"$'\n'"porthold run: privileged now: true (PID): root, chown, dac_override, fowner, setuid, setgid; what takes that from it: setpriv, or User= in a unit"

	told() { # TEXT
		[[ $(sed -E 's/\([0-9]+\)/(PID)/' <<<"$stderr") == "$1" ]] || fail "$stderr"
	}

	run -0 --separate-stderr porthold run 4041 -- true
	told "porthold run: warning: DNS is not among the ports 4041: no name can be resolved; add dns, as in 4041,dns"$'\n'"$dropped"
	run -0 --separate-stderr porthold run 53 -- true
	told "porthold run: warning: port 53 of UDP, where names are asked for, is not among the ports 53; add dns, as in 53,dns"$'\n'"$dropped"
	run -0 --separate-stderr porthold run 4041,dns -- true
	told "$dropped"
	run -0 --separate-stderr porthold run udp/53,4041 -- true
	told "$dropped"
	run -0 --separate-stderr porthold run none -- true
	told "$dropped"
	[[ -z $(find /run/porthold/policy.d -name 'run-*') ]]
}

@test "run: the exit status is that of the command" {
	run -7 --separate-stderr porthold run 4041 -- sh -c 'exit 7'
	run -143 --separate-stderr porthold run 4041 -- sh -c 'kill -TERM $$'
	run -127 --separate-stderr porthold run 4041 -- /nonexistent
	[[ $stderr == *"/nonexistent: No such file or directory" ]]
	echo plain >"$BATS_TEST_TMPDIR/plain"
	run -126 --separate-stderr porthold run 4041 -- "$BATS_TEST_TMPDIR/plain"
	[[ ! -e /run/porthold/policy.d/run-4041.yaml ]]
}

@test "allow: UDP, both, and no network at all" {
	rules_of() {
		porthold status --json | jq -r ".policies[] | select(.name == \"$1\").rules | join(\"; \")"
	}
	run -0 porthold allow udp/123,443/tcp setpriv
	[[ ${lines[0]} == "setpriv may use TCP port 443 and UDP port 123 and nothing else on the network, not even DNS." ]]
	[[ $(rules_of setpriv) == "tcp 443; udp 123" ]]
	run -0 porthold allow none setpriv
	[[ ${lines[0]} == "setpriv may use nothing on the network." ]]
	[[ $(rules_of setpriv) == "" ]]
	porthold remove setpriv
	run -1 porthold run none -- bash -c 'exec 3<>/dev/tcp/127.0.0.1/4042'
	[[ $output == *"not permitted"* ]]
}

@test "run: what is not there, what cannot be executed, and a file of policies" {
	run -127 porthold run standing -- no-such-command
	[[ $output == *"porthold run: no-such-command: command not found" ]]
	run -127 porthold run standing -- "$BATS_TEST_TMPDIR/none"
	[[ $output == *"/none: No such file or directory" ]]
	run -126 porthold run standing -- /etc/passwd
	run -126 porthold run standing -- "$BATS_TEST_TMPDIR"
	printf 'porthold: 1\npolicies:\n  - {name: mine, match: {comm: mine}, allow: []}\n' \
		>"$BATS_TEST_TMPDIR/p.yaml"
	complains 2 "is a file, and run takes the name of a policy that is in force: porthold apply $BATS_TEST_TMPDIR/p.yaml, then porthold run mine -- CMD" \
		porthold run "$BATS_TEST_TMPDIR/p.yaml" -- true
	complains 1 "nosuch: neither ports nor a policy" porthold run nosuch -- true
}

@test "what guards against a lock-out names what a file has, too" {
	printf 'porthold: 1\npolicies:\n  - {name: s, match: {comm: sshd}, allow: []}\n' \
		>"$BATS_TEST_TMPDIR/s.yaml"
	run -4 porthold apply "$BATS_TEST_TMPDIR/s.yaml"
	[[ $output == *"limit it to a cgroup: cgroup: in a file, --in-cgroup with allow"* ]] || fail "$output"
}

@test "status reads a policy file once" {
	strace -f -qq -e trace=openat,open -o "$BATS_TEST_TMPDIR/calls" \
		"$PORTHOLD" status >/dev/null
	[[ $(grep -c /policy.d/standing.yaml "$BATS_TEST_TMPDIR/calls") == 1 ]] ||
		fail "$(cat "$BATS_TEST_TMPDIR/calls")"
}

@test "whom only an audit policy matches is watched, not confined" {
	cp "$(type -P sleep)" "$BATS_TEST_TMPDIR/standing"
	"$BATS_TEST_TMPDIR/standing" 100 3>&- &
	sleeper=$!
	within 10 grep -qx standing "/proc/$sleeper/comm"
	run -0 porthold mode standing enforce
	[[ $output == *"1 process confined now."* ]] || fail "$output"
	run -0 porthold mode standing audit
	[[ $output == *"0 processes confined now."* ]] || fail "$output"
	[[ $(porthold status) == *"watches 1 process now"* ]] || fail "$(porthold status)"
	run -0 --separate-stderr porthold run standing -- true
	[[ $stderr == "porthold run: policy standing is in audit mode: the command is watched,"* ]]
	run -0 porthold mode standing enforce
	[[ $(porthold status) == *"confines 1 process now"* ]] || fail "$(porthold status)"
	kill $sleeper
}

@test "a bad policy file does not block run of another policy" {
	echo 'nonsense: [' >/run/porthold/policy.d/bad.yaml
	run porthold run standing -- true
	rm /run/porthold/policy.d/bad.yaml
	[[ $status == 0 ]] || fail "status $status: $output"
}

@test "remove: a policy of a file says where it stands" {
	printf 'porthold: 1\npolicies:\n  - {name: one, match: {comm: one}, allow: []}\n' \
		>"$BATS_TEST_TMPDIR/other.yaml"
	run -0 porthold apply "$BATS_TEST_TMPDIR/other.yaml"
	complains 1 "allow did not make one: it stands in /run/porthold/policy.d/other.yaml:3" \
		porthold remove one
	rm /run/porthold/policy.d/other.yaml
	run -0 porthold apply
}

@test "selftest: what it is refused is not among the events" {
	told=$(porthold events --json | wc -l)
	run -0 porthold selftest --json --door connect
	[[ $(jq '[.probes[] | select(.expected == "denied" and .verdict == "ok")] | length' \
		<<<"$output") -gt 0 ]] || fail "$output"
	[[ $(porthold events --json | wc -l) == "$told" ]] || fail "$(porthold events | tail)"
	run porthold run 4041 -- bash -c 'exec 3<>/dev/tcp/127.0.0.1/4042'
	[[ $(porthold events --json | wc -l) == $((told + 1)) ]] || fail "$(porthold events | tail)"
}

@test "lists and ranges; the same again is no new generation" {
	run -0 porthold allow 4040,8080-8090 myprocess
	generation=$(porthold status --json | jq .generation)
	run -0 porthold allow 4040,8080-8090 myprocess
	[[ $output == *unchanged* ]]
	[[ $(porthold status --json | jq .generation) == "$generation" ]]
	run -0 porthold allow 4040 myprocess
	[[ $(porthold status --json | jq .generation) == $((generation + 1)) ]]
	run -0 porthold remove myprocess
}

@test "names that are odd but right" {
	for name in "two words" "日本" "a%b" "[" "-x" ".x" " x" "..."; do
		porthold allow 4040 -- "$name" >/dev/null || fail "allow $name"
		names=$(in_force) || true
		[[ $names == *"$name"* ]] || {
			find /run/porthold/policy.d -type f ! -name standing.yaml -delete
			fail "allow $name succeeded, but status: $(porthold status --json)"
		}
		porthold remove -- "$name" >/dev/null || fail "remove $name"
	done
	[[ $(in_force) == standing ]]
}

# Twenty at a time: each works or says that another is at work.
@test "many at once" {
	for i in {1..20}; do
		{
			porthold allow $((5000 + i)) "many$i"
			(( i % 2 )) || porthold remove "many$i"
		} >"$BATS_TEST_TMPDIR/$i" 2>&1 || echo "$i" >>"$BATS_TEST_TMPDIR/failed" &
	done
	wait
	touch "$BATS_TEST_TMPDIR/failed"
	while read -r i _; do
		grep -q "another porthold is at work" "$BATS_TEST_TMPDIR/$i" ||
			fail "$(cat "$BATS_TEST_TMPDIR/$i")"
	done <"$BATS_TEST_TMPDIR/failed"
	# What is in force is what the files say.
	files=$(find /run/porthold/policy.d -name '*.yaml' -exec basename {} .yaml \; | sort | tr '\n' ' ')
	[[ "$(in_force) " == "$files" ]] || fail "in force: $(in_force); files: $files"
	for name in $files; do
		[[ $name == standing ]] || porthold remove "$name"
	done
	[[ $(in_force) == standing ]]
}

@test "remove the last one: nothing is attached, and status says no" {
	run -0 porthold remove standing
	[[ $output == *"No policy is in force"* ]]
	run -1 porthold status
	[[ $(porthold status --json | jq .in_force) == false ]]
	[[ -z $(find /sys/fs/bpf/porthold/links -type f) ]]
}

@test "stop, with nothing there" {
	run -0 porthold stop
	run -0 porthold stop
	[[ ! -e /sys/fs/bpf/porthold ]]
	complains 1 "nothing is in force" porthold events
}

@test "a cgroup namespace" {
	before=$(everything)
	complains 4 "cgroup namespace" unshare -C "$PORTHOLD" allow 4040 myprocess
	unchanged
}

@test "no cgroup2 hierarchy" {
	before=$(everything)
	umount -l /sys/fs/cgroup
	run porthold allow 4040 myprocess
	mount -t cgroup2 cgroup2 /sys/fs/cgroup
	[[ $status == 3 && $output == *"mount -t cgroup2"* ]] || fail "status $status: $output"
	unchanged
}

@test "bpffs is not mounted: allow mounts it" {
	umount /sys/fs/bpf
	run -0 porthold allow 4040 myprocess
	[[ $(stat -f -c %T /sys/fs/bpf) == bpf* ]]
	[[ $(in_force) == myprocess ]]
}

@test "bpffs cannot be mounted" {
	run -0 porthold stop
	umount /sys/fs/bpf
	mount -t tmpfs hidden /sys/fs/bpf
	mkdir /sys/fs/bpf/in-the-way
	run -0 porthold allow 4040 myprocess # a mount goes over it
	run -0 porthold stop
}
