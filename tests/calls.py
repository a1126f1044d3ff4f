# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes one system call that the shell has no word for, and says what came of it."""

import ctypes
import errno
import fcntl
import os
import socket
import struct
import sys
import threading
import time

libc = ctypes.CDLL(None, use_errno=True)

SETNS, CHROOT, UNSHARE, SETRESUID, CAPSET = 308, 161, 272, 117, 126
IOPL, KEXEC_FILE_LOAD, PERF_EVENT_OPEN, MOUNT = 172, 320, 298, 165
FSOPEN, FSCONFIG, FSMOUNT, MOUNT_SETATTR, OPEN_TREE_ATTR = 430, 431, 432, 442, 467

TIOCSTI = 0x5412
SHARED = 1 << 20
MCAST_JOIN_GROUP = 42
HERE, CREATE, CLONE_TREE, NO_EXEC = -100, 6, 1, 8
NEW = {"any": 0, "mnt": 0x20000, "net": 0x40000000, "user": 0x10000000}


def call(number, *arguments):
    answer = libc.syscall(number, *arguments)
    if answer < 0:
        raise OSError(ctypes.get_errno(), "")
    return answer


def setns(path, kind):
    call(SETNS, os.open(path, os.O_RDONLY), NEW[kind])


def chroot(path):
    call(CHROOT, path.encode())


def mount_setattr(path):
    wanted = struct.pack("QQQQ", NO_EXEC, 0, 0, 0)
    call(MOUNT_SETATTR, HERE, path.encode(), 0, wanted, len(wanted))


def open_tree_attr(path):
    wanted = struct.pack("QQQQ", NO_EXEC, 0, 0, 0)
    call(OPEN_TREE_ATTR, HERE, path.encode(), CLONE_TREE, wanted, len(wanted))


def fsmount(kind):
    context = call(FSOPEN, kind.encode(), 0)
    call(FSCONFIG, context, CREATE, None, None, 0)
    call(FSMOUNT, context, 0, 0)


def share_by_descriptor(path):
    """What is mounted there, by somebody who is in another mount namespace by then."""
    file = os.open(path, os.O_PATH)
    call(UNSHARE, NEW["mnt"])
    call(MOUNT, None, b"/proc/self/fd/%d" % file, None, SHARED, None)


def uprobe(path):
    """A probe in a program, which would count in a word of whoever executes it."""
    with open("/sys/bus/event_source/devices/uprobe/type", encoding="ascii") as file:
        kind = int(file.read())
    name = ctypes.create_string_buffer(path.encode())
    disabled, offset = 1, 0x1000
    attributes = struct.pack("IIQQQQQIIQQ", kind, 72, 0, 0, 0, 0, disabled, 0, 0,
                             ctypes.addressof(name), offset)
    call(PERF_EVENT_OPEN, attributes, 0, -1, -1, 0)


def join(group, kind):
    """A socket of that kind becomes a member, by the option that all kinds have."""
    family = socket.AF_INET6 if ":" in group else socket.AF_INET
    level = socket.IPPROTO_IPV6 if ":" in group else socket.IPPROTO_IP
    here = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    address = socket.inet_pton(family, group)
    if family == socket.AF_INET:
        name = struct.pack("HH4s", family, 0, address)
    else:
        name = struct.pack("HHI16sI", family, 0, 0, address, 0)
    here.setsockopt(level, MCAST_JOIN_GROUP, struct.pack("I4x", 1) + name.ljust(128, b"\0"))


def sysctl_of_before(name):
    """What was opened in one network namespace is written in another; to what it was."""
    setting = os.open("/proc/sys/" + name, os.O_RDWR)
    value = os.pread(setting, 100, 0)
    call(UNSHARE, NEW["net"])
    os.pwrite(setting, value, 0)


def send(path, device):
    """To whoever listens there, until nobody wants it any more."""
    here = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    file = struct.pack("i", os.open(device, os.O_RDWR))
    passed = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, file)]
    for _ in range(600):
        try:
            here.sendmsg([b"x"], passed, 0, path)
        except OSError:
            pass
        time.sleep(0.1)


def receive(path):
    if os.path.exists(path):
        os.unlink(path)
    here = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    here.bind(path)
    here.settimeout(30)
    _, files, _, _ = socket.recv_fds(here, 1, 1)
    if not files:  # what is refused the kernel leaves out
        raise OSError(errno.EPERM, "")


def iopl():
    call(IOPL, 3)
    call(IOPL, 0)


def kexec_file_load(path):
    """Of what is no kernel, which the kernel finds out after it has asked who may."""
    try:
        call(KEXEC_FILE_LOAD, os.open(path, os.O_RDONLY), -1, 0, None, 4)
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise


def memory(path):
    """By a node of one's own."""
    if not os.path.exists(path):
        os.mknod(path, 0o20600, os.makedev(1, 1))
    os.read(os.open(path, os.O_RDONLY), 1)


def write_register(path):
    """To what it is."""
    device = os.open(path, os.O_RDWR)
    os.pwrite(device, os.pread(device, 8, 0x174), 0x174)


def open_file(path):
    os.close(os.open(path, os.O_RDWR))


def type_for_others():
    fcntl.ioctl(0, TIOCSTI, b" ")


def root_by(way, ready):
    """The leader has no power left; the name is to be taken for words of porthold's."""
    if way == "thread":
        threading.Thread(target=time.sleep, args=(60,)).start()
    told = open(ready, "w")
    libc.prctl(15, b"\ncanary: ok\n")
    call(SETRESUID, 1000, 1000, 0 if way == "saved" else 1000)
    if way == "saved":
        call(CAPSET, struct.pack("Ii", 0x20080522, 0), bytes(24))
    told.write("ready")
    told.close()
    time.sleep(60)


try:
    globals()[sys.argv[1].replace("-", "_")](*sys.argv[2:])
    print("ok")
except OSError as error:
    print(errno.errorcode[error.errno])
