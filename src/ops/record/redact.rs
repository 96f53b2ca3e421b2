//! One connection's bytes on their way into a recording: understood as the server understands them, and without what is not
//! to be recorded.
//!
//! As many bytes come out as go in, but later: a head is looked at when it is whole, a trailer section too. What is not
//! understood is filler, and so is all that came with it.

use super::RecordLimits;
use super::credentials::{FILLER, redact_fields, redact_head};
use crate::http::{Body, ChunkDecoder, Conn, Decoder, Event, Head, Piece, Slots};

/// Where a connection is.
pub(super) struct Redactor {
    state: State,
    /// The beginning of a head.
    held: Vec<u8>,
}

enum State {
    /// Before the end of a head. The machine is that of one request: what is answered is not known here.
    Head(Box<Conn>),
    Body {
        decoder: Decoder,
        line: Line,
        /// As much of the section as has come.
        trailers: Vec<u8>,
    },
    /// Nothing more is recorded: it was refused, or may go on with another protocol.
    Over,
}

/// Where in a line between chunks it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Size,
    Extension,
}

impl Redactor {
    pub(super) fn new() -> Redactor {
        Redactor {
            state: State::head(),
            held: Vec::new(),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// Some bytes have come: what can go out goes to `out`.
    pub(super) fn take(&mut self, limits: &RecordLimits, bytes: &[u8], out: &mut Vec<u8>) {
        let mut input = std::mem::take(&mut self.held);
        input.extend_from_slice(bytes);
        let mut at = 0;
        while let Some(used) = self.step(limits, &input[at..], out) {
            at += used;
        }
        input.drain(..at);
        self.held = input;
    }

    /// The connection has ended: what is left of it is the beginning of something.
    pub(super) fn finish(&mut self, limits: &RecordLimits, out: &mut Vec<u8>) {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Head(_) => {
                put(limits, &self.held, out, redact_head);
            }
            State::Body { trailers, .. } => {
                put(limits, &trailers, out, redact_fields);
            }
            State::Over => {}
        }
        self.held = Vec::new();
    }

    /// Goes on by one head, or one piece of a body: how much of the input that was. `None`: more has to come, or nothing will.
    fn step(&mut self, limits: &RecordLimits, input: &[u8], out: &mut Vec<u8>) -> Option<usize> {
        match &mut self.state {
            State::Over => None,
            State::Head(conn) => {
                let mut slots = Slots::new();
                let (used, event) = conn.next(&limits.http, input, &mut slots);
                match event {
                    Event::Request(head) => self.state = State::behind(&head),
                    Event::NeedInput if used == 0 => return None,
                    Event::NeedInput => {} // empty lines before a head
                    // It is refused.
                    _ => {
                        self.state = State::Over;
                        return Some(put(limits, input, out, redact_head));
                    }
                }
                Some(put(limits, &input[..used], out, redact_head))
            }
            State::Body {
                decoder,
                line,
                trailers,
            } => {
                let Ok((used, piece)) = decoder.decode(&limits.http, input) else {
                    // Where it went wrong is not told: content may stand where none belongs.
                    self.state = State::Over;
                    return Some(put(limits, input, out, |bytes| bytes.fill(FILLER)));
                };
                let (content, ended) = match piece {
                    Piece::NeedInput if used == 0 => return None,
                    Piece::Data(content) | Piece::Trailer(content) => (content.len(), false),
                    Piece::NeedInput => (0, false),
                    Piece::End => (0, true),
                };
                let (around, content) = input[..used].split_at(used - content);
                put(limits, around, out, |bytes| redact_lines(line, bytes));
                match piece {
                    Piece::Trailer(_) => trailers.extend_from_slice(content),
                    Piece::Data(_) if limits.bodies => out.extend_from_slice(content),
                    Piece::Data(_) => out.resize(out.len() + content.len(), FILLER),
                    Piece::NeedInput | Piece::End => {}
                }
                if ended {
                    put(limits, trailers, out, redact_fields);
                    self.state = State::head();
                }
                Some(used)
            }
        }
    }
}

impl State {
    fn head() -> State {
        State::Head(Box::default())
    }

    fn body(decoder: Decoder) -> State {
        State::Body {
            decoder,
            line: Line::Size,
            trailers: Vec::new(),
        }
    }

    /// What comes behind a head.
    fn behind(head: &Head<'_>) -> State {
        if head.field("upgrade").is_some() || head.method() == "CONNECT" {
            return State::Over;
        }
        match head.framing().body {
            Body::None => State::head(),
            Body::Length(length) => State::body(Decoder::Length(length.get())),
            Body::Chunked => State::body(Decoder::Chunked(ChunkDecoder::default())),
        }
    }
}

/// Puts bytes out, without what they are not to have unless that is asked for: how many.
fn put(
    limits: &RecordLimits,
    bytes: &[u8],
    out: &mut Vec<u8>,
    redact: impl FnOnce(&mut [u8]),
) -> usize {
    let begin = out.len();
    out.extend_from_slice(bytes);
    if !limits.credentials {
        redact(&mut out[begin..]);
    }
    bytes.len()
}

/// Sizes of chunks stay; what extensions say does not.
fn redact_lines(line: &mut Line, bytes: &mut [u8]) {
    for byte in bytes {
        match (*line, *byte) {
            (_, b'\r') => *line = Line::Size,
            (_, b';') => *line = Line::Extension,
            (Line::Extension, b'\t' | b' '..) => *byte = FILLER,
            (Line::Size | Line::Extension, _) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes out of a connection, cut into pieces of so many bytes.
    fn redacted(limits: &RecordLimits, bytes: &[u8], piece: usize) -> (Vec<u8>, bool) {
        let (mut redactor, mut out, mut came) = (Redactor::new(), Vec::new(), 0);
        for piece in bytes.chunks(piece) {
            redactor.take(limits, piece, &mut out);
            came += piece.len();
            assert!(out.len() <= came);
        }
        let over = redactor.is_over();
        redactor.finish(limits, &mut out);
        (out, over)
    }

    fn check(bytes: &str, wanted: &str) {
        let limits = RecordLimits::default();
        for piece in 1..=bytes.len() {
            let (out, over) = redacted(&limits, bytes.as_bytes(), piece);
            let out = String::from_utf8(out).expect("text");
            assert_eq!(out, wanted, "pieces of {piece} bytes");
            assert!(!over);
        }
        let all = RecordLimits {
            bodies: true,
            credentials: true,
            ..limits
        };
        let (out, _) = redacted(&all, bytes.as_bytes(), 7);
        assert_eq!(out, bytes.as_bytes());
    }

    #[test]
    fn heads_bodies_and_trailers_are_what_they_are_however_they_are_cut() {
        check(
            "\r\nPOST /a?token=b HTTP/1.1\r\nHost: a\r\nAuthorization: Basic b\r\nContent-Length: 6\r\n\r\na: b\r\n\
             GET /b HTTP/1.1\r\nHost: a\r\nCookie: c=d\r\n\r\n\
             POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
             5;a=\"b;c d\"\r\nhello\r\n0A ; e\r\n0123456789\r\n0\r\nX-Key: f\r\nDate: now\r\n\r\n\
             GET /d HTTP/1.1\r\nHost: a\r\nAuthoriz",
            "\r\nPOST /a?token=x HTTP/1.1\r\nHost: a\r\nAuthorization: xxxxx x\r\nContent-Length: 6\r\n\r\nxxxxxx\
             GET /b HTTP/1.1\r\nHost: a\r\nCookie: x=x\r\n\r\n\
             POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
             5;xxxx;xxxx\r\nxxxxx\r\n0A ;xx\r\nxxxxxxxxxx\r\n0\r\nX-Key: x\r\nDate: now\r\n\r\n\
             GET /d HTTP/1.1\r\nHost: a\r\nxxxxxxxx",
        );
    }

    #[test]
    fn what_is_cut_within_a_trailer_loses_it() {
        check(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Key: secret",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Key: xxxxxx",
        );
    }

    #[test]
    fn what_is_refused_is_the_last_that_is_recorded() {
        for (bytes, secret) in [
            (
                "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: b\r\n secret\r\n\r\nsecret",
                "secret",
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: b\nsecret\r\n\r\n",
                "secret",
            ),
            ("GET / HTTP/1.1\nAuthorization: secret\n\n", "secret"),
            ("GET / HTTP/1.1\r\nAuthorization : secret\r\n\r\n", "secret"),
            ("PASS secret\r\nsecret\r\n\r\n", "secret"),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcsecret\r\n\r\n",
                "secret",
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nsecret\r\n",
                "secret",
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: secret\nsecret\r\n\r\n",
                "secret",
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nGET /secret HTTP/1.1\r\nHost: a\r\n\r\n",
                "secret",
            ),
            ("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\nsecret", "secret"),
        ] {
            for piece in 1..=bytes.len() {
                let (out, over) = redacted(&RecordLimits::default(), bytes.as_bytes(), piece);
                let text = String::from_utf8_lossy(&out);
                assert!(
                    !text.contains(secret),
                    "{bytes:?} in pieces of {piece}: {text:?}"
                );
                assert!(
                    !text.contains("secre") && !text.contains("ecret"),
                    "{text:?}"
                );
                assert!(over, "{bytes:?} in pieces of {piece}");
            }
        }
    }

    /// Drip-feed is held until the head is whole, and no longer than the server holds it.
    #[test]
    fn no_more_is_held_than_a_head_may_be() {
        let (limits, mut out) = (RecordLimits::default(), Vec::new());
        let mut redactor = Redactor::new();
        redactor.take(&limits, b"GET / HTTP/1.1\r\n", &mut out);
        while !redactor.is_over() {
            redactor.take(&limits, b"X-Key: abcdefgh\r\n", &mut out);
            assert!(redactor.held.len() <= limits.http.head_bytes_max + 17);
        }
        assert!(redactor.held.is_empty());
        assert!(!String::from_utf8_lossy(&out).contains("abc"));
    }
}
