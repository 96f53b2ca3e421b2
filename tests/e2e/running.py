"""A server as a context: started on port 0 of loopback, ended by its own pid."""

import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TARGET = os.environ.get("CARGO_TARGET_DIR") or os.path.join(ROOT, "target")
EDGELOOP = os.environ.get("EDGELOOP") or os.path.join(TARGET, "release", "edgeloop")


class Failed(Exception):
    """A check that did not hold; the message says what was run and what was seen."""


class Server:
    """`with Server([...]) as server:`; leaving sends `stop` and asks for exit status 0."""

    def __init__(self, command, stop=signal.SIGTERM):
        self.command, self.stop = command, stop

    def __enter__(self):
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.errors)
        line, deadline = b"", time.monotonic() + 10
        try:
            while not line.endswith(b"\n"):
                if not select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))[0]:
                    raise Failed(f"{self.said()}: no line on stdout within 10 s")
                byte = os.read(self.process.stdout.fileno(), 1)
                if not byte:
                    raise Failed(f"{self.said()}: ended before it listened")
                line += byte
            found = re.fullmatch(rb"listening on (http://127\.0\.0\.1:(\d+)/)\n", line)
            if not found:
                raise Failed(f"{self.said()}: first line on stdout is {line!r}")
        except BaseException:
            self.kill()
            raise
        self.url, self.port = found[1].decode(), int(found[2])
        return self

    def __exit__(self, kind, value, trace):
        if kind:
            if self.process.poll() is not None:
                print(f"the server has ended with {self.process.returncode}", file=sys.stderr)
            self.kill()
            print(f"{self.said()}", file=sys.stderr)
            return
        self.process.send_signal(self.stop)
        try:
            status = self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failed(f"{self.said()}: still running 30 s after {self.stop.name}") from None
        if status != 0:
            raise Failed(f"{self.said()}: exit status {status} after {self.stop.name}")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def said(self):
        self.errors.seek(0)
        errors = self.errors.read(4000).decode(errors="replace").strip()
        return " ".join(map(str, self.command)) + (f"\n  stderr: {errors}" if errors else "")
