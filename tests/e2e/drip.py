#!/usr/bin/env -S python3 -B
"""What it takes to read a head of 8 KiB that comes byte by byte, beside 8 heads of 1 KiB that come whole.

Instructions, as instructions.py counts them: nothing is timed. Whoever reads a head from its beginning with every byte takes
thousands of times as many.
"""

import sys

from instructions import build, measure
from running import Failed

# One of these is 8,192 receives.
ITERATIONS = 10


def head(length):
    """A request with a head of so many bytes, in lines of some 100."""
    lines = b"GET /plaintext HTTP/1.1\r\nHost: localhost:8080\r\n"
    while len(lines) + 2 < length:
        left = length - 2 - len(lines)
        line = left if left <= 150 else 100
        lines += b"X-Filler: " + b"x" * (line - 12) + b"\r\n"
    return lines + b"\r\n"


def recording(pieces):
    """What one client sent, in the pieces in which it came."""
    said = [b"edgeloop recording 1\nopen 1 0\n"]
    said += [b"data 1 0 %d\n%s\n" % (len(piece), piece) for piece in pieces]
    return b"".join([*said, b"close 1 0\n"])


def main():
    build()
    large, small = head(8192), head(1024)
    if (len(large), len(small)) != (8192, 1024):
        raise Failed(f"the heads have {len(large)} and {len(small)} bytes")
    dripped, _ = measure(recording([large[at:at + 1] for at in range(len(large))]), 1, ITERATIONS)
    whole, _ = measure(recording([large]), 1, ITERATIONS)
    eight, _ = measure(recording([small] * 8), 8, ITERATIONS)
    eight *= 8
    print(f"a head of 8 KiB byte by byte: {dripped:.0f} instructions, at once: {whole:.0f}, 8 heads of 1 KiB: {eight:.0f}")
    print(f"drip.py: {dripped / eight:.2f} times those of 8 heads of 1 KiB, {dripped / 8192:.0f} for each receive of a byte")


if __name__ == "__main__":
    try:
        main()
    except Failed as failed:
        sys.exit(f"FAILED: {failed}")
