#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What becomes of the sockets that a process has open when its policy comes:
# --existing=report, keep and kill. Needs root and the LSM backend: run it in tools/vm,
# with PORTHOLD=path of the program.

# shellcheck disable=SC2034 # lib.sh wants it
build=$(dirname "${PORTHOLD:?the path of porthold}")
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

folder=$(mktemp -d)
trap 'end_all; report_early_end' EXIT
output='' before='' pid='' client='' peer=''
inside=() # how to enter the network namespace of the processes

cat >"$folder/peer.py" <<-'END'
	# Serves 4040 and 4041, echoes, and says what became of the connection to 4041.
	import errno, select, socket, sys

	log = open(sys.argv[1], "w", buffering=1)
	servers = {}
	for port in 4040, 4041:
	    s = socket.create_server(("127.0.0.1", port))
	    servers[s] = port
	udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	udp.bind(("127.0.0.1", 4041))
	# Nobody accepts here, and one fills the queue: the next stays in SYN_SENT.
	full = socket.create_server(("127.0.0.1", 4042), backlog=0)
	filler = socket.create_connection(("127.0.0.1", 4042))
	print("ready", file=log)
	connections = {}
	while True:
	    for s in select.select([*servers, *connections, udp], [], [])[0]:
	        if s in servers:
	            c, _ = s.accept()
	            connections[c] = servers[s]
	            continue
	        if s is udp:
	            s.recvfrom(100)
	            print("datagram", file=log)
	            continue
	        try:
	            data = s.recv(100)
	            end = "" if data else "closed"
	        except OSError as e:
	            end = errno.errorcode[e.errno]
	        if end:
	            print(connections.pop(s), end, file=log)
	        else:
	            s.send(data)
END

cat >"$folder/client.py" <<-'END'
	# Opens its sockets, then does what it reads, and says "ok" or the name of the errno.
	import ctypes, errno, os, socket, sys, tempfile, threading, time

	def rename(name):
	    ctypes.CDLL(None).prctl(15, name.encode())

	def tcp(port, block=True):
	    s = socket.socket()
	    s.setblocking(block)
	    s.connect_ex(("127.0.0.1", port))
	    s.settimeout(5)
	    return s

	held = {"c40": tcp(4040), "c41": tcp(4041), "waiting": tcp(4042, False)}
	held["l41"] = socket.create_server(("127.0.0.2", 4041))
	held["u41"] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	held["u41"].connect(("127.0.0.1", 4041))
	held["free"] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	held["free"].bind(("127.0.0.1", 5999))
	hammering, failures, sent = False, [], 0

	def hammer():
	    global sent
	    while hammering:
	        try:
	            held["c41"].send(b"x")
	            held["c41"].recv(10)
	            sent += 1
	        except OSError as e:
	            failures.append(errno.errorcode[e.errno])
	        time.sleep(0.001)

	def ends(s):
	    return s.fileno(), s.getsockname()[1]

	def echo(s, write=False):
	    if write:
	        s.setblocking(True)
	        os.write(s.fileno(), b"x")
	        return "ok" if os.read(s.fileno(), 10) else "end"
	    s.send(b"x")
	    return "ok" if s.recv(10) else "end"

	def sendfile(s):
	    with tempfile.TemporaryFile() as f:
	        f.write(b"x")
	        f.flush()
	        os.sendfile(s.fileno(), f.fileno(), 0, 1)
	    s.recv(10)
	    return "ok"

	def do(verb, name="", port=""):
	    global hammering, thread
	    s = held.get(name)
	    if verb == "ends":
	        return "%d %d" % ends(s)
	    if verb == "echo":
	        return echo(s)
	    if verb == "write":
	        return echo(s, True)
	    if verb == "sendfile":
	        return sendfile(s)
	    if verb == "send":
	        s.send(b"x")
	    elif verb == "recv":
	        s.setblocking(False)
	        try:
	            return "ok" if s.recv(10) else "end"
	        finally:
	            s.settimeout(5)
	    elif verb == "sendto":
	        s.sendto(b"x", ("127.0.0.1", int(port)))
	    elif verb == "connect":
	        s = socket.create_connection(("127.0.0.1", int(name)), 5)
	        s.close()
	    elif verb == "accept":
	        held["accepted"] = s.accept()[0]
	        held["accepted"].settimeout(5)
	    elif verb == "dissolve":
	        libc = ctypes.CDLL(None, use_errno=True)
	        if libc.connect(s.fileno(), b"\0" * 16, 16):
	            raise OSError(ctypes.get_errno(), "")
	    elif verb == "close":
	        s.close()
	    elif verb == "hammer":
	        hammering = True
	        thread = threading.Thread(target=hammer)
	        thread.start()
	    elif verb == "hammered":
	        hammering = False
	        thread.join()
	        return "%s %s" % ("many" if sent > 20 else sent, failures[0] if failures else "ok")
	    return "ok"

	if sys.argv[1:] == ["shared"] and os.fork():
	    # The parent, under another name, answers to signals and to nothing else.
	    import signal
	    signal.signal(signal.SIGUSR1, lambda *_: open(sys.argv[0] + ".parent", "w").write(
	        echo(held["c41"])))
	    while True:
	        signal.pause()
	if sys.argv[1:] == ["shared"]:
	    rename("myprocess")
	    print(os.getpid(), os.getppid(), flush=True)
	else:
	    print(os.getpid(), flush=True)
	for line in sys.stdin:
	    try:
	        print(do(*line.split()), flush=True)
	    except OSError as e:
	        print(errno.errorcode.get(e.errno, e), flush=True)
END

# --- Processes

start() { # PROGRAM [WORD]
	local pids

	# No policy is in force: what is there was open before.
	"$porthold" stop >/dev/null
	within 30 nothing_is_left # programs end some time after their pins
	"${inside[@]}" /usr/bin/python3 -IS "$folder/peer.py" "$folder/log" &
	peer=$!
	within 30 grep -qs ready "$folder/log"
	coproc CLIENT { exec "${inside[@]}" "$programs/python3/$1" -IS "$folder/client.py" "${@:2}"; }
	client=$CLIENT_PID
	exec {client_in}>&"${CLIENT[1]}" {client_out}<&"${CLIENT[0]}"
	read -r -t 60 -a pids <&"$client_out"
	pid=${pids[0]} parent=${pids[1]:-}
	note "pid $pid"
}

end_all() {
	[[ ! ${client:-} ]] || kill -9 "$client" "$pid" 2>/dev/null || true
	[[ ! ${peer:-} ]] || kill -9 "$peer" 2>/dev/null || true
	wait 2>/dev/null || true
	client='' peer=''
	rm -f "$folder/log"
}

apply() { # MODE [PORTS]: sets output and result, and before: what there was
	result=0
	before=$(expected_lines)
	output=$("$porthold" allow --backend best --existing "$1" "${2:-4040}" myprocess 2>&1) ||
		result=$?
}

controls() {
	local name

	for name in c40 c41; do
		equal "before: $name echoes" ok "$(ask echo "$name")"
	done
	equal "before: u41 sends" ok "$(ask send u41)"
	equal "before: free sends" ok "$(ask sendto free 4041)"
	equal "before: a connect to 4041" ok "$(ask connect 4041)"
}

# What `allow` has to say of it, without what became of it.
line_of() { # NAME PROTO LOCAL-ADDRESS REMOTE STATE
	local ends

	read -r -a ends <<<"$(ask ends "$1")"
	echo "  pid $pid, myprocess, fd ${ends[0]}: $2 $3:${ends[1]}${4:+ -> $4}${5:+, $5}"
}

expected_lines() {
	line_of c41 tcp 127.0.0.1 127.0.0.1:4041 established
	line_of waiting tcp 127.0.0.1 127.0.0.1:4042 syn-sent
	line_of l41 tcp 127.0.0.2 '' listening
	line_of u41 udp 127.0.0.1 127.0.0.1:4041
	line_of free udp 127.0.0.1
}

check_list() { # WHAT OUTCOME
	# shellcheck disable=SC2001 # at the end of each line
	equal "$1" "$(sed "s/\$/$2/" <<<"$before")" "$(grep '^  pid ' <<<"$output")"
}

peer_saw() { # LINE
	within 10 grep -qx "$1" "$folder/log"
}

kept() {
	status .kept_sockets
}

# --- The tests

test_report() {
	start myprocess
	controls
	apply report
	equal "report: exit status" 0 "$result"
	check_list "report: the refused sockets, and no other" ""
	equal "report: c41 is refused" EPERM "$(ask send c41)"
	equal "report: c41 receives nothing" EPERM "$(ask recv c41)"
	equal "report: u41 is refused" EPERM "$(ask send u41)"
	equal "report: l41 is refused" EPERM "$(ask accept l41)"
	equal "report: c40 works" ok "$(ask echo c40)"
	equal "report: nothing is kept" 0 "$(kept)"
	apply report 4040-4042
	equal "report: with all TCP ports granted only UDP is told" 2 \
		"$(grep -c '^  pid .*: udp ' <<<"$output")"
	equal "report: and nothing else" 2 "$(grep -c '^  pid ' <<<"$output")"
	equal "report: c41 works again" ok "$(ask send c41)"
	end_all
}

connect_from_outside() { # leaves the connection open, and echoes
	/usr/bin/python3 -ISc '
import socket
s = socket.create_connection(("127.0.0.2", 4041), 10)
while (d := s.recv(10)):
    s.send(d)
' &
	guest=$!
}

test_keep() {
	local guest

	start myprocess
	controls
	equal "keep: hammer" ok "$(ask hammer)"
	apply keep
	equal "keep: no call failed while the policy came" "many ok" "$(ask hammered)"
	equal "keep: exit status" 0 "$result"
	check_list "keep: the kept sockets, and no other" ", kept"
	equal "keep: five are counted" 5 "$(kept)"
	equal "keep: c41 echoes" ok "$(ask echo c41)"
	equal "keep: c41 by write and read" ok "$(ask write c41)"
	equal "keep: c41 by sendfile" ok "$(ask sendfile c41)"
	equal "keep: u41 sends" ok "$(ask send u41)"
	equal "keep: free sends" ok "$(ask sendto free 4041)"
	equal "keep: u41 sends to no other than its peer" EPERM "$(ask sendto u41 5999)"
	equal "keep: c40 echoes" ok "$(ask echo c40)"
	equal "keep: a new connect to 4041" EPERM "$(ask connect 4041)"
	equal "keep: a new connect to 4040" ok "$(ask connect 4040)"

	connect_from_outside
	equal "keep: l41 accepts" ok "$(ask accept l41)"
	equal "keep: what it accepted echoes" ok "$(ask echo accepted)"
	equal "keep: by write and read" ok "$(ask write accepted)"
	equal "keep: and is counted" 6 "$(kept)"

	apply report 4040,5000
	equal "keep: the next generation keeps them" ok "$(ask echo c41)"
	equal "keep: and counts them" 6 "$(kept)"

	equal "keep: u41 gives up its peer" ok "$(ask dissolve u41)"
	equal "keep: and is no longer kept" EPERM "$(ask sendto u41 4041)"
	equal "keep: c41 gives up its peer" ok "$(ask dissolve c41)"
	equal "keep: four are left" 4 "$(kept)"
	equal "keep: l41 closes" ok "$(ask close l41)"
	equal "keep: three are left" 3 "$(kept)"
	end_all
	kill "$guest" 2>/dev/null || true
}

# After a report: the generation is the same, and must be made anew for the mark to count.
test_keep_later() {
	start myprocess
	apply report
	equal "later: c41 is refused" EPERM "$(ask send c41)"
	apply keep
	equal "later: c41 is kept" ok "$(ask echo c41)"
	end_all
}

test_kill() { # WHERE
	start myprocess
	controls
	apply kill
	equal "kill $1: exit status" 0 "$result"
	check_list "kill $1: the killed sockets, and no other" ", killed"
	check "kill $1: the peer sees a reset" peer_saw "4041 ECONNRESET"
	matches "kill $1: c41 is dead" "$(ask send c41)" "ECONNABORTED EPIPE EPERM"
	matches "kill $1: waiting is dead" "$(ask send waiting)" "ECONNABORTED EPIPE EPERM"
	equal "kill $1: u41 is dead" EPERM "$(ask send u41)"
	equal "kill $1: c40 lives" ok "$(ask echo c40)"
	check "kill $1: the peer of c40 saw nothing" bash -c "! grep -q '^4040' '$folder/log'"
	apply report
	equal "kill $1: no connection is left" 0 "$(grep -c -- '-> .*:404[12]' <<<"$output" || true)"
	end_all
}

parent_works() {
	rm -f "$folder/client.py.parent"
	kill -USR1 "$parent"
	within 10 grep -qsx ok "$folder/client.py.parent"
}

test_shared() {
	start python3 shared
	check "shared: the parent echoes before" parent_works
	apply kill
	equal "shared: exit status" 0 "$result"
	equal "shared: five are told" 5 "$(grep -c "^  pid $pid, myprocess, .*shared with pid $parent, \
not killed" <<<"$output")"
	equal "shared: nothing is killed" 0 "$(grep -c ', killed' <<<"$output" || true)"
	equal "shared: c41 is refused" EPERM "$(ask send c41)"
	check "shared: the parent echoes" parent_works
	check "shared: the peer saw nothing" bash -c "! grep -q '^404' '$folder/log'"
	end_all
}

test_usage() {
	result=0
	"$porthold" allow --existing some 4040 myprocess >/dev/null 2>&1 || result=$?
	equal "usage: an unknown word" 2 "$result"
}

make_programs "$folder/programs"
note "kernel $(uname -r)"
test_usage
test_report
test_keep
test_keep_later
test_kill "here"
test_shared
ip netns add elsewhere
ip -n elsewhere link set lo up
inside=(ip netns exec elsewhere)
test_kill "in another network namespace"
"$porthold" stop >/dev/null
end_suite
