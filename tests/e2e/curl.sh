#!/usr/bin/env bash
# curl against the release binary on a copy of examples/site, and against the endpoints example.
# EDGELOOP and ENDPOINTS name other programs to test.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# ask ARGS...: one curl run. Heads go to $work/head, the body to $work/body, what curl says to $work/err; sets code.
ask() {
    said="curl $*"
    : >"$work/head" >"$work/body"
    code=$(curl --silent --show-error --max-time 20 --dump-header "$work/head" --output "$work/body" \
        --write-out '%{http_code}' "$@" 2>"$work/err") || fail "curl ended with status $?"
}

is() { [ "$code" = "$1" ] || fail "status $code, wanted $1"; }
one_of() { [[ " $* " == *" $code "* ]] || fail "status $code, wanted one of: $*"; }
has() { tr -d '\r' <"$work/head" | grep -qiE "$1" || fail "no line of the head matches $1"; }
lacks() { ! tr -d '\r' <"$work/head" | grep -qiE "$1" || fail "a line of the head matches $1"; }
body_is() { cmp -s "$1" "$work/body" || fail "the body ($(wc -c <"$work/body") bytes) differs from $1"; }
field() { tr -d '\r' <"$work/head" | sed -nE "s/^$1: *//Ip" | head -n 1; }

# A copy, so that there are names which the site itself should not have. -p keeps the times: an ETag is strong only for
# a file that has rested for two seconds.
site=$work/site
cp -Rp "$root/examples/site" "$site"
size=$(wc -c <"$site/index.html")
echo secret >"$site/.hidden"
mkdir "$site/.well-known" "$site/evil.example" "$site/a b"
echo known >"$site/.well-known/known.txt"
echo spaced >"$site/a b/ü%.txt"
ln -s /etc "$site/out"
head -c 8000000 /dev/urandom >"$site/large.bin"
find "$site" -type f -newermt '-1 hour' -exec touch -d '2024-01-02 03:04:05.678' {} +

# What is set besides: a coded sibling, a listing, a page for what is not there, one for an application of one page.
mkdir "$work/set" "$work/set/listed"
cp -p "$site/style.css" "$work/set/"
gzip -9 -n -c "$site/style.css" >"$work/set/style.css.gz"
echo '<!doctype html>no such thing' >"$work/set/404.html"
echo '<!doctype html>the application' >"$work/set/app.html"
echo 'application/x-own own' >"$work/mime.types"
touch "$work/set/a.own" "$work/set/listed/<b>.txt"

echo "files"
start "$edgeloop" serve "$site" --listen 127.0.0.1:0
server=$pid
files=$url

ask "$files/"; is 200; body_is "$site/index.html"
has '^HTTP/1\.1 200 OK$'; has '^content-type: text/html; ?charset=utf-8$'; has "^content-length: $size\$"
has '^last-modified: [A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT$'; has '^etag: "[^"]+"$'
has '^date: '; has '^x-content-type-options: nosniff$'; has '^accept-ranges: bytes$'
etag=$(field etag); modified=$(field last-modified)
pass "a file has its type, length, date, ETag and Last-Modified"

ask "$files/index.html"; is 200; body_is "$site/index.html"
pass "/index.html is served, not redirected"
for pair in style.css:text/css app.js:'(text|application)/javascript' data.json:application/json logo.svg:image/svg\\+xml turns.png:image/png; do
    ask "$files/${pair%%:*}"; is 200; has "^content-type: ${pair#*:}(;.*)?\$"; body_is "$site/${pair%%:*}"
done
pass "every kind of file has its type"
ask "$files/a%20b/%C3%BC%25.txt"; is 200; body_is "$site/a b/ü%.txt"
pass "names are percent-decoded, once"
ask "$files/large.bin"; is 200; body_is "$site/large.bin"
pass "8 MB arrive whole"

# A body after HEAD would be read as the start of the second answer.
ask --head "$files/" --next --silent --output "$work/second" "$files/data.json"
has '^HTTP/1\.1 200 OK$'; has "^content-length: $size\$"; cmp -s "$work/second" "$site/data.json" || fail "the answer after HEAD differs"
pass "HEAD has the same head and no body"

ask -H "If-None-Match: $etag" "$files/"; is 304; lacks '^content-type: '; [ ! -s "$work/body" ] || fail "304 with a body"
[ "$(field etag)" = "$etag" ] || fail "304 without the ETag"
ask -H 'If-None-Match: "other"' "$files/"; is 200
ask -H "If-Modified-Since: $modified" "$files/"; is 304
ask -H 'If-Modified-Since: Mon, 01 Jan 1990 00:00:00 GMT' "$files/"; is 200
ask -H 'If-None-Match: "other"' -H "If-Modified-Since: $modified" "$files/"; is 200
ask -H 'If-Match: "other"' "$files/"; is 412
pass "conditions: 304, 412, and If-None-Match before If-Modified-Since"

head -c 10 "$site/index.html" >"$work/want"
ask -H 'Range: bytes=0-9' "$files/"; is 206; has "^content-range: bytes 0-9/$size\$"; has '^content-length: 10$'; body_is "$work/want"
tail -c 7 "$site/index.html" >"$work/want"
ask -H 'Range: bytes=-7' "$files/"; is 206; has "^content-range: bytes $((size - 7))-$((size - 1))/$size\$"; body_is "$work/want"
ask -H 'Range: bytes=0-9' -H "If-Range: $etag" "$files/"; is 206
ask -H 'Range: bytes=0-9' -H 'If-Range: "other"' "$files/"; is 200; body_is "$site/index.html"
ask -H "Range: bytes=$size-" "$files/"; is 416; has "^content-range: bytes \*/$size\$"
ask --head -H 'Range: bytes=0-9' "$files/"; is 200
head -c 4000000 "$site/large.bin" >"$work/resumed"
said="curl --continue-at - $files/large.bin"
curl --silent --show-error --max-time 20 --continue-at - --output "$work/resumed" "$files/large.bin" 2>"$work/err" || fail "curl ended with status $?"
cmp -s "$work/resumed" "$site/large.bin" || fail "the resumed file differs"
pass "ranges: first, last, If-Range, unsatisfiable, resumed download"
ask -r 0-4,10-14 "$files/"; is 206; has '^content-type: multipart/byteranges; boundary='; has "^content-length: $(wc -c <"$work/body")\$"
[ "$(grep -ac '^Content-Range: bytes ' "$work/body")" -eq 2 ] || fail "not two parts"
pass "several ranges are several parts"

ask "$files/guide"; is 308; has '^location: (\./)?guide/$'
ask --location "$files/guide"; is 200; body_is "$site/guide/index.html"
ask --path-as-is "$files//evil.example"; one_of 308 404 400; lacks '^location: (//|[a-z]+:)'
ask --path-as-is "$files/%2Fevil.example"; one_of 404 400
pass "a directory is redirected to its slash, relative, never to another host"

ask "$files/nothing-here"; is 404
ask "$files/guide/nothing-here"; is 404
ask "$files/index.html/more"; one_of 404 400
for method in POST PUT DELETE; do
    ask --request "$method" "$files/"; is 405; has '^allow: .*GET'; has '^allow: .*HEAD'
done
ask --data "x=1" "$files/"; is 405
pass "404 for what is not there, 405 with Allow for what is not asked so"

for path in /../../etc/passwd /guide/../../../etc/passwd /%2e%2e/%2e%2e/etc/passwd /..%2f..%2fetc/passwd /guide/%2e%2e%2f%2e%2e%2fetc/passwd \
    /out/passwd /out /index.html%00.png '/..\..\etc\passwd'; do
    ask --path-as-is "$files$path"; one_of 400 404
    ! grep -q 'root:' "$work/body" || fail "/etc/passwd was sent"
done
ask "$files/.hidden"; is 404
ask "$files/%2ehidden"; is 404
ask "$files/.well-known/known.txt"; is 200; body_is "$site/.well-known/known.txt"
pass "no path leaves the root, no dotfile is served but .well-known"

start "$edgeloop" serve "$work/set" --listen 127.0.0.1:0 --list --error-page 404=/404.html --spa=/app.html \
    --mime-types "$work/mime.types" --cache-control '*.css=max-age=60' --index none.html
set=$pid
ask --compressed -H 'Accept-Encoding: gzip' "$url/style.css"; is 200; body_is "$site/style.css"; has '^content-encoding: gzip$'; has '^vary: accept-encoding$'
has '^cache-control: max-age=60$'
ask "$url/style.css"; is 200; body_is "$site/style.css"; lacks '^content-encoding: '; has '^vary: accept-encoding$'
pass "a coded sibling is sent to who takes it, and what varies says so"
ask "$url/listed/"; is 200; has '^content-type: text/html'; grep -q '&lt;b&gt;.txt' "$work/body" || fail "no row, or no text"
ask -H 'Accept: application/json' "$url/listed/"; is 200; python3 -m json.tool "$work/body" >/dev/null || fail "not JSON"
pass "a directory is listed, as a page and in JSON"
ask "$url/none.png"; is 404; body_is "$work/set/404.html"
ask -H 'Accept: text/html' "$url/users/7"; is 200; body_is "$work/set/app.html"
ask "$url/a.own"; is 200; has '^content-type: application/x-own$'
pass "an error page, a fallback for browsers, media types of one's own"
kill -TERM "$set"
ended "$set" 0

said="curl --write-out %{num_connects} $files/ $files/data.json $files/nothing-here $files/style.css"
seen=$(curl --silent --max-time 20 --output /dev/null --output /dev/null --output /dev/null --output /dev/null \
    --write-out '%{num_connects}:%{http_code} ' "$files/" "$files/data.json" "$files/nothing-here" "$files/style.css")
[ "$seen" = "1:200 0:200 0:404 0:200 " ] || fail "new connections and statuses: $seen"
pass "four requests, one of them 404, use one connection"

ask --http1.0 "$files/"; is 200; body_is "$site/index.html"; lacks '^transfer-encoding: '; lacks '^connection: keep-alive$'
said="curl --http1.0 -H 'Connection: keep-alive' $files/ $files/data.json"
seen=$(curl --silent --max-time 20 --http1.0 -H 'Connection: keep-alive' --output /dev/null --output /dev/null \
    --write-out '%{num_connects}:%{http_code} ' "$files/" "$files/data.json")
[ "$seen" = "1:200 0:200 " ] || fail "new connections and statuses: $seen"
ask -H 'Connection: close' "$files/"; is 200; has '^connection: close$'
pass "HTTP/1.0 closes, and is kept alive when it asks; close is honoured and said"

ask -H 'Host:' --http1.1 "$files/"; is 400
ask -H 'Host: a b' "$files/"; is 400
ask -H "X-Long: $(head -c 20000 /dev/zero | tr '\0' a)" "$files/"; is 431
ask "$files/$(head -c 9000 /dev/zero | tr '\0' a)"; is 414
pass "no Host or a bad one 400, large head 431, long target 414"

echo "life"
said="$edgeloop serve on a port in use"
port=${files##*:}
status=0
timeout 20 "$edgeloop" serve "$site" --listen "127.0.0.1:$port" >"$work/head" 2>"$work/err" </dev/null || status=$?
[ "$status" -eq 1 ] || fail "exit status $status, wanted 1"
[ ! -s "$work/head" ] || fail "something on stdout"
[ "$(wc -l <"$work/err")" -eq 1 ] || fail "not one line on stderr"
grep -q "$port" "$work/err" || fail "the line does not name the port"
pass "a port in use: exit 1 and one line"

said="$edgeloop serve --no-such-flag"
status=0
timeout 20 "$edgeloop" serve --no-such-flag >"$work/head" 2>"$work/err" </dev/null || status=$?
[ "$status" -eq 2 ] || fail "exit status $status, wanted 2"
[ ! -s "$work/head" ] || fail "something on stdout"
[ -s "$work/err" ] || fail "nothing on stderr"
pass "an unknown flag: exit 2"

# TERM while a slow download is under way: it has to end whole, and new clients have to be refused.
curl --silent --show-error --max-time 60 --limit-rate 4M --output "$work/drained" "$files/large.bin" 2>"$work/err" &
slow=$!
for ((i = 0; i < 100; i++)); do
    [ -s "$work/drained" ] && break
    sleep 0.05
done
kill -TERM "$server"
said="curl --limit-rate 4M $files/large.bin, with TERM on the way"
wait "$slow" || fail "curl ended with status $?"
cmp -s "$work/drained" "$site/large.bin" || fail "the file differs"
ended "$server" 0
said="curl $files/ after the drain"
! curl --silent --max-time 5 --output /dev/null "$files/" || fail "someone still answers"
[ "$(wc -l <"$work/server.0.out")" -eq 1 ] || fail "more than one line on stdout"
pass "TERM: the download in progress ends whole, then exit 0"

echo "endpoints"
start "$endpoints" --listen 127.0.0.1:0 --cores 2 --root "$site"
server=$pid
app=$url

ask "$app/plaintext"; is 200; has '^content-type: text/plain'; [ -s "$work/body" ] || fail "no body"
ask "$app/json"; is 200; has '^content-type: application/json'; python3 -m json.tool "$work/body" >/dev/null || fail "not JSON"
ask "$app/users/42"; is 200; grep -q 42 "$work/body" || fail "the id is not in the answer"
ask "$app/bytes/100000"; is 200; [ "$(wc -c <"$work/body")" -eq 100000 ] || fail "not 100000 bytes"
ask "$app/static/data.json"; is 200; body_is "$site/data.json"
ask "$app/nothing-here"; is 404
ask --data x "$app/plaintext"; is 405; has '^allow: .*GET'
pass "routes answer; another method is 405 with Allow"

head -c 2000 /dev/urandom >"$work/small"
head -c 700000 /dev/urandom >"$work/big"
head -c 2000000 /dev/urandom >"$work/excess"
ask --data-binary "@$work/small" "$app/echo"; is 200; body_is "$work/small"
ask -H 'Expect: 100-continue' --expect100-timeout 15 --data-binary "@$work/small" "$app/echo"; is 200; has '^HTTP/1\.1 100 '; body_is "$work/small"
pass "Expect: 100-continue is answered with 100, then with the echo"
for body in small big; do
    ask -H 'Transfer-Encoding: chunked' -H 'Expect:' --data-binary "@$work/$body" "$app/echo"; is 200; body_is "$work/$body"
done
ask --request POST --upload-file - -H 'Expect:' "$app/echo" <"$work/big"; is 200; body_is "$work/big"
pass "chunked uploads come back whole"
ask -H 'Expect: 100-continue' --expect100-timeout 15 --data-binary "@$work/excess" "$app/echo"; is 413; lacks '^HTTP/1\.1 100 '; has '^connection: close$'
ask -H 'Expect: something-else' --data-binary "@$work/small" "$app/echo"; is 417
pass "a body over the limit: 413 before it is sent; another expectation: 417"

kill -TERM "$server"
ended "$server" 0
pass "TERM: exit 0"

echo "curl.sh: $checks groups of checks passed"
