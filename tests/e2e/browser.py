#!/usr/bin/env -S python3 -B
"""Chromium reads examples/site from the release binary, and the example `ticker`; their own scripts say what the browser saw.

Asserts on the document after the scripts ran. Two screenshots are left in target/e2e/.
"""

import html.parser
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

from running import EDGELOOP, ROOT, TARGET, Failed, Server

TICKER = os.environ.get("TICKER") or os.path.join(TARGET, "release", "examples", "ticker")
CHECKS = ["data", "style", "png", "svg", "range", "redirect", "revalidation", "connection"]


class Document(html.parser.HTMLParser):
    """What the assertions need: attributes and text of elements with an id, rows of the table, attributes of <html>."""

    VOID = {"meta", "link", "img", "br", "path", "circle", "rect"}

    def __init__(self, text):
        super().__init__()
        self.html, self.title, self.rows, self.attributes, self.texts, self.open = {}, "", 0, {}, {}, []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "html":
            self.html = attrs
        if tag == "tr" and "limits" in [name for _, name in self.open]:
            self.rows += 1
        if "id" in attrs:
            self.attributes[attrs["id"]], self.texts[attrs["id"]] = attrs, ""
        if tag not in self.VOID:
            self.open.append((tag, attrs.get("id")))

    def handle_endtag(self, tag):
        for i in range(len(self.open) - 1, -1, -1):
            if self.open[i][0] == tag:
                del self.open[i:]
                return

    def handle_data(self, data):
        if ("title", None) in self.open:
            self.title += data
        for _, name in self.open:
            if name:
                self.texts[name] += data


def find_chromium():
    for name in filter(None, [os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"]):
        if shutil.which(name):
            return name
    raise Failed("no chromium: install it, or name one in CHROMIUM")


def browser(profile):
    return [
        find_chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
        "--hide-scrollbars", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", f"--user-data-dir={profile}",
    ]


def chromium(*arguments):
    """One headless run with a profile of its own and no name but the loopback address; gives back its stdout."""
    profile = tempfile.mkdtemp()
    command = [*browser(profile), "--virtual-time-budget=10000", *arguments]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    try:
        out, errors = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # a session of its own: nobody else is in this group
        process.communicate()
        raise Failed(f"{' '.join(command)}: not done after 120 s") from None
    finally:
        shutil.rmtree(profile, ignore_errors=True)
    if process.returncode != 0:
        raise Failed(f"{' '.join(command)}: exit status {process.returncode}\n{errors.decode(errors='replace')[-2000:]}")
    return out.decode()


def see(holds, what, seen):
    if not holds:
        raise Failed(f"{what}: saw {seen!r}")
    print(f"  ok  {what}")


def ticker():
    """The page of the example `ticker`, whose number comes through an EventSource. Its title shows it as well, and titles
    are what a browser tells without more."""
    profile = tempfile.mkdtemp()
    with Server([TICKER, "127.0.0.1:0"]) as server:
        process = subprocess.Popen([*browser(profile), "--remote-debugging-port=0", server.url], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            titles, deadline = [], time.monotonic() + 60
            while len(titles) < 3 and time.monotonic() < deadline:
                time.sleep(0.1)
                for title in page_titles(profile):
                    if title.isdigit() and title not in titles:
                        titles.append(title)
            numbers = [int(title) for title in titles]
            see(len(numbers) == 3 and numbers == sorted(numbers), "the ticker's page shows what its stream says", titles)
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # a session of its own: nobody else is in this group
            process.wait()
            shutil.rmtree(profile, ignore_errors=True)


def listing(shots):
    """What is in a directory: names are text, whatever they are, and there is a picture of it in the light and in the dark, as
    wide as a phone."""
    with tempfile.TemporaryDirectory() as tree:
        os.makedirs(os.path.join(tree, "directory", "below"))
        names = ["a name that is longer than the screen of a phone is wide, with spaces.txt", "<b>bold", "<script>document.title='broken'",
                 "<img src=x onerror=document.title='broken'>", "\"onfocus=\"document.title='broken'", "größer.txt"]
        for name in names:
            with open(os.path.join(tree, "directory", name), "w", encoding="utf-8") as file:
                file.write("text" * 1000)
        with Server([EDGELOOP, "serve", tree, "--list", "--listen", "127.0.0.1:0"]) as server:
            text = chromium("--dump-dom", server.url + "directory/")
            page = Document(text)
            see(page.title == "/directory/", "the listing is there and names in it do nothing", page.title)
            see(text.count("<tr><td>") == len(names) + 2, "every name has its row", text)
            for scheme, preferred in [("light", 1), ("dark", 0)]:
                path = os.path.join(shots, f"listing-{scheme}.png")
                if os.path.exists(path):
                    os.remove(path)
                chromium(f"--screenshot={path}", "--window-size=390,760", f"--blink-settings=preferredColorScheme={preferred}",
                         server.url + "directory/")
                taken = os.path.getsize(path) if os.path.exists(path) else 0
                see(taken > 5_000, f"a screenshot of the listing, {scheme}", taken)


def page_titles(profile):
    """What the browser says of its pages, once it can be asked."""
    try:
        with open(os.path.join(profile, "DevToolsActivePort"), encoding="ascii") as file:
            port = int(file.readline())
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=5) as answer:
            return [page.get("title", "") for page in json.load(answer)]
    except (OSError, ValueError):
        return []


def main():
    shots = os.path.join(TARGET, "e2e")
    os.makedirs(shots, exist_ok=True)
    with Server([EDGELOOP, "serve", os.path.join(ROOT, "examples", "site"), "--listen", "127.0.0.1:0"], stop=signal.SIGINT) as server:
        text = chromium("--dump-dom", server.url)
        page = Document(text)
        see(page.title.startswith("edgeloop"), "the page is there", text[:500])
        see(page.html.get("data-ready") == "yes", "the script ran to its end", page.html)
        see(page.rows == 8, "data.json was fetched and fills the table", page.rows)
        for name in CHECKS:
            said = " ".join(page.texts.get(f"check-{name}", "").split())
            see(page.attributes.get(f"check-{name}", {}).get("data-state") == "ok", f"{name}: {said}", said)
        verdict = page.texts.get("verdict", "")
        see(verdict.startswith(f"{len(CHECKS)} of {len(CHECKS)}"), "the page's own verdict", verdict)

        text = chromium("--dump-dom", server.url + "guide")
        see(Document(text).title.startswith("Guide"), "guide is redirected to guide/ and shown", text[:500])

        for name, size in [("desktop", "1280,900"), ("narrow", "500,900")]:
            path = os.path.join(shots, f"{name}.png")
            if os.path.exists(path):
                os.remove(path)
            chromium(f"--screenshot={path}", f"--window-size={size}", server.url)
            taken = os.path.getsize(path) if os.path.exists(path) else 0
            see(taken > 10_000, f"a screenshot, {name}", taken)
    listing(shots)
    ticker()
    print("browser.py: all as it should be, INT: exit 0")


if __name__ == "__main__":
    try:
        main()
    except Failed as failed:
        sys.exit(f"\nFAILED: {failed}")
