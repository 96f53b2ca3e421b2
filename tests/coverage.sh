#!/usr/bin/env bash
# Which lines of the engine a test run reaches: tests/coverage.sh [--missing] [--at-least PERCENT] [FILTER...]
#
# Runs the tests of the test program whose names match a filter (`sim::` unless told otherwise), and prints a table of
# lines for each file of src/reactor, src/http and src/server, and for each of these layers. `--missing` lists the lines
# that were not reached; with `--at-least` the exit status is 1 when a layer is below it.
#
# A line counts if there is code on it that the test program has; it is covered if any instance of that code has run, in
# the test program itself or in another process of the same program. Other programs that tests start do not count. Lines
# from `#[cfg(test)]` before a module to the end of a file are left out. What is generic and never instantiated is not in
# the program, and so is not seen.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
missing=no
least=0
filters=()
while [ $# -gt 0 ]; do
    case $1 in
        --missing) missing=yes ;;
        --at-least) least=${2:?a percentage}; shift ;;
        -*) echo "usage: $0 [--missing] [--at-least PERCENT] [FILTER...]" >&2; exit 2 ;;
        *) filters+=("$1") ;;
    esac
    shift
done
[ ${#filters[@]} -gt 0 ] || filters=(sim::)

for tool in llvm-profdata llvm-cov; do
    found=$(compgen -G "$(rustc --print sysroot)/lib/rustlib/*/bin/$tool" | head -n 1 || true)
    [ -x "$found" ] || { echo "$tool is missing: rustup component add llvm-tools" >&2; exit 2; }
    declare "${tool//-/_}=$found"
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
built=${CARGO_TARGET_DIR:-$root/target}/coverage
# One unit, so that the linker leaves nothing out that is not used; no optimiser, so that lines are lines.
export RUSTFLAGS="-C instrument-coverage" CARGO_INCREMENTAL=0
export CARGO_PROFILE_TEST_OPT_LEVEL=0 CARGO_PROFILE_TEST_CODEGEN_UNITS=1 CARGO_PROFILE_DEV_CODEGEN_UNITS=1
# Build scripts are instrumented as well, and would leave their profiles where they run.
export LLVM_PROFILE_FILE=$work/build-%m.profraw
cargo test --locked --target-dir "$built" --all-features --test it --no-run 2>&1 | tee "$work/build" >&2
program=$(sed -nE 's/^ *Executable tests\/it\/main\.rs \((.*)\)$/\1/p' "$work/build" | tail -n 1)
[ -x "$program" ] || { echo "cargo named no test program" >&2; exit 2; }

# %m stands for the program: what the others write is told apart by it.
LLVM_PROFILE_FILE=$work/list-%m.profraw "$program" --list "${filters[@]}" >"$work/list"
tests=$(grep -c ': test$' "$work/list" || true)
[ "$tests" -gt 0 ] || { echo "no test matches: ${filters[*]}" >&2; exit 2; }
own=$(basename "$work"/list-*.profraw .profraw)
LLVM_PROFILE_FILE=$work/run-%m.profraw "$program" "${filters[@]}" >"$work/out" 2>&1 || { cat "$work/out" >&2; exit 1; }
"$llvm_profdata" merge --sparse -o "$work/profile" "$work/run-${own#list-}.profraw"
"$llvm_cov" export --format=lcov --instr-profile "$work/profile" "$program" >"$work/lcov"
echo "$tests tests match: ${filters[*]}"

python3 - "$work/lcov" "$missing" "$least" <<'END'
import re
import sys
from pathlib import Path

LAYERS = ["reactor", "http", "server"]
lcov, missing, least = sys.argv[1], sys.argv[2] == "yes", float(sys.argv[3])


def lines_of(text):
    """The lines that are no tests."""
    begin = re.search(r"^#\[cfg\(test\)\]\n(pub )?mod ", text, re.MULTILINE)
    return (text[: begin.start()] if begin else text).splitlines()


# By file: the lines with code, and whether each has run. A file is named once for every crate that has code of it.
counts = {}
for record in Path(lcov).read_text().split("end_of_record\n"):
    source = re.search(r"^SF:(.*)$", record, re.MULTILINE)
    if source and Path(source[1]).is_relative_to(Path.cwd() / "src"):
        lines = counts.setdefault(Path(source[1]).relative_to(Path.cwd()), {})
        for line, count in re.findall(r"^DA:(\d+),(\d+)", record, re.MULTILINE):
            lines[int(line)] = lines.get(int(line), False) or int(count) > 0


def row(name, covered, lines):
    percent = 100 * covered / lines if lines else 100.0
    print(f"{name:34} {lines:6} {covered:8} {percent:8.1f}")
    return percent


print(f"{'':34} {'lines':>6} {'covered':>8} {'percent':>8}")
below, not_covered = [], []
for layer in LAYERS:
    total = [0, 0]
    files = sorted(Path("src", layer).rglob("*.rs"))
    assert files, f"src/{layer} has no file"
    for file in files:
        text = lines_of(file.read_text())
        ran = {line: it for line, it in counts.get(file, {}).items() if line <= len(text)}
        if not ran:
            print(f"{file!s:34}   no code of its own, or none that the program has")
            continue
        covered = sum(ran.values())
        row(str(file), covered, len(ran))
        total = [total[0] + covered, total[1] + len(ran)]
        not_covered += [f"{file}:{line}: {text[line - 1].strip()}" for line in sorted(ran) if not ran[line]]
    if row(f"== {layer}", *total) < least or not total[1]:
        below.append(layer)
if missing:
    print("\nnot covered:", *not_covered, sep="\n")
if below:
    sys.exit(f"below {least:g} percent: {', '.join(below)}")
END
