//! Bodies on their way in: lengths and chunks (RFC 9112 §6.2 and §7.1).
//!
//! The decoder takes every byte that it is given and keeps none, so a body needs no buffer but the one its user wants.
//! Chunk sizes are read here rather than by httparse, which takes an empty size and a bare LF.

use core::num::NonZeroU64;

use super::error::Reject;
use super::field::{is_token_byte, is_value_byte};
use super::limits::Limits;

/// What is left of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoder {
    /// So many bytes; with none left, the end is still to be told.
    Length(u64),
    /// Chunks, the last of them empty, and trailers.
    Chunked(ChunkDecoder),
    /// Whatever comes until the client finishes sending: after a change of protocol.
    UntilClose,
}

/// What came out of some input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'i> {
    /// The input is used up, and the body has not ended.
    NeedInput,
    /// Content.
    Data(&'i [u8]),
    /// Bytes of a trailer section, sound so far.
    Trailer(&'i [u8]),
    /// The body has ended with what was used.
    End,
}

impl Decoder {
    /// Decodes the beginning of `input`: how much of it was used, and for what.
    pub fn decode<'i>(
        &mut self,
        limits: &Limits,
        input: &'i [u8],
    ) -> Result<(usize, Piece<'i>), Reject> {
        match self {
            Decoder::Length(0) => Ok((0, Piece::End)),
            Decoder::Length(left) => {
                let data = up_to(*left, input);
                *left -= data.len() as u64;
                let piece = if data.is_empty() {
                    Piece::NeedInput
                } else {
                    Piece::Data(data)
                };
                Ok((data.len(), piece))
            }
            Decoder::Chunked(chunks) => chunks.decode(limits, input),
            Decoder::UntilClose if input.is_empty() => Ok((0, Piece::NeedInput)),
            Decoder::UntilClose => Ok((input.len(), Piece::Data(input))),
        }
    }

    /// Reads over the body, as long as at most `left` bytes are read over. How many of `input` were.
    pub(super) fn read_over(
        &mut self,
        limits: &Limits,
        left: &mut u64,
        input: &[u8],
    ) -> Result<(usize, End), Reject> {
        let mut at = 0;
        loop {
            let (used, piece) = self.decode(limits, &input[at..])?;
            at += used;
            // What frames the data counts too: chunks of one byte are no way to have more read.
            *left = left.checked_sub(used as u64).ok_or(Reject::BodyTooLarge)?;
            match piece {
                Piece::Data(_) | Piece::Trailer(_) => {}
                Piece::NeedInput => return Ok((at, End::NotYet)),
                Piece::End => return Ok((at, End::Reached)),
            }
        }
    }
}

/// Whether a body that is read over has ended.
pub(super) enum End {
    /// The input is used up before.
    NotYet,
    Reached,
}

/// The beginning of `input`, at most `most` bytes of it.
fn up_to(most: u64, input: &[u8]) -> &[u8] {
    &input[..usize::try_from(most).map_or(input.len(), |most| most.min(input.len()))]
}

/// Where in a chunked body the next byte belongs, and what its limits have seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChunkDecoder {
    state: State,
    /// Bytes of extensions in all chunks so far.
    extension_bytes: u32,
    /// Bytes and fields of the trailer section so far.
    trailer_bytes: u32,
    trailer_fields: u16,
}

/// Named after what comes next. `size` is that of the chunk whose line is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Size { size: u64, digits: u8 },
    Extension { size: u64, bytes: u32, part: Part },
    SizeLf { size: u64 },
    Data(NonZeroU64),
    DataCr,
    DataLf,
    Trailer(Line),
    End,
}

impl Default for State {
    fn default() -> Self {
        State::Size { size: 0, digits: 0 }
    }
}

/// chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    BeforeSemicolon,
    BeforeName,
    Name,
    AfterName,
    BeforeValue,
    Token,
    Quoted,
    Escaped,
    Unquoted,
    AfterValue,
}

/// A line of the trailer section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Begin,
    Name,
    Value,
    Lf,
    LastLf,
}

impl ChunkDecoder {
    fn decode<'i>(
        &mut self,
        limits: &Limits,
        input: &'i [u8],
    ) -> Result<(usize, Piece<'i>), Reject> {
        let mut at = 0;
        loop {
            match self.state {
                State::Data(left) => {
                    let data = up_to(left.get(), &input[at..]);
                    if data.is_empty() {
                        return Ok((at, Piece::NeedInput));
                    }
                    self.state = NonZeroU64::new(left.get() - data.len() as u64)
                        .map_or(State::DataCr, State::Data);
                    return Ok((at + data.len(), Piece::Data(data)));
                }
                State::Trailer(line) => {
                    let taken = self.trailer(limits, line, &input[at..])?;
                    return Ok(match taken {
                        0 => (at, Piece::NeedInput),
                        _ => (at + taken, Piece::Trailer(&input[at..at + taken])),
                    });
                }
                State::End => return Ok((at, Piece::End)),
                State::Size { .. }
                | State::Extension { .. }
                | State::SizeLf { .. }
                | State::DataCr
                | State::DataLf => {
                    let Some(byte) = input.get(at) else {
                        return Ok((at, Piece::NeedInput));
                    };
                    self.state = self.step(limits, *byte)?;
                    at += 1;
                }
            }
        }
    }

    /// One byte of the lines around the data.
    fn step(&mut self, limits: &Limits, byte: u8) -> Result<State, Reject> {
        match self.state {
            State::Size { size, digits } => match byte {
                b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' if digits < 16 => {
                    let digit = (byte as char).to_digit(16).unwrap_or_default();
                    Ok(State::Size {
                        size: size << 4 | u64::from(digit),
                        digits: digits + 1,
                    })
                }
                b'\r' if digits > 0 => Ok(State::SizeLf { size }),
                b';' | b' ' | b'\t' if digits > 0 => {
                    let part = if byte == b';' {
                        Part::BeforeName
                    } else {
                        Part::BeforeSemicolon
                    };
                    self.extension_byte(limits, size, 0, part)
                }
                _ => Err(Reject::ChunkSize),
            },
            State::Extension {
                size,
                part: Part::Name | Part::Token | Part::Unquoted,
                ..
            } if byte == b'\r' => Ok(State::SizeLf { size }),
            State::Extension {
                part: Part::BeforeSemicolon,
                ..
            } if !matches!(byte, b';' | b' ' | b'\t') => {
                // Only an extension could have excused the white space after the size.
                Err(Reject::ChunkSize)
            }
            State::Extension { size, bytes, part } => {
                let part = part.step(byte).ok_or(Reject::ChunkExtension)?;
                self.extension_byte(limits, size, bytes, part)
            }
            State::SizeLf { size } if byte == b'\n' => {
                Ok(NonZeroU64::new(size).map_or(State::Trailer(Line::Begin), State::Data))
            }
            State::DataCr if byte == b'\r' => Ok(State::DataLf),
            State::DataLf if byte == b'\n' => Ok(State::default()),
            State::SizeLf { .. } | State::DataCr | State::DataLf => Err(Reject::ChunkSize),
            State::Data(_) | State::Trailer(_) | State::End => {
                unreachable!("not a line around the data")
            }
        }
    }

    fn extension_byte(
        &mut self,
        limits: &Limits,
        size: u64,
        bytes: u32,
        part: Part,
    ) -> Result<State, Reject> {
        let bytes = bytes.saturating_add(1);
        self.extension_bytes = self.extension_bytes.saturating_add(1);
        let fits = bytes as usize <= limits.chunk_extension_bytes_max
            && self.extension_bytes as usize <= limits.chunk_extensions_bytes_max;
        if fits {
            Ok(State::Extension { size, bytes, part })
        } else {
            Err(Reject::ChunkExtension)
        }
    }

    /// Walks over bytes of the trailer section; ends after its blank line. How many it took.
    fn trailer(&mut self, limits: &Limits, mut line: Line, input: &[u8]) -> Result<usize, Reject> {
        for (at, byte) in input.iter().enumerate() {
            self.trailer_bytes = self.trailer_bytes.saturating_add(1);
            if self.trailer_bytes as usize > limits.trailer_bytes_max {
                return Err(Reject::TrailersTooLarge);
            }
            line = match (line, byte) {
                (Line::Begin, b'\r') => Line::LastLf,
                (Line::Begin, byte) if is_token_byte(*byte) => {
                    self.trailer_fields = self.trailer_fields.saturating_add(1);
                    if usize::from(self.trailer_fields) > limits.fields() {
                        return Err(Reject::TrailersTooLarge);
                    }
                    Line::Name
                }
                (Line::Name, byte) if is_token_byte(*byte) => Line::Name,
                (Line::Name, b':') => Line::Value,
                (Line::Value, b'\r') => Line::Lf,
                (Line::Value, byte) if is_value_byte(*byte) => Line::Value,
                (Line::Lf, b'\n') => Line::Begin,
                (Line::LastLf, b'\n') => {
                    self.state = State::End;
                    return Ok(at + 1);
                }
                (Line::Begin | Line::Name | Line::Value | Line::Lf | Line::LastLf, _) => {
                    return Err(Reject::Trailer);
                }
            };
        }
        self.state = State::Trailer(line);
        Ok(input.len())
    }
}

impl Part {
    fn step(self, byte: u8) -> Option<Part> {
        let blank = byte == b' ' || byte == b'\t';
        let token = is_token_byte(byte);
        match self {
            Part::BeforeSemicolon if blank => Some(Part::BeforeSemicolon),
            Part::BeforeSemicolon
            | Part::Name
            | Part::AfterName
            | Part::Token
            | Part::Unquoted
            | Part::AfterValue
                if byte == b';' =>
            {
                Some(Part::BeforeName)
            }
            Part::BeforeName if blank => Some(Part::BeforeName),
            Part::BeforeName | Part::Name if token => Some(Part::Name),
            Part::Name | Part::AfterName if blank => Some(Part::AfterName),
            Part::Name | Part::AfterName if byte == b'=' => Some(Part::BeforeValue),
            Part::BeforeValue if blank => Some(Part::BeforeValue),
            Part::BeforeValue if byte == b'"' => Some(Part::Quoted),
            Part::BeforeValue | Part::Token if token => Some(Part::Token),
            Part::Quoted if byte == b'"' => Some(Part::Unquoted),
            Part::Quoted if byte == b'\\' => Some(Part::Escaped),
            Part::Quoted | Part::Escaped if is_value_byte(byte) => Some(Part::Quoted),
            Part::Token | Part::Unquoted | Part::AfterValue if blank => Some(Part::AfterValue),
            Part::BeforeSemicolon
            | Part::BeforeName
            | Part::Name
            | Part::AfterName
            | Part::BeforeValue
            | Part::Token
            | Part::Quoted
            | Part::Escaped
            | Part::Unquoted
            | Part::AfterValue => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes whole and byte by byte; both must say the same.
    fn check(input: &[u8], expected: Result<(&[u8], &[u8], usize), Reject>) {
        let expected =
            expected.map(|(data, trailers, used)| (data.to_vec(), trailers.to_vec(), used));
        assert_eq!(
            run(input, input.len()),
            expected,
            "{}",
            input.escape_ascii()
        );
        assert_eq!(
            run(input, 1),
            expected,
            "{} byte by byte",
            input.escape_ascii()
        );
    }

    fn run(input: &[u8], cut: usize) -> Result<(Vec<u8>, Vec<u8>, usize), Reject> {
        let mut decoder = Decoder::Chunked(ChunkDecoder::default());
        let (mut data, mut trailers, mut at, mut end) = (Vec::new(), Vec::new(), 0, 0);
        loop {
            let (used, piece) = decoder.decode(&Limits::default(), &input[at..end])?;
            at += used;
            match piece {
                Piece::NeedInput if end == input.len() => return Err(Reject::UnfinishedBody),
                Piece::NeedInput => end = (end + cut.max(1)).min(input.len()),
                Piece::Data(bytes) => data.extend(bytes),
                Piece::Trailer(bytes) => trailers.extend(bytes),
                Piece::End => return Ok((data, trailers, at)),
            }
        }
    }

    #[test]
    fn chunks() {
        check(b"0\r\n\r\n", Ok((b"", b"\r\n", 5)));
        check(b"3\r\nabc\r\n0\r\n\r\nrest", Ok((b"abc", b"\r\n", 13)));
        check(
            b"0A\r\n0123456789\r\n000\r\n\r\n",
            Ok((b"0123456789", b"\r\n", 23)),
        );
        check(
            b"1\r\na\r\n1\r\nb\r\n0\r\nX: y\r\nZ:\r\n\r\n",
            Ok((b"ab", b"X: y\r\nZ:\r\n\r\n", 27)),
        );
        check(b"3\r\nabc", Err(Reject::UnfinishedBody));
    }

    #[test]
    fn sizes_are_hex_digits_and_nothing_else() {
        for bad in [
            "\r\n",
            ";a\r\n",
            "+1\r\n",
            "-1\r\n",
            "0x1\r\n",
            " 1\r\n",
            "1 \r\n",
            "1 1\r\n",
            "g\r\n",
            "1\n",
            "1\rx",
            "00000000000000001\r\n",
            "11111111111111111\r\n",
            "1\r\nab",
            "1\r\na\n",
            "1\r\na\rx",
            "1 x\r\n",
        ] {
            check(bad.as_bytes(), Err(Reject::ChunkSize));
        }
        check(b"ffffffffffffffff\r\na", Err(Reject::UnfinishedBody));
    }

    #[test]
    fn extensions_are_read_over() {
        for good in [
            ";a",
            ";a=b",
            " ; a = b",
            ";a=\"x;\\\"y\r\"",
            ";a=\"b\" ;c",
            "\t;\ta\t=\tb;c=d",
        ] {
            let good = good.replace('\r', " ");
            check(
                format!("1{good}\r\nx\r\n0{good}\r\n\r\n").as_bytes(),
                Ok((b"x", b"\r\n", good.len() * 2 + 11)),
            );
        }
        for bad in [
            ";\r\n",
            ";=\r\n",
            ";a=\r\n",
            ";a \r\n",
            ";a=b \r\n",
            ";a=\"b\r\n",
            ";a b\r\n",
            ";a\n",
            ";a=\"\x01\"\r\n",
            ";a;\r\n",
        ] {
            check(format!("1{bad}").as_bytes(), Err(Reject::ChunkExtension));
        }
        let fits = format!("1;{}\r\n", "a".repeat(255));
        check(
            format!("{fits}x\r\n0\r\n\r\n").as_bytes(),
            Ok((b"x", b"\r\n", 267)),
        );
        check(
            format!("1;{}\r\n", "a".repeat(256)).as_bytes(),
            Err(Reject::ChunkExtension),
        );
        check(
            format!("{fits}x\r\n").repeat(17).as_bytes(),
            Err(Reject::ChunkExtension),
        );
    }

    #[test]
    fn trailers_obey_the_rules_of_fields_and_their_limit() {
        for bad in [
            " a: b\r\n\r\n",
            ":\r\n\r\n",
            "a b: c\r\n\r\n",
            "a: b\n\n",
            "a\r\n\r\n",
            "a: \x01\r\n\r\n",
            "a: b\r\n\rx",
        ] {
            check(format!("0\r\n{bad}").as_bytes(), Err(Reject::Trailer));
        }
        check(
            format!("0\r\na: {}\r\n\r\n", "b".repeat(8192)).as_bytes(),
            Err(Reject::TrailersTooLarge),
        );
        check(
            format!("0\r\n{}\r\n", "a:\r\n".repeat(129)).as_bytes(),
            Err(Reject::TrailersTooLarge),
        );
        let fits = format!("a: {}\r\n\r\n", "b".repeat(8192 - 7));
        check(
            format!("0\r\n{fits}").as_bytes(),
            Ok((b"", fits.as_bytes(), 8195)),
        );
    }
}
