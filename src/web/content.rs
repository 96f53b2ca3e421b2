//! Content with validators: what a client needs of it, if anything (RFC 9110 §13, §14).

use core::ops::Range;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::precondition::{self, Verdict};
use super::range::{self, Part, Selection};
use super::validator::{Modified, Tag, Validators};
use crate::http::{FieldName, Head, Length};
use crate::server::{HeadWriter, Reply, ResponseWriter, Source};
use crate::sys::{Fd, UnixTime};
use crate::{field_line, field_name};

/// Content that a handler makes, answered as a static file is: conditions are judged, and one range of it can be had.
///
/// | request | answer |
/// |---|---|
/// | GET and HEAD without conditions | 200 |
/// | a client that has it, by If-None-Match or If-Modified-Since | 304 |
/// | one that takes it for something else, by If-Match or If-Unmodified-Since | 412 |
/// | GET with one Range, whose If-Range holds if it has one | 206, or 416 beyond the end |
/// | GET with several ranges, or with what is not understood | 200 |
/// | another method | 200, whatever the conditions |
///
/// ```
/// use std::sync::Arc;
/// use edgeloop::web::Content;
/// use edgeloop::{Reply, Request, ResponseWriter, field_name};
///
/// struct App {
///     report: Arc<[u8]>,
/// }
///
/// impl edgeloop::Handler for App {
///     fn on_request(&mut self, req: &Request, res: ResponseWriter) -> Reply {
///         Content::shared("application/pdf", Arc::clone(&self.report))
///             .etag("r7")
///             .fields(&[(field_name!("Cache-Control"), "no-cache")])
///             .answer(req, res)
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Content<'c, S> {
    media_type: &'c str,
    size: u64,
    tag: Option<Tag<'c>>,
    modified: Option<SystemTime>,
    fields: &'c [(FieldName<'c>, &'c str)],
    send: S,
}

impl<'c, S: FnOnce(HeadWriter<'_>, Range<u64>) -> Reply> Content<'c, S> {
    /// Content of `size` bytes, of which `send` sends the part that it is asked for: the way for what has no function of its
    /// own here.
    pub fn new(media_type: &'c str, size: u64, send: S) -> Content<'c, S> {
        Content {
            media_type,
            size,
            tag: None,
            modified: None,
            fields: &[],
            send,
        }
    }

    /// Says which state it is in, byte by byte: it has another ETag whenever it is not the same. Without the quotes.
    #[must_use]
    pub fn etag(self, opaque: &'c str) -> Self {
        let tag = Some(Tag {
            weak: false,
            opaque: opaque.as_bytes(),
        });
        Content { tag, ..self }
    }

    /// The same of content that has another ETag whenever it does not mean the same. It does not do for ranges.
    #[must_use]
    pub fn weak_etag(self, opaque: &'c str) -> Self {
        let tag = Some(Tag {
            weak: true,
            opaque: opaque.as_bytes(),
        });
        Content { tag, ..self }
    }

    /// Says when it changed last, in whole seconds. A time that is yet to come is sent as the present.
    #[must_use]
    pub fn last_modified(self, modified: SystemTime) -> Self {
        let modified = Some(modified);
        Content { modified, ..self }
    }

    /// Adds fields: to the answer, and to a 304 too, but for those whose name begins with `Content-`.
    #[must_use]
    pub fn fields(self, fields: &'c [(FieldName<'c>, &'c str)]) -> Self {
        Content { fields, ..self }
    }

    /// Answers. An ETag with a quote, a space or a control character in it makes the answer a 500.
    pub fn answer(self, head: &Head<'_>, res: ResponseWriter<'_>) -> Reply {
        let Content {
            media_type,
            size,
            tag,
            modified,
            fields,
            send,
        } = self;
        if tag.is_some_and(|tag| !tag.is_sound()) {
            return res.status(500).fail();
        }
        let current = Validators {
            tag,
            modified: modified.map(|modified| Modified::of(unix_time(modified), UnixTime::now())),
        };
        let described = |answer| {
            with_fields(
                answer,
                fields.iter().filter(|field| !describes(field.0.as_str())),
            )
        };
        let res = match admit(head, &current, res, described) {
            Ok(res) => res,
            Err(reply) => return reply,
        };
        let (answer, part) = match select(head, &current, size) {
            Selection::Whole | Selection::Parts(_) => (res.status(200), 0..size),
            Selection::Part(part) => (begin_part(res, part, size), part.first..part.last + 1),
            Selection::Unsatisfiable => return unsatisfiable(res, size),
        };
        let answer = with_fields(
            answer.field(field_name!("Content-Type"), media_type),
            fields,
        );
        let answer = with_validators(answer, &current);
        send(answer.line(field_line!("Accept-Ranges", "bytes")), part)
    }
}

impl<'c> Content<'c, ()> {
    /// Bytes, of which the part that is asked for is copied.
    pub fn bytes(
        media_type: &'c str,
        bytes: &'c [u8],
    ) -> Content<'c, impl FnOnce(HeadWriter<'_>, Range<u64>) -> Reply> {
        Content::new(media_type, bytes.len() as u64, |answer, part| {
            answer.body(&bytes[indices(&part)])
        })
    }

    /// Bytes that live as long as the program, sent from where they are.
    pub fn constant(
        media_type: &'c str,
        bytes: &'static [u8],
    ) -> Content<'c, impl FnOnce(HeadWriter<'_>, Range<u64>) -> Reply> {
        Content::new(media_type, bytes.len() as u64, |answer, part| {
            answer.constant(&bytes[indices(&part)])
        })
    }

    /// Bytes that others share, sent from where they are.
    pub fn shared(
        media_type: &'c str,
        bytes: Arc<[u8]>,
    ) -> Content<'c, impl FnOnce(HeadWriter<'_>, Range<u64>) -> Reply> {
        Content::new(media_type, bytes.len() as u64, |answer, part| {
            answer.shared_part(bytes, indices(&part))
        })
    }

    /// The first `size` bytes of a regular file.
    pub fn file(
        media_type: &'c str,
        file: Fd,
        size: u64,
    ) -> Content<'c, impl FnOnce(HeadWriter<'_>, Range<u64>) -> Reply> {
        Content::new(media_type, size, |answer, part| {
            answer.file(file, part.start, part.end - part.start)
        })
    }

    /// `size` bytes that are made while they are sent: `seek` gives a source of the part that is asked for.
    pub fn stream<T: Source + 'static>(
        media_type: &'c str,
        size: u64,
        seek: impl FnOnce(Range<u64>) -> T,
    ) -> Content<'c, impl FnOnce(HeadWriter<'_>, Range<u64>) -> Reply> {
        Content::new(media_type, size, |answer, part| {
            let length = Length::Known(part.end - part.start);
            answer.stream(length, seek(part))
        })
    }
}

/// Before 1970 it is 1970, which is old enough.
fn unix_time(time: SystemTime) -> UnixTime {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixTime {
        secs: since.as_secs(),
        nanos: since.subsec_nanos(),
    }
}

/// It lies within what has a length in memory.
fn indices(part: &Range<u64>) -> Range<usize> {
    part.start as usize..part.end as usize
}

/// Judges the conditions of a request for content in this state. It is to be answered, or that is done: 304, with what
/// `with` adds to that, or 412.
pub(super) fn admit<'a>(
    head: &Head<'_>,
    current: &Validators<'_>,
    res: ResponseWriter<'a>,
    with: impl FnOnce(HeadWriter<'a>) -> HeadWriter<'a>,
) -> Result<ResponseWriter<'a>, Reply> {
    if !matches!(head.method(), "GET" | "HEAD") {
        return Ok(res);
    }
    match precondition::evaluate(head.fields(), current) {
        Verdict::Proceed => Ok(res),
        Verdict::NotModified => Err(with_validators(with(res.status(304)), current).empty()),
        Verdict::Failed => {
            let answer = with_validators(res.status(412), current);
            Err(explain(answer, "it has changed\n"))
        }
    }
}

/// What of so many bytes in this state is asked for. Only GET has ranges (RFC 9110 §14.2).
pub(super) fn select(head: &Head<'_>, current: &Validators<'_>, size: u64) -> Selection {
    let range = match head.method() {
        "GET" => precondition::range(head.fields(), current),
        _ => None,
    };
    range.map_or(Selection::Whole, |range| range::select(range, size))
}

/// Begins an answer that has one part of so many bytes.
pub(super) fn begin_part(res: ResponseWriter<'_>, part: Part, size: u64) -> HeadWriter<'_> {
    let Part { first, last } = part;
    let range = format_args!("bytes {first}-{last}/{size}");
    res.status(206)
        .field_fmt(field_name!("Content-Range"), range)
}

/// Answers who asks for what lies beyond so many bytes.
pub(super) fn unsatisfiable(res: ResponseWriter<'_>, size: u64) -> Reply {
    let range = format_args!("bytes */{size}");
    let answer = res
        .status(416)
        .field_fmt(field_name!("Content-Range"), range);
    explain(answer, "it ends before that range\n")
}

/// Whether a field describes the content itself, so that a 304 does not repeat it (RFC 9110 §15.4.5).
fn describes(name: &str) -> bool {
    let begin = name.as_bytes().get(..8);
    begin.is_some_and(|begin| begin.eq_ignore_ascii_case(b"content-"))
}

fn with_fields<'a, 'f>(
    answer: HeadWriter<'a>,
    fields: impl IntoIterator<Item = &'f (FieldName<'f>, &'f str)>,
) -> HeadWriter<'a> {
    fields
        .into_iter()
        .fold(answer, |answer, (name, value)| answer.field(*name, value))
}

pub(super) fn with_validators<'a>(
    mut answer: HeadWriter<'a>,
    current: &Validators<'_>,
) -> HeadWriter<'a> {
    if let Some(modified) = current.modified {
        answer = answer.field(field_name!("Last-Modified"), modified.date());
    }
    match current.tag {
        Some(tag) => {
            let weak = if tag.weak { "W/" } else { "" };
            // It was sound when it was taken.
            let opaque = core::str::from_utf8(tag.opaque).unwrap_or_default();
            answer.field_fmt(field_name!("ETag"), format_args!("{weak}\"{opaque}\""))
        }
        None => answer,
    }
}

/// Ends an answer with a sentence that no browser takes for a page.
pub(super) fn explain(answer: HeadWriter<'_>, text: &str) -> Reply {
    answer
        .line(field_line!("X-Content-Type-Options", "nosniff"))
        .text(text)
}
