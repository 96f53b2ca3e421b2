//! Answers that many handlers give: pages, redirects, trailers, hints.

use edgeloop::http::{FieldError, Length, encode};
use edgeloop::server::{BodyWriter, Pull, Source};
use edgeloop::{Redirect, Reply, Request, ResponseWriter, field_name};

use super::client::End;
use super::hand::Hand;
use super::patient;

/// A piece each time, and a trailer with the last.
struct Summed(u32);

impl Source for Summed {
    fn pull(&mut self, body: &mut BodyWriter<'_>) -> Pull {
        self.0 += 1;
        body.write(b"ab");
        let refused = [
            field_name!("Host"),
            field_name!("content-type"),
            field_name!("Set-Cookie"),
        ];
        for name in refused {
            assert_eq!(body.trailer(name, "x"), Err(FieldError::Trailer));
        }
        assert!(body.trailer(field_name!("X-Sum"), "a\r\nb").is_err());
        if self.0 < 3 {
            // One that is not the last's is forgotten.
            body.trailer(field_name!("X-Early"), "x").expect("a field");
            return Pull::More;
        }
        body.trailer(field_name!("X-Sum"), &self.0.to_string())
            .expect("a field");
        Pull::End
    }
}

fn answer(req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
    let trailers = [(field_name!("X-Sum"), "1"), (field_name!("X-Time"), "2")];
    match req.path() {
        "/html" => res.status(200).html("<p>hi"),
        "/bytes" => res.status(200).bytes("image/png", b"\x89PNG"),
        "/bad-type" => res.status(200).bytes("image/png\r\nX: y", b""),
        "/redirect" => res.redirect(Redirect::SeeOther, req.query().unwrap_or_default()),
        "/trailers" => res.status(200).body_with_trailers("hello", &trailers),
        "/no-content" => res.status(204).body_with_trailers("", &trailers),
        "/empty-trailers" => res.status(200).body_with_trailers("", &trailers),
        "/no-trailers" => res.status(200).body_with_trailers("hello", &[]),
        "/bad-trailer" => res
            .status(200)
            .body_with_trailers("hello", &[(field_name!("Host"), "a")]),
        "/typed-trailer" => res
            .status(200)
            .body_with_trailers("hello", &[(field_name!("Content-Type"), "a/b")]),
        "/stream" => res.status(200).stream(Length::Unknown, Summed(0)),
        "/stream-known" => res.status(200).stream(Length::Known(6), Summed(0)),
        "/hints" => res.early_hints(&["</a>", "</b>"]).status(200).text("it"),
        "/no-hints" => res.early_hints(&[]).status(200).text("it"),
        "/bad-hints" => res.early_hints(&["</a>", "b\r\nc"]).status(200).text("it"),
        "/bad-hints-later" => res.early_hints(&["b\nc"]).defer().1,
        _ => res.no_route(req.method()),
    }
}

/// All that a request gets, without its Date and Server.
fn exchange(request: &str) -> String {
    let mut hand = Hand::new(patient(), answer, ());
    let mut client = hand.client();
    client.send(request);
    hand.until("the end", |_| client.poll_end().is_some());
    let (bytes, end) = client.rest();
    assert_eq!(end, End::Finished);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let lines = text.split_inclusive("\r\n");
    lines
        .filter(|line| !line.starts_with("Date: ") && !line.starts_with("Server: "))
        .collect()
}

fn get(path: &str) -> String {
    let get = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    exchange(&get)
}

fn head_of(answer: &str) -> &str {
    answer.split("\r\n").next().unwrap_or_default()
}

#[test]
fn pages_and_bytes_say_their_type() {
    assert_eq!(
        get("/html"),
        "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 5\r\n\
         Connection: close\r\n\r\n<p>hi"
    );
    assert!(get("/bytes").contains("\r\nContent-Type: image/png\r\nContent-Length: 4\r\n"));
    let refused = get("/bad-type");
    assert!(head_of(&refused).contains("500") && !refused.contains("X: y"));
}

#[test]
fn a_redirect_goes_where_it_says_and_stays_on_this_host_where_it_looks_so() {
    let location = |location: &str| {
        let res = get(&format!("/redirect?{location}"));
        let status = head_of(&res).to_owned();
        let mut lines = res.lines().map(str::to_owned);
        let found = lines.find_map(|line| Some(line.strip_prefix("Location: ")?.to_owned()));
        assert_eq!(status.contains("303"), found.is_some(), "{res}");
        assert!(status.contains("303") || status.contains("500"), "{res}");
        found
    };
    for good in [
        "/",
        "/a/b?c=d&e#f",
        "a",
        "../a",
        "?a",
        "https://example.org//a",
        "/a//b",
        "/%2F/b",
        "/a%20b",
    ] {
        // A fragment can't be asked for.
        let good = good.replace('#', "");
        assert_eq!(location(&good).as_deref(), Some(good.as_str()));
    }
    for bad in ["", "//evil.example", "///evil.example"] {
        assert_eq!(location(bad), None, "{bad}");
    }
}

#[test]
fn a_location_has_only_what_a_uri_has() {
    let answer = |location: &'static str| {
        let handler = move |_: &Request<'_>, res: ResponseWriter<'_>| {
            res.status(201).location(location).text("made")
        };
        let mut hand = Hand::new(patient(), handler, ());
        let mut client = hand.client();
        let answer = hand.get(&mut client, "/");
        answer.field("location").map(str::to_owned)
    };
    for (location, sent) in [
        ("/a b", Some("/a%20b")),
        ("/\\evil.example", Some("/%5Cevil.example")),
        ("\\\\evil.example", Some("%5C%5Cevil.example")),
        ("/é", Some("/%C3%A9")),
        ("/<\">^`{|}", Some("/%3C%22%3E%5E%60%7B%7C%7D")),
        (" //evil.example", Some("%20//evil.example")),
        ("/\t/evil.example", None),
        ("/a\r\nSet-Cookie: b=c", None),
        ("/\0", None),
        ("//evil.example", None),
        ("", None),
    ] {
        assert_eq!(answer(location).as_deref(), sent, "{location:?}");
    }
}

#[test]
fn trailers_come_behind_chunks_and_are_announced() {
    assert_eq!(
        get("/trailers"),
        "HTTP/1.1 200 OK\r\nTrailer: X-Sum, X-Time\r\nTransfer-Encoding: chunked\r\n\
         Connection: close\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\nX-Time: 2\r\n\r\n"
    );
    assert!(get("/empty-trailers").ends_with("\r\n\r\n0\r\nX-Sum: 1\r\nX-Time: 2\r\n\r\n"));
    let without = get("/no-trailers");
    assert!(without.ends_with("\r\n\r\n5\r\nhello\r\n0\r\n\r\n") && !without.contains("Trailer"));
    assert!(get("/stream").ends_with("2\r\nab\r\n2\r\nab\r\n2\r\nab\r\n0\r\nX-Sum: 3\r\n\r\n"));
}

#[test]
fn trailers_are_left_out_where_there_are_no_chunks() {
    let close = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello";
    assert_eq!(exchange("GET /trailers HTTP/1.0\r\n\r\n"), close);
    assert!(exchange("GET /stream HTTP/1.0\r\n\r\n").ends_with("\r\n\r\nababab"));
    assert!(get("/stream-known").ends_with("\r\n\r\nababab"));
    assert!(get("/no-content").ends_with("Connection: close\r\n\r\n"));
    let head = "HEAD /trailers HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    assert!(exchange(head).ends_with("Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"));
}

#[test]
fn a_trailer_that_must_not_be_one_is_500() {
    for path in ["/bad-trailer", "/typed-trailer"] {
        assert!(head_of(&get(path)).contains("500"), "{path}");
    }
    let names = [
        field_name!("Host"),
        field_name!("Authorization"),
        field_name!("Trailer"),
        field_name!("TE"),
    ];
    for name in names {
        let checked = encode::check_trailer(name, b"x");
        assert_eq!(checked, Err(FieldError::Trailer), "{name:?}");
    }
    let timing = field_name!("Server-Timing");
    assert_eq!(encode::check_trailer(timing, b"a;dur=1"), Ok(()));
}

#[test]
fn early_hints_come_before_the_answer() {
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nLink: </b>\r\n\r\nHTTP/1.1 200 OK\r\n";
    let all = get("/hints");
    assert!(
        all.starts_with(hints) && all.ends_with("\r\n\r\nit"),
        "{all}"
    );
    assert!(get("/no-hints").starts_with("HTTP/1.1 200 OK\r\n"));
}

#[test]
fn http_1_0_gets_no_early_hints() {
    let all = exchange("GET /hints HTTP/1.0\r\n\r\n");
    assert!(all.starts_with("HTTP/1.1 200 OK\r\n"), "{all}");
}

#[test]
fn early_hints_that_cannot_be_sent_make_the_answer_500() {
    for path in ["/bad-hints", "/bad-hints-later"] {
        let all = get(path);
        assert!(all.starts_with("HTTP/1.1 500 "), "{path}: {all}");
        assert!(!all.contains("Link"), "{path}: {all}");
    }
}

#[test]
fn early_hints_go_out_while_the_answer_is_made() {
    let (give, take) = std::sync::mpsc::channel();
    let handler = move |_: &Request<'_>, res: ResponseWriter<'_>| {
        let (completer, reply) = res.early_hints(&["</a>"]).defer();
        give.send(completer).expect("the test goes on");
        reply
    };
    let mut hand = Hand::new(patient(), handler, ());
    let mut client = hand.client();
    client.ask("/");
    let hints = hand.answer(&mut client);
    assert_eq!((hints.status, hints.field("link")), (103, Some("</a>")));
    let completer = take.recv().expect("it was sent");
    completer.finish(|res| res.status(200).text("late"));
    assert_eq!(hand.answer(&mut client).text(), "late");
}
