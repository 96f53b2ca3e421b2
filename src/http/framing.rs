//! Where the body ends, whether the connection lives on, and what the client waits for: decided in one place.

use core::num::NonZeroU64;

use super::error::Reject;
use super::field::list;
use super::request::Version;
use super::target::{Form, KnownAuthority, Target};

/// What a head says of everything but its own meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framing {
    /// How the end of the body is found.
    pub body: Body,
    /// Whether the connection may serve another request.
    pub persist: Persist,
    /// Whether the client holds its body back until it gets `100 Continue` (RFC 9110 §10.1.1).
    pub expects_continue: bool,
}

/// How the end of a request's body is found (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// There is none.
    None,
    /// So many bytes.
    Length(NonZeroU64),
    /// The chunk of length zero, and trailers.
    Chunked,
}

/// Whether a connection outlives an exchange (RFC 9112 §9.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persist {
    /// It serves the next request.
    KeepAlive,
    /// It is closed after the answer, and the peer knows: it sends nothing more.
    PeerCloses,
    /// It is closed after the answer, and the peer may still be sending.
    WeClose,
}

/// What the fields have said so far.
pub(super) struct Said<'k> {
    known: &'k mut KnownAuthority,
    /// The first fault in them.
    fault: Option<Reject>,
    host: bool,
    length: Option<u64>,
    codings: Codings,
    close: bool,
    keep_alive: bool,
    expectation: Expectation,
}

/// What the client expects before it sends its body.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expectation {
    None,
    Continue,
    /// Something that is not known, perhaps among others.
    Other,
}

/// The transfer codings, in the order in which they were applied.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Codings {
    /// No such field.
    None,
    /// The field names no coding.
    Empty,
    Chunked,
    Other,
    OtherThenChunked,
}

impl<'k> Said<'k> {
    #[inline]
    pub(super) fn nothing(known: &'k mut KnownAuthority) -> Said<'k> {
        Said {
            known,
            fault: None,
            host: false,
            length: None,
            codings: Codings::None,
            close: false,
            keep_alive: false,
            expectation: Expectation::None,
        }
    }

    /// Another field, whose name is a token.
    #[inline]
    pub(super) fn field(&mut self, name: &[u8], value: &[u8]) {
        // Most names are told apart by their length alone.
        match name.len() {
            4 if is(name, b"host") => self.host(value),
            6 | 10 | 14 | 17 => self.rare_field(name, value),
            _ => {}
        }
    }

    /// One whose name has the length of those that say something of the body or the connection.
    #[inline(never)]
    fn rare_field(&mut self, name: &[u8], value: &[u8]) {
        match name.len() {
            6 if is(name, b"expect") => self.expect(value),
            10 if is(name, b"connection") => self.connection(value),
            14 if is(name, b"content-length") => self.content_length(value),
            17 if is(name, b"transfer-encoding") => self.transfer_encoding(value),
            _ => {}
        }
    }

    /// The first fault counts.
    #[cold]
    fn fail(&mut self, reject: Reject) {
        self.fault.get_or_insert(reject);
    }

    /// Decides; the steps carry the sections that ask for them.
    #[inline]
    pub(super) fn framing(&self, target: &Target<'_>, version: Version) -> Result<Framing, Reject> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        // RFC 9112 §3.2: HTTP/1.1 needs a Host, an absolute target too.
        if !self.host && version == Version::Http11 {
            return Err(Reject::Host);
        }
        let body = match (self.codings, self.length) {
            // RFC 9112 §6.3.6 and §6.3.7: a length, or no body.
            (Codings::None, length) => length
                .and_then(NonZeroU64::new)
                .map_or(Body::None, Body::Length),
            // RFC 9112 §6.1: a Transfer-Encoding in HTTP/1.0 is faulty framing; §6.3.3: beside Content-Length it smells
            // of smuggling; §6.3.4: a request whose final coding is not chunked has no end.
            (_, Some(_)) | (Codings::Other | Codings::Empty, None) => {
                return Err(Reject::TransferEncoding);
            }
            (Codings::Chunked | Codings::OtherThenChunked, None) if version == Version::Http10 => {
                return Err(Reject::TransferEncoding);
            }
            // RFC 9112 §6.1: a coding that is not understood.
            (Codings::OtherThenChunked, None) => return Err(Reject::UnknownCoding),
            (Codings::Chunked, None) => Body::Chunked,
        };
        // RFC 9112 §9.3: 1.1 persists unless told otherwise, 1.0 only when told.
        let persist = match (version, self.close, self.keep_alive) {
            (_, true, _) | (Version::Http10, false, false) => Persist::PeerCloses,
            (Version::Http11, false, _) | (Version::Http10, false, true) => Persist::KeepAlive,
        };
        // RFC 9110 §10.1.1: 1.0 has no expectations, and with no body there is nothing to hold back. RFC 9112 §3.2.3:
        // CONNECT has none.
        let counts =
            version == Version::Http11 && body != Body::None && target.form() != Form::Authority;
        let expects_continue = match self.expectation {
            Expectation::Other if counts => return Err(Reject::Expectation),
            Expectation::Continue => counts,
            Expectation::Other | Expectation::None => false,
        };
        Ok(Framing {
            body,
            persist,
            expects_continue,
        })
    }

    /// RFC 9112 §3.2: at most one, and a valid one; the empty value is valid.
    #[inline]
    fn host(&mut self, value: &[u8]) {
        if self.host || !self.known.is_authority(value) {
            self.fail(Reject::Host);
        }
        self.host = true;
    }

    fn expect(&mut self, value: &[u8]) {
        for expectation in list(value) {
            self.expectation = match self.expectation {
                Expectation::None | Expectation::Continue
                    if expectation.eq_ignore_ascii_case(b"100-continue") =>
                {
                    Expectation::Continue
                }
                Expectation::None | Expectation::Continue | Expectation::Other => {
                    Expectation::Other
                }
            };
        }
    }

    fn connection(&mut self, value: &[u8]) {
        for option in list(value) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    /// RFC 9112 §6.3.5: one number. The same number said again is folded, be it in a list or in another field.
    #[inline]
    fn content_length(&mut self, value: &[u8]) {
        for number in value.split(|byte| *byte == b',') {
            match decimal(number.trim_ascii()) {
                Some(number) if self.length.is_none_or(|before| before == number) => {
                    self.length = Some(number);
                }
                Some(_) | None => return self.fail(Reject::ContentLength),
            }
        }
    }

    /// RFC 9112 §6.1: chunked once, and last, over all fields of this name.
    fn transfer_encoding(&mut self, value: &[u8]) {
        if self.codings == Codings::None {
            self.codings = Codings::Empty;
        }
        for coding in list(value) {
            let chunked = coding.eq_ignore_ascii_case(b"chunked");
            self.codings = match self.codings {
                Codings::None | Codings::Empty if chunked => Codings::Chunked,
                Codings::Other if chunked => Codings::OtherThenChunked,
                Codings::None | Codings::Empty | Codings::Other => Codings::Other,
                Codings::Chunked | Codings::OtherThenChunked => {
                    return self.fail(Reject::TransferEncoding);
                }
            };
        }
    }
}

/// Whether a token is this one, given in lower case, whatever its own case is. The bit that makes a letter small makes a
/// letter or a hyphen of nothing else that tokens have.
#[inline]
fn is<const N: usize>(token: &[u8], lower: &[u8; N]) -> bool {
    let Ok(token) = <&[u8; N]>::try_from(token) else {
        return false;
    };
    token.map(|byte| byte | 0x20) == *lower
}

/// A number of 1 to 19 digits, the most that always fit.
#[inline]
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    digits.iter().try_fold(0u64, |number, digit| match digit {
        b'0'..=b'9' => Some(number * 10 + u64::from(digit - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::is_token;

    #[test]
    fn names_are_compared_whatever_their_case() {
        for byte in 0..=255u8 {
            let token = [byte, b'-'];
            if is_token(&token) {
                for lower in [b"a-", b"z-", b"--"] {
                    assert_eq!(
                        is(&token, lower),
                        token.eq_ignore_ascii_case(lower),
                        "{byte:#x}"
                    );
                }
            }
        }
        assert!(!is(b"host", b"hos") && !is(b"hos", b"host"));
    }

    #[test]
    fn a_decimal_has_1_to_19_digits_and_nothing_else() {
        assert_eq!(decimal(b"0"), Some(0));
        assert_eq!(
            decimal(b"9999999999999999999"),
            Some(9_999_999_999_999_999_999)
        );
        for none in [
            b"" as &[u8],
            b"+1",
            b"-1",
            b"1 ",
            b"0x1",
            b"10000000000000000000",
        ] {
            assert_eq!(decimal(none), None);
        }
    }
}
