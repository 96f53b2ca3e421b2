//! What a client will do, what it will get for it, and how its connection ends.

use core::time::Duration;
use std::collections::VecDeque;

use edgeloop::server::CloseReason;
use edgeloop::sys::sim::Random;

use super::app::{self, BODY_MAX, FILES, SHRINKS};

/// What a client does, one after the other.
#[derive(Debug)]
pub(super) enum Act {
    Send(Vec<u8>),
    Pause(Duration),
    /// Waits until so many answers have come in all.
    Answers(usize),
    /// Waits for `100 Continue`, or for an answer in its place.
    Continue,
    Reading(Reading),
    Finish,
    Reset,
    /// Waits for the server's end.
    End,
}

/// How a client reads.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reading {
    Promptly,
    /// So many bytes in so much time.
    Slowly(usize, Duration),
    Never,
}

/// What a request gets.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) what: String,
    pub(super) head_only: bool,
    pub(super) status: u16,
    pub(super) body: Body,
    /// It takes a file, or mail: when calls fail, it may get an error instead.
    pub(super) takes: Takes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    Nothing,
    File,
    Mail,
}

#[derive(Debug)]
pub(super) enum Body {
    Exact(Vec<u8>),
    Content(&'static [u8]),
    /// Some of it, and then the connection breaks; or 500.
    Breaks(&'static [u8]),
    /// Whatever says what is wrong.
    Any,
}

/// How it has to end, unless a fault or a lack of room hits it.
#[derive(Debug)]
pub(super) struct Verdict {
    /// Every answer comes, whole.
    pub(super) all: bool,
    pub(super) reasons: &'static [CloseReason],
    /// When the server ends it, if time does.
    pub(super) after: Option<(Since, Duration)>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Since {
    Accepted,
    FirstByte,
    /// Only a lower bound: what comes later depends on the pace.
    LastByteAtLeast,
    LastAnswer,
}

#[derive(Debug)]
pub(super) struct Plot {
    pub(super) name: &'static str,
    pub(super) acts: VecDeque<Act>,
    pub(super) expected: Vec<Expected>,
    pub(super) verdict: Verdict,
}

use CloseReason as Why;

pub(super) const ORDERLY: &[Why] = &[Why::PeerFinished];
pub(super) const ASKED: &[Why] = &[Why::PeerAsked, Why::WeAsked];
pub(super) const ANY_END_BY_CLIENT: &[Why] = &[
    Why::PeerFinished,
    Why::Reset,
    Why::PeerAsked,
    Why::WeAsked,
    Why::Failed,
];
const HEAD_TIME: Duration = Duration::from_secs(10);
const IDLE_TIME: Duration = Duration::from_secs(75);
const START: Duration = Duration::from_secs(10);

impl Plot {
    pub(super) fn new(name: &'static str, reasons: &'static [Why]) -> Plot {
        Plot {
            name,
            acts: VecDeque::new(),
            expected: Vec::new(),
            verdict: Verdict {
                all: true,
                reasons,
                after: None,
            },
        }
    }

    pub(super) fn act(&mut self, act: Act) {
        self.acts.push_back(act);
    }

    /// Comes when everything is well.
    pub(super) fn fresh() -> Plot {
        let mut plot = Plot::new("fresh", ORDERLY);
        plot.get("/text/1", Body::Exact(b"1".to_vec()), Takes::Nothing);
        all_answers(&mut plot);
        plot
    }

    /// Sends a request for something.
    pub(super) fn get(&mut self, path: &str, body: Body, takes: Takes) {
        let bytes = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        self.act(Act::Send(bytes.into_bytes()));
        self.expected.push(Expected {
            what: format!("GET {path}"),
            head_only: false,
            status: 200,
            body,
            takes,
        });
    }

    /// One of all there are.
    pub(super) fn any(random: &mut Random, next_id: &mut u32) -> Plot {
        match random.below(30) {
            0 => silent(),
            1 => slow_head(random),
            2 => idle(random, next_id),
            3 => stalled_body(random, next_id),
            4 => never_reads(random, next_id),
            5 | 6 => reads_slowly(random, next_id),
            7 => garbage(random),
            8 | 9 => expects(random, next_id),
            10 => waits_for_ever(random, next_id),
            11 => breaks(random, next_id),
            12..=14 => resets(random, next_id),
            15 => leaves_early(random, next_id),
            16 => floods(random, next_id),
            17 => unfinished(random, next_id),
            18 => closing_handlers(random, next_id),
            _ => good(random, next_id),
        }
    }
}

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Sends bytes whole or in pieces, some of them after a pause.
fn send(plot: &mut Plot, random: &mut Random, bytes: &[u8]) {
    let mut rest = bytes;
    let whole = random.below(2) == 0;
    while !rest.is_empty() {
        let most = if random.below(3) == 0 { 3 } else { 200 };
        let piece = if whole {
            rest.len()
        } else {
            rest.len().min(1 + random.index(most))
        };
        plot.act(Act::Send(rest[..piece].to_vec()));
        rest = &rest[piece..];
        if random.below(4) == 0 {
            plot.act(Act::Pause(Duration::from_micros(random.below(20_000))));
        }
    }
}

fn take_id(next_id: &mut u32) -> u32 {
    *next_id += 1;
    *next_id
}

/// A request and what it gets. The `end` is put at the end of its head.
fn request(random: &mut Random, next_id: &mut u32, end: &str) -> (Vec<u8>, Expected) {
    let id = take_id(next_id);
    let long: usize = [0, 1, 100, 5_000, 40_000, 150_000, 400_000][random.index(7)];
    let (mut status, mut takes) = (200, Takes::Nothing);
    let (path, body) = match random.below(24) {
        0..=5 => (format!("/text/{id}"), Body::Exact(id.to_string().into())),
        6..=8 => return post(random, id, end),
        9 => (
            body_path("body", id, long),
            Body::Content(app::content(id, long)),
        ),
        10 => (
            body_path("constant", id, long),
            Body::Content(app::content(id, long)),
        ),
        11 => (
            body_path("shared", id, long),
            Body::Content(app::content(id, long)),
        ),
        12 => (
            body_path("sized", id, long),
            Body::Content(app::content(id, long)),
        ),
        13 => (
            body_path("stream", id, long),
            Body::Content(app::content(id, long)),
        ),
        14..=16 => {
            takes = Takes::File;
            let (name, length) = FILES[random.index(FILES.len())];
            let kind = if random.below(2) == 0 { "file" } else { "www" };
            (
                format!("/{kind}/{id}/{name}"),
                Body::Content(app::content(0, length)),
            )
        }
        17 => {
            (takes, status) = (Takes::File, 404);
            (format!("/www/{id}/missing"), Body::Any)
        }
        18 | 19 => {
            takes = Takes::Mail;
            let micros = random.below(30_000);
            (
                format!("/later/{id}/{micros}"),
                Body::Exact(id.to_string().into()),
            )
        }
        20 => {
            takes = Takes::Mail;
            (
                body_path("then", id, long),
                Body::Content(app::content(id, long)),
            )
        }
        21 => {
            (takes, status) = (Takes::Mail, 500);
            (format!("/dropped/{id}"), Body::Any)
        }
        22 => {
            status = 404;
            (format!("/none/{id}"), Body::Any)
        }
        _ => {
            status = 500;
            (format!("/bad/{id}"), Body::Any)
        }
    };
    let head_only = random.below(8) == 0;
    let method = if head_only { "HEAD" } else { "GET" };
    let bytes = format!("{method} {path} HTTP/1.1\r\nHost: a\r\n{end}\r\n").into_bytes();
    let expected = Expected {
        what: format!("{method} {path}"),
        head_only,
        status,
        body,
        takes,
    };
    (bytes, expected)
}

/// A request whose answer ends with the connection.
fn old_request(random: &mut Random, next_id: &mut u32) -> (Vec<u8>, Expected) {
    let id = take_id(next_id);
    let length = random.index(200_000);
    let path = body_path("stream", id, length);
    let expected = Expected {
        what: format!("GET {path}, the old way"),
        head_only: false,
        status: 200,
        body: Body::Content(app::content(id, length)),
        takes: Takes::Nothing,
    };
    (
        format!("GET {path} HTTP/1.0\r\n\r\n").into_bytes(),
        expected,
    )
}

fn body_path(kind: &str, id: u32, length: usize) -> String {
    format!("/{kind}/{id}/{length}")
}

/// A request with a body, of a known length or in chunks.
fn post(random: &mut Random, id: u32, end: &str) -> (Vec<u8>, Expected) {
    let length = random.index(BODY_MAX + 1);
    let body = app::content(id, length);
    let mut bytes = format!("POST /echo/{id} HTTP/1.1\r\nHost: a\r\n{end}").into_bytes();
    if random.below(2) == 0 {
        bytes.extend(format!("Content-Length: {length}\r\n\r\n").bytes());
        bytes.extend(body);
    } else {
        bytes.extend(b"Transfer-Encoding: chunked\r\n\r\n");
        bytes.extend(chunked(random, body));
    }
    let expected = Expected {
        what: format!("POST /echo/{id}, {length} bytes"),
        head_only: false,
        status: 200,
        body: Body::Content(body),
        takes: Takes::Nothing,
    };
    (bytes, expected)
}

fn chunked(random: &mut Random, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        let size = rest.len().min(1 + random.index(700));
        let extension = if random.below(4) == 0 { ";a=b" } else { "" };
        bytes.extend(format!("{size:x}{extension}\r\n").bytes());
        bytes.extend(&rest[..size]);
        bytes.extend(b"\r\n");
        rest = &rest[size..];
    }
    let trailer = if random.below(4) == 0 {
        "X-Sum: 1\r\n"
    } else {
        ""
    };
    bytes.extend(format!("0\r\n{trailer}\r\n").bytes());
    bytes
}

/// Some requests, of which several may be under way.
fn requests(plot: &mut Plot, random: &mut Random, next_id: &mut u32, count: u64) {
    let depth = 1 + random.index(6);
    for _ in 0..count {
        let (bytes, expected) = request(random, next_id, "");
        send(plot, random, &bytes);
        plot.expected.push(expected);
        if let Some(before) = plot.expected.len().checked_sub(depth) {
            plot.act(Act::Answers(before));
        }
    }
}

pub(super) fn all_answers(plot: &mut Plot) {
    let count = plot.expected.len();
    plot.act(Act::Answers(count));
}

/// Does everything right, and ends in one of the right ways.
fn good(random: &mut Random, next_id: &mut u32) -> Plot {
    let mut plot = Plot::new("good", ORDERLY);
    let count = random.between(1, 8);
    requests(&mut plot, random, next_id, count);
    match random.below(5) {
        // Asks for the end.
        0 | 1 => {
            let (bytes, expected) = if random.below(3) == 0 {
                old_request(random, next_id)
            } else {
                request(random, next_id, "Connection: close\r\n")
            };
            send(&mut plot, random, &bytes);
            plot.expected.push(expected);
            plot.verdict.reasons = ASKED;
            plot.act(Act::End);
        }
        // Finishes when it has its answers, or while they are under way.
        2 => {
            all_answers(&mut plot);
            plot.act(Act::Finish);
            plot.act(Act::End);
        }
        3 => {
            plot.act(Act::Finish);
            plot.act(Act::End);
        }
        // Closes when it has its answers.
        _ => all_answers(&mut plot),
    }
    plot
}

/// Is not heard of again.
fn resets(random: &mut Random, next_id: &mut u32) -> Plot {
    let mut plot = Plot::new("resets", ANY_END_BY_CLIENT);
    let count = random.between(1, 4);
    requests(&mut plot, random, next_id, count);
    let keep = random.index(plot.acts.len() + 1);
    plot.acts.truncate(keep);
    plot.act(Act::Pause(Duration::from_micros(random.below(5_000))));
    plot.act(Act::Reset);
    plot.verdict.all = false;
    plot
}

/// Closes while answers are under way, which makes the rest of them a reset.
fn leaves_early(random: &mut Random, next_id: &mut u32) -> Plot {
    let mut plot = Plot::new("leaves early", ANY_END_BY_CLIENT);
    let count = random.between(1, 5);
    requests(&mut plot, random, next_id, count);
    let keep = random.index(plot.acts.len() + 1);
    plot.acts.truncate(keep);
    plot.verdict.all = false;
    plot
}

pub(super) fn silent() -> Plot {
    let mut plot = Plot::new("silent", &[Why::Idle]);
    plot.act(Act::End);
    plot.verdict.after = Some((Since::Accepted, HEAD_TIME));
    plot
}

/// A head that drips and never ends.
fn slow_head(random: &mut Random) -> Plot {
    let mut plot = Plot::new("slow head", &[Why::WeAsked]);
    plot.act(Act::Pause(millis(random.below(9_000))));
    plot.act(Act::Send(
        b"GET /text/0 HTTP/1.1\r\nHost: a\r\nX: ".to_vec(),
    ));
    for _ in 0..random.below(15) {
        plot.act(Act::Pause(millis(500)));
        plot.act(Act::Send(b"x".to_vec()));
    }
    plot.expected.push(refused("a slow head", 408));
    plot.act(Act::End);
    plot.verdict.after = Some((Since::FirstByte, HEAD_TIME));
    plot
}

pub(super) fn refused(what: &str, status: u16) -> Expected {
    Expected {
        what: what.to_owned(),
        head_only: false,
        status,
        body: Body::Any,
        takes: Takes::Nothing,
    }
}

/// Is served and then says nothing more.
fn idle(random: &mut Random, next_id: &mut u32) -> Plot {
    let mut plot = Plot::new("idle", &[Why::Idle]);
    let count = random.between(1, 2);
    requests(&mut plot, random, next_id, count);
    plot.act(Act::End);
    plot.verdict.after = Some((Since::LastAnswer, IDLE_TIME));
    plot
}

/// A body of which only the beginning comes.
fn stalled_body(random: &mut Random, next_id: &mut u32) -> Plot {
    let mut plot = Plot::new("stalled body", &[Why::WeAsked]);
    let id = take_id(next_id);
    let head = format!("POST /echo/{id} HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
    plot.act(Act::Send(head.into_bytes()));
    for _ in 0..random.below(4) {
        plot.act(Act::Send(b"some".to_vec()));
        plot.act(Act::Pause(millis(random.below(900))));
    }
    plot.expected.push(refused("a stalled body", 408));
    plot.act(Act::End);
    plot.verdict.after = Some((Since::LastByteAtLeast, START.saturating_sub(millis(3_600))));
    plot
}

/// Asks for much and reads nothing of it.
fn never_reads(random: &mut Random, next_id: &mut u32) -> Plot {
    let mut plot = Plot::new("never reads", &[Why::ReaderTooSlow]);
    plot.act(Act::Reading(Reading::Never));
    let kind = ["shared", "constant", "stream", "sized", "body"][random.index(5)];
    // More than all buffers on the way hold.
    for _ in 0..random.between(4, 12) {
        let id = take_id(next_id);
        let path = body_path(kind, id, 500_000);
        plot.act(Act::Send(
            format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes(),
        ));
        plot.expected.push(Expected {
            what: path,
            head_only: false,
            status: 200,
            body: Body::Content(app::content(id, 500_000)),
            takes: Takes::Nothing,
        });
    }
    plot.act(Act::End);
    plot.verdict.all = false;
    plot.verdict.after = Some((Since::LastByteAtLeast, START));
    plot
}

/// Reads slowly, but faster than it has to.
fn reads_slowly(random: &mut Random, next_id: &mut u32) -> Plot {
    let mut plot = Plot::new("reads slowly", ORDERLY);
    let bytes = random.between(20_000, 60_000) as usize;
    plot.act(Act::Reading(Reading::Slowly(
        bytes,
        millis(random.between(1, 20)),
    )));
    let count = random.between(1, 4);
    requests(&mut plot, random, next_id, count);
    all_answers(&mut plot);
    plot.act(Act::Finish);
    plot.act(Act::End);
    plot
}

/// Bytes that are no request.
fn garbage(random: &mut Random) -> Plot {
    let mut plot = Plot::new("garbage", &[Why::WeAsked, Why::PeerFinished]);
    let first: &[u8] = [
        &b"\x16\x03\x01\x02\x00\x01\x00"[..],
        b"GET  / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"\0\0\0\0\0\0\0\0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    ][random.index(6)];
    let mut bytes = first.to_vec();
    bytes.extend((0..random.index(3000)).map(|_| random.next() as u8));
    bytes.extend(b" \r\n\r\n");
    send(&mut plot, random, &bytes);
    plot.expected.push(refused("garbage", 400));
    plot.act(Act::End);
    plot
}

/// Holds its body back until it is asked for.
fn expects(random: &mut Random, next_id: &mut u32) -> Plot {
    let mut plot = Plot::new("expects", ORDERLY);
    for _ in 0..random.between(1, 3) {
        let id = take_id(next_id);
        let (bytes, expected) = post(random, id, "Expect: 100-continue\r\n");
        let head = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let (head, body) = bytes.split_at(head.expect("a head") + 4);
        send(&mut plot, random, head);
        if !body.is_empty() {
            plot.act(Act::Continue);
        }
        send(&mut plot, random, body);
        plot.expected.push(expected);
        all_answers(&mut plot);
    }
    plot
}

/// Its answer never comes, or too late for it.
fn waits_for_ever(random: &mut Random, next_id: &mut u32) -> Plot {
    let mut plot = Plot::new("waits for ever", ORDERLY);
    let id = take_id(next_id);
    let path = if random.below(2) == 0 {
        format!("/never/{id}")
    } else {
        // While the next exchange of the same connection waits as well.
        format!(
            "/later/{id}/{}",
            60_000_000 + random.between(200_000, 900_000)
        )
    };
    plot.act(Act::Send(
        format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes(),
    ));
    plot.expected.push(Expected {
        takes: Takes::Mail,
        ..refused(&path, 503)
    });
    all_answers(&mut plot);
    let id = take_id(next_id);
    let path = format!("/later/{id}/2000000");
    plot.act(Act::Send(
        format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes(),
    ));
    plot.expected.push(Expected {
        what: path,
        head_only: false,
        status: 200,
        body: Body::Exact(id.to_string().into()),
        takes: Takes::Mail,
    });
    all_answers(&mut plot);
    plot
}

/// Content that can't be had to its end.
fn breaks(random: &mut Random, next_id: &mut u32) -> Plot {
    let mut plot = Plot::new("breaks", &[Why::Failed]);
    let count = random.below(3);
    requests(&mut plot, random, next_id, count);
    let id = take_id(next_id);
    let (path, content) = if random.below(2) == 0 {
        (body_path("fails", id, 90_000), app::content(id, 90_000))
    } else {
        // It may be whole, if it is sent before the file shrinks.
        plot.verdict.reasons = &[Why::Failed, Why::PeerFinished];
        let (name, length) = SHRINKS;
        (format!("/file/{id}/{name}"), app::content(0, length))
    };
    plot.act(Act::Send(
        format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes(),
    ));
    plot.expected.push(Expected {
        what: path,
        head_only: false,
        status: 200,
        body: Body::Breaks(content),
        takes: Takes::File,
    });
    all_answers(&mut plot);
    plot
}

/// Sends more requests at once than are answered at once.
fn floods(random: &mut Random, next_id: &mut u32) -> Plot {
    let mut plot = Plot::new("floods", ORDERLY);
    let mut bytes = Vec::new();
    for _ in 0..random.between(20, 400) {
        let id = take_id(next_id);
        bytes.extend(format!("GET /text/{id} HTTP/1.1\r\nHost: a\r\n\r\n").bytes());
        plot.expected.push(Expected {
            what: format!("GET /text/{id}, one of many"),
            head_only: false,
            status: 200,
            body: Body::Exact(id.to_string().into()),
            takes: Takes::Nothing,
        });
    }
    plot.act(Act::Send(bytes));
    if random.below(2) == 0 {
        plot.act(Act::Finish);
        plot.act(Act::End);
    } else {
        all_answers(&mut plot);
    }
    plot
}

/// Finishes inside a head or a body.
fn unfinished(random: &mut Random, next_id: &mut u32) -> Plot {
    let mut plot = Plot::new("unfinished", &[Why::WeAsked]);
    let count = random.below(3);
    requests(&mut plot, random, next_id, count);
    let id = take_id(next_id);
    let (bytes, _) = post(random, id, "");
    let end = 1 + random.index(bytes.len() - 1);
    send(&mut plot, random, &bytes[..end]);
    plot.expected.push(refused("an unfinished request", 400));
    plot.act(Act::Finish);
    plot.act(Act::End);
    plot
}

/// Handlers that end the connection, or refuse a body before it comes.
fn closing_handlers(random: &mut Random, next_id: &mut u32) -> Plot {
    let id = take_id(next_id);
    let mut plot = Plot::new("panics", &[Why::WeAsked]);
    if random.below(2) == 0 {
        plot.act(Act::Send(
            format!("GET /panics/{id} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes(),
        ));
        plot.expected.push(refused("a panic", 500));
        plot.act(Act::End);
        return plot;
    }
    plot = Plot::new("is refused", &[Why::PeerFinished, Why::BodyUnread]);
    let length = random.index(300_000);
    let head = format!("POST /refuse/{id} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
    plot.act(Act::Send(head.into_bytes()));
    plot.expected.push(Expected {
        body: Body::Exact(id.to_string().into()),
        ..refused("a refused body", 403)
    });
    plot.act(Act::Send(app::content(id, length).to_vec()));
    all_answers(&mut plot);
    plot.act(Act::Finish);
    plot.act(Act::End);
    plot
}
