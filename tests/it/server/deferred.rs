//! Answers that come later, from anywhere.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread::{self, ThreadId};

use edgeloop::server::CloseReason;
use edgeloop::{
    Client as Asker, Completer, Limits, Promise, Reply, Request, ResponseWriter, field_name,
};

use super::client::End;
use super::hand::Hand;
use super::running::{Running, serve, serve_with, take, wait};
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
    completer.finish(|res| res.status(200).field(field_name!("X"), "a\r\nb").body("c"));
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

/// Says on which thread it was dropped.
struct Tell(mpsc::Sender<ThreadId>);

impl Drop for Tell {
    fn drop(&mut self) {
        let _ = self.0.send(thread::current().id()); // a test that is over hears nothing
    }
}

/// What a test has of a request under `/later`.
struct Promised {
    promise: Promise<String>,
    /// Where the loop runs.
    worker: ThreadId,
    /// Hears when and where the continuation is dropped.
    dropped: mpsc::Receiver<ThreadId>,
}

/// A server whose paths under `/later` are answered when there is a value, and whose others at once. Answers are counted
/// by what is not `Send`.
fn promising(limits: Limits) -> (Running, mpsc::Receiver<Promised>) {
    let (to, from) = mpsc::channel();
    let server = serve_with(limits, move |_| {
        let (to, count) = (to.clone(), Rc::new(Cell::new(0)));
        move |req: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
            if !req.path().starts_with("/later") {
                return res.status(200).body(req.path());
            }
            let res = match req.query() {
                Some("hurry") => res.deadline(ms(200)),
                Some("easy") => res.deadline(ms(60_000)),
                _ => res,
            };
            let (drops, dropped) = mpsc::channel();
            let (count, tell) = (Rc::clone(&count), Tell(drops));
            let (promise, reply) = res.defer_with(move |value: String, res| {
                let _captured = &tell;
                assert_ne!(value, "panic", "a panic that belongs to a test");
                if value == "again" {
                    let (promise, reply) = res.defer();
                    thread::spawn(move || {
                        while promise.client() != Asker::Gone {
                            thread::sleep(ms(1));
                        }
                    });
                    return reply;
                }
                count.set(count.get() + 1);
                res.status(200).body(format!("{value} {}", count.get()))
            });
            let _ = to.send(Promised {
                promise,
                worker: thread::current().id(),
                dropped,
            });
            reply
        }
    });
    (server, from)
}

fn fulfil(promise: Promise<String>, value: &str) {
    let value = value.to_owned();
    thread::spawn(move || promise.finish(value))
        .join()
        .expect("no panic");
}

#[test]
fn a_value_travels_and_its_continuation_stays() {
    let (server, promised) = promising(patient());
    let mut client = server.client();
    for number in 1..4 {
        client.ask("/later");
        let asked = take(&promised);
        assert_eq!(asked.promise.client(), Asker::Open);
        fulfil(asked.promise, "number");
        assert_eq!(client.answer().text(), format!("number {number}"));
        assert_eq!(take(&asked.dropped), asked.worker);
    }
}

#[test]
fn a_value_may_be_there_before_the_handler_returns() {
    let server = serve(patient(), |_: &Request<'_>, res: ResponseWriter<'_>| {
        let (promise, reply) = res.defer_with(|value: u32, res| res.status(value as u16).empty());
        promise.finish(204);
        reply
    });
    let mut client = server.client();
    assert_eq!(client.get("/").status, 204);
    assert_eq!(client.get("/").status, 204);
}

#[test]
fn a_promise_that_is_dropped_answers_500() {
    let (server, promised) = promising(patient());
    let mut client = server.client();
    client.ask("/later");
    let asked = take(&promised);
    drop(asked.promise);
    assert_eq!(client.answer().status, 500);
    assert_eq!(take(&asked.dropped), asked.worker);
    assert_eq!(client.get("/now").text(), "/now");
}

#[test]
fn a_continuation_that_panics_costs_its_connection() {
    let (server, promised) = promising(patient());
    let mut client = server.client();
    client.ask("/later");
    let asked = take(&promised);
    fulfil(asked.promise, "panic");
    let answer = client.answer();
    assert_eq!((answer.status, answer.closes()), (500, true));
    assert_eq!(server.log.troubles(), ["HandlerPanicked"]);
    assert_eq!(server.client().get("/now").text(), "/now");
}

#[test]
fn a_continuation_is_dropped_on_the_loop_when_its_client_goes() {
    let (server, promised) = promising(patient());
    let mut client = server.client();
    client.ask("/later");
    let asked = take(&promised);
    client.reset();
    assert_eq!(take(&asked.dropped), asked.worker);
    assert_eq!(asked.promise.client(), Asker::Gone);
    fulfil(asked.promise, "for nobody");
    assert_eq!(server.client().get("/now").text(), "/now");
}

#[test]
fn a_continuation_is_dropped_on_the_loop_when_its_time_is_over() {
    let (server, promised) = promising(hasty());
    let mut client = server.client();
    client.ask("/later");
    let asked = take(&promised);
    assert_eq!(client.answer().status, 503);
    assert_eq!(take(&asked.dropped), asked.worker);
    assert_eq!(asked.promise.client(), Asker::Gone);
    // The next one on the same connection has a continuation for the same type.
    client.ask("/later");
    let next = take(&promised);
    fulfil(asked.promise, "too late");
    fulfil(next.promise, "in time");
    assert_eq!(client.answer().text(), "in time 1");
}

#[test]
fn a_request_may_have_less_time_than_others() {
    let (server, promised) = promising(patient());
    let mut client = server.client();
    client.ask("/later?hurry");
    assert_eq!(client.answer().status, 503);
    let late = take(&promised);
    assert_eq!(late.promise.client(), Asker::Gone);
    // The next one has all the time again.
    client.ask("/later");
    let next = take(&promised);
    fulfil(next.promise, "in time");
    assert_eq!(client.answer().text(), "in time 1");
}

#[test]
fn a_request_may_have_more_time_than_others() {
    let (server, promised) = promising(hasty());
    let (mut easy, mut other) = (server.client(), server.client());
    easy.ask("/later?easy");
    let asked = take(&promised);
    other.ask("/later");
    assert_eq!(other.answer().status, 503);
    // What was asked before is still waited for.
    assert_eq!(asked.promise.client(), Asker::Open);
    fulfil(asked.promise, "after all");
    assert_eq!(easy.answer().text(), "after all 1");
}

#[test]
fn an_answer_that_is_put_off_again_has_no_more_time() {
    let (server, promised) = promising(patient());
    let mut client = server.client();
    client.ask("/later?hurry");
    fulfil(take(&promised).promise, "again");
    assert_eq!(client.answer().status, 503);
    assert_eq!(client.get("/now").text(), "/now");
}

/// While an earlier answer is unread nobody looks at the clock for the next one; afterwards it is too late at once.
#[test]
fn the_time_of_a_request_passes_while_an_earlier_answer_is_sent() {
    static LONG: [u8; 32 << 20] = [b'x'; 32 << 20];
    let (to, from) = mpsc::channel();
    let server = serve(
        patient(),
        move |req: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
            if req.path() == "/long" {
                return res.status(200).constant(&LONG);
            }
            let (completer, reply) = res.deadline(ms(100)).defer();
            let _ = to.send(completer); // a test that is over takes no more
            reply
        },
    );
    let mut client = server.client();
    client.ask("/long");
    client.ask("/later");
    assert_eq!(client.answer().body.len(), LONG.len());
    assert_eq!(client.answer().status, 503);
    assert_eq!(take(&from).client(), Asker::Gone);
}

#[test]
fn nobody_waits_for_what_a_handler_put_off_before_it_panicked() {
    let (to, deferred) = mpsc::channel();
    let server = serve(
        patient(),
        move |_: &Request<'_>, res: ResponseWriter<'_>| {
            let (completer, _reply) = res.defer();
            let _ = to.send(completer); // a test that is over takes no more
            panic!("a panic that belongs to a test")
        },
    );
    let mut client = server.client();
    assert_eq!(client.get("/").status, 500);
    assert_eq!(take(&deferred).client(), Asker::Gone);
}
