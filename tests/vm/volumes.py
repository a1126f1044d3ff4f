# SPDX-License-Identifier: GPL-2.0-or-later
"""volumes.py DEVICE: what a process that is held may do with a socket that the kernel uses as well.

Gives a connection to the network block device, waits until the kernel has sent on it, and has a child
of the name myprocess send on it too. Prints what came of it: "ok" or the name of the errno, for each way.
"""

import errno
import fcntl
import os
import signal
import socket
import sys
import time

SET_SOCKET, SET_BLOCK_SIZE, DO_IT, CLEAR_SOCKET, SET_BLOCKS, DISCONNECT = (
    0xAB00, 0xAB01, 0xAB03, 0xAB04, 0xAB07, 0xAB08)


def child(action):
    pid = os.fork()
    if pid == 0:
        try:
            action()
        finally:
            os._exit(0)
    return pid


def attempt(way):
    try:
        way()
        return "ok"
    except OSError as e:
        return errno.errorcode[e.errno]


def splice(fd):
    ours, theirs = os.pipe()
    os.write(theirs, b"x")
    os.splice(ours, fd, 1)


def send_as_myprocess(fd):
    with open("/proc/self/comm", "w") as comm:
        comm.write("myprocess")
    print(attempt(lambda: os.write(fd, b"x")), attempt(lambda: os.writev(fd, [b"x"])),
          attempt(lambda: splice(fd)), flush=True)


def read_device(path):
    """Until the kernel asks for it: the device has no size before its socket is served."""
    while True:
        try:
            if os.read(os.open(path, os.O_RDONLY), 512):
                return
        except OSError:
            pass
        time.sleep(0.1)


listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
server = listener.accept()[0]
device = os.open(sys.argv[1], os.O_RDWR)
fcntl.ioctl(device, SET_SOCKET, client.fileno())
fcntl.ioctl(device, SET_BLOCK_SIZE, 4096)
fcntl.ioctl(device, SET_BLOCKS, 16)
children = [child(lambda: fcntl.ioctl(device, DO_IT)), child(lambda: read_device(sys.argv[1]))]
server.settimeout(60)
server.recv(28)  # what the kernel asks for
os.waitpid(child(lambda: send_as_myprocess(client.fileno())), 0)
server.close()
client.close()
fcntl.ioctl(device, CLEAR_SOCKET)
for pid in children:
    os.kill(pid, signal.SIGKILL)
