//! Answers on their way out: status lines, fields, lengths and chunks, appended to the caller's buffer.
//!
//! Framing fields are written here and nowhere else (RFC 9112 §6).

use super::field::is_value;
use super::name::FieldName;
use super::status;
use super::trailers::is_allowed;

/// How the end of an answer's content is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoder {
    /// So many bytes are still owed.
    Length(u64),
    /// Chunks.
    Chunked,
    /// The end of the connection: for HTTP/1.0, when the length is not known.
    UntilClose,
}

/// What an answer says of the length of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// Exactly so many bytes.
    Known(u64),
    /// The end will be known when it is there.
    Unknown,
}

/// A field that can't be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldError {
    /// The name is no token.
    Name,
    /// The value has CR, LF, NUL or another control character.
    Value,
    /// Connection, Content-Length, Date, Keep-Alive and Transfer-Encoding are the server's to write.
    Reserved,
    /// It frames, routes, authenticates or says how content is read, and must not come behind the content.
    Trailer,
    /// The location is empty, or begins with two slashes: that is another host, however much it looks like a path.
    Location,
}

impl core::fmt::Display for FieldError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            FieldError::Name => "the field's name is no token",
            FieldError::Value => "the field's value has a control character",
            FieldError::Reserved => "the field is the server's to write",
            FieldError::Trailer => "the field must not come behind the content",
            FieldError::Location => "the location is empty or leads to another host",
        })
    }
}

impl core::error::Error for FieldError {}

/// Appends a status line. A status outside of 100 to 999 is written as 500.
#[inline]
pub fn status_line(out: &mut Vec<u8>, status: u16) {
    match status::line(status) {
        Some(line) => out.extend_from_slice(line.as_bytes()),
        None if (100..1000).contains(&status) => {
            out.extend_from_slice(b"HTTP/1.1 ");
            decimal(out, u64::from(status));
            out.extend_from_slice(b" \r\n");
        }
        None => status_line(out, 500),
    }
}

/// Appends a field of the application's.
#[inline]
pub fn field(out: &mut Vec<u8>, name: FieldName<'_>, value: &[u8]) -> Result<(), FieldError> {
    check_value(value)?;
    let name = name.as_str();
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
    Ok(())
}

#[inline]
fn check_value(value: &[u8]) -> Result<(), FieldError> {
    if is_value(value) {
        Ok(())
    } else {
        Err(FieldError::Value)
    }
}

/// Whether a field can be sent behind the content (RFC 9110 §6.5.1).
pub fn check_trailer(name: FieldName<'_>, value: &[u8]) -> Result<(), FieldError> {
    check_value(value)?;
    if is_allowed(name.as_str().as_bytes()) {
        Ok(())
    } else {
        Err(FieldError::Trailer)
    }
}

/// Appends an interim answer of these values of Link (RFC 8297), or nothing if one of them can't be sent.
pub(super) fn early_hints(out: &mut Vec<u8>, links: &[&str]) -> Result<(), FieldError> {
    for link in links {
        check_value(link.as_bytes())?;
    }
    status_line(out, 103);
    for link in links {
        field(out, const { FieldName::new("Link") }, link.as_bytes())?;
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}

#[inline]
pub(super) const fn is_reserved(name: &[u8]) -> bool {
    match name.len() {
        4 => name.eq_ignore_ascii_case(b"date"),
        10 => name.eq_ignore_ascii_case(b"connection") || name.eq_ignore_ascii_case(b"keep-alive"),
        14 => name.eq_ignore_ascii_case(b"content-length"),
        17 => name.eq_ignore_ascii_case(b"transfer-encoding"),
        _ => false,
    }
}

/// What an answer's head says of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Connection {
    Unsaid,
    KeepAlive,
    Close,
    Upgrade,
}

/// Appends the framing fields and the blank line. An answer that never has content says nothing of its length.
#[inline]
pub(super) fn end_of_head(out: &mut Vec<u8>, encoder: Option<Encoder>, connection: Connection) {
    match encoder {
        Some(Encoder::Length(length)) if connection == Connection::Unsaid => {
            return content_length(out, length);
        }
        Some(Encoder::Length(length)) => {
            out.extend_from_slice(b"Content-Length: ");
            decimal(out, length);
            out.extend_from_slice(b"\r\n");
        }
        Some(Encoder::Chunked) => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        Some(Encoder::UntilClose) | None => {}
    }
    out.extend_from_slice(match connection {
        Connection::Unsaid => b"\r\n",
        Connection::KeepAlive => b"Connection: keep-alive\r\n\r\n",
        Connection::Close => b"Connection: close\r\n\r\n",
        Connection::Upgrade => b"Connection: Upgrade\r\n\r\n",
    });
}

/// Appends what nearly every answer ends its head with: Content-Length and the blank line. The bytes that are copied are of a
/// constant number, which takes no call, and those that are too many are taken back.
#[inline]
fn content_length(out: &mut Vec<u8>, length: u64) {
    const NAME: &[u8; 16] = b"Content-Length: ";
    const END: &[u8; 4] = b"\r\n\r\n";
    let mut line = [0; NAME.len() + DIGITS + END.len()];
    line[..NAME.len()].copy_from_slice(NAME);
    let digits = count_digits(length);
    let (number, rest) = line[NAME.len()..].split_at_mut(digits);
    digits_into(number, length);
    rest[..END.len()].copy_from_slice(END);
    let begin = out.len();
    out.extend_from_slice(&line);
    out.truncate(begin + NAME.len() + digits + END.len());
}

/// Appends a number in decimal digits.
#[inline]
pub fn decimal(out: &mut Vec<u8>, number: u64) {
    let mut into = [0; DIGITS];
    let into = &mut into[..count_digits(number)];
    digits_into(into, number);
    out.extend_from_slice(into);
}

/// The most digits of a number of 64 bits.
const DIGITS: usize = 20;

/// Counted from one on, for most lengths are short.
#[inline]
fn count_digits(number: u64) -> usize {
    let (mut digits, mut bound) = (1, 10);
    while number >= bound && digits < DIGITS {
        digits += 1;
        bound = bound.saturating_mul(10);
    }
    digits
}

/// Writes a number into as many bytes as it has digits.
#[inline]
fn digits_into(into: &mut [u8], mut number: u64) {
    for digit in into.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Appends one chunk. Empty data is no chunk: it would be the last.
pub(super) fn chunk(out: &mut Vec<u8>, data: &[u8]) {
    if data.is_empty() {
        return;
    }
    let digits = (usize::BITS - data.len().leading_zeros()).div_ceil(4);
    for place in (0..digits).rev() {
        let digit = (data.len() >> (4 * place)) as u8 & 15;
        out.push(if digit < 10 {
            b'0' + digit
        } else {
            b'a' + digit - 10
        });
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(data);
    out.extend_from_slice(b"\r\n");
}

/// Appends the last chunk and the trailer fields. Those that can't be sent are left out: the head has gone, and nobody
/// can be told any more.
pub(super) fn last_chunk(out: &mut Vec<u8>, trailers: &[(FieldName<'_>, &[u8])]) {
    out.extend_from_slice(b"0\r\n");
    for (name, value) in trailers {
        if check_trailer(*name, value).is_ok() {
            let _ = field(out, *name, value);
        }
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_agree_with_the_standard_library() {
        for number in (0..64)
            .map(|bits| u64::MAX >> bits)
            .chain(0..1100)
            .chain((0..20).flat_map(|zeros| [10u64.pow(zeros) - 1, 10u64.pow(zeros)]))
        {
            let mut out = Vec::new();
            decimal(&mut out, number);
            assert_eq!(out, number.to_string().as_bytes());
            out.clear();
            content_length(&mut out, number);
            let line = format!("Content-Length: {number}\r\n\r\n");
            assert_eq!(out, line.as_bytes());
        }
    }

    #[test]
    fn chunks_come_back_out_of_httparse_and_the_decoder() {
        for length in [0, 1, 9, 10, 15, 16, 255, 256, 4095, 65536] {
            let data = vec![b'x'; length];
            let mut out = Vec::new();
            chunk(&mut out, &data);
            if length == 0 {
                assert!(out.is_empty());
                continue;
            }
            let size = httparse::parse_chunk_size(&out).expect("a chunk");
            let httparse::Status::Complete((at, size)) = size else {
                panic!("a whole size")
            };
            assert_eq!(
                (size, &out[at..]),
                (length as u64, &[&data[..], b"\r\n"].concat()[..])
            );
        }
    }

    #[test]
    fn unregistered_statuses_have_an_empty_reason() {
        let line = |status| {
            let mut out = Vec::new();
            status_line(&mut out, status);
            String::from_utf8(out).expect("ASCII")
        };
        assert_eq!(line(299), "HTTP/1.1 299 \r\n");
        assert_eq!(line(200), "HTTP/1.1 200 OK\r\n");
        assert_eq!(line(99), "HTTP/1.1 500 Internal Server Error\r\n");
        assert_eq!(line(1000), "HTTP/1.1 500 Internal Server Error\r\n");
    }

    #[test]
    fn values_cannot_smuggle_lines() {
        let mut out = Vec::new();
        for value in [b"a\r\nb" as &[u8], b"a\rb", b"a\nb", b"a\0b", b"\x7f"] {
            assert_eq!(
                field(&mut out, const { FieldName::new("a") }, value),
                Err(FieldError::Value)
            );
        }
        assert!(out.is_empty());
        assert_eq!(
            field(&mut out, const { FieldName::new("X-Name") }, "é".as_bytes()),
            Ok(())
        );
        assert_eq!(out, "X-Name: é\r\n".as_bytes());
    }
}
