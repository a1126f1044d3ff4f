# SPDX-License-Identifier: GPL-2.0-or-later
"""loop.py PORT: connects every 50 ms, for ever. Prints, for each attempt, the time before it, as
date +%s.%N does, and "ok" or the errno's name."""
import errno
import socket
import sys
import time

while True:
    start = time.time()
    try:
        socket.create_connection(('127.0.0.1', int(sys.argv[1])), 20).close()
        word = 'ok'
    except OSError as e:
        word = errno.errorcode.get(e.errno, str(e))
    print(f'{start:.9f} {word}', flush=True)
    time.sleep(0.05)
