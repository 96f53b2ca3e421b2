//! Requests and answers as RFC 9112 has them, over a socket.

use std::time::{SystemTime, UNIX_EPOCH};

use edgeloop::server::CloseReason;
use edgeloop::{Limits, Server};

use super::client::End;
use super::patient;
use super::running::{mirror, run, serve};

#[test]
fn a_connection_is_kept_and_pipelined_requests_are_answered_in_order() {
    let server = serve(patient(), mirror);
    let mut client = server.client();
    let request = |number| match number % 3 {
        0 => format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n"),
        1 => format!("POST /{number} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"),
        _ => format!(
            "PUT /{number} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1\r\ni\r\n0\r\n\r\n"
        ),
    };
    let batch: Vec<_> = (0..600).map(request).collect();
    client.send(batch.concat());
    for number in 0..600 {
        let answer = client.answer();
        let expected = match number % 3 {
            0 => format!("GET /{number} "),
            1 => format!("POST /{number} hi"),
            _ => format!("PUT /{number} hi"),
        };
        assert_eq!((answer.status, answer.text()), (200, expected.as_str()));
        assert_eq!(answer.field("connection"), None);
    }
    assert_eq!(server.log.accepted(), 1);
}

#[test]
fn requests_that_come_byte_by_byte_are_answered_the_same() {
    let server = serve(patient(), mirror);
    let mut client = server.client();
    let bytes = "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n";
    for byte in bytes.bytes() {
        client.send([byte]);
    }
    assert_eq!(client.answer().text(), "POST /a abc");
    assert_eq!(client.answer().text(), "GET /b ");
}

#[test]
fn a_connection_ends_when_either_side_says_so() {
    let server = serve(patient(), mirror);
    let mut client = server.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(client.answer().closes());
    assert_eq!(client.end(), End::Finished);
    assert_eq!(server.log.wait_closed(1), [CloseReason::PeerAsked]);
}

#[test]
fn http_1_0_is_kept_alive_only_when_asked_for_and_told_so() {
    let server = serve(patient(), mirror);
    let mut client = server.client();
    for _ in 0..2 {
        client.send("GET /kept HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        let answer = client.answer();
        assert_eq!(answer.field("connection"), Some("keep-alive"));
        assert_eq!(answer.text(), "GET /kept ");
    }
    client.send("GET /last HTTP/1.0\r\n\r\n");
    assert!(client.answer().closes());
    assert_eq!(client.end(), End::Finished);
}

#[test]
fn the_server_itself_answers_what_is_not_for_a_handler() {
    let server = serve(patient(), mirror);
    let mut client = server.client();
    client.send("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    let answer = client.answer();
    assert_eq!((answer.status, answer.text()), (200, ""));
    client.send("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n");
    assert_eq!(client.answer().status, 501);
    client.send("GET http://example.com/page?q HTTP/1.1\r\nHost: other\r\n\r\n");
    assert_eq!(client.answer().text(), "GET /page ");
    client.send("OPTIONS /route HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.answer().text(), "OPTIONS /route ");
}

#[test]
fn head_is_answered_like_get_without_content() {
    let server = serve(patient(), mirror);
    let mut client = server.client();
    client.send("HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n");
    let answer = client.answer_of("HEAD");
    assert_eq!(
        (answer.status, answer.field("content-length")),
        (200, Some("8"))
    );
    assert_eq!(client.get("/b").text(), "GET /b ");
}

#[test]
fn faults_are_answered_and_end_the_connection() {
    let server = serve(patient(), mirror);
    for (bytes, status) in [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        ("GET / HTTP/1.1\nHost: a\n\n", 400),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nExpect: cake\r\nContent-Length: 1\r\n\r\n",
            417,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\n",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            501,
        ),
    ] {
        let mut client = server.client();
        client.send(bytes);
        // What follows a fault is never read as a request.
        client.try_send("GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
        let answer = client.answer();
        assert_eq!(
            (answer.status, answer.closes()),
            (status, true),
            "{bytes:?}"
        );
        client.finish();
        let (rest, _) = client.rest();
        assert!(rest.is_empty(), "{bytes:?}");
    }
    let long = format!("GET /{} HTTP/1.1\r\n", "x".repeat(9000));
    let mut client = server.client();
    client.send(long);
    assert_eq!(client.answer().status, 414);
    let mut client = server.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nX: ");
    client.send("x".repeat(17 << 10));
    assert_eq!(client.answer().status, 431);
}

#[test]
fn answers_say_who_and_when_unless_told_not_to() {
    let server = serve(patient(), mirror);
    let answer = server.client().get("/");
    assert_eq!(answer.field("server"), Some("edgeloop"));
    let date = answer.field("date").expect("a date");
    let date = httpdate::parse_http_date(date).expect("an HTTP date");
    let secs = |time: SystemTime| time.duration_since(UNIX_EPOCH).expect("later").as_secs();
    assert!(secs(date).abs_diff(secs(SystemTime::now())) <= 60);

    let bare = Server::bind("127.0.0.1:0").expect("a free port");
    let bare = run(bare.limits(patient()).without_date().name(None), |_| mirror);
    let answer = bare.client().get("/");
    assert_eq!((answer.field("server"), answer.field("date")), (None, None));

    let named = |name| {
        let server = Server::bind("127.0.0.1:0").expect("a free port");
        server.name(Some(name)).limits(Limits::default())
    };
    let mine = run(named("mine/1"), |_| mirror);
    assert_eq!(mine.client().get("/").field("server"), Some("mine/1"));
    let error = named("a\r\nb: c").serve_fn(mirror).expect_err("two fields");
    assert!(error.to_string().contains("control"), "{error}");
}
