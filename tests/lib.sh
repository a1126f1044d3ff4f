# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What the live suites share: how to report, and how to show that something is refused.
# To be sourced, with `build` set to the build folder.

set -euo pipefail

tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
porthold=${build:?}/porthold
PATH=$PATH:/usr/sbin:/sbin
# shellcheck source=tests/within.sh
. "$tests/within.sh"

# --- Results, as TAP

cases=0 failures=0 ended=

ok() { # WHAT
	echo "ok $((++cases)) - $*"
}

not_ok() { # WHAT
	echo "not ok $((++cases)) - $*"
	failures=$((failures + 1))
}

# The command's output is shown only when it failed.
check() { # WHAT COMMAND...
	local output

	if output=$("${@:2}" 2>&1); then
		ok "$1"
	else
		not_ok "$1"
		note "  ${output//$'\n'/$'\n'#   }"
	fi
}

equal() { # WHAT EXPECTED ACTUAL
	if [[ $2 == "$3" ]]; then
		ok "$1"
	else
		not_ok "$1: expected \"$2\", got \"$3\""
	fi
}

matches() { # WHAT PATTERN TEXT
	if [[ $3 == *$2* ]]; then
		ok "$1"
	else
		not_ok "$1: expected *$2*, got \"$3\""
	fi
}

note() {
	echo "# $*"
}

# What takes long, and what it asks is asked elsewhere as well.
in_long_run() { # TEST [ARGUMENT...]
	if [[ ${PORTHOLD_LONG:-} ]]; then "$@"; else note "$1 is left to the long run"; fi
}

end_suite() {
	ended=yes
	echo "1..$cases"
	exit $((failures > 0))
}

# Call it from the trap for EXIT.
report_early_end() {
	local status=$?

	[[ $ended ]] || { not_ok "the suite ended early, with status $status"; echo "1..$cases"; }
}

# --- porthold

# Sets allow_options for `allow`.
allow_options=()

allow() { # PORTS NAME
	"$porthold" allow "${allow_options[@]}" "$@"
}

# Whatever its exit status: bad policy files make that 1, for one.
status() { # JQ-FILTER
	{ "$porthold" status --json || true; } | jq -r "$1"
}

refused() { # NAME: calls refused so far
	status "[.policies[] | select(.name == \"$1\").counters.attempts[]] | add // 0"
}

# Programs end some time after their last link: a grace period of the kernel's.
bpf_objects() {
	bpftool -j prog show | jq -r '.[] | .name // "" | select(startswith("ph_"))'
	bpftool -j map show | jq -r '.[] | .name // "" | select(startswith("ph_"))'
	bpftool link show | grep -o 'ph_[a-z0-9_]*' || true
}

nothing_is_left() {
	[[ ! -e /sys/fs/bpf/porthold && -z $(bpf_objects) ]]
}

check_nothing_is_left() { # WHAT
	if within 30 nothing_is_left; then
		ok "$1"
	else
		not_ok "$1: $(bpf_objects | tr '\n' ' ')$(find /sys/fs/bpf/porthold 2>&1)"
	fi
}

# --- Programs under the name that is held, and under their own

make_programs() { # FOLDER
	local program path

	programs=$1
	for program in curl nc dig ping; do
		path=$(readlink -f "$(command -v "$program")")
		mkdir -p "$programs/$program"
		cp "$path" "$programs/$program/myprocess"
		ln -s myprocess "$programs/$program/$program"
	done
	# A copy of Python does not find its library everywhere; the name is the link's.
	mkdir "$programs/python3"
	ln -s /usr/bin/python3 "$programs/python3/myprocess"
	ln -s /usr/bin/python3 "$programs/python3/python3"
}

# The actions: each does one thing and prints "ok", the errno's name, or what it saw.

fetch() { # PROGRAM ADDRESS PORT
	local output status=0

	output=$("$programs/curl/$1" -gsv --max-time 10 -o /dev/null -w '%{http_code}' \
		"http://$2:$3/" 2>&1) || status=$?
	if (( status == 0 )) && [[ $output == *200 ]]; then
		echo ok
	elif [[ $output == *"fail for ${2//[\[\]]/}: Operation not permitted"* ]]; then
		echo EPERM
	else
		echo "status $status: ${output//$'\n'/ }"
	fi
}

# A real server, asked by an unconfined client.
serve() { # PROGRAM ADDRESS PORT
	local log=$programs/server.log server answer=

	"$programs/python3/$1" -Is -m http.server --directory "$programs/dig" \
		--bind "${2//[\[\]]/}" "$3" >"$log" 2>&1 &
	server=$!
	while [[ -z $answer ]] && kill -0 "$server" 2>/dev/null; do
		! curl -gsf --max-time 5 -o /dev/null "http://$2:$3/" || answer=ok
		sleep 0.1
	done
	kill "$server" 2>/dev/null || true
	wait "$server" 2>/dev/null || true
	[[ -n $answer ]] || answer=$(server_failure "$log")
	echo "$answer"
}

server_failure() { # LOG
	if grep -q '^PermissionError: \[Errno 1\] ' "$1"; then
		echo EPERM
	else
		tail -n 1 "$1"
	fi
}

datagram() { # PROGRAM ADDRESS PORT
	local before after

	before=$(wc -l <"$peer/datagrams")
	"$programs/nc/$1" -u -w 1 "$2" "$3" <<<hello >/dev/null 2>&1 || true
	after=$(wc -l <"$peer/datagrams")
	if (( after > before )); then
		echo ok
	else
		echo nothing
	fi
}

query() { # PROGRAM
	local output

	output=$("$programs/dig/$1" @127.0.0.1 +tries=1 +time=2 +short porthold.test 2>&1) || true
	if [[ $output == 192.0.2.1 ]]; then
		echo ok
	elif [[ $output == *"ermission denied"* || $output == *"not permitted"* ||
		$output == *"no servers could be reached"* ]]; then
		echo nothing
	else
		echo "${output//$'\n'/ }"
	fi
}

echo_request() { # PROGRAM ADDRESS
	local output

	output=$("$programs/ping/$1" -c 1 -W 2 "$2" 2>&1) || true
	case $output in
	*'1 received'*) echo ok ;;
	*'Operation not permitted'*) echo EPERM ;;
	*) echo "${output//$'\n'/ }" ;;
	esac
}

# --- A refusal

# Four things: what is allowed works just before, the answer is exact, our counter moves
# by one, and the unconfined twin may do what was refused. An ACTION takes the name of a
# program, then its arguments; PORT stands for the port.
denial() { # WHAT TWIN ACTION ARGUMENT...
	local what=$1 twin=$2 action=$3 before after
	local allowed=("${@:4}") denied=("${@:4}")

	allowed=("${allowed[@]/PORT/4040}")
	denied=("${denied[@]/PORT/8080}")
	equal "$what: 4040 works" ok "$("$action" myprocess "${allowed[@]}")"
	before=$(refused myprocess)
	equal "$what: 8080 gets EPERM" EPERM "$("$action" myprocess "${denied[@]}")"
	after=$(refused myprocess)
	equal "$what: counted once" 1 $((after - before))
	equal "$what: 8080 works for $twin" ok "$("$action" "$twin" "${denied[@]}")"
}

# For what has no allowed form under a policy of TCP alone.
nothing_out() { # WHAT TWIN ANSWER ACTION ARGUMENT...
	local what=$1 twin=$2 answer=$3 action=$4 before after

	equal "$what works for $twin" ok "$("$action" "$twin" "${@:5}")"
	before=$(refused myprocess)
	equal "$what gets nothing out" "$answer" "$("$action" myprocess "${@:5}")"
	after=$(refused myprocess)
	check "$what is counted" test "$after" -gt "$before"
	equal "$what still works for $twin" ok "$("$action" "$twin" "${@:5}")"
}

# --- Who answers

start_web_server() { # FOLDER
	mkdir -p "$1"
	echo hello >"$1/index.html"
	cat >"$1/nginx.conf" <<-END
		daemon off;
		user root;
		worker_processes 1;
		pid $1/pid;
		error_log $1/error;
		events {}
		http {
			access_log off;
			root $1;
			server {
				listen 127.0.0.1:4040;
				listen 127.0.0.1:8080;
				listen [::1]:4040;
				listen [::1]:8080;
			}
		}
	END
	nginx -e "$1/error" -c "$1/nginx.conf" >"$1/output" 2>&1 &
	within 30 curl -gsf -o /dev/null 'http://[::1]:8080/' || {
		cat "$1/output" >&2
		return 1
	}
}

# Counts datagrams and answers queries.
start_peer() { # FOLDER
	peer=$1
	mkdir -p "$peer"
	/usr/bin/python3 -IS "$tests/peer.py" "$peer" &
	within 30 test -e "$peer/ready"
}

# --- A process that lives on

# A confined Python, asked by `ask`, so that it is a process from before a change.
start_client() { # NAME
	coproc CLIENT { exec "$programs/python3/$1" -IS "$tests/client.py"; }
	client=$CLIENT_PID
	exec {client_in}>&"${CLIENT[1]}" {client_out}<&"${CLIENT[0]}"
}

ask() { # WORDS
	local answer

	echo "$*" >&"$client_in"
	read -r -t 30 answer <&"$client_out" || answer="no answer"
	echo "$answer"
}

end_client() {
	kill "$client"
	wait "$client" 2>/dev/null || true
}
