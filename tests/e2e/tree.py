#!/usr/bin/env -S python3 -B
"""Fetches every regular file below a directory from the server and compares it with the file on disk.

    tree.py DIR [--cores N] [--binary PATH] [--connections K] [--depth D]

K keep-alive connections, one process each, with D requests pipelined on each. Bodies are compared by SHA-256. A name
with a component that begins with a dot has to be 404, except below .well-known. Exits 1 on any difference.
"""

import argparse
import hashlib
import multiprocessing
import os
import socket
import stat
import sys
import time
import urllib.parse

from running import EDGELOOP, Failed, Server

PATIENCE = 30  # seconds without a byte
SHOWN = 20  # differences printed
BROKEN_MAX = 10  # connections that may break before a worker gives up


def regular_files(root):
    """Paths below root as bytes, without following links."""
    found = []
    for directory, directories, names in os.walk(root):
        directories.sort()
        for name in sorted(names):
            path = os.path.join(directory, name)
            if stat.S_ISREG(os.lstat(path).st_mode):
                found.append(os.path.relpath(path, root))
    return found


def is_hidden(path):
    return any(part.startswith(b".") and part != b".well-known" for part in path.split(b"/"))


class Answers:
    """Reads answers off one connection."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""

    def more(self):
        data = self.socket.recv(1 << 18)
        if not data:
            raise ConnectionError("closed by the server")
        return data

    def next(self):
        """(status, length, SHA-256 of the body, whether the connection goes on)"""
        while (end := self.rest.find(b"\r\n\r\n")) < 0:
            if len(self.rest) > 1 << 16:
                raise ConnectionError(f"no end of a head in {self.rest[:80]!r}...")
            self.rest += self.more()
        head, self.rest = self.rest[:end], self.rest[end + 4:]
        status_line, *lines = head.split(b"\r\n")
        if not status_line.startswith(b"HTTP/1.1 "):
            raise ConnectionError(f"not a status line: {status_line[:80]!r}")
        fields = {}
        for line in lines:
            name, _, value = line.partition(b":")
            fields[name.lower()] = value.strip()
        if b"content-length" not in fields or b"content-encoding" in fields:
            raise ConnectionError(f"unexpected framing or coding: {head[:400]!r}")
        length = left = int(fields[b"content-length"])
        digest = hashlib.sha256()
        while True:
            piece = self.rest[:left]
            digest.update(piece)
            left -= len(piece)
            if not left:
                self.rest = self.rest[len(piece):]
                break
            self.rest = self.more()
        return int(status_line[9:12]), length, digest.digest(), fields.get(b"connection", b"").lower() != b"close"


def digest_of(path):
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256") if hasattr(hashlib, "file_digest") else hashlib.sha256(file.read())
        return os.fstat(file.fileno()).st_size, digest.digest()


def differs(root, path, answer):
    """What is wrong with this answer, or None; and the bytes that were compared."""
    status, length, digest, _ = answer
    if is_hidden(path):
        return (None if status == 404 else f"status {status} for a hidden name"), 0
    if status != 200:
        return f"status {status}", 0
    size, want = digest_of(os.path.join(root, path))
    if length != size:
        return f"{length} bytes, on disk {size}", 0
    return (None if digest == want else "same length, other bytes"), length


def fetch(job):
    """One worker: its share of the paths over one connection at a time."""
    root, port, depth, paths = job
    files = hidden = octets = connections = 0
    wrong, broken = [], 0
    answers, at = None, 0
    while at < len(paths):
        batch = paths[at:at + depth]
        try:
            if answers is None:
                answers = Answers(port)
                connections += 1
            answers.socket.sendall(b"".join(
                b"GET /%s HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: identity\r\n\r\n" % urllib.parse.quote(path).encode()
                for path in batch))
            for path in batch:
                answer = answers.next()
                at += 1
                difference, compared = differs(root, path, answer)
                octets += compared
                if difference:
                    wrong.append((path, difference))
                elif is_hidden(path):
                    hidden += 1
                else:
                    files += 1
                if not answer[3]:  # announced: what is left of the batch goes to the next connection
                    answers.socket.close()
                    answers = None
                    break
        except (OSError, ValueError) as error:
            # The one at the head of the queue gets the blame, and is not asked for again.
            wrong.append((paths[at], f"connection broke: {error}"))
            at += 1
            broken += 1
            if answers:
                answers.socket.close()
            answers = None
            if broken == BROKEN_MAX:
                wrong.append((b"", f"given up with {len(paths) - at} files to go"))
                break
    if answers:
        answers.socket.close()
    return files, hidden, octets, connections, wrong


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("directory")
    arguments.add_argument("--cores", type=int, default=1)
    arguments.add_argument("--binary", default=EDGELOOP)
    arguments.add_argument("--connections", type=int, default=4)
    arguments.add_argument("--depth", type=int, default=16)
    options = arguments.parse_args()
    root = os.fsencode(options.directory)
    paths = regular_files(root)
    if not paths:
        raise Failed(f"no regular file below {options.directory}")
    command = [options.binary, "serve", options.directory, "--listen", "127.0.0.1:0", "--cores", str(options.cores)]
    begun = time.monotonic()
    with Server(command) as server:
        # Every K-th file, so that large neighbours are spread.
        jobs = [(root, server.port, options.depth, paths[i::options.connections]) for i in range(options.connections)]
        with multiprocessing.Pool(options.connections) as pool:
            shares = pool.map(fetch, jobs, chunksize=1)
    files, hidden, octets, connections, wrong = (sum(column, type(column[0])()) for column in zip(*shares))
    print(f"{options.directory}, {options.cores} cores: {files} files equal, {hidden} hidden names 404, {octets} bytes, "
          f"{connections} connections, {len(wrong)} differences, {time.monotonic() - begun:.1f} s")
    for path, difference in wrong[:SHOWN]:
        print(f"  {os.fsdecode(path)}: {difference}")
    if wrong:
        raise Failed(f"{' '.join(command)}: {len(wrong)} of {len(paths)} files differ")


if __name__ == "__main__":
    try:
        main()
    except Failed as failed:
        sys.exit(f"\nFAILED: {failed}")
