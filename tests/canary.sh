# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154 # pins: of the suite
#
# Asking the canary, and misleading it, for the suites about it. To be sourced, with tests/lib.sh.

# Prints what it says; the exit status is the last line.
ask_canary() {
	local exit_status=0

	"$porthold" status --check 2>&1 || exit_status=$?
	echo "exit $exit_status"
}

# The id of the map that lies in a map under KEY.
inner_id() { # MAP KEY
	echo $((0x$(bpftool -j map lookup pinned "$pins/maps/$1" key hex "$2" 00 00 00 |
		jq -r '.value | reverse | map(ltrimstr("0x")) | join("")')))
}

# Somebody without any privilege who calls himself as the canary does.
test_impostor() { # FOLDER: of the suite's own
	local impostor i failed=0 said

	chmod 755 "$1"
	ln -s /usr/bin/python3 "$1/porthold-canary"
	setpriv --reuid 1000 --regid 1000 --clear-groups "$1/porthold-canary" -ISc '
import socket
while True:
    socket.socket(socket.AF_INET, socket.SOCK_STREAM).connect_ex(("127.0.0.1", 8080))
' &
	impostor=$!
	within 10 grep -qx porthold-canary "/proc/$impostor/comm"
	for ((i = 0; i < 10; i++)); do
		"$porthold" status --check >"$1/impostor" || failed=$?
	done
	check "an impostor: is there all the time" kill -0 "$impostor"
	kill "$impostor"
	wait "$impostor" 2>/dev/null || true
	equal "an impostor: ten times, the canary is well" 0 "$failed"
	matches "an impostor: and it says so" "canary: ok" "$(cat "$1/impostor")"
	said=$(ask_canary)
	matches "the impostor is gone: the canary is well" "canary: ok" "$said"
	matches "the impostor is gone: status 0" "exit 0" "$said"
}
