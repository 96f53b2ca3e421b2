#!/usr/bin/env bash
# The integration tests once under AddressSanitizer: the loop, the sockets and everything else that is unsafe below them,
# with the programs that the tests start. Whoever reads or writes what is not theirs, uses it after it is freed, or leaks
# it, ends the run. That this is so is shown first, by two programs that do it.
#
# The stable toolchain has the runtime; only the flag is not stable. Everything is built below target/asan.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
target=x86_64-unknown-linux-gnu
built=${CARGO_TARGET_DIR:-$root/target}/asan
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

export RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=address" CARGO_INCREMENTAL=0
# Enough for a line number in what is reported.
export CARGO_PROFILE_TEST_DEBUG=line-tables-only CARGO_PROFILE_DEV_DEBUG=line-tables-only
export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1

fail() {
    printf '\nFAILED: %s\n' "$1" >&2
    exit 1
}

# must_end NAME WHAT: the program on stdin is ended by the sanitizer, which says WHAT.
must_end() {
    cat >"$work/$1.rs"
    # shellcheck disable=SC2086 # flags are words
    rustc --edition 2024 --target "$target" $RUSTFLAGS -C opt-level=1 -o "$work/$1" "$work/$1.rs"
    if "$work/$1" >"$work/$1.out" 2>&1; then
        fail "$1: nobody noticed"
    fi
    grep -q "$2" "$work/$1.out" || { cat "$work/$1.out" >&2; fail "$1: it ended, but nobody said $2"; }
    echo "  ok  $1: $2"
}

echo "what the sanitizer has to notice"
must_end use_after_free "AddressSanitizer: heap-use-after-free" <<'END'
fn main() {
    let freed = {
        let owner = Box::new(std::hint::black_box(1u8));
        &raw const *owner
    };
    // SAFETY: none. This is the fault that has to be noticed.
    println!("{}", unsafe { std::hint::black_box(freed).read() });
}
END
must_end leak "LeakSanitizer: detected memory leaks" <<'END'
fn main() {
    std::mem::forget(std::hint::black_box(vec![1u8; 100]));
}
END

echo "the tests"
# Without the simulation: none of its calls is the kernel's, and no code that it reaches is unsafe.
# The last line of its kind names the program.
cargo test --locked --target "$target" --target-dir "$built" --features json,compress --test it --no-run 2>&1 | tee "$work/build"
program=$(sed -nE 's/^ *Executable tests\/it\/main\.rs \((.*)\)$/\1/p' "$work/build" | tail -n 1)
[ -x "$program" ] || fail "cargo named no test program"
grep -q __asan_init "$program" || fail "the test program is not watched"

skipped=(
    # Each has a cargo of its own build what it starts, and would wait for a second build to have it watched as well.
    examples::
    # Nothing but functions of a part that forbids unsafe code, tens of thousands of times.
    fuzz:: http::hyper:: http::property:: http::split::
)
"$program" "${skipped[@]/#/--skip=}" --test-threads=4
