# SPDX-License-Identifier: GPL-2.0-or-later
"""Does what it reads, a line each, and says what came of it: "ok", a text, or the name of the errno.

open SOCKET tcp|udp, connect SOCKET PORT, retry SOCKET PORT (connect, whatever comes of it),
talk SOCKET (send, and the answer), sendto SOCKET PORT, hear SOCKET (a datagram, or "nothing"),
port SOCKET (its own), share SOCKET (with a child that is called myprocess), child WORDS (what the
child is to do), quit. All of it on 127.0.0.1.
"""

import errno
import os
import socket
import sys

sockets = {}
child = None
KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


def share(_):
    """A child with the same sockets, which is confined by its name."""
    global child
    (their_in, to_child), (from_child, their_out) = os.pipe(), os.pipe()
    if os.fork() == 0:
        with open("/proc/self/comm", "w") as comm:
            comm.write("myprocess")
        serve(os.fdopen(their_in), os.fdopen(their_out, "w"))
        os._exit(0)
    child = os.fdopen(to_child, "w"), os.fdopen(from_child)


def tell_child(*words):
    print(*words, file=child[0], flush=True)
    return child[1].readline().strip()


def hear(name):
    sockets[name].settimeout(2)
    try:
        return sockets[name].recv(100).decode()
    except TimeoutError:
        return "nothing"


def talk(name):
    sockets[name].send(b"hello")
    return hear(name)


def open_socket(name, kind):
    sockets[name] = socket.socket(socket.AF_INET, KINDS[kind])
    sockets[name].settimeout(10)


ACTIONS = {
    "open": open_socket,
    "connect": lambda name, port: sockets[name].connect(("127.0.0.1", int(port))),
    "talk": talk,
    "retry": lambda name, port: (sockets[name].connect_ex(("127.0.0.1", int(port))), None)[1],
    "sendto": lambda name, port: (sockets[name].sendto(b"hello", ("127.0.0.1", int(port))), None)[1],
    "hear": hear,
    "port": lambda name: str(sockets[name].getsockname()[1]),
    "share": share,
    "child": tell_child,
}


def answer(action, *words):
    try:
        return ACTIONS[action](*words) or "ok"
    except TimeoutError:
        return "nothing"
    except OSError as e:
        return errno.errorcode.get(e.errno, str(e))


def serve(lines, out):
    for line in lines:
        if line == "quit\n":
            break
        print(answer(*line.split()), file=out, flush=True)


serve(sys.stdin, sys.stdout)
