//! Handlers that do wrong: their client gets 500, the worker lives.

use edgeloop::http::Length;
use edgeloop::server::{BodyWriter, CloseReason, Intake, Pull, Source};
use edgeloop::{Handler, Reply, Request, ResponseWriter, field_name};

use super::client::End;
use super::patient;
use super::running::{serve, serve_with};

fn faulty(req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
    match req.path() {
        "/panic" => panic!("a panic that belongs to a test"),
        "/panic-in-head" => {
            let mut head = res.status(200);
            for _ in 0..100 {
                head = head.field(field_name!("X-Large"), "x".repeat(1000));
            }
            head.body(content())
        }
        "/panic-after-answer" => {
            let _reply = res.status(200).body("answered");
            panic!("a panic that belongs to a test")
        }
        "/line-break" => res
            .status(200)
            .field(field_name!("X"), "a\r\nSet-Cookie: b")
            .body("c"),
        "/nul" => res.status(200).field(field_name!("X"), "a\0b").body("c"),
        "/formatted" => res
            .status(200)
            .field_fmt(field_name!("X"), format_args!("{}", "a\nb"))
            .body("c"),
        "/status" => res.status(99).body("c"),
        _ => res.status(200).body("fine"),
    }
}

/// Is to be had when a large head is already written.
fn content() -> &'static str {
    panic!("a panic that belongs to a test")
}

#[test]
fn a_field_that_cannot_be_sent_makes_the_whole_answer_a_500() {
    let server = serve(patient(), faulty);
    let mut client = server.client();
    for path in ["/line-break", "/nul", "/formatted", "/status"] {
        client.ask("/before");
        client.ask(path);
        client.ask("/after");
        assert_eq!(client.answer().text(), "fine");
        let answer = client.answer();
        assert_eq!((answer.status, answer.field("x")), (500, None), "{path}");
        assert_eq!(answer.field("set-cookie"), None);
        assert_eq!(client.answer().text(), "fine");
    }
    let troubles = server.log.troubles();
    assert_eq!(troubles.len(), 3, "the status is none: {troubles:?}");
    assert!(troubles.iter().all(|text| text.starts_with("Field")));
}

#[test]
fn a_panic_costs_its_connection_and_not_the_worker() {
    let server = serve(patient(), faulty);
    let mut bystander = server.client();
    assert_eq!(bystander.get("/").text(), "fine");
    for path in ["/panic", "/panic-in-head", "/panic-after-answer"] {
        let mut client = server.client();
        client.ask("/before");
        client.ask(path);
        client.ask("/never");
        assert_eq!(client.answer().text(), "fine");
        let answer = client.answer();
        assert_eq!((answer.status, answer.closes()), (500, true), "{path}");
        assert_eq!(answer.field("x-large"), None);
        client.finish();
        assert!(client.rest().0.is_empty());
    }
    assert_eq!(server.log.troubles(), ["HandlerPanicked"; 3]);
    assert_eq!(bystander.get("/").text(), "fine");
}

/// Panics in `intake`, or answers there and wants the body all the same.
struct Intakes;

impl Handler for Intakes {
    fn on_request(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
        faulty(req, res)
    }

    fn intake(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Intake {
        match req.path() {
            "/panic" => panic!("a panic that belongs to a test"),
            "/both" => {
                let _reply = res.status(200).body("not wanted");
                Intake::Buffer(10)
            }
            _ => Intake::Buffer(10),
        }
    }
}

#[test]
fn a_fault_before_the_body_is_one_too() {
    let server = serve_with(patient(), |_| Intakes);
    for path in ["/panic", "/both"] {
        let mut client = server.client();
        client.send(format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
        ));
        assert_eq!(client.answer().status, 500, "{path}");
    }
    let mut client = server.client();
    client.send("POST /fine HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    assert_eq!(client.answer().text(), "fine");
}

struct Panics;

impl Source for Panics {
    fn pull(&mut self, body: &mut BodyWriter<'_>) -> Pull {
        body.write(b"a beginning");
        panic!("a panic that belongs to a test")
    }
}

impl Drop for Panics {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            DROPPED.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
    }
}

static DROPPED: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

#[test]
fn a_panic_half_way_breaks_the_connection_and_not_the_worker() {
    let server = serve(
        patient(),
        |req: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
            match req.path() {
                "/chunked" => res.status(200).stream(Length::Unknown, Panics),
                "/known" => res.status(200).stream(Length::Known(100), Panics),
                _ => res.status(200).body("fine"),
            }
        },
    );
    for path in ["/chunked", "/known"] {
        let mut client = server.client();
        client.ask(path);
        assert_eq!(client.rest().1, End::Reset, "{path}");
    }
    assert_eq!(server.log.wait_closed(2), [CloseReason::Failed; 2]);
    assert_eq!(server.client().get("/").text(), "fine");
    drop(server);
    assert_eq!(DROPPED.load(std::sync::atomic::Ordering::SeqCst), 2);
}
