//! Requests read as plainly as they can be: the whole input at once, no state, no speed.
//!
//! A restatement of RFC 9112 and of what the server promises beyond it, from the documents and not from the code that it
//! is compared with. Faults are the status that they get.

use edgeloop::http::Limits;

use super::plain_fields::{Framing, is_token_byte, is_value_byte, target_is_sound};

/// Why reading stopped before the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// There is no more, and no fault in what there is.
    Unfinished,
    /// This status.
    Fault(u16),
}

/// A head that is to be taken.
#[derive(Debug)]
pub(crate) struct Head {
    /// Empty lines before it.
    pub(crate) skipped: usize,
    /// Its own bytes.
    pub(crate) length: usize,
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) minor: u8,
    pub(crate) fields: Vec<(String, Vec<u8>)>,
    pub(crate) framing: Framing,
}

/// Bytes from which the beginning is taken.
struct Rest<'i>(&'i [u8]);

impl<'i> Rest<'i> {
    fn first(&self) -> Result<u8, Stop> {
        self.0.first().copied().ok_or(Stop::Unfinished)
    }

    fn take_while(&mut self, takes: impl Fn(u8) -> bool) -> &'i [u8] {
        let end = self.0.iter().position(|byte| !takes(*byte));
        self.take(end.unwrap_or(self.0.len()))
    }

    fn take(&mut self, count: usize) -> &'i [u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    /// Takes exactly these bytes.
    fn expect(&mut self, wanted: &[u8]) -> Result<(), Stop> {
        for byte in wanted {
            if self.first()? != *byte {
                return Err(Stop::Fault(400));
            }
            self.take(1);
        }
        Ok(())
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("ASCII")
}

/// The head at the beginning of a connection's bytes.
pub(crate) fn head(limits: &Limits, input: &[u8]) -> Result<Head, Stop> {
    let mut skipped = 0;
    while input[skipped..].starts_with(b"\r\n") {
        skipped += 2;
        if skipped > 16 {
            return Err(Stop::Fault(400));
        }
    }
    let rest = &input[skipped..];
    if matches!(rest, [] | [b'\r']) {
        return Err(Stop::Unfinished);
    }
    let window = &rest[..rest.len().min(limits.head_bytes_max)];
    match head_within(limits, window) {
        Ok(head) => Ok(Head { skipped, ..head }),
        Err(Stop::Unfinished) if window.len() == limits.head_bytes_max => Err(Stop::Fault(431)),
        Err(stop) => Err(stop),
    }
}

fn head_within(limits: &Limits, window: &[u8]) -> Result<Head, Stop> {
    let mut rest = Rest(window);
    let method = rest.take_while(is_token_byte);
    if method.len() >= 64 {
        return Err(Stop::Fault(400));
    }
    if rest.first()? != b' ' || method.is_empty() {
        return Err(Stop::Fault(400));
    }
    rest.take(1);
    let target = rest.take_while(|byte| byte != b' ');
    let ended = !rest.0.is_empty();
    let judged = &target[..target.len().min(limits.target_bytes_max)];
    if !target_is_sound(judged, ended && judged == target) || (ended && target.is_empty()) {
        return Err(Stop::Fault(400));
    }
    if judged != target {
        return Err(Stop::Fault(414));
    }
    rest.expect(b" HTTP/")?;
    let major = rest.first()?;
    rest.expect(&[major.clamp(b'0', b'9'), b'.'])?;
    let minor = rest.first()?;
    rest.expect(&[minor.clamp(b'0', b'9'), b'\r', b'\n'])?;
    if major != b'1' {
        return Err(Stop::Fault(505));
    }
    let (method, target) = (text(method), text(target));
    let form = super::plain_fields::form(&method, &target).ok_or(Stop::Fault(400))?;
    let fields = field_lines(&mut rest, limits.fields_max.min(128), true)?;
    let minor = (minor - b'0').min(1);
    let framing = Framing::of(form, minor, &fields).map_err(Stop::Fault)?;
    Ok(Head {
        skipped: 0,
        length: window.len() - rest.0.len(),
        method,
        target,
        minor,
        fields,
        framing,
    })
}

/// Fields up to and with the empty line. `counts_all`: whatever begins beyond the most is too many, a fault or not.
fn field_lines(
    rest: &mut Rest<'_>,
    most: usize,
    counts_all: bool,
) -> Result<Vec<(String, Vec<u8>)>, Stop> {
    let mut fields = Vec::new();
    loop {
        match rest.first()? {
            b'\r' => {
                rest.expect(b"\r\n")?;
                return Ok(fields);
            }
            b'\n' => return Err(Stop::Fault(400)),
            begin if fields.len() == most && (counts_all || is_token_byte(begin)) => {
                return Err(Stop::Fault(431));
            }
            _ => {}
        }
        let name = rest.take_while(is_token_byte);
        if rest.first()? != b':' || name.is_empty() {
            return Err(Stop::Fault(400));
        }
        rest.take(1);
        let value = rest.take_while(is_value_byte);
        rest.expect(b"\r\n")?;
        let value: &[u8] = value.trim_ascii();
        fields.push((text(name), value.to_vec()));
    }
}

/// What a chunked body came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Chunked {
    pub(crate) data: Vec<u8>,
    /// Up to and with the empty line.
    pub(crate) trailer: Vec<u8>,
    /// Bytes of it all.
    pub(crate) length: usize,
    /// Where each line with a size begins and ends, and the size.
    pub(crate) sizes: Vec<(usize, usize, u64)>,
}

/// The chunked body at the beginning of these bytes. What there is of it, and why it ends before its end.
pub(crate) fn chunked(limits: &Limits, input: &[u8]) -> (Chunked, Result<(), Stop>) {
    let mut body = Chunked::default();
    let result = chunks(limits, input, &mut body);
    (body, result)
}

fn chunks(limits: &Limits, input: &[u8], body: &mut Chunked) -> Result<(), Stop> {
    let mut rest = Rest(input);
    let mut extension_bytes = 0;
    loop {
        let begin = input.len() - rest.0.len();
        let digits = rest.take_while(|byte| byte.is_ascii_hexdigit());
        if digits.len() > 16 {
            return Err(Stop::Fault(400));
        }
        if rest.first()? != b'\r' || digits.is_empty() {
            if digits.is_empty() {
                return Err(Stop::Fault(400));
            }
            let extension = rest.take_while(|byte| byte != b'\r');
            extension_bytes += extension.len();
            if extension.len() > limits.chunk_extension_bytes_max
                || extension_bytes > limits.chunk_extensions_bytes_max
                || !extensions_are_sound(extension, !rest.0.is_empty())
            {
                return Err(Stop::Fault(400));
            }
        }
        rest.expect(b"\r\n")?;
        let size = u64::from_str_radix(&text(digits), 16).expect("at most 16 digits");
        body.sizes.push((begin, input.len() - rest.0.len(), size));
        if size == 0 {
            break;
        }
        let here = usize::try_from(size).map_or(rest.0.len(), |size| size.min(rest.0.len()));
        body.data.extend_from_slice(rest.take(here));
        if (here as u64) < size {
            return Err(Stop::Unfinished);
        }
        rest.expect(b"\r\n")?;
    }
    let section = rest.0;
    let mut window = Rest(&section[..section.len().min(limits.trailer_bytes_max)]);
    let most = window.0.len();
    match field_lines(&mut window, limits.fields_max.min(128), false) {
        Err(Stop::Unfinished) if most < section.len() => return Err(Stop::Fault(431)),
        Err(stop) => return Err(stop),
        Ok(_) => {}
    }
    body.trailer = section[..most - window.0.len()].to_vec();
    body.length = input.len() - section.len() + body.trailer.len();
    Ok(())
}

/// *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] ), or a beginning of it when more may come.
fn extensions_are_sound(text: &[u8], whole: bool) -> bool {
    let blank = |byte| byte == b' ' || byte == b'\t';
    let mut rest = Rest(text);
    while !rest.0.is_empty() {
        rest.take_while(blank);
        match rest.0 {
            [] => return !whole,
            [b';', ..] => rest.take(1),
            _ => return false,
        };
        rest.take_while(blank);
        if rest.0.is_empty() {
            return !whole;
        }
        if rest.take_while(is_token_byte).is_empty() {
            return false;
        }
        let mut value = Rest(rest.0);
        let blanks = value.take_while(blank);
        match value.0 {
            [] => return blanks.is_empty() || !whole,
            [b'=', ..] => value.take(1),
            _ => continue,
        };
        value.take_while(blank);
        match value.0 {
            [] => return !whole,
            [b'"', ..] => {
                value.take(1);
                loop {
                    match value.0 {
                        [] | [b'\\'] => return !whole,
                        [b'"', ..] => break,
                        [b'\\', byte, ..] if is_value_byte(*byte) => value.take(2),
                        [byte, ..] if *byte != b'\\' && is_value_byte(*byte) => value.take(1),
                        _ => return false,
                    };
                }
                value.take(1);
            }
            _ => {
                if value.take_while(is_token_byte).is_empty() {
                    return false;
                }
            }
        }
        rest = value;
    }
    true
}
