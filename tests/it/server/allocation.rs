//! A keep-alive request allocates nothing, on its whole way from the kernel and back.

use std::io::{Read, Write};
use std::net::TcpStream;

use edgeloop::server::Attachment;
use edgeloop::{Handler, Limits, Reply, Request, ResponseWriter, field_name};

use super::hand::Hand;
use crate::alloc::allocations;

fn plaintext(req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
    let res = res
        .status(200)
        .field(field_name!("Content-Type"), "text/plain");
    match req.method() {
        "POST" => res.body(req.body()),
        _ => res
            .field_fmt(
                field_name!("X-Length"),
                format_args!("{}", req.path().len()),
            )
            .body("Hello, World!"),
    }
}

fn rounds(batch: &[u8], answers: usize) -> u64 {
    rounds_of(plaintext, batch, answers)
}

/// Sends a batch of requests again and again, and turns the loop until all are answered. How many allocations the last
/// thousand rounds took, once everything has grown to its size.
fn rounds_of(handler: impl Handler, batch: &[u8], answers: usize) -> u64 {
    rounds_until(handler, batch, |received| {
        count_answers(received) == answers
    })
}

/// The same with whatever tells that all answers to the first batch are there.
fn rounds_until(handler: impl Handler, batch: &[u8], is_whole: impl Fn(&[u8]) -> bool) -> u64 {
    let mut hand = Hand::new(Limits::default(), handler, ());
    let mut stream: TcpStream = hand.client().stream;
    stream.set_nonblocking(true).expect("a socket");
    let mut received = vec![0; 64 << 10];
    let mut round = |length: Option<usize>| {
        stream.write_all(batch).expect("there is room");
        let mut at = 0;
        loop {
            hand.event_loop.turn(Some(super::ms(1))).expect("turns");
            while let Ok(count @ 1..) = stream.read(&mut received[at..]) {
                at += count;
            }
            let done = match length {
                Some(length) => at >= length,
                None => is_whole(&received[..at]),
            };
            if done {
                return at;
            }
        }
    };
    let length = round(None);
    (0..100).for_each(|_| _ = round(Some(length)));
    allocations(|| (0..1000).for_each(|_| _ = round(Some(length))))
}

/// Whole answers, which all end alike.
fn count_answers(received: &[u8]) -> usize {
    received
        .windows(13)
        .filter(|bytes| bytes == b"Hello, World!")
        .count()
}

#[test]
fn a_request_allocates_nothing() {
    let get =
        b"GET /plaintext HTTP/1.1\r\nHost: localhost:8080\r\nAccept: */*\r\nUser-Agent: it\r\n\r\n";
    assert_eq!(rounds(get, 1), 0);
}

#[test]
fn sixteen_pipelined_requests_allocate_nothing() {
    let get = b"GET /plaintext HTTP/1.1\r\nHost: localhost:8080\r\n\r\n";
    assert_eq!(rounds(&get.repeat(16), 16), 0);
}

#[test]
fn a_request_with_a_small_body_allocates_nothing() {
    let post =
        b"POST /echo HTTP/1.1\r\nHost: localhost:8080\r\nContent-Length: 13\r\n\r\nHello, World!";
    assert_eq!(rounds(post, 1), 0);
    assert_eq!(rounds(&post.repeat(16), 16), 0);
}

#[test]
fn a_request_that_comes_in_pieces_allocates_nothing() {
    let mut hand = Hand::new(Limits::default(), plaintext, ());
    let mut stream: TcpStream = hand.client().stream;
    stream.set_nonblocking(true).expect("a socket");
    let post =
        b"POST /echo HTTP/1.1\r\nHost: localhost:8080\r\nContent-Length: 13\r\n\r\nHello, World!";
    let chunked = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nd\r\nHello, World!\r\n0\r\n\r\n";
    let mut received = vec![0; 4096];
    let mut round = |request: &[u8], cut: usize| {
        for part in [&request[..cut], &request[cut..]] {
            stream.write_all(part).expect("there is room");
            hand.event_loop.turn(Some(super::ms(1))).expect("turns");
        }
        let mut at = 0;
        while count_answers(&received[..at]) == 0 {
            hand.event_loop.turn(Some(super::ms(1))).expect("turns");
            while let Ok(count @ 1..) = stream.read(&mut received[at..]) {
                at += count;
            }
        }
    };
    let mut all_cuts = || {
        (1..post.len()).for_each(|cut| round(post, cut));
        (1..chunked.len()).for_each(|cut| round(chunked, cut));
    };
    all_cuts();
    assert_eq!(allocations(all_cuts), 0);
}

/// Allocations for a request for one file, of these bytes, that is served in this way.
#[cfg(feature = "web")]
fn allocations_for_a_file(
    content: &[u8],
    set: impl FnOnce(edgeloop::web::Files) -> edgeloop::web::Files,
    lines: &str,
) -> u64 {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("edgeloop-it-{}-file-{number}", std::process::id());
    let root = std::env::temp_dir().join(name);
    std::fs::create_dir(&root).expect("a place for it");
    std::fs::write(root.join("file.txt"), content).expect("room for it");
    let files = set(edgeloop::web::Files::new(&root).expect("a directory"));
    let get = format!("GET /file.txt HTTP/1.1\r\nHost: localhost:8080\r\n{lines}\r\n");
    // What is small comes with its head.
    let is_whole = |received: &[u8]| received.windows(4).any(|it| it == b"\r\n\r\n");
    let asked = rounds_until(files, get.as_bytes(), is_whole);
    std::fs::remove_dir_all(&root).expect("it is ours");
    asked
}

#[cfg(feature = "web")]
#[test]
fn a_small_file_allocates_nothing() {
    assert_eq!(allocations_for_a_file(&[b'x'; 1024], |files| files, ""), 0);
}

/// What is not sent is not read ahead.
#[cfg(feature = "web")]
#[test]
fn a_large_file_that_the_client_has_allocates_nothing() {
    use edgeloop::server::pool::{Pool, PoolLimits};
    let set = |files: edgeloop::web::Files| files.with_pool(Pool::new(PoolLimits::default()));
    let asked = allocations_for_a_file(&vec![b'x'; 1 << 20], set, "If-None-Match: *\r\n");
    assert_eq!(asked, 0);
}

/// It is compressed once.
#[cfg(feature = "compress")]
#[test]
fn a_file_that_is_remembered_is_compressed_once() {
    let lines = "Accept-Encoding: gzip\r\n";
    let set = |files: edgeloop::web::Files| files.with_compression();
    assert_eq!(allocations_for_a_file(&[b'x'; 2048], set, lines), 0);
}

#[test]
fn what_is_added_to_an_answer_allocates_nothing() {
    let get = b"GET /plaintext HTTP/1.1\r\nHost: localhost:8080\r\n\r\n";
    let handler = |req: &Request<'_>, res: ResponseWriter<'_>| {
        let number = 7_u32;
        let attachment = Attachment::new(req, &number);
        let req = req.attach(&attachment);
        let res = res.with_field(field_name!("X-Path"), req.path());
        let res = res.with_default(field_name!("X-Default"), "some");
        plaintext(&req, res)
    };
    assert_eq!(rounds_of(handler, get, 1), 0);
}

/// Among 500 routes, with what every site has in front of its handlers.
#[cfg(feature = "web")]
#[test]
fn a_routed_request_with_two_parameters_allocates_nothing() {
    use edgeloop::web::{
        BasicAuth, BodyLimit, Cors, CorsRules, CrossOrigin, Deadline, RequestId, Routes,
        SecurityHeaders,
    };
    let origins = edgeloop::web::Origins::These(vec!["https://a.example".to_owned()]);
    let rules = CorsRules {
        origins,
        ..CorsRules::default()
    };
    let mut routes = Routes::new()
        .layer(RequestId::new())
        .layer(SecurityHeaders::new())
        .layer(Cors::new(rules).expect("sound"))
        .layer(CrossOrigin::new())
        .layer(BodyLimit(100))
        .layer(Deadline(super::ms(60_000)))
        .layer(BasicAuth::new("a", [("ada", "countess")]).expect("sound"))
        .layer_fn(|req, res, next| next.run(req, res));
    for number in 0..500 {
        let pattern = format!("/section{number}/{{user}}/items/{{item}}");
        let answer = |req: &Request<'_>, res: ResponseWriter<'_>| {
            let value = |name| req.path_value(name).unwrap_or_default();
            res.status(200)
                .field(field_name!("X-User"), value("user"))
                .field(field_name!("X-Item"), value("item"))
                .body("Hello, World!")
        };
        routes = routes.get(pattern.clone(), answer).post(pattern, answer);
    }
    let fields =
        "Host: a.example\r\nAuthorization: Basic YWRhOmNvdW50ZXNz\r\nOrigin: https://a.example";
    let path = "/section250/ada/items/a%20b HTTP/1.1";
    let get = format!("GET {path}\r\n{fields}\r\n\r\n");
    let post = format!("POST {path}\r\n{fields}\r\nContent-Length: 4\r\n\r\nbody");
    let both = [get, post].concat();
    let asked = rounds_of(routes.build().expect("sound"), both.as_bytes(), 2);
    assert_eq!(asked, 0);
}
