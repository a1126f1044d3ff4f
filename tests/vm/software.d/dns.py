# SPDX-License-Identifier: GPL-2.0-or-later
"""dns.py PORT...: answers every query on 127.0.0.1 by 192.0.2.40, over UDP and TCP."""
import socket
import sys
import threading


def answer(query):
    end = query.index(b'\0', 12) + 5  # the question: name, type, class
    return (query[:2] + b'\x84\x00\0\1\0\1\0\0\0\0' + query[12:end] +
            b'\xc0\x0c\0\1\0\1\0\0\0\0\0\4' + socket.inet_aton('192.0.2.40'))


def serve_udp(s):
    while True:
        query, peer = s.recvfrom(4096)
        s.sendto(answer(query), peer)


def serve_tcp(s):
    while True:
        with s.accept()[0] as c:
            query = c.recv(4096)
            if len(query) > 14:
                reply = answer(query[2:])
                c.sendall(len(reply).to_bytes(2, 'big') + reply)


for port in map(int, sys.argv[1:]):
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(('127.0.0.1', port))
    tcp = socket.create_server(('127.0.0.1', port))
    for target, s in (serve_udp, udp), (serve_tcp, tcp):
        threading.Thread(target=target, args=(s,)).start()
