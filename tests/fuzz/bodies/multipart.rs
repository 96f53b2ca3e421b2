//! Forms with files: the decoder beside a plain reader of whole bodies, however they are cut.

use edgeloop::web::{
    Boundary, Multipart, MultipartError, MultipartEvent, MultipartLimits, PartHead,
};

use super::choices::{Choices, pieces};

/// What a body comes to: the parts that ended, and how it went on.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    parts: Vec<(PartHead, Vec<u8>)>,
    end: Result<(), MultipartError>,
}

/// Puts events together.
#[derive(Default)]
struct Parts {
    whole: Vec<(PartHead, Vec<u8>)>,
    open: Option<(PartHead, Vec<u8>)>,
    ended: bool,
}

impl Parts {
    fn take(&mut self, event: MultipartEvent<'_>) {
        assert!(!self.ended, "an event behind the end");
        match event {
            MultipartEvent::NeedInput => panic!("no event"),
            MultipartEvent::Part(head) => {
                assert!(self.open.is_none(), "a part in a part");
                self.open = Some((head, Vec::new()));
            }
            MultipartEvent::Data(data) => {
                assert!(!data.is_empty(), "no data");
                let (_, content) = self.open.as_mut().expect("content of a part");
                content.extend_from_slice(data);
            }
            MultipartEvent::PartEnd => self.whole.push(self.open.take().expect("a part's end")),
            MultipartEvent::End => {
                assert!(self.open.is_none(), "an end in a part");
                self.ended = true;
            }
        }
    }
}

/// By `next`, with what is left over kept here.
fn step(boundary: &Boundary, limits: MultipartLimits, pieces: &[&[u8]]) -> Outcome {
    let mut form = Multipart::new(boundary.clone(), limits);
    let (mut parts, mut held) = (Parts::default(), Vec::new());
    let mut feed = |piece: &[u8], parts: &mut Parts| -> Result<(), MultipartError> {
        held.extend_from_slice(piece);
        let mut at = 0;
        loop {
            let (used, event) = form.next(&held[at..])?;
            at += used;
            assert!(at <= held.len(), "more is used than there is");
            if event == MultipartEvent::NeedInput {
                break;
            }
            parts.take(event);
        }
        held.drain(..at);
        assert!(
            held.len() <= limits.head_bytes_max.max(80),
            "little is held"
        );
        Ok(())
    };
    let read = pieces.iter().try_for_each(|piece| feed(piece, &mut parts));
    Outcome {
        end: read.and_then(|()| form.finish()),
        parts: parts.whole,
    }
}

/// By `push`, which keeps it.
fn push(boundary: &Boundary, limits: MultipartLimits, pieces: &[&[u8]]) -> Outcome {
    let mut form = Multipart::new(boundary.clone(), limits);
    let mut parts = Parts::default();
    let mut pieces = pieces.iter();
    let read = pieces.try_for_each(|piece| form.push(piece, |event| parts.take(event)));
    Outcome {
        end: read.and_then(|()| form.finish()),
        parts: parts.whole,
    }
}

fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes
        .windows(pattern.len())
        .position(|window| window == pattern)
}

/// The head of a part and its content, as they lie in the body.
type PlainPart<'b> = (&'b [u8], &'b [u8]);

/// Heads and contents of a body that is here whole, as far as they can be made out, and whether its end was there.
fn plainly<'b>(body: &'b [u8], boundary: &str) -> (Vec<PlainPart<'b>>, Plain) {
    let delimiter = format!("\r\n--{boundary}").into_bytes();
    let mut parts = Vec::new();
    let mut rest = if body.starts_with(&delimiter[2..]) {
        &body[delimiter.len() - 2..]
    } else {
        match find(body, &delimiter) {
            Some(at) => &body[at + delimiter.len()..],
            None => return (parts, Plain::Unfinished),
        }
    };
    loop {
        if rest.starts_with(b"--") {
            return (parts, Plain::End);
        }
        let padding = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t'));
        let padding = padding.count();
        rest = &rest[padding..];
        if padding > 64 || !(rest.starts_with(b"\r\n") || b"\r\n".starts_with(rest)) {
            let is_open = padding == 0 && rest == b"-";
            let end = if is_open {
                Plain::Unfinished
            } else {
                Plain::Delimiter
            };
            return (parts, end);
        }
        let Some(head) = rest.get(2..) else {
            return (parts, Plain::Unfinished);
        };
        if head.starts_with(b"\r\n") {
            return (parts, Plain::Nameless);
        }
        let Some(length) = find(head, b"\r\n\r\n") else {
            return (parts, Plain::Unfinished);
        };
        let (head, content) = head.split_at(length + 4);
        let from_blank_line = &rest[2 + head.len() - 2..];
        if from_blank_line.starts_with(&delimiter) {
            parts.push((head, &content[..0]));
            rest = &from_blank_line[delimiter.len()..];
        } else if let Some(at) = find(content, &delimiter) {
            parts.push((head, &content[..at]));
            rest = &content[at + delimiter.len()..];
        } else {
            parts.push((head, content));
            return (parts, Plain::Unfinished);
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plain {
    End,
    Unfinished,
    Delimiter,
    Nameless,
}

/// Input: a byte for the limits, how many cuts, the cuts, a byte for the boundary, then a body.
///
/// Cuts change nothing; with wide limits the parts are those that the plain reader finds, up to a head that is refused.
pub fn multipart(data: &[u8]) {
    let mut choices = Choices::new(data);
    let is_narrow = choices.byte() & 1 != 0;
    let cuts = choices.cuts();
    let boundaries = ["x", "-", "--", "a b", "0'()+_,-./:=?"];
    let boundary_text = boundaries[usize::from(choices.byte()) % boundaries.len()];
    let body = choices.rest();
    let limits = if is_narrow {
        MultipartLimits {
            parts_max: 2,
            head_bytes_max: 60,
            part_bytes_max: 12,
            bytes_max: 160,
        }
    } else {
        MultipartLimits::default()
    };
    let boundary = Boundary::new(boundary_text).expect("a boundary");
    let whole = step(&boundary, limits, &[body]);
    let cut = pieces(body, cuts);
    assert_eq!(step(&boundary, limits, &cut), whole, "cut");
    assert_eq!(push(&boundary, limits, &cut), whole, "pushed");
    assert_eq!(push(&boundary, limits, &[body]), whole, "pushed whole");
    if !is_narrow && body.len() < 4096 {
        compare(&whole, &plainly(body, boundary_text));
    }
}

fn compare(ours: &Outcome, (parts, end): &(Vec<PlainPart<'_>>, Plain)) {
    assert!(ours.parts.len() <= parts.len(), "{ours:?}");
    for ((head, content), (plain_head, plain_content)) in ours.parts.iter().zip(parts) {
        assert_eq!(content, plain_content);
        if let Some(name) = plain_name(plain_head) {
            assert_eq!(head.name().as_bytes(), name);
        }
    }
    match ours.end {
        Ok(()) => assert_eq!((ours.parts.len(), *end), (parts.len(), Plain::End)),
        Err(MultipartError::Unfinished) => assert_eq!(*end, Plain::Unfinished),
        Err(MultipartError::Delimiter) => {
            assert_eq!((ours.parts.len(), *end), (parts.len(), Plain::Delimiter));
        }
        // A head is refused before its content is looked at; a plain one never is.
        Err(MultipartError::Disposition) if *end == Plain::Nameless => {}
        Err(MultipartError::Head | MultipartError::Disposition) => {
            let (head, _) = parts[ours.parts.len()];
            assert_eq!(plain_name(head), None, "{:?}", head.escape_ascii());
        }
        Err(MultipartError::Parts) => assert!(parts.len() > 128),
        Err(error) => panic!("{error:?}"),
    }
}

/// The name in a head that is as browsers write it for a plain field.
fn plain_name(head: &[u8]) -> Option<&[u8]> {
    let value = head.strip_prefix(b"Content-Disposition: form-data; name=\"")?;
    let name = value.strip_suffix(b"\"\r\n\r\n")?;
    let is_plain = name.iter().all(u8::is_ascii_alphanumeric);
    is_plain.then_some(name)
}
