#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""explain against the kernel: the same answer to random flows under random policies.

Run as root in a machine of its own: explain.py PORTHOLD [ROUNDS [SEED]]. A round applies many
policies at once, each for a name of its own; a process of that name tries its flows on loopback.
Denied means EPERM and nothing else; whatever else comes of a call means that it was let through.
"""
import ctypes, errno, json, os, random, socket, subprocess, sys, tempfile

POLICIES, FLOWS = 120, 25
PORTS = range(7000, 7012)
HOSTS = ["127.0.0.1", "127.0.0.2", "127.0.1.1", "127.1.2.3", "::1"]
NETWORKS = ["127.0.0.0/8", "127.0.0.0/16", "127.0.0.0/24", "127.0.0.2", "127.0.1.0/24", "::1", "::/0"]


def ports(rng):
    kind = rng.randrange(4)
    some = sorted(rng.sample(PORTS, 2))
    if kind == 0:
        return "any" if rng.random() < 0.3 else str(some[0])
    if kind == 1:
        return f"{some[0]}-{some[1]}"
    if kind == 2:
        return f"{some[0]},{some[1]}"
    return ",".join(str(p) for p in sorted(rng.sample(PORTS, rng.randrange(5, 10))))


def networks(rng, word):
    if rng.random() < 0.4:
        return ""
    listed = rng.sample(NETWORKS, rng.randrange(1, 3))
    text = f" {word} {','.join(listed)}"
    if rng.random() < 0.4:
        text += f" except {rng.choice(NETWORKS)}"
    return text


def rule(rng):
    what = rng.randrange(8)
    proto = rng.choice(["tcp", "tcp", "udp"])
    if what == 0:
        return "loopback" if rng.random() < 0.2 else f"{proto} {ports(rng)}"
    if what < 5:
        return f"connect {proto} {ports(rng)}{networks(rng, 'to')}"
    return f"bind {proto} {ports(rng)}{networks(rng, 'on')}"


def endpoint(host, port):
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def flow(rng):
    door = rng.choice(["connect tcp", "connect tcp", "bind tcp", "listen tcp", "send udp", "bind udp",
                       "socket udp", "socket raw"])
    if door.startswith("socket"):
        return door, None, 0
    return door, rng.choice(HOSTS), rng.choice(PORTS)


def text_of(one):
    door, host, port = one
    return door if host is None else f"{door} {endpoint(host, port)}"


def open_socket(door, host):
    family = socket.AF_INET6 if host and ":" in host else socket.AF_INET
    if door == "socket raw":
        return socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    kind = socket.SOCK_DGRAM if "udp" in door else socket.SOCK_STREAM
    s = socket.socket(family, kind)
    s.settimeout(5)
    if kind == socket.SOCK_STREAM:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return s


def call(one):
    door, host, port = one
    with open_socket(door, host) as s:
        if door == "connect tcp":
            s.connect((host, port))
        elif door == "send udp":
            s.sendto(b"x", (host, port))
        elif door.startswith(("bind", "listen")):
            s.bind((host, port))
            if door == "listen tcp":
                s.listen()


def verdict(one):
    try:
        call(one)
    except OSError as e:
        return "deny" if e.errno == errno.EPERM else "allow"
    return "allow"


def tried(name, flows):
    """The kernel's verdicts, by a process of that name."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        ctypes.CDLL(None).prctl(15, name.encode())
        os.write(writer, json.dumps([verdict(f) for f in flows]).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answers:
        result = json.loads(answers.read())
    os.waitpid(child, 0)
    return result


def explained(porthold, path, name, flows):
    words = [text_of(f) for f in flows]
    run = subprocess.run([porthold, "explain", "--json", "--policy", path, "--name", name, *words],
                         capture_output=True, text=True)
    if run.returncode not in (0, 1):
        sys.exit(run.stderr)
    return [f["verdict"] for f in json.loads(run.stdout)["flows"]]


def write_policies(rng, path):
    names = [f"random{i}" for i in range(POLICIES)]
    with open(path, "w") as out:
        print("porthold: 1\npolicies:", file=out)
        for name in names:
            rules = [rule(rng) for _ in range(rng.randrange(0, 6))]
            print(f"  - name: {name}\n    match: {{comm: {name}}}\n    allow: {json.dumps(rules)}", file=out)
    return names


def play(porthold, rng, path, count):
    names = write_policies(rng, path)
    subprocess.run([porthold, "apply", path], check=True, stdout=subprocess.DEVNULL)
    for name in names:
        flows = [flow(rng) for _ in range(FLOWS)]
        free = tried("nobody", flows[:1])
        if free != ["allow"]:
            sys.exit(f"a free process is denied {text_of(flows[0])}")
        for one, said, done in zip(flows, explained(porthold, path, name, flows), tried(name, flows)):
            count[done] += 1
            if said != done:
                print(f"# {name}: {text_of(one)}: explain says {said}, the kernel {done}")
                count["different"] += 1


def main():
    porthold, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(1 << 32)
    rng, count = random.Random(seed), {"allow": 0, "deny": 0, "different": 0}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            play(porthold, rng, os.path.join(folder, "random.yaml"), count)
    print(f"# seed {seed}: {count}")
    sys.exit(count["different"] > 0 or min(count["allow"], count["deny"]) < 500 * rounds)


main()
