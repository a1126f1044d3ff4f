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

# In hundredths of a second.
uptime_now() {
	local seconds

	read -r seconds _ </proc/uptime
	echo "${seconds/./}"
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
	[[ $output == *" in the policy files: of a bad file its last good copy counts"* ]] || fail "$output"
	is_held_to 4040 4041
	rm /run/porthold/policy.d/bad.yaml
}

@test "a bad file is told once, whatever comes of the allow beside it" {
	echo 'nonsense: [' >/run/porthold/policy.d/bad.yaml
	run -4 porthold allow "${options[@]}" 4040 bash
	rm /run/porthold/policy.d/bad.yaml
	[[ $(grep -c "policy.d/bad.yaml:1:" <<<"$output") == 1 ]] || fail "$output"
	[[ $output == *"policy bash would confine"* ]] || fail "$output"
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

# --- What people have written

# With a policy of its own, so that the others' files do not count.
by_hand() { # FILE [PORT]
	printf '# ours\nporthold: 1\npolicies:\n  - {name: own, match: {comm: own}, allow: [tcp %s]} # one line\n' \
		"${2:-1}" >"$1"
}

@test "remove, allow and run leave alone what people have written, unless they are told" {
	by_hand "$policies"/own.yaml
	run -0 porthold apply
	before=$(sha256sum "$policies"/own.yaml)
	complains 1 "$policies/own.yaml" porthold remove own
	complains 1 "$policies/own.yaml" porthold allow 2 own
	[[ $(sha256sum "$policies"/own.yaml) == "$before" && $(in_force) == "held own" ]]
	run -0 porthold allow --force 2 own
	[[ $(status_of '.policies[] | select(.name == "own").rules[]') == "tcp 2" ]]
	run -0 porthold allow 3 own
	run -0 porthold remove own
	[[ $output == *"Removed policy own: $policies/own.yaml"* ]] || fail "$output"
	[[ ! -e "$policies"/own.yaml && $(in_force) == held ]]
	by_hand "$policies"/own.yaml
	run -0 porthold apply
	run -0 porthold remove --force own
	[[ $output == *"Removed policy own: $policies/own.yaml"* ]] || fail "$output"
	[[ ! -e "$policies"/own.yaml ]]
}

@test "what allow wrote is a person's once it was edited" {
	run -0 porthold allow 4 own
	sed -i 's/tcp 4/tcp 5/' "$policies"/own.yaml
	complains 1 "edited since" porthold allow 4 own
	complains 1 "edited since" porthold remove own
	grep -q 'tcp 5' "$policies"/own.yaml
	run -0 porthold remove --force own
}

@test "remove takes the file of /run alone, where people have written that of /etc" {
	mkdir -p /etc/porthold/policy.d
	by_hand /etc/porthold/policy.d/own.yaml
	before=$(sha256sum /etc/porthold/policy.d/own.yaml)
	run -0 porthold allow 2 own
	run -0 porthold remove own
	[[ $output == *"Removed policy own: $policies/own.yaml"*"/etc/porthold/policy.d/own.yaml"*"counts again"* ]] ||
		fail "$output"
	[[ $(sha256sum /etc/porthold/policy.d/own.yaml) == "$before" ]]
	[[ $(status_of '.policies[] | select(.name == "own").rules[]') == "tcp 1" ]]
	rm /etc/porthold/policy.d/own.yaml
	run -0 porthold apply
}

@test "apply: another file of the same name, and one that was edited in its place" {
	mkdir "$folder/one" "$folder/two"
	by_hand "$folder/one/own.yaml" 1
	by_hand "$folder/two/own.yaml" 2
	run -0 porthold apply "$folder/one"
	before=$(files)
	complains 1 "a copy of $folder/one/own.yaml" porthold apply "$folder/two"
	complains 1 "a copy of $folder/one/own.yaml" porthold apply --dry-run "$folder/two/own.yaml"
	[[ $(files) == "$before" ]]
	by_hand "$folder/one/own.yaml" 3 # its next form
	run -0 porthold apply "$folder/one/own.yaml"
	run -0 porthold apply --force "$folder/two/own.yaml"
	cmp "$folder/two/own.yaml" "$policies"/own.yaml
	sed -i 's/tcp 2/tcp 4/' "$policies"/own.yaml
	complains 1 "people wrote or edited" porthold apply "$folder/two/own.yaml"
	grep -q 'tcp 4' "$policies"/own.yaml
	run -0 porthold apply --force "$folder/two/own.yaml"
	run -0 porthold mode own audit # which is no edit by hand
	grep -q 'mode: audit' "$policies"/own.yaml
	run -0 porthold apply "$folder/two/own.yaml"
	cmp "$folder/two/own.yaml" "$policies"/own.yaml
	rm "$policies"/own.yaml
	run -0 porthold apply
}

@test "mode keeps what people wrote around it, and where it cannot it says where" {
	cat >"$policies"/own.yaml <<-'END'
		# of the web team
		porthold: 1 # the version
		policies:
		  - name: own # not the others
		    match: {comm: own}
		    allow: # by ticket 7
		      - tcp 1 # one

		  - {name: more, match: {comm: more}, allow: []}
	END
	cp "$policies"/own.yaml "$folder/before"
	run -0 porthold apply
	run -0 porthold mode own audit
	diff "$folder/before" "$policies"/own.yaml | grep -q '^[<]' && fail "$(cat "$policies"/own.yaml)"
	[[ $(diff "$folder/before" "$policies"/own.yaml | grep '^>') == ">     mode: audit" ]]
	run -0 porthold mode more audit
	grep -qF -- '- {name: more, mode: audit, match: {comm: more}, allow: []}' "$policies"/own.yaml
	run -0 porthold mode own enforce
	sed -i 's/, mode: audit//' "$policies"/own.yaml
	[[ $(diff "$folder/before" "$policies"/own.yaml | grep '^[<>]') == ">     mode: enforce" ]] ||
		fail "$(diff "$folder/before" "$policies"/own.yaml)"
	by_hand "$policies"/other.yaml
	by_hand /etc/porthold/policy.d/other.yaml
	sed -i 's/own/other/g' /etc/porthold/policy.d/other.yaml
	sed -i 's/own/third/g' "$policies"/other.yaml
	run -0 porthold apply
	before=$(sha256sum "$policies"/other.yaml)
	complains 1 "$policies/other.yaml stands in the way" porthold mode other audit
	[[ $(sha256sum "$policies"/other.yaml) == "$before" ]]
	rm "$policies"/o*.yaml /etc/porthold/policy.d/other.yaml
	run -0 porthold apply
}

# --- What status says of the files

# The file is what it was, and in force.
mended() {
	porthold apply "$folder/held.yaml" || porthold apply --force "$folder/held.yaml"
	run -0 porthold status
	is_held_to 4040 4041
}

@test "status: a file that was edited and not applied is no failure of the canary" {
	sed -i 's/tcp 4040/tcp 4041/' "$policies"/held.yaml
	run -1 porthold status
	[[ $output == *"not applied yet: "*"porthold apply"* && $output != *CANARY* ]] || fail "$output"
	[[ $output == *"allow tcp 4040"* && $output != *"allow tcp 4041"* ]] || fail "$output"
	run -1 porthold status --check
	[[ $output == *"canary: ok"* ]] || fail "$output"
	[[ $(status_of '[.files.state, .canary.ok, .canary.checks.tables.outcome] | join(" ")') == \
		"changed true ok" ]]
	is_held_to 4040 4041
	run -0 porthold apply
	run -0 porthold status
	is_held_to 4041 4040
	mended
}

@test "status: a policy that the guard refuses" {
	write sshd sshd "tcp 22"
	cp "$folder/sshd.yaml" "$policies"
	run -4 porthold apply
	run -1 porthold status
	[[ $output == *"not applied: "*"policy sshd would confine"* && $output != *CANARY* ]] || fail "$output"
	[[ $(status_of '[.files.state, (.policies | length)] | join(" ")') == "refused 1" ]]
	rm "$policies"/sshd.yaml "$folder/sshd.yaml"
	mended
}

@test "status while another is at work: what it cannot know it does not say" {
	run -0 flock /run/porthold/lock "$PORTHOLD" status
	sed -i 's/tcp 4040/tcp 4041/' "$policies"/held.yaml
	run flock /run/porthold/lock "$PORTHOLD" status
	[[ $status == 3 && $output == *"another porthold is at work"* ]] || fail "$status: $output"
	mended
}

@test "no copy can be kept: that is said at once, and by status until it is" {
	good=/var/lib/porthold/good
	mkdir -p $good
	mount -t tmpfs -o size=4k,nr_inodes=1 full $good
	write held heldproc "tcp 4041"
	run porthold apply "$folder/held.yaml"
	[[ $status == 3 && $output == *"in force, but no copy of their files could be kept"* ]] ||
		fail "$status: $output"
	is_held_to 4041 4040
	cmp "$folder/held.yaml" "$policies"/held.yaml
	run porthold status
	[[ $output == DEGRADED*"no copy of these policy files is kept"* ]] || fail "$output"
	umount $good
	run porthold status # an older copy
	[[ $output == DEGRADED*"no copy of these policy files is kept"* ]] || fail "$output"
	run -0 porthold apply
	run -0 porthold status
	[[ $output != *DEGRADED* ]] || [[ -n ${PORTHOLD_OPTIONS:-} ]] || fail "$output"
	[[ $(status_of .files.kept) == true ]]
	write held heldproc "tcp 4040"
	mended
}

@test "a bad file whose copy is damaged: no change of another one ends what is in force of it" {
	kept=/var/lib/porthold/good/run+porthold+policy.d+held.yaml
	echo 'nonsense: [' | tee "$policies"/held.yaml >$kept
	before=$(files)
	complains_of_lost() {
		run "$@"
		[[ $status == 1 && $output == *"would end"* && $output == *"is damaged"* ]] ||
			fail "$status: $output"
	}
	complains_of_lost porthold allow 1 other
	rm $kept
	run porthold allow 1 other
	[[ $status == 1 && $output == *"would end"* && $output == *"no good copy"* ]] || fail "$output"
	is_held_to_by_counter() { [[ $("$held" -c "$attempt" 4041) == EPERM ]] && connects "$held" 4040; }
	is_held_to_by_counter
	run -1 porthold status
	[[ $output == *"in force still, but to end at the next boot: what $policies/held.yaml said"* ]] ||
		fail "$output"
	[[ $output != *"NOT ENFORCED"* && -z $(status_of '.files.lost[]') ]] || fail "$output"
	[[ $(status_of '.files.unreadable[]') == "$policies/held.yaml" ]]
	cp "$folder/held.yaml" "$policies"/held.yaml
	run -0 porthold apply
	mended
}

@test "a plan that porthold did not write is thrown away, and moves nothing" {
	generation=$(status_of .generation)
	echo keep >"$BATS_TEST_TMPDIR/victim"
	for entry in '{"path": "noslash", "removed": false}' '{"removed": true}' '7' \
		"{\"path\": \"$BATS_TEST_TMPDIR/victim\", \"removed\": true}" \
		'{"path": "/run/porthold/policy.d/../../victim.yaml", "removed": true}' \
		'{"path": "/run/porthold/policy.d/", "removed": true}'; do
		mkdir -p /run/porthold/pending
		echo "{\"generation\": $generation, \"files\": [$entry]}" >/run/porthold/pending/plan.json
		run porthold status
		[[ $status == 0 || $status == 3 ]] || fail "$entry: status $status: $output"
		complains 3 "damaged, and is removed" porthold allow 1 other
		[[ ! -e /run/porthold/pending ]] || fail "$entry: it is still there"
		run -0 porthold apply
	done
	[[ $(<"$BATS_TEST_TMPDIR/victim") == keep ]]
	mended
}

@test "a directory in the place of the lock is nobody's" {
	rm -f /run/porthold/lock
	mkdir /run/porthold/lock
	run -0 porthold apply
	[[ -f /run/porthold/lock ]]
}

@test "what a newer version has put there an older one leaves alone" {
	generation=$(status_of .generation)
	state=$(bpftool -j map lookup pinned /sys/fs/bpf/porthold/maps/ph_state key hex 00 00 00 00 |
		jq -r '.value | map(ltrimstr("0x")) | join(" ")')
	put_version() { # of 32 bytes, which are the last
		# shellcheck disable=SC2046,SC2086 # bytes
		bpftool map update pinned /sys/fs/bpf/porthold/maps/ph_state key hex 00 00 00 00 \
			value hex ${state:0: -96} $(printf '%s' "$1" | od -An -tx1) \
			$(printf ' 00%.0s' $(seq $((32 - ${#1}))))
	}
	put_version 99.0.1
	complains 4 "put there by porthold 99.0.1" porthold apply
	complains 4 "put there by porthold 99.0.1" porthold allow 1 other
	[[ ! -e "$policies"/other.yaml && $(status_of .generation) == "$generation" ]]
	put_version "$(porthold --version | sed 's/.* //')"
	mended
}

@test "a pin of a map is gone that nobody but the programs uses: the canary says so" {
	pin=/sys/fs/bpf/porthold/maps/ph_socks
	[[ -e $pin ]]
	rm $pin
	run porthold status
	[[ $status == 5 && $output == *"CANARY FAILED: programs: ph_socks: its pin is gone"* ]] ||
		fail "$status: $output"
	run -0 porthold apply
	[[ -e $pin ]]
	mended
}

@test "what runs no more is not said to be free" {
	"$held" -c 'import time; time.sleep(60)' 3>&- &
	sleeper=$!
	python3 -c 'import os, sys, time
child = os.fork()
if not child: os.execv(sys.argv[1], [sys.argv[1], "-c", ""])
print(child, file=open(sys.argv[2], "w"), flush=True)
time.sleep(60)' "$held" "$BATS_TEST_TMPDIR/zombie" 3>&- & # which waits for nobody
	parent=$!
	within 30 test -s "$BATS_TEST_TMPDIR/zombie"
	zombie=$(<"$BATS_TEST_TMPDIR/zombie")
	within 30 grep -q "State:	Z" "/proc/$zombie/status"
	run -0 porthold apply --dry-run "$folder" # nothing changes for them
	printf 'porthold: 1\npolicies: []\n' >"$folder/held.yaml"
	run -0 porthold apply --dry-run "$folder"
	kill $sleeper $parent
	[[ $output == *"pid $sleeper, heldproc: held -> free"* ]] || fail "$output"
	[[ $output != *"pid $zombie,"* ]] || fail "$output"
}

@test "a name that two new files define: each is told where it is" {
	mkdir "$folder/new"
	by_hand "$folder/new/a.yaml"
	by_hand "$folder/new/b.yaml"
	run -1 porthold apply "$folder/new"
	[[ $output == *"$folder/new/b.yaml:4:"*"$folder/new/a.yaml:4"* ]] || fail "$output"
	[[ $output != *"$policies/a.yaml"* ]] || fail "$output"
}

# --- Under load

@test "a storm of applies: each call is judged by one set, and by the new one as soon as apply is back" {
	hammer=$BATS_FILE_TMPDIR/storm/heldproc
	mkdir -p "$(dirname "$hammer")" "$folder/a" "$folder/b"
	ln -s "$(dirname "$PORTHOLD")/hammer" "$hammer"
	sed 's/tcp 4040/tcp 4040,4050/' "$folder/held.yaml" >"$folder/a/held.yaml"
	sed 's/tcp 4040/tcp 4040,4051/' "$folder/held.yaml" >"$folder/b/held.yaml"
	run -0 porthold apply --force "$folder/a"
	nice "$hammer" 600 4 4040 4041 >"$BATS_FILE_TMPDIR/storm/log" 2>&1 3>&- &
	hammering=$!
	for (( round = 0; round < rounds; round++ )); do # bats has the i
		for side in a b; do
			run -0 porthold apply --force "$folder/$side"
			[[ $("$held" -c "$attempt" 4050) == $([[ $side == a ]] && echo ECONNREFUSED || echo EPERM) ]]
			[[ $("$held" -c "$attempt" 4051) == $([[ $side == b ]] && echo ECONNREFUSED || echo EPERM) ]]
		done
	done
	kill $hammering # there was load all the time
	wait $hammering || fail "$(cat "$BATS_FILE_TMPDIR/storm/log")"
	echo "# $rounds rounds, $(tr '\n' ' ' <"$BATS_FILE_TMPDIR/storm/log")" >&3
	run -0 porthold apply --force "$folder/held.yaml"
}

@test "many policies; when memory is short, nothing changes" {
	seq "$many" | awk 'BEGIN { print "porthold: 1\npolicies:" }
		{ print "  - {name: p" $1 ", match: {comm: p" $1 "}, allow: [tcp " 1024 + $1 % 60000 "]}" }' \
		>"$folder/many.yaml"
	before=$(files)
	(ulimit -v $((19500 + many / 2)); complains 3 "memory" porthold apply "$folder/many.yaml")
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
	begin=$(uptime_now)
	run -0 porthold apply --confirm 20 "$folder"
	[[ $output == *"On trial for 20 s"* ]] || fail "$output"
	is_held_to 4041 4040
	# The deadline is what was asked for from then on, to the second that status knows.
	left=$(status_of .trial.seconds_left) now=$(uptime_now)
	(( left <= 20 && 100 * left >= 100 * 19 - (now - begin) )) || fail "$left s left after $((now - begin))"
	[[ $(status_of '.trial | [.over, .falls_back_to > 0] | join(" ")') == "false true" ]]
	run ! pgrep -x porthold
	until connects "$held" 4040; do
		sleep 0.2
	done
	(( $(uptime_now) - now >= 100 * (left - 1) )) || fail "back after $(($(uptime_now) - now)) of $left s"
	is_held_to 4040 4041
	[[ $(status_of '[.trial.over, .canary.ok] | join(" ")') == "true true" ]] || fail "$(porthold status)"
	run -0 porthold apply
	diff <(grep -v "canary\|sources\|origins" <<<"$before") <(files | grep -v "canary\|sources\|origins")
	[[ $output == *unchanged* ]] || fail "$output"
	[[ $(status_of .trial) == null ]]
	is_held_to 4040 4041
}

@test "others wait while something is on trial" {
	write held heldproc "tcp 4041"
	run -0 porthold apply --confirm 60 "$folder"
	is_held_to 4041 4040
	before=$(files)
	for words in "allow 4040 x" "remove held" "apply" "apply $folder" "mode held audit" \
		"apply --dry-run" "apply --dry-run $folder"; do
		# shellcheck disable=SC2086 # words
		complains 3 "on trial for another" porthold $words
	done
	[[ $(files) == "$before" ]]
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

@test "stop moves away what people have written" {
	by_hand "$policies"/own.yaml
	run -0 porthold apply
	run -0 porthold allow 4040 made
	before=$(sha256sum <"$policies"/own.yaml)
	run -0 porthold stop
	[[ $output == *"Moved $policies/own.yaml to /run/porthold/stopped/own.yaml"* ]] || fail "$output"
	[[ $output == *"Removed $policies/made.yaml"* ]] || fail "$output"
	[[ $(sha256sum </run/porthold/stopped/own.yaml) == "$before" ]]
	by_hand "$policies"/own.yaml 2
	run -0 porthold stop
	[[ $(sha256sum </run/porthold/stopped/own.yaml) == "$before" ]]
	grep -q 2 /run/porthold/stopped/own.yaml.1
}

@test "stop names the first of many files, moved or removed, and counts the rest" {
	rm -rf /run/porthold/stopped
	run -0 porthold allow "${options[@]}" 4040 made
	for i in {1..24}; do
		by_hand "$policies/own$i.yaml"
	done
	run -0 porthold stop
	[[ $(grep -c "^Moved \|^Removed " <<<"$output") == 20 ]] || fail "$output"
	[[ $output == *$'\n5 more files there.\n'* ]] || fail "$output"
	[[ -z $(ls "$policies") && $(find /run/porthold/stopped -type f | wc -l) == 24 ]]
}
