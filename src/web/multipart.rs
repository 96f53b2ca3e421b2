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

use core::fmt;

use super::content_type::{self, Escapes, Parameters};
use super::refusal::Refusal;
use crate::http::Head;
use crate::server::Request;

/// RFC 2046 §5.1.1.
const BOUNDARY_BYTES_MAX: usize = 70;
/// White space between a delimiter and the end of its line.
const PADDING_BYTES_MAX: usize = 64;

/// What parts the parts of a body: the parameter `boundary` of its Content-Type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boundary {
    /// CRLF, two hyphens, the boundary.
    delimiter: Box<[u8]>,
}

impl Boundary {
    /// That of a request. Errors: [`NotMultipart`](MultipartError::NotMultipart) for a body of another type than
    /// multipart/form-data, [`Boundary`](MultipartError::Boundary) for one without a boundary of 1 to 70 sound characters.
    pub fn of(head: &Head<'_>) -> Result<Boundary, MultipartError> {
        let value = content_type::value_of(head).ok_or(MultipartError::NotMultipart)?;
        if !content_type::essence(value).eq_ignore_ascii_case("multipart/form-data") {
            return Err(MultipartError::NotMultipart);
        }
        let mut parameters = Parameters::of(value, Escapes::All);
        let mut found = None;
        for (name, value) in parameters.by_ref() {
            if name.eq_ignore_ascii_case("boundary") && found.replace(value).is_some() {
                return Err(MultipartError::Boundary);
            }
        }
        match found {
            Some(boundary) if parameters.is_whole() => Boundary::new(&boundary),
            Some(_) | None => Err(MultipartError::Boundary),
        }
    }

    /// A boundary that is known. Errors: as of [`of`](Boundary::of).
    pub fn new(boundary: &str) -> Result<Boundary, MultipartError> {
        let is_sound = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
        let bytes = boundary.as_bytes();
        let has_length = (1..=BOUNDARY_BYTES_MAX).contains(&bytes.len());
        if !has_length || !bytes.iter().all(|byte| is_sound(*byte)) || bytes.ends_with(b" ") {
            return Err(MultipartError::Boundary);
        }
        let delimiter = [b"\r\n--", bytes].concat().into();
        Ok(Boundary { delimiter })
    }
}

/// How much of a body is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MultipartLimits {
    /// Parts.
    pub parts_max: usize,
    /// Bytes of one part's head, with its blank line.
    pub head_bytes_max: usize,
    /// Bytes of one part's content.
    pub part_bytes_max: u64,
    /// Bytes of all parts with their heads and delimiters.
    pub bytes_max: u64,
}

impl Default for MultipartLimits {
    /// 128 parts, heads of 4 KiB, 16 MiB a part, 32 MiB in all. What is buffered has the server's limit besides.
    fn default() -> Self {
        MultipartLimits {
            parts_max: 128,
            head_bytes_max: 4 << 10,
            part_bytes_max: 16 << 20,
            bytes_max: 32 << 20,
        }
    }
}

/// Why a body is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MultipartError {
    /// It is of another type: 415.
    NotMultipart,
    /// Its boundary is missing or unsound: 400.
    Boundary,
    /// What follows a delimiter is neither an end of line nor the end of the body: 400.
    Delimiter,
    /// The head of a part can't be read, or has bare line feeds: 400.
    Head,
    /// A part has no `Content-Disposition: form-data` with a name: 400.
    Disposition,
    /// It ended before its last delimiter: 400.
    Unfinished,
    /// More parts than [`parts_max`](MultipartLimits::parts_max): 413.
    Parts,
    /// A longer head than [`head_bytes_max`](MultipartLimits::head_bytes_max): 413.
    HeadTooLarge,
    /// A longer part than [`part_bytes_max`](MultipartLimits::part_bytes_max): 413.
    PartTooLarge,
    /// More than [`bytes_max`](MultipartLimits::bytes_max): 413.
    TooLarge,
}

impl MultipartError {
    /// The status to answer with.
    pub fn status(self) -> u16 {
        match self {
            MultipartError::NotMultipart => 415,
            MultipartError::Boundary
            | MultipartError::Delimiter
            | MultipartError::Head
            | MultipartError::Disposition
            | MultipartError::Unfinished => 400,
            MultipartError::Parts
            | MultipartError::HeadTooLarge
            | MultipartError::PartTooLarge
            | MultipartError::TooLarge => 413,
        }
    }
}

impl fmt::Display for MultipartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MultipartError::NotMultipart => "the body is to be multipart/form-data",
            MultipartError::Boundary => "the boundary of the form is missing or unsound",
            MultipartError::Delimiter => "a boundary in the form is followed by something else",
            MultipartError::Head => "the head of a part of the form can't be read",
            MultipartError::Disposition => "a part of the form has no name",
            MultipartError::Unfinished => "the form has no end",
            MultipartError::Parts => "the form has too many parts",
            MultipartError::HeadTooLarge => "the head of a part of the form is too long",
            MultipartError::PartTooLarge => "a part of the form is too long",
            MultipartError::TooLarge => "the form is too long",
        })
    }
}

impl core::error::Error for MultipartError {}

impl From<MultipartError> for Refusal {
    fn from(error: MultipartError) -> Refusal {
        Refusal::new(error.status(), error.to_string())
    }
}

/// What the head of a part says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartHead {
    name: String,
    file_name: Option<String>,
    content_type: Option<String>,
}

impl PartHead {
    /// The name of the form's field.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of the file, if the part is one; empty if none was chosen. Folders before it are cut off, by whichever
    /// slash, and what would be a folder is empty. It is the client's word: never open a file by it.
    pub fn file_name(&self) -> Option<&str> {
        self.file_name.as_deref()
    }

    /// Its Content-Type, which is the client's word too.
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    fn read(bytes: &[u8]) -> Result<PartHead, MultipartError> {
        // httparse takes a line feed alone as the end of a line.
        let is_bare = |at: usize| bytes[at] == b'\n' && (at == 0 || bytes[at - 1] != b'\r');
        if (0..bytes.len()).any(is_bare) {
            return Err(MultipartError::Head);
        }
        let mut fields = [httparse::EMPTY_HEADER; 16];
        let Ok(httparse::Status::Complete((_, fields))) =
            httparse::parse_headers(bytes, &mut fields)
        else {
            return Err(MultipartError::Head);
        };
        let value_of = |name: &str| {
            let mut found = fields
                .iter()
                .filter(|field| field.name.eq_ignore_ascii_case(name));
            match (found.next(), found.next()) {
                (None, _) => Ok(None),
                (Some(field), None) => core::str::from_utf8(field.value)
                    .map(Some)
                    .map_err(|_| MultipartError::Head),
                (Some(_), Some(_)) => Err(MultipartError::Head),
            }
        };
        let disposition = value_of("content-disposition")?.ok_or(MultipartError::Disposition)?;
        if !content_type::essence(disposition).eq_ignore_ascii_case("form-data") {
            return Err(MultipartError::Disposition);
        }
        let (mut name, mut file_name) = (None, None);
        let mut parameters = Parameters::of(disposition, Escapes::QuoteAndBackslash);
        for (parameter, value) in parameters.by_ref() {
            // RFC 7578 §4.2: `filename*` must not be used.
            let place = match parameter {
                it if it.eq_ignore_ascii_case("name") => &mut name,
                it if it.eq_ignore_ascii_case("filename") => &mut file_name,
                _ => continue,
            };
            if place.replace(value.into_owned()).is_some() {
                return Err(MultipartError::Disposition);
            }
        }
        if !parameters.is_whole() {
            return Err(MultipartError::Disposition);
        }
        Ok(PartHead {
            name: name.ok_or(MultipartError::Disposition)?,
            file_name: file_name.map(|path| last_name(&path).to_owned()),
            content_type: value_of("content-type")?.map(str::to_owned),
        })
    }
}

fn last_name(path: &str) -> &str {
    match path.rsplit(['/', '\\']).next() {
        Some("." | "..") | None => "",
        Some(name) => name,
    }
}

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
    Head,
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
        let (mut used, begin) = (0, self.left);
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
                        (Behind::Return, b'\n') => State::Head,
                        (
                            Behind::Nothing | Behind::Hyphen | Behind::Padding(_) | Behind::Return,
                            _,
                        ) => return Err(MultipartError::Delimiter),
                    };
                }
                State::Head => {
                    let Some(length) = self.head_length(rest)? else {
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
                State::Epilogue => {
                    debug_assert!(self.left <= begin, "bytes are spent once");
                    return Ok((input.len(), MultipartEvent::NeedInput));
                }
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
            | State::Head
            | State::BlankLine
            | State::Content { .. } => Err(MultipartError::Unfinished),
        }
    }

    fn spend(&mut self, bytes: usize) -> Result<usize, MultipartError> {
        let left = self.left.checked_sub(bytes as u64);
        self.left = left.ok_or(MultipartError::TooLarge)?;
        Ok(bytes)
    }

    /// The length of a head with its blank line, once that is here.
    fn head_length(&self, input: &[u8]) -> Result<Option<usize>, MultipartError> {
        let max = self.limits.head_bytes_max;
        let window = &input[..input.len().min(max)];
        if window.starts_with(b"\r\n") {
            return Err(MultipartError::Disposition);
        }
        match window.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            Some(at) => Ok(Some(at + 4)),
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
