//! Requests, and what they get.

use core::time::Duration;

use edgeloop::sys::sim::Random;

use super::app::{self, BODY_MAX, FILES};
use super::plot::{Act, Body, Expected, Plot, Takes};

const UNCHANGED_SINCE: &str = "If-Modified-Since: Thu, 01 Jan 2026 00:00:00 GMT";

pub(super) fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Sends bytes whole or in pieces, some of them after a pause.
pub(super) fn send(plot: &mut Plot, random: &mut Random, bytes: &[u8]) {
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

pub(super) fn take_id(next_id: &mut u32) -> u32 {
    *next_id += 1;
    *next_id
}

/// A request and what it gets. The `end` is put at the end of its head.
pub(super) fn request(random: &mut Random, next_id: &mut u32, end: &str) -> (Vec<u8>, Expected) {
    let id = take_id(next_id);
    let long: usize = [0, 1, 100, 5_000, 40_000, 150_000, 400_000][random.index(7)];
    let (mut status, mut takes) = (200, Takes::Nothing);
    let (path, body) = match random.below(30) {
        0..=5 => (format!("/text/{id}"), Body::Exact(id.to_string().into())),
        6..=7 => return post(random, id, end),
        8 => return post_to("back", random, id, end),
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
        13 if random.below(2) == 0 => {
            takes = Takes::Mail;
            (
                body_path("ticks", id, long),
                Body::Content(app::content(id, long)),
            )
        }
        13 => (
            body_path("stream", id, long),
            Body::Content(app::content(id, long)),
        ),
        14 => return conditional(random, id, end),
        15 | 16 => {
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
        22..=26 => return work(random, id, end),
        27 => {
            takes = Takes::Mail;
            let micros = random.below(30_000);
            (
                format!("/promise/{id}/{micros}"),
                Body::Exact(id.to_string().into()),
            )
        }
        28 => {
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

/// Something for a thread.
pub(super) fn work(random: &mut Random, id: u32, end: &str) -> (Vec<u8>, Expected) {
    let (kind, status) =
        [("pool", 200), ("lane", 200), ("steps", 200), ("works", 500)][random.index(4)];
    let body = match status {
        200 => Body::Exact(id.to_string().into()),
        _ => Body::Any,
    };
    let expected = Expected {
        what: format!("GET /{kind}/{id}"),
        head_only: false,
        status,
        body,
        takes: Takes::Thread,
    };
    let bytes = format!("GET /{kind}/{id} HTTP/1.1\r\nHost: a\r\n{end}\r\n");
    (bytes.into_bytes(), expected)
}

/// A part of a file, or a file that has not changed.
fn conditional(random: &mut Random, id: u32, end: &str) -> (Vec<u8>, Expected) {
    let (name, length) = FILES[1 + random.index(FILES.len() - 1)];
    let whole = app::content(0, length);
    let first = random.index(length);
    let (line, status, body) = match random.below(4) {
        // The very date that the world's files have.
        0 => (UNCHANGED_SINCE.to_owned(), 304, Body::Exact(Vec::new())),
        1 => {
            let last = first + random.index(length);
            let line = format!("Range: bytes={first}-{last}");
            (
                line,
                206,
                Body::Content(&whole[first..length.min(last + 1)]),
            )
        }
        2 => {
            let line = format!("Range: bytes=-{}", length - first);
            (line, 206, Body::Content(&whole[first..]))
        }
        _ => (format!("Range: bytes={length}-"), 416, Body::Any),
    };
    let bytes = format!("GET /www/{id}/{name} HTTP/1.1\r\nHost: a\r\n{line}\r\n{end}\r\n");
    let expected = Expected {
        what: format!("GET /www/{id}/{name}, {line}"),
        head_only: false,
        status,
        body,
        takes: Takes::File,
    };
    (bytes.into_bytes(), expected)
}

/// A request whose answer ends with the connection.
pub(super) fn old_request(random: &mut Random, next_id: &mut u32) -> (Vec<u8>, Expected) {
    let id = take_id(next_id);
    let length = random.index(200_000);
    let path = body_path("stream", id, length);
    // Its content has no other end, whatever the client would like.
    let keeps = ["", "Connection: keep-alive\r\n"][random.index(2)];
    let expected = Expected {
        what: format!("GET {path}, the old way"),
        head_only: false,
        status: 200,
        body: Body::Content(app::content(id, length)),
        takes: Takes::Nothing,
    };
    (
        format!("GET {path} HTTP/1.0\r\n{keeps}\r\n").into_bytes(),
        expected,
    )
}

pub(super) fn body_path(kind: &str, id: u32, length: usize) -> String {
    format!("/{kind}/{id}/{length}")
}

/// A request with a body, of a known length or in chunks.
pub(super) fn post(random: &mut Random, id: u32, end: &str) -> (Vec<u8>, Expected) {
    let kind = if random.below(3) == 0 { "slow" } else { "echo" };
    post_to(kind, random, id, end)
}

/// The body comes back, from who takes it in this way.
fn post_to(kind: &str, random: &mut Random, id: u32, end: &str) -> (Vec<u8>, Expected) {
    let length = random.index(BODY_MAX + 1);
    let body = app::content(id, length);
    let takes = if kind == "slow" {
        Takes::Mail
    } else {
        Takes::Nothing
    };
    let mut bytes = format!("POST /{kind}/{id} HTTP/1.1\r\nHost: a\r\n{end}").into_bytes();
    if random.below(2) == 0 {
        bytes.extend(format!("Content-Length: {length}\r\n\r\n").bytes());
        bytes.extend(body);
    } else {
        bytes.extend(b"Transfer-Encoding: chunked\r\n\r\n");
        bytes.extend(chunked(random, body));
    }
    let expected = Expected {
        what: format!("POST /{kind}/{id}, {length} bytes"),
        head_only: false,
        status: 200,
        body: Body::Content(body),
        takes,
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
pub(super) fn requests(plot: &mut Plot, random: &mut Random, next_id: &mut u32, count: u64) {
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

/// What a request that is not one gets.
pub(super) fn refused(what: &str, status: u16) -> Expected {
    Expected {
        what: what.to_owned(),
        head_only: false,
        status,
        body: Body::Any,
        takes: Takes::Nothing,
    }
}
