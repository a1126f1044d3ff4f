#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# In a machine of its own, as root: what is told of a denial, that the rule it names
# allows just that, that readers take nothing away, and that a flood loses details alone.

bats_require_minimum_version 1.5.0
load ../cli/lib

tests=$BATS_TEST_DIRNAME/..
policies=/run/porthold/policy.d
base="connect udp 9 to 127.0.0.9"

setup_file() {
	local program

	export folder=$BATS_FILE_TMPDIR
	for program in myprocess twin; do
		ln -s /usr/bin/python3 "$folder/$program"
	done
	ip link set lo up
	sysctl -qw net.ipv4.ping_group_range="0 2147483647"
	/usr/bin/python3 -ISc '
import socket, time
kept = [socket.create_server(("127.0.0.1", 8080), backlog=1000),
        socket.create_server(("::1", 8081), family=socket.AF_INET6),
        socket.create_server(("127.0.0.1", 8082))]
time.sleep(100000)' 3>&- &
	echo $! >"$folder/peer"
	policy
	within 10 as twin connect 127.0.0.1 8082
}

teardown_file() {
	kill "$(cat "$folder/peer")"
	"$PORTHOLD" stop
}

# The policy of myprocess: TCP 4040, a UDP rule that meets nobody, and these.
policy() { # RULE...
	local rule new=$folder/held.yaml

	mkdir -p "$policies"
	{
		printf 'porthold: 1\npolicies:\n  - name: held\n    match: {comm: myprocess}\n'
		printf '    allow:\n      - tcp 4040\n'
		for rule; do
			printf '      - %s\n' "$rule"
		done
	} >"$new"
	cmp -s "$new" "$policies/held.yaml" || {
		mv "$new" "$policies/held.yaml"
		# Without task storage the LSM backend leaves a door open.
		if [[ $(uname -r) == 5.10.* ]]; then
			"$PORTHOLD" apply --accept-degraded label-loss >/dev/null
		else
			"$PORTHOLD" apply >/dev/null
		fi
	}
}

as() { # NAME WORDS...
	"$folder/$1" -IS "$tests/door.py" "${@:2}"
}

refused() {
	"$(dirname "$PORTHOLD")/counters" /sys/fs/bpf/porthold/maps/ph_counters
}

last_event() { # JQ-FILTER
	porthold events --json | tail -n 1 | jq -r "$1"
}

# Refused once and told once, with this rule.
is_told() { # RULE WORDS...
	local before

	[[ $("${@:2:1}" twin "${@:3}") == ok ]] || fail "unconfined: $("${@:2:1}" twin "${@:3}")"
	before=$(refused)
	[[ $("${@:2:1}" myprocess "${@:3}") == EPERM ]] || fail "confined: not EPERM"
	(( $(refused) == before + 1 )) || fail "counted $(($(refused) - before)) times"
	[[ $(last_event .rule) == "$1" ]] || fail "the event says: $(last_event .rule)"
}

works() { # WORDS...
	local before

	before=$(refused)
	[[ $("$1" myprocess "${@:2}") == ok ]] || fail "with the rule: $("$1" myprocess "${@:2}")"
	(( $(refused) == before )) || fail "with the rule it is counted"
}

# Refused, and the event says why no rule would do.
has_no_rule() { # WORDS-OF-THE-REASON WORDS...
	local before

	before=$(refused)
	[[ $(as myprocess "${@:2}") == EPERM ]] || fail "confined: not EPERM"
	(( $(refused) == before + 1 )) || fail "counted $(($(refused) - before)) times"
	[[ $(last_event .rule) == null ]] || fail "a rule: $(last_event .rule)"
	[[ $(last_event .no_rule) == *"$1"* ]] || fail "the reason: $(last_event .no_rule)"
}

setup() {
	policy "$base"
}

# The socket is connected before the process has its name.
handed_over() { # NAME PORT
	/usr/bin/python3 -ISc '
import os, socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[3])))
s.set_inheritable(True)
os.execv(sys.argv[1], [sys.argv[1], "-IS", sys.argv[2], "adopt", str(s.fileno())])
' "$folder/$1" "$tests/door.py" "$2"
}

@test "the rule of an event allows that call" {
	local cases=(
		"connect tcp 8080 to 127.0.0.1|as connect 127.0.0.1 8080"
		"connect tcp 8081 to ::1|as connect ::1 8081"
		"bind tcp 8083 on 127.0.0.1|as bind 127.0.0.1 8083"
		"bind tcp 8084|as bind 0.0.0.0 8084"
		"bind tcp 8085 on ::1|as bind ::1 8085"
		"connect udp 8080 to 127.0.0.1|as send 127.0.0.1 8080"
		"connect udp 8081 to ::1|as talk ::1 8081"
		"bind udp 8086 on 127.0.0.1|as take 127.0.0.1 8086"
		"bind udp 8087|as take :: 8087"
		"connect tcp 8082 to 127.0.0.1|handed_over 8082"
		"socket icmp|as socket icmp"
		"socket icmp|as socket icmp6"
		"socket raw|as socket raw"
		"socket packet|as socket packet"
	)
	local words rules=()

	for each in "${cases[@]}"; do
		read -ra words <<<"${each#*|}"
		is_told "${each%|*}" "${words[@]}" || fail "$each"
		rules+=("$(last_event .rule)")
	done
	policy "$base" "${rules[@]}"
	for each in "${cases[@]}"; do
		read -ra words <<<"${each#*|}"
		works "${words[@]}" || fail "$each"
	done
	# And nothing beside.
	[[ $(as myprocess connect 127.0.0.1 8081) == EPERM ]]
	[[ $(as myprocess bind 127.0.0.2 8083) == EPERM ]]
	[[ $(as myprocess send 127.0.0.1 8082) == EPERM ]]
	[[ $(as myprocess take 127.0.0.1 8088) == EPERM ]]
}

@test "where no rule can allow it, the event says why" {
	[[ $(as twin bpf) == ok ]]
	has_no_rule "no rule opens this door" bpf
	kind=mptcp
	[[ $(uname -r) != 5.10.* ]] || kind=udplite # Debian's has no MPTCP
	[[ $(as twin socket $kind) == ok ]]
	has_no_rule "no rule admits such sockets" socket $kind
	policy
	[[ $(as twin hear) == ok ]]
	has_no_rule "any udp rule admits it" hear
}

@test "an event says who, what, where and by which line" {
	[[ $(as twin connect 127.0.0.1 8080) == ok ]]
	mkdir -p /sys/fs/cgroup/of-events/inner
	bash -c "echo \$\$ >/sys/fs/cgroup/of-events/inner/cgroup.procs
		exec '$folder/myprocess' -ISc '
import os, socket, sys, time
try:
    socket.create_connection((\"127.0.0.1\", 8080))
except OSError:
    print(os.getpid(), flush=True)
sys.stdin.read()'" >"$folder/pid" < <(sleep 60) &
	within 20 test -s "$folder/pid"
	porthold events --json | tail -n 1 | jq -e --arg file "$policies/held.yaml" \
		--argjson pid "$(cat "$folder/pid")" \
		--argjson inode "$(stat -Lc %i /usr/bin/python3)" \
		--argjson generation "$(porthold status --json | jq .generation)" '
		.policy == "held" and .file == $file and .line == 3 and .verdict == "deny" and
		.mode == "enforce" and .door == "connect" and .reason == "no-rule" and
		.protocol == "tcp" and .remote == {address: "127.0.0.1", port: 8080} and
		.pid == $pid and .tid == $pid and .comm == "myprocess" and .uid == 0 and
		.exe.inode == $inode and (.exe.path | startswith("/usr/bin/python3")) and
		.cgroup.path == "/of-events/inner" and .generation == $generation'
	kill "$(cat "$folder/pid")"
	within 10 rmdir /sys/fs/cgroup/of-events/inner
	rmdir /sys/fs/cgroup/of-events
}

@test "an event keeps the line of its own generation" {
	as myprocess connect 127.0.0.1 8080
	sed -i 's/^policies:/# moved\n# down\npolicies:/' "$policies/held.yaml"
	echo '      - tcp 4041' >>"$policies/held.yaml"
	porthold apply
	as myprocess connect 127.0.0.1 8080
	[[ $(porthold events --json | tail -n 2 | jq .line | tr '\n' ' ') == "3 5 " ]]
	# A third generation forgets neither.
	echo '      - tcp 4042' >>"$policies/held.yaml"
	porthold apply
	[[ $(porthold events --json | tail -n 2 | jq .line | tr '\n' ' ') == "3 5 " ]]
	# Nor when the policy is gone.
	rm "$policies/held.yaml"
	porthold allow 4040 other
	porthold allow 4041 other
	[[ $(porthold events --json | tail -n 2 | jq -r '"\(.policy):\(.line)"' | tr '\n' ' ') \
		== "held:3 held:5 " ]]
	porthold remove other
}

@test "an audit policy: the call passes, and is told as audit" {
	sed -i 's/^    allow:/    mode: audit\n    allow:/' "$policies/held.yaml"
	porthold apply
	[[ $(as myprocess connect 127.0.0.1 8080) == ok ]]
	[[ $(last_event '"\(.verdict) \(.mode) \(.door)"') == "audit audit "* ]]
}

@test "--since and --until" {
	as myprocess connect 127.0.0.1 8080
	sleep 2
	middle=$(date -u +%Y-%m-%dT%H:%M:%SZ)
	sleep 1
	as myprocess connect 127.0.0.1 8081
	[[ $(porthold events --json --since "$middle" | jq .remote.port) == 8081 ]]
	[[ $(porthold events --json --until "$middle" | tail -n 1 | jq .remote.port) == 8080 ]]
	[[ $(porthold events --since boot) == "$(porthold events)" ]]
	[[ -z $(porthold events --since 0s) ]]
	[[ -z $(porthold events --until boot) ]]
}

@test "--unique: one line for what is the same, with its count" {
	since=$(date -u +%Y-%m-%dT%H:%M:%SZ)
	for i in 1 2 3; do
		as myprocess connect 127.0.0.1 8080
		as myprocess connect 127.0.0.1 8081
	done
	as myprocess bind 127.0.0.1 8080
	[[ $(porthold events --unique --json --since "$since" |
		jq -r '"\(.door) \(.remote.port) \(.count)"' | tail -n 3 | tr '\n' ';') == \
		"connect 8080 3;connect 8081 3;bind 0 1;" ]]
	[[ $(porthold events --unique --since "$since" | tail -n 3 | head -n 1) == *" count=3 last="* ]]
}

@test "three followers see each event once, and wait without asking" {
	as myprocess connect 127.0.0.1 9000
	for i in 1 2 3; do
		strace -f -c -o "$folder/calls$i" "$PORTHOLD" events --follow --json \
			>"$folder/follower$i" 3>&- &
		echo $! >>"$folder/followers"
		within 20 grep -q '"port":9000' "$folder/follower$i"
	done
	for i in 1 2 3 4; do
		as myprocess connect 127.0.0.1 $((9000 + i))
		sleep 0.5
	done
	for i in 1 2 3; do
		within 10 grep -q '"port":9004' "$folder/follower$i"
	done
	pkill -TERM -P "$(paste -sd, "$folder/followers")"
	for i in 1 2 3; do
		within 10 test -s "$folder/calls$i"
		[[ $(jq -s -c 'map(.remote.port) | .[index(9000) + 1:]' "$folder/follower$i") \
			== "[9001,9002,9003,9004]" ]] || fail "$i: $(cat "$folder/follower$i")"
		polls=$(awk '$NF == "poll" { print $4 }' "$folder/calls$i")
		(( polls >= 2 && polls <= 10 )) || fail "polls: $polls"
	done
}

@test "a follower whose reader has gone ends" {
	"$PORTHOLD" events --follow 3>&- > >(head -n 1 >"$folder/head") &
	follower=$!
	within 20 test -s "$folder/head"
	within 20 eval "! kill -0 $follower 2>/dev/null"
}

# --- The log of the daemon

start_log() { # WHERE [journal]
	rm -f "$folder/hold"
	mkfifo "$folder/hold"
	"$(dirname "$PORTHOLD")/eventlog" "$folder/position" "${@:2}" <"$folder/hold" \
		>"$folder/log$1" 2>"$folder/cost$1" 3>&- &
	log=$!
	exec {hold}>"$folder/hold"
}

end_log() {
	exec {hold}>&-
	wait "$log"
}

connects() { # FILE PORT: lines
	grep -c "127.0.0.1:$2 .*policy=held" "$1" || true
}

@test "what was denied while no log was kept is told later, with its time, and once" {
	as myprocess connect 127.0.0.1 9101
	start_log 1
	within 20 grep -q 127.0.0.1:9101 "$folder/log1"
	end_log
	as myprocess connect 127.0.0.1 9102
	time=$(last_event .time)
	sleep 1
	start_log 2
	within 20 grep -q 127.0.0.1:9102 "$folder/log2"
	end_log
	[[ $(connects "$folder/log2" 9101) == 0 && $(connects "$folder/log2" 9102) == 1 ]]
	grep -q "^$time deny connect tcp 127.0.0.1:9102 " "$folder/log2" ||
		fail "$time: $(grep 9102 "$folder/log2")"
	start_log 3
	sleep 1
	end_log
	[[ ! -s $folder/log3 ]] || fail "told again: $(cat "$folder/log3")"
	# A place that cannot be is no reason to be silent.
	sed -i 's/told .*/told 99999999/' "$folder/position"
	as myprocess connect 127.0.0.1 9103
	start_log 4
	within 20 grep -q 127.0.0.1:9103 "$folder/log4"
	end_log
}

# The journal's socket, and a file of all that comes, a field in a line.
start_journal() {
	mkdir -p /run/systemd/journal
	/usr/bin/python3 -ISc '
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("/run/systemd/journal/socket")
while True:
    data, fds, _, _ = socket.recv_fds(s, 1 << 20, 1)
    for fd in fds:
        data = os.pread(fd, 1 << 20, 0)
    with open(sys.argv[1], "ab") as f:
        f.write(data)
' "$folder/journal" 3>&- &
	journal=$!
	within 20 test -S /run/systemd/journal/socket
}

@test "the journal gets every field" {
	[[ ! -e /run/systemd/journal/socket ]]
	start_journal
	start_log journal journal
	as myprocess connect 127.0.0.1 9301
	within 20 grep -q "PORTHOLD_REMOTE_PORT=9301" "$folder/journal"
	end_log
	kill "$journal"
	rm /run/systemd/journal/socket
	for field in PRIORITY=4 SYSLOG_IDENTIFIER=porthold PORTHOLD_VERDICT=deny \
		PORTHOLD_MODE=enforce PORTHOLD_POLICY=held "PORTHOLD_FILE=$policies/held.yaml" \
		PORTHOLD_LINE=3 PORTHOLD_DOOR=connect PORTHOLD_BACKEND=lsm PORTHOLD_PROTOCOL=tcp \
		PORTHOLD_REMOTE_ADDRESS=127.0.0.1 PORTHOLD_REMOTE_PORT=9301 PORTHOLD_UID=0 \
		PORTHOLD_COMM=myprocess PORTHOLD_LEADER=myprocess PORTHOLD_COUNT=1 \
		"PORTHOLD_RULE=connect tcp 9301 to 127.0.0.1" \
		MESSAGE_ID=83d42e9ef47745a2b302f59b8ed8a96c; do
		grep -qxF "$field" "$folder/journal" || fail "no $field: $(cat "$folder/journal")"
	done
	grep -qE '^PORTHOLD_(PID|TID|GENERATION|EXE_INODE|CGROUP_ID|TIME|LAST)=.+' "$folder/journal"
	grep -q '^MESSAGE=deny connect tcp 127.0.0.1:9301 policy=held ' "$folder/journal"
	run ! grep -q '^CODE_' "$folder/journal"
}

@test "the log waits without waking up" {
	start_log idle
	sleep 4 # the place is kept within a second
	before=$(awk '/ctxt_switches/ { n += $2 } END { print n }' "/proc/$log/status")
	sleep 5
	after=$(awk '/ctxt_switches/ { n += $2 } END { print n }' "/proc/$log/status")
	end_log
	[[ $before == "$after" ]] || fail "$((after - before)) wake-ups"
}

@test "stop: a follower ends and says so; the place and the table are forgotten" {
	"$PORTHOLD" events --follow >"$folder/stopped" 2>&1 3>&- &
	follower=$!
	within 20 test -s "$folder/stopped"
	[[ -e /run/porthold/sources ]]
	cp "$folder/position" /run/porthold/events.position
	porthold stop
	wait "$follower"
	[[ $(tail -n 1 "$folder/stopped") == *"porthold was stopped"* ]]
	[[ ! -e /run/porthold/sources && ! -e /run/porthold/events.position ]]
	# Numbers begin anew: an old place is worth nothing.
	policy "$base"
	as myprocess connect 127.0.0.1 9201
	start_log anew
	within 20 grep -q 127.0.0.1:9201 "$folder/loganew"
	end_log
}

@test "a flood of different denials: bounded lines, and what is not told is counted" {
	start_log scan
	sleep 2
	as myprocess scan 10000 13000
	sleep 2
	end_log
	echo "# 3000 kinds: $(cat "$folder/costscan")" >&3
	jq -e '.read == 3000 and .told == 1000 and .withheld > 0 and .lost == 0' \
		"$folder/costscan" || fail "$(cat "$folder/costscan")"
	# At its end it tells what it still holds, and how much it has not told.
	shown=$(grep -c "policy=held" "$folder/logscan")
	missing=$(sed -n 's/^\([0-9]*\) denials are not shown.*/\1/p' "$folder/logscan")
	(( shown + missing == 3000 )) || fail "$shown lines, $missing missing"
	(( shown <= 1000 + 1024 )) || fail "$shown lines"
}

@test "a flood: exact counters, bounded lines and memory, and what has no event is counted" {
	flood=${PORTHOLD_LONG:+1000000}
	flood=${flood:-70000}
	start_log flood
	sleep 2
	before=$(refused)
	as myprocess many "$flood"
	(( $(refused) == before + flood )) || fail "counted $(($(refused) - before))"
	sleep 3
	end_log
	echo "# $flood denials: $(cat "$folder/costflood")" >&3
	jq -e --argjson flood "$flood" '
		.read + .lost + .unrecorded >= $flood and .told <= 50 and .failed == 0 and .withheld == 0 and
		.resident_kb < 10240' "$folder/costflood" || fail "$(cat "$folder/costflood")"
	# All are told as one kind: the first, and the rest as a number.
	sum=$(sed -n 's/.*127.0.0.1:8080 .*count=\([0-9]*\) .*/\1/p' "$folder/logflood" |
		awk '{ n += $1 } END { print n + 0 }')
	(( sum + 1 + $(jq '.lost + .unrecorded' "$folder/costflood") >= flood )) || fail "told $sum"
	porthold events >/dev/null 2>"$folder/gone"
	grep -q "more were folded, as the same was told a moment before" "$folder/gone"
	[[ $(porthold status --json | jq '.unrecorded.folded') -gt 60000 ]]
}

# The other policies, in files of their own, and what they hold.
other_policy() { # NAME MODE RULE...
	local rule

	{
		printf 'porthold: 1\npolicies:\n  - name: %s\n    match: {comm: %s}\n' "$1" "$1"
		printf '    mode: %s\n    allow:\n      - tcp 4040\n' "$2"
		for rule in "${@:3}"; do
			printf '      - %s\n' "$rule"
		done
	} >"$policies/$1.yaml"
	ln -sf /usr/bin/python3 "$folder/$1"
	"$PORTHOLD" apply >/dev/null
}

told() { # POLICY PORT
	porthold events --json 2>/dev/null | jq -s --arg policy "$1" --argjson port "$2" '
		map(select(.policy == $policy and .remote.port == $port)) | length'
}

# More than there are slots, by whatever way, and what was told before is still there.
pushes_nobody_out() { # COMMAND...
	local port=$((9400 + BATS_TEST_NUMBER))

	other_policy bystander enforce
	[[ $(as bystander connect 127.0.0.1 "$port") == EPERM ]]
	[[ $(told bystander "$port") == 1 ]]
	"$@"
	[[ $(told bystander "$port") == 1 ]] || fail "it is gone"
	[[ $(as bystander connect 127.0.0.1 $((port + 100))) == EPERM ]]
	[[ $(told bystander $((port + 100))) == 1 ]] || fail "a new one is not told"
}

counted() { # POLICY KIND: what its counters say
	porthold status --json | jq --arg policy "$1" --arg kind "$2" '
		.policies[] | select(.name == $policy).counters[$kind] | add // 0'
}

@test "a process that is refused in a loop pushes nobody's events out" {
	other_policy looper enforce
	pushes_nobody_out as looper many 70000
	[[ $(counted looper attempts) == 70000 ]]
}

@test "a process that is watched pushes nobody's events out, whatever it asks for" {
	other_policy watched audit
	pushes_nobody_out as watched sweep 1024 65535
	(( $(counted watched audited) >= 64511 ))
	porthold status | grep -q "were withheld, as one policy or user had too many"
}

# Datagrams from somebody of whom no rule speaks, to a port that is bound.
datagrams_from_outside() {
	local server

	"$folder/listener" -ISc '
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 4041))
open(sys.argv[1], "w").close()
time.sleep(100000)' "$folder/bound" 3>&- &
	server=$!
	within 20 test -e "$folder/bound"
	as twin flood 127.0.0.1 4041 70000
	kill "$server"
}

@test "a host that sends to a confined server pushes nobody's events out" {
	other_policy listener enforce "bind udp 4041 from 192.0.2.1"
	pushes_nobody_out datagrams_from_outside
	[[ $(counted listener packets) == 70000 ]] || fail "$(counted listener packets) packets"
	(( $(porthold events --json | jq -s 'map(select(.policy == "listener")) | length') <= 600 ))
}
