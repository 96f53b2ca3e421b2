//! An answer: what a client makes of it, whatever a handler puts in.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use edgeloop::http::{FieldName, Length};
use edgeloop::server::{BodyWriter, Pull, Source};
use edgeloop::{Handler, Reply, Request, ResponseWriter};

use super::answers::{Framing, take_final};
use super::choices::Choices;
use super::plain_fields::{is_token_byte, is_value_byte};
use super::wire::{Folder, MARKER, Wire};

static CONSTANT: [u8; 20_000] = [b'c'; 20_000];

/// What is asked, and what the handler does.
#[derive(Clone, Debug, Default)]
struct Plan {
    method: &'static str,
    version: &'static str,
    connection: &'static str,
    status: u16,
    fields: Vec<(String, Vec<u8>)>,
    how: u8,
    /// Whether the answer is put off, and given by a completer.
    is_late: bool,
    pieces: Vec<Vec<u8>>,
    /// What is promised of streamed content.
    length: Option<u64>,
    /// Whether the last piece comes with the end.
    ends_early: bool,
}

impl Plan {
    fn of(data: &[u8]) -> Plan {
        let mut choices = Choices::new(data);
        let asked = choices.byte();
        let pick = |from: [&'static str; 4], by: u8| from[usize::from(by % 4)];
        let status = match choices.byte() {
            0 => 200,
            1 => 204,
            2 => 304,
            3 => u16::from_be_bytes([choices.byte(), choices.byte()]),
            byte => 200 + u16::from(byte) * 3,
        };
        let count = choices.byte() % 5;
        let fields = (0..count).map(|_| {
            let name = match choices.byte() {
                name @ 0..8 => NAMES[usize::from(name)].to_owned(),
                length => String::from_utf8_lossy(choices.take(usize::from(length % 16))).into(),
            };
            let length = choices.byte() % 32;
            (name, choices.take(usize::from(length)).to_vec())
        });
        let fields = fields
            .filter(|(name, _)| {
                let taken = FieldName::try_from(name.as_str());
                assert_eq!(taken.is_ok(), is_name(name), "{name:?}");
                taken.is_ok()
            })
            .collect();
        let (how, end, off, count) = (
            choices.byte(),
            choices.byte(),
            choices.byte(),
            choices.byte(),
        );
        let pieces = (0..count % 6).map(|_| {
            let (length, times) = (choices.byte(), choices.byte());
            let piece = choices.take(usize::from(length));
            // Some of them larger than any buffer.
            piece.repeat(if times > 250 {
                700
            } else {
                1 + usize::from(times) / 128
            })
        });
        let pieces: Vec<Vec<u8>> = pieces.collect();
        let sum = pieces.iter().map(Vec::len).sum::<usize>() as u64;
        Plan {
            method: pick(["GET", "HEAD", "POST", "PURGE"], asked),
            version: pick(["1.1", "1.1", "1.1", "1.0"], asked >> 2),
            connection: pick(["", "", "keep-alive", "close"], asked >> 4),
            status,
            fields,
            how: how & 7,
            is_late: how & 8 != 0,
            pieces,
            length: match end % 4 {
                0 => None,
                1 => Some(sum.saturating_sub(u64::from(off))),
                2 => Some(sum + u64::from(off % 3)),
                _ => Some(sum),
            },
            ends_early: end & 4 != 0,
        }
    }

    fn request(&self) -> Vec<u8> {
        let Plan {
            method,
            version,
            connection,
            ..
        } = self;
        let mut request = format!("{method} / HTTP/{version}\r\nHost: a\r\n").into_bytes();
        if !connection.is_empty() {
            request.extend(format!("Connection: {connection}\r\n").bytes());
        }
        match *method {
            "POST" => request.extend_from_slice(b"Content-Length: 2\r\n\r\nhi"),
            _ => request.extend_from_slice(b"\r\n"),
        }
        request
    }

    /// Whether each value can be sent: it has no controls.
    fn is_sendable(&self) -> bool {
        let values = self.fields.iter().flat_map(|(_, value)| value);
        values.copied().all(is_value_byte)
    }

    fn joined(&self) -> Vec<u8> {
        self.pieces.concat()
    }

    /// What is sent of streamed content, and whether it comes to its end.
    fn streamed(&self) -> (Vec<u8>, bool) {
        let (mut sent, mut pieces) = (Vec::new(), self.pieces.iter().peekable());
        loop {
            let left = self.length.map(|length| length - sent.len() as u64);
            if left == Some(0) {
                return (sent, true);
            }
            let Some(piece) = pieces.next() else {
                return (sent, left.is_none());
            };
            if left.is_some_and(|left| piece.len() as u64 > left) {
                return (sent, false);
            }
            sent.extend_from_slice(piece);
            let is_last = pieces.peek().is_none() && self.ends_early;
            let whole = self.length.is_none_or(|length| length == sent.len() as u64);
            if is_last || piece.is_empty() {
                return (sent, is_last && whole);
            }
        }
    }
}

const NAMES: [&str; 8] = [
    "X-A",
    "Content-Type",
    "Set-Cookie",
    "Connection",
    "Content-Length",
    "transfer-encoding",
    "Date",
    "Keep-Alive",
];

/// Whether an application may write it: a token, and none of those that frame.
fn is_name(name: &str) -> bool {
    let reserved = [
        "connection",
        "content-length",
        "date",
        "keep-alive",
        "transfer-encoding",
    ];
    !name.is_empty()
        && name.bytes().all(is_token_byte)
        && !reserved.contains(&name.to_ascii_lowercase().as_str())
}

/// Does what it is told.
struct App(Rc<RefCell<Plan>>);

impl Handler for App {
    fn on_request(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
        if req.path() == "/marker" {
            return res.status(299).body("marker");
        }
        let plan = self.0.borrow();
        if !plan.is_late {
            return answer(&plan, req.method(), res);
        }
        let (plan, method) = (plan.clone(), req.method().to_owned());
        let (completer, reply) = res.defer();
        completer.finish(move |res| answer(&plan, &method, res));
        reply
    }
}

fn answer(plan: &Plan, method: &str, res: ResponseWriter<'_>) -> Reply {
    if plan.how == 7 && plan.fields.is_empty() {
        return res.no_route(method);
    }
    let mut head = res.status(plan.status);
    for (at, (name, value)) in plan.fields.iter().enumerate() {
        let name = FieldName::new(name); // it was one when the plan was made
        head = match core::str::from_utf8(value) {
            Ok(text) if at % 2 == 1 => head.field_fmt(name, format_args!("{text}")),
            _ => head.field(name, value),
        };
    }
    match plan.how {
        0 => head.body(plan.joined()),
        1 => head.shared(Arc::from(plan.joined())),
        2 => head.constant(&CONSTANT),
        3 => head.empty(),
        4 => head.text(plan.joined()),
        _ => head.stream(
            plan.length.map_or(Length::Unknown, Length::Known),
            Pieces {
                pieces: plan.pieces.clone().into_iter(),
                ends_early: plan.ends_early,
            },
        ),
    }
}

struct Pieces {
    pieces: std::vec::IntoIter<Vec<u8>>,
    ends_early: bool,
}

impl Source for Pieces {
    fn pull(&mut self, body: &mut BodyWriter<'_>) -> Pull {
        let Some(piece) = self.pieces.next() else {
            return Pull::End;
        };
        body.write(&piece);
        if self.ends_early && self.pieces.len() == 0 {
            Pull::End
        } else {
            Pull::More
        }
    }
}

thread_local! {
    static SERVER: RefCell<(Wire<App>, Rc<RefCell<Plan>>)> = {
        let plan = Rc::new(RefCell::new(Plan::default()));
        RefCell::new((Wire::new(Folder::new(), App(plan.clone())), plan))
    };
}

/// Input: which request, which status, which fields, and how which content is sent: see `Plan::of`.
///
/// A client finds exactly one answer, with exactly the fields and the content that the handler has given, and behind it
/// the answer to the next request, or the end where it was told so. What can't be sent is 500, with nothing of it; content
/// that breaks its promise never looks whole.
pub fn response(data: &[u8]) {
    let plan = Plan::of(data);
    let bytes = [&plan.request(), MARKER].concat();
    SERVER.with_borrow_mut(|(wire, shared)| {
        shared.replace(plan);
        let got = wire.exchange(&bytes);
        check(&shared.borrow(), &got);
    });
}

fn check(plan: &Plan, got: &[u8]) {
    let omitted = plan.method == "HEAD";
    let by_route = plan.how == 7 && plan.fields.is_empty();
    let status = match plan.status {
        _ if by_route => 404 + 97 * u16::from(plan.method == "PURGE"),
        _ if !plan.is_sendable() => 500,
        status @ 200..1000 => status,
        _ => 500,
    };
    let has_content = !omitted && status != 204 && status != 304;
    let faulty = !by_route && !plan.is_sendable();
    let streams = plan.how > 4 && !by_route && !faulty;
    let (content, whole) = match plan.how {
        _ if by_route || faulty => (None, true),
        _ if !has_content => (Some(Vec::new()), true),
        0 | 1 | 4 => (Some(plan.joined()), true),
        2 => (Some(CONSTANT.to_vec()), true),
        3 => (Some(Vec::new()), true),
        _ => {
            let (content, whole) = plan.streamed();
            (Some(content), whole)
        }
    };
    if !whole {
        return check_broken(got, status, &content.unwrap_or_default());
    }

    let (answer, rest) = take_final(got, omitted).expect("an answer");
    assert_eq!(answer.status, status, "{plan:?}");
    if let Some(content) = content {
        assert_eq!(answer.body.len(), content.len(), "{plan:?}");
        assert!(answer.body == content);
    }
    assert_eq!(answer.trailers, []);
    assert_fields(plan, &answer.fields, by_route || faulty);

    let until_close = streams && plan.length.is_none() && plan.version == "1.0";
    let keeps = match plan.connection {
        "close" => false,
        "keep-alive" => true,
        _ => plan.version == "1.1",
    };
    let keeps = keeps && !(until_close && status != 204 && status != 304);
    let says = answer.field("connection").map(<[u8]>::to_ascii_lowercase);
    let expected = match (keeps, plan.version) {
        (true, "1.1") => None,
        (true, _) => Some(b"keep-alive".to_vec()),
        (false, _) => Some(b"close".to_vec()),
    };
    assert_eq!(says, expected, "{plan:?}");
    if has_content && streams && plan.length.is_none() {
        let chunked = plan.version == "1.1";
        let framing = if chunked {
            Framing::Chunked
        } else {
            Framing::UntilClose
        };
        assert_eq!(answer.framing, framing);
    } else if has_content {
        assert_eq!(answer.framing, Framing::Length);
    }
    if keeps {
        let (marker, rest) = take_final(rest, false).expect("the next answer");
        assert_eq!((marker.status, &marker.body[..]), (299, &b"marker"[..]));
        assert!(rest.is_empty());
    } else {
        assert!(rest.is_empty(), "{}", rest.escape_ascii());
    }
}

/// Those of the plan in their order, and besides them only those that frame.
fn assert_fields(plan: &Plan, got: &[(String, Vec<u8>)], is_ours: bool) {
    let frames = ["connection", "content-length", "transfer-encoding"];
    let is_frame = |name: &str| frames.iter().any(|it| it.eq_ignore_ascii_case(name));
    let mut rest = got.iter().filter(|(name, _)| !is_frame(name));
    if !is_ours {
        for (name, value) in &plan.fields {
            // Blanks around a value are nothing to a client.
            let blanks = |byte: &u8| *byte == b' ' || *byte == b'\t';
            let begin = value.iter().position(|byte| !blanks(byte));
            let end = value.iter().rposition(|byte| !blanks(byte));
            let value = begin
                .zip(end)
                .map_or(&[][..], |(begin, end)| &value[begin..=end]);
            assert_eq!(rest.next(), Some(&(name.clone(), value.to_vec())));
        }
    }
    for (name, value) in rest {
        assert_eq!(name, "Content-Type", "nobody has put it there");
        assert!(value.starts_with(b"text/plain"));
        assert!(is_ours || plan.how == 4);
    }
}

/// Of content that breaks its promise at most the beginning arrives, and then the connection breaks.
fn check_broken(got: &[u8], status: u16, content: &[u8]) {
    let Some(end) = got.windows(4).position(|four| four == b"\r\n\r\n") else {
        assert!(got.is_empty());
        return;
    };
    let head = String::from_utf8_lossy(&got[..end]).to_lowercase();
    assert!(head.starts_with(&format!("http/1.1 {status} ")), "{head}");
    let body = &got[end + 4..];
    let length = head
        .split("\r\n")
        .find_map(|line| line.strip_prefix("content-length: "));
    match length {
        Some(length) => {
            let length: usize = length.parse().expect("a length");
            assert!(body.len() < length && content.starts_with(body), "{head}");
        }
        None if head.contains("transfer-encoding: chunked") => {
            assert!(!body.ends_with(b"\r\n0\r\n\r\n") && body != b"0\r\n\r\n");
        }
        // Nobody can tell, and so the end is a reset or nothing: HTTP/1.0 has no other means.
        None => assert!(content.starts_with(body)),
    }
}
