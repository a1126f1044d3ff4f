# SPDX-License-Identifier: GPL-2.0-or-later
"""Does what it reads, a line each, and says "ok" or the name of the errno.

connect ADDRESS PORT, listen ADDRESS PORT, rename NAME, setuid UID, pid, keep ADDRESS PORT (a
connection that stays open), use (writes to it), make (a socket that goes nowhere), lead ADDRESS PORT
(connects that).
"""

import errno
import os
import socket
import sys


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def connect(address, port):
    with socket.socket(family(address), socket.SOCK_STREAM) as s:
        s.settimeout(10)
        s.connect((address, int(port)))


def listen(address, port):
    s = socket.socket(family(address), socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, int(port)))
    s.listen()
    return s


kept = []


def keep(address, port):
    kept.append(socket.create_connection((address, int(port)), 10))


def answer(words):
    try:
        if words == ["pid"]:
            return str(os.getpid())
        if words[0] == "rename":
            with open("/proc/self/comm", "w") as comm:
                comm.write(words[1])
        elif words[0] == "setuid":
            os.setuid(int(words[1]))
        elif words[0] == "keep":
            keep(*words[1:])
        elif words[0] == "use":
            kept[-1].send(b"x")
        elif words == ["make"]:
            kept.append(socket.socket())
        elif words[0] == "lead":
            kept[-1].connect((words[1], int(words[2])))
        elif words[0] == "listen":
            listen(*words[1:]).close()
        else:
            connect(*words[1:])
        return "ok"
    except OSError as e:
        return errno.errorcode.get(e.errno, str(e))


for line in sys.stdin:
    print(answer(line.split()), flush=True)
