#!/usr/bin/env -S python3 -B
"""Counts the instructions of a request, and compares them with those that are stored beside this file.

    instructions.py [--update] [--functions]

What a client sends is replayed to the endpoints example in its release build, without a network, under valgrind's
callgrind: the total of 2N iterations less that of N is N times what one iteration takes, whatever the start takes. A rise
of more than 2 % fails and names the functions that rose, by their own instructions. Two runs of the same have to be the
same to the instruction; that is looked at as well.

The figures are those of one toolchain, one libc and one kind of processor. Where only the processor is another one, they
are printed and not compared, which is said and does not fail; another toolchain or libc does, since figures that nobody
takes again say nothing for ever. `--update` stores new figures; `--functions` prints where they come from.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter

from running import ROOT, TARGET, Failed

STORED = os.path.join(ROOT, "tests", "e2e", "instructions.json")
SUBJECT = os.path.join(TARGET, "release", "examples", "endpoints")
N = 1000
RISE = 0.02
BUILD_SECONDS, RUN_SECONDS = 900, 120
# The C library and the crates choose among their loops by these.
PROCESSOR = {"sse4_2", "avx2", "bmi2", "erms", "fsrm"}
KIB = bytes(range(33, 97)) * 16  # the content of files and bodies


def get(path):
    return f"GET {path} HTTP/1.1\r\nHost: localhost:8080\r\n\r\n".encode()


# Name, what one iteration sends, how many requests that is.
REPLAYS = [
    ("plaintext", get("/plaintext"), 1),
    ("JSON", get("/json"), 1),
    ("routed, two parameters", get("/orgs/acme/members/4711"), 1),
    ("file in memory", get("/memory/1k.txt"), 1),
    # valgrind before 3.25 has no openat2(2), without which files are looked up for each request and nothing is remembered.
    ("file looked up", get("/static/1k.txt"), 1),
    ("POST echo",
     b"POST /echo HTTP/1.1\r\nHost: localhost:8080\r\nContent-Length: 1024\r\n\r\n" + KIB, 1),
    ("16 pipelined", get("/plaintext") * 16, 16),
]


def said(*command):
    return subprocess.run(command, check=True, text=True, capture_output=True).stdout.strip()


def environment():
    """What figures depend on beside the source."""
    with open("/proc/cpuinfo") as cpuinfo:
        flags = re.search(r"^flags\s*:(.*)$", cpuinfo.read(), re.M)
    return {
        "rustc": said("rustc", "--version"),
        "valgrind": said("valgrind", "--version"),
        "libc": os.confstr("CS_GNU_LIBC_VERSION"),
        "processor": " ".join(sorted(PROCESSOR & set(flags[1].split() if flags else []))),
    }


def build():
    command = ["cargo", "build", "--release", "--example", "endpoints"]
    built = subprocess.run(command, cwd=ROOT, timeout=BUILD_SECONDS)
    if built.returncode != 0:
        raise Failed(f"{' '.join(command)}: exit status {built.returncode}")


def replay(directory, iterations):
    """The total, and each function's own, of a replay of what stands in `directory`."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=out", SUBJECT,
               "--root", ".", "--replay", "sent", "--iterations", str(iterations)]
    # The arguments and the environment lie on the stack: always the same.
    clean = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    run = subprocess.run(command, cwd=directory, env=clean, text=True, capture_output=True, timeout=RUN_SECONDS)
    if run.returncode != 0:
        raise Failed(f"{' '.join(command)}: exit status {run.returncode}\n{run.stderr}")
    status = re.search(r"^status 200 +(\d+)$", run.stdout, re.M)
    return int(status[1]) if status else 0, *read(os.path.join(directory, "out"))


def read(path):
    """The total and each function's own instructions, of a file in callgrind's format."""
    names, own, total = {}, Counter(), None
    function, is_call = None, False
    with open(path) as lines:
        for line in lines:
            if found := re.match(r"fn=(\(\d+\))(?: (.*))?$", line):
                if found[2]:
                    names[found[1]] = found[2]
                function = found[1]
            elif found := re.match(r"cfn=(\(\d+\)) (.*)$", line):
                names[found[1]] = found[2]
            elif line.startswith("calls="):
                is_call = True  # the next line is what the called one took
            elif found := re.match(r"[+*-]?\d* ?(\d+)$", line):
                if not is_call:
                    own[function] += int(found[1])
                is_call = False
            elif line.startswith("summary:"):
                total = int(line.split()[1])
    if total is None or sum(own.values()) != total:
        raise Failed(f"{path}: its lines are {sum(own.values())} instructions, its summary says {total}")
    functions = Counter()
    for number, instructions in own.items():
        functions[names[number]] += instructions
    return total, functions


def measure(sent, requests, iterations=N):
    """Instructions of one request, and of each function for it."""
    # In memory, so that what is said of files does not depend on whose disk it is.
    shared_memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=shared_memory) as directory:
        with open(os.path.join(directory, "sent"), "wb") as file:
            file.write(sent)
        with open(os.path.join(directory, "1k.txt"), "wb") as file:
            file.write(KIB)
        os.utime(file.name, (784_111_777, 784_111_777))
        answered, once, _ = replay(directory, iterations)
        answered_again, again, functions = replay(directory, iterations)
        answered_twice, twice, functions_twice = replay(directory, 2 * iterations)
    wanted = iterations * requests
    if (answered, answered_again, answered_twice) != (wanted, wanted, 2 * wanted):
        raise Failed(f"{answered} and {answered_twice} answers of status 200 to {wanted} and twice as many requests")
    if once != again:
        raise Failed(f"two runs of the same took {once} and {again} instructions")
    functions_twice.subtract(functions)
    return (twice - again) / wanted, {
        name: instructions / wanted for name, instructions in functions_twice.most_common() if abs(instructions) >= wanted
    }


def risen(before, after):
    """Lines about the functions that rose most."""
    rises = {name: after.get(name, 0) - before.get(name, 0) for name in before.keys() | after.keys()}
    most = sorted(rises.items(), key=lambda it: -it[1])[:8]
    return [f"    {rise:+8.0f}  {before.get(name, 0):6.0f} -> {after.get(name, 0):6.0f}  {name}" for name, rise in most if rise >= 1]


def stored():
    try:
        with open(STORED) as file:
            return json.load(file)
    except FileNotFoundError:
        raise Failed(f"{STORED} is not there; take it with --update") from None


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--update", action="store_true")
    words.add_argument("--functions", action="store_true")
    words = words.parse_args()
    if not shutil.which("valgrind"):
        raise Failed("valgrind is not installed")
    before, here = None if words.update else stored(), environment()
    if before:
        differences = {name: f"  {name}: {value}, and here {here[name]}"
                       for name, value in before["environment"].items() if value != here[name]}
        if differences.keys() - {"processor"}:
            raise Failed("\n".join(["the stored figures are those of", *differences.values(),
                                    "take them again, of a commit that is known to be good: tests/e2e/instructions.py --update"]))
        if differences:
            print("\n".join(["WARNING: nothing is compared, since the stored figures are those of", *differences.values()]))
            before = None
    build()
    faults, replays = [], {}
    for name, sent, requests in REPLAYS:
        instructions, functions = measure(sent, requests)
        replays[name] = {"instructions": round(instructions, 1),
                         "functions": {function: round(own, 1) for function, own in functions.items()}}
        line = f"{name:<24} {instructions:9.1f}"
        if before:
            was = before["replays"][name]
            change = instructions / was["instructions"] - 1
            line += f"  was {was['instructions']:9.1f}  {change:+.2%}"
            if change > RISE:
                rises = risen(was["functions"], functions)
                faults.append("\n".join([f"{name} takes {change:.1%} more instructions; what rose:", *rises]))
            elif change < -RISE:
                line += "  (keep it: --update)"
        print(line, flush=True)
        if words.functions:
            for function, own in functions.items():
                print(f"    {own:8.1f}  {function}")
    if before and before["replays"].keys() != replays.keys():
        faults.append("the stored figures are of other replays; take them again with --update")
    if words.update:
        with open(STORED, "w") as file:
            json.dump({"environment": here, "replays": replays}, file, indent=1)
            file.write("\n")
    if faults:
        raise Failed("\n".join(faults))


if __name__ == "__main__":
    try:
        main()
    except Failed as failed:
        sys.exit(f"FAILED: {failed}")
