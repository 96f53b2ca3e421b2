#!/usr/bin/env bash
# How many system calls the endpoints example makes: per request at 64 connections, plain and pipelined, and with ten
# thousand idle connections; and whether what the server counts itself is right. strace counts calls, wrk counts answers;
# connecting and closing is counted as well.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

seconds=${SECONDS_EACH:-3}
connections=64
idle=${IDLE:-10000}

# attach OPTION...: strace counts or writes down what the server does from now on.
attach() {
    said="strace $* -p $pid"
    strace -f "$@" -o "$work/trace" -p "$pid" 2>"$work/err" &
    tracer=$!
    alive[$tracer]=1
    local i
    for ((i = 0; i < 200; i++)); do
        grep -q "^TracerPid:[[:space:]]*$tracer$" "/proc/$pid/status" && return
        kill -0 "$tracer" 2>/dev/null || fail "strace ended before it was attached"
        sleep 0.05
    done
    fail "strace was not attached within 10 s"
}

detach() {
    kill -INT "$tracer"
    wait "$tracer" || true # its status is the signal's
    unset "alive[$tracer]"
}

# calls NAME: how often, of the last trace.
calls() {
    awk -v name="$1" '$NF == name && $4 ~ /^[0-9]+$/ { print $4; found = 1 } END { if (!found) print 0 }' "$work/trace"
}

# at_most WHAT FIGURE BOUND
at_most() {
    awk -v a="$2" -v b="$3" 'BEGIN { exit !(a <= b) }' || fail "$1: $2, wanted at most $3"
    pass "$1: $2 (at most $3)"
}

# measure PATH DEPTH BOUND: system calls per request, in all and of those that belong to connections only.
measure() {
    local counts requests=0 all name span=$seconds
    # A busy machine answers fewer, so that what connections cost is spread over too few: then it takes longer.
    while [ "$requests" -lt $((100 * connections * $2)) ] && [ "$span" -le $((9 * seconds)) ]; do
        attach -c
        said="DEPTH=$2 wrk -t1 -c$connections -d$span -s load.lua $url$1"
        DEPTH=$2 timeout $((span + 30)) wrk -t1 "-c$connections" "-d$span" --timeout 10s -s "$root/tests/e2e/load.lua" "$url$1" >"$work/head" 2>&1 || fail "wrk ended with status $?"
        detach
        counts=$(grep '^counts ' "$work/head") || fail "wrk said no counts"
        [[ "$counts" == *" connect=0 read=0 write=0 timeout=0 status=0" ]] || fail "$counts"
        requests=$(sed -E 's/.*requests=([0-9]+).*/\1/' <<<"$counts")
        span=$((3 * span))
    done
    [ "$requests" -gt 0 ] || fail "no request was answered"
    all=$(awk '$NF == "total" { print NF == 4 ? $3 : $4 }' "$work/trace")
    printf '      %s requests, %s calls:%s\n' "$requests" "$all" \
        "$(awk '$4 ~ /^[0-9]+$/ && $NF != "total" { printf " %s %s", $NF, $4 }' "$work/trace")"
    at_most "$1, depth $2: calls per request" "$(awk -v a="$all" -v r="$requests" 'BEGIN { printf "%.3f", a / r }')" "$3"
    # Once to register a connection, once when a send was short.
    at_most "$1, depth $2: epoll_ctl" "$(calls epoll_ctl)" $((2 * connections))
    for name in setsockopt clock_gettime ioctl futex; do
        at_most "$1, depth $2: $name" "$(calls $name)" 0
    done
}

# Idle ones are a matter of descriptors.
ulimit -n "$(ulimit -Hn)"
start "$endpoints" --listen 127.0.0.1:0 --root "$root/examples/site"
measure /plaintext 1 2.10
measure /plaintext 16 0.15
# What is remembered costs no look at the file: once a turn the kernel is asked whether it has changed.
measure /static/style.css 1 2.15

said="$idle idle connections"
python3 - "${url##*:}" "$idle" >"$work/head" 2>"$work/err" <<'PYTHON' &
import socket, sys, time
port, count = int(sys.argv[1]), int(sys.argv[2])
clients = []
for _ in range(count):
    client = socket.create_connection(("127.0.0.1", port), timeout=10)
    client.sendall(b"GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n")
    assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
    clients.append(client)
print("idle", flush=True)
time.sleep(60)
PYTHON
client=$!
alive[$client]=1
for ((i = 0; i < 1200; i++)); do
    grep -q idle "$work/head" && break
    kill -0 "$client" 2>/dev/null || fail "the client ended"
    sleep 0.05
done
grep -q idle "$work/head" || fail "not connected within 60 s"
sleep 15
attach -ttt
sleep 11
detach
# To be attached to interrupts epoll_wait(2) once; the ten seconds begin a second after that.
woken=$(awk '/[a-z_0-9]+\(/ { for (i = 1; i <= NF; i++) if ($i ~ /^[0-9]+\.[0-9]+$/) { at = $i; break }
    if (!begin) begin = at
    if (at > begin + 1 && !/<detached|resumed/) count++ } END { print count + 0 }' "$work/trace")
at_most "$idle idle connections: calls in 10 s" "$woken" 0
descriptors=$(ls "/proc/$pid/fd" | wc -l)
[ "$descriptors" -gt "$idle" ] || fail "they were not idle but closed: $descriptors descriptors"
kill -TERM "$client"
wait "$client" 2>/dev/null || true
unset "alive[$client]"
kill -TERM "$pid"
ended "$pid" 0

# What the server counts itself is what strace counts: to the last call, once all connections have ended.
start "$edgeloop" serve "$root/examples/site" --listen 127.0.0.1:0 --stats=json
err=$work/server.$((servers - 1)).err
attach -c
said="wrk -t1 -c$connections -d1s $url/style.css"
timeout 30 wrk -t1 "-c$connections" -d1s "$url/style.css" >"$work/head" 2>&1 || fail "wrk ended with status $?"
sleep 1
detach
kill -TERM "$pid"
ended "$pid" 0
for pair in recvs:recvfrom sends:sendto sendfiles:sendfile; do
    counted=$(sed -nE "s/.*\"${pair%:*}\":([0-9]+).*/\1/p" "$err")
    said="--stats=json, and strace -c"
    [ "$counted" = "$(calls "${pair#*:}")" ] || fail "${pair%:*}: $counted counted, ${pair#*:}: $(calls "${pair#*:}") by strace"
    pass "${pair%:*}: $counted, by strace as well"
done
echo "syscalls.sh: $checks figures within their bounds"
