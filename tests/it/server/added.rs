//! What is said of an answer before it has begun: it stands on this answer, wherever it comes from, and on no other.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;

use edgeloop::http::{Fields, Length};
use edgeloop::server::{Answered, BodyWriter, Completer, Intake, Pull, Sink, Source, Taken};
use edgeloop::{Handler, Limits, Reply, Request, ResponseWriter, field_line, field_name};

use super::client::Answer;
use super::hand::Hand;
use super::running::{Log, serve};
use super::{ms, patient};

/// Names and values of the fields but for those that the server writes.
fn own(answer: &Answer) -> Vec<(&str, &str)> {
    let own = |name: &str| name.starts_with("X-");
    let fields = answer.fields.iter();
    fields
        .filter(|(name, _)| own(name))
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

fn mark(req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
    let marked = req.path() != "/plain";
    let res = if marked {
        res.with_field(field_name!("X-One"), req.path())
            .with_line(field_line!("X-Two", "2"))
            .with_default(field_name!("X-Three"), "not said")
    } else {
        res
    };
    match req.path() {
        "/own" => res
            .status(200)
            .field(field_name!("x-three"), "said")
            .text("own"),
        "/panic" => panic!("a panic that belongs to a test"),
        "/half" => {
            let _begun = res.status(200).field(field_name!("X-Begun"), "1");
            panic!("a panic that belongs to a test")
        }
        "/later" => {
            let (completer, reply) = res.defer();
            completer.finish(|res| {
                res.with_field(field_name!("X-Four"), "4")
                    .status(202)
                    .text("later")
            });
            reply
        }
        "/twice" => {
            let (completer, reply) = res.defer();
            completer.finish(|res| {
                let (completer, reply) = res.defer();
                completer.finish(|res| res.status(202).text("later"));
                reply
            });
            reply
        }
        "/dropped" => res.defer().1,
        "/bad-panic" => {
            let _begun = res.with_field(field_name!("X-Bad"), "a\nb");
            panic!("a panic that belongs to a test")
        }
        "/bad-job" => {
            let pool = edgeloop::Pool::default();
            let res = res.with_field(field_name!("X-Bad"), "a\nb");
            pool.run(res, || (), |(), res| res.status(200).empty())
        }
        "/bad-field" => res
            .with_field(field_name!("X-Bad"), "a\0b")
            .status(200)
            .text("x"),
        "/bad-value" => res
            .with_default(field_name!("X-Bad"), "a\r\nb: c")
            .status(200)
            .text("x"),
        "/bad-later" => {
            let (completer, reply) = res.with_field(field_name!("X-Bad"), "\r").defer();
            completer.finish(|res| res.status(200).text("x"));
            reply
        }
        _ => res.status(200).text("text"),
    }
}

#[test]
fn fields_that_were_added_stand_on_the_answer_and_on_no_other() {
    let server = serve(patient(), mark);
    let mut client = server.client();
    let all = |path| vec![("X-One", path), ("X-Two", "2"), ("X-Three", "not said")];
    for (path, status, fields) in [
        ("/some", 200, all("/some")),
        ("/plain", 200, vec![]),
        ("/own", 200, vec![("X-One", "/own"), ("X-Two", "2")]),
        ("/plain", 200, vec![]),
        ("/later", 202, {
            let mut fields = all("/later");
            fields.insert(2, ("X-Four", "4"));
            fields
        }),
        ("/plain", 200, vec![]),
        ("/twice", 202, all("/twice")),
        ("/dropped", 500, all("/dropped")),
        ("/plain", 200, vec![]),
        ("/bad-field", 500, vec![]),
        ("/bad-value", 500, vec![]),
        ("/bad-later", 500, vec![]),
        ("/plain", 200, vec![]),
    ] {
        let answer = client.get(path);
        assert_eq!((answer.status, own(&answer)), (status, fields), "{path}");
        assert_eq!(answer.field("x-three") == Some("said"), path == "/own");
    }
    // Also when several are asked at once.
    client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n".repeat(3));
    client.ask("/plain");
    for path in ["/a", "/a", "/a"] {
        assert_eq!(own(&client.answer()), all(path));
    }
    assert_eq!(own(&client.answer()), []);
}

#[test]
fn they_stand_on_the_answer_that_a_panic_gets() {
    let server = serve(patient(), mark);
    for path in ["/panic", "/half"] {
        let mut client = server.client();
        let answer = client.get(path);
        assert_eq!(answer.status, 500);
        let expected = [("X-One", path), ("X-Two", "2"), ("X-Three", "not said")];
        assert_eq!(own(&answer), expected);
    }
    assert_eq!(own(&server.client().get("/plain")), []);
}

#[test]
fn a_panic_after_what_can_not_be_sent_is_500_all_the_same() {
    let server = serve(patient(), mark);
    for path in ["/bad-panic", "/bad-job"] {
        let answer = server.client().get(path);
        assert_eq!((answer.status, own(&answer)), (500, vec![]), "{path}");
    }
    assert_eq!(server.client().get("/plain").status, 200);
}

#[test]
fn one_connection_waits_with_its_fields_while_others_are_answered() {
    let completers: Rc<RefCell<Vec<Completer>>> = Rc::default();
    let kept = Rc::clone(&completers);
    let handler = move |req: &Request<'_>, res: ResponseWriter<'_>| {
        if let Some(name) = req.path().strip_prefix("/later/") {
            let (completer, reply) = res.with_field(field_name!("X-Name"), name).defer();
            kept.borrow_mut().push(completer);
            return reply;
        }
        res.status(200).text("x")
    };
    let mut hand = Hand::new(patient(), handler, ());
    let mut clients = ["a", "b", "c"].map(|name| {
        hand.settle();
        let mut client = hand.client();
        client.ask(&format!("/later/{name}"));
        hand.settle();
        (name, client)
    });
    let mut other = hand.client();
    assert_eq!(own(&hand.get(&mut other, "/")), []);
    for completer in completers.borrow_mut().drain(..).rev() {
        completer.finish(|res| res.status(200).text("late"));
    }
    for (name, client) in &mut clients {
        assert_eq!(own(&hand.answer(client)), [("X-Name", *name)]);
    }
}

/// Refuses bodies to `/no`, takes three bytes for `/three`, and has `/stream` in pieces.
struct Bodies;

impl Handler for Bodies {
    fn on_request(&mut self, _: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
        res.status(200).text("x")
    }

    fn intake(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Intake {
        let res = res.with_field(field_name!("X-Intake"), "1");
        match req.path() {
            "/no" => Intake::Answer(res.status(403).text("no")),
            "/three" => {
                let res = res.with_body_max(100).with_body_max(3);
                Intake::Buffer(res.body_bytes_max())
            }
            "/stream" => Intake::stream(3, Pieces),
            _ => Intake::Buffer(res.body_bytes_max()),
        }
    }
}

struct Pieces;

impl Sink for Pieces {
    fn on_data(&mut self, _: &[u8]) -> Taken {
        Taken::All
    }

    fn on_end(self: Box<Self>, _: Fields<'_>, res: ResponseWriter<'_>) -> Reply {
        res.status(200).text("pieces")
    }
}

#[test]
fn what_was_added_before_a_body_stands_on_an_answer_before_it_and_on_that_of_a_sink() {
    let limits = Limits {
        body_bytes_max: 10,
        ..patient()
    };
    let mut hand = Hand::new(limits, Bodies, ());
    for (path, body, status, added) in [
        ("/no", "a", 403, true),
        ("/", "a", 200, false),
        ("/three", "abc", 200, false),
        ("/three", "abcd", 413, false),
        ("/stream", "abc", 200, true),
        ("/stream", "abcd", 413, false),
        ("/", "0123456789", 200, false),
        ("/", "0123456789a", 413, false),
    ] {
        hand.settle();
        let mut client = hand.client();
        let length = body.len();
        client.send(format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}"
        ));
        let answer = hand.answer(&mut client);
        assert_eq!(
            (answer.status, answer.field("X-Intake").is_some()),
            (status, added),
            "{path} {body}"
        );
    }
}

struct Letters(u8);

impl Source for Letters {
    fn pull(&mut self, body: &mut BodyWriter<'_>) -> Pull {
        body.write(b"letter");
        self.0 -= 1;
        if self.0 == 0 { Pull::End } else { Pull::More }
    }
}

fn told(hook: &Rc<RefCell<Vec<Answered>>>) -> Vec<(u16, Option<u64>)> {
    let told = hook.borrow_mut().drain(..).collect::<Vec<_>>();
    told.iter()
        .map(|it| (it.status, it.content_bytes))
        .collect()
}

#[test]
fn who_wants_to_know_is_told_what_became_of_a_request() {
    let seen: Rc<RefCell<Vec<Answered>>> = Rc::default();
    let hook = Rc::clone(&seen);
    let handler = move |req: &Request<'_>, res: ResponseWriter<'_>| {
        if req.path() == "/untold" {
            return res.status(200).text("x");
        }
        let seen = Rc::clone(&hook);
        let res = res.on_answered(move |answered| seen.borrow_mut().push(*answered));
        match req.path() {
            "/whole" => res.status(201).text("four"),
            "/tail" => res.status(200).constant(b"constant"),
            "/stream" => res.status(200).stream(Length::Unknown, Letters(3)),
            "/known" => res.status(200).stream(Length::Known(12), Letters(2)),
            "/panic" => panic!("a panic that belongs to a test"),
            "/field" => res.status(200).field(field_name!("X-Bad"), "\n").text("x"),
            "/hook" => res
                .on_answered(|_| panic!("a panic that belongs to a test"))
                .status(200)
                .text("x"),
            "/dropped" => res.defer().1,
            _ => {
                let (completer, reply) = res.defer();
                completer.finish(|res| res.status(203).text("later"));
                reply
            }
        }
    };
    let log = Log::default();
    let mut hand = Hand::new(patient(), handler, log.clone());
    for (path, expected) in [
        ("/whole", Some((201, Some(4)))),
        ("/tail", Some((200, Some(8)))),
        ("/stream", Some((200, None))),
        ("/known", Some((200, Some(12)))),
        ("/untold", None),
        ("/field", Some((500, Some(28)))),
        ("/later", Some((203, Some(5)))),
        ("/dropped", Some((500, Some(23)))),
        ("/hook", Some((200, Some(1)))),
        ("/panic", Some((500, Some(28)))),
        ("/untold", None),
    ] {
        hand.settle();
        let mut client = hand.client();
        let answer = hand.get(&mut client, path);
        assert_eq!(told(&seen), Vec::from_iter(expected), "{path}");
        if let Some((status, content_bytes)) = expected {
            assert_eq!(answer.status, status);
            let length = answer.body.len() as u64;
            assert!(content_bytes.is_none_or(|bytes| bytes == length), "{path}");
        }
    }
    let panics = log.troubles();
    let panics = panics.iter().filter(|it| it.as_str() == "HandlerPanicked");
    assert_eq!(panics.count(), 2);
}

#[test]
fn a_late_answer_is_told_with_its_time_and_a_client_that_left_is_not_told_of() {
    let (told, tells) = mpsc::channel();
    let handler = move |req: &Request<'_>, res: ResponseWriter<'_>| {
        let told = told.clone();
        let path = req.path().to_owned();
        let res = res.with_field(field_name!("X-Added"), "1");
        let (completer, reply) = res
            .on_answered(move |answered| told.send((path, *answered)).expect("heard"))
            .defer();
        std::thread::spawn(move || {
            while completer.client() != edgeloop::Client::Gone {
                std::thread::sleep(ms(1));
            }
        });
        reply
    };
    let limits = Limits {
        handler_time: ms(100),
        ..patient()
    };
    let server = serve(limits, handler);
    let answer = server.client().get("/never");
    assert_eq!((answer.status, answer.field("X-Added")), (503, Some("1")));
    let (path, answered) = super::running::take(&tells);
    assert_eq!((path.as_str(), answered.status), ("/never", 503));
    assert!(answered.time >= Duration::from_millis(100), "{answered:?}");
    let mut client = server.client();
    client.ask("/gone");
    client.reset();
    assert_eq!(server.client().get("/never").status, 503);
    assert_eq!(super::running::take(&tells).0, "/never");
    drop(server);
    assert_eq!(tells.try_recv().ok(), None, "the other was told of as well");
}
