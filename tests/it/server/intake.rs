//! Bodies: wanted, not wanted, too large, and no room for them.

use edgeloop::server::{CloseReason, Intake};
use edgeloop::{Handler, Limits, Reply, Request, ResponseWriter};

use super::client::{Client, End};
use super::hand::Hand;
use super::patient;
use super::running::{Log, mirror, serve, serve_with};

/// Wants bodies or not, by path.
struct Picky;

impl Handler for Picky {
    fn on_request(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
        mirror(req, res)
    }

    fn intake(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Intake {
        match req.path() {
            "/no" => Intake::Answer(res.status(403).text("no\n")),
            "/small" => Intake::Buffer(10),
            "/large" => Intake::Buffer(4 << 20),
            "/later" => {
                let (completer, reply) = res.defer();
                completer.finish(|res| res.status(403).text("later: no\n"));
                Intake::Answer(reply)
            }
            _ => Intake::Buffer(res.limits().body_bytes_max),
        }
    }
}

fn post(path: &str, length: usize) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n")
}

#[test]
fn a_short_body_that_nobody_wants_is_read_over_and_the_connection_kept() {
    let server = serve_with(patient(), |_| Picky);
    let mut client = server.client();
    for path in ["/no", "/later"] {
        for length in [1, 64 << 10] {
            // The answer does not wait for the body.
            client.send(post(path, length));
            let answer = client.answer();
            assert_eq!((answer.status, answer.closes()), (403, false));
            client.send(vec![b'x'; length]);
            assert_eq!(client.get("/next").text(), "GET /next ");
            // It may be here already.
            client.send([post(path, length).as_bytes(), &vec![b'x'; length]].concat());
            assert_eq!(client.answer().status, 403);
        }
        client.send(format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        ));
        assert_eq!(client.answer().status, 403);
        client.send("3\r\nabc\r\n0\r\nTrailer: x\r\n\r\n");
    }
    assert_eq!(client.get("/next").text(), "GET /next ");
}

#[test]
fn a_long_body_that_nobody_wants_ends_the_connection() {
    let server = serve_with(patient(), |_| Picky);
    for path in ["/no", "/later"] {
        let mut client = server.client();
        client.send(post(path, (64 << 10) + 1));
        let answer = client.answer();
        assert_eq!((answer.status, answer.closes()), (403, true));
        client.finish();
        assert_eq!(client.end(), End::Finished);
    }
    // In chunks it is seen when it has come.
    let mut client = server.client();
    client.send("POST /no HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert!(!client.answer().closes());
    client.send("20000\r\n");
    client.try_send(vec![b'x'; 0x20000]);
    client.rest();
    assert_eq!(server.log.wait_closed(3)[2], CloseReason::BodyUnread);
}

#[test]
fn a_route_says_how_much_it_takes() {
    let server = serve_with(patient(), |_| Picky);
    let mut client = server.client();
    client.send(post("/small", 10) + "0123456789");
    assert_eq!(client.answer().text(), "POST /small 0123456789");
    let large = vec![b'x'; 3 << 20];
    client.send(post("/large", large.len()));
    client.send(&large);
    assert_eq!(client.answer().body.len(), large.len() + 12);
    client.send(post("/small", 11));
    let answer = client.answer();
    assert_eq!((answer.status, answer.closes()), (413, true));
}

#[test]
fn a_body_too_large_is_refused_as_soon_as_that_is_known() {
    let server = serve(patient(), mirror);
    // Declared: before a byte of it.
    let mut client = server.client();
    client.send(post("/", (1 << 20) + 1));
    let answer = client.answer();
    assert_eq!((answer.status, answer.closes()), (413, true));
    // In chunks: when the limit is passed, not at the end.
    let mut client = server.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n100001\r\n");
    let mut rest = 0x10_0001;
    while rest > 0 {
        let piece = vec![b'x'; rest.min(1 << 16)];
        rest -= piece.len();
        client.send(piece);
    }
    let answer = client.answer();
    assert_eq!((answer.status, answer.closes()), (413, true));
    // As much as the limit is fine.
    let mut client = server.client();
    client.send(post("/", 1 << 20));
    client.send(vec![b'x'; 1 << 20]);
    assert_eq!(client.answer().status, 200);
}

fn expecting(path: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
    )
}

#[test]
fn a_client_is_told_to_continue_only_when_its_body_is_wanted() {
    let server = serve_with(patient(), |_| Picky);
    let mut client = server.client();
    client.send(expecting("/yes", 3));
    assert_eq!(client.answer().status, 100);
    client.send("abc");
    assert_eq!(client.answer().text(), "POST /yes abc");
    // Also when it is here: the client does not know that.
    client.send(expecting("/yes", 3) + "abc");
    assert_eq!(client.answer().status, 100);
    assert_eq!(client.answer().text(), "POST /yes abc");
    // HTTP/1.0 has no expectations.
    client.send("POST /old HTTP/1.0\r\nConnection: keep-alive\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx");
    assert_eq!(client.answer().text(), "POST /old x");
    client.send("GET /none HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n");
    let answer = client.answer();
    assert_eq!((answer.text(), answer.closes()), ("GET /none ", false));
    for (path, length, status) in [("/no", 3, 403), ("/small", 11, 413), ("/later", 3, 403)] {
        let mut client = server.client();
        client.send(expecting(path, length));
        let answer = client.answer();
        assert_eq!((answer.status, answer.closes()), (status, true), "{path}");
        client.finish();
        assert_eq!(client.end(), End::Finished);
    }
}

#[test]
fn trailers_come_with_the_body() {
    let server = serve(
        patient(),
        |req: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
            let sum = req.trailers().get("digest").unwrap_or_default().to_vec();
            res.status(200).body([req.body(), &sum].concat())
        },
    );
    let mut client = server.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send("4\r\nbody\r\n0\r\nDigest: =5\r\nHost: b\r\n\r\n");
    assert_eq!(client.answer().text(), "body=5");
}

/// Answers everything before its body.
struct Refusing;

impl Handler for Refusing {
    fn on_request(&mut self, _: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
        res.status(403).empty()
    }

    fn intake(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Intake {
        Intake::Answer(self.on_request(req, res))
    }
}

#[test]
fn what_is_not_for_the_handler_is_not_for_its_intake_either() {
    let server = serve_with(patient(), |_| Refusing);
    for (line, status) in [
        ("OPTIONS *", 200),
        ("OPTIONS http://a", 200),
        ("CONNECT a:80", 501),
        ("OPTIONS /", 403),
    ] {
        let mut client = server.client();
        let head = format!("{line} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n");
        client.send([&head, "abc"].concat());
        assert_eq!(client.answer().status, status, "{line}");
        assert_eq!(client.get("/").status, 403);
    }
}

/// Sends the first part of a body, and has the server receive it.
fn begin(hand: &mut Hand<impl Handler, Log>, length: usize, part: usize) -> Client {
    let mut client = hand.client();
    client.send(post("/", length));
    client.send(vec![b'x'; part]);
    hand.settle();
    client
}

#[test]
fn bodies_for_which_there_is_no_room_are_answered_503() {
    let limits = Limits {
        buffers_bytes_max: 300 << 10,
        ..patient()
    };
    let log = Log::default();
    let mut hand = Hand::new(limits, mirror, log);
    let mut first = begin(&mut hand, 100 << 10, 90 << 10);
    // What is declared takes no room.
    let mut second = begin(&mut hand, 900 << 10, 10);
    assert_eq!(first.poll().map(|it| it.status), None);
    let mut third = begin(&mut hand, 200 << 10, 190 << 10);
    let answer = hand.answer(&mut third);
    assert_eq!((answer.status, answer.closes()), (503, true));
    // The others go on, and what the third had is free again.
    first.send(vec![b'x'; 10 << 10]);
    assert_eq!(hand.answer(&mut first).status, 200);
    second.send(vec![b'x'; 1000]);
    hand.settle();
    assert_eq!(second.poll().map(|it| it.status), None);
    let mut fourth = begin(&mut hand, 60 << 10, 50 << 10);
    fourth.send(vec![b'x'; 10 << 10]);
    assert_eq!(hand.answer(&mut fourth).status, 200);
}
