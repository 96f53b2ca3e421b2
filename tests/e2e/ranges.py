#!/usr/bin/env -S python3 -B
"""Asks for 10,000 random ranges of a sparse file of 1 GiB, one and several at a time, and compares every byte.

    ranges.py [--ranges N] [--seed S]

The file has holes, and here and there 8 bytes that say where they are, so a byte that is not where it belongs is seen. Every
range begins near some of them.
"""

import argparse
import http.client
import os
import random
import re
import sys
import tempfile

from running import EDGELOOP, Failed, Server

SIZE = 1 << 30
MARKS_EVERY = 4096
MARKED_EVERY = 1 << 20  # the first MARKED of each so many bytes have marks, and the last of all
MARKED = 64 << 10
MAX = 256 << 10  # bytes of a range


def content(first, last):
    """The bytes from first to last, as they have to be."""
    begin = first // MARKS_EVERY * MARKS_EVERY
    length = last + 1 - begin
    found = bytearray(length)
    for at in range(begin, last + 1, MARKS_EVERY):
        if at % MARKED_EVERY < MARKED or at >= SIZE - MARKED:
            mark = (at | 1 << 63).to_bytes(8, "big")
            found[at - begin:at - begin + 8] = mark
    return bytes(found[first - begin:length])


def plant(path):
    with open(path, "wb") as file:
        file.truncate(SIZE)
        for at in [*range(0, SIZE, MARKED_EVERY), SIZE - MARKED]:
            file.seek(at)
            file.write(content(at, at + MARKED - 1))


def ranges(dice):
    """What is asked for, and what has to come, in its order."""
    asked, parts = [], []
    for _ in range(dice.choice([1, 1, 1, 1, 2, 3])):
        # Among marks, where they begin, near the ends; short and long. Long ones go on into holes.
        begin = dice.randrange(0, SIZE, MARKED_EVERY)
        base = dice.choice([begin + dice.randrange(MARKED), begin, 0, SIZE - 1])
        first = max(0, min(SIZE - 1, base + dice.randrange(-64, 64)))
        last = min(SIZE - 1, first + dice.choice([0, 1, 7, dice.randrange(5000), dice.randrange(MAX)]))
        if any(first <= b + 1 and a <= last + 1 for a, b in parts):
            continue  # joined ones are another test's
        if last == SIZE - 1 and dice.random() < 0.5:
            asked.append(dice.choice([f"{first}-", f"-{SIZE - first}", f"{first}-{SIZE + 5}"]))
        else:
            asked.append(f"{first}-{last}")
        parts.append((first, last))
    return "bytes=" + ",".join(asked), parts


def read(response, parts):
    body = response.read()
    if len(parts) == 1:
        return [(response.getheader("Content-Range"), body)]
    boundary = response.getheader("Content-Type").partition("boundary=")[2].encode()
    pieces = body.split(b"\r\n--" + boundary)
    if pieces[0] or pieces[-1] != b"--\r\n":
        raise Failed("no multipart body")
    found = []
    for piece in pieces[1:-1]:
        head, _, bytes_ = piece.partition(b"\r\n\r\n")
        found.append((re.search(rb"Content-Range: (.*)", head)[1].decode().strip(), bytes_))
    return found


def main():
    words = argparse.ArgumentParser()
    words.add_argument("--ranges", type=int, default=10_000)
    words.add_argument("--seed", type=int, default=1)
    words = words.parse_args()
    dice, total, several = random.Random(words.seed), 0, 0
    with tempfile.TemporaryDirectory(prefix="edgeloop-ranges-") as tree:
        plant(os.path.join(tree, "sparse"))
        with Server([EDGELOOP, "serve", tree, "--listen", "127.0.0.1:0"]) as server:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
            asked = 0
            while asked < words.ranges:
                value, parts = ranges(dice)
                connection.request("GET", "/sparse", headers={"Range": value})
                response = connection.getresponse()
                if response.status != 206:
                    raise Failed(f"{value}: status {response.status}")
                expected = [(f"bytes {first}-{last}/{SIZE}", content(first, last)) for first, last in parts]
                if read(response, parts) != expected:
                    raise Failed(f"{value}: other bytes than those")
                asked += len(parts)
                several += len(parts) > 1
                total += sum(last - first + 1 for first, last in parts)
            connection.close()
    print(f"{asked} ranges of {SIZE} bytes, {several} times several in one answer, {total >> 20} MiB: every byte is right")


if __name__ == "__main__":
    try:
        main()
    except Failed as failed:
        sys.exit(f"FAILED: {failed}")
