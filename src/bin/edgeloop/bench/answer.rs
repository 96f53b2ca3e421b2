//! Answers, read strictly and without input or output: where each ends, what status it has, and whether its connection lives
//! on. Heads are cut by httparse, bodies by [`Decoder`]; what neither looks at is looked at here.

use std::mem::MaybeUninit;

use edgeloop::http::{Decoder, Limits, Piece};
use httparse::{Header, ParserConfig, Response};

/// Of one head: more than any server has reason to send.
const FIELDS: usize = 128;
const HEAD_BYTES_MAX: usize = 64 << 10;

/// A final answer that has come whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Whether the connection can be used again.
    pub(crate) persists: bool,
}

/// Reads one answer after the other.
#[derive(Debug)]
pub(crate) struct Reader {
    /// Answers to HEAD have no content, whatever their fields say (RFC 9110 §9.3.2).
    to_head: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The head has come as far as this.
    Head(Vec<u8>),
    Body(Decoder, Answer),
}

/// What is wrong with an answer, in words.
pub(crate) type Wrong = &'static str;

impl Reader {
    pub(crate) fn new(to_head: bool) -> Reader {
        Reader {
            to_head,
            state: State::Head(Vec::new()),
        }
    }

    /// Reads the beginning of `input`, at most to the end of one answer: how much of it was used, and the answer. Without one
    /// all of it was.
    pub(crate) fn next(&mut self, input: &[u8]) -> Result<(usize, Option<Answer>), Wrong> {
        let mut at = 0;
        while at < input.len() {
            let (used, answer) = match &mut self.state {
                State::Head(partial) => {
                    let (used, head) = head(partial, &input[at..], self.to_head)?;
                    let answer = head.and_then(|head| self.begin(head));
                    (used, answer)
                }
                State::Body(..) => self.body(&input[at..])?,
            };
            at += used;
            if answer.is_some() {
                return Ok((at, answer));
            }
        }
        Ok((at, None))
    }

    /// The server has finished sending: the answer that ends with that, if one has begun.
    pub(crate) fn end(&mut self) -> Result<Option<Answer>, Wrong> {
        match &self.state {
            State::Head(partial) if partial.is_empty() => Ok(None),
            State::Head(_) => Err("the connection ended within a head"),
            State::Body(Decoder::UntilClose, answer) => Ok(Some(*answer)),
            State::Body(Decoder::Length(_) | Decoder::Chunked(_), _) => {
                Err("the connection ended within a body")
            }
        }
    }

    /// A head is there: the answer, if that is all of it. Interim ones are read over (RFC 9110 §15.2).
    fn begin(&mut self, head: Head) -> Option<Answer> {
        match head {
            Head::Interim => None,
            Head::Final(answer, Decoder::Length(0)) => Some(answer),
            Head::Final(answer, decoder) => {
                self.state = State::Body(decoder, answer);
                None
            }
        }
    }

    fn body(&mut self, input: &[u8]) -> Result<(usize, Option<Answer>), Wrong> {
        let State::Body(decoder, answer) = &mut self.state else {
            return Ok((0, None));
        };
        let answer = *answer;
        let mut at = 0;
        loop {
            let (used, piece) = decoder
                .decode(&Limits::default(), &input[at..])
                .map_err(|_| "its chunks are none")?;
            at += used;
            match piece {
                Piece::NeedInput => return Ok((at, None)),
                Piece::Data(_) | Piece::Trailer(_) if *decoder != Decoder::Length(0) => {}
                Piece::Data(_) | Piece::Trailer(_) | Piece::End => {
                    self.state = State::Head(Vec::new());
                    return Ok((at, Some(answer)));
                }
            }
        }
    }
}

/// A head that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Head {
    Interim,
    Final(Answer, Decoder),
}

/// Reads a head, of which the beginning is `partial`: how much of `input` was used.
fn head(
    partial: &mut Vec<u8>,
    input: &[u8],
    to_head: bool,
) -> Result<(usize, Option<Head>), Wrong> {
    if partial.is_empty() {
        if let Some((length, head)) = parse(input, to_head)? {
            return Ok((length, Some(head)));
        }
        partial.extend_from_slice(input);
        return fits(partial).map(|()| (input.len(), None));
    }
    let before = partial.len();
    let Some(used) = end_of_head(partial, input) else {
        partial.extend_from_slice(input);
        return fits(partial).map(|()| (input.len(), None));
    };
    partial.extend_from_slice(&input[..used]);
    fits(partial)?;
    let (length, head) = parse(partial, to_head)?.ok_or("its head is none")?;
    partial.clear();
    Ok((length - before, Some(head)))
}

fn fits(partial: &[u8]) -> Result<(), Wrong> {
    if partial.len() > HEAD_BYTES_MAX {
        return Err("its head is longer than 64 KiB");
    }
    Ok(())
}

/// How many bytes of `input` belong to the head that `partial` begins, if its blank line is among them, with CR or without.
fn end_of_head(partial: &[u8], input: &[u8]) -> Option<usize> {
    let mut last = match partial {
        [.., before, last] => [*before, *last],
        [last] => [0, *last],
        [] => [0, 0],
    };
    for (at, byte) in input.iter().enumerate() {
        if *byte == b'\n' && matches!(last, [_, b'\n'] | [b'\n', b'\r']) {
            return Some(at + 1);
        }
        last = [last[1], *byte];
    }
    None
}

/// A head at the beginning of `bytes`, and its length; `None` if more has to come.
fn parse(bytes: &[u8], to_head: bool) -> Result<Option<(usize, Head)>, Wrong> {
    if bytes[0] != b'H' {
        return Err("it does not begin with a status line"); // httparse reads over blank lines
    }
    let mut fields = [const { MaybeUninit::<Header<'_>>::uninit() }; FIELDS];
    let mut response = Response::new(&mut []);
    let length = match ParserConfig::default().parse_response_with_uninit_headers(
        &mut response,
        bytes,
        &mut fields,
    ) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err("it has more than 128 fields"),
        Err(httparse::Error::Version) => return Err("its version is not HTTP/1.1 or HTTP/1.0"),
        Err(httparse::Error::Status) => return Err("its status is none"),
        Err(_) => return Err("its head is none"),
    };
    let lines = bytes[..length].split(|byte| *byte == b'\n');
    if lines.rev().skip(1).any(|line| line.last() != Some(&b'\r')) {
        return Err("a line of its head ends without CR"); // RFC 9112 §2.2
    }
    let status = response.code.unwrap_or_default();
    let framing = Framing::of(response.headers, response.version == Some(1))?;
    framing
        .head(status, to_head)
        .map(|head| Some((length, head)))
}

/// What the fields say of the body and of the connection.
#[derive(Debug, Default)]
struct Framing {
    length: Option<u64>,
    /// Whether the last coding is `chunked`.
    codings: Option<bool>,
    close: bool,
    keep_alive: bool,
    is_1_1: bool,
}

impl Framing {
    fn of(fields: &[Header<'_>], is_1_1: bool) -> Result<Framing, Wrong> {
        let mut framing = Framing {
            is_1_1,
            ..Framing::default()
        };
        for Header { name, value } in fields {
            if name.eq_ignore_ascii_case("content-length") {
                framing.take_length(value)?;
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                for coding in members(value) {
                    if framing.codings == Some(true) {
                        return Err("it has a coding after 'chunked'");
                    }
                    framing.codings = Some(coding.eq_ignore_ascii_case(b"chunked"));
                }
            } else if name.eq_ignore_ascii_case("connection") {
                for option in members(value) {
                    framing.close |= option.eq_ignore_ascii_case(b"close");
                    framing.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                }
            }
        }
        Ok(framing)
    }

    fn take_length(&mut self, value: &[u8]) -> Result<(), Wrong> {
        let digits = std::str::from_utf8(value).ok();
        let length = digits
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok())
            .ok_or("its Content-Length is no number")?;
        if self.length.is_some_and(|known| known != length) {
            return Err("it has two lengths");
        }
        self.length = Some(length);
        Ok(())
    }

    /// RFC 9112 §6.3, in its order.
    fn head(&self, status: u16, to_head: bool) -> Result<Head, Wrong> {
        let persists = !self.close && (self.is_1_1 || self.keep_alive);
        let answer = |persists| Answer { status, persists };
        match (status, self.codings, self.length) {
            (..100 | 600.., _, _) => Err("its status is none"),
            (101, _, _) => Err("it changes the protocol, which nobody asked for"),
            (100..200, _, _) => Ok(Head::Interim),
            (_, Some(_), _) if !self.is_1_1 => Err("it has a Transfer-Encoding in HTTP/1.0"),
            (_, Some(_), Some(_)) => Err("it has both a length and a Transfer-Encoding"),
            (204 | 304, _, _) => Ok(Head::Final(answer(persists), Decoder::Length(0))),
            (_, _, _) if to_head => Ok(Head::Final(answer(persists), Decoder::Length(0))),
            (_, Some(true), None) => {
                let chunks = Decoder::Chunked(edgeloop::http::ChunkDecoder::default());
                Ok(Head::Final(answer(persists), chunks))
            }
            (_, None, Some(length)) => Ok(Head::Final(answer(persists), Decoder::Length(length))),
            (_, Some(false) | None, None) => Ok(Head::Final(answer(false), Decoder::UntilClose)),
        }
    }
}

/// The members of a list (RFC 9110 §5.6.1).
fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let members = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    members.filter(|member| !member.is_empty())
}

#[cfg(test)]
mod tests;
