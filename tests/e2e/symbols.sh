#!/usr/bin/env bash
# Whether profilers find their way in the release binary: the phases of a request are functions of their own names, the
# symbols are there, and what they cost is known: a stripped copy is small.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

routed=${ROUTED:-$release/examples/ticker}
stripped_max=$((4 << 20))

# phases BINARY NAME...: each is a function of the program, once at least. A name is an expression for grep.
phases() {
    local binary=$1 name found
    shift
    said="nm -C $binary"
    nm -C --defined-only "$binary" >"$work/head"
    for name in "$@"; do
        # Text, global or local; whatever stands for the type that it belongs to.
        found=$(grep -cE "^[0-9a-f]+ [tT] .*edgeloop.*$name(::<.*>)?(::h[0-9a-f]{16})?\$" "$work/head") || true
        [ "$found" -gt 0 ] || fail "${binary##*/} has no function $name"
        pass "${binary##*/} has $name"
    done
}

phases "$edgeloop" 'Worker<.*accept_ready' 'Socket.*recv_ready' 'request::parse_head' 'Session<.*handle' 'Conn.*encode' \
    'Socket.*send_ready' 'Session<.*expire'
phases "$routed" 'Router.*route'

said="strip -o $work/stripped $edgeloop"
strip -o "$work/stripped" "$edgeloop"
! nm "$work/stripped" 2>/dev/null | grep -q . || fail "the stripped copy has symbols: then so would any"
size=$(stat -c %s "$work/stripped")
[ "$size" -le "$stripped_max" ] || fail "the stripped copy has $size bytes, wanted at most $stripped_max"
pass "the stripped copy has $size bytes (at most $stripped_max; with symbols $(stat -c %s "$edgeloop"))"
echo "symbols.sh: $checks checks"
