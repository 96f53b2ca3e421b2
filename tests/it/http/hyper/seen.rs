//! What a server makes of the bytes of one connection, in words that hold for both, and how ours does it.

use edgeloop::http::{Body, Conn, Event, Head, Length, Limits, Reject, Slots, TrailerSlots};
use edgeloop::http::{Version, encode, trailers};

/// What a server took from a connection on which the client sends all of its bytes and then finishes.
#[derive(Debug)]
pub(super) struct Seen {
    /// The requests in order; the last of them may be unfinished.
    pub(super) requests: Vec<Request>,
    /// Whether it ended the connection after one of them; known of ours only.
    pub(super) ended: bool,
    /// What it had no use for: begins with the head or the part of a body that is at fault; known of ours only.
    pub(super) rest: Vec<u8>,
    /// The fault that it found, if it found one.
    pub(super) refused: Option<Fault>,
}

/// Why a server refused to go on.
#[derive(Debug)]
pub(super) enum Fault {
    Ours(Reject),
    #[expect(dead_code, reason = "shown where they differ")]
    Theirs(String),
}

/// One request, as a server has read it.
#[derive(Debug)]
pub(super) struct Request {
    /// The head as it came; known of ours only.
    pub(super) head: Vec<u8>,
    pub(super) method: String,
    pub(super) version: Version,
    pub(super) authority: Option<String>,
    pub(super) path: String,
    pub(super) query: Option<String>,
    pub(super) fields: Vec<Field>,
    pub(super) framing: Body,
    pub(super) body: Vec<u8>,
    pub(super) trailers: Vec<Field>,
    /// Whether it got `100 Continue` before its answer. Not known of one that has no answer.
    pub(super) continued: bool,
    /// Whether the end of it was reached.
    pub(super) whole: bool,
}

/// The name in lower case, and the value.
pub(super) type Field = (String, Vec<u8>);

/// The status of every answer: CONNECT and Upgrade get nothing by it, so the connection goes on.
pub(super) const STATUS: u16 = 404;

/// Fields in an order that does not depend on how a server keeps them: by name, those of one name as they came. Of a
/// length that is said twice the first one counts.
pub(super) fn sorted<'f>(fields: impl Iterator<Item = (&'f str, &'f [u8])>) -> Vec<Field> {
    let mut fields: Vec<Field> = fields
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_vec()))
        .collect();
    fields.sort_by(|one, other| one.0.cmp(&other.0));
    fields.dedup_by(|next, first| next.0 == "content-length" && first.0 == next.0);
    fields
}

/// What ours makes of the bytes, given all at once.
pub(super) fn ours(input: &[u8]) -> Seen {
    let (mut conn, limits, mut out) = (Conn::new(), Limits::default(), Vec::new());
    let mut seen = Seen {
        requests: Vec::new(),
        ended: false,
        rest: Vec::new(),
        refused: None,
    };
    let (mut rest, mut section) = (input, Vec::new());
    loop {
        let mut slots = Slots::new();
        let (used, event) = conn.next(&limits, rest, &mut slots);
        rest = &rest[used..];
        let whole = match event {
            Event::Request(head) => {
                seen.requests.push(Request::of(&head));
                head.framing().body == Body::None
            }
            Event::Data(data) => {
                let request = seen.requests.last_mut().expect("whose content it is");
                request.body.extend_from_slice(data);
                false
            }
            Event::Trailer(bytes) => {
                section.extend_from_slice(bytes);
                false
            }
            Event::End => true,
            Event::Paused => {
                conn.want_body(&mut out);
                false
            }
            Event::NeedInput => {
                seen.refused = conn.finish_input(&limits, rest).map(Fault::Ours);
                break;
            }
            Event::Rejected(reject) => {
                seen.refused = Some(Fault::Ours(reject));
                break;
            }
            Event::Closed => {
                seen.ended = true;
                break;
            }
        };
        if whole {
            let request = seen.requests.last_mut().expect("the one that is whole");
            let mut slots = TrailerSlots::new();
            request.trailers = sorted(trailers(&section, &mut slots).iter());
            request.whole = true;
            section.clear();
            encode::status_line(&mut out, STATUS);
            conn.finish_head(&limits, &mut out, STATUS, Length::Known(0));
        }
    }
    continued(&out, &mut seen.requests);
    seen.rest = rest.to_vec();
    seen
}

/// Finds out from the answers, which have no content, which requests were told to go on with their body.
pub(super) fn continued(output: &[u8], requests: &mut [Request]) {
    let mut requests = requests.iter_mut();
    let mut interim = false;
    for line in output.split(|byte| *byte == b'\n') {
        if line.starts_with(b"HTTP/1.1 100 ") {
            interim = true;
        } else if line.starts_with(b"HTTP/1.")
            && let Some(request) = requests.next()
        {
            request.continued = std::mem::take(&mut interim);
        }
    }
}

impl Request {
    fn of(head: &Head<'_>) -> Request {
        Request {
            head: head.bytes().to_vec(),
            method: head.method().to_owned(),
            version: head.version(),
            authority: head.target().authority().map(str::to_owned),
            path: head.path().to_owned(),
            query: head.query().map(str::to_owned),
            fields: sorted(head.fields().iter()),
            framing: head.framing().body,
            body: Vec::new(),
            trailers: Vec::new(),
            continued: false,
            whole: false,
        }
    }
}
