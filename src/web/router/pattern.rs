//! Patterns: what they are made of, and which of two is more specific.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use crate::http::is_token;

/// How many wildcards a pattern may have: their values stand on the stack while a request is answered.
pub(super) const WILDCARDS: usize = 16;

/// What is encoded in an example of a path: all but what is never.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// `[METHOD ][HOST]/[PATH]`, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    /// As it was registered, with the prefixes of its groups.
    pub(super) text: String,
    /// `None`: every method.
    pub(super) method: Option<Box<str>>,
    /// In lower case. `None`: every host.
    pub(super) host: Option<Box<str>>,
    pub(super) segments: Vec<Segment>,
    pub(super) end: End,
    /// Where in the text its path begins.
    path_at: usize,
}

/// What stands between two slashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    /// These bytes, percent-decoded, and no other.
    Literal(Box<[u8]>),
    /// `{name}`: any segment that is not empty.
    Wild(Box<str>),
}

/// What follows the last segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Nothing.
    Exact,
    /// `/{$}`: a slash and no more.
    Slash,
    /// A slash and whatever follows it: `/`, or with a name `/{name...}`.
    Rest(Option<Box<str>>),
}

/// How the requests that two patterns match are to each other, as sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Equal,
    /// The first is within the second: it is more specific.
    Within,
    /// The second is within the first.
    Around,
    /// Some match both, and each matches some that the other does not.
    Overlap,
    Disjoint,
}

impl Relation {
    /// The relation of pairs whose halves are independent.
    fn and(self, other: Relation) -> Relation {
        match (self, other) {
            (Relation::Disjoint, _) | (_, Relation::Disjoint) => Relation::Disjoint,
            (Relation::Equal, relation) | (relation, Relation::Equal) => relation,
            (Relation::Within, Relation::Within) => Relation::Within,
            (Relation::Around, Relation::Around) => Relation::Around,
            (Relation::Within, Relation::Around | Relation::Overlap)
            | (Relation::Around, Relation::Within | Relation::Overlap)
            | (Relation::Overlap, Relation::Within | Relation::Around | Relation::Overlap) => {
                Relation::Overlap
            }
        }
    }
}

impl Pattern {
    /// Takes a pattern apart. Errors: what is wrong with it.
    pub(super) fn parse(text: String) -> Result<Pattern, &'static str> {
        let (method, target) = match text.split_once(' ') {
            Some((method, target)) => (Some(method), target.trim_start_matches([' ', '\t'])),
            None => (None, text.as_str()),
        };
        if method.is_some_and(|method| !is_token(method.as_bytes())) {
            return Err("the method is no token");
        }
        let Some(slash) = target.find('/') else {
            return Err("there is no slash, and so no path");
        };
        let (host, path) = target.split_at(slash);
        let host = match host {
            "" => None,
            host => Some(parse_host(host)?),
        };
        let (segments, end) = parse_path(path)?;
        let pattern = Pattern {
            method: method.map(Box::from),
            host,
            segments,
            end,
            path_at: text.len() - path.len(),
            text,
        };
        let names: Vec<&str> = pattern.names().collect();
        if (1..names.len()).any(|at| names[..at].contains(&names[at])) {
            return Err("two of its wildcards have the same name");
        }
        if names.len() > WILDCARDS {
            return Err("it has more than 16 wildcards");
        }
        Ok(pattern)
    }

    /// The path as it was registered.
    pub(super) fn path(&self) -> &str {
        &self.text[self.path_at..]
    }

    /// The names of its wildcards, in order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let wild = self.segments.iter().filter_map(|segment| match segment {
            Segment::Wild(name) => Some(&**name),
            Segment::Literal(_) => None,
        });
        let rest = match &self.end {
            End::Rest(Some(name)) => Some(&**name),
            End::Rest(None) | End::Slash | End::Exact => None,
        };
        wild.chain(rest)
    }

    /// Whether there is no telling which of the two is to answer some request.
    pub(super) fn conflicts_with(&self, other: &Pattern) -> bool {
        // With different hosts they match different requests; one with a host goes before one without.
        self.host == other.host
            && matches!(
                self.relate_methods(other).and(self.relate_paths(other)),
                Relation::Equal | Relation::Overlap
            )
    }

    /// GET answers HEAD as well, and no method stands for all.
    fn relate_methods(&self, other: &Pattern) -> Relation {
        match (self.method.as_deref(), other.method.as_deref()) {
            (own, other) if own == other => Relation::Equal,
            (Some(_), None) | (Some("HEAD"), Some("GET")) => Relation::Within,
            (None, Some(_)) | (Some("GET"), Some("HEAD")) => Relation::Around,
            (Some(_), Some(_)) | (None, None) => Relation::Disjoint,
        }
    }

    /// How the paths that they match are to each other.
    pub(super) fn relate_paths(&self, other: &Pattern) -> Relation {
        let pairs = self.segments.iter().zip(&other.segments);
        let begin = pairs.fold(Relation::Equal, |relation, (own, other)| {
            relation.and(own.relate(other))
        });
        let end = match (self.segments.len().cmp(&other.segments.len()), &self.end) {
            (core::cmp::Ordering::Equal, end) => end.relate(&other.end),
            // Only a rest can match the segments that the other has more.
            (core::cmp::Ordering::Less, End::Rest(_)) => Relation::Around,
            (core::cmp::Ordering::Less, End::Exact | End::Slash) => Relation::Disjoint,
            (core::cmp::Ordering::Greater, _) => match other.end {
                End::Rest(_) => Relation::Within,
                End::Exact | End::Slash => Relation::Disjoint,
            },
        };
        begin.and(end)
    }

    /// A request that both match, for people to see what the matter is.
    pub(super) fn example(&self, other: &Pattern) -> String {
        let method = match (self.method.as_deref(), other.method.as_deref()) {
            (Some("HEAD"), _) | (_, Some("HEAD")) => "HEAD",
            (Some(method), _) | (None, Some(method)) => method,
            (None, None) => "GET",
        };
        let mut path = format!("{method} {}", self.host.as_deref().unwrap_or_default());
        let longest = self.segments.len().max(other.segments.len());
        for at in 0..longest {
            let literal = [self, other].into_iter().find_map(|it| {
                let segment = it.segments.get(at)?;
                match segment {
                    Segment::Literal(bytes) => Some(bytes),
                    Segment::Wild(_) => None,
                }
            });
            path.push('/');
            match literal {
                Some(bytes) => path.extend(percent_encode(bytes, PLAIN)),
                None => path.push('x'),
            }
        }
        let exact = [self, other]
            .into_iter()
            .any(|it| it.end == End::Exact && it.segments.len() == longest);
        if !exact {
            path.push('/');
        }
        path
    }
}

impl Segment {
    fn relate(&self, other: &Segment) -> Relation {
        match (self, other) {
            (Segment::Literal(own), Segment::Literal(other)) if own == other => Relation::Equal,
            (Segment::Literal(_), Segment::Literal(_)) => Relation::Disjoint,
            (Segment::Wild(_), Segment::Wild(_)) => Relation::Equal,
            (Segment::Literal(_), Segment::Wild(_)) => Relation::Within,
            (Segment::Wild(_), Segment::Literal(_)) => Relation::Around,
        }
    }
}

impl End {
    /// Of patterns with as many segments.
    fn relate(&self, other: &End) -> Relation {
        match (self, other) {
            (End::Exact, End::Exact) | (End::Slash, End::Slash) | (End::Rest(_), End::Rest(_)) => {
                Relation::Equal
            }
            (End::Slash, End::Rest(_)) => Relation::Within,
            (End::Rest(_), End::Slash) => Relation::Around,
            (End::Exact, End::Slash | End::Rest(_)) | (End::Slash | End::Rest(_), End::Exact) => {
                Relation::Disjoint
            }
        }
    }
}

fn parse_host(host: &str) -> Result<Box<str>, &'static str> {
    if host.contains('{') {
        return Err("the host has a wildcard; does the path lack its first slash?");
    }
    if !host.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("the host has a character that no host has");
    }
    if without_port(host) != host {
        return Err("the host has a port, and requests are matched without theirs");
    }
    Ok(host.to_ascii_lowercase().into())
}

/// A host without its port. What stands in brackets is an address with colons of its own.
pub(super) fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => name,
        Some(_) | None => host,
    }
}

fn parse_path(path: &str) -> Result<(Vec<Segment>, End), &'static str> {
    let mut segments = Vec::new();
    let mut rest = &path[1..];
    loop {
        let (segment, behind) = match rest.split_once('/') {
            Some((segment, behind)) => (segment, Some(behind)),
            None => (rest, None),
        };
        match (parse_segment(segment)?, behind) {
            (Parsed::Empty, None) => return Ok((segments, End::Rest(None))),
            (Parsed::Empty, Some(_)) => return Err("it has an empty segment, which never matches"),
            (Parsed::Slash, None) => return Ok((segments, End::Slash)),
            (Parsed::Rest(name), None) => return Ok((segments, End::Rest(Some(name)))),
            (Parsed::Slash | Parsed::Rest(_), Some(_)) => {
                return Err("{$} and {name...} stand at the end or nowhere");
            }
            (Parsed::Segment(segment), behind) => {
                segments.push(segment);
                match behind {
                    Some(behind) => rest = behind,
                    None => return Ok((segments, End::Exact)),
                }
            }
        }
    }
}

enum Parsed {
    Empty,
    Segment(Segment),
    Slash,
    Rest(Box<str>),
}

fn parse_segment(segment: &str) -> Result<Parsed, &'static str> {
    if segment.is_empty() {
        return Ok(Parsed::Empty);
    }
    if !segment.contains(['{', '}']) {
        return Ok(Parsed::Segment(Segment::Literal(parse_literal(segment)?)));
    }
    let inner = segment
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'));
    match inner {
        Some("$") => Ok(Parsed::Slash),
        Some(inner) => {
            let name = inner.strip_suffix("...").unwrap_or(inner);
            let mut letters = name.chars();
            let begins = letters
                .next()
                .is_some_and(|it| it.is_alphabetic() || it == '_');
            if !begins || !letters.all(|it| it.is_alphanumeric() || it == '_') {
                return Err("the name of a wildcard is a letter or _, then letters, digits and _");
            }
            if name.len() < inner.len() {
                Ok(Parsed::Rest(name.into()))
            } else {
                Ok(Parsed::Segment(Segment::Wild(name.into())))
            }
        }
        None => Err("a wildcard is a whole segment, {name}"),
    }
}

fn parse_literal(segment: &str) -> Result<Box<[u8]>, &'static str> {
    if matches!(segment, "." | "..") {
        return Err("it has a dot segment, which never matches");
    }
    if segment.contains(['?', '#'])
        || segment.contains(|it: char| it.is_ascii_control() || it == ' ')
    {
        return Err("its path has a character that no path has");
    }
    let mut rest = segment;
    while let Some((_, behind)) = rest.split_once('%') {
        let digits = behind.as_bytes().get(..2);
        if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
            return Err("a % is followed by two hexadecimal digits");
        }
        rest = behind;
    }
    Ok(percent_decode_str(segment).collect::<Vec<u8>>().into())
}
