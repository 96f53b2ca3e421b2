//! What is decided of an answer before it has begun, by whoever passes the request on: fields, and who wants to know.

use core::time::Duration;

use super::contain::{Contained, contain};
use super::response::ResponseWriter;
use crate::http::{FieldError, FieldLine, FieldLines, FieldName, encode};
use crate::sys::Instant;

/// What waits for an answer. One is the worker's and used for each request in turn; it moves to the session when the answer
/// is put off.
#[derive(Default)]
pub(super) struct Added {
    /// Encoded fields, to follow the status line.
    fields: Vec<u8>,
    /// Encoded fields, each for an answer that has none of its name.
    defaults: Vec<u8>,
    /// One of them can't be sent.
    fault: Option<FieldError>,
    /// How much of a body is buffered where its handler does not say.
    body_bytes_max: Option<usize>,
    /// When an answer that is put off, or that a sink gives, comes too late.
    pub(super) answer_by: Option<Instant>,
    hooks: Vec<Hook>,
}

struct Hook {
    since: Instant,
    call: Contained<Call>,
}

type Call = Box<dyn FnOnce(&Answered)>;

/// What became of a request, as [`ResponseWriter::on_answered`] is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The status of the answer.
    pub status: u16,
    /// How many bytes its content has, or would have if the request were no HEAD. `None` when that is not known yet.
    pub content_bytes: Option<u64>,
    /// From when the hook was set to the answer, by the clock that the loop reads once a turn: zero for an answer that was
    /// given at once.
    pub time: Duration,
}

impl Added {
    /// Another request, or one whose answer was put off and now comes with what was kept of it.
    #[inline]
    pub(super) fn begin(&mut self, kept: Option<Box<Added>>) {
        match kept {
            None => self.clear(),
            Some(kept) => *self = *kept,
        }
    }

    #[inline]
    pub(super) fn clear(&mut self) {
        self.drop_fields();
        self.body_bytes_max = None;
        self.answer_by = None;
        self.hooks.clear();
    }

    /// Fields that can't be sent are not sent with the answer that says so.
    #[inline]
    pub(super) fn drop_fields(&mut self) {
        self.fields.clear();
        self.defaults.clear();
        self.fault = None;
    }

    /// Whether one of its fields can't be sent.
    pub(super) fn is_unsendable(&self) -> bool {
        self.fault.is_some()
    }

    /// What moves with an answer that is put off: `None` if there is nothing.
    pub(super) fn keep(&mut self) -> Option<Box<Added>> {
        let Added {
            fields,
            defaults,
            fault,
            body_bytes_max: _, // the body is here, or nobody wants it
            answer_by,
            hooks,
        } = self;
        let is_nothing = fields.is_empty() && defaults.is_empty() && hooks.is_empty();
        if is_nothing && fault.is_none() && answer_by.is_none() {
            return None;
        }
        Some(Box::new(core::mem::take(self)))
    }

    /// Writes the fields behind a status line. Whether they can be sent.
    #[inline]
    pub(super) fn begin_head(&self, out: &mut Vec<u8>) -> Option<FieldError> {
        if !self.fields.is_empty() {
            out.extend_from_slice(&self.fields);
        }
        self.fault
    }

    /// Writes the defaults that are missing in the head that begins at `begin`.
    #[inline]
    pub(super) fn end_head(&self, out: &mut Vec<u8>, begin: usize) {
        if !self.defaults.is_empty() {
            self.add_defaults(out, begin);
        }
    }

    fn add_defaults(&self, out: &mut Vec<u8>, begin: usize) {
        let end = out.len();
        for line in self.defaults.split_inclusive(|byte| *byte == b'\n') {
            let mut written = out[begin..end].split_inclusive(|byte| *byte == b'\n');
            if !written.any(|other| name(other).eq_ignore_ascii_case(name(line))) {
                out.extend_from_slice(line);
            }
        }
    }

    /// Tells whoever wants to know, the last that asked first. Whether one of them panicked.
    #[inline]
    pub(super) fn tell(&mut self, status: u16, content_bytes: Option<u64>, now: Instant) -> bool {
        let mut panicked = false;
        while let Some(Hook { since, call }) = self.hooks.pop() {
            let answered = Answered {
                status,
                content_bytes,
                time: now.since(since),
            };
            panicked |= contain(|| call.into_inner()(&answered)).is_none();
        }
        panicked
    }
}

/// The name of an encoded field.
fn name(line: &[u8]) -> &[u8] {
    line.split(|byte| *byte == b':').next().unwrap_or_default()
}

/// What can be said of an answer by whoever passes the request on and does not answer it: nothing of it is sent with another
/// request's answer. When the answer is [put off](ResponseWriter::defer), it moves with it; it stands on the answer as well
/// that the server gives in place of a handler which panicked or was too late.
///
/// A client that has gone before its answer has none, and nobody is told.
impl ResponseWriter<'_> {
    /// Adds a field to the answer, whatever its status will be. One that can't be sent makes the answer a 500, as
    /// [`HeadWriter::field`](super::HeadWriter::field) does.
    #[must_use]
    pub fn with_field(self, name: FieldName<'_>, value: impl AsRef<[u8]>) -> Self {
        let added = &mut self.shared.added;
        if let Err(fault) = encode::field(&mut added.fields, name, value.as_ref()) {
            added.fault = added.fault.or(Some(fault));
        }
        self
    }

    /// Adds a field that was checked when the program was compiled.
    #[must_use]
    pub fn with_line(self, line: FieldLine) -> Self {
        let fields = &mut self.shared.added.fields;
        fields.extend_from_slice(line.as_str().as_bytes());
        self
    }

    /// Adds a field unless the answer has one of this name itself.
    #[must_use]
    pub fn with_default(self, name: FieldName<'_>, value: impl AsRef<[u8]>) -> Self {
        let added = &mut self.shared.added;
        if let Err(fault) = encode::field(&mut added.defaults, name, value.as_ref()) {
            added.fault = added.fault.or(Some(fault));
        }
        self
    }

    /// Adds fields that were encoded before, each unless the answer has one of its name itself.
    #[must_use]
    pub fn with_default_lines(self, lines: &FieldLines) -> Self {
        let defaults = &mut self.shared.added.defaults;
        defaults.extend_from_slice(lines.as_bytes());
        self
    }

    /// Says how many bytes of a body are buffered by a handler that does not say it itself in
    /// [`intake`](super::Handler::intake). The last word counts.
    #[must_use]
    pub fn with_body_max(self, bytes: usize) -> Self {
        self.shared.added.body_bytes_max = Some(bytes);
        self
    }

    /// How many bytes of a body are buffered where nobody says otherwise.
    pub fn body_bytes_max(&self) -> usize {
        let said = self.shared.added.body_bytes_max;
        said.unwrap_or(self.shared.limits.body_bytes_max)
    }

    /// Has `hook` called when the answer is encoded, or its head if its content follows by and by. Costs one allocation. A
    /// panic in it is reported as [trouble](super::Trouble::HandlerPanicked) and changes nothing of the answer.
    #[must_use]
    pub fn on_answered(self, hook: impl FnOnce(&Answered) + 'static) -> Self {
        let since = self.shared.now;
        let call = Contained::new(Box::new(hook) as Call);
        self.shared.added.hooks.push(Hook { since, call });
        self
    }
}
