# SPDX-License-Identifier: GPL-2.0-or-later
"""Does what it reads, a line each, and says what came of it: "ok", a text, or the name of the errno.

open SOCKET tcp|udp, connect SOCKET PORT [ADDRESS], retry SOCKET PORT (connect, whatever comes of it),
dissolve SOCKET (connect to no family), fastopen SOCKET PORT, talk SOCKET (send, and the answer), share
SOCKET (with a child that is called myprocess), child WORDS (what the child is to do), become PROGRAM
SOCKET (execute it, to go on with this socket), load (a program for the address hooks), quit.
"""

import contextlib
import ctypes
import errno
import os
import resource
import socket
import struct
import sys

sockets = {}
child = None
KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
SYS_BPF, PROG_LOAD, SOCK_ADDR, CONNECT4 = 321, 5, 18, 10
libc = ctypes.CDLL(None, use_errno=True)


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


def talk(name):
    sockets[name].settimeout(2)
    sockets[name].send(b"hello")
    return sockets[name].recv(100).decode()


def open_socket(name, kind):
    sockets[name] = socket.socket(socket.AF_INET, KINDS[kind])
    sockets[name].settimeout(10)


def connect(name, port, address="127.0.0.1"):
    sockets[name].connect((address, int(port)))


def retry(name, port):
    sockets[name].connect_ex(("127.0.0.1", int(port)))


def fastopen(name, port):
    sockets[name].sendto(b"hello", socket.MSG_FASTOPEN, ("127.0.0.1", int(port)))


def call(function, *arguments):
    if function(*arguments) < 0:
        raise OSError(ctypes.get_errno(), "")


def dissolve(name):
    unspec = struct.pack("=H14x", socket.AF_UNSPEC)
    call(libc.connect, sockets[name].fileno(), unspec, len(unspec))


def load(*_):
    """What the verifier would take, of one who may: "return 1" for connects to IPv4 addresses."""
    with contextlib.suppress(OSError, ValueError):  # not everybody may, and only Linux 5.10 asks
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (-1, -1))
    code = ctypes.create_string_buffer(struct.pack("=BBhiBBhi", 0xB7, 0, 0, 1, 0x95, 0, 0, 0))
    license = ctypes.create_string_buffer(b"GPL")
    attributes = struct.pack("=IIQQIIQII16sII", SOCK_ADDR, 2, ctypes.addressof(code),
                             ctypes.addressof(license), 0, 0, 0, 0, 0, b"other", 0, CONNECT4)
    call(libc.syscall, SYS_BPF, PROG_LOAD, attributes, len(attributes))


def become(program, name):
    sockets[name].set_inheritable(True)
    os.execv(program, [program, "-IS", __file__, name, str(sockets[name].fileno())])


ACTIONS = {
    "open": open_socket,
    "connect": connect,
    "retry": retry,
    "dissolve": dissolve,
    "fastopen": fastopen,
    "talk": talk,
    "share": share,
    "child": tell_child,
    "become": become,
    "load": load,
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


if len(sys.argv) > 2:  # what become() left
    sockets[sys.argv[1]] = socket.socket(fileno=int(sys.argv[2]))
    print("ok", flush=True)
serve(sys.stdin, sys.stdout)
