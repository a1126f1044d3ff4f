# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154 # status and output: what bats' run sets
#
# What the tests of the command line share. PORTHOLD is the program.

: "${PORTHOLD:?the program to test}"
policies=/run/porthold/policy.d
# shellcheck source=tests/within.sh
. "$(dirname "${BASH_SOURCE[0]}")/../within.sh"

# A folder of the test's own that others may look into, with the resolvers of nobody.
enter_own_folder() {
	cd "$BATS_TEST_TMPDIR" || return
	chmod 755 .
	echo "nameserver 192.0.2.53" >resolv.conf
}

porthold() {
	"$PORTHOLD" "$@"
}

# The command line gives this status, and a message with all these words in it.
complains() { # STATUS WORDS COMMAND...
	run "${@:3}"
	[[ $status == "$1" ]] || fail "status $status, expected $1: $output"
	[[ $output == *"$2"* ]] || fail "no \"$2\" in: $output"
	[[ $output != *$'\n'*$'\n'* ]] || fail "more than a line or two: $output"
}

fail() {
	echo "$*" >&2
	return 1
}

# All that can be seen of porthold: what is in force, its files, its pins.
everything() {
	# What goes on by itself does not count.
	porthold status --json 2>&1 | jq 'del(.canary, .trial.seconds_left)' 2>&1 || true
	find "$policies" -type f -exec sha256sum {} + 2>/dev/null | sort || true
	find /sys/fs/bpf/porthold 2>/dev/null | sort || true
}

as_nobody() {
	setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
}

in_force() {
	porthold status --json | jq -r '[.policies[]? | .name] | sort | join(" ")'
}
