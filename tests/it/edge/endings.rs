//! How connections end, and what must not be lost then: rules 6, 7 and 10.

use core::cell::Cell;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::rc::Rc;
use std::time::Duration;

use edgeloop::server::{CloseReason, Linger};
use edgeloop::{Client as Peer, Handler, Limits, Reply, Request, ResponseWriter, Server};

use super::client::{Client, End, get, post, post_chunked};
use super::exhausted::child;
use super::serve::{
    CONTENT, Hand, Happened, PATIENCE, Waiting, Watch, app, deferring, hand, running, watched,
};

/// [`app`], and how often it was asked.
fn counting() -> (Rc<Cell<usize>>, impl Handler) {
    let asked = Rc::new(Cell::new(0));
    let count = Rc::clone(&asked);
    let handler = move |req: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
        count.set(count.get() + 1);
        app(req, res)
    };
    (asked, handler)
}

#[test]
fn rule_6_what_was_sent_before_a_reset_is_read_first() {
    let (asked, handler) = counting();
    let watch = Watch::default();
    let mut hand = watched(Limits::default(), handler, watch.clone());
    let mut client = hand.connect();
    client.send([post("/", b"an order"), get("/").into_bytes()].concat());
    client.reset();
    hand.until("it is closed", |hand| hand.event_loop.connections() == 0);
    assert_eq!(asked.get(), 2, "both were acted upon");
    let closed = Happened::Closed(CloseReason::Reset);
    assert_eq!(watch.0.borrow().last(), Some(&closed));
}

#[test]
fn rule_6_what_was_sent_before_a_close_is_read_first() {
    let (asked, handler) = counting();
    let mut hand = hand(Limits::default(), handler);
    let mut client = hand.connect();
    client.send(get("/").repeat(3));
    drop(client);
    hand.until("it is closed", |hand| hand.event_loop.connections() == 0);
    assert_eq!(asked.get(), 3);
}

/// There, a close hangs up both directions at once.
#[test]
fn rule_6_what_was_sent_before_a_hang_up_on_a_unix_socket_is_read_first() {
    let path = std::env::temp_dir().join(format!("edgeloop-hangup-{}", std::process::id()));
    let server = Server::bind(&format!("unix:{}", path.display())).expect("a free path");
    let (asked, handler) = counting();
    let mut event_loop = server.event_loop(handler, ()).expect("starts");
    let mut client = UnixStream::connect(&path).expect("it listens");
    client
        .write_all(get("/").repeat(3).as_bytes())
        .expect("room");
    drop(client);
    for _ in 0..10 {
        event_loop.turn(Some(Duration::ZERO)).expect("epoll works");
    }
    std::fs::remove_file(path).expect("it is there");
    assert_eq!((asked.get(), event_loop.connections()), (3, 0));
}

#[test]
fn rule_6_a_client_that_has_only_finished_gets_the_whole_large_answer() {
    for path in ["/constant/3000000", "/stream/3000000", "/body/3000000"] {
        let mut hand = hand(Limits::default(), app);
        let mut client = hand.connect();
        client.get(path);
        client.finish();
        hand.settle();
        hand.until("the end", |_| {
            client.receive_most(50_000);
            client.end.is_some()
        });
        assert_eq!(client.end, Some(End::Finished));
        assert!(
            client.answers()[0] == (200, &CONTENT[..3_000_000]),
            "{path}"
        );
    }
}

#[test]
fn rule_6_a_late_answer_reaches_a_client_that_has_only_finished() {
    let waiting = Waiting::default();
    let mut hand = hand(Limits::default(), deferring(&waiting));
    for finishes_later in [false, true] {
        let mut client = hand.connect();
        client.get("/later");
        if finishes_later {
            hand.settle();
        }
        client.finish();
        hand.until("it is asked", |_| !waiting.borrow().is_empty());
        let completer = waiting.borrow_mut().pop().expect("it was asked");
        hand.until("the end is known", |_| {
            completer.client() == Peer::HalfClosed
        });
        completer.finish(|res| res.status(200).body("late"));
        hand.end(&mut client);
        assert_eq!(client.answers(), [(200, b"late" as &[u8])]);
        assert_eq!(client.end, Some(End::Finished));
    }
}

#[test]
fn rule_6_a_late_answer_is_given_up_when_its_client_is_gone() {
    let waiting = Waiting::default();
    let mut hand = hand(Limits::default(), deferring(&waiting));
    let mut client = hand.connect();
    client.get("/later");
    hand.until("it is asked", |_| !waiting.borrow().is_empty());
    let completer = waiting.borrow_mut().pop().expect("it was asked");
    assert_eq!(completer.client(), Peer::Open);
    client.reset();
    hand.until("it is closed", |hand| hand.event_loop.connections() == 0);
    assert_eq!(completer.client(), Peer::Gone);
    // Its slot is taken by another one, who gets nothing of it.
    let mut other = hand.connect();
    completer.finish(|res| res.status(200).body("late"));
    hand.settle();
    other.get("/");
    hand.answers(&mut other, 1);
    assert_eq!(other.answers(), [(200, b"hello" as &[u8])]);
}

/// The client sends all of it before it reads.
#[test]
fn rule_7_a_client_that_sends_a_large_unwanted_body_still_reads_the_answer() {
    let server = running(Limits::default(), app);
    let body = &CONTENT[..7_000_000];
    let refused = [
        (post("/", body), 413),
        (post_chunked("/", body), 413),
        ([b"NONSENSE\r\n\r\n" as &[u8], body].concat(), 400),
    ];
    for (request, status) in refused {
        let mut stream = TcpStream::connect(server.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream.set_write_timeout(Some(PATIENCE)).expect("a socket");
        stream.write_all(&request).expect("it is read, not reset");
        let mut client = Client::of(stream);
        super::serve::wait_until("an answer", || {
            client.receive();
            client.end.is_some()
        });
        assert_eq!(client.statuses(), [status]);
        assert_eq!(client.end, Some(End::Finished));
    }
}

#[test]
fn rule_7_bytes_that_come_after_the_last_answer_do_not_reset_it() {
    let far = Duration::from_secs(60);
    let mut hand = hand(lingering(far, far, 16 << 20), app);
    let mut client = hand.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
    hand.settle();
    client.send(&CONTENT[..100_000]);
    hand.settle();
    client.send(&CONTENT[..100_000]);
    // The end comes with the answer, while the connection lingers.
    hand.end(&mut client);
    assert_eq!(client.statuses(), [400]);
    assert_eq!(client.end, Some(End::Finished));
    assert_eq!(hand.event_loop.connections(), 1);
    client.finish();
    hand.until("it is closed", |hand| hand.event_loop.connections() == 0);
}

fn lingering(silence: Duration, time: Duration, bytes_max: u32) -> Limits {
    Limits {
        linger: Linger {
            silence,
            time,
            bytes_max,
        },
        ..Limits::default()
    }
}

#[test]
fn rule_7_lingering_ends_after_its_bytes() {
    let far = Duration::from_secs(60);
    let mut hand = hand(lingering(far, far, 200_000), app);
    let mut client = hand.connect();
    client.send("NONSENSE\r\n\r\n");
    let mut sent = 0;
    hand.until("it is cut", |hand| {
        match client.stream.write(&CONTENT[..10_000]) {
            Ok(count) => sent += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return true,
        }
        hand.event_loop.connections() == 0
    });
    assert!(sent >= 200_000, "{sent}");
}

#[test]
fn rule_7_lingering_ends_after_its_time_although_bytes_come() {
    let far = Duration::from_secs(60);
    let time = Duration::from_millis(200);
    for (silence, time) in [(far, time), (time, far)] {
        let mut hand = hand(lingering(silence, time, u32::MAX), app);
        let mut client = hand.connect();
        client.send("NONSENSE\r\n\r\n");
        hand.until("it is closed", |hand| {
            if silence == far {
                let _ = client.stream.write(b"x"); // it may be over
            }
            hand.event_loop.connections() == 0
        });
    }
}

/// Writes what ends a process that has not asked the kernel otherwise: to clients that have reset.
#[test]
fn rule_10_a_client_that_goes_away_does_not_end_a_process_with_sigpipe_at_its_default() {
    let status = child("edge::endings::with_sigpipe_at_its_default")
        .status()
        .expect("it starts");
    assert_eq!(status.signal(), None, "SIGPIPE is 13");
    assert!(status.success());
}

#[test]
#[ignore = "a process of its own, started by another test"]
fn with_sigpipe_at_its_default() {
    use nix::sys::signal::{SigHandler, Signal, signal};
    // SAFETY: the default action is no handler that could do anything wrong.
    unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) }.expect("a signal");
    let path = std::env::temp_dir().join(format!("edgeloop-sigpipe-{}", std::process::id()));
    std::fs::write(&path, &CONTENT[..7_000_000]).expect("a place for files");
    let file = path.clone();
    let handler = move |req: &Request<'_>, res: ResponseWriter<'_>| match req.path() {
        "/file" => {
            let file = std::fs::File::open(&file).expect("it is there");
            let fd = edgeloop::sys::Fd::from(std::os::fd::OwnedFd::from(file));
            res.status(200).file(fd, 0, 7_000_000)
        }
        _ => app(req, res),
    };
    let mut hand = hand(Limits::default(), handler);
    let ways = [
        "/body/7000000",
        "/constant/7000000",
        "/stream/7000000",
        "/file",
    ];
    for way in ways {
        send_to_who_is_gone(&mut hand, way);
    }
    std::fs::remove_file(path).expect("it is there");
}

fn send_to_who_is_gone<H: Handler>(hand: &mut Hand<H>, way: &str) {
    // In the middle of the answer.
    let mut client = hand.connect();
    client.get(way);
    hand.settle();
    client.receive_most(1 << 20);
    client.reset();
    hand.until("it is closed", |hand| hand.event_loop.connections() == 0);
    // Before it.
    let mut client = hand.connect();
    client.send(get("/") + &get(way));
    client.reset();
    hand.until("it is closed", |hand| hand.event_loop.connections() == 0);
    // Closed, so that only the first send finds out, and the second would signal.
    let mut client = hand.connect();
    client.get(way);
    drop(client);
    hand.until("it is closed", |hand| hand.event_loop.connections() == 0);
    let mut other = hand.connect();
    other.get("/");
    hand.answers(&mut other, 1);
}

/// For who is to see it: no byte of an answer is lost when its client reads it late.
#[test]
fn rule_7_a_last_answer_is_whole_however_late_it_is_read() {
    let mut hand = hand(Limits::default(), app);
    let mut client = hand.connect();
    client.send("GET /constant/1000000 HTTP/1.0\r\n\r\n");
    hand.settle();
    hand.until("the end", |_| {
        client.receive_most(30_000);
        client.end.is_some()
    });
    assert_eq!(client.end, Some(End::Finished));
    assert!(client.answers() == [(200, &CONTENT[..1_000_000])]);
    let mut rest = Vec::new();
    assert_eq!(client.stream.read_to_end(&mut rest).expect("the end"), 0);
}
