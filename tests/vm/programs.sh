#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Real programs, unmodified, under the name that is held: each does its work on port
# 4040 and is refused elsewhere. In a guest, as root:
#
#	tools/vm --cpus 2 --memory 3072 -- env PORTHOLD=BUILD/porthold tests/vm/programs.sh [TEST...]
#
# A program is run by a link called myprocess, or by its own name as the twin that is not
# held. Every refusal takes four checks: 4040 works just before, the program itself tells
# EPERM, our counter of that door moves, and the twin may do what was refused.

# shellcheck disable=SC2317 # the tests are called by name

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=${build:-$(dirname "${PORTHOLD:-build/porthold}")}
# shellcheck source=tests/lib.sh
. "$here/../lib.sh"
porthold=${PORTHOLD:-$porthold}

helpers=$here/programs.d
folder=$(mktemp -d)
patience=60 # seconds; the emulated machine is slow
eperm='operation not permitted|EPERM'
servers=()

tests=(nginx redis ssh curl wget netcat socat dig ping python node caddy uring running storage)

# --- Running programs

# The path of a program under the name that is held. What is built here is given by path.
held() { # PROGRAM
	local place=$folder/held/${1##*/}

	mkdir -p "$place"
	[[ -e $place/myprocess ]] || ln -s "$(command -v "$1")" "$place/myprocess"
	echo "$place/myprocess"
}

own() { # PROGRAM
	command -v "$1"
}

# Puts what a command says into $folder/said. Functions are to end by themselves.
say() { # COMMAND...
	local limit=(timeout "$patience")

	! declare -F "$1" >/dev/null || limit=()
	"${limit[@]}" "$@" >"$folder/said" 2>&1 </dev/null || echo "status $?" >>"$folder/said"
}

said() { # PATTERN
	grep -aqiE -- "$1" "$folder/said"
}

verdict() { # WHAT COMMAND...: a check that shows what was said last
	if "${@:2}"; then
		ok "$1"
	else
		not_ok "$1"
		tail -n 15 "$folder/said" | cut -c 1-300 | sed 's/^/#   /'
	fi
}

counter() { # DOOR
	status "[.policies[] | select(.name == \"myprocess\").counters.attempts[\"$1\"]] | add // 0"
}

works() { # WHAT WANTED COMMAND...
	say "${@:3}"
	verdict "$1" said "$2"
}

says_only_eperm() { # WANTED
	said "$eperm" && ! said "$1"
}

refused_at() { # WHAT DOOR WANTED COMMAND...
	local before after

	before=$(counter "$2")
	say "${@:4}"
	after=$(counter "$2")
	verdict "$1: EPERM" says_only_eperm "$3"
	check "$1: counted at $2" test "$after" -gt "$before"
}

# PORT in ARGUMENTS and in WANTED, a pattern of what success looks like, is the port.
four() { # WHAT DOOR WANTED PROGRAM ARGUMENT...
	local what=$1 door=$2 wanted=$3 program=$4 arguments=("${@:5}")

	works "$what: 4040" "${wanted//PORT/4040}" "$(held "$program")" "${arguments[@]//PORT/4040}"
	refused_at "$what: 4041" "$door" "${wanted//PORT/4041}" \
		"$(held "$program")" "${arguments[@]//PORT/4041}"
	works "$what: 4041 by the twin" "${wanted//PORT/4041}" \
		"$(own "$program")" "${arguments[@]//PORT/4041}"
}

# --- Servers

listens() { # PORT
	[[ $(ss -Hltn "sport = :$1") ]]
}

input=/dev/null # of what start runs

# What it says goes to $folder/server. Waits until it listens, or ends.
start() { # PORT COMMAND...
	local end=$((SECONDS + patience))

	"${@:2}" <"$input" >"$folder/server" 2>&1 &
	servers+=($!)
	until listens "$1" || ! kill -0 $! 2>/dev/null || (( SECONDS > end )); do
		sleep 0.1
	done
}

free() {
	! listens 4040 && ! listens 4041 && ! listens 4042
}

stop_servers() {
	local server

	for server in "${servers[@]}"; do
		kill "$server" 2>/dev/null || true
		wait "$server" 2>/dev/null || true
	done
	servers=()
	within 10 free || note "a port is still taken: $(ss -Hltnp)"
}

# The four checks of a server, which a client that is not held asks. Needs the ports free.
four_server() { # WHAT WANTED PROBE PROGRAM ARGUMENT...
	local what=$1 wanted=$2 probe=$3 program=$4 arguments=("${@:5}")

	start 4040 "$(held "$program")" "${arguments[@]//PORT/4040}"
	works "$what: serves 4040" "$wanted" "$probe" 4040
	stop_servers
	refused_at "$what: to serve 4041" bind '^status 124' refused_server "$program" "${arguments[@]//PORT/4041}"
	start 4041 "$(own "$program")" "${arguments[@]//PORT/4041}"
	works "$what: the twin serves 4041" "$wanted" "$probe" 4041
	stop_servers
}

# What it says until it ends; one that serves is ended, with status 124.
refused_server() { # PROGRAM ARGUMENT...
	timeout 30 "$(held "$1")" "${@:2}" <"$input"
}

ask_http() { # PORT
	curl -sS --max-time 20 "http://127.0.0.1:$1/"
}

# Unconfined; "port N" on each of both, IPv4 and IPv6.
start_web_servers() {
	nginx_conf "$folder/web" 4040 4041 >"$folder/web.conf"
	start 4041 nginx -e "$folder/web.log" -c "$folder/web.conf"
	within 20 listens 4040
}

nginx_conf() { # LOG-NAME PORT...
	local port

	cat <<-END
		daemon off;
		user root;
		worker_processes 2;
		pid $1.pid;
		error_log $1.log;
		events {}
		http {
			access_log off;
	END
	for port in "${@:2}"; do
		cat <<-END
			server {
				listen 127.0.0.1:$port;
				listen [::1]:$port;
				location / { return 200 "port $port\n"; }
				location /up { proxy_pass http://127.0.0.1:4041/; }
			}
		END
	done
	echo "}"
}

# --- The programs

confined() {
	status '[.policies[] | select(.name == "myprocess").processes] | add // 0'
}

fetch_up() { # PORT
	curl -sSi --max-time 20 "http://127.0.0.1:$1/up"
}

test_nginx() {
	local conf=$folder/nginx-PORT.conf

	nginx_conf "$folder/nginx" 4040 >"$folder/nginx-4040.conf"
	nginx_conf "$folder/nginx" 4041 >"$folder/nginx-4041.conf"
	four_server nginx '^port 404[01]$' ask_http nginx -e "$folder/nginx.log" -c "$conf"
	nginx_conf "$folder/nginx" 4040 4041 >"$folder/both.conf"
	refused_at "nginx: 4040 and 4041" bind '^status 124' \
		refused_server nginx -e "$folder/nginx.log" -c "$folder/both.conf"
	test_nginx_proxy
}

# The proxy's connect is the worker's, of which the log speaks.
test_nginx_proxy() {
	local before

	start_upstream
	: >"$folder/nginx.log"
	start 4040 "$(held nginx)" -e "$folder/nginx.log" -c "$folder/nginx-4040.conf"
	within 20 test "$(confined)" -ge 3 || true
	check "nginx: master and both workers are confined" test "$(confined)" -ge 3
	works "nginx proxy: serves 4040" '^port 4040' ask_http 4040
	before=$(counter connect)
	works "nginx proxy: to 4041 gives 502" '^HTTP/1.1 502' fetch_up 4040
	cp "$folder/nginx.log" "$folder/said"
	verdict "nginx proxy: the log tells EPERM" \
		said 'connect\(\) to 127.0.0.1:4041 failed \(1: Operation not permitted\)'
	check "nginx proxy: counted at connect" test "$(counter connect)" -gt "$before"
	stop_servers
	start_upstream
	sed 's/:4040/:4042/' "$folder/nginx-4040.conf" >"$folder/nginx-4042.conf"
	start 4042 nginx -e "$folder/nginx.log" -c "$folder/nginx-4042.conf"
	works "nginx proxy: to 4041 by the twin" '^port 4041' fetch_up 4042
	stop_servers
}

start_upstream() {
	sed 's/4040/4041/; s/nginx\.pid/up.pid/; s/nginx\.log/up.log/' \
		"$folder/nginx-4041.conf" >"$folder/up.conf"
	start 4041 nginx -e "$folder/up.log" -c "$folder/up.conf"
}

ask_redis() { # PORT
	timeout 20 redis-cli -h 127.0.0.1 -p "$1" ping
}

redis_options=(--bind 127.0.0.1 --save '' --dir "$folder" --repl-diskless-sync-delay 0)

test_redis() {
	four_server redis-server '^PONG' ask_redis redis-server "${redis_options[@]}" --port PORT
	start 4041 redis-server "${redis_options[@]}" --port 4041
	start 4040 "$(held redis-server)" "${redis_options[@]}" --port 4040 \
		--logfile "$folder/redis.log"
	four redis-cli connect '^PONG' redis-cli -h 127.0.0.1 -p PORT ping
	test_redis_replica
	stop_servers
}

replicates() { # PORT
	redis-cli -h 127.0.0.1 -p "$1" info replication | grep -q master_link_status:up
}

test_redis_replica() {
	local before

	works "redis replica: 4040 answers" '^PONG' ask_redis 4040
	before=$(counter connect)
	redis-cli -h 127.0.0.1 -p 4040 replicaof 127.0.0.1 4041 >"$folder/said"
	within 20 grep -q 'Unable to connect to MASTER' "$folder/redis.log" || true
	cp "$folder/redis.log" "$folder/said"
	verdict "redis replica: of 4041: the log tells EPERM" \
		said 'Unable to connect to MASTER: Operation not permitted'
	check "redis replica: counted at connect" test "$(counter connect)" -gt "$before"
	start 4042 redis-server "${redis_options[@]}" --port 4042 --replicaof 127.0.0.1 4041
	check "redis replica: of 4041 by the twin" within 40 replicates 4042
}

start_sshd() {
	mkdir -p /run/sshd
	ssh-keygen -q -t ed25519 -N '' -f "$folder/host-key"
	ssh-keygen -q -t ed25519 -N '' -f "$folder/key"
	cat >"$folder/sshd.conf" <<-END
		Port 4040
		Port 4041
		ListenAddress 127.0.0.1
		HostKey $folder/host-key
		AuthorizedKeysFile $folder/key.pub
		StrictModes no
		UsePAM no
		PermitRootLogin yes
		PidFile none
	END
	start 4041 "$(own sshd)" -D -e -f "$folder/sshd.conf"
}

test_ssh() {
	start_sshd
	# shellcheck disable=SC2016 # for the shell over there
	four ssh connect '^port is 127.0.0.1 [0-9]+ 127.0.0.1 PORT' ssh -F none -i "$folder/key" \
		-o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
		-p PORT root@127.0.0.1 'echo port is $SSH_CONNECTION'
	stop_servers
}

test_curl() {
	start_web_servers
	four "curl IPv4" connect '^port PORT' curl -sv http://127.0.0.1:PORT/
	four "curl IPv6" connect '^port PORT' curl -sv 'http://[::1]:PORT/'
	four "curl mapped IPv4" connect '^port PORT' curl -sv 'http://[::ffff:127.0.0.1]:PORT/'
	four "curl fast open" connect '^port PORT' curl -sv --tcp-fastopen http://127.0.0.1:PORT/
	four "curl HTTP/1.0" connect '^port PORT' curl -sv --http1.0 http://127.0.0.1:PORT/
	four "curl HTTP/2 upgrade" connect '^port PORT' curl -sv --http2 http://127.0.0.1:PORT/
	stop_servers
}

test_wget() {
	start_web_servers
	four "wget IPv4" connect '^port PORT' wget -t 1 -O - http://127.0.0.1:PORT/
	four "wget IPv6" connect '^port PORT' wget -t 1 -O - 'http://[::1]:PORT/'
	stop_servers
}

write_response() {
	printf 'HTTP/1.0 200 OK\r\nContent-Length: 8\r\n\r\nby hand\n' >"$folder/response"
}

test_netcat() {
	start_web_servers
	four "nc IPv4" connect 'PORT .* succeeded' nc -vz 127.0.0.1 PORT
	four "nc IPv6" connect 'PORT .* succeeded' nc -vz ::1 PORT
	stop_servers
	write_response
	input=$folder/response
	four_server "nc -l" '^by hand' ask_http nc -N -l 127.0.0.1 PORT
	input=/dev/null
}

test_socat() {
	start_web_servers
	printf 'GET / HTTP/1.0\r\n\r\n' >"$folder/request"
	four "socat IPv4" connect '^port PORT' \
		socat -t 20 "OPEN:$folder/request!!STDOUT" TCP4:127.0.0.1:PORT
	four "socat IPv6" connect '^port PORT' \
		socat -t 20 "OPEN:$folder/request!!STDOUT" 'TCP6:[::1]:PORT'
	stop_servers
	write_response
	four_server "socat -l" '^by hand' ask_http \
		socat -t 20 TCP-LISTEN:PORT,bind=127.0.0.1,reuseaddr "OPEN:$folder/response!!STDOUT"
}

# dig has one phrase for EPERM and EACCES; what the kernel said is seen by strace.
test_dig() {
	local query=(+tries=1 +time=5 +short @127.0.0.1 porthold.test -p)

	start 4041 python3 "$helpers/dns.py" 4040 4041
	works "dig TCP: 4040" '^192.0.2.40' "$(held dig)" +tcp "${query[@]}" 4040
	refused_at "dig TCP: 4041" connect '^192.0.2.40' \
		strace -f -qq -e trace=connect "$(held dig)" +tcp "${query[@]}" 4041
	works "dig TCP: 4041 by the twin" '^192.0.2.40' "$(own dig)" +tcp "${query[@]}" 4041
	works "dig: 4040 by TCP again" '^192.0.2.40' "$(held dig)" +tcp "${query[@]}" 4040
	refused_at "dig UDP: 4041" socket '^192.0.2.40' \
		strace -f -qq -e trace=socket "$(held dig)" +notcp "${query[@]}" 4041
	refused_at "dig UDP: 4040 as well" socket '^192.0.2.40' \
		strace -f -qq -e trace=socket "$(held dig)" +notcp "${query[@]}" 4040
	works "dig UDP: 4041 by the twin" '^192.0.2.40' "$(own dig)" +notcp "${query[@]}" 4041
	stop_servers
}

# There is nothing that ping may do: the control before is curl's.
test_ping() {
	local address

	start_web_servers
	for address in 127.0.0.1 ::1; do
		works "ping $address: curl may use 4040" '^port 4040' \
			"$(held curl)" -s http://127.0.0.1:4040/
		refused_at "ping $address" socket '1 received' "$(held ping)" -c 1 "$address"
		works "ping $address by the twin" '1 received' "$(own ping)" -c 1 "$address"
	done
	stop_servers
}

# Of the system, not of whatever comes first in the path.
python() { # WHAT DOOR [ANSWER]
	four "python $1" "$2" "^answer ${3:-HTTP/1.1 200}" /usr/bin/python3 "$helpers/work.py" "$1" PORT
}

test_python() {
	start_web_servers
	python asyncio-client connect
	python renamed-thread connect
	python thread-pool connect
	python fork connect
	python spawn connect
	python curl connect
	python fastopen fastopen
	stop_servers
	python asyncio-server bind echo
	test_mptcp
}

# A listener of Go since 1.24 takes MPTCP, and TCP when that fails.
test_mptcp() {
	works "mptcp: 4040, by TCP in its place" 'answer fell back after EPERM' \
		"$(held /usr/bin/python3)" "$helpers/work.py" mptcp 4040
	refused_at "mptcp: the first try" socket '^answer mptcp' \
		"$(held /usr/bin/python3)" "$helpers/work.py" mptcp 4040
	refused_at "mptcp: 4041" bind '^answer' \
		"$(held /usr/bin/python3)" "$helpers/work.py" mptcp 4041
	works "mptcp: 4041 by the twin" '^answer mptcp' /usr/bin/python3 "$helpers/work.py" mptcp 4041
}

test_node() {
	start_web_servers
	four "node fetch" connect '^answer fetch 200' node "$helpers/work.js" fetch PORT
	four "node worker" connect '^answer HTTP/1.1 200' node "$helpers/work.js" worker PORT
	stop_servers
	four "node http server" bind '^answer fetch 200' node "$helpers/work.js" serve PORT
}

caddyfile() { # PORT
	cat <<-END
		{
			admin off
			auto_https off
		}
		http://127.0.0.1:$1 {
			bind 127.0.0.1
			route {
				reverse_proxy /up 127.0.0.1:4041
				respond "port $1"
			}
		}
	END
}

# In Go, with its network poller.
test_caddy() {
	local before port

	export XDG_DATA_HOME=$folder XDG_CONFIG_HOME=$folder
	for port in 4040 4041 4042; do
		caddyfile "$port" >"$folder/Caddyfile-$port"
	done
	four_server caddy '^port 404[01]' ask_http \
		caddy run --adapter caddyfile --config "$folder/Caddyfile-PORT"

	start_upstream_caddy
	start 4040 "$(held caddy)" run --adapter caddyfile --config "$folder/Caddyfile-4040"
	works "caddy proxy: serves 4040" '^port 4040' ask_http 4040
	before=$(counter connect)
	works "caddy proxy: to 4041 gives 502" '^HTTP/1.1 502' fetch_up 4040
	cp "$folder/server" "$folder/said"
	verdict "caddy proxy: the log tells EPERM" \
		said 'dial tcp 127.0.0.1:4041: connect: operation not permitted'
	check "caddy proxy: counted at connect" test "$(counter connect)" -gt "$before"
	start 4042 caddy run --adapter caddyfile --config "$folder/Caddyfile-4042"
	works "caddy proxy: to 4041 by the twin" '^port 4041' fetch_up 4042
	stop_servers
}

start_upstream_caddy() {
	nginx_conf "$folder/nginx" 4041 >"$folder/nginx-4041.conf"
	start_upstream
}

compile() { # NAME LIBRARY...: sets program
	program=$folder/$1
	gcc -D_GNU_SOURCE -O2 -o "$program" "$helpers/$1.c" "${@:2}"
}

test_uring() {
	local program

	compile uring-client -luring
	start_web_servers
	four io_uring connect '^answer HTTP/1.1 200' "$program" PORT
	stop_servers
}

# --- A process from before the policy

# Words of the attempts that began at a time or later.
words_since() { # LOG TIME
	awk -v t="$2" '$1 >= t { print $2 }' "$1" | sort | uniq -c | awk '{ print $2 }' | paste -sd ' '
}

now() {
	date +%s.%N
}

attempted_since() { # LOG TIME WORD
	(( $(awk -v t="$2" -v w="$3" '$1 >= t && $2 == w' "$1" | wc -l) >= 5 ))
}

test_running() {
	local log=$folder/loop.log twin=$folder/twin.log from before removed

	start_web_servers
	"$porthold" remove myprocess >"$folder/said"
	"$(held /usr/bin/python3)" "$helpers/loop.py" 4041 >"$log" &
	servers+=($!)
	/usr/bin/python3 "$helpers/loop.py" 4041 >"$twin" &
	servers+=($!)
	check "running: connects before the policy" within 30 attempted_since "$log" 0 ok
	check "running: allow" allow 4040 myprocess
	from=$(now)
	before=$(counter connect)
	check "running: is counted as confined" test "$(confined)" -ge 1
	check "running: goes on trying" within 30 attempted_since "$log" "$from" EPERM
	sleep 2
	equal "running: not one connect since allow has returned" EPERM "$(words_since "$log" "$from")"
	check "running: counted at connect" test "$(counter connect)" -gt "$before"
	works "running: another may use 4040" '^port 4040' "$(held curl)" -s http://127.0.0.1:4040/
	equal "running: the twin never stopped" ok "$(words_since "$twin" 0)"
	check "running: remove" "$porthold" remove myprocess
	removed=$(now)
	check "running: connects again" within 30 attempted_since "$log" "$removed" ok
	equal "running: not one is refused since remove has returned" ok "$(words_since "$log" "$removed")"
	stop_servers
	check "running: allow again" allow 4040 myprocess
}

# --- What sockets leave behind

# How many sockets have a value in ph_socks, counted by an iterator of the kernel's.
labelled_sockets() {
	wc -l <"$iterator"
}

make_iterator() {
	local id

	iterator=/sys/fs/bpf/count_socks
	clang -O2 -g -target bpf -idirafter "/usr/include/$(gcc -print-multiarch)" \
		-c "$helpers/count-socks.bpf.c" -o "$folder/count-socks.o"
	id=$(bpftool -j map show | jq '[.[] | select(.name == "ph_socks").id] | max')
	bpftool iter pin "$folder/count-socks.o" "$iterator" map id "$id"
}

no_more_than() { # NUMBER
	(( $(labelled_sockets) <= $1 ))
}

# NAME ACTIVE of each cache that values of 88 bytes and their heads may come from.
slabs() {
	awk '$1 ~ /^kmalloc-(rnd-[0-9]*-|cg-|)(128|192|256|512)$/ { print $1, $2 }' /proc/slabinfo
}

slab_growth() { # BEFORE AFTER: the largest, and its cache
	join <(sort "$1") <(sort "$2") | awk '{ print $3 - $2, $1 }' | sort -rn | head -n 1
}

little_growth() { # BEFORE
	slabs >"$folder/slabs-after"
	(( $(slab_growth "$1" "$folder/slabs-after" | cut -d ' ' -f 1) < 4000 ))
}

# Leaves in $folder/slabs-held how it is with 2,500 connections open.
hold_sockets() { # PROGRAM
	local in out

	slabs >"$folder/slabs-before"
	coproc HOLD { ulimit -n 8192; exec "$1" 4040 2500 hold; }
	exec {in}>&"${HOLD[1]}"- {out}<&"${HOLD[0]}"- # moved: it ends when its input does
	read -r -t "$patience" _ <&"$out" || true
	held_values=$(labelled_sockets)
	slabs >"$folder/slabs-held"
	exec {in}>&- {out}<&-
	wait "$HOLD_PID" 2>/dev/null || true
}

# What the measures are worth: they have to see the values of open sockets.
test_measures() { # VALUES-BEFORE
	local held_values grown twin

	hold_sockets "$program"
	twin=$(slab_growth "$folder/slabs-before" "$folder/slabs-held")
	equal "storage: 2,500 connections of the twin have no values" "$1" "$held_values"
	hold_sockets "$(held "$program")"
	grown=$(slab_growth "$folder/slabs-before" "$folder/slabs-held")
	check "storage: 2,500 connections have 5,000 values ($held_values)" \
		test "$held_values" -ge 5000
	check "storage: and none when they are closed" within 60 no_more_than "$1"
	check "storage: the slabs show them (+$grown, the twin's +$twin)" test "${grown% *}" -ge 4000
}

# 20,000 values, two objects each: the slabs show a leak of one in ten, the iterator any.
# The first 10,000 connections fill what the kernel keeps for later.
test_storage() {
	local program before memlock iterator patience=300

	compile many
	make_iterator
	before=$(labelled_sockets)
	test_measures "$before"
	memlock=$(bpftool -j map show name ph_socks | jq -c '[.. | .bytes_memlock? // empty]')

	works "storage: the first 10,000 connections" '^done 10000' "$(held "$program")" 4040 10000
	check "storage: nothing is left of them" within 20 no_more_than "$before"
	slabs >"$folder/slabs-before"
	works "storage: 10,000 more" '^done 10000' "$(held "$program")" 4040 10000
	check "storage: nothing is left of them either" within 20 no_more_than "$before"
	check "storage: the slabs have not grown" within 20 little_growth "$folder/slabs-before"
	note "storage: $(labelled_sockets) values before and after; the slab that grew most:" \
		"$(slab_growth "$folder/slabs-before" "$folder/slabs-after")"
	note "storage: memlock of ph_socks was $memlock, is" \
		"$(bpftool -j map show name ph_socks | jq -c '[.. | .bytes_memlock? // empty]');" \
		"no kernel counts the values in it"
	rm "$iterator"
}

# --- All of them

clean_up() {
	report_early_end
	stop_servers
}

main() {
	local test

	[[ -z ${backend:-} ]] || allow_options=(--backend "$backend")
	(( $# == 0 )) || tests=("$@")
	trap clean_up EXIT
	note "kernel $(uname -r)"
	check "allow 4040 myprocess" allow 4040 myprocess
	for test in "${tests[@]}"; do
		"test_$test"
		note "$test done after $SECONDS s"
	done
	check "stop" "$porthold" stop
	note "$cases cases, $failures failed"
	end_suite
}

main "$@"
