//! The differences between ours and hyper that are meant, each with its reason.

use edgeloop::http::{Reject, Version};

use super::compare::{Difference, Part};
use super::seen::Request;

/// A difference that is meant.
pub(super) struct Known {
    /// What ours does.
    pub(super) name: &'static str,
    /// Why.
    pub(super) reason: &'static str,
    part: Part,
    holds: fn(&Difference<'_>) -> bool,
    /// Whether ours takes nothing of which this holds.
    never: bool,
}

impl Known {
    /// Whether the difference is this one.
    pub(super) fn is(&self, difference: &Difference<'_>) -> bool {
        self.part == difference.part && (self.holds)(difference)
    }

    /// Whether ours should have refused this request, which both have taken.
    pub(super) fn forbids(&self, ours: &Request, theirs: &Request) -> bool {
        let taken = Difference {
            part: self.part,
            ours: Some(ours),
            theirs: Some(theirs),
            rest: &ours.head,
        };
        self.never && (self.holds)(&taken)
    }
}

const fn known(
    part: Part,
    name: &'static str,
    reason: &'static str,
    holds: fn(&Difference<'_>) -> bool,
) -> Known {
    Known {
        name,
        reason,
        part,
        holds,
        never: false,
    }
}

/// Ours refuses what hyper takes.
const fn refuses(
    reject: Reject,
    name: &'static str,
    reason: &'static str,
    holds: fn(&Difference<'_>) -> bool,
) -> Known {
    known(Part::Refused(reject), name, reason, holds)
}

/// The same, and whatever it holds of is refused.
const fn never(
    reject: Reject,
    name: &'static str,
    reason: &'static str,
    holds: fn(&Difference<'_>) -> bool,
) -> Known {
    Known {
        never: true,
        ..refuses(reject, name, reason, holds)
    }
}

/// All of them. The first one that holds counts.
pub(super) const KNOWN: &[Known] = &[
    // What both take, and read differently.
    known(
        Part::Path,
        "OPTIONS of an authority alone asks for *",
        "RFC 9112 §3.2.4: no path and no query with OPTIONS means the server as a whole",
        |it| ours(it).method == "OPTIONS" && ours(it).path == "*" && theirs(it).path == "/",
    ),
    known(
        Part::Trailers,
        "trailers that frame, route or authenticate are dropped",
        "RFC 9110 §6.5.1: such fields must not be sent as trailers, nor be merged",
        |it| {
            let mut rest = theirs(it).trailers.clone();
            rest.retain(|(name, _)| !DROPPED.contains(&name.as_str()));
            rest == ours(it).trailers
        },
    ),
    known(
        Part::Continued,
        "CONNECT gets no 100",
        "RFC 9110 §9.3.6: CONNECT has no content, so there is nothing to wait for",
        |it| ours(it).method == "CONNECT" && theirs(it).continued,
    ),
    known(
        Part::Continued,
        "100-continue said twice, or beside nothing, is said",
        "RFC 9110 §10.1.1: Expect is a list, and §5.6.1.2: empty members of a list are ignored",
        |it| ours(it).continued && list(theirs(it), "expect").len() != 1,
    ),
    // What ours takes and hyper refuses.
    known(
        Part::Taken,
        "HTTP/1.2 and later are read as 1.1",
        "RFC 9110 §2.5: a higher minor version is processed as the highest one that is known",
        |it| {
            let line = ours(it).head.split(|byte| *byte == b'\r').next();
            let newer = line.is_some_and(|line| matches!(line, [.., b'.', b'2'..=b'9']));
            it.theirs.is_none() && newer
        },
    ),
    known(
        Part::Taken,
        "a length that is said as a list of itself is folded",
        "RFC 9110 §8.6: the recipient may replace identical members by one of them",
        |it| {
            let head = ours(it).head.to_ascii_lowercase();
            let mut lines = head.split(|byte| *byte == b'\n');
            lines.any(|line| line.starts_with(b"content-length:") && line.contains(&b','))
        },
    ),
    known(
        Part::Taken,
        "Transfer-Encoding may end in an empty member",
        "RFC 9110 §5.6.1.2: a recipient must ignore a reasonable number of empty members",
        |it| {
            it.theirs.is_none()
                && list(ours(it), "transfer-encoding").last() == Some(&String::new())
        },
    ),
    known(
        Part::Ended,
        "close counts beside octets that are not ASCII",
        "RFC 9112 §9.6: who got close must not process further requests",
        |it| is_among_octets(ours(it), "close"),
    ),
    known(
        Part::Kept,
        "keep-alive counts beside octets that are not ASCII",
        "RFC 9112 §9.3: HTTP/1.0 persists when it says so",
        |it| is_among_octets(ours(it), "keep-alive") && ours(it).version == Version::Http10,
    ),
    // What ours refuses and hyper takes: heads.
    refuses(
        Reject::EmptyLines,
        "at most eight empty lines before a request",
        "RFC 9112 §2.2: at least one should be ignored, and no more has to be",
        any,
    ),
    never(
        Reject::LineEnd,
        "no bare LF ends a line",
        "RFC 9112 §2.2: a recipient may take it, and need not",
        |it| {
            it.rest
                .windows(2)
                .any(|pair| pair[0] != b'\r' && pair[1] == b'\n')
                || it.rest.starts_with(b"\n")
        },
    ),
    never(
        Reject::Method,
        "no method of 64 bytes or more",
        "RFC 9112 §3: a method longer than any that is implemented should be refused",
        |it| theirs(it).method.len() >= 64,
    ),
    refuses(
        Reject::Target,
        "no octet outside of the grammar of URIs in a target",
        "RFC 9112 §3.2 and RFC 3986 §2: an invalid request line should be answered 400",
        any,
    ),
    refuses(
        Reject::TargetTooLong,
        "no target longer than 8 KiB",
        "RFC 9112 §3: longer ones get 414",
        any,
    ),
    refuses(
        Reject::TargetForm,
        "* is for OPTIONS",
        "RFC 9112 §3.2.4",
        |it| theirs(it).path == "*",
    ),
    refuses(
        Reject::TargetForm,
        "CONNECT has a host and a port, and nothing else has",
        "RFC 9112 §3.2.3",
        |it| theirs(it).method == "CONNECT" || theirs(it).path.is_empty(),
    ),
    refuses(
        Reject::TargetForm,
        "no scheme but http, and no user information",
        "RFC 9110 §7.4: a request for https over http is misdirected; §4.2.4: user information is an error",
        |it| theirs(it).authority.is_some(),
    ),
    never(
        Reject::Host,
        "no HTTP/1.1 without Host",
        "RFC 9112 §3.2: must be answered 400",
        |it| theirs(it).version == Version::Http11 && values(theirs(it), "host").next().is_none(),
    ),
    never(
        Reject::Host,
        "not more than one Host",
        "RFC 9112 §3.2: must be answered 400",
        |it| values(theirs(it), "host").nth(1).is_some(),
    ),
    refuses(
        Reject::Host,
        "no Host that is not uri-host[:port]",
        "RFC 9112 §3.2: must be answered 400",
        |it| values(theirs(it), "host").count() == 1,
    ),
    refuses(
        Reject::Expectation,
        "no expectation but 100-continue",
        "RFC 9110 §10.1.1: may be answered 417",
        |it| !list(theirs(it), "expect").is_empty(),
    ),
    refuses(
        Reject::HeadTooLarge,
        "no head of more than 16 KiB, to the byte",
        "RFC 9112 §3 and RFC 6585 §5 leave the limit to the server; hyper's is set to eight empty lines more",
        any,
    ),
    refuses(
        Reject::UnfinishedHead,
        "a CR at the very end is half an empty line",
        "RFC 9112 §8: an incomplete request may be answered before the connection is closed",
        |it| it.theirs.is_none(),
    ),
    // Framing.
    never(
        Reject::ContentLength,
        "no length beside a transfer coding, malformed or not",
        "RFC 9112 §6.1: may be refused, and smells of smuggling",
        |it| values(theirs(it), "transfer-encoding").next().is_some() && says_length(it.rest),
    ),
    refuses(
        Reject::ContentLength,
        "no length of more than 19 digits, leading zeros among them",
        "RFC 9110 §8.6: large numerals are to be anticipated, and not to overflow",
        |it| {
            it.rest
                .chunk_by(|one, other| one.is_ascii_digit() == other.is_ascii_digit())
                .any(|run| run.len() > 19 && run[0].is_ascii_digit())
        },
    ),
    never(
        Reject::TransferEncoding,
        "no chunked twice",
        "RFC 9112 §6.1: chunked must not be applied more than once",
        |it| chunked(it) > 1,
    ),
    never(
        Reject::TransferEncoding,
        "no transfer coding beside a length",
        "RFC 9112 §6.1: may be refused, and smells of smuggling",
        |it| chunked(it) == 1 && says_length(it.rest),
    ),
    never(
        Reject::UnknownCoding,
        "no coding that is not understood before chunked",
        "RFC 9112 §6.1: should be answered 501",
        |it| {
            let mut codings = list(theirs(it), "transfer-encoding");
            codings.retain(|coding| !coding.is_empty());
            chunked(it) == 1 && codings.len() > 1
        },
    ),
    // Bodies.
    refuses(
        Reject::ChunkSize,
        "no chunk size of more than 16 digits, and no white space behind one without an extension",
        "RFC 9112 §7.1: overflow is to be prevented, and the grammar has white space before `;` only",
        chunks,
    ),
    refuses(
        Reject::ChunkExtension,
        "no malformed chunk extension",
        "RFC 9112 §7.1.1: the grammar; and extensions should be limited in all",
        chunks,
    ),
    refuses(
        Reject::Trailer,
        "no malformed trailer",
        "RFC 9112 §7.1.2 and §5: trailers are fields",
        chunks,
    ),
    refuses(
        Reject::TrailersTooLarge,
        "no more than 8 KiB of trailers",
        "RFC 9112 §7.1.2 leaves the limit to the recipient; hyper's is the one of heads",
        chunks,
    ),
];

/// Names of trailers that are dropped and that the inputs have.
const DROPPED: [&str; 9] = [
    "authorization",
    "connection",
    "content-length",
    "cookie",
    "expect",
    "host",
    "if-range",
    "transfer-encoding",
    "x-forwarded-for",
];

fn ours<'s>(difference: &Difference<'s>) -> &'s Request {
    difference.ours.expect("ours took a request")
}

fn theirs<'s>(difference: &Difference<'s>) -> &'s Request {
    difference.theirs.expect("hyper took a request")
}

fn any(_: &Difference<'_>) -> bool {
    true
}

/// Both have taken the head, and chunks with it.
fn chunks(difference: &Difference<'_>) -> bool {
    difference.ours.is_some_and(|request| !request.whole) && chunked(difference) == 1
}

/// How often hyper has seen chunked applied.
fn chunked(difference: &Difference<'_>) -> usize {
    let codings = list(theirs(difference), "transfer-encoding");
    codings.iter().filter(|coding| *coding == "chunked").count()
}

/// Whether there is a line that begins as one with a length does.
fn says_length(bytes: &[u8]) -> bool {
    let lower = bytes.to_ascii_lowercase();
    let mut lines = lower.split(|byte| *byte == b'\n');
    lines.any(|line| line.starts_with(b"content-length:"))
}

/// Whether the option stands in a Connection field that hyper passes over for what else is in it.
fn is_among_octets(request: &Request, option: &str) -> bool {
    let options = list(request, "connection");
    let mut values = values(request, "connection");
    options.iter().any(|it| it == option) && values.any(|value| !value.is_ascii())
}

fn values<'r>(request: &'r Request, name: &str) -> impl Iterator<Item = &'r [u8]> {
    let fields = request.fields.iter().filter(move |field| field.0 == name);
    fields.map(|field| field.1.as_slice())
}

/// The members of a list over all fields of this name, empty ones among them, in lower case.
fn list(request: &Request, name: &str) -> Vec<String> {
    values(request, name)
        .flat_map(|value| value.split(|byte| *byte == b','))
        .map(|member| {
            member
                .trim_ascii()
                .escape_ascii()
                .to_string()
                .to_lowercase()
        })
        .collect()
}
