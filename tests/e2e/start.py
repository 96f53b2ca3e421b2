#!/usr/bin/env -S python3 -B
"""How long it takes from the start of `edgeloop serve` to its first answer.

    start.py [--starts N]

The address is known beforehand, as it is to whoever starts a server again: a client connects as soon as it is listened on.
The first start, for which the program may have to be read from a disk, is not counted.
"""

import argparse
import socket
import statistics
import subprocess
import sys
import time

from running import EDGELOOP, Failed

PATIENCE = 10


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answer_of(port, deadline):
    """The first bytes of an answer. It is asked for again and again while nobody listens."""
    while time.monotonic() < deadline:
        with socket.socket() as peer:
            peer.settimeout(PATIENCE)
            try:
                peer.connect(("127.0.0.1", port))
                peer.sendall(b"GET /none HTTP/1.1\r\nHost: a\r\n\r\n")
                return peer.recv(64)
            except ConnectionRefusedError:
                pass
    raise Failed(f"nobody listens on port {port}")


def start():
    """Milliseconds from the start to the first answer."""
    port = free_port()
    command = [EDGELOOP, "serve", ".", "--listen", f"127.0.0.1:{port}"]
    begun = time.monotonic()
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        answer = answer_of(port, begun + PATIENCE)
        took = time.monotonic() - begun
    finally:
        server.kill()
        server.wait()
    if not answer.startswith(b"HTTP/1.1 404 "):
        raise Failed(f"{' '.join(command)}: answered {answer!r}")
    return 1000 * took


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--starts", type=int, default=20)
    words = words.parse_args()
    start()
    times = sorted(start() for _ in range(words.starts))
    print(f"start.py: first answer after {statistics.median(times):.1f} ms (median of {len(times)}, "
          f"from {times[0]:.1f} to {times[-1]:.1f}), the start of a process by Python included")


if __name__ == "__main__":
    try:
        main()
    except Failed as failed:
        sys.exit(f"FAILED: {failed}")
