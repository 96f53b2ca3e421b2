//! Forms with files: multipart/form-data (RFC 7578, RFC 2046 §5.1), from bytes to events.
//!
//! ```text
//!   preamble ──► delimiter ──► head ──► content ──► delimiter ──► head ──► … ──► close delimiter ──► epilogue
//!   ignored      --boundary    Part      Data …      PartEnd                      End                 ignored
//! ```
//!
//! Neither a connection nor a buffer of the body is needed: [`Multipart::next`] takes bytes as they come and says what they
//! mean. How they are cut changes nothing but the pieces of content. Nothing is decoded by Content-Transfer-Encoding, which
//! RFC 7578 §4.7 deprecates and no browser sends.

mod error;
mod head;
mod sink;

use crate::server::Request;

pub use error::{MultipartError, MultipartLimits};
pub use head::{Boundary, PartHead};
pub use sink::{PartSink, stream_parts};

/// White space between a delimiter and the end of its line.
const PADDING_BYTES_MAX: usize = 64;

/// What bytes of a body mean.
#[derive(Debug, PartialEq, Eq)]
pub enum MultipartEvent<'i> {
    /// Nothing yet. What was not used is to be kept and offered again with more behind it.
    NeedInput,
    /// A part begins.
    Part(PartHead),
    /// Content of the part.
    Data(&'i [u8]),
    /// The part is whole.
    PartEnd,
    /// All parts are whole. What follows is ignored.
    End,
}

/// Reads a body that comes in pieces.
///
/// ```
/// use edgeloop::web::{Boundary, Multipart, MultipartEvent, MultipartLimits};
///
/// # fn main() -> Result<(), edgeloop::web::MultipartError> {
/// let mut form = Multipart::new(Boundary::new("x")?, MultipartLimits::default());
/// let mut text = Vec::new();
/// for piece in ["--x\r\nContent-Disposition: form-data; name=\"a\"\r", "\n\r\nhel", "lo\r\n--x-", "-\r\n"] {
///     form.push(piece.as_bytes(), |event| {
///         if let MultipartEvent::Data(data) = event {
///             text.extend_from_slice(data);
///         }
///     })?;
/// }
/// form.finish()?;
/// assert_eq!(text, b"hello");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Multipart {
    boundary: Boundary,
    limits: MultipartLimits,
    state: State,
    parts: usize,
    /// What may still come, of all.
    left: u64,
    /// What [`push`](Multipart::push) was given and could not use yet.
    held: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At the beginning of the body: a delimiter needs no line before it.
    Begin,
    Preamble,
    /// Behind a delimiter.
    Delimiter(Behind),
    /// In a head, of which so much was looked at.
    Head {
        scanned: usize,
    },
    /// At the blank line of a head, which may belong to a delimiter: then there is no content.
    BlankLine,
    Content {
        left: u64,
    },
    /// The last delimiter was there.
    Epilogue,
}

/// What was seen behind a delimiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behind {
    Nothing,
    Hyphen,
    Padding(usize),
    Return,
}

impl Multipart {
    /// Reads bodies with this boundary.
    pub fn new(boundary: Boundary, limits: MultipartLimits) -> Multipart {
        Multipart {
            boundary,
            limits,
            state: State::Begin,
            parts: 0,
            left: limits.bytes_max,
            held: Vec::new(),
        }
    }

    /// Takes the next step into `input`: how many bytes it used, and what they meant. To be called until it needs input or
    /// has come to the end. What is left over then is never more than a part's head or a delimiter may be.
    ///
    /// After an error nothing more is to be read.
    pub fn next<'i>(
        &mut self,
        input: &'i [u8],
    ) -> Result<(usize, MultipartEvent<'i>), MultipartError> {
        let mut used = 0;
        loop {
            let rest = &input[used..];
            let delimiter = &self.boundary.delimiter;
            match self.state {
                State::Begin => match starts_with(rest, &delimiter[2..]) {
                    Starts::Maybe => return Ok((used, MultipartEvent::NeedInput)),
                    Starts::Yes => {
                        used += self.spend(delimiter.len() - 2)?;
                        self.state = State::Delimiter(Behind::Nothing);
                    }
                    Starts::No => self.state = State::Preamble,
                },
                State::Preamble => match find(rest, delimiter) {
                    Found::At(at) => {
                        used += self.spend(at + delimiter.len())?;
                        self.state = State::Delimiter(Behind::Nothing);
                    }
                    Found::NotBefore(at) => {
                        used += self.spend(at)?;
                        return Ok((used, MultipartEvent::NeedInput));
                    }
                },
                State::Delimiter(behind) => {
                    let Some(byte) = rest.first() else {
                        return Ok((used, MultipartEvent::NeedInput));
                    };
                    used += self.spend(1)?;
                    self.state = match (behind, byte) {
                        (Behind::Nothing, b'-') => State::Delimiter(Behind::Hyphen),
                        (Behind::Hyphen, b'-') => {
                            self.state = State::Epilogue;
                            return Ok((used, MultipartEvent::End));
                        }
                        (Behind::Nothing, b' ' | b'\t') => State::Delimiter(Behind::Padding(1)),
                        (Behind::Padding(count), b' ' | b'\t') if count < PADDING_BYTES_MAX => {
                            State::Delimiter(Behind::Padding(count + 1))
                        }
                        (Behind::Nothing | Behind::Padding(_), b'\r') => {
                            State::Delimiter(Behind::Return)
                        }
                        (Behind::Return, b'\n') => State::Head { scanned: 0 },
                        (
                            Behind::Nothing | Behind::Hyphen | Behind::Padding(_) | Behind::Return,
                            _,
                        ) => return Err(MultipartError::Delimiter),
                    };
                }
                State::Head { scanned } => {
                    let Some(length) = self.head_length(rest, scanned)? else {
                        let scanned = rest.len();
                        self.state = State::Head { scanned };
                        return Ok((used, MultipartEvent::NeedInput));
                    };
                    let head = PartHead::read(&rest[..length])?;
                    if self.parts == self.limits.parts_max {
                        return Err(MultipartError::Parts);
                    }
                    self.parts += 1;
                    used += self.spend(length - 2)?;
                    self.state = State::BlankLine;
                    return Ok((used, MultipartEvent::Part(head)));
                }
                State::BlankLine => match starts_with(rest, delimiter) {
                    Starts::Maybe => return Ok((used, MultipartEvent::NeedInput)),
                    Starts::Yes => {
                        used += self.spend(delimiter.len())?;
                        self.state = State::Delimiter(Behind::Nothing);
                        return Ok((used, MultipartEvent::PartEnd));
                    }
                    Starts::No => {
                        used += self.spend(2)?;
                        let left = self.limits.part_bytes_max;
                        self.state = State::Content { left };
                    }
                },
                State::Content { left } => {
                    let (length, found) = match find(rest, delimiter) {
                        Found::At(at) => (at, true),
                        Found::NotBefore(at) => (at, false),
                    };
                    if length > 0 {
                        if length as u64 > left && left < self.left {
                            return Err(MultipartError::PartTooLarge);
                        }
                        let data = &rest[..self.spend(length)?];
                        let left = left
                            .checked_sub(length as u64)
                            .ok_or(MultipartError::PartTooLarge)?;
                        self.state = State::Content { left };
                        return Ok((used + length, MultipartEvent::Data(data)));
                    }
                    if !found {
                        return Ok((used, MultipartEvent::NeedInput));
                    }
                    used += self.spend(delimiter.len())?;
                    self.state = State::Delimiter(Behind::Nothing);
                    return Ok((used, MultipartEvent::PartEnd));
                }
                State::Epilogue => return Ok((input.len(), MultipartEvent::NeedInput)),
            }
        }
    }

    /// The same for who keeps nothing: `each` sees the events of a piece but [`NeedInput`](MultipartEvent::NeedInput), and
    /// what can't be used yet is kept here.
    pub fn push(
        &mut self,
        piece: &[u8],
        mut each: impl FnMut(MultipartEvent<'_>),
    ) -> Result<(), MultipartError> {
        if self.held.is_empty() {
            let used = self.read(piece, &mut each)?;
            self.held.extend_from_slice(&piece[used..]);
            return Ok(());
        }
        let mut held = core::mem::take(&mut self.held);
        held.extend_from_slice(piece);
        let used = self.read(&held, &mut each)?;
        held.drain(..used);
        self.held = held;
        Ok(())
    }

    fn read(
        &mut self,
        input: &[u8],
        each: &mut impl FnMut(MultipartEvent<'_>),
    ) -> Result<usize, MultipartError> {
        let mut at = 0;
        loop {
            let (used, event) = self.next(&input[at..])?;
            at += used;
            if event == MultipartEvent::NeedInput {
                return Ok(at);
            }
            each(event);
        }
    }

    /// Nothing more comes. Errors: [`Unfinished`](MultipartError::Unfinished) if the last delimiter has not come.
    pub fn finish(&self) -> Result<(), MultipartError> {
        match self.state {
            State::Epilogue => Ok(()),
            State::Begin
            | State::Preamble
            | State::Delimiter(_)
            | State::Head { .. }
            | State::BlankLine
            | State::Content { .. } => Err(MultipartError::Unfinished),
        }
    }

    fn spend(&mut self, bytes: usize) -> Result<usize, MultipartError> {
        let left = self.left.checked_sub(bytes as u64);
        self.left = left.ok_or(MultipartError::TooLarge)?;
        Ok(bytes)
    }

    /// The length of a head with its blank line, once that is here. So much of it was looked at before.
    fn head_length(&self, input: &[u8], scanned: usize) -> Result<Option<usize>, MultipartError> {
        let max = self.limits.head_bytes_max;
        let window = &input[..input.len().min(max)];
        if window.starts_with(b"\r\n") {
            return Err(MultipartError::Disposition);
        }
        let from = scanned.saturating_sub(3).min(window.len());
        let mut fours = window[from..].windows(4);
        match fours.position(|bytes| bytes == b"\r\n\r\n") {
            Some(at) => Ok(Some(from + at + 4)),
            None if window.len() == max => Err(MultipartError::HeadTooLarge),
            None => Ok(None),
        }
    }
}

enum Starts {
    Yes,
    No,
    Maybe,
}

fn starts_with(input: &[u8], pattern: &[u8]) -> Starts {
    let length = input.len().min(pattern.len());
    match input[..length] == pattern[..length] {
        true if length == pattern.len() => Starts::Yes,
        true => Starts::Maybe,
        false => Starts::No,
    }
}

/// Where a delimiter is.
enum Found {
    At(usize),
    /// Not in what is here, but it may begin there.
    NotBefore(usize),
}

/// A delimiter has its CR at its beginning only, so each byte is looked at twice at the most.
fn find(input: &[u8], delimiter: &[u8]) -> Found {
    let mut at = 0;
    while let Some(next) = input[at..].iter().position(|byte| *byte == b'\r') {
        at += next;
        match starts_with(&input[at..], delimiter) {
            Starts::Yes => return Found::At(at),
            Starts::Maybe => return Found::NotBefore(at),
            Starts::No => at += 1,
        }
    }
    Found::NotBefore(input.len())
}

/// A part of a body that is here whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part<'r> {
    /// What its head says.
    pub head: PartHead,
    /// Its content.
    pub data: &'r [u8],
}

/// The parts of a request's body, in order. Errors: those of [`Boundary::of`] and [`Multipart`].
///
/// ```
/// use edgeloop::web::{self, MultipartLimits, Refusal};
/// use edgeloop::{Reply, Request, ResponseWriter};
///
/// fn upload(req: &Request, res: ResponseWriter) -> Reply {
///     match web::parts(req, MultipartLimits::default()) {
///         Ok(parts) => res.status(200).text(format!("{} parts\n", parts.len())),
///         Err(error) => Refusal::from(error).answer(res),
///     }
/// }
/// ```
pub fn parts<'r>(
    request: &Request<'r>,
    limits: MultipartLimits,
) -> Result<Vec<Part<'r>>, MultipartError> {
    let mut form = Multipart::new(Boundary::of(request)?, limits);
    let (mut parts, mut rest) = (Vec::new(), request.body());
    loop {
        let (used, event) = form.next(rest)?;
        rest = &rest[used..];
        match event {
            MultipartEvent::Part(head) => parts.push(Part { head, data: &[] }),
            // All of it is here, so it comes in one piece.
            MultipartEvent::Data(data) => {
                if let Some(part) = parts.last_mut() {
                    part.data = data;
                }
            }
            MultipartEvent::PartEnd => {}
            MultipartEvent::End => return Ok(parts),
            MultipartEvent::NeedInput => return Err(MultipartError::Unfinished),
        }
    }
}
