//! Field lines that are made before they are sent: when the program is compiled, or once for many answers.

use super::encode::{self, FieldError, is_reserved};
use super::field::{is_token_byte, is_value_byte};
use super::name::FieldName;

/// A field whose name and value are constants. Made by [`field_line!`](crate::field_line): one that can't be sent does
/// not compile, and sending one is a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldLine(&'static str);

impl FieldLine {
    /// Takes the line as it is sent, with its end.
    ///
    /// # Panics
    /// When the name is no token, when the value has a control character, and when the field is the server's to write
    /// ([`FieldError`](super::FieldError)). In a constant that is an error of compilation.
    pub const fn new(line: &'static str) -> FieldLine {
        let bytes = line.as_bytes();
        let mut at = 0;
        while at < bytes.len() && is_token_byte(bytes[at]) {
            at += 1;
        }
        let (name, rest) = bytes.split_at(at);
        assert!(
            matches!(rest, [b':', b' ', .., b'\r', b'\n']) && !name.is_empty(),
            "a field line is a token, a colon, a space, a value and CRLF"
        );
        assert!(!is_reserved(name), "the field is the server's to write");
        at += 2;
        while at < bytes.len() - 2 {
            assert!(
                is_value_byte(bytes[at]),
                "the field's value has a control character"
            );
            at += 1;
        }
        FieldLine(line)
    }

    /// The line as it is sent.
    #[inline]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

/// Field lines that are encoded once and sent in many answers, as one copy.
///
/// ```
/// use edgeloop::{Reply, ResponseWriter};
/// use edgeloop::http::{FieldError, FieldLines};
///
/// fn of_version(version: &str) -> Result<FieldLines, FieldError> {
///     let mut lines = FieldLines::default();
///     lines.field("X-Version", version)?;
///     lines.field("Cache-Control", "no-cache")?;
///     Ok(lines)
/// }
///
/// fn page(lines: &FieldLines, res: ResponseWriter) -> Reply {
///     res.status(200).lines(lines).text("Hello, world!\n")
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldLines(Vec<u8>);

impl FieldLines {
    /// Adds a field. Errors: one that can't be sent, and is not added.
    pub fn field(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), FieldError> {
        encode::field(&mut self.0, FieldName::try_from(name)?, value.as_ref())
    }

    /// Adds a field that was checked when the program was compiled.
    pub fn line(&mut self, line: FieldLine) {
        self.0.extend_from_slice(line.as_str().as_bytes());
    }

    /// Takes lines that are encoded already. `None`: they are not lines of fields that can be sent, each with its end.
    pub fn encoded(lines: &[u8]) -> Option<FieldLines> {
        let mut taken = FieldLines(Vec::with_capacity(lines.len()));
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\r\n")?;
            let colon = line.windows(2).position(|it| it == b": ")?;
            let name = core::str::from_utf8(&line[..colon]).ok()?;
            taken.field(name, &line[colon + 2..]).ok()?;
        }
        Some(taken)
    }

    /// The lines as they are sent.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A [`FieldLine`](crate::http::FieldLine) of a name and a value, both literals.
///
/// ```
/// use edgeloop::{field_line, http::FieldLine};
///
/// const HTML: FieldLine = field_line!("Content-Type", "text/html; charset=utf-8");
/// assert_eq!(HTML.as_str(), "Content-Type: text/html; charset=utf-8\r\n");
/// ```
///
/// ```compile_fail,E0080
/// const SPLIT: edgeloop::http::FieldLine = edgeloop::field_line!("X-Name", "a\r\nSet-Cookie: b");
/// ```
#[macro_export]
macro_rules! field_line {
    ($name:literal, $value:literal) => {
        const { $crate::http::FieldLine::new(concat!($name, ": ", $value, "\r\n")) }
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::encode;

    #[test]
    fn encoded_lines_are_taken_if_they_can_be_sent() {
        let mut lines = FieldLines::default();
        lines.field("X-One", "a: b").expect("sound");
        lines.line(FieldLine::new("Allow: GET\r\n"));
        lines.field("X-Empty", "").expect("sound");
        lines.field("a b", "c").expect_err("no token");
        lines.field("Date", "c").expect_err("the server's");
        let bytes = b"X-One: a: b\r\nAllow: GET\r\nX-Empty: \r\n";
        assert_eq!(lines.as_bytes(), bytes);
        assert_eq!(FieldLines::encoded(bytes).as_ref(), Some(&lines));
        assert_eq!(FieldLines::encoded(b""), Some(FieldLines::default()));
        for unfit in [
            "a: b",
            "a: b\n",
            "a b: c\r\n",
            "a\r\n",
            "Date: x\r\n",
            "\r\n",
            "a: b\r\n\r\n",
        ] {
            assert_eq!(FieldLines::encoded(unfit.as_bytes()), None, "{unfit:?}");
        }
    }

    /// Whatever it takes is what the encoder writes.
    #[test]
    fn lines_are_what_the_encoder_writes() {
        for (name, value) in [
            ("Allow", "GET, HEAD"),
            ("X", ""),
            ("a", "\t~é"),
            ("a b", "c"),
            ("", "c"),
            ("a", "b\r\nc: d"),
            ("a", "b\n"),
            ("Date", "x"),
            ("CONTENT-LENGTH", "1"),
        ] {
            let line: &'static str = format!("{name}: {value}\r\n").leak();
            let mut out = Vec::new();
            let encoded = FieldName::try_from(name)
                .and_then(|name| encode::field(&mut out, name, value.as_bytes()));
            let taken = std::panic::catch_unwind(|| FieldLine::new(line));
            assert_eq!(taken.is_ok(), encoded.is_ok(), "{line:?}");
            if encoded.is_ok() {
                assert_eq!(out, line.as_bytes());
            }
        }
    }
}
