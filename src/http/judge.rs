//! The verdict on a head that is doubtful, unfinished or too large.
//!
//! Goes through the bytes in their order and stops at the first fault. It sees a head only when something is wrong with
//! it, so it may be slow, and it knows nothing of how the bytes came: two deliveries of the same bytes get one verdict.

use super::error::Reject;
use super::field::{is_token_byte, is_value_byte};
use super::limits::Limits;
use super::request::METHOD_BYTES;
use super::target::{Octet, Target, octet};

/// What can be said of a head, or of the beginning of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// No fault so far, but no end either.
    Unfinished,
    /// A whole head.
    Sound,
    Fault(Reject),
}

/// Judges the bytes of one head. `window` ends at the limit of a head, at the latest.
#[cold]
pub(super) fn judge(limits: &Limits, window: &[u8]) -> Verdict {
    let mut bytes = Bytes { window, at: 0 };
    match request_line(limits, &mut bytes).and_then(|()| fields(limits.fields(), &mut bytes)) {
        Ok(()) => Verdict::Sound,
        Err(Stop::Fault(reject)) => Verdict::Fault(reject),
        Err(Stop::End) if window.len() >= limits.head_bytes_max => {
            Verdict::Fault(Reject::HeadTooLarge)
        }
        Err(Stop::End) => Verdict::Unfinished,
    }
}

/// Why the walk over the bytes stopped.
enum Stop {
    End,
    Fault(Reject),
}

struct Bytes<'i> {
    window: &'i [u8],
    at: usize,
}

impl Bytes<'_> {
    fn next(&mut self) -> Result<u8, Stop> {
        let byte = *self.window.get(self.at).ok_or(Stop::End)?;
        self.at += 1;
        Ok(byte)
    }

    fn expect(&mut self, wanted: u8, otherwise: Reject) -> Result<(), Stop> {
        if self.next()? == wanted {
            Ok(())
        } else {
            Err(Stop::Fault(otherwise))
        }
    }
}

fn request_line(limits: &Limits, bytes: &mut Bytes<'_>) -> Result<(), Stop> {
    loop {
        let byte = bytes.next()?;
        if byte == b' ' && bytes.at > 1 {
            break;
        }
        if !is_token_byte(byte) || bytes.at >= METHOD_BYTES {
            return Err(Stop::Fault(Reject::Method));
        }
    }
    let target_begin = bytes.at;
    loop {
        let byte = bytes.next()?;
        let length = bytes.at - 1 - target_begin;
        if byte == b' ' && length > 0 {
            break;
        }
        if length >= limits.target_bytes_max {
            return Err(Stop::Fault(Reject::TargetTooLong));
        }
        let escaped = |back: usize| back <= length && bytes.window[bytes.at - 1 - back] == b'%';
        if octet(byte) == Octet::Outside
            || ((escaped(1) || escaped(2)) && !byte.is_ascii_hexdigit())
        {
            return Err(Stop::Fault(Reject::Target));
        }
    }
    let target_end = bytes.at - 1;
    if bytes.window[target_begin..target_end]
        .iter()
        .rev()
        .take(2)
        .any(|byte| *byte == b'%')
    {
        return Err(Stop::Fault(Reject::Target));
    }
    for wanted in *b"HTTP/" {
        bytes.expect(wanted, Reject::Version)?;
    }
    let major = bytes.next()?;
    let dot = if major.is_ascii_digit() {
        bytes.next()?
    } else {
        0
    };
    let minor = if dot == b'.' { bytes.next()? } else { 0 };
    if !minor.is_ascii_digit() {
        return Err(Stop::Fault(Reject::Version));
    }
    match bytes.next()? {
        b'\r' => bytes.expect(b'\n', Reject::LineEnd)?,
        b'\n' => return Err(Stop::Fault(Reject::LineEnd)),
        _ => return Err(Stop::Fault(Reject::Version)),
    }
    if major != b'1' {
        return Err(Stop::Fault(Reject::VersionUnsupported));
    }
    let text = |from, to| core::str::from_utf8(&bytes.window[from..to]).unwrap_or_default();
    match Target::parse(text(0, target_begin - 1), text(target_begin, target_end)) {
        Ok(_) => Ok(()),
        Err(reject) => Err(Stop::Fault(reject)),
    }
}

fn fields(fields_max: usize, bytes: &mut Bytes<'_>) -> Result<(), Stop> {
    let mut count = 0;
    loop {
        let name_begin = bytes.at;
        match bytes.next()? {
            b'\r' => return bytes.expect(b'\n', Reject::LineEnd),
            b'\n' => return Err(Stop::Fault(Reject::LineEnd)),
            _ => bytes.at = name_begin,
        }
        if count == fields_max {
            return Err(Stop::Fault(Reject::TooManyFields));
        }
        count += 1;
        loop {
            let byte = bytes.next()?;
            if byte == b':' && bytes.at - 1 > name_begin {
                break;
            }
            if !is_token_byte(byte) {
                return Err(Stop::Fault(Reject::FieldName));
            }
        }
        loop {
            match bytes.next()? {
                b'\r' => break bytes.expect(b'\n', Reject::LineEnd)?,
                b'\n' => return Err(Stop::Fault(Reject::LineEnd)),
                byte if is_value_byte(byte) => {}
                _ => return Err(Stop::Fault(Reject::FieldValue)),
            }
        }
    }
}
