//! Heads and trailer sections, cut into their parts.
//!
//! Only what is beyond doubt is cut, strictly as [RFC 9112] has it, and each octet is looked at once. Whenever something
//! is off, [`judge`](super::judge) goes through the bytes again and says what: so this file only has to be right about
//! whether there is a fault, and may put what nearly every client sends before everything else.
//!
//! [RFC 9112]: https://www.rfc-editor.org/rfc/rfc9112

use super::field::{is_token_byte, is_value_byte};
use super::request::Version;
use super::target::{Octet, check_octets, octet};

/// Why nothing was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Uncut {
    /// The bytes end before it does.
    Unfinished,
    /// Something is off, or may be.
    Doubtful,
}

/// A request line. Its words are tokens and octets of the URI grammar, of any length but none.
pub(super) struct RequestLine<'i> {
    pub(super) method: &'i str,
    pub(super) target: &'i str,
    /// Where in the target the first `?` is.
    pub(super) question: Option<usize>,
    pub(super) version: Version,
    /// How many bytes it has, its CRLF among them.
    pub(super) bytes: usize,
}

/// Cuts the request line off a head (RFC 9112 §3).
#[inline]
pub(super) fn request_line(head: &[u8]) -> Result<RequestLine<'_>, Uncut> {
    let method = if head.starts_with(b"GET ") {
        "GET"
    } else {
        rare_method(head)?
    };
    let begin = method.len() + 1;
    let rest = &head[begin..];
    // Nearly always a target is plain, and then a space ends it.
    let plain = first(rest, |it| octet(it) != Octet::Plain)?;
    let length = if rest[plain] == b' ' {
        plain
    } else {
        rare_target(rest)?
    };
    if length == 0 {
        return Err(Uncut::Doubtful);
    }
    let target = text(&rest[..length])?;
    let question = if length == plain {
        None
    } else {
        target.find('?')
    };
    let rest = &rest[length + 1..];
    let version = if rest.starts_with(b"HTTP/1.1\r\n") {
        Version::Http11
    } else {
        rare_version(rest)?
    };
    Ok(RequestLine {
        method,
        target,
        question,
        version,
        bytes: begin + length + 1 + VERSION_BYTES,
    })
}

/// What is ASCII, as text.
#[inline]
fn text(ascii: &[u8]) -> Result<&str, Uncut> {
    core::str::from_utf8(ascii).map_err(|_| Uncut::Doubtful)
}

/// The method that stands before a space.
#[inline(never)]
fn rare_method(head: &[u8]) -> Result<&str, Uncut> {
    let length = first(head, |it| !is_token_byte(it))?;
    if length > 0 && head[length] == b' ' {
        text(&head[..length])
    } else {
        Err(Uncut::Doubtful)
    }
}

/// What ends a request line: `HTTP/1.1` and CRLF.
const VERSION_BYTES: usize = 10;

#[cold]
fn rare_version(rest: &[u8]) -> Result<Version, Uncut> {
    match rest.strip_prefix(b"HTTP/1.") {
        Some([b'0', b'\r', b'\n', ..]) => Ok(Version::Http10),
        // RFC 9110 §2.5: a later one is read as 1.1.
        Some([b'1'..=b'9', b'\r', b'\n', ..]) => Ok(Version::Http11),
        Some(_) | None => Err(Uncut::Doubtful),
    }
}

/// How many bytes the target has that stands before a space.
#[inline(never)]
fn rare_target(rest: &[u8]) -> Result<usize, Uncut> {
    let length = first(rest, |it| octet(it) == Octet::Outside)?;
    if rest[length] == b' ' && check_octets(&rest[..length]).is_ok() {
        Ok(length)
    } else {
        Err(Uncut::Doubtful)
    }
}

/// Where a field stands in its section.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    name: usize,
    colon: usize,
    value: usize,
    end: usize,
}

impl Place {
    #[inline]
    pub(super) fn name(self, section: &[u8]) -> &[u8] {
        &section[self.name..self.colon]
    }

    #[inline]
    pub(super) fn value(self, section: &[u8]) -> &[u8] {
        &section[self.value..self.end]
    }
}

/// Cuts a section into its fields, from `at` to the empty line that ends it (RFC 9112 §5): how many there are, and where
/// what follows begins. Each is shown as well, in its order. There have to be places for all.
#[inline]
pub(super) fn fields<'i>(
    section: &'i [u8],
    mut at: usize,
    places: &mut [Place],
    mut each: impl FnMut(&'i [u8], &'i [u8]),
) -> Result<(usize, usize), Uncut> {
    let mut count = 0;
    loop {
        let rest = &section[at..];
        if rest.starts_with(b"\r\n") {
            return Ok((count, at + 2));
        }
        let name = first(rest, |it| !is_token_byte(it))?;
        let mut begin = name + 1;
        while let Some(b' ' | b'\t') = rest.get(begin) {
            begin += 1;
        }
        let line = rest.get(begin..).ok_or(Uncut::Unfinished)?;
        let length = first_control(line)?;
        if name == 0 || rest[name] != b':' || !line[length..].starts_with(b"\r\n") {
            return Err(Uncut::Doubtful);
        }
        let mut value = &line[..length];
        while let [before @ .., b' ' | b'\t'] = value {
            value = before;
        }
        let place = places.get_mut(count).ok_or(Uncut::Doubtful)?;
        *place = Place {
            name: at,
            colon: at + name,
            value: at + begin,
            end: at + begin + value.len(),
        };
        count += 1;
        each(&rest[..name], value);
        at += begin + length + 2;
    }
}

/// Where the first byte of this kind is.
#[inline]
fn first(bytes: &[u8], is: impl Fn(u8) -> bool) -> Result<usize, Uncut> {
    let at = bytes.iter().position(|it| is(*it));
    at.ok_or(Uncut::Unfinished)
}

/// Where the first byte is that no value has. Eight are looked at at once: values are the most of a head.
#[inline]
fn first_control(bytes: &[u8]) -> Result<usize, Uncut> {
    let mut at = 0;
    while let Some(eight) = bytes[at..].first_chunk() {
        let controls = controls(u64::from_le_bytes(*eight));
        if controls == 0 {
            at += 8;
            continue;
        }
        at += controls.trailing_zeros() as usize / 8;
        if bytes[at] != b'\t' {
            return Ok(at);
        }
        at += 1;
    }
    Ok(at + first(&bytes[at..], |it| !is_value_byte(it))?)
}

/// Of eight bytes: the lowest bit that is set is the high bit of the first that is a control character, if one is. What is
/// set above it means nothing: borrows go upwards.
#[inline]
const fn controls(eight: u64) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    let below_space = eight.wrapping_sub(ONES * b' ' as u64) & !eight;
    let not_delete = eight ^ (ONES * 0x7f);
    let delete = not_delete.wrapping_sub(ONES) & !not_delete;
    (below_space | delete) & HIGH
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every byte at every place, among bytes of every kind.
    #[test]
    fn eight_bytes_are_looked_at_as_one_by_one() {
        for around in [b'a', b'\t', b' ', 0x7e, 0x80, 0xff] {
            for at in 0..24 {
                for byte in 0..=255 {
                    let mut bytes = [around; 24];
                    bytes[at] = byte;
                    let other = bytes.iter().position(|it| !is_value_byte(*it));
                    assert_eq!(first_control(&bytes).ok(), other, "{bytes:?}");
                }
            }
        }
    }
}
