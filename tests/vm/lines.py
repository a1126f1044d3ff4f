#!/usr/bin/python3 -IS
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a verifier has left out of a program that another has left in.

lines.py read PROGRAM          of what `bpftool prog dump xlated ... linum` says, the lines: program,
                               function, file and text of each, with tabs
lines.py compare OTHER OLD EXPECTED
                               TAP: a case for each program that both files have. It fails where the second has
                               a line fewer times than the first, but for those that EXPECTED names: function
                               and text, with a tab, and why.

A verifier takes out what it believes cannot be reached. One that is wrong about that takes out a
question of ours, without a word.
"""

import collections
import re
import sys

LINE = re.compile(r"^; (.*) \[file:(?:.*/)?([^/ ]+) line_num:([1-9]\d*) line_col:\d+\]$")
NOTHING = "bpftool cannot tell its lines"
FUNCTION = re.compile(r"^\w.*?(\w+)\(.*\):$")


def read(program):
    function, some = program, False
    for line in sys.stdin:
        line = line.rstrip("\n")
        begins, says = FUNCTION.match(line), LINE.match(line)
        if begins:
            function = re.sub(r"_[0-9a-f]{16}$", "", begins[1])
        elif says:
            print(program, function, says[2], " ".join(says[1].split()), sep="\t")
            some = True
    if not some:
        print(program, program, "-", NOTHING, sep="\t")


def load(path):
    programs = collections.defaultdict(collections.Counter)
    with open(path, encoding="utf-8") as file:
        for line in file:
            program, *rest = line.rstrip("\n").split("\t")
            programs[program][tuple(rest)] += 1
    return programs


def expected(path):
    with open(path, encoding="utf-8") as file:
        return [tuple(line.rstrip("\n").split("\t")[:2]) for line in file
                if line.strip() and not line.startswith("#")]


def compare(other_path, old_path, expected_path):
    other, old, known = load(other_path), load(old_path), expected(expected_path)
    used, failed = set(), 0
    programs = sorted(set(other) & set(old))
    print(f"1..{len(programs) + 1}")
    for number, program in enumerate(programs, 1):
        gone = []
        for (function, file, text), times in sorted(other[program].items()):
            there = old[program][function, file, text]
            entry = next((k for k in known if k[0] == function and k[1] in text), None)
            if there < times and entry:
                used.add(entry)
            elif there < times:
                gone.append(f"{function}, {file}: {text}: {times} times, {there} are left")
        failed += bool(gone)
        print("not ok" if gone else "ok", number, "-", f"{program}: nothing is left out")
        print("".join(f"# {line}\n" for line in gone), end="")
        if any(text == NOTHING for _, _, text in other[program] + old[program]):
            print(f"# {program}: {NOTHING}")
    stale = [k for k in known if k not in used]
    print("not ok" if stale or not programs else "ok", len(programs) + 1, "-",
          "what is expected is left out somewhere")
    print("".join(f"# {' '.join(k)}\n" for k in stale), end="")
    return 1 if failed or stale or not programs else 0


if __name__ == "__main__":
    sys.exit(read(*sys.argv[2:]) if sys.argv[1] == "read" else compare(*sys.argv[2:]))
