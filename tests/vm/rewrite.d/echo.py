# SPDX-License-Identifier: GPL-2.0-or-later
"""echo.py PORT...: answers "from PORT" to whatever comes, by TCP and UDP, on 127.0.0.1."""

import selectors
import socket
import sys

selector = selectors.DefaultSelector()


def accept(listener, port):
    connection, _ = listener.accept()
    selector.register(connection, selectors.EVENT_READ, (answer, port))


def answer(connection, port):
    try:
        if connection.recv(100):
            connection.send(f"from {port}".encode())
            return
    except ConnectionError:
        pass
    selector.unregister(connection)
    connection.close()


def answer_datagram(s, port):
    _, sender = s.recvfrom(100)
    s.sendto(f"from {port}".encode(), sender)


for port in map(int, sys.argv[1:]):
    selector.register(socket.create_server(("127.0.0.1", port)), selectors.EVENT_READ, (accept, port))
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", port))
    selector.register(s, selectors.EVENT_READ, (answer_datagram, port))
print("ready", flush=True)
while True:
    for key, _ in selector.select():
        action, port = key.data
        action(key.fileobj, port)
