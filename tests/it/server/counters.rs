//! What requests and connections cost, by what the server itself counts.
//!
//! How many system calls a request makes is part of what is promised: these numbers are to change on purpose or not at all.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::time::Instant;

use edgeloop::{Counters, Handler, Limits, Reply, Request, ResponseWriter, Server};

use super::client::Client;
use super::hand::Hand;
use super::running::run;
use super::{PATIENCE, ms, patient};

fn mirror(req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
    match req.path() {
        "/box" => res.status(200).body(format!("{:?}", Box::new(1))),
        _ => res.status(200).body(req.body()),
    }
}

/// Which of the numbers a table of [`cost`] names. What is not named is zero.
fn check(cost: Counters, named: &[(&str, u64)]) {
    let (turns, waits, events) = (cost.turns, cost.waits, cost.events);
    // How many turns there are is the clock's business, and who was ready before they began.
    assert!(turns >= waits && turns >= 1 && events >= 1, "{cost:?}");
    let timely = ["turns", "waits", "events", "run_queue_peak"];
    for (name, value) in cost.iter().filter(|(name, _)| !timely.contains(name)) {
        let wanted = named.iter().find(|(known, _)| *known == name);
        let wanted = wanted.map_or(0, |(_, count)| *count);
        assert_eq!(value, wanted, "{name}:\n{cost}");
    }
    for (name, _) in named {
        assert!(cost.iter().any(|(known, _)| known == *name), "{name}?");
    }
}

/// What it costs to answer a batch of requests with so many answers, on a connection that has answered some before.
fn cost(handler: impl Handler, batch: &[u8], answers: u64) -> Counters {
    let mut hand = Hand::new(Limits::default(), handler, ());
    let mut client = hand.client();
    for _ in 0..3 {
        exchange(&mut hand, &mut client.stream, batch, answers);
    }
    hand.settle();
    exchange(&mut hand, &mut client.stream, batch, answers)
}

/// Sends a batch at once and turns until it is answered.
fn exchange<H: Handler>(
    hand: &mut Hand<H, ()>,
    stream: &mut TcpStream,
    batch: &[u8],
    answers: u64,
) -> Counters {
    stream.set_nonblocking(true).expect("a socket");
    let before = hand.event_loop.counters();
    stream.write_all(batch).expect("there is room");
    hand.until("the answers", |hand| {
        (hand.event_loop.counters() - before).answers == answers
    });
    hand.settle();
    let cost = hand.event_loop.counters() - before;
    // What was sent has come.
    let (mut received, mut piece) = (0, [0; 16 << 10]);
    while let Ok(count @ 1..) = stream.read(&mut piece) {
        received += count as u64;
    }
    assert_eq!(received, cost.bytes_out);
    cost
}

const GET: &[u8] = b"GET /plaintext HTTP/1.1\r\nHost: localhost:8080\r\n\r\n";
const POST: &[u8] =
    b"POST /echo HTTP/1.1\r\nHost: localhost:8080\r\nContent-Length: 13\r\n\r\nHello, World!";

/// The bytes of an answer: `Server` and `Date` and what is in it.
const ANSWER: u64 = "HTTP/1.1 200 OK\r\nServer: edgeloop\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
    Content-Length: 0\r\n\r\n"
    .len() as u64;

#[test]
fn a_keep_alive_request_costs_one_receive_and_one_send() {
    let wanted = [
        ("requests", 1),
        ("answers", 1),
        ("recvs", 1),
        ("sends", 1),
        ("bytes_in", GET.len() as u64),
        ("bytes_out", ANSWER),
    ];
    check(cost(mirror, GET, 1), &wanted);
}

#[test]
fn sixteen_pipelined_requests_cost_one_receive_and_one_send() {
    let wanted = [
        ("requests", 16),
        ("answers", 16),
        ("recvs", 1),
        ("sends", 1),
        ("bytes_in", 16 * GET.len() as u64),
        ("bytes_out", 16 * ANSWER),
    ];
    check(cost(mirror, &GET.repeat(16), 16), &wanted);
}

#[test]
fn a_request_with_a_small_body_costs_one_receive_and_one_send() {
    let wanted = [
        ("requests", 1),
        ("answers", 1),
        ("recvs", 1),
        ("sends", 1),
        ("bytes_in", POST.len() as u64),
        // Its length has a digit more.
        ("bytes_out", ANSWER + 1 + 13),
    ];
    check(cost(mirror, POST, 1), &wanted);
}

#[cfg(feature = "web")]
#[test]
fn a_small_file_costs_one_receive_and_one_send() {
    let name = format!("edgeloop-it-{}-counted", std::process::id());
    let root = std::env::temp_dir().join(name);
    std::fs::create_dir(&root).expect("a place for it");
    std::fs::write(root.join("small.txt"), "x".repeat(1024)).expect("room for it");
    let files = edgeloop::web::Files::new(&root).expect("a directory");
    let get = b"GET /small.txt HTTP/1.1\r\nHost: localhost:8080\r\n\r\n";
    let cost = cost(files, get, 1);
    std::fs::remove_dir_all(&root).expect("it is ours");
    let wanted = [
        ("requests", 1),
        ("answers", 1),
        ("recvs", 1),
        ("sends", 1),
        ("bytes_in", get.len() as u64),
        ("bytes_out", cost.bytes_out),
    ];
    assert!(cost.bytes_out > 1024);
    check(cost, &wanted);
}

#[test]
fn a_connection_costs_one_registration() {
    let mut hand = Hand::new(Limits::default(), mirror, ());
    let before = hand.event_loop.counters();
    let client = hand.client();
    // It is asked who else waits: nobody.
    let wanted = [("accepts", 2), ("epoll_ctls", 1), ("opened", 1)];
    hand.settle();
    let begun = hand.event_loop.counters();
    let mut cost = begun - before;
    cost.allocations = 0; // the table grows with its first connection
    check(cost, &wanted);

    drop(client);
    hand.until("it ends", |hand| hand.event_loop.connections() == 0);
    hand.settle();
    // The end is something to be received. It is closed, and nothing is deregistered.
    let wanted = [("recvs", 1), ("closed", 1)];
    check(hand.event_loop.counters() - begun, &wanted);
}

/// The table that connections are in has grown, and so has everything else.
#[test]
fn a_connection_that_comes_later_allocates_nothing() {
    let mut hand = Hand::new(Limits::default(), mirror, ());
    let address = hand.address;
    let mut one = || {
        let before = hand.event_loop.counters();
        let mut client = Client::connect(address);
        client.send(GET);
        hand.until("it has its answer", |hand| {
            (hand.event_loop.counters() - before).answers == 1
        });
        drop(client);
        hand.until("it ends", |hand| hand.event_loop.connections() == 0);
        hand.event_loop.counters() - before
    };
    one();
    assert_eq!(one().allocations, 0);
}

#[test]
fn what_a_handler_allocates_is_counted() {
    let get = b"GET /box HTTP/1.1\r\nHost: localhost:8080\r\n\r\n";
    assert!(cost(mirror, get, 1).allocations >= 2);
}

/// How much the kernel takes at once is its own business, and that it is less than this.
#[test]
fn what_did_not_fit_is_counted() {
    const LARGE: usize = 16 << 20;
    let large = |_: &Request<'_>, res: ResponseWriter<'_>| res.status(200).body(vec![b'x'; LARGE]);
    let limits = Limits {
        send_budget: 2 * LARGE,
        turn_send_budget: 2 * LARGE,
        ..Limits::default()
    };
    let mut hand = Hand::new(limits, large, ());
    let mut client = hand.client();
    let before = hand.event_loop.counters();
    client.send(GET);
    hand.until("the answer begins", |hand| {
        (hand.event_loop.counters() - before).answers == 1
    });
    hand.settle();
    let cost = hand.event_loop.counters() - before;
    // It was short, and the kernel was asked to tell when there is room.
    assert_eq!(
        (cost.sends, cost.sends_short, cost.epoll_ctls),
        (1, 1, 1),
        "{cost}"
    );
    assert!((1..LARGE as u64).contains(&cost.bytes_out), "{cost}");
    let begun = Instant::now();
    let mut received = 0;
    while received < LARGE {
        assert!(begun.elapsed() < PATIENCE, "{received} have come");
        hand.event_loop.turn(Some(ms(1))).expect("turns");
        received += client.poll().map_or(0, |answer| answer.body.len());
    }
    let cost = hand.event_loop.counters() - before;
    assert!(cost.bytes_out > LARGE as u64, "{cost}");
    // It is asked once.
    assert_eq!(
        (cost.recvs, cost.epoll_ctls, cost.budget_stops),
        (1, 1, 0),
        "{cost}"
    );
}

#[test]
fn a_budget_that_is_spent_is_counted() {
    let limits = Limits {
        request_budget: 4,
        ..Limits::default()
    };
    let mut hand = Hand::new(limits, mirror, ());
    let mut client = hand.client();
    let cost = exchange(&mut hand, &mut client.stream, &GET.repeat(16), 16);
    // After 4, 8 and 12 of them: each time in a turn of its own, which does not sleep.
    assert_eq!(
        (cost.recvs, cost.sends, cost.budget_stops),
        (1, 4, 3),
        "{cost}"
    );
    assert_eq!(cost.run_queue_peak, 1);
    assert!(cost.turns >= cost.waits + 3, "{cost}");
}

#[test]
fn any_thread_can_ask_every_loop() {
    let server = Server::bind("127.0.0.1:0").expect("a free port");
    let server = run(server.cores(2).limits(patient()), |_| mirror);
    let mut client = server.client();
    for _ in 0..3 {
        client.send(GET);
        assert_eq!(client.answer().status, 200);
    }
    let (to, from) = mpsc::channel();
    let asked = server.handle.counters(move |core, counters| {
        to.send((core, counters)).expect("the test waits");
    });
    assert_eq!(asked, 2);
    let mut told: Vec<_> = from.iter().collect();
    told.sort_unstable_by_key(|(core, _)| *core);
    assert_eq!(
        told.iter().map(|(core, _)| *core).collect::<Vec<_>>(),
        [0, 1]
    );
    let sum: Counters = told.iter().map(|(_, counters)| *counters).sum();
    assert_eq!((sum.requests, sum.answers, sum.opened), (3, 3, 1));
    assert_eq!((sum.mail, sum.closed), (2, 0), "to ask is mail");
    let handle = server.handle.clone();
    drop(client);
    server.handle.drain();
    let report = server.join();
    assert_eq!((report.counters.requests, report.counters.closed), (3, 1));
    assert_eq!(handle.counters(|_, _| ()), 0, "nobody is left to ask");
}

#[test]
fn one_who_panics_when_told_ends_nothing() {
    let mut hand = Hand::new(Limits::default(), mirror, ());
    let asked = hand.event_loop.handle();
    assert_eq!(asked.counters(|_, _| panic!("as it should")), 1);
    hand.settle();
    let mut client = hand.client();
    assert_eq!(hand.get(&mut client, "/").status, 200);
}

#[test]
fn text_and_json_name_every_number() {
    let cost = cost(mirror, GET, 1);
    let (text, json) = (cost.to_string(), cost.to_json());
    let read: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    for (name, value) in cost.iter() {
        assert_eq!(read[name], value, "{name}");
        let line = text
            .lines()
            .find(|line| line.starts_with(&format!("{name} ")));
        let words: Vec<_> = line.expect(name).split_whitespace().collect();
        assert_eq!(words[1], value.to_string());
        // There was one request, so a share of it is the number itself.
        let share = format!("{value}.0000");
        match name {
            "run_queue_peak" => assert_eq!(words.len(), 2),
            _ => assert_eq!(words[2..], [share]),
        }
    }
    assert_eq!(
        read.as_object().expect("an object").len(),
        cost.iter().count()
    );
}

#[test]
fn sums_add_up_and_of_two_peaks_the_higher_one_counts() {
    let one = cost(mirror, GET, 1);
    let mut both = one;
    both += one;
    assert_eq!(both.recvs, 2 * one.recvs);
    assert_eq!(both.run_queue_peak, one.run_queue_peak);
    assert_eq!(both - one, one);
}
