#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Asks a unix socket for metrics and reads them strictly, as Prometheus would.

usage: metrics.py SOCKET
"""

import re
import socket
import sys

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (\S+)")
HELP = re.compile(rf"# HELP ({NAME}) \S.*")
TYPE = re.compile(rf"# TYPE ({NAME}) (counter|gauge)")


def ask(path):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(path)
        connection.sendall(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")
        answer = b""
        while part := connection.recv(65536):
            answer += part
    head, body = answer.split(b"\r\n\r\n", 1)
    assert head.split(b"\r\n")[0].endswith(b" 200 OK"), head
    assert b"Content-Type: text/plain; version=0.0.4" in head, head
    return body.decode("utf-8")


def read(text):
    """The samples; an assertion tells what is wrong."""
    assert text.endswith("\n"), "the last line does not end"
    samples, families, last = {}, {}, None
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            last = HELP.fullmatch(line)
            assert last, line
            last = last[1]
            assert last not in families, f"{last} stands in two places"
            families[last] = None
        elif line.startswith("# TYPE "):
            match = TYPE.fullmatch(line)
            assert match and match[1] == last and families[last] is None, line
            families[last] = match[2]
        else:
            match = SAMPLE.fullmatch(line)
            assert match, f"no sample: {line}"
            name, labels, value = match.groups()
            assert name == last and families[name], f"{line}: not in its family"
            assert (name, labels) not in samples, f"{line}: twice"
            samples[name, labels] = float(value)
            assert samples[name, labels] >= 0, line
            assert (families[name] == "counter") == name.endswith("_total"), line
    return samples


def main():
    samples = read(ask(sys.argv[1]))
    names = {name for name, _ in samples}
    assert all(name.startswith("porthold_") for name in names), names
    assert len(names) >= 20, names
    return 0


sys.exit(main())
