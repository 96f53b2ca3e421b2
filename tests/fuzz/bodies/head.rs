//! A head: what is taken, and what is made of it.

use edgeloop::http::{self, Conn, Event, Limits, Slots, Version, reparse};

use super::choices::Choices;
use super::plain::{self, Stop};
use super::plain_fields::{self, Body};

/// The statuses that a head can get instead of an answer.
const REFUSALS: [u16; 6] = [400, 414, 417, 431, 501, 505];

/// Input: a byte for the limits, then what a client sends.
///
/// The plain reader takes the same heads, finds the same framing and refuses with the same status; httparse reads the
/// same method, target and fields; lines end in CRLF and have no CR or LF inside; the same bytes get the same verdict; and
/// nothing is held beyond its limit.
pub fn head(data: &[u8]) {
    let mut choices = Choices::new(data);
    let limits = choices.limits();
    let input = choices.rest();
    let expected = plain::head(&limits, input);
    let (used, said) = verdict(&limits, input, |used, head| {
        let expected = match &expected {
            Ok(expected) => expected,
            Err(stop) => panic!("taken, and plainly {stop:?}"),
        };
        assert!(used <= input.len());
        assert_eq!(used, expected.skipped + expected.length);
        let bytes = &input[expected.skipped..used];
        assert_eq!(head.bytes(), bytes);
        assert_same_lines(bytes);
        assert_agrees(head, expected);
        assert_agrees_with_httparse(bytes, head);
        let mut slots = Slots::new();
        let again = reparse(&limits, bytes, &mut slots).expect("it was sound before");
        assert_agrees(&again, expected);
    });
    match (said, expected.as_ref().map_err(|stop| *stop)) {
        (Said::Taken, Ok(_)) => {}
        (Said::Refused(status), Err(Stop::Fault(plainly))) => {
            assert!(REFUSALS.contains(&status), "{status}");
            assert_eq!(status, plainly);
        }
        // A doubtful beginning may be left until more comes: its end brings the verdict out.
        (Said::Nothing(end), Err(stop)) => match stop {
            Stop::Unfinished if input[used..].is_empty() => assert_eq!(end, None),
            Stop::Unfinished => assert_eq!(end, Some(400)),
            Stop::Fault(plainly) => assert_eq!(end, Some(plainly)),
        },
        (said, plainly) => panic!("{said:?}, and plainly {plainly:?}"),
    }
    assert_eq!(verdict(&limits, input, |_, _| {}), (used, said));
    assert_held_within(&limits, input);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Taken,
    Refused(u16),
    /// And what it gets when the client finishes there.
    Nothing(Option<u16>),
}

fn verdict(
    limits: &Limits,
    input: &[u8],
    taken: impl FnOnce(usize, &http::Head<'_>),
) -> (usize, Said) {
    let (mut conn, mut slots) = (Conn::new(), Slots::new());
    match conn.next(limits, input, &mut slots) {
        (used, Event::Request(head)) => {
            taken(used, &head);
            (used, Said::Taken)
        }
        (used, Event::Rejected(reject)) => (used, Said::Refused(reject.status())),
        (used, Event::NeedInput) => {
            let end = conn.finish_input(limits, &input[used..]);
            (used, Said::Nothing(end.map(http::Reject::status)))
        }
        (_, event) => panic!("{event:?} at the beginning"),
    }
}

/// However slowly it comes, what can't become a head is not held beyond the limit that it breaks.
fn assert_held_within(limits: &Limits, input: &[u8]) {
    let (mut conn, mut at) = (Conn::new(), 0);
    for end in 1..=input.len() {
        let mut slots = Slots::new();
        let (used, event) = conn.next(limits, &input[at..end], &mut slots);
        if !matches!(event, Event::NeedInput) {
            return;
        }
        at += used;
        let held = &input[at..end];
        assert!(held.len() < limits.head_bytes_max);
        assert!(held.len() < 64 || held[..64].contains(&b' '));
        if held.len() == 65 + limits.target_bytes_max {
            let plainly = plain::head(limits, held);
            assert_eq!(plainly.err(), Some(Stop::Unfinished));
        }
    }
}

fn assert_agrees(head: &http::Head<'_>, plainly: &plain::Head) {
    assert_eq!(head.method(), plainly.method);
    assert_eq!(head.target().as_str(), plainly.target);
    assert_eq!(head.version() == Version::Http11, plainly.minor == 1);
    let fields = plainly.fields.iter();
    let fields = fields.map(|(name, value)| (name.as_str(), value.as_slice()));
    assert!(head.fields().iter().eq(fields));
    let form = plain_fields::form(&plainly.method, &plainly.target).expect("it was taken");
    assert_eq!(head.path(), form.path);
    assert_eq!(head.query(), form.query);
    assert_eq!(head.target().authority(), form.authority);
    let host = form.authority.map_or_else(
        || head.field("HOST").unwrap_or_default(),
        |authority| authority.as_bytes(),
    );
    assert_eq!(head.host().as_bytes(), host);
    let framing = head.framing();
    let body = match framing.body {
        http::Body::None => Body::None,
        http::Body::Length(length) => Body::Length(length.get()),
        http::Body::Chunked => Body::Chunked,
    };
    assert_eq!(body, plainly.framing.body);
    let keeps_alive = framing.persist == http::Persist::KeepAlive;
    assert_eq!(keeps_alive, plainly.framing.keeps_alive);
    assert_eq!(framing.expects_continue, plainly.framing.expects_continue);
}

/// CR and LF come together and only at the ends of lines, of which the last is the only empty one.
fn assert_same_lines(bytes: &[u8]) {
    let lines = bytes.strip_suffix(b"\r\n\r\n").expect("an empty line");
    let text = String::from_utf8_lossy(lines);
    for line in text.split("\r\n") {
        assert!(!line.is_empty() && !line.contains(['\r', '\n', '\0']));
    }
}

fn assert_agrees_with_httparse(bytes: &[u8], head: &http::Head<'_>) {
    let mut bytes = bytes.to_vec();
    let line_end = bytes
        .iter()
        .position(|byte| *byte == b'\r')
        .expect("a line");
    // httparse knows no version after 1.1, as which they are read here.
    if bytes[line_end - 1] > b'1' {
        bytes[line_end - 1] = b'1';
    }
    let mut fields = [httparse::EMPTY_HEADER; 128];
    let mut request = httparse::Request::new(&mut fields);
    let whole = httparse::Status::Complete(bytes.len());
    assert_eq!(request.parse(&bytes), Ok(whole));
    assert_eq!(request.method, Some(head.method()));
    assert_eq!(request.path, Some(head.target().as_str()));
    let newer = head.version() == Version::Http11;
    assert_eq!(request.version, Some(u8::from(newer)));
    let theirs = request.headers.iter().map(|it| (it.name, it.value));
    assert!(theirs.eq(head.fields().iter()));
}
