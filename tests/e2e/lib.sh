# What the shell scripts here share. Sourced, not run. Servers are started on port 0 of loopback, and ended by their own pid.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
release=${CARGO_TARGET_DIR:-$root/target}/release
edgeloop=${EDGELOOP:-$release/edgeloop}
endpoints=${ENDPOINTS:-$release/examples/endpoints}
work=$(mktemp -d)
servers=0
declare -A alive # by pid; an ended one leaves, since its number may be someone else's by now
checks=0
said=""

finish() {
    local status=$? pid
    for pid in "${!alive[@]}"; do
        { kill -KILL "$pid" && wait "$pid"; } 2>/dev/null || true
    done
    rm -rf "$work"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

# fail WHAT: says what was run and what was seen, then ends the script.
fail() {
    printf '\nFAILED: %s\n  ran:  %s\n  saw:\n' "$1" "$said" >&2
    for file in "$work/head" "$work/err" "$work"/server.*; do
        [ -s "$file" ] && { printf '  -- %s\n' "${file##*/}"; head -c 4000 "$file" | sed 's/^/    /'; } >&2
    done
    exit 1
}

pass() {
    checks=$((checks + 1))
    printf '  ok  %s\n' "$1"
}

# start COMMAND...: runs a server; sets pid, and url without its last slash. The line on stdout is part of the contract.
start() {
    local out=$work/server.$servers.out err=$work/server.$servers.err
    said="$*"
    : >"$out" # now, since the shell that opens it below may come late
    "$@" >"$out" 2>"$err" </dev/null &
    pid=$!
    alive[$pid]=1
    servers=$((servers + 1))
    local i
    for ((i = 0; i < 200; i++)); do
        if url=$(sed -nE '1s#^listening on (http://127\.0\.0\.1:[0-9]+)/$#\1#p' "$out") && [ -n "$url" ]; then
            return
        fi
        kill -0 "$pid" 2>/dev/null || fail "the server ended before it listened"
        sleep 0.05
    done
    fail "no line 'listening on http://127.0.0.1:PORT/' within 10 s"
}

# ended PID STATUS: the process ends within 30 s, with this status. Polled, since `wait` has no time limit.
ended() {
    local i status=0
    said="wait for the server (pid $1)"
    for ((i = 0; i < 600; i++)); do
        kill -0 "$1" 2>/dev/null || break
        sleep 0.05
    done
    ! kill -0 "$1" 2>/dev/null || fail "still running after 30 s"
    wait "$1" || status=$?
    unset "alive[$1]"
    [ "$status" -eq "$2" ] || fail "exit status $status, wanted $2"
}
