# SPDX-License-Identifier: GPL-2.0-or-later
"""sockets.py PROGRAM ACTION [PREPARE]: what calls on one socket come to.

Runs PREPARE, which may leave a socket in `s`, and executes PROGRAM, a Python of another name, for
ACTION, which finds it there. Prints what ACTION leaves in `said`, "ok", or the name of an errno.
"""

import errno
import os
import socket
import struct
import sys

T, U = socket.SOCK_STREAM, socket.SOCK_DGRAM
RTHDR, OPTIONS, RETOPTS = 57, 4, 7


def tcp(v6=False):
    s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, T)
    s.settimeout(10)
    return s


def udp(v6=False):
    s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, U)
    s.settimeout(10)
    return s


def bound(s, *address):
    s.bind(address)
    return s


def waits(s):
    s.settimeout(10)
    return s.recv(100).decode()


def answer(s):
    """What is not a stranger's."""
    while (text := waits(s)) == "stranger":
        pass
    return text


def nothing(s):
    s.setblocking(False)
    try:
        return s.recv(100).decode()
    except BlockingIOError:
        return "nothing"


def stranger(port):
    """A datagram from a port that no rule names."""
    udp().sendto(b"stranger", ("127.0.0.1", port))


def dissolve(s):
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.connect(s.fileno(), b"\0" * 16, 16):
        raise OSError(ctypes.get_errno(), "")


def bind_as(s, family, port):
    """Any address, in a name of that family and of the length that the socket's own family has."""
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    length = 28 if s.family == socket.AF_INET6 else 16
    name = struct.pack("=H", family) + struct.pack("!H", port) + b"\0" * (length - 4)
    if libc.bind(s.fileno(), name, length):
        raise OSError(ctypes.get_errno(), "")


def route(kind, hop):
    """A routing header of IPv6, by way of that address; a header of segments has room for the end, too."""
    addresses = [b"\0" * 16] * (kind == 4) + [socket.inet_pton(socket.AF_INET6, hop)]
    return struct.pack("8B", 0, 2 * len(addresses), kind, 1, kind == 4, 0, 0, 0) + b"".join(addresses)


def loose(address):
    """A loose source route of IPv4, by way of that address."""
    return bytes([131, 7, 4]) + socket.inet_aton(address) + b"\0"


def act(program, action, prepare="", fd="-1"):
    names = globals()
    if fd == "-1":
        exec(prepare, names)
        s = names.get("s")
        if s:
            s.setblocking(True)
            os.set_inheritable(s.fileno(), True)
        os.execv(program, [program, "-IS", __file__, program, action, "", str(s.fileno() if s else -2)])
    if fd != "-2":
        names["s"] = socket.socket(fileno=int(fd))
    try:
        exec(action, names)
        print(names.get("said", "ok"), flush=True)
    except TimeoutError:
        print("timeout")
    except OSError as e:
        print(errno.errorcode.get(e.errno, e))


if __name__ == "__main__":
    act(*sys.argv[1:])
