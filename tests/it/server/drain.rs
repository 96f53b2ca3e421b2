//! Stopping: gracefully without losing a request, or at once.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Instant;

use edgeloop::http::Length;
use edgeloop::server::{BodyWriter, CloseReason, Pull, Source};
use edgeloop::{Completer, Limits, Reply, Request, ResponseWriter, Server, Signals};

use super::client::{Client, End};
use super::hand::Hand;
use super::running::{Log, Running, mirror, run, serve, take, wait};
use super::{PATIENCE, ms, patient};

fn deferring(limits: Limits) -> (Running, mpsc::Receiver<Completer>) {
    let (to, from) = mpsc::channel();
    let server = serve(
        limits,
        move |req: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
            if req.path() != "/later" {
                return res.status(200).body(req.path());
            }
            let (completer, reply) = res.defer();
            let _ = to.send(completer); // a test that is over takes no more
            reply
        },
    );
    (server, from)
}

fn refused(server: &Running) -> bool {
    TcpStream::connect_timeout(&server.address, ms(200)).is_err()
}

#[test]
fn a_drain_finishes_what_was_asked_and_takes_nobody_new() {
    let limits = Limits {
        drain_grace: ms(5_000),
        ..patient()
    };
    let (server, deferred) = deferring(limits);
    let mut waiting = server.client();
    waiting.ask("/later");
    let completer = take(&deferred);
    let mut half = server.client();
    half.send("POST /half HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo");
    let mut idle = server.client();
    assert!(!idle.get("/idle").closes());
    let mut mute = server.client();
    assert_eq!(server.client().get("/accepted").status, 200);

    server.handle.drain();
    wait("the listener is closed", || refused(&server));
    server.handle.drain(); // a second time means nothing

    for (client, bytes) in [
        (&mut idle, "GET /on-its-way HTTP/1.1\r\nHost: a\r\n\r\n"),
        (&mut mute, "GET /on-its-way HTTP/1.1\r\nHost: a\r\n\r\n"),
        (&mut half, "dy"),
    ] {
        client.send(bytes);
        let answer = client.answer();
        assert_eq!((answer.status, answer.closes()), (200, true));
        assert_eq!(client.end(), End::Finished);
    }
    completer.finish(|res| res.status(200).body("here it is"));
    let answer = waiting.answer();
    assert_eq!((answer.text(), answer.closes()), ("here it is", true));
    assert_eq!(waiting.end(), End::Finished);
    drop((waiting, half, idle, mute));
    assert_eq!(server.join().cut, 0);
}

#[test]
fn idle_connections_end_after_their_grace() {
    let limits = Limits {
        drain_grace: ms(200),
        ..patient()
    };
    let server = serve(limits, mirror);
    let mut idle = server.client();
    assert_eq!(idle.get("/").status, 200);
    let mut mute = server.client();
    wait("it is accepted", || server.log.accepted() == 2);
    server.handle.drain();
    assert_eq!(idle.end(), End::Finished);
    assert_eq!(mute.end(), End::Finished);
    let log = server.log.clone();
    assert_eq!(server.join().cut, 0);
    assert_eq!(log.closed(), [CloseReason::Idle; 2]);
}

#[test]
fn what_takes_longer_than_a_drain_is_cut_and_counted() {
    let limits = Limits {
        drain_time: ms(300),
        drain_grace: ms(100),
        ..patient()
    };
    let (server, deferred) = deferring(limits);
    let mut clients: Vec<_> = (0..3).map(|_| server.client()).collect();
    clients[0].ask("/later");
    clients[1].ask("/later");
    clients[2].send("GET /unfinished");
    let completers = [take(&deferred), take(&deferred)];
    wait("it is accepted", || server.log.accepted() == 3);
    server.handle.drain();
    for client in &mut clients {
        client.end();
    }
    let log = server.log.clone();
    assert_eq!(server.join().cut, 3);
    assert_eq!(log.closed(), [CloseReason::Stopped; 3]);
    drop(completers); // nobody is there for them
}

#[test]
fn a_stop_cuts_at_once() {
    for drain_first in [false, true] {
        let (server, deferred) = deferring(patient());
        let mut waiting = server.client();
        waiting.ask("/later");
        let completer = take(&deferred);
        let mut idle = server.client();
        assert_eq!(idle.get("/").status, 200);
        if drain_first {
            server.handle.drain();
            assert_eq!(idle.end(), End::Finished);
        }
        server.handle.stop();
        waiting.end();
        idle.rest();
        let cut = if drain_first { 1 } else { 2 };
        assert_eq!(server.join().cut, cut);
        drop(completer);
    }
}

struct Endless;

impl Source for Endless {
    fn pull(&mut self, body: &mut BodyWriter<'_>) -> Pull {
        body.write(&[b'x'; 10_000]);
        Pull::More
    }
}

#[test]
fn an_answer_that_a_stop_cuts_does_not_look_whole() {
    for length in [Length::Unknown, Length::Known(u64::MAX)] {
        let server = serve(
            patient(),
            move |_: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
                res.status(200).stream(length, Endless)
            },
        );
        // Here content of unknown length ends with the connection.
        let mut client = server.client();
        client.send("GET / HTTP/1.0\r\n\r\n");
        client.receive();
        server.handle.stop();
        assert_eq!(client.rest().1, End::Reset);
        assert_eq!(server.join().cut, 1);
    }
}

#[test]
fn an_answer_under_way_is_sent_whole_before_the_end() {
    static BIG: [u8; 8 << 20] = [b'x'; 8 << 20];
    let server = serve(
        patient(),
        |_: &Request<'_>, res: ResponseWriter<'_>| -> Reply { res.status(200).constant(&BIG) },
    );
    let mut client = server.client();
    client.ask("/");
    client.receive();
    server.handle.drain();
    wait("the listener is closed", || refused(&server));
    assert_eq!(client.answer().body.len(), BIG.len());
    assert_eq!(client.end(), End::Finished);
    assert_eq!(server.join().cut, 0);
}

#[test]
fn pipelined_requests_get_one_last_answer() {
    let (server, deferred) = deferring(patient());
    let mut client = server.client();
    client.ask("/later");
    client.ask("/after");
    let completer = take(&deferred);
    server.handle.drain();
    wait("the listener is closed", || refused(&server));
    completer.finish(|res| res.status(200).body("the last"));
    let answer = client.answer();
    assert_eq!((answer.text(), answer.closes()), ("the last", true));
    assert_eq!(client.end(), End::Finished);
}

#[test]
fn who_is_in_the_accept_queue_is_served() {
    let limits = Limits {
        accept_budget: 1,
        ..patient()
    };
    let mut hand = Hand::new(limits, mirror, Log::default());
    // Nobody has accepted them when the drain begins, and some have not even sent anything.
    let mut clients: Vec<_> = (0..300).map(|_| Client::connect(hand.address)).collect();
    for client in clients.iter_mut().step_by(2) {
        client.ask("/");
    }
    hand.event_loop.handle().drain();
    hand.event_loop.turn(Some(ms(0))).expect("turns");
    // Whoever is not in the queue by now stays outside: no handshake begins any more.
    let late = TcpStream::connect_timeout(&hand.address, ms(50));
    assert_eq!(
        late.expect_err("dropped").kind(),
        std::io::ErrorKind::TimedOut
    );
    hand.event_loop.turn(Some(ms(0))).expect("turns");
    assert_eq!(hand.event_loop.connections(), clients.len());
    for client in clients.iter_mut().skip(1).step_by(2) {
        client.ask("/");
    }
    for mut client in clients {
        let answer = hand.answer(&mut client);
        assert_eq!((answer.status, answer.closes()), (200, true));
    }
    hand.until("it stops", |hand| hand.event_loop.is_stopped());
}

#[test]
fn a_listener_outlives_the_handshakes_that_have_begun() {
    let limits = Limits {
        last_calls: ms(60_000),
        ..patient()
    };
    let mut hand = Hand::new(limits, mirror, Log::default());
    let mut early = Client::connect(hand.address);
    hand.event_loop.handle().drain();
    hand.settle();
    let late = TcpStream::connect_timeout(&hand.address, ms(50));
    assert_eq!(
        late.expect_err("dropped").kind(),
        std::io::ErrorKind::TimedOut,
        "nobody listens any more"
    );
    early.ask("/");
    assert_eq!(hand.answer(&mut early).status, 200);
    hand.event_loop.handle().stop();
    hand.until("it stops", |hand| hand.event_loop.is_stopped());
}

#[test]
fn who_has_connected_to_a_unix_socket_is_served_and_nobody_else_finds_it() {
    let path = std::env::temp_dir().join(format!("edgeloop-last-{}.sock", std::process::id()));
    let limits = Limits {
        accept_budget: 1,
        last_calls: ms(60_000), // on TCP
        ..patient()
    };
    let server = Server::bind(&format!("unix:{}", path.display())).expect("a free path");
    let mut server = server
        .limits(limits)
        .event_loop(mirror, ())
        .expect("a loop");
    let mut clients: Vec<_> = (0..20)
        .map(|_| {
            let mut client = UnixStream::connect(&path).expect("it listens");
            write!(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").expect("connected");
            client
        })
        .collect();
    server.handle().drain();
    server.turn(Some(ms(0))).expect("turns");
    assert!(!path.exists());
    wait("it stops", || {
        server.turn(Some(ms(1))).expect("turns");
        server.is_stopped()
    });
    for client in &mut clients {
        let mut answer = String::new();
        client.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    }
}

/// Asks on one connection after another until there is no server any more: how many answers.
fn ask_on_and_on(address: std::net::SocketAddr, over: &AtomicBool) -> usize {
    let begun = Instant::now();
    let mut answers = 0;
    while begun.elapsed() < PATIENCE {
        let Ok(stream) = TcpStream::connect_timeout(&address, ms(100)) else {
            if over.load(Ordering::Acquire) {
                return answers;
            }
            continue;
        };
        // A connection is a promise: a request on it is answered.
        let mut client = Client::new(stream);
        assert_eq!(client.get("/").text(), "GET / ");
        answers += 1;
        // And another one until the server says that it was the last, or closes an idle connection.
        client.send("GET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        client.rest();
    }
    panic!("the server goes on and on")
}

#[test]
fn fifty_drains_lose_no_connection() {
    let mut answers = 0;
    for round in 0..50 {
        let server = serve(patient(), mirror);
        let over = AtomicBool::new(false);
        answers += std::thread::scope(|scope| {
            let clients = [(); 4].map(|()| scope.spawn(|| ask_on_and_on(server.address, &over)));
            wait("it is under way", || server.log.accepted() > 20 + round % 7);
            server.handle.drain();
            over.store(true, Ordering::Release);
            clients
                .into_iter()
                .map(|client| client.join().expect("no connection was lost"))
                .sum::<usize>()
        });
        assert_eq!(server.join().cut, 0);
    }
    assert!(answers > 50 * 20);
}

#[test]
fn a_unix_socket_is_removed_at_the_end() {
    let path = std::env::temp_dir().join(format!("edgeloop-it-{}.sock", std::process::id()));
    let server = Server::bind("127.0.0.1:0")
        .and_then(|server| server.and_bind(&format!("unix:{}", path.display())))
        .expect("both are free");
    let server = run(server.limits(patient()), |_| mirror);
    let mut stream = UnixStream::connect(&path).expect("it listens");
    stream
        .write_all(b"GET /unix HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .expect("connected");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.ends_with("GET /unix "), "{answer}");
    assert_eq!(server.client().get("/tcp").text(), "GET /tcp ");
    server.handle.drain();
    assert_eq!(server.join().cut, 0);
    assert!(!path.exists());
}

#[test]
fn the_socket_of_a_server_that_succeeds_one_that_drains_stays() {
    let path = std::env::temp_dir().join(format!("edgeloop-next-{}.sock", std::process::id()));
    let address = format!("unix:{}", path.display());
    let begin = || Some(Server::bind(&address).ok()?.limits(patient()));
    let (to, deferred) = mpsc::channel();
    let handler = move |_: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
        let (completer, reply) = res.defer();
        to.send(completer).expect("the test waits for it");
        reply
    };
    // Two cores: the file belongs to both.
    let old = begin().expect("a free path").cores(2);
    let old = old.serve_fn(handler).expect("listens");
    let handle = old.handle();
    let old = std::thread::spawn(move || old.run());
    let mut client = UnixStream::connect(&path).expect("it listens");
    write!(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").expect("connected");
    let completer = take(&deferred);
    assert!(begin().is_none(), "somebody listens there");

    handle.drain();
    let mut next = None;
    wait("the path is free", || {
        next = begin();
        next.is_some()
    });
    let next = next.expect("it is").event_loop(mirror, ());
    let next = next.expect("listens");
    completer.finish(|res| res.status(204).empty());
    let ended = old.join().expect("no panic");
    assert_eq!(ended.expect("no error").cut, 0);
    UnixStream::connect(&path).expect("the next one listens");
    drop(next);
    assert!(!path.exists());
}

#[test]
fn a_server_that_never_runs_leaves_no_socket() {
    let path = std::env::temp_dir().join(format!("edgeloop-never-{}.sock", std::process::id()));
    let server = || Server::bind(&format!("unix:{}", path.display())).expect("a free path");
    let there = |what: &dyn std::fmt::Debug| assert!(path.exists(), "{what:?}");
    there(&server());
    assert!(!path.exists());
    there(&server().cores(2).serve_fn(mirror).expect("listens"));
    assert!(!path.exists());
    there(&server().event_loop(mirror, ()).expect("listens"));
    assert!(!path.exists());
}

#[test]
fn two_signals_at_once_stop() {
    use nix::sys::signal::{Signal, raise};
    // On this thread only: here they are blocked, and raised.
    let signals = Signals::block().expect("signalfd");
    let server = Server::bind("127.0.0.1:0").expect("a free port");
    let limits = Limits {
        last_calls: ms(60_000),
        drain_grace: ms(60_000),
        ..patient()
    };
    let log = Log::default();
    let mut hand = Hand::of(server.limits(limits).drain_on(signals), mirror, log.clone());
    let _idle = hand.client();
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        raise(signal).expect("it is blocked");
    }
    hand.until("it stops", |hand| hand.event_loop.is_stopped());
    assert_eq!(log.closed(), [CloseReason::Stopped]);
}

#[test]
fn the_first_signal_drains_and_the_second_one_stops() {
    use nix::sys::signal::{Signal, raise};
    // On this thread only: here they are blocked, and raised.
    let signals = Signals::block().expect("signalfd");
    let (to, deferred) = mpsc::channel();
    let handler = move |_: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
        let (completer, reply) = res.defer();
        to.send(completer).expect("the test waits for it");
        reply
    };
    let server = Server::bind("127.0.0.1:0").expect("a free port");
    let log = Log::default();
    let mut hand = Hand::of(
        server.limits(patient()).drain_on(signals),
        handler,
        log.clone(),
    );
    let mut first = hand.client();
    first.ask("/");
    let mut second = hand.client();
    second.ask("/");
    hand.settle();
    let (one, _other) = (take(&deferred), take(&deferred));
    raise(Signal::SIGTERM).expect("it is blocked");
    hand.until("the listener is closed", |hand| {
        TcpStream::connect_timeout(&hand.address, ms(1))
            .is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
    });
    one.finish(|res| res.status(200).body("drained"));
    let answer = hand.answer(&mut first);
    assert_eq!((answer.text(), answer.closes()), ("drained", true));
    assert!(!hand.event_loop.is_stopped());
    raise(Signal::SIGINT).expect("it is blocked");
    hand.until("it stops", |hand| hand.event_loop.is_stopped());
    assert!(log.closed().contains(&CloseReason::Stopped));
    assert!(second.rest().0.is_empty(), "nothing was said");
}
