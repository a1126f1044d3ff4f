# SPDX-License-Identifier: GPL-2.0-or-later
"""Uses the network as it is told, a word each, and prints what became of it.

tcp:PORT sends a line to that port of the loopback, udp:PORT a datagram, flood:PORT more datagrams
than events are kept, scan:COUNT one to each of so many ports, dns asks a resolver on the loopback, serve:PORT answers one client of that
port. Each gives "ok" or the errno's name.
"""

import errno
import socket
import sys

EVENTS = 65536
QUERY = b"\x12\x34\1\0\0\1\0\0\0\0\0\0\10porthold\4test\0\0\1\0\1"


def tcp(port):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as s:
        s.sendall(b"hello\n")
        s.recv(16)


def udp(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(b"hello", ("127.0.0.1", port))


def flood(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for _ in range(EVENTS + 1000):
            s.sendto(b"hello", ("127.0.0.1", port))


def scan(count):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for port in range(20000, 20000 + count):
            s.sendto(b"hello", ("127.0.0.1", port))


def dns():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(20)
        s.connect(("127.0.0.1", 53))
        s.send(QUERY)
        s.recv(512)


def serve(port):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", port))
        s.listen()
        s.settimeout(60)
        client, _ = s.accept()
        with client:
            client.settimeout(60)
            client.recv(4096)
            client.sendall(b"HTTP/1.0 200 OK\r\n\r\n")


ACTIONS = {"tcp": tcp, "udp": udp, "flood": flood, "scan": scan, "dns": dns, "serve": serve}


def attempt(word):
    action, *ports = word.split(":")
    try:
        ACTIONS[action](*map(int, ports))
        return "ok"
    except OSError as e:
        return errno.errorcode.get(e.errno, str(e))


print(*(attempt(word) for word in sys.argv[1:]))
