//! What targets and fields mean, as plainly as it can be said.

/// How the end of a request's body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    None,
    Length(u64),
    Chunked,
}

/// What the fields say together (RFC 9112 §6.3 and §9.3, RFC 9110 §10.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Framing {
    pub(crate) body: Body,
    pub(crate) keeps_alive: bool,
    pub(crate) expects_continue: bool,
}

/// The forms of a target, with its authority, path and query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form<'t> {
    pub(crate) is_connect: bool,
    pub(crate) authority: Option<&'t str>,
    pub(crate) path: &'t str,
    pub(crate) query: Option<&'t str>,
}

pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

pub(crate) fn is_value_byte(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// unreserved and sub-delims.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte)
}

/// Octets of the URI grammar, and every `%` before two digits; before the end of a beginning there may be fewer.
pub(crate) fn target_is_sound(target: &[u8], whole: bool) -> bool {
    target.iter().enumerate().all(|(at, byte)| match byte {
        b'%' => {
            let digits = &target[at + 1..target.len().min(at + 3)];
            digits.iter().all(u8::is_ascii_hexdigit) && (digits.len() == 2 || !whole)
        }
        byte => is_name_byte(*byte) || b"/?:@[]".contains(byte),
    })
}

/// Takes a target apart, if its form fits the method.
pub(crate) fn form<'t>(method: &str, target: &'t str) -> Option<Form<'t>> {
    let mut form = Form {
        is_connect: method == "CONNECT",
        authority: None,
        path: "",
        query: None,
    };
    if form.is_connect {
        let (host, port) = authority(target)?;
        form.authority = Some(target);
        return (!host.is_empty() && port.is_some_and(|port| !port.is_empty())).then_some(form);
    }
    if target == "*" {
        form.path = "*";
        return (method == "OPTIONS").then_some(form);
    }
    let mut rest = target;
    if !target.starts_with('/') {
        let (scheme, behind) = target.split_once("://")?;
        let end = behind.find(['/', '?']).unwrap_or(behind.len());
        let (host, _) = authority(&behind[..end])?;
        if !scheme.eq_ignore_ascii_case("http") || host.is_empty() {
            return None;
        }
        form.authority = Some(&behind[..end]);
        rest = &behind[end..];
    }
    (form.path, form.query) = match rest.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (rest, None),
    };
    if form.path.is_empty() {
        form.path = match (method, form.query) {
            ("OPTIONS", None) => "*",
            _ => "/",
        };
    }
    Some(form)
}

/// uri-host [ ":" port ]
fn authority(text: &str) -> Option<(&str, Option<&str>)> {
    let end = if let Some(inside) = text.strip_prefix('[') {
        let end = inside.find(']')?;
        if !is_ip_literal(&inside[..end]) {
            return None;
        }
        end + 2
    } else {
        text.find(':').unwrap_or(text.len())
    };
    let (host, rest) = text.split_at(end);
    if !host.starts_with('[') {
        let plain = |byte: u8| is_name_byte(byte) || byte == b'%';
        if !host.bytes().all(plain) || !target_is_sound(host.as_bytes(), true) {
            return None;
        }
    }
    match rest.strip_prefix(':') {
        None => rest.is_empty().then_some((host, None)),
        Some(port) => (port.len() <= 5 && port.bytes().all(|digit| digit.is_ascii_digit()))
            .then_some((host, Some(port))),
    }
}

/// Of an IPv6 address only the characters count, and that there are two colons.
fn is_ip_literal(literal: &str) -> bool {
    let Some(future) = literal.strip_prefix(['v', 'V']) else {
        let plain = |byte: u8| byte.is_ascii_hexdigit() || b":.".contains(&byte);
        return literal.matches(':').count() >= 2 && literal.bytes().all(plain);
    };
    future.split_once('.').is_some_and(|(version, address)| {
        let plain = |byte: u8| is_name_byte(byte) || byte == b':';
        let version_is_sound = version.bytes().all(|byte| byte.is_ascii_hexdigit());
        let address_is_sound = address.bytes().all(plain);
        !version.is_empty() && version_is_sound && !address.is_empty() && address_is_sound
    })
}

impl Framing {
    /// Decides, or says which status the request gets.
    pub(crate) fn of(
        form: Form<'_>,
        minor: u8,
        fields: &[(String, Vec<u8>)],
    ) -> Result<Framing, u16> {
        let values = |name: &str| -> Vec<&[u8]> {
            let named = fields
                .iter()
                .filter(|(it, _)| it.eq_ignore_ascii_case(name));
            named.map(|(_, value)| value.as_slice()).collect()
        };
        let members = |name: &str| -> Vec<Vec<u8>> {
            let joined = values(name).join(&b","[..]);
            let members = joined.split(|byte| *byte == b',');
            let members = members.map(|it| it.trim_ascii().to_ascii_lowercase());
            members.filter(|it| !it.is_empty()).collect()
        };
        match values("host").as_slice() {
            [] if minor == 0 => {}
            [host] if core::str::from_utf8(host).is_ok_and(|it| authority(it).is_some()) => {}
            _ => return Err(400),
        }
        let length = length(&values("content-length"))?;
        let codings = members("transfer-encoding");
        let body = match (values("transfer-encoding").as_slice(), codings.as_slice()) {
            ([], _) => match length {
                None | Some(0) => Body::None,
                Some(length) => Body::Length(length),
            },
            _ if length.is_some() || minor == 0 => return Err(400),
            (_, [before @ .., last]) => {
                if *last != b"chunked" || before.iter().any(|it| *it == b"chunked") {
                    return Err(400);
                }
                if !before.is_empty() {
                    return Err(501);
                }
                Body::Chunked
            }
            (_, []) => return Err(400),
        };
        let options = members("connection");
        let has = |option: &[u8]| options.iter().any(|it| it == option);
        let expected = members("expect");
        let counts = minor == 1 && body != Body::None && !form.is_connect;
        if counts && expected.iter().any(|it| *it != b"100-continue") {
            return Err(417);
        }
        Ok(Framing {
            body,
            keeps_alive: !has(b"close") && (minor == 1 || has(b"keep-alive")),
            expects_continue: counts && !expected.is_empty(),
        })
    }
}

/// The one number that all Content-Length fields and their members say.
fn length(values: &[&[u8]]) -> Result<Option<u64>, u16> {
    let mut said = None;
    for member in values
        .iter()
        .flat_map(|value| value.split(|byte| *byte == b','))
    {
        let digits = core::str::from_utf8(member.trim_ascii()).map_err(|_| 400u16)?;
        let sound =
            (1..=19).contains(&digits.len()) && digits.bytes().all(|it| it.is_ascii_digit());
        let number: u64 = if sound {
            digits.parse().expect("19 digits fit")
        } else {
            return Err(400);
        };
        if said.is_some_and(|before| before != number) {
            return Err(400);
        }
        said = Some(number);
    }
    Ok(said)
}
