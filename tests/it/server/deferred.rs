//! Answers that come later, from anywhere.

use std::collections::HashMap;
use std::sync::mpsc;

use edgeloop::server::CloseReason;
use edgeloop::{Client as Asker, Completer, Limits, Reply, Request, ResponseWriter};

use super::client::End;
use super::hand::Hand;
use super::running::{Running, serve, take, wait};
use super::{ms, patient};

type Deferred = (String, Completer);

/// A server whose paths under `/later` are answered by whoever holds the receiver, and whose others at once.
fn deferring(limits: Limits) -> (Running, mpsc::Receiver<Deferred>) {
    let (to, from) = mpsc::channel();
    let server = serve(
        limits,
        move |req: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
            if !req.path().starts_with("/later") {
                return res.status(200).body(req.path());
            }
            let (completer, reply) = res.defer();
            let _ = to.send((req.path().to_owned(), completer)); // a test that is over takes no more
            reply
        },
    );
    (server, from)
}

fn finish(completer: Completer, text: &'static str) {
    completer.finish(move |res| res.status(200).body(text));
}

fn hasty() -> Limits {
    Limits {
        handler_time: ms(200),
        ..patient()
    }
}

#[test]
fn an_answer_may_come_from_another_thread() {
    let (server, deferred) = deferring(patient());
    let mut client = server.client();
    for _ in 0..3 {
        client.ask("/later");
        let (_, completer) = take(&deferred);
        std::thread::spawn(move || finish(completer, "here it is"))
            .join()
            .expect("no panic");
        assert_eq!(client.answer().text(), "here it is");
    }
    assert_eq!(client.get("/now").text(), "/now");
}

#[test]
fn a_loop_that_is_dropped_takes_its_clients_with_it() {
    let (to, deferred) = mpsc::channel();
    let handler = move |_: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
        let (completer, reply) = res.defer();
        to.send(completer).expect("the test waits for it");
        reply
    };
    let mut hand = Hand::new(patient(), handler, ());
    let mut client = hand.client();
    client.ask("/");
    hand.settle();
    let completer = take(&deferred);
    assert_eq!(completer.client(), Asker::Open);
    drop(hand);
    assert_eq!(completer.client(), Asker::Gone);
}

#[test]
fn an_answer_may_be_given_before_the_handler_returns() {
    let server = serve(
        patient(),
        |_: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
            let (completer, reply) = res.defer();
            finish(completer, "early");
            reply
        },
    );
    let mut client = server.client();
    assert_eq!(client.get("/").text(), "early");
    assert_eq!(client.get("/").text(), "early");
}

#[test]
fn many_clients_wait_at_once_and_get_their_own_answers() {
    let (server, deferred) = deferring(patient());
    let mut clients: Vec<_> = (0..100).map(|_| server.client()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.ask(&format!("/later/{number}"));
    }
    let mut waiting: HashMap<String, Completer> = (0..100).map(|_| take(&deferred)).collect();
    for (number, client) in clients.iter_mut().enumerate().rev() {
        let path = format!("/later/{number}");
        let completer = waiting.remove(&path).expect("deferred");
        let text = path.clone();
        completer.finish(move |res| res.status(200).body(text));
        assert_eq!(client.answer().text(), path);
    }
}

#[test]
fn requests_behind_a_deferred_one_wait_and_are_answered_in_order() {
    let (server, deferred) = deferring(patient());
    let mut client = server.client();
    client.ask("/later/1");
    client.ask("/now");
    client.ask("/later/2");
    client.ask("/end");
    let (path, completer) = take(&deferred);
    assert_eq!(path, "/later/1");
    finish(completer, "one");
    assert_eq!(client.answer().text(), "one");
    assert_eq!(client.answer().text(), "/now");
    let (path, completer) = take(&deferred);
    assert_eq!(path, "/later/2");
    finish(completer, "two");
    assert_eq!(client.answer().text(), "two");
    assert_eq!(client.answer().text(), "/end");
}

#[test]
fn an_answer_that_does_not_come_in_time_is_503_and_does_nothing_when_it_comes() {
    let (server, deferred) = deferring(hasty());
    let mut client = server.client();
    client.ask("/later/first");
    assert_eq!(client.answer().status, 503);
    let (_, late) = take(&deferred);
    assert_eq!(late.client(), Asker::Gone);
    // The next request of the same connection waits as well: the late answer is not for it.
    client.ask("/later/second");
    let (_, completer) = take(&deferred);
    finish(late, "of the first");
    finish(completer, "of the second");
    assert_eq!(client.answer().text(), "of the second");
    assert_eq!(client.get("/now").text(), "/now");
}

#[test]
fn a_late_answer_does_nothing_to_a_later_connection() {
    let (server, deferred) = deferring(patient());
    let mut gone = server.client();
    gone.ask("/later/gone");
    let (_, late) = take(&deferred);
    gone.reset();
    server.log.wait_closed(1);
    let mut next = server.client();
    next.ask("/later/next");
    let (_, completer) = take(&deferred);
    finish(late, "for who is gone");
    finish(completer, "for the next");
    assert_eq!(next.answer().text(), "for the next");
}

#[test]
fn a_completer_that_is_dropped_answers_500() {
    let (server, deferred) = deferring(patient());
    let mut client = server.client();
    client.ask("/later");
    drop(take(&deferred));
    assert_eq!(client.answer().status, 500);
    assert_eq!(client.get("/now").text(), "/now");
}

#[test]
fn a_completer_that_outlives_its_server_does_nothing() {
    let (server, deferred) = deferring(patient());
    let mut client = server.client();
    client.ask("/later");
    let (_, completer) = take(&deferred);
    drop(server);
    assert_eq!(completer.client(), Asker::Gone);
    finish(completer, "too late");
    client.rest();
}

#[test]
fn a_continuation_may_panic_write_a_bad_field_or_put_it_off_again() {
    let (server, deferred) = deferring(patient());
    let mut client = server.client();
    client.ask("/later");
    let (_, completer) = take(&deferred);
    completer.finish(|res| res.status(200).field("X", "a\r\nb").body("c"));
    assert_eq!(client.answer().status, 500);

    client.ask("/later");
    let (to, again) = mpsc::channel();
    let (_, completer) = take(&deferred);
    completer.finish(move |res| {
        let (completer, reply) = res.defer();
        to.send(completer).expect("taken");
        reply
    });
    finish(take(&again), "at last");
    assert_eq!(client.answer().text(), "at last");

    client.ask("/later");
    let (_, completer) = take(&deferred);
    completer.finish(|_| panic!("a panic that belongs to a test"));
    let answer = client.answer();
    assert_eq!((answer.status, answer.closes()), (500, true));
    assert_eq!(client.end(), End::Finished);
    assert_eq!(server.client().get("/now").text(), "/now");
}

#[test]
fn a_completer_knows_whether_its_client_waits() {
    let (server, deferred) = deferring(patient());
    let mut client = server.client();
    client.ask("/later/patient");
    let (_, completer) = take(&deferred);
    assert_eq!(completer.client(), Asker::Open);
    client.finish();
    wait("half-closed", || completer.client() == Asker::HalfClosed);
    finish(completer, "all the same");
    assert_eq!(client.answer().text(), "all the same");
    assert_eq!(client.end(), End::Finished);

    let mut client = server.client();
    client.ask("/later/gone");
    let (_, completer) = take(&deferred);
    client.reset();
    wait("gone", || completer.client() == Asker::Gone);
    assert_eq!(server.log.wait_closed(2)[1], CloseReason::Reset);
    finish(completer, "to nobody");
}

#[test]
fn a_client_that_sent_everything_at_once_is_seen_half_closed() {
    let (server, deferred) = deferring(patient());
    let mut client = server.client();
    client.ask("/later/1");
    client.ask("/later/2");
    client.finish();
    for text in ["one", "two"] {
        let (_, completer) = take(&deferred);
        wait("half-closed", || completer.client() == Asker::HalfClosed);
        finish(completer, text);
        assert_eq!(client.answer().text(), text);
    }
    assert_eq!(client.end(), End::Finished);
}
