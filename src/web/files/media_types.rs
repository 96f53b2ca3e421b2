//! Media types of the operator's own, which come before those that everybody knows.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use super::media_type::{self, MediaType};
use crate::http::is_token;

/// An extension longer than this is none that anything is known of.
const EXTENSION_BYTES_MAX: usize = 32;

/// Media types by extension.
#[derive(Clone, Debug, Default)]
pub(super) struct MediaTypes {
    /// By extension in lower case; the values are complete. The operator gives the names, so the hash function need not be
    /// secret.
    own: HashMap<Box<[u8]>, Arc<str>, BuildHasherDefault<DefaultHasher>>,
}

impl MediaTypes {
    /// The media type of a file with this name.
    pub(super) fn of(&self, path: &[u8]) -> MediaType {
        if let Some(own) = self.own(media_type::extension(path)) {
            return MediaType::Own(Arc::clone(own));
        }
        media_type::of(path)
    }

    fn own(&self, extension: &[u8]) -> Option<&Arc<str>> {
        if self.own.is_empty() || extension.len() > EXTENSION_BYTES_MAX {
            return None;
        }
        let mut lower = [0; EXTENSION_BYTES_MAX];
        let lower = &mut lower[..extension.len()];
        lower.copy_from_slice(extension);
        lower.make_ascii_lowercase();
        self.own.get(&*lower)
    }

    /// Takes a table of types: see [`Files::with_media_types`](super::Files::with_media_types).
    pub(super) fn add(&mut self, table: &str) -> Result<(), MediaTypesError> {
        let is_block = table.lines().any(|line| code(line).ends_with('{'));
        // In nginx's block a row goes on until its semicolon, and may begin on the line before.
        let (mut row, mut begun) = (String::new(), 1);
        for (line, code) in (1..).zip(table.lines().map(code)) {
            if is_block && (row.is_empty() && is_bracket(code) || code.is_empty()) {
                continue;
            }
            if row.is_empty() {
                begun = line;
            }
            row += " ";
            row += code;
            if !is_block {
                self.add_row(&row, begun)?;
                row.clear();
            } else if let Some(whole) = row.strip_suffix(';') {
                self.add_row(whole, begun)?;
                row.clear();
            }
        }
        if row.is_empty() {
            Ok(())
        } else {
            Err(MediaTypesError::new(begun, "it does not end in ';'"))
        }
    }

    fn add_row(&mut self, row: &str, line: usize) -> Result<(), MediaTypesError> {
        let mut words = row.split_ascii_whitespace();
        let Some(value) = words.next() else {
            return Ok(());
        };
        let why = "it does not begin with a media type";
        let value = complete(value).ok_or(MediaTypesError::new(line, why))?;
        let value: Arc<str> = value.into();
        for extension in words {
            if extension.len() > EXTENSION_BYTES_MAX || extension.contains(['/', '.', ';', '}']) {
                let why = "it has a word that is no extension";
                return Err(MediaTypesError::new(line, why));
            }
            let extension = extension.to_ascii_lowercase().into_bytes();
            self.own.insert(extension.into(), Arc::clone(&value));
        }
        Ok(())
    }
}

/// What stands before a comment.
fn code(line: &str) -> &str {
    line.split('#').next().unwrap_or_default().trim_ascii()
}

/// What opens or closes nginx's block.
fn is_bracket(code: &str) -> bool {
    code == "}"
        || code
            .strip_prefix("types")
            .is_some_and(|rest| rest.trim_ascii() == "{")
}

/// A type as it is sent: texts are in UTF-8 (RFC 9110 §8.3).
fn complete(value: &str) -> Option<String> {
    let (kind, format) = value.split_once('/')?;
    if !is_token(kind.as_bytes()) || !is_token(format.as_bytes()) {
        return None;
    }
    Some(if kind.eq_ignore_ascii_case("text") {
        format!("{value}; charset=utf-8")
    } else {
        value.to_owned()
    })
}

/// Why a table of media types can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaTypesError {
    line: usize,
    why: &'static str,
}

impl MediaTypesError {
    fn new(line: usize, why: &'static str) -> MediaTypesError {
        MediaTypesError { line, why }
    }
}

impl fmt::Display for MediaTypesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MediaTypesError { line, why } = self;
        write!(
            f,
            "line {line} is no row of media types: {why}; write 'text/html html htm'"
        )
    }
}

impl core::error::Error for MediaTypesError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(table: &str, name: &str, expected: &str) {
        let mut types = MediaTypes::default();
        types.add(table).expect(table);
        assert_eq!(
            types.of(name.as_bytes()).to_string(),
            expected,
            "{table} {name}"
        );
    }

    #[test]
    fn a_table_is_read_as_nginx_writes_it_and_as_apache_does() {
        let nginx = "\ntypes {\n    text/html  html htm;  # a comment\n    application/x-a a;\n}\n";
        let apache = "# a comment\ntext/html\t\thtml htm\napplication/x-none\napplication/x-a a\n";
        for table in [nginx, apache] {
            check(table, "a.htm", "text/html; charset=utf-8");
            check(table, "b.A", "application/x-a");
            check(table, "b/c.png", "image/png");
            check(table, "a", "application/octet-stream");
        }
        let two_lines = "types {\n  application/x-long\n    long l;  # both\n text/x-a a;\n}";
        check(two_lines, "a.l", "application/x-long");
        check(two_lines, "a.a", "text/x-a; charset=utf-8");
        check("image/x-own png", "a.png", "image/x-own");
        check("image/x-own png\nimage/x-last png", "a.png", "image/x-last");
        check("", "a.png", "image/png");
    }

    #[test]
    fn what_cannot_be_read_is_said_with_its_line() {
        for (table, line) in [
            ("text", 1),
            ("\n\nhtml text/html", 3),
            ("/ a", 1),
            ("text/h{ml a", 1),
            ("text/html .html", 1),
            ("types {\ntext/html html\n}", 2),
            ("text/html html;", 1),
            ("types {\ntext/html html;\ntypes", 3),
        ] {
            let error = MediaTypes::default().add(table).expect_err(table);
            assert_eq!(error.line, line, "{table}: {error}");
        }
    }
}
