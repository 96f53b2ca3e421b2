//! What of a head is nobody's business. Filler takes its place, as many bytes, so that a replay costs what it cost.

use crate::http::is_token;

/// What stands for every byte that is taken out.
pub(super) const FILLER: u8 = b'x';

/// Fields whose values are no secrets, in small letters and in order. A value is kept only if its field is among them:
/// whoever invents a field for a key need not be known here.
const PLAIN: &[&str] = &[
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "access-control-request-headers",
    "access-control-request-method",
    "cache-control",
    "connection",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-range",
    "content-type",
    "date",
    "dnt",
    "early-data",
    "expect",
    "forwarded",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "last-event-id",
    "max-forwards",
    "origin",
    "pragma",
    "prefer",
    "priority",
    "range",
    "referer",
    "save-data",
    "sec-ch-ua",
    "sec-ch-ua-mobile",
    "sec-ch-ua-platform",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "sec-fetch-user",
    "sec-gpc",
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-version",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "upgrade-insecure-requests",
    "user-agent",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-request-id",
    "x-requested-with",
];

/// What is in the names of parameters whose values are secrets.
const SECRET: &[&str] = &[
    "auth", "code", "cred", "jwt", "key", "nonce", "otp", "pass", "pin", "pwd", "secret",
    "session", "sid", "sig", "state", "ticket", "token",
];

/// Takes out of a head, or of the beginning of one, whatever it is.
pub(super) fn redact_head(head: &mut [u8]) {
    let mut lines = head.split_inclusive_mut(|byte| *byte == b'\n');
    // Empty lines may come before a request line.
    for line in lines.by_ref() {
        if !line.trim_ascii().is_empty() {
            redact_request_line(line);
            break;
        }
    }
    for line in lines {
        redact_line(line);
    }
}

/// Takes out of lines of fields, or of the beginning of some, whatever they are.
pub(super) fn redact_fields(section: &mut [u8]) {
    for line in section.split_inclusive_mut(|byte| *byte == b'\n') {
        redact_line(line);
    }
}

/// Takes out everything that can be seen. What controls the line stays, so that it is refused if it was.
pub(super) fn fill(bytes: &mut [u8]) {
    for byte in bytes {
        if *byte > b' ' && *byte != 0x7f {
            *byte = FILLER;
        }
    }
}

/// A request line is a method, a target and a version; anything else could be anything.
fn redact_request_line(line: &mut [u8]) {
    let end = line.trim_ascii_end().len();
    let (words, _) = line.split_at_mut(end);
    let is_one = words.split(|byte| *byte == b' ').count() == 3
        && words
            .rsplit(|byte| *byte == b' ')
            .next()
            .is_some_and(|version| version.starts_with(b"HTTP/") && version.len() == 8)
        && words
            .iter()
            .take_while(|byte| **byte != b' ')
            .all(u8::is_ascii_uppercase);
    if !is_one {
        return fill(words);
    }
    if let Some(target) = words.split_mut(|byte| *byte == b' ').nth(1) {
        redact_url(target);
    }
}

/// One field, or what stands where one should.
fn redact_line(line: &mut [u8]) {
    let Some(colon) = line.iter().position(|byte| *byte == b':') else {
        return fill(line);
    };
    let (name, value) = line.split_at_mut(colon);
    if !is_token(name) {
        // White space before the colon, or at the beginning: more of the value before.
        fill(name);
        return fill(value);
    }
    let name = name.to_ascii_lowercase();
    let value = &mut value[1..];
    match name.as_slice() {
        b"host" | b"referer" => redact_url(value),
        b"cookie" => redact_cookies(value),
        name if PLAIN.binary_search_by(|it| it.as_bytes().cmp(name)).is_ok() => {}
        _ => fill(value),
    }
}

/// What stands between the names and values of cookies stays: that is what they are read by.
fn redact_cookies(value: &mut [u8]) {
    for part in value.split_mut(|byte| matches!(byte, b'=' | b';')) {
        fill(part);
    }
}

/// Who somebody is before an authority, and secrets in a query. A path is taken for none.
fn redact_url(url: &mut [u8]) {
    let query = url.iter().position(|byte| *byte == b'?');
    let (before, query) = url.split_at_mut(query.unwrap_or(url.len()));
    if before.trim_ascii_start().first() != Some(&b'/')
        && let Some(at) = before.iter().rposition(|byte| *byte == b'@')
    {
        let scheme = before[..at].windows(3).position(|it| it == b"://");
        fill(&mut before[scheme.map_or(0, |scheme| scheme + 3)..at]);
    }
    for parameter in query.split_mut(|byte| matches!(byte, b'?' | b'&' | b';' | b'#')) {
        let equals = parameter.iter().position(|byte| *byte == b'=');
        let (name, value) = parameter.split_at_mut(equals.unwrap_or(0));
        // A query without names can be a secret as well as anything else.
        if equals.is_none() || is_secret(name) {
            for part in value.split_mut(|byte| *byte == b'=') {
                fill(part);
            }
        }
    }
}

/// Whether a parameter's name says so. One that is encoded is not read, and taken for one.
fn is_secret(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    let has = |word: &&str| name.windows(word.len()).any(|it| it == word.as_bytes());
    name.contains(&b'%') || SECRET.iter().any(has)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(bytes: &str) -> String {
        let mut head = bytes.as_bytes().to_vec();
        redact_head(&mut head);
        String::from_utf8(head).expect("text")
    }

    #[test]
    fn plain_fields_are_in_order_and_found() {
        assert!(PLAIN.is_sorted());
        let kept = "GET /a/b?x=1&y=2 HTTP/1.1\r\nHost: a:80\r\nACCEPT: */*\r\nIf-None-Match: \"a\"\r\n\r\n";
        assert_eq!(head(kept), kept);
    }

    #[test]
    fn secrets_are_as_many_bytes_of_filler() {
        for (line, wanted) in [
            ("Authorization: Basic YTpi", "Authorization: xxxxx xxxx"),
            ("AUTHORIZATION:a", "AUTHORIZATION:x"),
            ("Proxy-Authorization: a\tb", "Proxy-Authorization: x\tx"),
            ("Cookie: a=b; c=\"d e\"", "Cookie: x=x; x=xx xx"),
            ("X-Api-Key: k\u{e9}", "X-Api-Key: xxx"),
            ("Anything-Else: 1", "Anything-Else: x"),
            (
                "Referer: http://u:p@a/b?token=c&d=e",
                "Referer: http://xxx@a/b?token=x&d=e",
            ),
            ("Host: u@a", "Host: x@a"),
            // What no server takes: white space around names, folds, lines without a name.
            ("Authorization : a", "xxxxxxxxxxxxx x x"),
            (" folded: secret", " xxxxxxx xxxxxx"),
            ("\tsecret", "\txxxxxx"),
            ("secret", "xxxxxx"),
            (": secret", "x xxxxxx"),
            ("Cookie:a\rb\0c", "Cookie:x\rx\0x"),
        ] {
            let wanted = format!("GET / HTTP/1.1\r\n{wanted}\r\n\r\n");
            assert_eq!(
                head(&format!("GET / HTTP/1.1\r\n{line}\r\n\r\n")),
                wanted,
                "{line}"
            );
        }
    }

    #[test]
    fn targets_keep_their_paths_and_lose_who_asks_and_what_opens() {
        for (target, wanted) in [
            ("/a?b=c", "/a?b=c"),
            ("/a?access_token=bcd", "/a?access_token=xxx"),
            ("/a?x=1;API_KEY=2&y=3", "/a?x=1;API_KEY=x&y=3"),
            ("/a?%74oken=b", "/a?%74oken=x"),
            ("/a?secret", "/a?xxxxxx"),
            ("/a?key=b=c", "/a?key=x=x"),
            ("/mail/a@b", "/mail/a@b"),
            ("http://user:pass@host/a", "http://xxxxxxxxx@host/a"),
            ("user:pass@host:80", "xxxxxxxxx@host:80"),
        ] {
            assert_eq!(
                head(&format!("GET {target} HTTP/1.1\r\n")),
                format!("GET {wanted} HTTP/1.1\r\n")
            );
        }
    }

    #[test]
    fn what_is_no_request_line_is_nothing_that_is_kept() {
        for (line, wanted) in [
            ("AUTH hunter2", "xxxx xxxxxxx"),
            ("USER a b c", "xxxx x x x"),
            ("get /a HTTP/1.1", "xxx xx xxxxxxxx"),
            ("GET /a", "xxx xx"),
            ("GET  /a HTTP/1.1", "xxx  xx xxxxxxxx"),
        ] {
            assert_eq!(
                head(&format!("\r\n{line}\r\n")),
                format!("\r\n{wanted}\r\n")
            );
            assert_eq!(head(line), wanted, "cut");
        }
    }
}
