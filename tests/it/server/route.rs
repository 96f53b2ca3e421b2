//! What routers and others tell handlers of a request, on their own stack.

use edgeloop::server::{Attachment, Intake, RouteMatch};
use edgeloop::{Handler, Reply, Request, ResponseWriter};

use super::hand::Hand;
use super::patient;

/// Passes everything on as `/{tenant}/…` of its own.
struct Outer<H>(H);

impl<H: Handler> Handler for Outer<H> {
    fn on_request(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
        assert_eq!((req.pattern(), req.path_value("tenant")), (None, None));
        assert_eq!(req.path_below(), req.path());
        let (tenant, rest) = req.path()[1..].split_once('/').unwrap_or_default();
        let values = [("tenant", tenant), ("id", "outer")];
        let route = RouteMatch::new(req, "/{tenant}/", &values, Some(rest));
        let number = 7_u32;
        let attachment = Attachment::new(req, &number);
        self.0
            .on_request(&req.routed(&route).attach(&attachment), res)
    }

    fn intake(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Intake {
        let mut aside = None;
        let reply = if req.path() == "/refused" {
            res.status(403).text("refused")
        } else {
            self.0.intake(req, res).put_aside(&mut aside)
        };
        aside.unwrap_or(Intake::Answer(reply))
    }
}

struct Inner;

impl Handler for Inner {
    fn on_request(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
        let values = [("id", "inner")];
        let route = RouteMatch::new(req, "/{tenant}/{id}", &values, None);
        let word = "word".to_owned();
        let attachment = Attachment::new(req, &word);
        let inner = req.routed(&route).attach(&attachment);
        let text = format!(
            "{:?} {:?} {:?} {:?} {} {:?} {:?} {:?} {:?}",
            inner.pattern(),
            inner.path_value("id"),
            inner.path_value("tenant"),
            inner.path_value("none"),
            inner.path_below(),
            inner.attached::<u32>(),
            inner.attached::<String>(),
            inner.attached::<u8>(),
            req.attached::<String>(),
        );
        res.status(200).text([text.as_bytes(), req.body()].concat())
    }

    fn intake(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Intake {
        match req.path() {
            "/a/no" => Intake::Answer(res.status(400).text("no")),
            _ => Intake::Buffer(3),
        }
    }
}

const SEEN: &str =
    r#"Some("/{tenant}/{id}") Some("inner") Some("a") None b%2Fc Some(7) Some("word") None None"#;

#[test]
fn inner_routes_are_seen_before_outer_ones_and_what_was_attached_is_found_by_its_type() {
    let mut hand = Hand::new(patient(), Outer(Inner), ());
    let mut client = hand.client();
    assert_eq!(hand.get(&mut client, "/a/b%2Fc").text(), SEEN);
}

#[test]
fn what_is_put_aside_before_a_body_is_the_decision_and_an_answer_is_itself() {
    let mut hand = Hand::new(patient(), Outer(Inner), ());
    for (path, body, status, text) in [
        ("/refused", "abc", 403, "refused"),
        ("/a/no", "abc", 400, "no"),
        ("/a/b%2Fc", "abc", 200, &[SEEN, "abc"].concat()),
        ("/a/b", "abcd", 413, "the body is too large\n"),
    ] {
        hand.settle();
        let mut client = hand.client();
        let length = body.len();
        client.send(format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}"
        ));
        let answer = hand.answer(&mut client);
        assert_eq!((answer.status, answer.text()), (status, text), "{path}");
    }
}

#[test]
fn a_decision_that_is_put_aside_and_lost_is_no_answer() {
    let handler = |_: &Request<'_>, _: ResponseWriter<'_>| Intake::Buffer(1).put_aside(&mut None);
    let mut hand = Hand::new(patient(), handler, ());
    let mut client = hand.client();
    assert_eq!(hand.get(&mut client, "/").status, 500);
}
