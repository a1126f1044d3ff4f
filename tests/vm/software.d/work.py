# SPDX-License-Identifier: GPL-2.0-or-later
"""work.py WHAT PORT [CURL]: does one thing with the port on 127.0.0.1, in one of Python's ways.

Prints "answer ..." when it worked, else the errno's name; ends with 1 then."""
import errno
import socket
import sys

HOST = '127.0.0.1'
REQUEST = b'GET / HTTP/1.0\r\n\r\n'


def fetch(port):
    with socket.create_connection((HOST, port), 20) as s:
        s.sendall(REQUEST)
        return s.recv(4096)[:12].decode()


def attempt(port):
    """Never raises, so that threads and children can hand it back."""
    try:
        return 'answer ' + fetch(port)
    except OSError as e:
        return errno.errorcode.get(e.errno, str(e))


def all_of(answers):
    """The one answer that all gave, or all that were given."""
    answers = list(answers)
    return answers[0] if len(set(answers)) == 1 else 'mixed: ' + ' '.join(answers)


def asyncio_client(port):
    import asyncio

    async def ask():
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(REQUEST)
        answer = await reader.read(12)
        writer.close()
        return answer.decode()

    return 'answer ' + asyncio.run(ask())


def asyncio_server(port):
    """Needs the port free: serves, and asks itself."""
    import asyncio

    async def serve(reader, writer):
        writer.write(await reader.read(100))
        writer.close()

    async def both():
        server = await asyncio.start_server(serve, HOST, port)
        async with server:
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(b'echo')
            answer = await reader.read(100)
            writer.close()
            return answer.decode()

    return 'answer ' + asyncio.run(both())


def renamed_thread(port):
    import ctypes
    import threading

    answers = []

    def run():
        name = ctypes.create_string_buffer(b'another-name')
        assert ctypes.CDLL(None).prctl(15, name, 0, 0, 0) == 0  # PR_SET_NAME
        with open('/proc/thread-self/comm', encoding='ascii') as f:
            assert f.read() == 'another-name\n'
        answers.append(attempt(port))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return all_of(answers)


def thread_pool(port):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        return all_of(pool.map(attempt, [port] * 16))


def children(port, method):
    import multiprocessing

    with multiprocessing.get_context(method).Pool(2) as pool:
        return all_of(pool.map(attempt, [port] * 4))


def subprocess_curl(port):
    import subprocess

    done = subprocess.run(['/usr/bin/curl', '-sv', f'http://{HOST}:{port}/'], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return 'answer HTTP/1.1 200' if '< HTTP/1.1 200' in done.stdout else done.stdout


def fastopen(port):
    """A first send that connects: no connect() at all."""
    with socket.socket() as s:
        s.sendto(REQUEST, socket.MSG_FASTOPEN, (HOST, port))
        return 'answer ' + s.recv(12).decode()


def mptcp(port):
    """What Go's listeners try before TCP, since 1.24, and fall back from."""
    try:
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
        word = 'mptcp'
    except OSError as e:
        s = socket.socket()
        word = 'fell back after ' + errno.errorcode[e.errno]
    with s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((HOST, port))
        s.listen()
    return 'answer ' + word


WORKS = {
    'asyncio-client': asyncio_client,
    'asyncio-server': asyncio_server,
    'renamed-thread': renamed_thread,
    'thread-pool': thread_pool,
    'fork': lambda port: children(port, 'fork'),
    'spawn': lambda port: children(port, 'spawn'),
    'curl': subprocess_curl,
    'fastopen': fastopen,
    'mptcp': mptcp,
}


def main():
    try:
        answer = WORKS[sys.argv[1]](int(sys.argv[2]))
    except OSError as e:
        answer = errno.errorcode.get(e.errno, str(e))
    print(answer)
    return not answer.startswith('answer ')


if __name__ == '__main__':
    sys.exit(main())
