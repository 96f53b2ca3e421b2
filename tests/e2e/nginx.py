#!/usr/bin/env -S python3 -B
"""Asks nginx and edgeloop the same of the same tree, and compares what they say.

    nginx.py [--requests N] [--seed S] [--show]

Status, content, ranges, codings, places of redirects and what validators mean have to agree, or the difference has to be
one of the table below, with its reason. Validators are each server's own: where a request names one, each gets its own.
The table is printed with the number of requests for each row. A difference that is not listed, and a row that nothing was
seen of, fail.
"""

import argparse
import email.utils
import http.client
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

from running import EDGELOOP, Failed, Server

MODIFIED = 784_111_777  # Sun, 06 Nov 1994 08:49:37 GMT
PATIENCE = 20

FILES = {
    "index.html": b"<!doctype html><title>top</title>\n",
    "a.txt": bytes(range(33, 127)) * 11,
    "empty.txt": b"",
    "one.bin": b"1",
    "big.bin": random.Random(1).randbytes(300_000),
    "page.css": b"body { color: teal }\n" * 40,
    "page.css.gz": b"\x1f\x8b not really, but nobody looks",
    "code.js": b"let a = 1;\n" * 30,
    "code.js.gz": b"\x1f\x8b nor this",
    "dir/index.html": b"<!doctype html><title>dir</title>\n",
    "dir/below/deep.txt": b"deep\n",
    "no-index/file.txt": b"file\n",
    "with space.txt": b"space\n",
    "ä€.txt": b"not ASCII\n",
    "100%.txt": b"percent\n",
    "a+b;c=d,e.txt": b"reserved\n",
    ".env": b"secret\n",
    ".well-known/security.txt": b"Contact: nobody\n",
}

PATHS = [
    "/", "/index.html", "/a.txt", "/empty.txt", "/one.bin", "/big.bin", "/page.css", "/page.css.gz", "/code.js", "/dir",
    "/dir/", "/dir/index.html", "/dir/below", "/dir/below/", "/dir/below/deep.txt", "/no-index", "/no-index/",
    "/no-index/file.txt", "/none", "/none/none", "/a.txt/", "/a.txt/b", "/with%20space.txt", "/%C3%A4%E2%82%AC.txt",
    "/100%25.txt", "/a+b;c=d,e.txt", "/a%2Bb%3Bc=d%2ce.txt", "/%61.txt", "/a.txt?query=1", "/dir?x=%20&y", "/./a.txt",
    "/dir/../a.txt", "/dir//below///deep.txt", "//a.txt", "/dir/below/../../a.txt", "/.env", "/%2eenv",
    "/.well-known/security.txt", "/../a.txt", "/%2e%2e/a.txt", "/dir%2findex.html", "/a%00.txt", "/A.TXT", "/a.txt.",
    "/dir/.", "/dir/..", "/" + "n" * 300, "/a%2etxt", "/%252e%252e/a.txt",
]
# Most requests are for what is there.
PLAIN = ["/a.txt", "/big.bin", "/one.bin", "/empty.txt", "/page.css", "/code.js", "/", "/dir/"]

METHODS = ["GET"] * 12 + ["HEAD"] * 4 + ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]

# {tag}, {weak}, {date} stand for what the server itself said of the path.
CONDITIONS = [
    ("If-Match", ["{tag}", "*", '"x"', '"x", {tag}', "W/{tag}"]),
    ("If-None-Match", ["{tag}", "*", '"x"', '"x", {tag}', "W/{tag}", '"x","y"']),
    ("If-Modified-Since", ["{date}", "{before}", "{after}", "yesterday", "Sunday, 06-Nov-94 08:49:37 GMT"]),
    ("If-Unmodified-Since", ["{date}", "{before}", "{after}", "yesterday"]),
]
RANGES = [
    "bytes=0-0", "bytes=0-", "bytes=1-3", "bytes=-1", "bytes=-5", "bytes=100-199", "bytes=1000-", "bytes=299999-",
    "bytes=300000-", "bytes=0-999999", "bytes=-999999", "bytes=5-2", "bytes=x-y", "bytes=-0", "bytes=0-1,4-5",
    "bytes=0-1, 1030-,-2", "bytes=4-5,0-1", "bytes=0-9,5-14", "bytes=0-1,2-3", "bytes=0-0,900000-", "items=0-1", "bytes=",
    "bytes=0-99,200-299,400-499", "bytes=250000-,10-20", "bytes=" + ",".join(f"{at}-{at}" for at in range(0, 40, 2)),
]
IF_RANGES = ["{tag}", "W/{tag}", '"x"', "{date}", "{before}", "{after}"]
CODINGS = ["gzip", "gzip, br", "br", "identity", "gzip;q=0", "*", "gzip;q=0.5", "identity;q=1, gzip;q=0.5", "*;q=0", "x-gzip",
           "identity;q=0", ""]


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.fields = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    def get(self, name):
        return self.fields.get(name)

    def parts(self):
        """What of the content it has: [(first, last, of, bytes)]."""
        kind = self.get("content-type") or ""
        if self.status == 206 and kind.startswith("multipart/byteranges"):
            boundary = kind.partition("boundary=")[2].encode()
            pieces = self.body.split(b"\r\n--" + boundary)
            if pieces[0] != b"" or pieces[-1] != b"--\r\n":
                raise Failed(f"no multipart body: {pieces[0]!r} … {pieces[-1]!r}")
            parts = []
            for piece in pieces[1:-1]:
                head, _, body = piece.partition(b"\r\n\r\n")
                found = re.search(rb"(?i)content-range: bytes (\d+)-(\d+)/(\d+)", head)
                parts.append((*map(int, found.groups()), body))
            return parts
        if found := re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", self.get("content-range") or ""):
            return [(*map(int, found.groups()), self.body)]
        return None


class Asked:
    """A request, with what stands for validators in it."""

    def __init__(self, method, path, fields):
        self.method, self.path, self.fields = method, path, fields

    def __str__(self):
        return " ".join([self.method, self.path[:60], *(f"[{name}: {value[:60]}]" for name, value in self.fields)])

    def get(self, name):
        return next((value for each, value in self.fields if each == name), None)


class Peer:
    """A server and what it says of each path by itself."""

    def __init__(self, port):
        self.port, self.known = port, {}

    def ask(self, method, path, fields):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            if method in ("POST", "PUT", "PATCH"):
                connection.putheader("Content-Length", "0")
            for name, value in fields:
                connection.putheader(name, value)
            connection.putheader("Connection", "close")
            connection.endheaders()
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def answer(self, asked):
        coding = asked.get("Accept-Encoding")
        fields = [("Accept-Encoding", coding)] if coding is not None else []
        key = asked.path, coding
        if key not in self.known:
            self.known[key] = self.ask("GET", asked.path, fields)
        plain = self.known[key]
        values = {
            "tag": (plain.get("etag") or '"none"').removeprefix("W/"),
            "date": plain.get("last-modified") or email.utils.formatdate(MODIFIED, usegmt=True),
            "before": email.utils.formatdate(MODIFIED - 1, usegmt=True),
            "after": email.utils.formatdate(MODIFIED + 1, usegmt=True),
        }
        return self.ask(asked.method, asked.path, [(name, value.format(**values)) for name, value in asked.fields])


def generate(count, seed):
    """Every path by GET and HEAD, every range and coding once, then combinations."""
    asked = [Asked(method, path, []) for path in PATHS for method in ("GET", "HEAD")]
    asked += [Asked(method, "/a.txt", []) for method in sorted(set(METHODS))]
    asked += [Asked("GET", path, [("Range", value)]) for path in ("/a.txt", "/empty.txt", "/one.bin") for value in RANGES]
    asked += [Asked("GET", path, [("Accept-Encoding", value)]) for path in ("/page.css", "/a.txt") for value in CODINGS]
    asked += [Asked("GET", "/a.txt", [(name, value)]) for name, values in CONDITIONS for value in values]
    dice = random.Random(seed)
    while len(asked) < count:
        fields = []
        for name, values in CONDITIONS:
            if dice.random() < 0.25:
                fields.append((name, dice.choice(values)))
        if dice.random() < 0.4:
            fields.append(("Range", dice.choice(RANGES)))
            if dice.random() < 0.4:
                fields.append(("If-Range", dice.choice(IF_RANGES)))
        if dice.random() < 0.3:
            fields.append(("Accept-Encoding", dice.choice(CODINGS)))
        dice.shuffle(fields)
        path = dice.choice(PLAIN if dice.random() < 0.7 else PATHS)
        asked.append(Asked(dice.choice(METHODS), path, fields))
    return asked[:max(count, 1)]


def differences(asked, ours, theirs):
    """Names of what differs."""
    if ours.status != theirs.status:
        return ["status"]
    found = []
    if ours.status in (200, 206):
        if asked.method == "HEAD":
            if ours.get("content-length") != theirs.get("content-length") and ours.parts() is None:
                found.append("length")
        elif ours.parts() != theirs.parts():
            found.append("parts")
        elif ours.parts() is None and ours.body != theirs.body:
            found.append("content")
        for name in ("content-encoding", "accept-ranges", "vary"):
            # That ranges are to be had goes without saying where one was.
            if ours.get(name) != theirs.get(name) and (name, ours.status) != ("accept-ranges", 206):
                found.append(name)
    if ours.status in (200, 206, 304):
        if ours.get("last-modified") != theirs.get("last-modified"):
            found.append("last-modified")
        if (ours.get("etag") is None) != (theirs.get("etag") is None):
            found.append("etag")
    if ours.status == 416 and ours.get("content-range") != theirs.get("content-range"):
        found.append("content-range")
    if 300 <= ours.status < 400 and ours.status != 304:
        place = [urllib.parse.urljoin("http://a" + asked.path, each.get("location") or "") for each in (ours, theirs)]
        if place[0] != place[1]:
            found.append("location")
    return found


KNOWN = []


def known(reason):
    def add(holds):
        KNOWN.append((reason, holds))
        return holds
    return add


def statuses(ours, theirs):
    return ours.status, theirs.status


def same_place(asked, ours, theirs):
    places = [urllib.parse.urljoin("http://a" + asked.path, each.get("location") or "") for each in (ours, theirs)]
    return places[0] == places[1]


@known("RFC 9110 §15.4.9: 308 keeps the method, 301 may turn it into GET. The place is the same")
def _(asked, ours, theirs, found):
    return statuses(ours, theirs) == (308, 301) and same_place(asked, ours, theirs)


@known("RFC 9110 §15.5.4: that there is a directory without an index is nobody's business: 404, not 403")
def _(asked, ours, theirs, found):
    return statuses(ours, theirs) == (404, 403) and asked.path.split("?")[0].endswith("/")


@known("RFC 3986 §2.2: an encoded slash is no slash, and no name can have one: 400")
def _(asked, ours, theirs, found):
    return "%2f" in asked.path and ours.status == 400


@known("RFC 9110 §14.2: a Range that can't be read is ignored; 416 is for one that lies beyond the end")
def _(asked, ours, theirs, found):
    return statuses(ours, theirs) == (200, 416) and asked.get("Range") in ("bytes=5-2", "bytes=x-y", "bytes=")


@known("RFC 9110 §15.5.17: of no bytes no range from the front is to be had: 416. nginx sends the whole of an empty file")
def _(asked, ours, theirs, found):
    return statuses(ours, theirs) == (416, 200) and theirs.body == b"" and theirs.get("content-length") in ("0", None)


@known("RFC 9110 §15.3.7.2: ranges that overlap or touch are one part")
def _(asked, ours, theirs, found):
    return found == ["parts"] and covers(ours.parts()) == covers(theirs.parts()) and len(ours.parts()) < len(theirs.parts())


@known("RFC 9110 §14.2: only GET has ranges; nginx answers HEAD with 206 and 416 too")
def _(asked, ours, theirs, found):
    return asked.method == "HEAD" and asked.get("Range") and ours.status == 200 and theirs.status in (206, 416)


@known("RFC 9110 §13.1.4: a date that can't be read is ignored; nginx takes it for an old one")
def _(asked, ours, theirs, found):
    return theirs.status == 412 and asked.get("If-Unmodified-Since") == "yesterday" and ours.status != 412


@known("RFC 9110 §13.2.2: If-Match comes instead of If-Unmodified-Since; nginx asks that both hold")
def _(asked, ours, theirs, found):
    return theirs.status == 412 and asked.get("If-Match") and asked.get("If-Unmodified-Since") == "{before}" and ours.status != 412


@known("RFC 9110 §13.2.2: If-None-Match comes instead of If-Modified-Since; nginx asks that both hold")
def _(asked, ours, theirs, found):
    return (ours.status == 304 and theirs.status in (200, 206, 416) and asked.get("If-None-Match")
            and asked.get("If-Modified-Since") in ("{before}", "yesterday"))


@known("RFC 9110 §12.5.3: who refuses identity gets 406 where there is nothing else; nginx sends it")
def _(asked, ours, theirs, found):
    return ours.status == 406 and asked.get("Accept-Encoding") in ("identity;q=0", "*;q=0") and theirs.status != 406


@known("RFC 9110 §12.5.3: `*` is gzip too, and so is x-gzip (§8.4.1.3); nginx knows neither")
def _(asked, ours, theirs, found):
    return asked.get("Accept-Encoding") in ("*", "x-gzip") and asked.path in ("/page.css", "/code.js")


@known("RFC 9110 §12.4.2: identity can weigh more than gzip; nginx sends gzip wherever it is acceptable")
def _(asked, ours, theirs, found):
    return (asked.get("Accept-Encoding") == "identity;q=1, gzip;q=0.5" and ours.get("content-encoding") is None
            and theirs.get("content-encoding") == "gzip")


@known("RFC 9110 §14.1: a coded form has ranges of its own; nginx gives none")
def _(asked, ours, theirs, found):
    return (theirs.get("content-encoding") == "gzip" and theirs.status == 200
            and (found == ["accept-ranges"] or asked.get("Range") and ours.status in (206, 416)))


@known("RFC 9110 §15.5.6: below a directory of files every path has the same two methods: 405 before the path is looked at")
def _(asked, ours, theirs, found):
    return ours.status == 405 and asked.method not in ("GET", "HEAD") and theirs.status in (301, 400, 403, 404)


@known("RFC 9110 §14.2: ranges that overlap are joined and counted then; nginx counts first, and sends the whole when it is less")
def _(asked, ours, theirs, found):
    return statuses(ours, theirs) == (206, 200) and "," in asked.get("Range") and theirs.get("content-encoding") is None


@known("RFC 9110 §14.2: of more than 16 ranges none is served, wherever they lie; nginx counts those that are there")
def _(asked, ours, theirs, found):
    return statuses(ours, theirs) == (200, 206) and asked.get("Range").count(",") >= 16


def covers(parts):
    """The bytes by position, however they were cut."""
    return {first + at: byte for first, _, _, body in parts for at, byte in enumerate(body)}


def start_nginx(tree, work):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = os.path.join(work, "nginx.conf")
    temporary = "\n".join(f"{name}_temp_path {work}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    with open(config, "w") as file:
        file.write(f"""
            daemon off; master_process off; pid {work}/nginx.pid; error_log {work}/error.log; user root;
            events {{ worker_connections 64; }}
            http {{
                access_log off; {temporary}
                types {{ text/html html; text/css css; text/plain txt; text/javascript js; }}
                default_type application/octet-stream;
                gzip_static on; gzip_vary on; if_modified_since before; absolute_redirect off; max_ranges 16;
                server {{
                    listen 127.0.0.1:{port}; root {tree}; index index.html;
                    location ~ /\\.(?!well-known/) {{ return 404; }}
                }}
            }}
        """)
    process = subprocess.Popen(["nginx", "-p", work, "-c", config], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return process, port
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.05)
    process.kill()
    process.wait()
    with open(os.path.join(work, "error.log")) as log:
        raise Failed(f"nginx did not start: {log.read()[:2000]}")


def plant(tree):
    for name, content in FILES.items():
        path = os.path.join(tree, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
        os.utime(path, (MODIFIED, MODIFIED))


def compare(asked, ours, theirs, show):
    seen, unlisted = [0] * len(KNOWN), []
    for each in asked:
        own, other = ours.answer(each), theirs.answer(each)
        found = differences(each, own, other)
        if not found:
            continue
        row = next((at for at, (_, holds) in enumerate(KNOWN) if holds(each, own, other, found)), None)
        if row is None:
            unlisted.append(f"{each}: {', '.join(found)}; ours {own.status}, nginx {other.status}")
        else:
            seen[row] += 1
            if show:
                print(f"    {row}: {each}: {', '.join(found)}; ours {own.status}, nginx {other.status}")
    return seen, unlisted


def main():
    words = argparse.ArgumentParser()
    words.add_argument("--requests", type=int, default=2000)
    words.add_argument("--seed", type=int, default=1994)
    words.add_argument("--show", action="store_true", help="print each request whose answers differ")
    words = words.parse_args()
    if not shutil.which("nginx"):
        raise Failed("no nginx here; apt-get install nginx-light")
    asked = generate(words.requests, words.seed)
    with tempfile.TemporaryDirectory(prefix="edgeloop-nginx-") as work:
        tree = os.path.join(work, "tree")
        os.mkdir(tree)
        os.chmod(work, 0o755)
        plant(tree)
        nginx, port = start_nginx(tree, work)
        try:
            with Server([EDGELOOP, "serve", tree, "--listen", "127.0.0.1:0"]) as server:
                seen, unlisted = compare(asked, Peer(server.port), Peer(port), words.show)
        finally:
            nginx.send_signal(signal.SIGTERM)
            nginx.wait(timeout=30)
    agree = len(asked) - sum(seen) - len(unlisted)
    print(f"{len(asked)} requests, seed {words.seed}: {agree} answered alike")
    for count, (reason, _) in zip(seen, KNOWN):
        print(f"{count:5}  {reason}")
    if unlisted:
        raise Failed(f"{len(unlisted)} differences that are not listed:\n  " + "\n  ".join(unlisted[:40]))
    if words.requests >= 2000 and not all(seen):
        raise Failed("a row of the table was not seen")


if __name__ == "__main__":
    try:
        main()
    except Failed as failed:
        sys.exit(f"FAILED: {failed}")
