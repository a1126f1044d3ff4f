# SPDX-License-Identifier: GPL-2.0-or-later
"""Does what it reads with sockets of its own, a line each, and says "ok" or the name of the errno.

tcp NAME, udp NAME, raw NAME; bind NAME ADDRESS PORT; bind-unspec NAME PORT (family 0, any address);
listen NAME; connect NAME ADDRESS PORT; accept NAME NEW; send NAME; sendto NAME ADDRESS PORT; recv NAME
("nothing": within a second there is none); port NAME; close NAME.
"""

import ctypes
import errno
import socket
import struct
import sys

held = {}


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def bind_unspec(s, port):
    libc = ctypes.CDLL(None, use_errno=True)
    name = struct.pack("=H", 0) + struct.pack("!H", port) + bytes(12)
    if libc.bind(s.fileno(), name, len(name)):
        raise OSError(ctypes.get_errno(), "bind")


def make(kind, name, version="4"):
    inet = socket.AF_INET6 if version == "6" else socket.AF_INET
    types = {
        "tcp": (socket.SOCK_STREAM, 0),
        "udp": (socket.SOCK_DGRAM, 0),
        "raw": (socket.SOCK_RAW, socket.IPPROTO_ICMP),
    }
    held[name] = socket.socket(inet, *types[kind])
    held[name].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held[name].settimeout(1)


def do(verb, name, *words):
    if verb in ("tcp", "udp", "raw"):
        return make(verb, name, *words)
    s = held[name]
    if verb == "bind":
        s.bind((words[0], int(words[1])))
    elif verb == "bind-unspec":
        bind_unspec(s, int(words[0]))
    elif verb == "listen":
        s.listen(8)
    elif verb == "connect":
        s.connect((words[0], int(words[1])))
    elif verb == "accept":
        held[words[0]] = s.accept()[0]
        held[words[0]].settimeout(1)
    elif verb == "send":
        s.send(b"x")
    elif verb == "sendto":
        s.sendto(b"x", (words[0], int(words[1])))
    elif verb == "recv":
        return None if s.recv(1) else "end"
    elif verb == "port":
        return str(s.getsockname()[1])
    elif verb == "close":
        held.pop(name).close()
    return None


for line in sys.stdin:
    try:
        print(do(*line.split()) or "ok", flush=True)
    except TimeoutError:
        print("nothing", flush=True)
    except OSError as e:
        print(errno.errorcode.get(e.errno, str(e)), flush=True)
