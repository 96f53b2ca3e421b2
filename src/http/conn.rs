//! The state of one connection, and everything that can happen to it.

use super::decode::{ChunkDecoder, Decoder, End, Piece};
use super::encode::{self, Connection, Encoder, FieldError, Length};
use super::error::Reject;
use super::framing::{Body, Persist};
use super::judge::{self, Verdict};
use super::limits::Limits;
use super::name::FieldName;
use super::request::{self, Head, METHOD_BYTES, Parsed, Slots, Version};
use super::stage::{BETWEEN, CloseReason, Content, Exchange, Reading, Stage, Writing};
use super::status;

/// A server's side of one HTTP/1.1 connection: bytes in, events out; answers in, bytes out. No descriptor, no clock.
///
/// It keeps no bytes: what [`next`](Conn::next) did not use is offered again, with more behind it.
#[derive(Debug)]
pub struct Conn {
    stage: Stage,
    serial: u32,
}

/// What the bytes meant.
#[derive(Debug)]
pub enum Event<'h, 'i> {
    /// Nothing yet. What was not used is to be kept and offered again with more behind it.
    NeedInput,
    /// A request's head. It is answered by [`Conn::finish_head`].
    Request(Head<'h>),
    /// Content of the request's body.
    Data(&'i [u8]),
    /// Bytes of its trailer section; all of them together are read by [`trailers`](super::trailers).
    Trailer(&'i [u8]),
    /// Its end.
    End,
    /// The request has come whole, and the next is not looked at before it is answered.
    Paused,
    /// The input is at fault, and an answer is owed that says so, after which the connection closes.
    Rejected(Reject),
    /// Nothing more is read.
    Closed,
}

/// RFC 9112 §2.2 wants at least one skipped.
const EMPTY_LINES_MAX: u8 = 8;

impl Conn {
    /// A connection that has seen nothing yet.
    pub const fn new() -> Conn {
        Conn {
            stage: BETWEEN,
            serial: 0,
        }
    }

    /// Where the connection is.
    #[inline]
    pub fn stage(&self) -> &Stage {
        &self.stage
    }

    /// Whether a request waits for its answer, of which nothing is written yet.
    #[inline]
    pub fn owes_head(&self) -> bool {
        matches!(
            self.stage,
            Stage::Exchange(Exchange {
                writing: Writing::Head,
                ..
            })
        )
    }

    /// Counts the exchanges (wrapping): tells one from the next where both are on the same connection.
    #[inline]
    pub fn serial(&self) -> u32 {
        self.serial
    }

    /// Takes the next step into `input`: how many bytes it used, and what they meant. To be called until it needs
    /// input, is paused or closed. Allocates nothing.
    #[inline]
    pub fn next<'h, 'i: 'h>(
        &mut self,
        limits: &Limits,
        input: &'i [u8],
        slots: &'h mut Slots<'i>,
    ) -> (usize, Event<'h, 'i>) {
        match self.stage {
            // After the last request of a batch.
            Stage::Head { .. } if input.is_empty() => (0, Event::NeedInput),
            Stage::Head {
                scanned: 0,
                empty_lines,
            } => self.next_head(limits, 0, empty_lines, input, slots),
            Stage::Head {
                scanned,
                empty_lines,
            } => self.resume_head(limits, scanned, empty_lines, input, slots),
            Stage::Exchange(_) | Stage::Closing(_) => self.next_data(limits, input),
        }
    }

    #[inline]
    fn next_head<'h, 'i: 'h>(
        &mut self,
        limits: &Limits,
        scanned: u32,
        empty_lines: u8,
        input: &'i [u8],
        slots: &'h mut Slots<'i>,
    ) -> (usize, Event<'h, 'i>) {
        if let [b'\r' | b'\n', ..] = input {
            return self.skip_empty_lines(limits, empty_lines, input, slots);
        }
        match request::parse_head(limits, input, slots) {
            Parsed::Complete(head) => {
                self.begin(&head);
                (head.bytes().len(), Event::Request(head))
            }
            Parsed::Rejected(reject) => self.reject_head(input, reject),
            Parsed::Partial => self.hold_head(limits, scanned, empty_lines, input),
        }
    }

    /// More of a head that was partial. It is parsed again only when it may be whole, so that drip-feed costs no square.
    #[inline(never)]
    fn resume_head<'h, 'i: 'h>(
        &mut self,
        limits: &Limits,
        scanned: u32,
        empty_lines: u8,
        input: &'i [u8],
        slots: &'h mut Slots<'i>,
    ) -> (usize, Event<'h, 'i>) {
        if input.len() >= limits.head_bytes_max || has_empty_line(input, scanned as usize) {
            self.next_head(limits, scanned, empty_lines, input, slots)
        } else {
            self.hold_head(limits, scanned, empty_lines, input)
        }
    }

    /// A head that is partial waits for more, unless its request line is too long already.
    #[inline(never)]
    fn hold_head<'h, 'i>(
        &mut self,
        limits: &Limits,
        scanned: u32,
        empty_lines: u8,
        input: &[u8],
    ) -> (usize, Event<'h, 'i>) {
        if let Some(reject) = judge_long_line(limits, scanned as usize, input) {
            return self.reject_head(input, reject);
        }
        self.stage = Stage::Head {
            scanned: u32::try_from(input.len()).unwrap_or(u32::MAX),
            empty_lines,
        };
        (0, Event::NeedInput)
    }

    #[cold]
    fn skip_empty_lines<'h, 'i: 'h>(
        &mut self,
        limits: &Limits,
        mut empty_lines: u8,
        input: &'i [u8],
        slots: &'h mut Slots<'i>,
    ) -> (usize, Event<'h, 'i>) {
        let mut skipped = 0;
        loop {
            match &input[skipped..] {
                [b'\r', b'\n', ..] if empty_lines == EMPTY_LINES_MAX => {
                    return self.reject_head(input, Reject::EmptyLines);
                }
                [b'\r', b'\n', ..] => {
                    skipped += 2;
                    empty_lines += 1;
                }
                [] | [b'\r'] => {
                    self.stage = Stage::Head {
                        scanned: 0,
                        empty_lines,
                    };
                    return (skipped, Event::NeedInput);
                }
                [b'\r' | b'\n', ..] => return self.reject_head(input, Reject::LineEnd),
                head => {
                    let (used, event) = self.next_head(limits, 0, empty_lines, head, slots);
                    return (skipped + used, event);
                }
            }
        }
    }

    /// The way into an exchange with a request.
    #[inline]
    fn begin(&mut self, head: &Head<'_>) {
        let framing = head.framing();
        let reading = match (framing.body, framing.expects_continue) {
            (Body::None, _) => Reading::Done,
            (Body::Length(length), false) => Reading::Body(Decoder::Length(length.get())),
            (Body::Length(length), true) => Reading::AwaitContinue(Decoder::Length(length.get())),
            (Body::Chunked, false) => Reading::Body(Decoder::Chunked(ChunkDecoder::default())),
            (Body::Chunked, true) => {
                Reading::AwaitContinue(Decoder::Chunked(ChunkDecoder::default()))
            }
        };
        let content = if head.method() == "HEAD" {
            Content::Omitted
        } else {
            Content::Sent
        };
        self.serial = self.serial.wrapping_add(1);
        self.stage = Stage::Exchange(Exchange {
            reading,
            writing: Writing::Head,
            persist: framing.persist,
            content,
            version: head.version(),
        });
    }

    /// The body's part of [`next`](Conn::next), for who still holds the head: it needs no slots.
    pub fn next_data<'i>(
        &mut self,
        limits: &Limits,
        input: &'i [u8],
    ) -> (usize, Event<'static, 'i>) {
        match &mut self.stage {
            Stage::Head { .. } => (0, Event::NeedInput),
            Stage::Closing(_) => (0, Event::Closed),
            Stage::Exchange(exchange) => match &mut exchange.reading {
                Reading::Done | Reading::AwaitContinue(_) => (0, Event::Paused),
                Reading::Body(decoder) => match decoder.decode(limits, input) {
                    Ok((used, Piece::NeedInput)) => (used, Event::NeedInput),
                    Ok((used, Piece::Data(data))) => (used, Event::Data(data)),
                    Ok((used, Piece::Trailer(bytes))) => (used, Event::Trailer(bytes)),
                    Ok((used, Piece::End)) => (used, self.end_reading(limits)),
                    Err(reject) => self.reject(reject),
                },
                Reading::Discard(decoder, left) => match decoder.read_over(limits, left, input) {
                    Ok((used, End::NotYet)) => (used, Event::NeedInput),
                    Ok((used, End::Reached)) => (used, self.end_reading(limits)),
                    Err(_) => (0, self.close(CloseReason::BodyUnread)),
                },
            },
        }
    }

    fn end_reading<'h, 'i>(&mut self, limits: &Limits) -> Event<'h, 'i> {
        if let Stage::Exchange(exchange) = &mut self.stage {
            exchange.reading = Reading::Done;
        }
        self.settle(limits);
        Event::End
    }

    /// The peer has finished sending, and `rest` is what [`next`](Conn::next) had no use for. A fault is to be answered.
    ///
    /// While requests wait in `rest` for the answer that is owed, nothing has ended yet and nothing happens: to be called
    /// again whenever `next` needs input that will not come.
    pub fn finish_input(&mut self, limits: &Limits, rest: &[u8]) -> Option<Reject> {
        match self.stage {
            Stage::Head { .. } if rest.is_empty() => {
                self.close(CloseReason::PeerFinished);
                None
            }
            Stage::Head { .. } => {
                let reject = doubt(limits, rest).unwrap_or(Reject::UnfinishedHead);
                self.reject_head(rest, reject);
                Some(reject)
            }
            Stage::Exchange(exchange) => match (exchange.reading, exchange.writing) {
                (Reading::Done | Reading::AwaitContinue(_), _) if !rest.is_empty() => None,
                // The end of what has no other end.
                (Reading::Body(Decoder::UntilClose), _) => {
                    self.stage = Stage::Exchange(Exchange {
                        reading: Reading::Done,
                        ..exchange
                    });
                    None
                }
                (Reading::AwaitContinue(_) | Reading::Body(_), Writing::Head) => {
                    Some(self.refuse(Reject::UnfinishedBody))
                }
                (Reading::Discard(..), _) => {
                    self.close(CloseReason::PeerFinished);
                    None
                }
                (Reading::Done | Reading::AwaitContinue(_) | Reading::Body(_), _) => {
                    self.stage = Stage::Exchange(Exchange {
                        persist: Persist::PeerCloses,
                        ..exchange
                    });
                    None
                }
            },
            Stage::Closing(_) => None,
        }
    }

    /// The head whose beginning is `rest` did not end in time. What to answer.
    pub fn expire_head(&mut self, limits: &Limits, rest: &[u8]) -> Reject {
        let reject = doubt(limits, rest).unwrap_or(Reject::HeadTimeout);
        match self.stage {
            Stage::Head { .. } => self.reject_head(rest, reject),
            Stage::Exchange(_) | Stage::Closing(_) => self.reject(reject),
        };
        reject
    }

    /// Gives up on what the client still sends: an answer is owed, and after it the connection closes.
    pub fn refuse(&mut self, reject: Reject) -> Reject {
        self.reject(reject);
        reject
    }

    fn reject<'h, 'i>(&mut self, reject: Reject) -> (usize, Event<'h, 'i>) {
        match self.stage {
            // The answer has begun, so nothing can be said of the fault.
            Stage::Exchange(Exchange {
                writing: Writing::Body(_) | Writing::Done,
                ..
            })
            | Stage::Closing(_) => (0, self.close(CloseReason::BodyUnread)),
            Stage::Exchange(exchange) => {
                self.stage = Stage::Exchange(Exchange {
                    reading: Reading::Done,
                    persist: Persist::WeClose,
                    ..exchange
                });
                (0, Event::Rejected(reject))
            }
            Stage::Head { .. } => self.reject_head(b"", reject),
        }
    }

    /// The way into an exchange without a request: of that there is only a beginning, or one that is at fault.
    #[cold]
    fn reject_head<'h, 'i>(&mut self, begin: &[u8], reject: Reject) -> (usize, Event<'h, 'i>) {
        // RFC 9110 §9.3.2: whatever comes of HEAD, it gets no content.
        let content = if begin.starts_with(b"HEAD ") {
            Content::Omitted
        } else {
            Content::Sent
        };
        self.serial = self.serial.wrapping_add(1);
        self.stage = Stage::Exchange(Exchange {
            reading: Reading::Done,
            writing: Writing::Head,
            persist: Persist::WeClose,
            content,
            version: Version::Http11,
        });
        (0, Event::Rejected(reject))
    }

    fn close<'h, 'i>(&mut self, reason: CloseReason) -> Event<'h, 'i> {
        self.stage = Stage::Closing(reason);
        Event::Closed
    }

    /// The body is wanted: asks for it if the client holds it back (RFC 9110 §10.1.1). Does nothing once the answer has
    /// begun: 100 must not come after it, and the connection closes.
    pub fn want_body(&mut self, out: &mut Vec<u8>) {
        if let Stage::Exchange(exchange) = &mut self.stage
            && let (Reading::AwaitContinue(decoder), Writing::Head) =
                (exchange.reading, exchange.writing)
        {
            encode::status_line(out, 100);
            out.extend_from_slice(b"\r\n");
            exchange.reading = Reading::Body(decoder);
        }
    }

    /// Appends 103 with these values of Link, before the answer that is owed (RFC 8297). Does nothing without any, and where
    /// HTTP/1.0 is spoken: it knows no interim answers (RFC 9110 §15.2). A value that can't be sent leaves nothing behind.
    pub fn early_hints(&self, out: &mut Vec<u8>, links: &[&str]) -> Result<(), FieldError> {
        match self.stage {
            Stage::Exchange(Exchange {
                writing: Writing::Head,
                version: Version::Http11,
                ..
            }) if !links.is_empty() => encode::early_hints(out, links),
            Stage::Exchange(_) | Stage::Head { .. } | Stage::Closing(_) => Ok(()),
        }
    }

    /// Whether content of unknown length goes in chunks: not where HTTP/1.0 is spoken.
    pub fn takes_chunks(&self) -> bool {
        matches!(
            self.stage,
            Stage::Exchange(Exchange {
                version: Version::Http11,
                ..
            })
        )
    }

    /// Takes an answer back of which nothing was sent: another one is owed, without content, and it is the last.
    pub fn retract(&mut self) {
        self.stage = Stage::Exchange(Exchange {
            reading: Reading::Done,
            writing: Writing::Head,
            persist: Persist::WeClose,
            content: Content::Omitted,
            version: Version::Http11,
        });
    }

    /// Makes the answer that is owed the last one. Does nothing between requests.
    pub fn close_after_answer(&mut self) {
        if let Stage::Exchange(exchange) = &mut self.stage
            && exchange.persist == Persist::KeepAlive
        {
            exchange.persist = Persist::WeClose;
        }
    }

    /// Ends the answer's head: appends the framing fields and the blank line. Says whether content is to follow.
    ///
    /// Status line and fields stand in `out` already; nobody else writes framing fields.
    ///
    /// # Panics
    /// When no answer's head is owed: each exchange has one answer. And when the status is an interim one, other than 101:
    /// the client would take the next answer for this one.
    #[inline]
    pub fn finish_head(
        &mut self,
        limits: &Limits,
        out: &mut Vec<u8>,
        status: u16,
        length: Length,
    ) -> Content {
        self.encode(limits, out, status, length, None)
    }

    /// Ends the answer whose content is here whole: appends the framing fields, the blank line, and the content if it is
    /// to be sent.
    ///
    /// # Panics
    /// As [`finish_head`](Conn::finish_head).
    #[inline]
    pub fn finish_whole(
        &mut self,
        limits: &Limits,
        out: &mut Vec<u8>,
        status: u16,
        content: &[u8],
    ) {
        let length = Length::Known(content.len() as u64);
        self.encode(limits, out, status, length, Some(content));
    }

    /// Decides how the end of the content is marked, if this status can have any, and what becomes of the connection; says
    /// both; and goes on with the content if it is here whole. Says whether more is to follow.
    #[inline] // a phase, which the compiler does not inline
    fn encode(
        &mut self,
        limits: &Limits,
        out: &mut Vec<u8>,
        status: u16,
        length: Length,
        whole: Option<&[u8]>,
    ) -> Content {
        let Stage::Exchange(exchange) = &mut self.stage else {
            panic!("an answer without a request");
        };
        assert!(matches!(exchange.writing, Writing::Head), "a second answer");
        let bodiless = status::is_bodiless(status);
        assert!(
            !(100..200).contains(&status) || status == 101,
            "an interim answer"
        );
        let encoder = match (length, exchange.version) {
            (Length::Known(length), _) => Encoder::Length(length),
            (Length::Unknown, Version::Http11) => Encoder::Chunked,
            (Length::Unknown, Version::Http10) => Encoder::UntilClose,
        };
        // RFC 9110 §10.1.1: after an answer instead of 100 it stays open whether the body will come. A body that is too
        // long to be read for nothing ends the connection as well, and so does content that ends with it.
        let last = match exchange.reading {
            Reading::AwaitContinue(_) => true,
            Reading::Body(Decoder::Length(left)) => left > limits.discard_bytes_max,
            Reading::Body(Decoder::Chunked(_) | Decoder::UntilClose)
            | Reading::Discard(..)
            | Reading::Done => false,
        };
        if last && exchange.persist == Persist::KeepAlive {
            exchange.persist = Persist::WeClose;
        }
        if encoder == Encoder::UntilClose && !bodiless {
            exchange.persist = Persist::WeClose;
        }
        let connection = match (exchange.persist, exchange.version) {
            (Persist::KeepAlive, Version::Http11) => Connection::Unsaid,
            (Persist::KeepAlive, Version::Http10) => Connection::KeepAlive,
            (Persist::PeerCloses | Persist::WeClose, _) => Connection::Close,
        };
        let encoder = (!bodiless).then_some(encoder);
        encode::end_of_head(out, encoder, connection);
        match (encoder, exchange.content, whole) {
            (Some(_), Content::Sent, Some(content)) => out.extend_from_slice(content),
            (None | Some(Encoder::Length(0)), _, _) | (_, Content::Omitted, _) => {}
            (Some(encoder), Content::Sent, None) => {
                exchange.writing = Writing::Body(encoder);
                return Content::Sent;
            }
        }
        exchange.writing = Writing::Done;
        self.settle(limits);
        Content::Omitted
    }

    /// Whether the protocol can change now: a request without a body, or with one that has come, waits for its answer.
    pub fn can_upgrade(&self) -> bool {
        matches!(
            self.stage,
            Stage::Exchange(Exchange {
                reading: Reading::Done,
                writing: Writing::Head,
                version: Version::Http11,
                ..
            })
        )
    }

    /// Ends the head of an answer with status 101: from here on the connection carries bytes in both directions, in no
    /// framing, and ends with them (RFC 9110 §7.8).
    ///
    /// Status line and fields stand in `out` already.
    ///
    /// # Panics
    /// When it [can't](Conn::can_upgrade).
    pub fn upgrade(&mut self, out: &mut Vec<u8>) {
        assert!(
            self.can_upgrade(),
            "no request that could change the protocol"
        );
        encode::end_of_head(out, None, Connection::Upgrade);
        if let Stage::Exchange(exchange) = &mut self.stage {
            exchange.reading = Reading::Body(Decoder::UntilClose);
            exchange.writing = Writing::Body(Encoder::UntilClose);
            exchange.persist = Persist::WeClose;
            exchange.content = Content::Sent;
        }
    }

    /// Appends content.
    ///
    /// # Panics
    /// When no content is owed, or not so much of it.
    pub fn write_body(&mut self, limits: &Limits, out: &mut Vec<u8>, data: &[u8]) {
        match self.encoder() {
            Encoder::Length(_) | Encoder::UntilClose => out.extend_from_slice(data),
            Encoder::Chunked => encode::chunk(out, data),
        }
        self.wrote_body(limits, data.len() as u64);
    }

    /// Content went its own way to the client, past the buffer.
    ///
    /// # Panics
    /// When no content is owed, or not so much of it; and when it is chunked.
    pub fn sent_body(&mut self, limits: &Limits, bytes: u64) {
        assert!(self.encoder() != Encoder::Chunked, "chunks are encoded");
        self.wrote_body(limits, bytes);
    }

    fn wrote_body(&mut self, limits: &Limits, bytes: u64) {
        let Stage::Exchange(exchange) = &mut self.stage else {
            return;
        };
        if let Writing::Body(Encoder::Length(left)) = &mut exchange.writing {
            *left = left
                .checked_sub(bytes)
                .expect("no more content than was promised");
            if *left == 0 {
                exchange.writing = Writing::Done;
                self.settle(limits);
            }
        }
    }

    /// Ends content of unknown length; trailers are sent where there are chunks. Does nothing when nothing is owed.
    /// Content that is shorter than was promised can't be ended: the connection fails.
    pub fn end_body(
        &mut self,
        limits: &Limits,
        out: &mut Vec<u8>,
        trailers: &[(FieldName<'_>, &[u8])],
    ) {
        let Stage::Exchange(exchange) = &mut self.stage else {
            return;
        };
        match exchange.writing {
            Writing::Head | Writing::Done => return,
            Writing::Body(Encoder::Length(_)) => return self.fail(),
            Writing::Body(Encoder::Chunked) => encode::last_chunk(out, trailers),
            Writing::Body(Encoder::UntilClose) => {}
        }
        exchange.writing = Writing::Done;
        self.settle(limits);
    }

    /// Ends the connection where it stands: what was promised can't be kept.
    pub fn fail(&mut self) {
        self.close(CloseReason::Failed);
    }

    fn encoder(&self) -> Encoder {
        match self.stage {
            Stage::Exchange(Exchange {
                writing: Writing::Body(encoder),
                ..
            }) => encoder,
            Stage::Exchange(_) | Stage::Head { .. } | Stage::Closing(_) => {
                panic!("content without a head")
            }
        }
    }

    /// Stays in the exchange, or ends it: the table in the documentation of [`http`](super).
    #[inline]
    fn settle(&mut self, limits: &Limits) {
        let Stage::Exchange(exchange) = &mut self.stage else {
            return;
        };
        self.stage = match (&exchange.reading, exchange.writing, exchange.persist) {
            (_, Writing::Head | Writing::Body(_), _) => return,
            (Reading::Done, Writing::Done, Persist::KeepAlive) => BETWEEN,
            (Reading::Done, Writing::Done, Persist::PeerCloses) => {
                Stage::Closing(CloseReason::PeerAsked)
            }
            (
                Reading::Done | Reading::Body(Decoder::UntilClose),
                Writing::Done,
                Persist::WeClose,
            ) => Stage::Closing(CloseReason::WeAsked),
            (Reading::Body(decoder), Writing::Done, Persist::KeepAlive) => {
                exchange.reading = Reading::Discard(*decoder, limits.discard_bytes_max);
                return;
            }
            (Reading::Discard(..), Writing::Done, Persist::KeepAlive) => return,
            (Reading::AwaitContinue(_), Writing::Done, _)
            | (
                Reading::Body(_) | Reading::Discard(..),
                Writing::Done,
                Persist::PeerCloses | Persist::WeClose,
            ) => Stage::Closing(CloseReason::BodyUnread),
        };
    }
}

impl Default for Conn {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether an empty line ends at one of the bytes from `begin` on; a bare LF counts, so that it is seen and refused.
fn has_empty_line(input: &[u8], begin: usize) -> bool {
    (begin..input.len())
        .any(|at| input[at] == b'\n' && matches!(input[..at], [.., b'\n'] | [.., b'\n', b'\r']))
}

/// The request line is judged first, also while unfinished: each of its limits once, when that many bytes are here.
fn judge_long_line(limits: &Limits, scanned: usize, input: &[u8]) -> Option<Reject> {
    let reaches = |bytes: usize| scanned < bytes && bytes <= input.len();
    let no_method = reaches(METHOD_BYTES) && !input[..METHOD_BYTES].contains(&b' ');
    if no_method || reaches((METHOD_BYTES + 1).saturating_add(limits.target_bytes_max)) {
        doubt(limits, input)
    } else {
        None
    }
}

/// A fault in the beginning of a head, if there is one.
fn doubt(limits: &Limits, rest: &[u8]) -> Option<Reject> {
    // It may become an empty line, which is no fault.
    if rest == b"\r" {
        return None;
    }
    let window = &rest[..rest.len().min(limits.head_bytes_max)];
    match judge::judge(limits, window) {
        Verdict::Fault(reject) => Some(reject),
        Verdict::Unfinished | Verdict::Sound => None,
    }
}
