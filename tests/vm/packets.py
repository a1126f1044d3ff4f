# SPDX-License-Identifier: GPL-2.0-or-later
"""packets.py serve PORT...: answers "from PORT" to datagrams, on ::1.

packets.py send none|hop|target|route PORT [twin]: a datagram by the socket of another process, which is
called myprocess, or with "twin" is not; with IPv6 options of that kind. Prints the answer, or the
name of the errno.
"""

import array
import errno
import os
import selectors
import socket
import sys

PADDING = b"\0\0\1\4\0\0\0\0"  # one header of options, none of which asks for anything
LOOP = b"\0" * 15 + b"\1"
ROUTE = b"\0\4\4\1\1\0\0\0" + LOOP + LOOP  # by way of ::1
OPTIONS = {"none": None, "hop": (socket.IPV6_HOPOPTS, PADDING), "target": (socket.IPV6_DSTOPTS, PADDING),
           "route": (socket.IPV6_RTHDR, ROUTE)}


def serve(*ports):
    selector = selectors.DefaultSelector()
    for port in map(int, ports):
        s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        s.bind(("::1", port))
        selector.register(s, selectors.EVENT_READ, port)
    print("ready", flush=True)
    while True:
        for key, _ in selector.select():
            _, sender = key.fileobj.recvfrom(100)
            key.fileobj.sendto(f"from {key.data}".encode(), sender)


def socket_of_another(name):
    """It is made by a child of that name, which hands it over and ends."""
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        with open("/proc/self/comm", "w") as comm:
            comm.write(name)
        s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        theirs.sendmsg([b"s"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [s.fileno()]))])
        os._exit(0)
    _, fds, _, _ = socket.recv_fds(ours, 1, 1)
    os.wait()
    return socket.socket(fileno=fds[0])


def send(options, port, twin=None):
    s = socket_of_another("twin" if twin else "myprocess")
    s.settimeout(5)
    if OPTIONS[options]:
        s.setsockopt(socket.IPPROTO_IPV6, *OPTIONS[options])
    try:
        s.sendto(b"hello", ("::1", int(port)))
        print(s.recv(100).decode())
    except TimeoutError:
        print("nothing")
    except OSError as e:
        print(errno.errorcode[e.errno])


{"serve": serve, "send": send}[sys.argv[1]](*sys.argv[2:])
