//! Request targets: their octets and their four forms (RFC 9112 §3.2).

use super::error::Reject;

/// The form in which a target came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `/path?query`: what nearly every request has.
    Origin,
    /// `http://authority/path?query`: what a proxy is asked for. The authority counts instead of Host.
    Absolute,
    /// `host:port`: CONNECT, and only it.
    Authority,
    /// `*`: OPTIONS for the server as a whole, and only it.
    Asterisk,
}

/// A request target whose octets and form are right.
#[derive(Clone, Copy, Debug)]
pub struct Target<'r> {
    raw: &'r str,
    form: Form,
    authority: Option<&'r str>,
    path: &'r str,
    query: Option<&'r str>,
}

impl<'r> Target<'r> {
    /// Judges the target of a request with this method: every octet, then the form.
    pub(super) fn parse(method: &str, raw: &'r str) -> Result<Target<'r>, Reject> {
        let question = check_octets(raw.as_bytes())?;
        Self::of(method, raw, question)
    }

    /// Judges the form of a target whose octets are right, with its first `?` at `question`.
    #[inline]
    pub(super) fn of(
        method: &str,
        raw: &'r str,
        question: Option<usize>,
    ) -> Result<Target<'r>, Reject> {
        let mut target = Target {
            raw,
            form: Form::Origin,
            authority: None,
            path: raw,
            query: None,
        };
        if !raw.starts_with('/') || question.is_some() || method == "CONNECT" {
            target = Self::of_rare(method, raw, question)?;
        }
        Ok(target)
    }

    #[inline(never)]
    fn of_rare(method: &str, raw: &'r str, question: Option<usize>) -> Result<Target<'r>, Reject> {
        let with = |form, authority, path, query| {
            Ok(Target {
                raw,
                form,
                authority,
                path,
                query,
            })
        };
        if raw.starts_with('/') && method != "CONNECT" {
            let (path, query) = split(raw, question);
            return with(Form::Origin, None, path, query);
        }
        if method == "CONNECT" {
            // RFC 9112 §3.2.3: host and port, nothing else; the port is not optional.
            let port = raw.rsplit_once(':').map_or("", |(_, port)| port);
            let valid = is_authority(raw.as_bytes()) && !raw.starts_with(':') && !port.is_empty();
            let valid = valid && port.bytes().all(|digit| digit.is_ascii_digit());
            return if valid {
                with(Form::Authority, Some(raw), "", None)
            } else {
                Err(Reject::TargetForm)
            };
        }
        if raw == "*" {
            let valid = method == "OPTIONS";
            return if valid {
                with(Form::Asterisk, None, "*", None)
            } else {
                Err(Reject::TargetForm)
            };
        }
        // RFC 9112 §3.2.2. https would promise what a plain connection can't keep (RFC 9110 §7.4), and RFC 9110
        // §4.2.4 has user information refused.
        let scheme = "http://";
        if !raw
            .get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        {
            return Err(Reject::TargetForm);
        }
        let rest = &raw[scheme.len()..];
        let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.is_empty() || authority.starts_with(':') || !is_authority(authority.as_bytes())
        {
            return Err(Reject::TargetForm);
        }
        let (path, query) = split(rest, rest.find('?'));
        let path = match (path, method) {
            // RFC 9112 §3.2.4: a proxy's way to say `OPTIONS *`.
            ("", "OPTIONS") if query.is_none() => "*",
            ("", _) => "/",
            (path, _) => path,
        };
        with(Form::Absolute, Some(authority), path, query)
    }

    /// The target as it came.
    pub fn as_str(&self) -> &'r str {
        self.raw
    }

    /// The form in which it came.
    pub fn form(&self) -> Form {
        self.form
    }

    /// The authority of an absolute or authority form.
    pub fn authority(&self) -> Option<&'r str> {
        self.authority
    }

    /// The path, still percent-encoded: it begins with `/`, but is `*` for the server as a whole and empty for CONNECT.
    pub fn path(&self) -> &'r str {
        self.path
    }

    /// What follows the first `?`, still percent-encoded.
    pub fn query(&self) -> Option<&'r str> {
        self.query
    }
}

fn split(raw: &str, question: Option<usize>) -> (&str, Option<&str>) {
    match question {
        Some(at) => (&raw[..at], Some(&raw[at + 1..])),
        None => (raw, None),
    }
}

/// Looks at every octet: where the first `?` is.
pub(super) fn check_octets(raw: &[u8]) -> Result<Option<usize>, Reject> {
    let mut question = None;
    for (at, byte) in raw.iter().enumerate() {
        match octet(*byte) {
            Octet::Plain => {}
            Octet::Outside => return Err(Reject::Target),
            Octet::Question if question.is_none() => question = Some(at),
            Octet::Question => {}
            Octet::Percent => match raw.get(at + 1..at + 3) {
                Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => {}
                Some(_) | None => return Err(Reject::Target),
            },
        }
    }
    Ok(question)
}

/// What an octet of a target is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Octet {
    Plain = 0,
    Outside = 1,
    Question = 2,
    Percent = 4,
}

/// RFC 3986: unreserved, sub-delims, and of gen-delims `:/?@`; and `[]`, which belong into an authority only, but
/// which every browser leaves bare in queries (`?id[]=1`). `#` never reaches a server.
static OCTETS: [Octet; 256] = {
    let mut table = [Octet::Outside; 256];
    let mut byte = 0;
    while byte < 256 {
        let it = byte as u8;
        if is_host_byte(it) || matches!(it, b':' | b'@' | b'/' | b'[' | b']') {
            table[byte] = Octet::Plain;
        }
        byte += 1;
    }
    table[b'?' as usize] = Octet::Question;
    table[b'%' as usize] = Octet::Percent;
    table
};

/// What the octet is in a target.
#[inline]
pub(super) fn octet(byte: u8) -> Octet {
    OCTETS[byte as usize]
}

/// Octets that a registered name has, besides percent-encoded ones.
static HOST: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = is_host_byte(byte as u8);
        byte += 1;
    }
    table
};

/// unreserved and sub-delims of RFC 3986.
const fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.'
                | b'_'
                | b'~'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
        )
}

/// Whether the bytes are `uri-host [":" port]` (RFC 9110 §7.2), the empty host among them.
#[inline]
pub(super) fn is_authority(bytes: &[u8]) -> bool {
    // What nearly every request has, from its end: up to five digits, a colon, a name without percent.
    let digits = bytes.iter().rev().take(5);
    let digits = digits.take_while(|byte| byte.is_ascii_digit()).count();
    let name = match bytes[..bytes.len() - digits] {
        [ref name @ .., b':'] => name,
        _ => bytes,
    };
    name.iter()
        .fold(true, |all, byte| all & HOST[*byte as usize])
        || is_rare_authority(bytes)
}

/// The last authority that was valid: nearly all requests to a server name the same one.
#[derive(Debug)]
pub(super) struct KnownAuthority {
    bytes: [u8; 63],
    /// None of them at first: the empty one is valid.
    length: u8,
}

impl KnownAuthority {
    pub(super) const fn new() -> KnownAuthority {
        KnownAuthority {
            bytes: [0; 63],
            length: 0,
        }
    }

    /// As [`is_authority`].
    #[inline]
    pub(super) fn is_authority(&mut self, bytes: &[u8]) -> bool {
        self.bytes[..usize::from(self.length)] == *bytes || self.meet(bytes)
    }

    #[inline(never)]
    fn meet(&mut self, bytes: &[u8]) -> bool {
        let valid = is_authority(bytes);
        if valid && let Some(known) = self.bytes.get_mut(..bytes.len()) {
            known.copy_from_slice(bytes);
            self.length = bytes.len() as u8;
        }
        valid
    }
}

fn is_rare_authority(bytes: &[u8]) -> bool {
    let mut at = match bytes {
        [b'[', inside @ ..] => {
            let Some(end) = inside.iter().position(|byte| *byte == b']') else {
                return false;
            };
            if !is_ip_literal(&inside[..end]) {
                return false;
            }
            end + 2
        }
        _ => registered_name(bytes),
    };
    // The port: what follows the host's colon, at most five digits.
    if bytes.get(at) == Some(&b':') {
        at += 1;
        let digits = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit());
        at += digits.take(5).count();
    }
    at == bytes.len()
}

/// How many bytes of a registered name there are at the beginning.
fn registered_name(bytes: &[u8]) -> usize {
    let mut at = 0;
    loop {
        let plain = bytes[at..].iter().position(|byte| !HOST[*byte as usize]);
        let Some(plain) = plain else {
            return bytes.len();
        };
        at += plain;
        match bytes[at..] {
            [b'%', a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => at += 3,
            _ => return at,
        }
    }
}

/// An IPv6 address or a future one. That the groups of an address make sense is for whoever resolves it.
fn is_ip_literal(literal: &[u8]) -> bool {
    match literal {
        [b'v' | b'V', rest @ ..] => {
            let mut parts = rest.splitn(2, |byte| *byte == b'.');
            let version = parts.next().unwrap_or_default();
            let address = parts.next().unwrap_or_default();
            !version.is_empty()
                && version.iter().all(u8::is_ascii_hexdigit)
                && !address.is_empty()
                && address
                    .iter()
                    .all(|byte| is_host_byte(*byte) || *byte == b':')
        }
        _ => {
            literal.split(|byte| *byte == b':').count() > 2
                && literal
                    .iter()
                    .all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Form, authority, path and query.
    type Parts<'r> = (Form, Option<&'r str>, &'r str, Option<&'r str>);

    fn check(method: &str, raw: &str, expected: Result<Parts<'_>, Reject>) {
        let got = Target::parse(method, raw).map(|t| (t.form, t.authority, t.path, t.query));
        assert_eq!(got, expected, "{method} {raw}");
    }

    #[test]
    fn forms() {
        check("GET", "/", Ok((Form::Origin, None, "/", None)));
        check(
            "GET",
            "/a/b?c=d?e",
            Ok((Form::Origin, None, "/a/b", Some("c=d?e"))),
        );
        check("GET", "/?", Ok((Form::Origin, None, "/", Some(""))));
        check("GET", "//x", Ok((Form::Origin, None, "//x", None)));
        check("GET", "/%41%zz", Err(Reject::Target));
        check("GET", "/%4", Err(Reject::Target));
        check("GET", "/a#b", Err(Reject::Target));
        check("GET", "/a{b}", Err(Reject::Target));
        check(
            "GET",
            "/a?b[]=1",
            Ok((Form::Origin, None, "/a", Some("b[]=1"))),
        );
        check("GET", "*", Err(Reject::TargetForm));
        check("OPTIONS", "*", Ok((Form::Asterisk, None, "*", None)));
        check(
            "GET",
            "http://a",
            Ok((Form::Absolute, Some("a"), "/", None)),
        );
        check(
            "GET",
            "HTTP://a:80/b?c",
            Ok((Form::Absolute, Some("a:80"), "/b", Some("c"))),
        );
        check(
            "GET",
            "http://a?b/c",
            Ok((Form::Absolute, Some("a"), "/", Some("b/c"))),
        );
        check(
            "OPTIONS",
            "http://a",
            Ok((Form::Absolute, Some("a"), "*", None)),
        );
        check("GET", "http://", Err(Reject::TargetForm));
        check("GET", "http://:80/", Err(Reject::TargetForm));
        check("GET", "http://u@a/", Err(Reject::TargetForm));
        check("GET", "https://a/", Err(Reject::TargetForm));
        check("GET", "ftp://a/", Err(Reject::TargetForm));
        check("GET", "a/b", Err(Reject::TargetForm));
        check(
            "CONNECT",
            "a:443",
            Ok((Form::Authority, Some("a:443"), "", None)),
        );
        check(
            "CONNECT",
            "[::1]:443",
            Ok((Form::Authority, Some("[::1]:443"), "", None)),
        );
        check("CONNECT", "a", Err(Reject::TargetForm));
        check("CONNECT", "a:", Err(Reject::TargetForm));
        check("CONNECT", "/", Err(Reject::TargetForm));
        check("GET", "a:80", Err(Reject::TargetForm));
    }

    #[test]
    fn a_known_authority_changes_no_verdict() {
        let long = "a".repeat(100);
        let mut hosts = vec!["", "a", "a:1", "a:1", "b c", "b c", "a:1", &long, &long];
        hosts.extend(["a:1", "a:", "a:1b", "a:1b", "", "a"]);
        let mut known = KnownAuthority::new();
        for host in hosts {
            assert_eq!(
                known.is_authority(host.as_bytes()),
                is_authority(host.as_bytes()),
                "{host}"
            );
        }
    }

    #[test]
    fn authorities() {
        for valid in [
            "",
            ":",
            ":80",
            "a",
            "a.b-c_d:65535",
            "[::1]",
            "[::ffff:1.2.3.4]:1",
            "[v1.a:b]",
            "a%20b",
            "1.2.3.4",
        ] {
            assert!(is_authority(valid.as_bytes()), "{valid}");
        }
        for invalid in [
            "a b", "a,b c", "a:b", "a:123456", "a/b", "a@b", "[::1", "[1]", "[::1]a", "a:1:2",
            "a%2", "a\"b", "[vg.a]",
        ] {
            assert!(!is_authority(invalid.as_bytes()), "{invalid}");
        }
    }
}
