#!/usr/bin/env -S python3 -B
"""Compares `edgeloop bench` with wrk: both ask the same server in turns, and have to say the same of its speed.

    bench.py [--pairs N] [--seconds S] [--files N]

The server has a core of its own, and both generators the other ones. A pair counts if with both of them the server was
busy for 95 % of the time in which others let it have its core: else the generator was measured, or who else is on the
machine. Where others are, `chrt -f 1 tests/e2e/bench.py` puts it before them. What is asked for is a listing, which costs the
server more than it costs who asks.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from running import EDGELOOP, Failed, Server

CONNECTIONS = 64
BUSY = 0.95
AGREE = 0.10


def seconds_of(pid):
    """How long a process on one core has run, and how long its first thread has waited for others (sched-stats.rst)."""
    ran = waited = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
            running, waiting = (int(nanos) / 1e9 for nanos in file.read().split()[:2])
        ran += running
        # What it waits for its own helpers is no time that others have taken.
        waited += waiting if thread == str(pid) else -running
    return ran, waited


class Busy:
    """How much of the time in which others let it have its core a process has used."""

    def __init__(self, pid):
        self.pid, self.begun, self.before = pid, time.monotonic(), seconds_of(pid)

    def share(self):
        passed = time.monotonic() - self.begun
        ran, waited = (now - before for now, before in zip(seconds_of(self.pid), self.before))
        return min(1, ran / (passed - max(0, waited)))


class Load:
    """A generator that has begun: what it says is read when it has ended."""

    def __init__(self, words, cores, pid, warm_up, seconds):
        command = ["taskset", "-c", cores, *words]
        self.said = " ".join(command)
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            # The middle of the run, in which both are at full speed.
            time.sleep(warm_up)
            busy = Busy(pid)
            time.sleep(seconds)
            self.busy = busy.share()
            self.output, _ = process.communicate(timeout=30)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        if process.returncode != 0:
            raise Failed(f"{self.said}: exit status {process.returncode}: {self.output}")


def ours(url, cores, pid, seconds):
    words = [EDGELOOP, "bench", url, "--json", f"--connections={CONNECTIONS}", f"--duration={seconds}s", "--warm-up=200ms"]
    load = Load(words, cores, pid, 0.3, seconds - 0.3)
    report = json.loads(load.output)
    if report["failed"] or report["statuses"].keys() != {"200"}:
        raise Failed(f"{load.said}: {load.output}")
    return report["requests_per_s"], load.busy


def theirs(url, cores, pid, seconds):
    load = Load(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", url], cores, pid, 0.3, seconds - 0.5)
    found = re.search(r"^Requests/sec: +([\d.]+)$", load.output, re.MULTILINE)
    if not found or "Socket errors" in load.output or "Non-2xx" in load.output:
        raise Failed(f"{load.said}: {load.output}")
    return float(found[1]), load.busy


def main():
    words = argparse.ArgumentParser()
    words.add_argument("--pairs", type=int, default=7)
    words.add_argument("--seconds", type=int, default=2, help="of each run")
    words.add_argument("--files", type=int, default=20, help="in the directory whose listing is asked for")
    words = words.parse_args()
    if not shutil.which("wrk"):
        raise Failed("no wrk here; apt-get install wrk")
    processors = sorted(os.sched_getaffinity(0))
    if len(processors) < 2:
        raise Failed("one processor only: whoever asks would take it from the server")
    cores = ",".join(map(str, processors[1:]))
    ratios = []
    with tempfile.TemporaryDirectory(prefix="edgeloop-bench-") as tree:
        for number in range(words.files):
            with open(os.path.join(tree, f"file-{number}.txt"), "w") as file:
                file.write("x")
        command = ["taskset", "-c", str(processors[0]), EDGELOOP, "serve", tree, "--list", "--listen", "127.0.0.1:0"]
        with Server(command) as server:
            for pair in range(words.pairs):
                # Who goes first changes, so that a machine that gets slower favours nobody.
                order = [ours, theirs] if pair % 2 == 0 else [theirs, ours]
                done = {load: load(server.url, cores, server.process.pid, words.seconds) for load in order}
                (own, busy), (other, busy_too) = done[ours], done[theirs]
                counts = min(busy, busy_too) >= BUSY
                print(f"ours {own:9.0f}/s with the server busy {busy:6.1%}, wrk {other:9.0f}/s {busy_too:6.1%}, "
                      f"ratio {own / other:.3f}{'' if counts else ', does not count'}", flush=True)
                if counts:
                    ratios.append(own / other)
    if len(ratios) < (words.pairs + 1) // 2:
        raise Failed(f"the server was busy in {len(ratios)} of {words.pairs} pairs only; is the machine?")
    median = statistics.median(ratios)
    print(f"bench.py: median ratio {median:.3f} of {len(ratios)} pairs, from {min(ratios):.3f} to {max(ratios):.3f}")
    if abs(median - 1) > AGREE:
        raise Failed(f"edgeloop bench and wrk differ by {abs(median - 1):.0%}")


if __name__ == "__main__":
    try:
        main()
    except Failed as failed:
        sys.exit(f"FAILED: {failed}")
