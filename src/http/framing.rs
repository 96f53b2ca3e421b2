//! Where the body ends, whether the connection lives on, and what the client waits for: decided in one place.

use core::num::NonZeroU64;

use super::error::Reject;
use super::field::{Fields, list};
use super::request::Version;
use super::target::{Form, Target, is_authority};

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

impl Framing {
    /// Decides; the steps carry the sections that ask for them.
    #[inline]
    pub(super) fn of(
        target: &Target<'_>,
        version: Version,
        fields: Fields<'_>,
    ) -> Result<Framing, Reject> {
        let mut said = Said::default();
        for (name, value) in fields.iter() {
            // Most names are told apart by their length alone.
            match name.len() {
                4 if name.eq_ignore_ascii_case("host") => said.host(value)?,
                6 if name.eq_ignore_ascii_case("expect") => said.expect(value),
                10 if name.eq_ignore_ascii_case("connection") => said.connection(value),
                14 if name.eq_ignore_ascii_case("content-length") => said.content_length(value)?,
                17 if name.eq_ignore_ascii_case("transfer-encoding") => {
                    said.transfer_encoding(value)?;
                }
                _ => {}
            }
        }
        // RFC 9112 §3.2: HTTP/1.1 needs a Host, an absolute target too.
        if !said.host && version == Version::Http11 {
            return Err(Reject::Host);
        }
        let body = match (said.codings, said.length) {
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
        let persist = match (version, said.close, said.keep_alive) {
            (_, true, _) | (Version::Http10, false, false) => Persist::PeerCloses,
            (Version::Http11, false, _) | (Version::Http10, false, true) => Persist::KeepAlive,
        };
        // RFC 9110 §10.1.1: 1.0 has no expectations, and with no body there is nothing to hold back. RFC 9112 §3.2.3:
        // CONNECT has none.
        let counts =
            version == Version::Http11 && body != Body::None && target.form() != Form::Authority;
        let expects_continue = match said.expectation {
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
}

/// What the fields have said so far.
#[derive(Default)]
struct Said {
    host: bool,
    length: Option<u64>,
    codings: Codings,
    close: bool,
    keep_alive: bool,
    expectation: Expectation,
}

/// What the client expects before it sends its body.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Expectation {
    #[default]
    None,
    Continue,
    /// Something that is not known, perhaps among others.
    Other,
}

/// The transfer codings, in the order in which they were applied.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Codings {
    /// No such field.
    #[default]
    None,
    /// The field names no coding.
    Empty,
    Chunked,
    Other,
    OtherThenChunked,
}

impl Said {
    /// RFC 9112 §3.2: at most one, and a valid one; the empty value is valid.
    #[inline]
    fn host(&mut self, value: &[u8]) -> Result<(), Reject> {
        if self.host || !is_authority(value) {
            return Err(Reject::Host);
        }
        self.host = true;
        Ok(())
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
    fn content_length(&mut self, value: &[u8]) -> Result<(), Reject> {
        for number in value.split(|byte| *byte == b',') {
            let number = decimal(number.trim_ascii()).ok_or(Reject::ContentLength)?;
            if self.length.is_some_and(|before| before != number) {
                return Err(Reject::ContentLength);
            }
            self.length = Some(number);
        }
        Ok(())
    }

    /// RFC 9112 §6.1: chunked once, and last, over all fields of this name.
    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), Reject> {
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
                    return Err(Reject::TransferEncoding);
                }
            };
        }
        Ok(())
    }
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
