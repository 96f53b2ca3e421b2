//! Trailer sections: fields behind the content (RFC 9110 §6.5).

use super::cut::{self, Place};
use super::field::Fields;
use super::request::SLOTS;

/// Room for the fields of one trailer section: 4 KiB on the stack.
#[derive(Debug)]
pub struct TrailerSlots([Place; SLOTS]);

impl TrailerSlots {
    /// Empty slots.
    pub fn new() -> Self {
        TrailerSlots([Place::default(); SLOTS])
    }
}

impl Default for TrailerSlots {
    fn default() -> Self {
        Self::new()
    }
}

/// Reads a trailer section that the decoder has found sound, and leaves out what must not come in trailers: framing,
/// routing, authentication, conditions, and what changes how the content is read (RFC 9110 §6.5.1).
pub fn trailers<'h>(section: &'h [u8], slots: &'h mut TrailerSlots) -> Fields<'h> {
    let count = cut::fields(section, 0, &mut slots.0, |_, _| {}).map_or(0, |(count, _)| count);
    let mut kept = 0;
    for at in 0..count {
        let place = slots.0[at];
        if is_allowed(place.name(section)) {
            slots.0[kept] = place;
            kept += 1;
        }
    }
    Fields::new(section, &slots.0[..kept])
}

pub(super) fn is_allowed(name: &[u8]) -> bool {
    let is = |it: &&str| it.as_bytes().eq_ignore_ascii_case(name);
    !FORBIDDEN.iter().any(is)
}

const FORBIDDEN: [&str; 29] = [
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "max-forwards",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailers_leave_out_what_frames_routes_or_authenticates() {
        let mut slots = TrailerSlots::new();
        let section =
            b"Digest: 1\r\nHost: a\r\nCONTENT-LENGTH: 3\r\nAuthorization: b\r\nX-Sum: 2\r\n\r\n";
        let kept: Vec<_> = trailers(section, &mut slots).iter().collect();
        assert_eq!(kept, [("Digest", b"1" as &[u8]), ("X-Sum", b"2")]);
    }
}
