# SPDX-License-Identifier: GPL-2.0-or-later
"""Does what the expectations of policy files speak of, in the kernel.

expect.py PORTHOLD FOLDER POLICY-FILE...: the policies are in force. Prints a line for each
expectation, "ok" or what went wrong, a tab, and the expectation. An address that is spoken of
becomes one of this machine; a port at which nobody listens answers, which is to be let through.

The attempts are made by this script, run as `worker` by a link in FOLDER that has the name that
the policy matches. It reads a line for each and answers "ok", "refused" or something else.
"""

import errno
import json
import os
import re
import socket
import subprocess
import sys

SOON = 3  # seconds; what was dropped does not come


def endpoint(text):
    """(address or "", port) of "PORT", "ADDRESS:PORT", "[ADDRESS]:PORT" or "ADDRESS"."""
    if re.fullmatch(r"\d+", text):
        return "", int(text)
    found = re.fullmatch(r"\[(.*)\]:(\d+)", text) or re.fullmatch(r"([\d.]+):(\d+)", text)
    return (found[1], int(found[2])) if found else (text.strip("[]"), 0)


def make_socket(address, protocol):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    kind = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM, "raw": socket.SOCK_RAW}[protocol]
    s = socket.socket(family, kind, socket.IPPROTO_ICMP if protocol == "raw" else 0)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.settimeout(SOON)
    return s


# --- The worker


def attempt(door, protocol, where, say):
    with make_socket(where[0], protocol) as s:
        if door in ("connect", "send") and protocol == "udp":
            s.sendto(b"x", tuple(where))
        elif door == "connect":
            s.connect(tuple(where))
        elif door in ("bind", "listen", "accept", "receive"):
            s.bind(tuple(where))
            if protocol == "tcp":
                s.listen()
            if door in ("accept", "receive"):
                say("ready")
                peer = s.accept()[0] if door == "accept" else s
                peer.settimeout(SOON)
                return "ok" if peer.recv(1) else "closed"
    return "ok"


def work():
    def say(word):
        print(word, flush=True)

    for line in sys.stdin:
        try:
            say(attempt(*json.loads(line), say))
        except TimeoutError:
            say("refused")
        except OSError as e:
            answers = {errno.EPERM: "refused", errno.ECONNREFUSED: "ok"}
            say(answers.get(e.errno, str(e)))


# --- The unconfined side


def be_peer(protocol, source, target):
    with make_socket(source[0], protocol) as s:
        s.bind(tuple(source))
        try:
            s.connect(tuple(target))
            s.send(b"x")
        except TimeoutError:
            pass  # the worker tells


def own(address):
    if address:
        subprocess.run(["ip", "address", "replace", address, "dev", "lo"], check=True)


class Policy:
    def __init__(self, porthold, folder, policy):
        match = policy["match"]
        self.porthold = porthold
        self.name = policy["name"]
        self.audit = policy.get("mode") == "audit"
        link = os.path.join(folder, match["comm"])
        if not os.path.islink(link):
            os.symlink("/usr/bin/python3", link)
        self.worker = subprocess.Popen(
            [link, "-IS", __file__, "worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, preexec_fn=lambda: enter(match.get("cgroup")))
        self.before = self.count()

    def count(self):
        """Whatever was refused, dropped, or would have been."""
        status = json.loads(subprocess.run([self.porthold, "status", "--json"], check=True,
                                           stdout=subprocess.PIPE).stdout)
        counters = [p["counters"] for p in status["policies"] if p["name"] == self.name]
        return sum(n for kind in counters[0].values() for n in kind.values())

    def moved(self):
        before, self.before = self.before, self.count()
        return self.before > before

    def ask(self, door, protocol, where, peer):
        print(json.dumps([door, protocol, where]), file=self.worker.stdin, flush=True)
        answer = self.worker.stdout.readline().strip()
        if answer == "ready":
            be_peer(protocol, peer, where)
            answer = self.worker.stdout.readline().strip()
        return answer

    def attempt(self, words):
        door, protocol, *rest = words
        where, peer = endpoint(rest[0]) if rest else ("", 9), ("", 0)
        if door in ("accept", "receive"):
            peer = endpoint(rest[2] if door == "accept" else rest[0])
            where = where if door == "accept" else endpoint(rest[2])
        own(where[0])
        own(peer[0])
        if door == "receive" and not where[0]:
            where = peer[0], where[1]  # at an address of this machine, which that is
        return self.ask(door, protocol, where, peer)

    def hold(self, expectation):
        verdict, *words = expectation.split()
        answer, moved = self.attempt(words), self.moved()
        if self.audit:
            return "ok" if moved == (verdict == "deny") else f"counted: {moved}"
        if verdict == "allow":
            return "ok" if answer == "ok" and not moved else f"{answer}, counted: {moved}"
        return "ok" if answer == "refused" and moved else f"{answer}, counted: {moved}"


def enter(cgroup):
    if cgroup:
        path = "/sys/fs/cgroup" + cgroup
        os.makedirs(path, exist_ok=True)
        with open(path + "/cgroup.procs", "w") as f:
            f.write("0")


def main(porthold, folder, *files):
    import yaml

    for file in files:
        with open(file) as f:
            policies = yaml.safe_load(f)["policies"]
        for policy in policies:
            asked = Policy(porthold, folder, policy)
            for expectation in policy.get("expect", []):
                print(asked.hold(expectation), f"{asked.name}: {expectation}", sep="\t", flush=True)


work() if sys.argv[1:] == ["worker"] else main(*sys.argv[1:])
