//! Middleware of one's own: the order, what it sees, and that nothing goes past it.

use std::cell::RefCell;
use std::rc::Rc;

use edgeloop::http::Fields;
use edgeloop::server::{Attachment, Intake, Sink, Taken};
use edgeloop::web::{Files, Middleware, Next, Routes};
use edgeloop::{Handler, Reply, Request, ResponseWriter, field_name};

use super::{Site, site};
use crate::process::Scratch;

type Log = Rc<RefCell<Vec<String>>>;

/// Writes down that it was passed, and in which state the request was.
fn logs(log: &Log, name: &'static str) -> impl Middleware + 'static {
    let log = Rc::clone(log);
    move |req: &Request<'_>, res: ResponseWriter<'_>, next: Next<'_>| {
        let whole = if next.is_whole() { "" } else { "?" };
        log.borrow_mut().push(format!("{name}{whole}"));
        next.run(req, res.with_field(field_name!("X-Passed"), name))
    }
}

fn take(log: &Log) -> String {
    log.borrow_mut().drain(..).collect::<Vec<_>>().join(" ")
}

fn hello(_: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
    res.status(200).text("hello")
}

#[test]
fn each_group_has_its_own_from_the_outermost_to_the_innermost() {
    let log = Log::default();
    let mut site = site(
        Routes::new()
            .get("/{$}", hello)
            .group(
                "/a",
                Routes::new()
                    .group("/x", Routes::new().layer(logs(&log, "ax")).get("", hello))
                    .get("", hello)
                    .layer(logs(&log, "a1"))
                    .layer(logs(&log, "a2")),
            )
            .group("/b", Routes::new().layer(logs(&log, "b")).get("/", hello))
            .layer(logs(&log, "root")),
    );
    for (line, passed) in [
        ("GET /", "root"),
        ("GET /a", "root a1 a2"),
        ("GET /a/x", "root a1 a2 ax"),
        ("GET /b/c", "root b"),
        // And what the router answers itself.
        ("GET /b", "root b"),
        ("POST /a/x", "root a1 a2 ax"),
        ("OPTIONS /a/x", "root a1 a2 ax"),
        ("GET //a", "root"),
        ("GET /none", "root"),
        ("GET /a/none", "root"),
    ] {
        let answer = site.ask(line, &[]);
        assert_eq!(take(&log), passed, "{line}");
        assert_eq!(answer.all("X-Passed").join(" "), passed, "{line}");
    }
}

#[test]
fn a_request_with_a_body_passes_with_its_head_and_then_whole() {
    let log = Log::default();
    let mut site = site(
        Routes::new()
            .layer(logs(&log, "1"))
            .layer(logs(&log, "2"))
            .post("/buffered", hello)
            .handle("/streamed", Streaming)
            .handle("/refused", Refusing),
    );
    for (line, passed, fields) in [
        ("POST /buffered", "1? 2? 1 2", "1 2"),
        ("POST /streamed", "1? 2?", "1 2"),
        ("POST /refused", "1? 2?", "1 2"),
        ("POST /none", "1? 2?", "1 2"),
    ] {
        let answer = site.post(line, &[], "body");
        assert_eq!(take(&log), passed, "{line}");
        assert_eq!(answer.all("X-Passed").join(" "), fields, "{line}");
    }
}

struct Streaming;

impl Handler for Streaming {
    fn on_request(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
        hello(req, res)
    }

    fn intake(&mut self, _: &Request<'_>, _: ResponseWriter<'_>) -> Intake {
        Intake::stream(100, Streaming)
    }
}

impl Sink for Streaming {
    fn on_data(&mut self, _: &[u8]) -> Taken {
        Taken::All
    }

    fn on_end(self: Box<Self>, _: Fields<'_>, res: ResponseWriter<'_>) -> Reply {
        res.status(200).text("streamed")
    }
}

struct Refusing;

impl Handler for Refusing {
    fn on_request(&mut self, _: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
        res.status(403).text("refused")
    }

    fn intake(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Intake {
        Intake::Answer(self.on_request(req, res))
    }
}

/// A handler of one's own around a router, that says nothing of bodies.
struct Around(edgeloop::web::Router);

impl Handler for Around {
    fn on_request(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
        self.0.on_request(req, res)
    }
}

#[test]
fn nothing_goes_past_a_function_that_refuses() {
    let dir = Scratch::new("refused");
    dir.file("secret.txt", "secret\n");
    let files = Files::new(dir.path()).expect("a directory");
    let router = || {
        Routes::new()
            .layer_fn(|req, res, next| match req.field("x-key") {
                Some(b"open") => next.run(req, res),
                Some(b"later") => {
                    let (completer, reply) = res.defer();
                    completer.finish(|res| res.status(401).text("later: no"));
                    reply
                }
                _ => res.status(401).text("no"),
            })
            .handle("/files/", files.clone())
            .handle("/streamed", Streaming)
            .post("/buffered", hello)
            .build()
            .expect("sound routes")
    };
    let mut plain = Site::new(router());
    let mut around = Site::new(Around(router()));
    for line in [
        "GET /files/secret.txt",
        "POST /streamed",
        "POST /buffered",
        "GET /buffered",
        "GET /none",
        "GET //files/x",
    ] {
        for (key, said) in [("X-Key: closed", "no"), ("X-Key: later", "later: no")] {
            for answer in [
                plain.ask(line, &[key]),
                plain.post(line, &[key], "body"),
                around.ask(line, &[key]),
                around.post(line, &[key], "body"),
            ] {
                assert_eq!((answer.status, answer.body.as_str()), (401, said), "{line}");
            }
        }
        for answer in [
            plain.ask(line, &["X-Key: open"]),
            plain.post(line, &["X-Key: open"], "body"),
            around.post(line, &["X-Key: open"], "body"),
        ] {
            assert_ne!(answer.status, 401, "{line}");
        }
    }
    // Refused before the body: none of it is sent.
    let expects = ["Expect: 100-continue", "Content-Length: 1000000"];
    assert_eq!(plain.ask("POST /buffered", &expects).status, 401);
}

#[test]
fn middleware_has_state_and_hands_things_on() {
    struct Count(u32);

    impl Middleware for Count {
        fn on_request(
            &mut self,
            req: &Request<'_>,
            res: ResponseWriter<'_>,
            next: Next<'_>,
        ) -> Reply {
            self.0 += 1;
            let number = self.0;
            next.run(&req.attach(&Attachment::new(req, &number)), res)
        }
    }

    let mut site = site(
        Routes::new()
            .layer(Count(0))
            .get("/a", |req, res| {
                let number = req.attached::<u32>().expect("attached");
                res.status(200).text(number.to_string())
            })
            .get("/panic", |_, _| panic!("a panic that belongs to a test")),
    );
    for number in ["1", "2", "3"] {
        assert_eq!(site.ask("GET /a", &[]).body, number);
    }
    let answer = site.ask("GET /panic", &[]);
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (500, "the server failed to answer\n")
    );
    assert_eq!(site.ask("GET /a", &[]).body, "5");
}
