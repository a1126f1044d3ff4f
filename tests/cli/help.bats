#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Every verb says what it takes, and says it of all that it takes.

# shellcheck disable=SC2030,SC2031 # status and output: what bats' run sets
bats_require_minimum_version 1.5.0
load lib

source_folder=$BATS_TEST_DIRNAME/../../src

verbs() {
	porthold --help | sed -n 's/^  porthold \([a-z]*\).*/\1/p'
}

options() { # VERB: with a value's placeholder, if it takes one
	porthold "$1" --help | sed -nE 's/^  (--[a-z-]+)(, -[a-z])?( [^ ]+)? .*/\1\3/p'
}

@test "every verb has its help" {
	[[ $(verbs | wc -l) -ge 11 ]]
	for verb in $(verbs); do
		run -0 --separate-stderr porthold "$verb" --help
		# shellcheck disable=SC2154 # what bats' run sets
		[[ -z $stderr ]] || fail "$verb: $stderr"
		[[ $output == "usage: porthold $verb"*"Exit status: "*"Example: "*"porthold $verb"* ]] ||
			fail "$verb: $output"
	done
}

@test "every verb of the table is in the list" {
	grep -oP '^\t\{ "\K[a-z]+(?=", cmd_)' "$source_folder/porthold.c" | sort >"$BATS_TEST_TMPDIR/table"
	verbs | sort | diff - "$BATS_TEST_TMPDIR/table"
}

# The option is known, whatever becomes of the command.
takes() { # VERB OPTION [PLACEHOLDER]
	local words=("$2${3:+=1}")

	run as_nobody timeout 10 "$PORTHOLD" "$1" "${words[@]}"
	[[ $status == [1-5] && $output != *"unrecognized option"* &&
		$output != *"doesn't allow an argument"* && $output != *"requires an argument"* ]] ||
		fail "$1 ${words[*]}: status $status: $output"
}

@test "every option that help names is taken, with or without a value as it says" {
	tried=0
	for verb in $(verbs); do
		while read -r option placeholder; do
			[[ $option != --help ]] || continue
			takes "$verb" "$option" "$placeholder"
			tried=$((tried + 1))
		done < <(options "$verb")
	done
	[[ $tried -ge 30 ]] || fail "only $tried options"
}

@test "every option that is taken is named by some help" {
	for verb in $(verbs); do
		options "$verb"
	done | sed 's/ .*//' | sort -u >"$BATS_TEST_TMPDIR/named"
	grep -ohP '\{ "\K[a-z-]+(?=", (no|required)_argument)|\t\{?"\K[a-z-]+(?=", required_argument)' \
		"$source_folder"/cmd/*.[ch] | sed 's/^/--/' | sort -u >"$BATS_TEST_TMPDIR/taken"
	[[ -s $BATS_TEST_TMPDIR/taken ]]
	[[ -z $(comm -13 "$BATS_TEST_TMPDIR/named" "$BATS_TEST_TMPDIR/taken") ]] ||
		fail "no help for: $(comm -13 "$BATS_TEST_TMPDIR/named" "$BATS_TEST_TMPDIR/taken")"
}

@test "help is there however it is asked for" {
	for words in "help allow" "--help allow" "allow -h" "allow 4040 --help"; do
		# shellcheck disable=SC2086 # words
		run -0 porthold $words
		[[ $output == "usage: porthold allow"* ]] || fail "$words: $output"
	done
	[[ $(porthold help) == "$(porthold --help)" ]]
}

@test "what stands behind -- is not for us" {
	run as_nobody "$PORTHOLD" run 4040 -- true --help
	[[ $status == 3 && $output != "usage: porthold run"* ]]
}

into() { # FILE COMMAND...
	"${@:2}" >"$1"
}

@test "an output that cannot be written is an error, of every verb" {
	for verb in $(verbs); do
		run -3 into /dev/full porthold "$verb" --help
		[[ $output == *"porthold: the output cannot be written"* ]] || fail "$verb: $output"
	done
	run -3 into /dev/full porthold --version
	run -0 porthold -V
	[[ $output == "$(porthold --version)" && $output == "porthold "[0-9]* ]]
	run -0 porthold version
	[[ $output == "$(porthold --version)" ]]
	run -3 into /dev/full porthold --help
	printf 'porthold: 1\npolicies: []\n' >"$BATS_TEST_TMPDIR/p.yaml"
	run -3 into /dev/full porthold check --json "$BATS_TEST_TMPDIR/p.yaml"
	[[ $output == *"No space left"* ]] || fail "$output"
	run -3 into /dev/full porthold explain --policy "$BATS_TEST_TMPDIR/p.yaml" --name x \
		connect tcp 1.1.1.1:1
	closed() {
		"$@" >&-
	}
	run -3 closed porthold --version
	run -0 into /dev/null porthold check "$BATS_TEST_TMPDIR/p.yaml"
}
