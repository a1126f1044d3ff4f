#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The tests are tested: what tests/lib.sh, tools/test and tools/mutants make of answers, cases, suites
# and faults that are not as they should be.

# shellcheck disable=SC2016,SC2030,SC2031 # what others expand; bats runs each test in a subshell
bats_require_minimum_version 1.5.0

# What is said to the run that this is part of is not said to those in here.
setup() {
	top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	unset PORTHOLD_BUILD PORTHOLD_JOBS PORTHOLD_LONG
	cd "$BATS_TEST_TMPDIR" || return
}

fail() {
	echo "$*" >&2
	return 1
}

# --- tests/lib.sh

# A suite of these lines: sets status and output.
suite() { # LINE...
	printf '%s\n' "build=/none" ". '$top/tests/lib.sh'" "$@" >suite
	run bash suite
}

says() { # LINES
	# shellcheck disable=SC2154 # what bats' run sets
	[[ $output == "$1" ]] || fail "\"$output\" instead of \"$1\""
}

@test "lib: equal, matches, check" {
	suite 'equal same a a' 'equal nothing "" ""' 'matches part b abc' 'check yes true'
	says $'ok 1 - same\nok 2 - nothing\nok 3 - part\nok 4 - yes'
	suite 'equal empty a ""' 'equal full "" b' 'equal longer a ab' 'matches other x abc' 'matches empty x ""'
	says 'not ok 1 - empty: expected "a", got ""
not ok 2 - full: expected "", got "b"
not ok 3 - longer: expected "a", got "ab"
not ok 4 - other: expected *x*, got "abc"
not ok 5 - empty: expected *x*, got ""'
	suite 'check no sh -c "echo why; exit 3"'
	says $'not ok 1 - no\n#   why'
}

@test "lib: the end of a suite" {
	suite 'ok one' 'end_suite'
	[[ $status == 0 ]] || fail "status $status"
	says $'ok 1 - one\n1..1'
	suite 'not_ok one' 'ok two' 'end_suite'
	[[ $status == 1 ]] || fail "status $status"
	says $'not ok 1 - one\nok 2 - two\n1..2'
	suite 'trap report_early_end EXIT' 'ok one' 'exit 0'
	says $'ok 1 - one\nnot ok 2 - the suite ended early, with status 0\n1..2'
	suite 'trap report_early_end EXIT' 'false'
	says $'not ok 1 - the suite ended early, with status 1\n1..1'
}

@test "lib: within" {
	suite 'within 1 false || echo late' 'within 1 true && echo done' 'n=0; third() { (( ++n > 2 )); }' \
		'within 20 third && echo "after $n"'
	says $'late\ndone\nafter 3'
}

# The work that it is tried by takes much longer than it should, or much shorter.
@test "lib: within, on a machine that is slow" {
	suite 'start=$SECONDS; later() { (( SECONDS >= start + 4 )); }' \
		'yardstick_takes=400; within 1 later && echo "in time"' \
		'start=$((SECONDS + 60)) yardstick_takes=1000000000; within 1 later || echo late'
	says $'in time\nlate'
}

# An action that answers as it is told, and counts.
action='refused() { cat count; }
echo 5 >count
act() {
	case $1$2 in
	myprocess4040) echo "$on_4040" ;;
	myprocess8080) echo $((5 + counted)) >count; echo "$on_8080" ;;
	*) echo "$by_twin" ;;
	esac
}
on_4040=ok on_8080=EPERM counted=1 by_twin=ok'

wrong() { # NUMBER SETTING
	suite "$action" "$2" 'denial it twin act PORT' end_suite
	[[ $status == 1 ]] || fail "$2: status $status"
	[[ $(grep -c '^not ok' <<<"$output") == 1 && $output == *"not ok $1 - "* ]] || fail "$2: $output"
}

@test "lib: a denial is four things" {
	suite "$action" 'denial it twin act PORT' end_suite
	[[ $status == 0 ]] || fail "$output"
	[[ $(grep -c '^ok' <<<"$output") == 4 ]] || fail "$output"
	wrong 1 on_4040=EPERM
	wrong 2 on_8080=ECONNREFUSED
	wrong 2 on_8080=ok
	wrong 2 on_8080=
	wrong 3 counted=0
	wrong 3 counted=2
	wrong 4 by_twin=EPERM
}

quiet() { # FAILURES SETTING
	suite "$action" "$2" 'nothing_out it twin nothing act 8080' end_suite
	[[ $(grep -c '^ok' <<<"$output") == $((4 - $1)) && $(grep -c '^not ok' <<<"$output") == "$1" ]] ||
		fail "$2: $output"
}

@test "lib: nothing gets out" {
	quiet 0 on_8080=nothing
	quiet 1 on_8080=ok
	quiet 1 'on_8080=nothing counted=0'
	quiet 2 'on_8080=nothing by_twin=nothing'
}

# --- tools/test

# In a copy whose build and suites are fakes; sets status and output.
run_test() { # ARGUMENT...
	PORTHOLD_BUILD=$PWD/copy/build run copy/tools/test "$@"
}

# What the suite of that text comes to, likewise.
run_suite() { # TEXT...
	mkdir -p copy/tools copy/tests/host
	cp "$top/tools/test" copy/tools
	printf '#!/bin/sh\nexit 0\n' | tee copy/tools/build copy/tools/setup >copy/tests/host/other
	{ echo '#!/bin/sh'; printf '%s\n' "$@"; } >copy/tests/host/cgroup
	chmod 755 copy/tools/* copy/tests/host/*
	for name in apply kept told attach meaning canary explain; do
		cp copy/tests/host/other "copy/tests/host/$name"
	done
	run_test host
}

comes_to() { # STATUS TEXT
	[[ $status == "$1" && $output == *"$2"* ]] || fail "status $status: $output"
}

@test "test: cases that passed" {
	run_suite 'echo 1..2' 'echo ok 1 - one' 'echo ok 2 - two'
	comes_to 0 "2 passed, 0 failed"
}

@test "test: cases, and suites, that did not" {
	run_suite 'echo 1..2' 'echo ok 1 - one' 'echo not ok 2 - two'
	comes_to 1 "1 passed, 1 failed"
	run_suite 'echo 1..3' 'echo ok 1 - one' 'echo ok 2 - two'
	comes_to 1 "2 of 3 planned cases were run"
	run_suite 'echo ok 1 - one' 'exit 3'
	comes_to 1 "ended with status 3"
	run_suite true
	comes_to 1 "no case was run"
	run_suite 'echo 1..2' 'echo ok 1 - one' 'echo "ok 2 - two # skip not here"'
	comes_to 1 "cases were skipped"
	run_suite 'echo 1..1' 'echo "ok 1 # SKIP"'
	comes_to 1 "cases were skipped"
}

@test "test: a folder named from here" {
	run_suite 'echo 1..1' '[ "$1" = "$PWD/other" ] && echo ok 1 - absolute'
	PORTHOLD_BUILD=other run copy/tools/test host
	comes_to 0 "1 passed"
	[[ -e other/test-results/host.log ]] || fail "no results"
}

@test "test: a suite that there is not" {
	run_suite 'echo 1..1' 'echo ok 1 - one'
	comes_to 0 "1 passed"
	run_test nosuch
	comes_to 1 "no suite is called nosuch"
	run_test uni
	comes_to 1 "no suite is called uni"
}

# Those of the suites that wait do so until format, which only computes, has run beside them.
@test "test: what only computes runs beside two that wait" {
	printf '%s\n' '#!/bin/sh' 'touch ../formatted' >clang-format
	chmod 755 clang-format
	wait_for_it='for i in $(seq 600); do [ ! -e ../formatted ] || break; sleep 0.1; done; [ -e ../formatted ]'
	run_suite 'echo 1..1' "cd copy; $wait_for_it && echo ok 1 - waited"
	cp copy/tests/host/cgroup copy/tests/host/faults
	mkdir copy/src copy/bpf
	touch copy/src/some.c
	rm -f formatted
	PATH=$PWD:$PATH run_test host faults format
	comes_to 0 "3 passed, 0 failed"
	[[ $output =~ host\ +1\ +0\ +[0-9]+\ +[0-9]+\ +[0-9.]+ ]] || fail "$output"
	PORTHOLD_JOBS=1 PATH=$PWD:$PATH run_test format host faults
	comes_to 0 "3 passed, 0 failed"
	PATH=$PWD:$PATH run_test format
	comes_to 0 "1 passed, 0 failed"
}

# --- tools/mutants

# A tree of one file, whose suite fails where that says "bad"; it is not built where it says "broken".
make_tree() {
	mkdir -p tree/tools tree/tests/mutants
	cp "$top/tools/mutants" tree/tools
	printf 'one\ntwo\nthree\n' >tree/file
	printf '%s\n' '#!/bin/sh' '! grep -q broken "$(dirname "$0")/../file"' >tree/tools/build
	cat >tree/tools/test <<-'END'
		#!/bin/sh
		[ "$1" != --list ] || { printf '%s\n' fits fails; exit; }
		echo 1..1
		if [ "$1" = fails ] || grep -q bad "$(dirname "$0")/../file"; then echo "not ok 1 - file"; exit 1; fi
		echo "ok 1 - file"
	END
	chmod 755 tree/tools/*
}

# A fault that writes this in the place of "two".
fault() { # NAME SUITES TEXT [OLD]
	printf '%s\n' "It is $3." "Suites: $2" "" "--- a/file" "+++ b/file" "@@ -1,3 +1,3 @@" " one" "-${4:-two}" \
		"+$3" " three" >"tree/tests/mutants/$1.patch"
}

@test "mutants: killed, survived, not applied, not built" {
	make_tree
	fault killed fits bad
	fault survives fits harmless
	fault stale fits bad tow
	fault unbuilt fits broken
	run tree/tools/mutants killed
	comes_to 0 "killed (fits: not ok 1 - file)"
	comes_to 0 "1 of 1 killed"
	run tree/tools/mutants survives
	comes_to 1 "survives                     survived"
	run tree/tools/mutants stale
	comes_to 1 "did not apply"
	run tree/tools/mutants unbuilt
	comes_to 1 "did not build"
	run tree/tools/mutants --tap
	comes_to 1 "ok 1 - killed: killed"
	comes_to 1 "not ok 3 - survives: survived"
	comes_to 1 "1..4"
	comes_to 1 "1 of 4 killed"
	cmp tree/file tree/build/mutants/tree/file
}

@test "mutants: what is built elsewhere, or in the tree by another name" {
	make_tree
	fault killed fits bad
	for folder in "$PWD/elsewhere" "$PWD/tree/made"; do
		mkdir "$folder"
		touch "$folder/build.ninja"
		PORTHOLD_BUILD=$folder run tree/tools/mutants killed
		comes_to 0 "1 of 1 killed"
		cmp tree/file "$folder/mutants/tree/file"
		[[ ! -e $folder/mutants/tree/made ]] || fail "a copy of what was built"
	done
	PORTHOLD_BUILD=relative run tree/tools/mutants killed
	comes_to 0 "1 of 1 killed"
	cmp tree/file relative/mutants/tree/file
}

@test "mutants: a suite that fails anyway kills nothing" {
	make_tree
	fault killed fails bad
	run tree/tools/mutants killed
	comes_to 1 "fails without any fault"
}

@test "mutants: what each has to say" {
	make_tree
	fault good fits bad
	run tree/tools/mutants --check
	comes_to 0 "ok 1 - good applies"
	fault stale fits bad tow
	run tree/tools/mutants --check
	comes_to 1 "not ok 2 - stale: "
	fault stale nosuch bad
	run tree/tools/mutants --check
	comes_to 1 "no suite is called nosuch"
	sed -i '/^Suites/d; 1s/\.$//' tree/tests/mutants/stale.patch
	run tree/tools/mutants --check
	comes_to 1 "no sentence says what it is; no line Suites:"
	sed -i '1s/$/./; 2s/^/Equivalent: nobody reads it\n/' tree/tests/mutants/stale.patch
	run tree/tools/mutants --check
	comes_to 0 "ok 2 - stale applies"
	run tree/tools/mutants stale
	comes_to 0 "stale is equivalent: nobody reads it"
}

@test "mutants: a sample can be had again" {
	make_tree
	for i in {1..9}; do
		fault "fault-$i" fits bad
	done
	fault machine vm-6.12-lsm-doors harmless
	run tree/tools/mutants --sample 3 7
	comes_to 0 "3 of 3 killed"
	first=$output
	run tree/tools/mutants --sample 3 7
	[[ ${output% in *} == "${first% in *}" ]] || fail "$output after $first"
	run tree/tools/mutants --sample 9
	comes_to 0 "9 of 9 killed"
	[[ $output != *machine* ]] || fail "$output"
}
