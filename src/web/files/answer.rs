//! From what was found to the answer.

use std::sync::OnceLock;

use super::super::content::{self, explain, with_validators};
use super::super::range::Selection;
use super::super::validator::{self, EntityTag, Modified, Validators};
use super::coding::{Accepted, Coding};
use super::entry::{Entry, State};
use super::listing::{Form, Listing};
use super::multipart;
use super::tree::Representation;
use crate::http::{FieldLines, Head};
use crate::server::pool::Pool;
use crate::server::{HeadWriter, Reply, ResponseWriter};
use crate::sys::UnixTime;
use crate::sys::file::Failure;
use crate::{field_line, field_name};

/// The wall clock, which is read only for files that have changed just now.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    /// What it said at the last look.
    seen: UnixTime,
}

impl Clock {
    pub(super) fn new() -> Clock {
        let seen = UnixTime { secs: 0, nanos: 0 };
        Clock { seen }
    }

    /// The time to judge the age of a file by. An earlier reading will do once the file has settled by it.
    fn now(&mut self, modified: UnixTime) -> UnixTime {
        if !validator::has_settled(modified, self.seen) {
            self.seen = UnixTime::now();
        }
        self.seen
    }
}

/// For whom a file is sent, and how.
pub(super) struct Asking<'a> {
    head: &'a Head<'a>,
    accepted: &'a Accepted,
    /// Who waits for disks.
    pool: Option<&'a Pool>,
    clock: &'a mut Clock,
    varies: Varies,
}

impl<'a> Asking<'a> {
    pub(super) fn new(
        head: &'a Head<'a>,
        accepted: &'a Accepted,
        pool: Option<&'a Pool>,
        clock: &'a mut Clock,
    ) -> Asking<'a> {
        Asking {
            head,
            accepted,
            pool,
            clock,
            varies: Varies::default(),
        }
    }

    /// It is sent for other paths than its own, to who wants a page.
    pub(super) fn of_many_pages(mut self) -> Asking<'a> {
        self.varies.media_type = true;
        self
    }
}

/// Answers with a file, or says what is to be said instead: that the client has it, that it is another one, that it takes
/// it in no form that there is.
pub(super) fn send(
    found: Representation<'_>,
    asking: Asking<'_>,
    res: ResponseWriter<'_>,
) -> Reply {
    let Representation {
        entry,
        content,
        prepared,
        compressed,
        ..
    } = found;
    let Asking {
        head,
        accepted,
        pool,
        clock,
        mut varies,
    } = asking;
    // Only who gets content has it read.
    let pool = pool.filter(|_| head.method() != "HEAD");
    varies.coding = found.varies || entry.is_compressed;
    // What is prepared is for who has asked for this very path, and says nothing of compression.
    let prepared = prepared.filter(|_| !varies.media_type && !entry.is_compressed);
    #[cfg(not(feature = "compress"))]
    let _ = compressed;
    #[cfg(feature = "compress")]
    if entry.is_compressed && accepted.wants(Coding::Gzip) {
        let known = Known::of(entry, clock);
        let made = super::compress::Made {
            entry,
            content,
            kept: compressed,
        };
        return super::compress::send(head, made, &known, varies, res);
    }
    if entry.coding.is_none() && !accepted.takes_identity() {
        // RFC 9110 §12.5.3: it says of all forms that there are that they will not do.
        varies.coding = true;
        let answer = vary(res.status(406), varies);
        return explain(answer, "it is to be had in no coding that is accepted\n");
    }
    let made;
    let said = prepared.and_then(OnceLock::get);
    let known = if let Some(said) = said {
        &said.known
    } else {
        made = Known::of(entry, clock);
        &made
    };
    let tag = known.tag.tag();
    let current = Validators {
        tag: Some(tag),
        modified: known.modified,
    };
    let described = |answer| describe(answer, entry, varies);
    let mut res = match content::admit(head, &current, res, described) {
        Ok(res) => res,
        Err(reply) => return reply,
    };
    let length = entry.length;
    let selection = content::select(head, &current, length);
    let content = match &selection {
        Selection::Whole | Selection::Parts(_) => content.read_ahead(&(0..length), pool, &mut res),
        Selection::Part(part) => content.read_ahead(&(part.first..part.last + 1), pool, &mut res),
        Selection::Unsatisfiable => content,
    };
    if let (Selection::Whole, Some(said)) = (&selection, said) {
        return content.send(res.status(200).lines(&said.lines), 0..length);
    }
    let answer = match &selection {
        Selection::Whole => res.status(200),
        Selection::Part(part) => content::begin_part(res, *part, length),
        Selection::Parts(_) => res.status(206),
        Selection::Unsatisfiable => return content::unsatisfiable(res, length),
    };
    let media_type = &entry.media_type;
    let say = |answer| {
        let answer = with_validators(described(answer), &current)
            .line(field_line!("Accept-Ranges", "bytes"))
            .line(field_line!("X-Content-Type-Options", "nosniff"));
        match entry.coding {
            Some(coding) => answer.field(field_name!("Content-Encoding"), coding.name()),
            None => answer,
        }
    };
    let say_all =
        |answer| say(answer).field_fmt(field_name!("Content-Type"), format_args!("{media_type}"));
    let (answer, part) = match selection {
        Selection::Whole | Selection::Unsatisfiable => match prepared {
            // What is said once is said again, but for the tag of what has not settled.
            Some(prepared) if known.has_settled() => {
                let (answer, lines) = answer.record(say_all);
                if let Some(lines) = lines {
                    let known = known.clone();
                    let _ = prepared.set(Prepared { known, lines }); // nobody else has
                }
                (answer, 0..length)
            }
            Some(_) | None => (say_all(answer), 0..length),
        },
        Selection::Part(part) => (say_all(answer), part.first..part.last + 1),
        Selection::Parts(parts) => {
            return multipart::send(say(answer), content, &parts, length, media_type, &tag);
        }
    };
    content.send(answer, part)
}

/// What is said of a file in a 304 too (RFC 9110 §15.4.5), besides its validators.
pub(super) fn describe<'a>(
    answer: HeadWriter<'a>,
    entry: &Entry,
    varies: Varies,
) -> HeadWriter<'a> {
    vary(with_cache_control(answer, entry), varies)
}

/// What tells the state of a file from another.
#[derive(Clone, Debug)]
pub(super) struct Known {
    tag: EntityTag,
    /// `None`: nobody knows.
    pub(super) modified: Option<Modified>,
}

impl Known {
    fn of(entry: &Entry, clock: &mut Clock) -> Known {
        let (number, modified) = match entry.state {
            State::Modified(at) => (validator::nanos(at), Some(Modified::of(at, clock.now(at)))),
            State::Digest(digest) => (digest, None),
        };
        let is_weak = modified.is_some_and(|modified| !modified.has_settled);
        let coding = entry.coding.map(Coding::name);
        Known {
            tag: EntityTag::of(entry.length, number, coding, is_weak),
            modified,
        }
    }

    /// Whether it will be the same at any time.
    fn has_settled(&self) -> bool {
        self.modified.is_none_or(|modified| modified.has_settled)
    }
}

/// The tag of what becomes of a file by compression.
#[cfg(feature = "compress")]
pub(super) fn compressed_tag(entry: &Entry) -> EntityTag {
    let number = match entry.state {
        State::Modified(at) => validator::nanos(at),
        State::Digest(digest) => digest,
    };
    EntityTag::of(entry.length, number, Some(Coding::Gzip.name()), true)
}

/// What is said of content in every answer that has the whole of it, encoded once.
#[derive(Debug)]
pub(super) struct Prepared {
    known: Known,
    /// All fields but Date and those that frame it.
    lines: FieldLines,
}

fn with_cache_control<'a>(answer: HeadWriter<'a>, entry: &Entry) -> HeadWriter<'a> {
    match &entry.cache_control {
        Some(value) => answer.field(field_name!("Cache-Control"), &**value),
        None => answer,
    }
}

/// What of the request another one could differ in and get another answer (RFC 9110 §12.5.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Varies {
    /// Accept-Encoding: there are coded siblings.
    pub(super) coding: bool,
    /// Accept: who wants a page gets one.
    pub(super) media_type: bool,
}

fn vary(answer: HeadWriter<'_>, varies: Varies) -> HeadWriter<'_> {
    match (varies.media_type, varies.coding) {
        (false, false) => answer,
        (false, true) => answer.line(field_line!("Vary", "Accept-Encoding")),
        (true, false) => answer.line(field_line!("Vary", "Accept")),
        (true, true) => answer.line(field_line!("Vary", "Accept, Accept-Encoding")),
    }
}

/// Sends the client to the same path with a slash behind it. Its own last segment is all that the location has: so it is
/// right below any prefix, and can't lead to another host. Where another path is served than was asked for, which may have no
/// last segment, there is no telling where the slash would be.
pub(super) fn redirect_to_slash<'r>(
    head: &Head<'_>,
    res: ResponseWriter<'r>,
) -> Result<Reply, ResponseWriter<'r>> {
    let name = head.path().rsplit('/').next().unwrap_or_default();
    if name.is_empty() {
        return Err(res);
    }
    // RFC 3986 §4.2: what stands before a colon in the first segment would be a scheme.
    let here = if name.contains(':') { "./" } else { "" };
    let (mark, query) = match head.query() {
        Some(query) => ("?", query),
        None => ("", ""),
    };
    let answer = res.status(308).field_fmt(
        field_name!("Location"),
        format_args!("{here}{name}/{mark}{query}"),
    );
    Ok(answer.empty())
}

/// Answers with what is in the directory at a path.
pub(super) fn list(listing: &Listing, path: &[u8], form: Form, res: ResponseWriter<'_>) -> Reply {
    res.status(200)
        .field(field_name!("Content-Type"), form.media_type())
        .line(field_line!("Vary", "Accept"))
        .line(field_line!("Cache-Control", "no-cache"))
        .line(field_line!("X-Content-Type-Options", "nosniff"))
        .line(field_line!(
            "Content-Security-Policy",
            "default-src 'none'; style-src 'unsafe-inline'"
        ))
        .body(listing.write(path, form))
}

/// Why there is no file to answer with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The path is none of a file.
    Malformed,
    /// It may not be read.
    Denied,
    /// It is not there.
    Missing,
    /// It has the name of a dotfile: as if there were nothing, and no page stands for it.
    Hidden,
    /// Files are not asked that way.
    Method,
    /// The file system is in trouble.
    Broken,
    /// Descriptors or memory have run out.
    Exhausted,
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Refusal {
        match failure {
            Failure::Missing => Refusal::Missing,
            Failure::Denied => Refusal::Denied,
            Failure::Exhausted | Failure::Again => Refusal::Exhausted,
            Failure::Broken => Refusal::Broken,
        }
    }
}

impl Refusal {
    /// What refusals can have for a status.
    pub(super) const STATUSES: [u16; 6] = [400, 403, 404, 405, 500, 503];

    pub(super) fn status(self) -> u16 {
        match self {
            Refusal::Malformed => 400,
            Refusal::Denied => 403,
            Refusal::Missing | Refusal::Hidden => 404,
            Refusal::Method => 405,
            Refusal::Broken => 500,
            Refusal::Exhausted => 503,
        }
    }

    /// Refuses in a sentence.
    pub(super) fn explain(self, varies: Varies, res: ResponseWriter<'_>) -> Reply {
        let text = match self {
            Refusal::Malformed => "that is no path of a file\n",
            Refusal::Denied => "that file may not be read\n",
            Refusal::Missing | Refusal::Hidden => "not found\n",
            Refusal::Method => "files can be had by GET and HEAD only\n",
            Refusal::Broken => "the file can't be read\n",
            Refusal::Exhausted => "files can't be opened at the moment\n",
        };
        explain(self.begin(varies, res), text)
    }

    /// Refuses with a page: the whole of it, whatever is known of what was asked for.
    pub(super) fn send(
        self,
        page: Representation<'_>,
        varies: Varies,
        res: ResponseWriter<'_>,
    ) -> Reply {
        let Representation { entry, content, .. } = page;
        let varies = Varies {
            coding: page.varies,
            ..varies
        };
        let mut answer = self
            .begin(varies, res)
            .line(field_line!("X-Content-Type-Options", "nosniff"))
            .field_fmt(
                field_name!("Content-Type"),
                format_args!("{}", entry.media_type),
            );
        if let Some(coding) = entry.coding {
            answer = answer.field(field_name!("Content-Encoding"), coding.name());
        }
        content.send(answer, 0..entry.length)
    }

    fn begin(self, varies: Varies, res: ResponseWriter<'_>) -> HeadWriter<'_> {
        let answer = vary(res.status(self.status()), varies);
        match self {
            // RFC 9110 §15.5.6.
            Refusal::Method => answer.line(field_line!("Allow", "GET, HEAD")),
            // §15.6.4: somebody else's connection may be over by then.
            Refusal::Exhausted => answer.line(field_line!("Retry-After", "1")),
            Refusal::Malformed
            | Refusal::Denied
            | Refusal::Missing
            | Refusal::Hidden
            | Refusal::Broken => answer,
        }
    }
}
