//! Content in all its forms: copied, constant, shared, made on the way, and from files.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;

use edgeloop::http::Length;
use edgeloop::server::{BodyWriter, CloseReason, Pull, Source};
use edgeloop::sys::{Fd, file};
use edgeloop::{Limits, Reply, Request, ResponseWriter};

use super::client::{Client, End};
use super::patient;
use super::running::{Running, serve};

/// `left` bytes of a pattern, in pieces of `piece`; then an end, or none.
struct Pattern {
    at: usize,
    left: usize,
    piece: usize,
    last: Pull,
}

impl Source for Pattern {
    fn pull(&mut self, body: &mut BodyWriter<'_>) -> Pull {
        let piece = self.piece.min(self.left).min(body.room().max(1));
        body.write(&pattern(self.at, piece));
        self.at += piece;
        self.left -= piece;
        if self.left == 0 {
            self.last
        } else {
            Pull::More
        }
    }
}

fn pattern(from: usize, length: usize) -> Vec<u8> {
    (from..from + length).map(|at| (at % 251) as u8).collect()
}

const CONSTANT: usize = 3 << 20;
static CONSTANT_BODY: [u8; CONSTANT] = [b'c'; CONSTANT];

fn content(req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
    let (length, piece) = (3_000_000, 10_000);
    let stream = |left, piece, last| Pattern {
        at: 0,
        left,
        piece,
        last,
    };
    let res = res.status(200);
    match req.path() {
        "/empty" => res.empty(),
        "/constant" => res.constant(&CONSTANT_BODY),
        "/shared" => res.shared(Arc::from(pattern(0, length))),
        "/known" => res.stream(
            Length::Known(length as u64),
            stream(length, piece, Pull::End),
        ),
        "/known-more" => res.stream(
            Length::Known(length as u64),
            stream(length, piece, Pull::More),
        ),
        "/unknown" => res.stream(Length::Unknown, stream(length, piece, Pull::End)),
        "/nothing" => res.stream(Length::Unknown, stream(0, piece, Pull::End)),
        "/short" => res.stream(Length::Known(1000), stream(500, 100, Pull::End)),
        "/failed" => res.stream(Length::Known(1000), stream(500, 100, Pull::Failed)),
        "/failed-unknown" => res.stream(Length::Unknown, stream(500, 100, Pull::Failed)),
        "/overrun" => res.stream(Length::Known(450), stream(500, 100, Pull::End)),
        _ => res.text("fine"),
    }
}

#[test]
fn content_of_every_kind_comes_whole_and_the_connection_is_kept() {
    let small_turns = Limits {
        send_budget: 10_000,
        turn_send_budget: 30_000,
        ..patient()
    };
    for limits in [patient(), small_turns] {
        let server = serve(limits, content);
        let mut client = server.client();
        let paths = [
            "/empty",
            "/constant",
            "/shared",
            "/known",
            "/known-more",
            "/unknown",
            "/nothing",
            "/text",
        ];
        for path in paths {
            client.ask(path);
        }
        for path in paths {
            let answer = client.answer();
            let expected = match path {
                "/empty" | "/nothing" => vec![],
                "/constant" => CONSTANT_BODY.to_vec(),
                "/text" => b"fine".to_vec(),
                _ => pattern(0, 3_000_000),
            };
            assert!(answer.body == expected, "{path}");
            let chunked = matches!(path, "/unknown" | "/nothing");
            assert_eq!(
                answer.field("transfer-encoding").is_some(),
                chunked,
                "{path}"
            );
            assert_eq!(answer.field("content-length").is_none(), chunked, "{path}");
        }
        for path in paths {
            client.send(format!("HEAD {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
            let answer = client.answer_of("HEAD");
            assert_eq!((answer.status, answer.closes()), (200, false), "{path}");
        }
        assert_eq!(client.get("/text").text(), "fine");
    }
}

#[test]
fn content_of_unknown_length_ends_with_the_connection_in_http_1_0() {
    let server = serve(patient(), content);
    let mut client = server.client();
    client.send("GET /unknown HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let answer = client.answer();
    assert!(answer.closes() && answer.body == pattern(0, 3_000_000));
    assert_eq!(answer.field("transfer-encoding"), None);
    let mut client = server.client();
    client.send("GET /known HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let answer = client.answer();
    assert!(!answer.closes() && answer.body == pattern(0, 3_000_000));
}

#[test]
fn content_that_cannot_be_had_breaks_the_connection_and_never_ends_it() {
    let server = serve(patient(), content);
    for path in ["/short", "/failed", "/failed-unknown", "/overrun"] {
        for version in ["1.1", "1.0"] {
            let mut client = server.client();
            client.send(format!("GET {path} HTTP/{version}\r\nHost: a\r\n\r\n"));
            let (bytes, end) = client.rest();
            assert_eq!(end, End::Reset, "{path} {version}");
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains("\r\n0\r\n\r\n"), "{path} {version}");
        }
    }
    assert_eq!(server.log.wait_closed(8), [CloseReason::Failed; 8]);
    assert_eq!(server.client().get("/text").text(), "fine");
}

/// Counts what is alive of it.
struct Endless(mpsc::Sender<()>);

impl Source for Endless {
    fn pull(&mut self, body: &mut BodyWriter<'_>) -> Pull {
        body.write(&[b'x'; 1000]);
        Pull::More
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        let _ = self.0.send(()); // the test may be over
    }
}

#[test]
fn a_source_is_dropped_when_its_client_has_gone() {
    let (to, from) = mpsc::channel();
    let server = serve(
        patient(),
        move |_: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
            res.status(200).stream(Length::Unknown, Endless(to.clone()))
        },
    );
    let mut client = server.client();
    client.ask("/");
    client.receive();
    client.reset();
    super::running::take(&from);
    assert_eq!(server.log.wait_closed(1), [CloseReason::Reset]);
    // One that is not to be sent at all is dropped at once.
    let mut client = server.client();
    client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.answer_of("HEAD").status, 200);
    super::running::take(&from);
}

/// A file of its own for a test, removed when it is over.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, content: &[u8]) -> Scratch {
        let name = format!("edgeloop-it-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let mut file = File::create(&path).expect("a place for it");
        file.write_all(content).expect("room for it");
        Scratch(path)
    }

    fn shrink(&self, length: u64) {
        let file = File::options().write(true).open(&self.0).expect("is there");
        file.set_len(length).expect("shrinks");
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0); // what is left is in a temporary place
    }
}

/// Serves one file: `/OFFSET/LENGTH` of it, whatever its size.
fn file_server(scratch: &Scratch) -> Running {
    let path = scratch.0.clone();
    serve(
        patient(),
        move |req: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
            let file = Fd::from(OwnedFd::from(File::open(&path).expect("is there")));
            let mut numbers = req.path()[1..].split('/').map(str::parse);
            let mut number = || numbers.next().expect("a number").expect("a number");
            let (offset, length) = (number(), number());
            res.status(200).file(file, offset, length)
        },
    )
}

fn get_part(client: &mut Client, offset: usize, length: usize) -> Vec<u8> {
    client.get(&format!("/{offset}/{length}")).body
}

#[test]
fn files_come_whole_and_in_parts() {
    const LENGTH: usize = 5_000_000;
    let scratch = Scratch::new("parts", &pattern(0, LENGTH));
    let root = file::open_root(&std::env::temp_dir()).expect("a directory");
    let name = scratch.0.file_name().expect("one");
    let opened = file::open_beneath(&root, name.as_encoded_bytes()).expect("is there");
    assert_eq!(
        file::metadata(&opened).expect("is open").length,
        LENGTH as u64
    );
    let server = file_server(&scratch);
    let mut client = server.client();
    for (offset, length) in [
        (0, LENGTH),
        (0, 0),
        (0, 1),
        (LENGTH, 0),
        (LENGTH - 1, 1),
        (7, 32 << 10),
        (7, (32 << 10) + 1),
        (1_000_000, 3_000_000),
    ] {
        let body = get_part(&mut client, offset, length);
        assert!(body == pattern(offset, length), "{offset} {length}");
    }
    client.send(format!("HEAD /0/{LENGTH} HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_eq!(client.answer_of("HEAD").status, 200);
    assert_eq!(get_part(&mut client, 0, 10), pattern(0, 10));
}

#[test]
fn a_file_that_has_shrunk_is_500_if_it_is_small_and_breaks_the_connection_if_it_is_large() {
    const LENGTH: usize = 100_000;
    let scratch = Scratch::new("shrinks", &pattern(0, LENGTH));
    let server = file_server(&scratch);
    for (there, asked) in [(100, 200), (0, 200)] {
        scratch.shrink(there);
        let mut client = server.client();
        client.ask(&format!("/0/{asked}"));
        assert_eq!(client.answer().status, 500, "{there} of {asked}");
        assert_eq!(client.rest(), (Vec::new(), End::Finished));
    }
    for (there, asked) in [(50_000, 100_000), (0, 100_000)] {
        scratch.shrink(there);
        let mut client = server.client();
        client.ask(&format!("/0/{asked}"));
        let (_, end) = client.rest();
        assert_eq!(end, End::Reset, "{there} of {asked}");
    }
    let closed = server.log.wait_closed(4);
    assert_eq!(closed[2..], [CloseReason::Failed; 2]);
}

#[test]
fn a_file_that_shrinks_while_it_is_sent_breaks_the_connection() {
    const LENGTH: usize = 64 << 20;
    let scratch = Scratch::new("shrinking", &[]);
    scratch.shrink(LENGTH as u64); // it grows, without taking a place
    let server = file_server(&scratch);
    let mut client = server.client();
    client.ask(&format!("/0/{LENGTH}"));
    client.receive();
    scratch.shrink(1000);
    let (bytes, end) = client.rest();
    assert_eq!(end, End::Reset);
    assert!(bytes.len() < LENGTH);
    assert_eq!(server.log.wait_closed(1), [CloseReason::Failed]);
}
