//! What a Content-Type says (RFC 9110 §8.3): a type, and parameters.

use std::borrow::Cow;

use crate::http::{Head, is_token};

/// Whether the body is said to be of this type, whatever the parameters. Two fields say nothing.
pub(super) fn is(head: &Head<'_>, wanted: &str) -> bool {
    value_of(head).is_some_and(|value| essence(value).eq_ignore_ascii_case(wanted))
}

/// The value of the one Content-Type that there is.
pub(super) fn value_of<'r>(head: &Head<'r>) -> Option<&'r str> {
    let mut values = head.fields().get_all("content-type");
    match (values.next(), values.next()) {
        (Some(value), None) => core::str::from_utf8(value).ok(),
        (None | Some(_), _) => None,
    }
}

/// What stands before the first parameter.
pub(super) fn essence(value: &str) -> &str {
    let end = value.find(';').unwrap_or(value.len());
    value[..end].trim_matches([' ', '\t'])
}

/// Parameters as `; name=value` each, a value being a token or a quoted string (RFC 9110 §5.6.6). They end with the first
/// thing that is none.
pub(super) struct Parameters<'v> {
    rest: &'v str,
    /// What a backslash in a quoted string does.
    escapes: Escapes,
}

/// What a backslash stands for in a quoted string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escapes {
    /// The octet behind it, whatever it is (RFC 9110 §5.6.4).
    All,
    /// A quote or a backslash behind it, else itself: some browsers sent `C:\dir\file` as the name of a file.
    QuoteAndBackslash,
}

impl<'v> Parameters<'v> {
    /// Those behind the first `;` of a value.
    pub(super) fn of(value: &'v str, escapes: Escapes) -> Parameters<'v> {
        let begin = value.find(';').unwrap_or(value.len());
        Parameters {
            rest: &value[begin..],
            escapes,
        }
    }

    /// Whether everything was read as parameters.
    pub(super) fn is_whole(&self) -> bool {
        self.rest.is_empty()
    }

    fn parameter(&self) -> Option<(&'v str, Cow<'v, str>, &'v str)> {
        let mut rest = trim(self.rest).strip_prefix(';')?;
        rest = trim(rest);
        // RFC 9110 §5.6.6: parameters may be empty.
        if rest.is_empty() || rest.starts_with(';') {
            return Some(("", Cow::Borrowed(""), rest));
        }
        let (name, value) = rest.split_once('=')?;
        if !is_token(name.as_bytes()) {
            return None;
        }
        let (value, rest) = if let Some(quoted) = value.strip_prefix('"') {
            unquote(quoted, self.escapes)?
        } else {
            let end = value.find([';', ' ', '\t']).unwrap_or(value.len());
            let (value, rest) = value.split_at(end);
            if !is_token(value.as_bytes()) {
                return None;
            }
            (Cow::Borrowed(value), rest)
        };
        Some((name, value, trim(rest)))
    }
}

impl<'v> Iterator for Parameters<'v> {
    type Item = (&'v str, Cow<'v, str>);

    fn next(&mut self) -> Option<(&'v str, Cow<'v, str>)> {
        loop {
            let (name, value, rest) = self.parameter()?;
            self.rest = rest;
            if !name.is_empty() {
                return Some((name, value));
            }
        }
    }
}

fn trim(text: &str) -> &str {
    text.trim_start_matches([' ', '\t'])
}

/// What stands before the closing quote, and what behind it.
pub(super) fn unquote(quoted: &str, escapes: Escapes) -> Option<(Cow<'_, str>, &str)> {
    let plain = quoted.find(['"', '\\'])?;
    if quoted[plain..].starts_with('"') {
        return Some((Cow::Borrowed(&quoted[..plain]), &quoted[plain + 1..]));
    }
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, next)) = chars.next() {
        match next {
            '"' => return Some((Cow::Owned(value), &quoted[at + 1..])),
            '\\' => {
                let mut behind = chars.clone();
                let (_, meant) = behind.next()?;
                if escapes == Escapes::All || matches!(meant, '"' | '\\') {
                    value.push(meant);
                    chars = behind;
                } else {
                    value.push('\\');
                }
            }
            next => value.push(next),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(value: &str, escapes: Escapes) -> (Vec<(String, String)>, bool) {
        let mut parameters = Parameters::of(value, escapes);
        let read = parameters
            .by_ref()
            .map(|(name, value)| (name.to_owned(), value.into_owned()))
            .collect();
        (read, parameters.is_whole())
    }

    fn check(value: &str, expected: &[(&str, &str)], whole: bool) {
        let expected: Vec<(String, String)> = expected
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let read = parameters(value, Escapes::QuoteAndBackslash);
        assert_eq!(read, (expected, whole), "{value}");
    }

    #[test]
    fn parameters_are_tokens_or_quoted_strings() {
        check("a/b", &[], true);
        check("a/b;c=d", &[("c", "d")], true);
        check("a/b ; c=d ;e=\"f;g\"", &[("c", "d"), ("e", "f;g")], true);
        check("a;b=\"\"", &[("b", "")], true);
        check("a;;b=c;", &[("b", "c")], true);
        check(r#"a;b="c\"d\\e\f""#, &[("b", r#"c"d\e\f"#)], true);
        check("a;b=é", &[], false);
        check("a;b=\"é\"", &[("b", "é")], true);
        for bad in [
            "a;b",
            "a;b=",
            "a;=b",
            "a;b=c d",
            "a;b=\"c",
            "a;b=\"c\\",
            "a;b=\"c\"d",
            "a;b =c",
        ] {
            let (_, whole) = parameters(bad, Escapes::All);
            assert!(!whole, "{bad}");
        }
    }

    #[test]
    fn a_backslash_stands_for_what_is_behind_it() {
        let read = parameters(r#"a;b="C:\dir\\x""#, Escapes::All).0;
        assert_eq!(read[0].1, r"C:dir\x");
        let read = parameters(r#"a;b="C:\dir\\x""#, Escapes::QuoteAndBackslash).0;
        assert_eq!(read[0].1, r"C:\dir\x");
    }

    /// The crate `mime` is the oracle for what is sound.
    #[test]
    fn types_and_parameters_are_those_that_mime_reads() {
        for value in [
            "text/html",
            "TEXT/html; charset=UTF-8",
            "multipart/form-data; boundary=\"a b\"; x=y",
            "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxk",
            "application/json;charset=utf-8",
        ] {
            let mime: mime::Mime = value.parse().expect(value);
            assert!(essence(value).eq_ignore_ascii_case(mime.essence_str()));
            let theirs: Vec<(String, String)> = mime
                .params()
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect();
            let (ours, whole) = parameters(value, Escapes::All);
            assert!(whole);
            assert_eq!(ours.len(), theirs.len());
            for ((name, value), (their_name, their_value)) in ours.iter().zip(&theirs) {
                assert!(name.eq_ignore_ascii_case(their_name));
                assert!(value.eq_ignore_ascii_case(their_value));
            }
        }
    }
}
