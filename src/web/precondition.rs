//! Conditional requests: whether the client needs the content at all (RFC 9110 §13).

use std::time::UNIX_EPOCH;

use super::validator::{Tag, Validators};
use crate::http::Fields;

/// What the preconditions of a GET or HEAD say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Answer as if there were none.
    Proceed,
    /// The client has it: 304.
    NotModified,
    /// It is not what the client takes it for: 412.
    Failed,
}

/// Evaluates all preconditions but If-Range, in the order of RFC 9110 §13.2.2, whose steps are numbered here.
pub(super) fn evaluate(fields: Fields<'_>, current: &Validators<'_>) -> Verdict {
    // Most requests have none, and one look says so.
    if !fields.iter().any(|(name, _)| is_condition(name)) {
        return Verdict::Proceed;
    }
    // Steps 1 and 2.
    if has(fields, "if-match") {
        if !any_tag(fields, "if-match", |tag| current.is_strongly(tag)) {
            return Verdict::Failed;
        }
    } else if let Some(modified) = current.modified
        && date(fields, "if-unmodified-since").is_some_and(|since| modified.secs > since)
    {
        return Verdict::Failed;
    }
    // Steps 3 and 4.
    if has(fields, "if-none-match") {
        if any_tag(fields, "if-none-match", |tag| current.is_weakly(tag)) {
            return Verdict::NotModified;
        }
    } else if let Some(modified) = current.modified
        && date(fields, "if-modified-since").is_some_and(|since| modified.secs <= since)
    {
        return Verdict::NotModified;
    }
    Verdict::Proceed
}

/// Step 5: the Range that counts, if there is one. Several lines are none, and a condition that can't be read does not
/// hold.
pub(super) fn range<'r>(fields: Fields<'r>, current: &Validators<'_>) -> Option<&'r [u8]> {
    let range = single(fields, "range")?;
    let applies = !has(fields, "if-range")
        || single(fields, "if-range").is_some_and(|value| is_current(value, current));
    applies.then_some(range)
}

/// Whether the content is still what an If-Range says.
fn is_current(value: &[u8], current: &Validators<'_>) -> bool {
    if let Some((tag, rest)) = Tag::parse(value) {
        return rest.is_empty() && current.is_strongly(&tag);
    }
    // Only the very date, and only once the content can't change any more without changing it (RFC 9110 §13.1.5).
    current
        .modified
        .is_some_and(|modified| modified.has_settled && parse_date(value) == Some(modified.secs))
}

fn is_condition(name: &str) -> bool {
    let start = name.as_bytes().first_chunk();
    start.is_some_and(|start: &[u8; 3]| start.eq_ignore_ascii_case(b"if-"))
}

fn has(fields: Fields<'_>, name: &str) -> bool {
    fields.get(name).is_some()
}

/// The value of a field that came once.
fn single<'r>(fields: Fields<'r>, name: &str) -> Option<&'r [u8]> {
    let mut values = fields.get_all(name);
    match (values.next(), values.next()) {
        (value, None) => value,
        (_, Some(_)) => None,
    }
}

/// A date in seconds since 1970. One that can't be read is ignored, and so are several (RFC 9110 §13.1.3).
fn date(fields: Fields<'_>, name: &str) -> Option<u64> {
    parse_date(single(fields, name)?)
}

/// All three forms of a date (RFC 9110 §5.6.7).
fn parse_date(value: &[u8]) -> Option<u64> {
    let time = httpdate::parse_http_date(core::str::from_utf8(value).ok()?).ok()?;
    Some(time.duration_since(UNIX_EPOCH).ok()?.as_secs())
}

/// Whether one of the tags in all fields of this name does it; `*` always does, because the content is there.
fn any_tag(fields: Fields<'_>, name: &str, matches: impl Fn(&Tag<'_>) -> bool) -> bool {
    fields
        .get_all(name)
        .any(|value| value == b"*" || Tags { rest: value }.any(|tag| matches(&tag)))
}

impl Validators<'_> {
    fn is_strongly(&self, tag: &Tag<'_>) -> bool {
        self.tag.is_some_and(|own| own.is_strongly(tag))
    }

    fn is_weakly(&self, tag: &Tag<'_>) -> bool {
        self.tag.is_some_and(|own| own.is_weakly(tag))
    }
}

impl<'r> Tag<'r> {
    /// The tag at the beginning of `bytes`, and what follows it.
    fn parse(bytes: &'r [u8]) -> Option<(Tag<'r>, &'r [u8])> {
        let (weak, bytes) = match bytes {
            [b'W', b'/', rest @ ..] => (true, rest),
            bytes => (false, bytes),
        };
        let inside = bytes.strip_prefix(b"\"")?;
        let length = inside.iter().position(|byte| *byte == b'"')?;
        let (opaque, rest) = (&inside[..length], &inside[length + 1..]);
        Some((Tag { weak, opaque }, rest))
    }
}

/// The tags of a list, up to the first thing that is none. A tag may have commas in it.
struct Tags<'r> {
    rest: &'r [u8],
}

impl<'r> Iterator for Tags<'r> {
    type Item = Tag<'r>;

    fn next(&mut self) -> Option<Tag<'r>> {
        while let [b' ' | b'\t' | b',', rest @ ..] = self.rest {
            self.rest = rest;
        }
        let parsed = Tag::parse(self.rest);
        self.rest = match parsed.map(|(_, rest)| rest.trim_ascii_start()) {
            Some(rest @ ([] | [b',', ..])) => rest,
            Some(_) | None => &[],
        };
        parsed.map(|(tag, _)| tag)
    }
}

#[cfg(test)]
mod tests {
    use super::super::validator::Modified;
    use super::*;
    use crate::http::{Limits, Slots, reparse};
    use crate::sys::UnixTime;

    /// Sun, 06 Nov 1994 08:49:37 GMT
    const MODIFIED: u64 = 784_111_777;
    const EARLIER: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const SAME: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const LATER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

    /// Content of this age, in seconds, with the tag of a file that has it.
    fn current(age_secs: u64) -> Validators<'static> {
        let at = |secs| UnixTime { secs, nanos: 0 };
        let modified = Modified::of(at(MODIFIED), at(MODIFIED + age_secs));
        let tag = Tag {
            weak: !modified.has_settled,
            opaque: b"1f-ae1",
        };
        Validators {
            tag: Some(tag),
            modified: Some(modified),
        }
    }

    fn with_fields<T>(lines: &[(&str, &str)], read: impl FnOnce(Fields<'_>) -> T) -> T {
        let mut head = vec!["GET / HTTP/1.1".to_owned(), "Host: a".to_owned()];
        head.extend(lines.iter().map(|(name, value)| format!("{name}: {value}")));
        let head = head.join("\r\n") + "\r\n\r\n";
        let mut slots = Slots::new();
        let head = reparse(&Limits::default(), head.as_bytes(), &mut slots).expect("a head");
        read(head.fields())
    }

    /// `=` in a value stands for the file's strong tag, `~` for the weak one.
    fn expand(lines: &[(&str, &str)]) -> Vec<(String, String)> {
        let strong = "\"1f-ae1\"";
        let expand = |value: &str| {
            value
                .replace('=', strong)
                .replace('~', &format!("W/{strong}"))
        };
        lines
            .iter()
            .map(|(name, value)| ((*name).to_owned(), expand(value)))
            .collect()
    }

    fn evaluated<T>(lines: &[(&str, &str)], read: impl FnOnce(Fields<'_>) -> T) -> T {
        let lines = expand(lines);
        let lines: Vec<_> = lines
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        with_fields(&lines, read)
    }

    fn check(lines: &[(&str, &str)], expected: Verdict) {
        let verdict = evaluated(lines, |fields| evaluate(fields, &current(60)));
        assert_eq!(verdict, expected, "{lines:?}");
    }

    fn check_range(lines: &[(&str, &str)], expected: bool) {
        let lines = [lines, &[("Range", "bytes=0-1")]].concat();
        let found = evaluated(&lines, |fields| range(fields, &current(60)).is_some());
        assert_eq!(found, expected, "{lines:?}");
    }

    #[test]
    fn without_a_condition_the_file_is_sent() {
        check(&[], Verdict::Proceed);
        check(
            &[("Accept", "*/*"), ("IF", "*"), ("If-Else", "*")],
            Verdict::Proceed,
        );
    }

    #[test]
    fn if_match_compares_strongly() {
        check(&[("If-Match", "=")], Verdict::Proceed);
        check(&[("If-Match", "*")], Verdict::Proceed);
        check(&[("If-Match", "\"a\", =")], Verdict::Proceed);
        check(
            &[("If-Match", "\"a\""), ("if-match", "=")],
            Verdict::Proceed,
        );
        check(&[("If-Match", "\"a\"")], Verdict::Failed);
        check(&[("If-Match", "~")], Verdict::Failed);
        check(&[("If-Match", "")], Verdict::Failed);
        let young = evaluated(&[("If-Match", "=")], |fields| evaluate(fields, &current(0)));
        assert_eq!(young, Verdict::Failed);
    }

    #[test]
    fn if_none_match_compares_weakly() {
        check(&[("If-None-Match", "=")], Verdict::NotModified);
        check(&[("If-None-Match", "~")], Verdict::NotModified);
        check(&[("If-None-Match", "*")], Verdict::NotModified);
        check(
            &[("If-None-Match", "\"a\",W/\"b\" , =")],
            Verdict::NotModified,
        );
        check(&[("If-None-Match", ",,=")], Verdict::NotModified);
        check(&[("If-None-Match", "\"a,b\", =")], Verdict::NotModified);
        check(&[("If-None-Match", "\"a\"")], Verdict::Proceed);
        check(&[("If-None-Match", "")], Verdict::Proceed);
        let young = evaluated(&[("If-None-Match", "~")], |fields| {
            evaluate(fields, &current(0))
        });
        assert_eq!(young, Verdict::NotModified);
    }

    #[test]
    fn a_list_of_tags_ends_at_what_is_none() {
        check(&[("If-None-Match", "a, =")], Verdict::Proceed);
        check(&[("If-None-Match", "\"a\" =")], Verdict::Proceed);
        check(&[("If-None-Match", "\"a, =")], Verdict::Proceed);
        check(&[("If-None-Match", "w/=")], Verdict::Proceed);
        check(&[("If-None-Match", "\"a\"x, =")], Verdict::Proceed);
    }

    #[test]
    fn if_modified_since_reads_all_three_forms() {
        check(&[("If-Modified-Since", EARLIER)], Verdict::Proceed);
        check(&[("If-Modified-Since", SAME)], Verdict::NotModified);
        check(&[("If-Modified-Since", LATER)], Verdict::NotModified);
        check(
            &[("If-Modified-Since", "Sunday, 06-Nov-94 08:49:37 GMT")],
            Verdict::NotModified,
        );
        check(
            &[("If-Modified-Since", "Sun Nov  6 08:49:37 1994")],
            Verdict::NotModified,
        );
        check(
            &[("If-Modified-Since", "Sunday, 06-Nov-94 08:49:36 GMT")],
            Verdict::Proceed,
        );
        check(
            &[("If-Modified-Since", "Sun Nov  6 08:49:36 1994")],
            Verdict::Proceed,
        );
    }

    #[test]
    fn if_unmodified_since_is_the_other_way_round() {
        check(&[("If-Unmodified-Since", EARLIER)], Verdict::Failed);
        check(&[("If-Unmodified-Since", SAME)], Verdict::Proceed);
        check(&[("If-Unmodified-Since", LATER)], Verdict::Proceed);
    }

    #[test]
    fn dates_that_cannot_be_read_are_ignored() {
        for value in [
            "",
            "0",
            "yesterday",
            "Mon, 06 Nov 1994 08:49:36 GMT",
            "784111776",
        ] {
            check(&[("If-Modified-Since", value)], Verdict::Proceed);
            check(&[("If-Unmodified-Since", value)], Verdict::Proceed);
        }
        check(
            &[("If-Modified-Since", LATER), ("If-Modified-Since", LATER)],
            Verdict::Proceed,
        );
        check(
            &[
                ("If-Unmodified-Since", EARLIER),
                ("If-Unmodified-Since", EARLIER),
            ],
            Verdict::Proceed,
        );
    }

    #[test]
    fn tags_come_before_dates_and_if_match_before_if_none_match() {
        check(
            &[("If-Match", "="), ("If-Unmodified-Since", EARLIER)],
            Verdict::Proceed,
        );
        check(
            &[("If-Match", "\"a\""), ("If-Unmodified-Since", LATER)],
            Verdict::Failed,
        );
        check(
            &[("If-None-Match", "="), ("If-Modified-Since", EARLIER)],
            Verdict::NotModified,
        );
        check(
            &[("If-None-Match", "\"a\""), ("If-Modified-Since", LATER)],
            Verdict::Proceed,
        );
        check(
            &[("If-Match", "\"a\""), ("If-None-Match", "=")],
            Verdict::Failed,
        );
        check(
            &[("If-Match", "="), ("If-None-Match", "=")],
            Verdict::NotModified,
        );
        check(
            &[("If-Unmodified-Since", EARLIER), ("If-None-Match", "=")],
            Verdict::Failed,
        );
        check(
            &[("If-Unmodified-Since", LATER), ("If-Modified-Since", LATER)],
            Verdict::NotModified,
        );
    }

    #[test]
    fn if_range_compares_strongly() {
        check_range(&[], true);
        check_range(&[("If-Range", "=")], true);
        check_range(&[("If-Range", SAME)], true);
        check_range(&[("If-Range", "Sun Nov  6 08:49:37 1994")], true);
        for value in ["~", "\"a\"", "=, =", "*", "", "a", EARLIER, LATER] {
            check_range(&[("If-Range", value)], false);
        }
        check_range(&[("If-Range", "="), ("If-Range", "=")], false);
        for value in ["=", "~", SAME] {
            let lines = [("If-Range", value), ("Range", "bytes=0-1")];
            let young = evaluated(&lines, |fields| range(fields, &current(1)).is_some());
            assert!(!young, "{value}");
        }
    }

    #[test]
    fn only_one_range_line_counts() {
        check_range(&[], true);
        check_range(&[("Range", "bytes=0-1")], false);
        assert!(evaluated(&[("If-Range", "=")], |fields| range(
            fields,
            &current(60)
        )
        .is_none()));
    }

    #[test]
    fn what_has_no_validators_is_judged_by_being_there() {
        let none = Validators {
            tag: None,
            modified: None,
        };
        for (name, value, verdict) in [
            ("If-Match", "*", Verdict::Proceed),
            ("If-Match", "\"a\"", Verdict::Failed),
            ("If-None-Match", "*", Verdict::NotModified),
            ("If-None-Match", "\"a\"", Verdict::Proceed),
            ("If-None-Match", "\"\"", Verdict::Proceed),
            ("If-Modified-Since", LATER, Verdict::Proceed),
            ("If-Unmodified-Since", EARLIER, Verdict::Proceed),
        ] {
            let found = with_fields(&[(name, value)], |fields| evaluate(fields, &none));
            assert_eq!(found, verdict, "{name}: {value}");
        }
        for value in ["\"a\"", SAME] {
            let lines = [("If-Range", value), ("Range", "bytes=0-1")];
            assert!(with_fields(&lines, |fields| range(fields, &none).is_none()));
        }
        let dated = Validators {
            tag: None,
            ..current(60)
        };
        let lines = [("If-Range", SAME), ("Range", "bytes=0-1")];
        assert!(with_fields(&lines, |fields| range(fields, &dated).is_some()));
    }
}
