#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# apply, confirm and mode in a machine of their own: what becomes of files, and of calls. A call
# counts as refused only with our errno, just after one that was allowed, with our counter moved
# by one, and while the same call of a free process passes.
#
# PORTHOLD_OPTIONS: which backend, if it is not the default. PORTHOLD_LONG: more rounds and
# more policies, as a machine that is not emulated can always take.

# shellcheck disable=SC2154 # status and output: what bats' run sets
bats_require_minimum_version 1.5.0
load ../cli/lib

rounds=5 many=10000
[[ -z ${PORTHOLD_LONG:-} ]] || rounds=40 many=100000

setup_file() {
	mkdir -p /var/lib/porthold
	mount -t tmpfs own /var/lib/porthold # the host's shows through
	export folder=$BATS_FILE_TMPDIR/policies
	export held=$BATS_FILE_TMPDIR/heldproc
	mkdir -p "$folder"
	cp "$(readlink -f /usr/bin/python3)" "$held"
	"$(dirname "$PORTHOLD")/hammer" serve 4040 4041 >/dev/null 3>&- &
	write held heldproc "tcp 4040"
	until connects python3 4040 && connects python3 4041; do
		sleep 0.2
	done
}

setup() {
	read -ra options <<<"${PORTHOLD_OPTIONS:-}"
	rm -rf "${folder:?}"/*
	write held heldproc "tcp 4040"
}

teardown() {
	[[ -z ${hammering:-} ]] || kill "$hammering" 2>/dev/null || true # of a storm that failed
	! mountpoint -q /run/porthold/pending || umount /run/porthold/pending
}

teardown_file() {
	"$PORTHOLD" stop
	jobs -p | xargs -r kill
}

# --- Policies

write() { # NAME COMM RULE [KEY: VALUE]
	printf 'porthold: 1\npolicies:\n  - name: %s\n    match: {comm: %s}\n%s    allow:\n      - %s\n' \
		"$1" "$2" "${4:+    $4$'\n'}" "$3" >"$folder/$1.yaml"
}

status_of() { # JQ-FILTER
	porthold status --json | jq -r "$1"
}

# --- Calls

attempt='
import errno, socket, sys
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5).close()
    print("allowed")
except OSError as e:
    print(errno.errorcode[e.errno])
'

connects() { # PROGRAM PORT
	[[ $("$1" -c "$attempt" "$2") == allowed ]]
}

refused() { # calls of the policy "held" that were refused so far
	status_of '[.policies[] | select(.name == "held").counters.attempts[]] | add // 0'
}

is_held_to() { # ALLOWED DENIED
	local before answer

	before=$(refused)
	connects "$held" "$1" || fail "$1 is not allowed"
	answer=$("$held" -c "$attempt" "$2")
	[[ $answer == EPERM ]] || fail "$2: $answer"
	[[ $(refused) == $((before + 1)) ]] || fail "$2: counted $before, then $(refused)"
	connects python3 "$2" || fail "a free process cannot connect to $2"
}

is_free() {
	connects "$held" 4040 && connects "$held" 4041
}

# The kernel falls back by itself: what is called runs until then.
until_over() {
	until [[ $(status_of .trial.over) == true ]]; do
		sleep 0.5
	done
}

# --- Files and kernel, without what every look changes

files() {
	find /run/porthold /etc/porthold /var/lib/porthold -type f ! -name lock \
		-exec sha256sum {} + 2>/dev/null | sort
	find /run/porthold /etc/porthold /sys/fs/bpf/porthold 2>/dev/null | sort
}

# --- Files on the command line

@test "--dry-run of the first apply leaves no trace, not even a lock" {
	umount /sys/fs/bpf
	before=$(files; ls -A /run /etc; cat /proc/mounts)
	run -0 porthold apply "${options[@]}" --dry-run "$folder"
	[[ $output == *"+ held ("*"tcp 4040"*"Nothing was done"* ]] || fail "$output"
	[[ $(files; ls -A /run /etc; cat /proc/mounts) == "$before" ]]
}

@test "a directory: its files are installed as they are, and hold" {
	is_free
	run -0 porthold apply "${options[@]}" "$folder"
	[[ $output == *"+ held (/run/porthold/policy.d/held.yaml:3)"* ]] || fail "$output"
	cmp "$folder/held.yaml" /run/porthold/policy.d/held.yaml
	is_held_to 4040 4041
}

@test "the same again is no new generation" {
	generation=$(status_of .generation)
	run -0 porthold apply "$folder/held.yaml"
	[[ $output == *unchanged* ]]
	[[ $(status_of .generation) == "$generation" ]]
	echo "# only a comment" >>"$folder/held.yaml"
	run -0 porthold apply "$folder/held.yaml"
	[[ $output == *unchanged* ]]
	cmp "$folder/held.yaml" /run/porthold/policy.d/held.yaml
}

@test "--dry-run says what would change, also for running processes, and changes nothing" {
	"$held" -c 'import time; time.sleep(60)' 3>&- &
	sleeper=$!
	porthold status >/dev/null
	write held heldproc "tcp 4041"
	write other othername "udp any"
	before=$(files; porthold status --json | jq 'del(.canary)')
	run -0 --separate-stderr porthold apply --dry-run --json "$folder"
	after=$(files; porthold status --json | jq 'del(.canary)')
	kill $sleeper
	[[ $(jq -c '[.changes.policies[] | [.name, .change, .rules_added, .rules_removed]]' <<<"$output") \
		== '[["held","changed",["tcp 4041"],["tcp 4040"]],["other","added",["udp any"],null]]' ]] ||
		fail "$output"
	jq -e --argjson pid $sleeper '.changes.processes[] | select(.pid == $pid and .comm == "heldproc"
		and .before == ["held"] and .after == ["held"])' <<<"$output" || fail "$output"
	[[ $after == "$before" ]] || fail "something changed: $(diff <(echo "$before") <(echo "$after"))"
}

@test "all errors of all files, and nothing changed" {
	before=$(files)
	printf 'porthold: 1\npolicies:\n  - name: x\n    match: {comm: x}\n    allow: [tcp 0, tcp 70000]\n' \
		>"$folder/one.yaml"
	printf 'porthold: 2\n' >"$folder/two.yaml"
	write three three "tcp 1"
	echo hello >"$folder/name.txt"
	run -1 porthold apply "$folder" "$folder/missing.yaml" "$folder/name.txt"
	[[ $output == *"$folder/one.yaml:5:"*"port 0"*"$folder/one.yaml:5:"*70000* ]] || fail "$output"
	[[ $output == *"$folder/two.yaml:1:"* && $output == *"$folder/missing.yaml"* ]] || fail "$output"
	[[ $output == *"$folder/name.txt"*"*.yaml"* ]] || fail "$output"
	[[ $(files) == "$before" ]]
	is_held_to 4040 4041
}

@test "a name that two files define" {
	before=$(files)
	mkdir "$folder/sub"
	sed 's/4040/4041/' "$folder/held.yaml" >"$folder/sub/again.yaml"
	run -1 porthold apply "$folder/sub"
	[[ $output == *"$folder/sub/again.yaml:3:"*held* ]] || fail "$output"
	[[ $(files) == "$before" ]]
}

@test "a file of the same name is replaced" {
	write held heldproc "tcp 4041"
	run -0 porthold apply "$folder/held.yaml"
	is_held_to 4041 4040
	write held heldproc "tcp 4040"
	run -0 porthold apply "$folder"
	is_held_to 4040 4041
}

@test "allow does not define what another file defines" {
	mv /run/porthold/policy.d/held.yaml /run/porthold/policy.d/elsewhere.yaml
	before=$(files)
	complains 1 "elsewhere.yaml:3" porthold allow 4041 held
	[[ $(files) == "$before" ]]
	mv /run/porthold/policy.d/elsewhere.yaml /run/porthold/policy.d/held.yaml
}

@test "a bad file blocks apply, and status says that there is one" {
	echo 'nonsense: [' >/run/porthold/policy.d/bad.yaml
	run -1 porthold apply "$folder"
	[[ $output == */run/porthold/policy.d/bad.yaml:1:* ]] || fail "$output"
	[[ $(status_of '[.degraded, .bad_files > 0] | join(" ")') == "true true" ]]
	run porthold status
	[[ $output == *" in the policy files: of bad files"* ]] || fail "$output"
	is_held_to 4040 4041
	rm /run/porthold/policy.d/bad.yaml
}

@test "no room for the new files: all stays as it was" {
	mkdir /run/porthold/pending
	mount -t tmpfs -o size=8k full /run/porthold/pending
	before=$(files)
	write held heldproc "tcp 4041"
	head -c 20000 /dev/zero | tr '\0' '#' >>"$folder/held.yaml"
	write other other "tcp 1"
	complains 3 "No space left" porthold apply "$folder"
	after=$(files)
	umount /run/porthold/pending
	rmdir /run/porthold/pending
	[[ $after == "$before" ]] || fail "$after"
	is_held_to 4040 4041
}

@test "options that do not go together" {
	complains 2 "--confirm" porthold apply --force "$folder"
	complains 2 "name them" porthold apply --confirm 10
	complains 2 "name them" porthold apply --permanent
	complains 2 "--confirm 0" porthold apply --confirm 0 "$folder"
	complains 2 "--confirm 1x" porthold apply --confirm 1x "$folder"
	complains 2 "cannot be taken back" porthold apply --confirm 9 --existing kill "$folder"
}

@test "--permanent without the service is refused" {
	before=$(files)
	complains 4 "not enabled" porthold apply --permanent "$folder"
	complains 4 "not enabled" porthold allow --permanent 4040 myprocess
	[[ $(files) == "$before" ]]
}

# --- mode, and the two directories

@test "/run wins over /etc, and status says so" {
	mkdir -p /etc/porthold/policy.d
	{ echo "# by hand"; sed 's/4040/4041/' "$folder/held.yaml"; } >/etc/porthold/policy.d/etc.yaml
	run -0 porthold apply
	is_held_to 4040 4041
	[[ $(status_of '.policies[] | select(.name == "held").overrules') \
		== /etc/porthold/policy.d/etc.yaml:4 ]]
	rm /run/porthold/policy.d/held.yaml
	run -0 porthold apply
	is_held_to 4041 4040
	[[ $(status_of '.policies[] | select(.name == "held").overrules') == null ]]
}

@test "mode: of a policy of /etc, whose file stays as it is" {
	before=$(sha256sum /etc/porthold/policy.d/etc.yaml)
	run -0 porthold mode held audit
	[[ $output == *"mode: enforce -> audit"* ]] || fail "$output"
	is_free
	[[ $(status_of '.policies[] | select(.name == "held") | [.mode, .overrules] | join(" ")') \
		== "audit /etc/porthold/policy.d/etc.yaml:4" ]]
	run -0 porthold mode held enforce
	is_held_to 4041 4040
	[[ ! -e /run/porthold/policy.d/held.yaml ]]
	[[ $(sha256sum /etc/porthold/policy.d/etc.yaml) == "$before" ]]
}

@test "mode: of a policy of /run, among others in its file" {
	rm /etc/porthold/policy.d/etc.yaml
	{ cat "$folder/held.yaml"; printf '  - name: more\n    match: {comm: more}\n    allow: []\n'; } \
		>/run/porthold/policy.d/two.yaml
	run -0 porthold apply
	run -0 porthold mode held audit
	is_free
	[[ $(in_force) == "held more" ]]
	run -0 porthold mode held audit
	[[ $output == *unchanged* ]]
	run -0 porthold mode held enforce
	is_held_to 4040 4041
	complains 1 "no policy is called nobody" porthold mode nobody audit
	complains 2 "expected NAME" porthold mode held off
	rm /run/porthold/policy.d/two.yaml
	run -0 porthold apply "$folder"
}

# --- Under load

@test "a storm of applies: each call is judged by one set, and by the new one as soon as apply is back" {
	hammer=$BATS_FILE_TMPDIR/storm/heldproc
	mkdir -p "$(dirname "$hammer")" "$folder/a" "$folder/b"
	ln -s "$(dirname "$PORTHOLD")/hammer" "$hammer"
	sed 's/tcp 4040/tcp 4040,4050/' "$folder/held.yaml" >"$folder/a/held.yaml"
	sed 's/tcp 4040/tcp 4040,4051/' "$folder/held.yaml" >"$folder/b/held.yaml"
	run -0 porthold apply "$folder/a"
	nice "$hammer" 600 4 4040 4041 >"$BATS_FILE_TMPDIR/storm/log" 2>&1 3>&- &
	hammering=$!
	for (( round = 0; round < rounds; round++ )); do # bats has the i
		for side in a b; do
			run -0 porthold apply "$folder/$side"
			[[ $("$held" -c "$attempt" 4050) == $([[ $side == a ]] && echo ECONNREFUSED || echo EPERM) ]]
			[[ $("$held" -c "$attempt" 4051) == $([[ $side == b ]] && echo ECONNREFUSED || echo EPERM) ]]
		done
	done
	kill $hammering # there was load all the time
	wait $hammering || fail "$(cat "$BATS_FILE_TMPDIR/storm/log")"
	echo "# $rounds rounds, $(tr '\n' ' ' <"$BATS_FILE_TMPDIR/storm/log")" >&3
	run -0 porthold apply "$folder/held.yaml"
}

@test "many policies; when memory is short, nothing changes" {
	seq "$many" | awk 'BEGIN { print "porthold: 1\npolicies:" }
		{ print "  - {name: p" $1 ", match: {comm: p" $1 "}, allow: [tcp " 1024 + $1 % 60000 "]}" }' \
		>"$folder/many.yaml"
	before=$(files)
	(ulimit -v $((15000 + many / 2)); complains 3 "memory" porthold apply "$folder/many.yaml")
	[[ $(files) == "$before" ]]
	is_held_to 4040 4041
	run -0 porthold apply "$folder/many.yaml"
	[[ $output == *"and $((many - 200)) more policies"* ]] || fail "${output:0:2000}"
	[[ $(porthold status | grep -c '^[a-z0-9]* (/run/.*), enforce') == $((many + 1)) ]]
	cp "$held" "$BATS_FILE_TMPDIR/p7777"
	[[ $("$BATS_FILE_TMPDIR/p7777" -c "$attempt" $((1024 + 7777))) == ECONNREFUSED ]]
	[[ $("$BATS_FILE_TMPDIR/p7777" -c "$attempt" 4041) == EPERM ]]
	printf 'porthold: 1\npolicies: []\n' >"$folder/many.yaml"
	run -0 porthold apply "$folder/many.yaml"
	rm /run/porthold/policy.d/many.yaml
	run -0 porthold apply
	is_held_to 4040 4041
}

# --- On trial

@test "nobody confirms: the kernel falls back with every porthold process dead" {
	before=$(files)
	write held heldproc "tcp 4041"
	run -0 porthold apply --confirm 20 "$folder"
	[[ $output == *"On trial for 20 s"* ]] || fail "$output"
	is_held_to 4041 4040
	[[ $(status_of '.trial | [.over, .falls_back_to > 0] | join(" ")') == "false true" ]]
	run ! pgrep -x porthold
	until connects "$held" 4040; do
		sleep 0.2
	done
	is_held_to 4040 4041
	[[ $(status_of '[.trial.over, .canary.ok] | join(" ")') == "true true" ]] || fail "$(porthold status)"
	run -0 porthold apply
	diff <(grep -v "canary\|sources" <<<"$before") <(files | grep -v "canary\|sources")
	[[ $output == *unchanged* ]] || fail "$output"
	[[ $(status_of .trial) == null ]]
	is_held_to 4040 4041
}

@test "others wait while something is on trial" {
	write held heldproc "tcp 4041"
	run -0 porthold apply --confirm 60 "$folder"
	is_held_to 4041 4040
	before=$(files)
	for words in "allow 4040 x" "remove held" "apply" "apply $folder" "mode held audit"; do
		# shellcheck disable=SC2086 # words
		complains 3 "on trial for another" porthold $words
	done
	[[ $(files) == "$before" ]]
	run -0 porthold apply --dry-run "$folder"
}

@test "confirm: it stays, past the deadline, and its files are in place" {
	write held heldproc "tcp 4041"
	run -0 porthold confirm
	[[ $output == *Confirmed* ]]
	cmp "$folder/held.yaml" /run/porthold/policy.d/held.yaml
	[[ ! -e /run/porthold/pending && $(status_of .trial) == null ]]
	complains 1 "nothing waits" porthold confirm
	write held heldproc "tcp 4040"
	run -0 porthold apply --confirm 2 "$folder"
	run -0 porthold confirm
	sleep 3
	is_held_to 4040 4041
}

@test "a lock-out is possible only on trial" {
	write bash bash "tcp 22"
	complains 4 "lock you out" porthold apply "$folder"
	run -0 porthold apply --confirm 2 --force "$folder"
	until_over
	run -0 porthold status
	[[ $(in_force) == held ]]
}

@test "a lock-out that was confirmed stands in the way of no other change" {
	write sshd sshd "tcp 22"
	complains 4 "lock you out" porthold apply "$folder"
	run -0 porthold apply --confirm 60 --force "$folder"
	run -0 porthold confirm
	write held heldproc "tcp 4041"
	run -0 porthold apply "$folder"
	is_held_to 4041 4040
	rm "$folder/sshd.yaml" /run/porthold/policy.d/sshd.yaml
	write held heldproc "tcp 4040"
	run -0 porthold apply "$folder"
	write sshd sshd "tcp 22"
	complains 4 "lock you out" porthold apply "$folder"
}

@test "confirm comes too late" {
	write held heldproc "tcp 4041"
	run -0 porthold apply --confirm 1 "$folder"
	until_over
	complains 1 "too late" porthold confirm
	write held heldproc "tcp 4040"
	is_held_to 4040 4041
	run -0 porthold apply "$folder"
	[[ $output == *unchanged* ]]
}

@test "an empty set on trial; then confirmed" {
	printf 'porthold: 1\npolicies: []\n' >"$folder/held.yaml"
	run -0 porthold apply --confirm 20 "$folder"
	is_free
	until_over
	is_held_to 4040 4041
	run -0 porthold apply --confirm 60 "$folder"
	[[ -n $(find /sys/fs/bpf/porthold/links -type f) ]]
	run -0 porthold confirm
	[[ -z $(find /sys/fs/bpf/porthold/links -type f) ]]
	is_free
	run -1 porthold status
}

@test "nothing was in force before: it comes back to that" {
	write held heldproc "tcp 4040"
	run -0 porthold apply --confirm 20 "$folder"
	is_held_to 4040 4041
	until_over
	is_free
	run -1 porthold status
	[[ $output == *"No policy is in force"* ]] || fail "$output"
	run -0 porthold apply
	[[ -z $(find /sys/fs/bpf/porthold/links -type f) && ! -e /run/porthold/pending ]]
}
