//! Faults that were found by reading, each in its smallest form.

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};

use edgeloop::http::Length;
use edgeloop::server::{BodyWriter, CloseReason, Intake, Pull, Source};
use edgeloop::sys::Fd;
use edgeloop::{Handler, Limits, Reply, Request, ResponseWriter, Server, field_name};

use super::client::{Client, End, get, post, post_chunked};
use super::serve::{
    CONTENT, Hand, Happened, PATIENCE, Waiting, Watch, app, deferring, hand, running, wait_until,
    watched,
};

/// Nobody could be evicted, and the worker looked for somebody without end.
#[test]
fn when_every_connection_has_unread_bytes_the_next_one_is_turned_away() {
    let limits = Limits {
        connections_max: Some(2),
        ..Limits::default()
    };
    let serving = Server::bind("127.0.0.1:0").expect("a free port");
    let serving = serving.limits(limits).serve_fn(app).expect("starts");
    let address = super::serve::ip(serving.addresses().first());
    // All of them have sent their request before the first is accepted.
    let mut clients: Vec<Client> = (0..3).map(|_| Client::connect(address)).collect();
    for client in &mut clients {
        client.get("/");
    }
    let (handle, (tell, over)) = (serving.handle(), std::sync::mpsc::channel());
    std::thread::spawn(move || tell.send(serving.run().is_ok()));
    wait_until("an answer for everybody", || {
        clients.iter_mut().all(|client| {
            client.receive();
            client.answers().len() == 1
        })
    });
    let statuses: Vec<u16> = clients.iter().map(|client| client.statuses()[0]).collect();
    let served = statuses.iter().filter(|status| **status == 200).count();
    assert!(served >= 2, "{statuses:?}");
    handle.stop();
    assert_eq!(over.recv_timeout(PATIENCE), Ok(true));
}

/// What was kept of the body was forgotten, and what came behind it was looked at without end.
#[test]
fn a_budget_of_requests_that_ends_at_a_request_with_a_body_loses_nothing() {
    for budget in 1..4 {
        let server = running(
            Limits {
                request_budget: budget,
                ..Limits::default()
            },
            app,
        );
        let mut client = Client::connect(server.address);
        let batch = [
            get("/").into_bytes(),
            post_chunked("/", b"first"),
            post("/", b"second"),
            post_chunked("/", b"third"),
            get("/").into_bytes(),
        ];
        client.send(batch.concat());
        wait_until("all answers", || {
            client.receive();
            client.answers().len() == 5
        });
        let contents: Vec<&[u8]> = client
            .answers()
            .iter()
            .map(|(_, content)| *content)
            .collect();
        assert_eq!(
            contents,
            [b"hello" as &[u8], b"first", b"second", b"third", b"hello"]
        );
    }
}

/// The content took the place of what was not sent of the answer before.
#[test]
fn a_late_answer_from_memory_stands_behind_what_is_still_unsent() {
    let waiting = Waiting::default();
    let mut hand = hand(Limits::default(), deferring(&waiting));
    let mut client = hand.connect();
    // However much the kernel takes: some answer before a late one is not sent at once.
    let (before, rounds) = (60 << 10, 150);
    for _ in 0..rounds {
        client.send(get(&format!("/body/{before}")) + &get("/later"));
    }
    let mut expected = Vec::new();
    for _ in 0..rounds {
        expected.extend([before, 1000]);
    }
    hand.until("all of it", |_| {
        if let Some(completer) = waiting.borrow_mut().pop() {
            completer.finish(|res| res.status(200).constant(&CONTENT[..1000]));
        } else {
            client.receive_most(64 << 10);
        }
        client.end.is_some() || client.received.len() > rounds * (before + 1000) + rounds * 2 * 90
    });
    hand.settle();
    client.receive();
    let lengths: Vec<usize> = client.answers().iter().map(|(_, it)| it.len()).collect();
    assert_eq!(lengths, expected);
    assert!(
        client
            .answers()
            .iter()
            .all(|(_, content)| CONTENT.starts_with(content))
    );
}

/// The buffers of answers that were cut off counted as lent for ever.
#[test]
fn clients_that_go_away_in_the_middle_of_an_answer_leave_no_buffer_lent() {
    let limits = Limits {
        buffers_bytes_max: 20 << 20,
        ..Limits::default()
    };
    let mut hand = hand(limits, app);
    for _ in 0..4 {
        let mut client = hand.connect();
        client.get("/body/8000000");
        hand.settle();
        client.reset();
        hand.until("it has gone", |hand| hand.event_loop.connections() == 0);
    }
    let mut client = hand.connect();
    client.send(post_chunked("/", &CONTENT[..100_000]));
    hand.answers(&mut client, 1);
    assert_eq!(client.statuses(), [200]);
}

/// Who stood first in the run queue took the whole budget, and stood first again.
#[test]
fn the_budget_of_a_turn_goes_round() {
    let limits = Limits {
        send_budget: 8 << 10,
        turn_send_budget: 16 << 10,
        ..Limits::default()
    };
    let mut hand = hand(limits, app);
    let mut clients: Vec<Client> = (0..6).map(|_| hand.connect()).collect();
    for client in &mut clients {
        client.get("/constant/8000000");
    }
    for _ in 0..60 {
        hand.turn();
        for client in &mut clients {
            client.receive();
        }
    }
    let sums: Vec<usize> = clients.iter().map(|client| client.received.len()).collect();
    let (least, most) = (sums.iter().min(), sums.iter().max());
    let (least, most) = (*least.expect("six"), *most.expect("six"));
    assert!(most <= 2 * least, "{sums:?}");
}

/// The budget was spent by who had events, before the run queue had its turn.
#[test]
fn a_crowd_of_small_answers_does_not_starve_a_download() {
    let limits = Limits {
        send_budget: 8 << 10,
        turn_send_budget: 16 << 10,
        ..Limits::default()
    };
    let mut hand = hand(limits, app);
    let mut download = hand.connect();
    let mut crowd: Vec<Client> = (0..20).map(|_| hand.connect()).collect();
    download.get("/constant/8000000");
    for _ in 0..50 {
        for client in &mut crowd {
            client.received.clear();
            client.get("/body/4000");
        }
        hand.turn();
        download.receive();
        for client in &mut crowd {
            client.receive();
        }
    }
    assert!(
        download.received.len() > 20_000,
        "{}",
        download.received.len()
    );
}

/// Answers that are copied into the output were no concern of the budget.
#[test]
fn a_pipeline_of_copied_answers_is_others_turn_after_its_budget() {
    let mut hand = hand(Limits::default(), app);
    let mut client = hand.connect();
    client.send(get("/body/30000").repeat(200));
    let most = hand.event_loop.limits().send_budget + (128 << 10);
    let mut turns = 0;
    hand.until("all answers", |_| {
        turns += 1;
        client.receive();
        assert!(client.received.len() <= turns * most, "in {turns}");
        client.answers().len() == 200
    });
}

/// The first listener had the whole budget, turn after turn.
#[test]
fn a_crowd_at_one_listener_does_not_shut_out_the_other() {
    let limits = Limits {
        accept_budget: 2,
        ..Limits::default()
    };
    let server = Server::bind("127.0.0.1:0")
        .and_then(|server| server.and_bind("127.0.0.1:0"))
        .expect("free ports");
    let other = super::serve::ip(server.addresses().nth(1));
    let mut hand = Hand::of(server.limits(limits), app, ());
    let _crowd: Vec<Client> = (0..40).map(|_| Client::connect(hand.address)).collect();
    let mut client = Client::connect(other);
    client.get("/");
    let turns = hand.until("an answer", |_| {
        client.receive();
        client.answers().len() == 1
    });
    assert!(turns < 15, "{turns} turns");
}

/// Its address was bound anew, and its path removed.
#[test]
fn an_inherited_listener_is_shared_by_all_cores_and_lives_on() {
    let path = std::env::temp_dir().join(format!("edgeloop-inherited-{}", std::process::id()));
    let tcp = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let unix = UnixListener::bind(&path).expect("a free path");
    let address = tcp.local_addr().expect("it has one");
    let server = Server::bind(&format!("fd:{}", descriptor(&tcp)))
        .and_then(|server| server.and_bind(&format!("fd:{}", descriptor(&unix))))
        .expect("they listen");
    let serving = server.cores(2).serve_fn(app).expect("starts");
    let (handle, (tell, over)) = (serving.handle(), std::sync::mpsc::channel());
    std::thread::spawn(move || tell.send(serving.run().is_ok()));
    let mut client = Client::connect(address);
    client.get("/");
    wait_until("an answer", || {
        client.receive();
        client.answers().len() == 1
    });
    handle.stop();
    assert_eq!(over.recv_timeout(PATIENCE), Ok(true));
    UnixStream::connect(&path).expect("the other holder still listens");
    std::fs::remove_file(path).expect("it is there");
}

/// A copy that is given away.
fn descriptor(fd: &impl AsFd) -> RawFd {
    let copy = fd.as_fd().try_clone_to_owned();
    copy.expect("a descriptor").into_raw_fd()
}

/// A listener that somebody else holds as well stayed deaf for ever.
#[test]
fn a_drain_leaves_an_inherited_listener_as_it_was() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it has one");
    let server = Server::bind(&format!("fd:{}", descriptor(&listener))).expect("it listens");
    let mut event_loop = server.event_loop(app, ()).expect("starts");
    event_loop.handle().drain();
    wait_until("the end of the drain", || {
        event_loop
            .turn(Some(core::time::Duration::ZERO))
            .expect("epoll works");
        event_loop.is_stopped()
    });
    TcpStream::connect_timeout(&address, PATIENCE).expect("the other holder still listens");
}

struct Panics;

impl Source for Panics {
    fn pull(&mut self, _: &mut BodyWriter<'_>) -> Pull {
        panic!("a source that panics, for a test")
    }
}

#[test]
fn a_source_that_panics_costs_its_connection_and_not_the_worker() {
    let handler = |req: &Request<'_>, res: ResponseWriter<'_>| match req.path() {
        "/panics" => res.status(200).stream(Length::Unknown, Panics),
        _ => app(req, res),
    };
    let mut hand = hand(Limits::default(), handler);
    let (mut client, mut other) = (hand.connect(), hand.connect());
    client.get("/panics");
    hand.end(&mut client);
    assert_eq!(client.end, Some(End::Reset));
    other.get("/");
    hand.answers(&mut other, 1);
}

struct Undecided;

impl Handler for Undecided {
    fn on_request(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
        app(req, res)
    }

    fn intake(&mut self, _: &Request<'_>, res: ResponseWriter<'_>) -> Intake {
        let _ = res.status(403).field(field_name!("X-Begun"), "and dropped");
        Intake::Buffer(1000)
    }
}

#[test]
fn an_answer_that_was_begun_and_dropped_leaves_nothing_in_the_output() {
    let mut hand = hand(Limits::default(), Undecided);
    let mut client = hand.connect();
    client.send(post("/", b"content"));
    hand.answers(&mut client, 1);
    assert_eq!(client.answers(), [(200, b"content" as &[u8])]);
}

/// It would be asked again at once, and for ever.
#[test]
fn a_source_that_has_nothing_breaks_its_answer() {
    struct Nothing;
    impl Source for Nothing {
        fn pull(&mut self, _: &mut BodyWriter<'_>) -> Pull {
            Pull::More
        }
    }
    let mut hand = hand(
        Limits::default(),
        |_: &Request<'_>, res: ResponseWriter<'_>| res.status(200).stream(Length::Unknown, Nothing),
    );
    let mut client = hand.connect();
    client.get("/");
    hand.end(&mut client);
    assert_eq!(client.end, Some(End::Reset));
}

/// A send that is short because the file is has left room in the socket, so no edge follows.
#[test]
fn a_file_that_shrinks_while_it_is_sent_breaks_the_answer_at_once() {
    let path = std::env::temp_dir().join(format!("edgeloop-shrinks-{}", std::process::id()));
    let length = 16 << 20;
    let file = File::create(&path).expect("a place for files");
    file.set_len(length).expect("room");
    let served = path.clone();
    let watch = Watch::default();
    let mut hand = watched(
        Limits::default(),
        move |_: &Request<'_>, res: ResponseWriter<'_>| {
            let file = File::open(&served).expect("it is there");
            res.status(200)
                .file(Fd::from(OwnedFd::from(file)), 0, length)
        },
        watch.clone(),
    );
    let mut client = hand.connect();
    client.get("/");
    hand.settle(); // the kernel takes no more, and is asked to say when it does
    file.set_len(6 << 20).expect("shorter");
    hand.end(&mut client);
    std::fs::remove_file(path).expect("it is there");
    assert_eq!(client.end, Some(End::Reset));
    assert!(
        watch
            .0
            .borrow()
            .contains(&Happened::Closed(CloseReason::Failed))
    );
}

#[test]
fn a_budget_of_nothing_still_moves() {
    let limits = Limits {
        receive_budget: 0,
        send_budget: 0,
        request_budget: 0,
        turn_send_budget: 0,
        accept_budget: 0,
        ..Limits::default()
    };
    let mut hand = hand(limits, app);
    let mut client = hand.connect();
    client.send(get("/").repeat(3) + &get("/constant/2000"));
    hand.answers(&mut client, 4);
}

/// The bytes of a head are kept while its body comes; empty lines before it are none of them.
#[test]
fn a_head_behind_empty_lines_is_found_again_when_its_body_has_come() {
    let mut hand = hand(Limits::default(), app);
    let newer = "POST / HTTP/1.2\r\nHost: a\r\nContent-Length: 5\r\n\r\n".to_owned();
    let begin = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX: ";
    let limit = Limits::default().http.head_bytes_max;
    let largest = format!("{begin}{}\r\n\r\n", "x".repeat(limit - begin.len() - 4));
    for head in [newer, largest] {
        for lines in ["", "\r\n", "\r\n\r\n"] {
            let mut client = hand.connect();
            client.send(format!("{lines}{head}ab"));
            hand.settle();
            client.send("cde");
            hand.answers(&mut client, 1);
            assert_eq!(client.answers(), [(200, b"abcde" as &[u8])]);
        }
    }
}

/// Proofs are made in the intake, and used for other requests, also on other connections.
#[test]
fn a_reply_proves_the_answer_to_its_own_request_only() {
    struct Hoarder(Vec<Reply>);
    impl Handler for Hoarder {
        fn on_request(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
            match (req.path(), self.0.pop()) {
                ("/nothing", Some(kept)) => kept,
                ("/both", Some(kept)) => {
                    self.0.push(res.status(200).text("another"));
                    kept
                }
                _ => res.status(200).text("fine"),
            }
        }

        fn intake(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Intake {
            let res = res.status(200);
            self.0.push(match req.path() {
                "/whole" => res.text("early"),
                "/tail" => res.constant(b"a constant"),
                _ => res.stream(Length::Unknown, Nothing),
            });
            Intake::Buffer(100)
        }
    }
    struct Nothing;
    impl Source for Nothing {
        fn pull(&mut self, _: &mut BodyWriter<'_>) -> Pull {
            Pull::End
        }
    }
    let mut hand = hand(Limits::default(), Hoarder(Vec::new()));
    for made in ["/whole", "/tail", "/stream"] {
        let mut client = hand.connect();
        client.send(post(made, b"content"));
        hand.end(&mut client);
        assert_eq!(client.statuses(), [500], "{made}");
        let mut client = hand.connect();
        client.get("/nothing");
        client.get("/");
        hand.answers(&mut client, 2);
        assert_eq!(client.statuses(), [500, 200], "{made}");
    }
    let mut client = hand.connect();
    client.send(post("/whole", b"content"));
    hand.end(&mut client);
    // Whoever answers is believed: which of its proofs it returns does not matter.
    let mut client = hand.connect();
    client.get("/both");
    hand.answers(&mut client, 1);
    assert_eq!(client.answers(), [(200, b"another" as &[u8])]);
}

#[test]
fn answers_that_nobody_reads_are_bounded_for_all_clients_together() {
    let limits = Limits {
        buffers_bytes_max: 1 << 20,
        ..Limits::default()
    };
    let watch = Watch::default();
    let mut hand = watched(limits, app, watch.clone());
    let mut clients: Vec<Client> = (0..4).map(|_| hand.connect()).collect();
    for client in &mut clients {
        client.get("/body/7000000");
        hand.settle();
    }
    let cut = Happened::Closed(CloseReason::NoRoom);
    assert_eq!(watch.0.borrow().iter().filter(|it| **it == cut).count(), 4);
    let mut client = hand.connect();
    client.send(post("/", &vec![b'x'; 100_000]));
    hand.answers(&mut client, 1);
    assert_eq!(client.statuses(), [200], "there is room for others");
}
