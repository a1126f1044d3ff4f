# SPDX-License-Identifier: GPL-2.0-or-later
"""Tries one thing and says "ok" or the name of the errno: door.py WHAT [ADDRESS PORT].

connect, bind (TCP); send, talk (connect and send), take (UDP bind); hear
(receive what is there on a UDP socket of its own); socket KIND;
adopt FD (data on a socket that was handed over); many COUNT (so many
connects); scan FIRST END (to each of these ports); flood ADDRESS PORT COUNT (so many
datagrams); sweep FIRST END (one to each of these ports).
"""

import ctypes
import errno
import socket
import sys


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def make(address, kind):
    s = socket.socket(family(address), kind)
    s.settimeout(10)
    return s


def connect(address, port):
    make(address, socket.SOCK_STREAM).connect((address, int(port)))


def bind(address, port):
    s = make(address, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, int(port)))
    s.listen()


def send(address, port):
    make(address, socket.SOCK_DGRAM).sendto(b"x", (address, int(port)))


def talk(address, port):
    s = make(address, socket.SOCK_DGRAM)
    s.connect((address, int(port)))
    s.send(b"x")


def take(address, port):
    make(address, socket.SOCK_DGRAM).bind((address, int(port)))


def hear():
    s = make("", socket.SOCK_DGRAM)
    s.setblocking(False)
    try:
        s.recv(1)
    except BlockingIOError:
        pass


KINDS = {
    "icmp": (socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP),
    "icmp6": (socket.AF_INET6, socket.SOCK_DGRAM, socket.IPPROTO_ICMPV6),
    "raw": (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
    "packet": (socket.AF_PACKET, socket.SOCK_RAW, 0),
    "udp": (socket.AF_INET, socket.SOCK_DGRAM, 0),
    "mptcp": (socket.AF_INET, socket.SOCK_STREAM, 262),
    "udplite": (socket.AF_INET, socket.SOCK_DGRAM, 136),
}


def make_socket(kind):
    socket.socket(*KINDS[kind])


def bpf():
    libc = ctypes.CDLL(None, use_errno=True)
    # BPF_PROG_GET_NEXT_ID from 0, in an attribute of zeros.
    if libc.syscall(321, 11, ctypes.create_string_buffer(128), 128) < 0:
        raise OSError(ctypes.get_errno(), "bpf")


def adopt(fd):
    with socket.socket(fileno=int(fd)) as s:
        s.send(b"x")


def many(count):
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    for _ in range(int(count)):
        s.connect_ex(("127.0.0.1", 8080))


def scan(first, end):
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    for port in range(int(first), int(end)):
        s.connect_ex(("127.0.0.1", port))


def flood(address, port, count):
    s = make(address, socket.SOCK_DGRAM)
    for _ in range(int(count)):
        s.sendto(b"x", (address, int(port)))


def sweep(first, end):
    s = make("127.0.0.1", socket.SOCK_DGRAM)
    for port in range(int(first), int(end)):
        s.sendto(b"x", ("127.0.0.1", port))


ACTIONS = {f.__name__: f for f in (connect, bind, send, talk, take, hear, adopt, bpf, many, scan,
                                flood, sweep)}
ACTIONS["socket"] = make_socket

try:
    ACTIONS[sys.argv[1]](*sys.argv[2:])
    print("ok")
except OSError as e:
    print(errno.errorcode.get(e.errno, str(e)))
