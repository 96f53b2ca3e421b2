"""What the scripts that break the tree share: a copy of it, one change at a time, commands that end, a table."""

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def copy_tree(scratch):
    """The copies are new: with the times of the originals they would pass for what an earlier run has built."""
    for name in ["Cargo.toml", "Cargo.lock", "src", "tests", "examples", "benches", "README.md", "NOTES.md"]:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, scratch / name, copy_function=shutil.copy)
        elif source.exists():
            shutil.copy(source, scratch / name)


def environment(**more):
    """One directory for all that is built for mutations. Without debug information the test binary links faster."""
    base = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return dict(os.environ, CARGO_TARGET_DIR=str(base / "broken"), CARGO_PROFILE_DEV_DEBUG="0", RUST_BACKTRACE="0", **more)


def with_changes(scratch, changes, attempt):
    """What `attempt` says of the tree with these changes: file, text, what stands in its place. Or why they can't be made."""
    sound = {}
    try:
        for name, text, instead in changes:
            path = scratch / name
            content = path.read_text()
            if (count := content.count(text)) != 1:
                return f"NO: {name} has the text {count} times"
            sound.setdefault(path, content)
            path.write_text(content.replace(text, instead))
        return attempt()
    finally:
        for path, content in sound.items():
            path.write_text(content)


def bounded(command, directory, environment, seconds):
    """The status of a command and what it printed; no status when it was ended because it took too long."""
    process = subprocess.Popen(command, cwd=directory, env=environment, text=True, errors="replace",
                               start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        output, _ = process.communicate(timeout=seconds)
        return process.returncode, output
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)  # the group that was started for it
        output, _ = process.communicate()
        return None, output


def print_table(heading, rows):
    table = [heading, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(heading))]
    for row in table:
        print(" | ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
