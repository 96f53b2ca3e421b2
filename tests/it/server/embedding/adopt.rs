//! Connections that somebody else has accepted.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::sync::mpsc;
use std::thread;

use edgeloop::server::{CloseReason, NotAdopted};
use edgeloop::{Handler, Limits, Reply, Request, ResponseWriter, Server};

use super::super::client::{Client, End};
use super::super::hand::Hand;
use super::super::running::{Log, mirror, serve, take, wait};
use super::super::{PATIENCE, ms, patient};

/// A connection as others accept it: blocking, and not close-on-exec.
fn accepted() -> (Client, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let client = Client::connect(listener.local_addr().expect("it has one"));
    (client, listener.accept().expect("it waits").0)
}

fn hand(limits: Limits) -> (Hand<impl Handler, Log>, Log) {
    let log = Log::default();
    (Hand::new(limits, mirror, log.clone()), log)
}

fn give<H: Handler>(hand: &Hand<H, Log>, stream: TcpStream, read: &[u8]) {
    let given = hand.event_loop.adopt(OwnedFd::from(stream), read);
    given.expect("it is a connection");
}

const REQUEST: &[u8] = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";

/// Wherever the host stopped reading.
#[test]
fn what_was_read_already_comes_before_what_is_read() {
    let (mut hand, log) = hand(patient());
    for cut in 0..=REQUEST.len() {
        let (mut client, stream) = accepted();
        client.send(&REQUEST[cut..]);
        give(&hand, stream, &REQUEST[..cut]);
        assert_eq!(hand.answer(&mut client).text(), "POST /a body");
        assert_eq!(hand.get(&mut client, "/b").text(), "GET /b ");
        client.finish();
        assert_eq!(hand.end(&mut client), End::Finished);
    }
    let reasons = log.closed();
    assert!(
        reasons
            .iter()
            .all(|reason| *reason == CloseReason::PeerFinished)
    );
    assert_eq!(hand.event_loop.connections(), 0);
}

#[test]
fn many_requests_that_were_read_already_are_all_answered() {
    let (mut hand, _) = hand(Limits {
        request_budget: 3,
        ..patient()
    });
    let (mut client, stream) = accepted();
    let requests = "GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(100);
    give(&hand, stream, requests.as_bytes());
    for _ in 0..100 {
        assert_eq!(hand.answer(&mut client).text(), "GET / ");
    }
}

#[test]
fn a_half_head_that_was_read_already_has_its_time() {
    let (mut hand, _) = hand(Limits {
        head_time: ms(50),
        ..patient()
    });
    let (mut client, stream) = accepted();
    give(&hand, stream, b"GET / HT");
    assert_eq!(hand.answer(&mut client).status, 408);
}

#[test]
fn a_unix_socket_is_a_connection_as_well() {
    let (mut hand, _) = hand(patient());
    let (ours, mut theirs) = UnixStream::pair().expect("a pair");
    let given = hand.event_loop.adopt(OwnedFd::from(ours), b"GET /unix HTT");
    given.expect("it is a connection");
    theirs.write_all(b"P/1.0\r\n\r\n").expect("room");
    hand.settle();
    let mut answer = String::new();
    theirs.read_to_string(&mut answer).expect("the end");
    assert!(answer.ends_with("\r\n\r\nGET /unix "), "{answer}");
}

#[test]
fn it_becomes_non_blocking_and_close_on_exec() {
    let (mut hand, _) = hand(patient());
    let (mut client, stream) = accepted();
    let number = stream.as_raw_fd();
    nix::fcntl::fcntl(
        &stream,
        nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty()),
    )
    .expect("a descriptor");
    let flags = || {
        let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{number}"));
        let info = info.expect("procfs");
        let line = info.lines().find_map(|line| line.strip_prefix("flags:"));
        i32::from_str_radix(line.expect("flags").trim(), 8).expect("octal")
    };
    let wanted = libc::O_NONBLOCK | libc::O_CLOEXEC;
    assert_eq!(flags() & wanted, 0);
    give(&hand, stream, b"");
    assert_eq!(flags() & wanted, wanted);
    assert_eq!(hand.get(&mut client, "/").status, 200);
}

/// Closing does not end its registration then.
#[test]
fn a_host_that_keeps_a_duplicate_does_not_wake_the_loop_with_it() {
    let (mut hand, log) = hand(patient());
    let (mut client, stream) = accepted();
    let kept = stream.try_clone().expect("a copy");
    give(&hand, stream, b"");
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_eq!(hand.answer(&mut client).text(), "GET / ");
    hand.settle();
    assert_eq!(log.closed(), [CloseReason::PeerAsked]);
    client.send("for the host");
    let turn = hand.event_loop.turn(Some(ms(50))).expect("turns");
    assert_eq!(turn.events, 0);
    kept.set_nonblocking(false).expect("a socket");
    let mut word = [0; 12];
    (&kept).read_exact(&mut word).expect("it is the host's");
    assert_eq!(&word, b"for the host");
}

#[test]
fn what_is_no_connection_comes_back() {
    let (hand, _) = hand(patient());
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it has one");
    let (datagram, _other) = UnixDatagram::pair().expect("a pair");
    let (pipe, _writer) = std::io::pipe().expect("a pipe");
    let wrong: [(OwnedFd, &str); 5] = [
        (listener.into(), "it listens"),
        (
            UdpSocket::bind("127.0.0.1:0").expect("a free port").into(),
            "no stream",
        ),
        (datagram.into(), "no stream"),
        (pipe.into(), "non-socket"),
        (
            File::open("/proc/self/exe").expect("this program").into(),
            "non-socket",
        ),
    ];
    for (fd, why) in wrong {
        let number = fd.as_raw_fd();
        let refused: NotAdopted = hand.event_loop.adopt(fd, b"").expect_err(why);
        assert!(refused.to_string().contains(why), "{refused}");
        assert_eq!(OwnedFd::from(refused.fd).as_raw_fd(), number);
        if why == "it listens" {
            TcpStream::connect(address).expect_err("it was dropped here, and not before");
        }
    }
    // And one of which too much was read.
    let (_client, stream) = accepted();
    let long = vec![b'x'; (64 << 10) + 1];
    let refused = hand.event_loop.adopt(OwnedFd::from(stream), long);
    let refused = refused.expect_err("it is too long").to_string();
    assert!(refused.contains("64 KiB"), "{refused}");
}

#[test]
fn it_counts_among_the_connections_that_there_may_be() {
    let log = Log::default();
    let limits = Limits {
        connections_max: Some(1),
        ..patient()
    };
    let mut hand = Hand::new(limits, mirror, log.clone());
    let mut first = hand.client();
    first.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo");
    hand.settle();
    let (mut second, stream) = accepted();
    give(&hand, stream, REQUEST);
    assert_eq!(hand.answer(&mut second).status, 503);
    first.send("dy");
    assert_eq!(hand.answer(&mut first).text(), "POST / body");
    // Who is idle makes room, wherever it came from.
    second.finish();
    hand.until("it has gone", |hand| hand.event_loop.connections() == 1);
    let (mut third, stream) = accepted();
    give(&hand, stream, REQUEST);
    assert_eq!(hand.answer(&mut third).text(), "POST /a body");
    assert_eq!(log.closed(), [CloseReason::Refused, CloseReason::Evicted]);
}

#[test]
fn a_handle_gives_connections_to_the_workers_in_turn() {
    let (to, served_by) = mpsc::channel();
    let server = Server::bind("127.0.0.1:0").expect("a free port");
    let server = server.cores(3).limits(patient());
    let running = super::super::running::run(server, move |core| {
        let to = to.clone();
        move |req: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
            to.send(core).expect("the test waits");
            mirror(req, res)
        }
    });
    let mut cores = Vec::new();
    for _ in 0..6 {
        let (mut client, stream) = accepted();
        let handle = running.handle.clone();
        let host =
            thread::spawn(move || handle.adopt(OwnedFd::from(stream), b"GET /a HTTP/1.1\r\n"));
        host.join().expect("no panic").expect("it is a connection");
        client.send("Host: a\r\n\r\n");
        assert_eq!(client.answer().text(), "GET /a ");
        cores.push(take(&served_by));
    }
    assert_eq!(cores, [0, 1, 2, 0, 1, 2]);
}

#[test]
fn a_server_that_has_stopped_gives_it_back_and_one_that_drains_answers_it() {
    let server = serve(
        Limits {
            drain_grace: ms(1000),
            ..patient()
        },
        mirror,
    );
    let mut kept = server.client();
    kept.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na");
    wait("it is read", || server.log.accepted() == 1);
    let handle = server.handle.clone();
    handle.drain();
    let (mut client, stream) = accepted();
    handle
        .adopt(OwnedFd::from(stream), REQUEST)
        .expect("it still runs");
    let answer = client.answer();
    assert_eq!((answer.text(), answer.closes()), ("POST /a body", true));
    kept.send("b");
    assert!(kept.answer().closes());
    drop((kept, client));
    server.join();
    let (mut client, stream) = accepted();
    let refused = handle
        .adopt(OwnedFd::from(stream), b"")
        .expect_err("stopped");
    assert!(refused.to_string().contains("stopped"), "{refused}");
    let mut stream = TcpStream::from(OwnedFd::from(refused.fd));
    stream
        .write_all(b"HTTP/1.1 503 Busy\r\n\r\n")
        .expect("open");
    drop(stream);
    assert_eq!(client.answer().status, 503);
}

/// A handler gives its connection to another server, which goes on with it.
#[test]
fn a_connection_that_was_taken_out_of_one_server_goes_on_in_another() {
    let second = serve(patient(), |_: &Request<'_>, res: ResponseWriter<'_>| {
        res.status(200).text("the second")
    });
    let to = second.handle.clone();
    let first = serve(
        patient(),
        move |_: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
            let to = to.clone();
            res.status(200).take_out("the first", move |taken| {
                to.adopt(taken.fd, taken.unread)
                    .expect("it is a connection");
            })
        },
    );
    let mut client = first.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(3));
    let texts = [(); 3].map(|()| client.answer().text().to_owned());
    assert_eq!(texts, ["the first", "the second", "the second"]);
    assert_eq!(first.log.wait_closed(1), [CloseReason::TakenOut]);
    drop(first);
    assert_eq!(client.get("/").text(), "the second");
    client
        .stream
        .set_read_timeout(Some(PATIENCE))
        .expect("a time");
}
