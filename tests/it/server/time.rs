//! What time does to a connection: PROTOCOL's rows that begin with "not in time".

use std::cell::RefCell;
use std::io::Write;
use std::rc::Rc;
use std::time::Instant;

use edgeloop::http::Length;
use edgeloop::server::{BodyWriter, CloseReason, Intake, Progress, Pull, Source};
use edgeloop::{Handler, Limits, Reply, Request, ResponseWriter};

use super::client::{Client, End};
use super::hand::Hand;
use super::running::{Log, Seen, mirror, serve, serve_with};
use super::{PATIENCE, ms, patient};

fn heads_in(milliseconds: u64) -> Limits {
    Limits {
        head_time: ms(milliseconds),
        ..patient()
    }
}

/// `start` to begin with, and a rate that only counts where a test moves bytes.
fn progress(start: u64, bytes_per_second: u32, most: u64) -> Limits {
    Limits {
        progress: Progress {
            start: ms(start),
            bytes_per_second,
            most: ms(most),
        },
        ..patient()
    }
}

/// Sends `byte` again and again until something comes back.
fn drip(client: &mut Client, byte: &[u8]) {
    let begun = Instant::now();
    while client.text().is_empty() && client.poll_end().is_none() {
        assert!(begun.elapsed() < PATIENCE, "dripping goes on for ever");
        let _ = client.stream.write(byte); // it may have been closed at this moment
        std::thread::sleep(ms(10));
    }
}

#[test]
fn a_head_that_is_not_whole_in_time_is_answered_408() {
    let server = serve(heads_in(300), mirror);
    let mut silent = server.client();
    silent.send("GET / HTTP/1.1\r\nHo");
    let mut dripping = server.client();
    dripping.send("GET / HTTP/1.1\r\nHost: a\r\nX: ");
    let mut second = server.client();
    assert_eq!(second.get("/first").status, 200);
    second.send("G");
    drip(&mut dripping, b"x");
    for mut client in [silent, dripping, second] {
        let answer = client.answer();
        assert_eq!((answer.status, answer.closes()), (408, true));
        client.finish();
        assert_ne!(client.rest().0.len(), 1, "nothing follows");
    }
    assert_eq!(server.log.wait_closed(3), [CloseReason::WeAsked; 3]);
}

#[test]
fn who_never_sends_a_byte_is_closed_without_a_word() {
    let server = serve(heads_in(200), mirror);
    assert_eq!(server.client().end(), End::Finished);
    assert_eq!(server.log.wait_closed(1), [CloseReason::Idle]);
}

#[test]
fn a_malformed_unfinished_head_is_answered_400_at_its_deadline() {
    let mut hand = Hand::new(heads_in(200), mirror, ());
    let mut client = hand.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n");
    hand.settle();
    client.send("Bad : x\r\n");
    let answer = hand.answer(&mut client);
    assert_eq!((answer.status, answer.closes()), (400, true));
}

#[test]
fn a_body_that_stops_or_comes_too_slowly_is_answered_408() {
    let server = serve(progress(300, 1 << 20, 600), mirror);
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n";
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut clients = [head, head, chunked].map(|head| {
        let mut client = server.client();
        client.send(head);
        client
    });
    clients[1].send("some of it");
    clients[2].send("5\r\nabc");
    drip(&mut clients[0], b"x");
    for mut client in clients {
        let answer = client.answer();
        assert_eq!((answer.status, answer.closes()), (408, true));
    }
}

#[test]
fn a_body_that_keeps_the_rate_may_take_its_time() {
    let server = serve(progress(1000, 1000, 2000), mirror);
    let mut client = server.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30000\r\n\r\n");
    // Ten times the rate, and longer than what it starts with.
    let begun = Instant::now();
    for _ in 0..100 {
        client.send([b'x'; 300]);
        std::thread::sleep(ms(15));
    }
    assert!(begun.elapsed() > ms(1000));
    assert_eq!(client.answer().status, 200);
}

#[test]
fn a_connection_that_idles_too_long_is_closed() {
    let limits = Limits {
        idle_time: ms(200),
        ..patient()
    };
    let server = serve(limits, mirror);
    let mut client = server.client();
    assert_eq!(client.get("/").status, 200);
    assert_eq!(client.get("/again").status, 200);
    assert_eq!(client.end(), End::Finished);
    assert_eq!(server.log.wait_closed(1), [CloseReason::Idle]);
}

#[test]
fn a_request_that_comes_as_the_deadline_does_is_answered() {
    let late: Rc<RefCell<Option<Client>>> = Rc::default();
    let sender = Rc::clone(&late);
    let handler = move |req: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
        // After this turn's wait, and before deadlines are looked at.
        if let ("/trigger", Some(idle)) = (req.path(), &mut *sender.borrow_mut()) {
            idle.ask("/just-in-time");
        }
        res.status(200).body(req.path())
    };
    let limits = Limits {
        idle_time: ms(200),
        ..patient()
    };
    let mut hand = Hand::new(limits, handler, ());
    let mut trigger = hand.client();
    let mut idle = hand.client();
    assert_eq!(hand.get(&mut idle, "/").status, 200);
    *late.borrow_mut() = Some(idle);
    trigger.ask("/trigger");
    std::thread::sleep(ms(400)); // the deadline is over, and the loop has not turned since
    let turn = hand.event_loop.turn(Some(ms(0))).expect("turns");
    assert_eq!(turn.events, 1, "the trigger alone");
    let mut idle = late.take().expect("put there");
    assert_eq!(hand.answer(&mut idle).text(), "/just-in-time");
    assert_eq!(hand.end(&mut idle), End::Finished);
}

/// Answers before the body.
struct Hasty;

impl Handler for Hasty {
    fn on_request(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
        mirror(req, res)
    }

    fn intake(&mut self, _: &Request<'_>, res: ResponseWriter<'_>) -> Intake {
        Intake::Answer(res.status(403).empty())
    }
}

#[test]
fn a_body_that_nobody_wants_any_more_is_not_waited_for_long() {
    let server = serve_with(progress(200, 1 << 20, 400), |_| Hasty);
    let mut clients = [(); 2].map(|()| {
        let mut client = server.client();
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\nsome");
        let answer = client.answer();
        assert_eq!((answer.status, answer.closes()), (403, false));
        client
    });
    drip(&mut clients[1], b"x");
    for client in &mut clients {
        assert!(client.rest().0.is_empty());
    }
    assert_eq!(server.log.wait_closed(2), [CloseReason::BodyTooSlow; 2]);
}

const BIG: usize = 12 << 20;
static BIG_BODY: [u8; BIG] = [b'x'; BIG];

fn big(req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
    match req.path() {
        "/body" => res.status(200).body(&BIG_BODY[..]),
        "/stream" => res.status(200).stream(Length::Unknown, Endless),
        _ => res.status(200).constant(&BIG_BODY),
    }
}

struct Endless;

impl Source for Endless {
    fn pull(&mut self, body: &mut BodyWriter<'_>) -> Pull {
        body.write(&BIG_BODY[..body.room()]);
        Pull::More
    }
}

/// Takes so little into its own buffers that the server sees what it reads.
fn small_window(client: &Client) {
    use nix::sys::socket::{setsockopt, sockopt};
    setsockopt(&client.stream, sockopt::RcvBuf, &(64 << 10)).expect("TCP");
}

#[test]
fn a_client_that_does_not_read_its_answer_is_reset() {
    let server = serve(progress(200, 1 << 20, 400), big);
    let mut clients = ["/body", "/constant", "/stream"].map(|path| {
        let mut client = server.client();
        small_window(&client);
        client.ask(path);
        client
    });
    assert_eq!(server.log.wait_closed(3), [CloseReason::ReaderTooSlow; 3]);
    for client in &mut clients {
        let (bytes, end) = client.rest();
        assert_eq!(end, End::Reset);
        assert!(bytes.len() < BIG);
    }
}

#[test]
fn a_client_that_reads_below_the_rate_is_reset() {
    let server = serve(progress(300, 16 << 20, 600), big);
    let mut client = server.client();
    small_window(&client);
    client.ask("/");
    let begun = Instant::now();
    let mut piece = [0; 1 << 10];
    while server.log.closed().is_empty() {
        assert!(begun.elapsed() < PATIENCE, "a trickle goes on for ever");
        let _ = std::io::Read::read(&mut client.stream, &mut piece); // the reset may come at this moment
        std::thread::sleep(ms(10));
    }
    assert_eq!(server.log.closed(), [CloseReason::ReaderTooSlow]);
}

#[test]
fn a_client_that_reads_slowly_but_steadily_gets_everything() {
    let server = serve(progress(500, 64 << 10, 1000), big);
    let mut client = server.client();
    small_window(&client);
    client.ask("/");
    let begun = Instant::now();
    let mut taken = 0;
    let mut piece = vec![0; 96 << 10];
    while taken < BIG {
        taken += std::io::Read::read(&mut client.stream, &mut piece).expect("it goes on");
        if begun.elapsed() < ms(1800) {
            std::thread::sleep(ms(10));
        }
    }
    assert!(begun.elapsed() > ms(1000), "longer than it starts with");
    assert_eq!(server.log.closed(), []);
}

#[test]
fn who_is_in_the_run_queue_is_never_expired() {
    let limits = Limits {
        head_time: ms(100),
        idle_time: ms(100),
        request_budget: 1,
        ..patient()
    };
    let log = Log::default();
    let mut hand = Hand::new(limits, mirror, log.clone());
    let mut client = hand.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(10));
    let answered = |log: &Log| {
        let all = log.all();
        all.iter()
            .filter(|seen| matches!(seen, Seen::Answered(..)))
            .count()
    };
    hand.until("the first answer", |_| answered(&log) > 0);
    for turn in 2..=10 {
        std::thread::sleep(ms(220)); // every deadline that it had is over
        hand.event_loop.turn(Some(ms(0))).expect("turns");
        assert_eq!(
            (answered(&log), log.closed()),
            (turn, vec![]),
            "one a turn, none expires"
        );
    }
    hand.until("it idles too long", |_| log.closed() == [CloseReason::Idle]);
    for _ in 0..10 {
        assert_eq!(client.answer().status, 200);
    }
    assert_eq!(client.end(), End::Finished);
}
