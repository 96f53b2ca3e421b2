#!/usr/bin/env bash
# wrk against the endpoints example: 64 connections, plain and pipelined, an answer from memory and a file.
# Nothing here is timed; every request has to be answered with 2xx and no socket may fail.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

seconds=${SECONDS_EACH:-3}

# wrk counts 400 and above only, so that a 3xx would pass: look once before.
look() {
    said="curl $1"
    local code
    code=$(curl --silent --max-time 20 --output /dev/null --write-out '%{http_code}' "$1") || fail "curl ended with status $?"
    [ "$code" = 200 ] || fail "status $code, wanted 200"
}

# load URL DEPTH
load() {
    look "$1"
    said="DEPTH=$2 wrk -t1 -c64 -d$seconds -s load.lua $1"
    DEPTH=$2 timeout $((seconds + 30)) wrk -t1 -c64 "-d$seconds" --timeout 10s -s "$root/tests/e2e/load.lua" "$1" >"$work/head" 2>&1 || fail "wrk ended with status $?"
    local counts
    counts=$(grep '^counts ' "$work/head") || fail "wrk said no counts"
    [[ "$counts" =~ requests=[1-9] ]] || fail "no request was answered"
    [[ "$counts" == *" connect=0 read=0 write=0 timeout=0 status=0" ]] || fail "$counts"
    pass "depth $2, ${1#http://*/}: ${counts#counts }"
}

for cores in 1 2; do
    echo "$cores core(s)"
    start "$endpoints" --listen 127.0.0.1:0 --cores "$cores" --root "$root/examples/site"
    for depth in 1 16; do
        load "$url/plaintext" "$depth"
        load "$url/static/style.css" "$depth"
    done
    kill -TERM "$pid"
    ended "$pid" 0
done
echo "load.sh: $checks runs without an error"
