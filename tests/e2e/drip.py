#!/usr/bin/env -S python3 -B
"""What it takes to read a head of 8 KiB that comes byte by byte, beside 8 heads of 1 KiB that come whole.

Instructions, as instructions.py counts them: nothing is timed. Of all that a session does with a receive the machine that
reads heads is a part, which is told by itself: the functions of `http` and of httparse, and the copying of bytes.
"""

import re
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


def of_the_machine(functions):
    return sum(own for name, own in functions.items() if re.search(r"edgeloop::http::|httparse|^__mem", name))


def main():
    build()
    large, small = head(8192), head(1024)
    if (len(large), len(small)) != (8192, 1024):
        raise Failed(f"the heads have {len(large)} and {len(small)} bytes")
    pieces = [large[at:at + 1] for at in range(len(large))]
    dripped, of_dripped = measure(recording(pieces), 1, ITERATIONS)
    each, of_each = measure(recording([small] * 8), 8, ITERATIONS)
    for what, one, eight in [("in all", dripped, 8 * each),
                             ("to read heads", of_the_machine(of_dripped), 8 * of_the_machine(of_each))]:
        print(f"drip.py, {what}: {one:.0f} instructions, {one / len(large):.0f} for each byte; "
              f"8 heads of 1 KiB {eight:.0f}; {one / eight:.1f} times as many")


if __name__ == "__main__":
    try:
        main()
    except Failed as failed:
        sys.exit(f"FAILED: {failed}")
