#!/usr/bin/env bash
# Runs the fuzz targets one after the other, each for so many seconds, and prints what they did as a table:
#   tests/fuzz/run.sh [SECONDS [TARGET...]]        60 seconds and all of them unless said otherwise
# Installs nothing. What they learn stays in tests/fuzz/corpus; what they find goes to tests/fuzz/artifacts, is printed as a
# line for tests/corpus/fuzz, and makes the exit status 1.
set -euo pipefail
cd "$(dirname "$0")"

seconds=${1:-60}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(head chunks connection session response conditions path multipart)

missing=()
cargo fuzz --version >/dev/null 2>&1 || missing+=("cargo-fuzz: cargo install cargo-fuzz")
cargo +nightly --version >/dev/null 2>&1 || missing+=("a nightly compiler: rustup toolchain install nightly")
command -v c++ >/dev/null || missing+=("a C++ compiler, for libFuzzer: apt-get install g++")
if [ ${#missing[@]} -gt 0 ]; then
    printf 'missing: %s\n' "${missing[@]}" >&2
    exit 2
fi

cargo +nightly build --quiet --bin seeds
built=$(cargo +nightly metadata --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# The servers that some targets run have their sockets and files there.
export TMPDIR=$scratch
mkdir -p artifacts

status=0
rows=()
for target in "${targets[@]}"; do
    "$built/debug/seeds" "$target" "$scratch/seeds-$target"
    mkdir -p "corpus/$target"
    log=$scratch/$target.log
    before=$(find artifacts -type f | wc -l)
    ran=yes
    cargo +nightly fuzz run --fuzz-dir . "$target" "corpus/$target" "$scratch/seeds-$target" -- \
        -max_total_time="$seconds" -max_len=2048 -timeout=10 -dict=http.dict -print_final_stats=1 \
        >"$log" 2>&1 || ran=no
    finds=$(($(find artifacts -type f | wc -l) - before))
    # number NAME: the last number behind that name in the log.
    number() { sed -n "s/.*$1 *\([0-9][0-9]*\).*/\1/p" "$log" | tail -n 1; }
    rows+=("| $target | $seconds | $(number stat::number_of_executed_units:) | $(number stat::average_exec_per_sec:) | $(number 'cov:') | $(number 'ft:') | $(number 'corp:') | $finds |")
    echo "${rows[-1]}"
    if [ "$ran" = no ]; then
        status=1
        tail -n 60 "$log"
        find artifacts -type f -newer "$scratch/seeds-$target" -print -exec "$built/debug/seeds" line {} \;
    fi
done

printf '\n| target | seconds | executions | per second | edges | features | inputs kept | finds |\n|---|---|---|---|---|---|---|---|\n'
printf '%s\n' "${rows[@]}"
exit "$status"
