# SPDX-License-Identifier: GPL-2.0-or-later
"""Takes datagrams on some ports of the loopback and answers queries on port 53.

Every datagram is a line in FOLDER/datagrams; FOLDER/ready is there once all is open.
"""

import os
import select
import socket
import sys

ADDRESS = bytes([192, 0, 2, 1])


def udp(address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.bind((address, port))
    return s


def reply(query):
    """The query with the answer flag and one A record that points at its name."""
    end = query.index(0, 12) + 5
    record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + ADDRESS
    return query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + query[12:end] + record


def main(folder):
    sockets = [udp(a, p) for a in ("127.0.0.1", "::1") for p in (53, 4040, 8080)]
    with open(os.path.join(folder, "datagrams"), "w", buffering=1) as log:
        open(os.path.join(folder, "ready"), "w").close()
        while True:
            for s in select.select(sockets, [], [])[0]:
                data, sender = s.recvfrom(4096)
                port = s.getsockname()[1]
                print(port, len(data), file=log)
                if port == 53:
                    s.sendto(reply(data), sender)


main(sys.argv[1])
