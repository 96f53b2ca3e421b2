//! What the kernel is asked, what it says, and that nothing is waited for that does not come: rules 1, 2, 3 and 8.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use edgeloop::sys::Fd;
use edgeloop::{Limits, Request, ResponseWriter};

use super::client::{Client, End, get, post, post_chunked};
use super::serve::{CONTENT, PATIENCE, Waiting, app, deferring, hand, running};

/// `EPOLLIN`, `EPOLLRDHUP` and `EPOLLET`, beside `EPOLLERR` and `EPOLLHUP`, which the kernel adds.
const STREAM: u32 = 0x8000_0000 | 0x2000 | 0x1 | 0x18;
const OUT: u32 = 0x4;
/// A listener is level-triggered.
const LISTENER: u32 = 0x1 | 0x18;

/// What an epoll instance watches, as the kernel tells it in /proc: descriptors and masks, in their order.
fn watched_by(epoll: impl AsFd) -> Vec<(i32, u32)> {
    let path = format!("/proc/self/fdinfo/{}", epoll.as_fd().as_raw_fd());
    let text = fs::read_to_string(path).expect("it is open");
    let mut watched: Vec<(i32, u32)> = text
        .lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["tfd:", fd, "events:", mask, ..] => Some((
                    fd.parse().expect("a number"),
                    u32::from_str_radix(mask, 16).expect("a mask"),
                )),
                _ => None,
            }
        })
        .collect();
    watched.sort_unstable();
    watched
}

fn masks(epoll: impl AsFd) -> Vec<u32> {
    let mut masks: Vec<u32> = watched_by(epoll).iter().map(|(_, mask)| *mask).collect();
    masks.sort_unstable();
    masks
}

#[test]
fn rule_1_a_connection_is_registered_once_and_out_is_armed_at_the_first_short_write_and_stays() {
    let mut hand = hand(Limits::default(), app);
    let own = masks(&hand.event_loop).len();
    let mut client = hand.connect();
    let masks_now = |hand: &super::serve::Hand<_, _>| masks(&hand.event_loop);
    let with = |mask| {
        move |masks: Vec<u32>| {
            assert_eq!(masks.len(), own + 1);
            assert!(masks.contains(&mask), "{masks:x?}");
            assert!(masks.contains(&LISTENER), "{masks:x?}");
        }
    };
    with(STREAM)(masks_now(&hand));
    client.get("/");
    hand.answers(&mut client, 1);
    with(STREAM)(masks_now(&hand));
    client.get("/constant/8000000");
    hand.until("the kernel takes no more", |hand| {
        masks(&hand.event_loop).contains(&(STREAM | OUT))
    });
    with(STREAM | OUT)(masks_now(&hand));
    hand.answers(&mut client, 2);
    with(STREAM | OUT)(masks_now(&hand));
    client.get("/");
    hand.answers(&mut client, 3);
    with(STREAM | OUT)(masks_now(&hand));
    drop(client);
    hand.until("it is closed", |hand| hand.event_loop.connections() == 0);
    assert_eq!(masks(&hand.event_loop).len(), own, "close deregisters");
}

#[test]
fn rule_1_what_nobody_reads_makes_no_event_after_the_first() {
    let waiting = Waiting::default();
    let mut hand = hand(Limits::default(), deferring(&waiting));
    let mut client = hand.connect();
    assert_eq!(hand.turn().events, 0, "it has said nothing");
    client.get("/later");
    hand.until("it is asked", |_| !waiting.borrow().is_empty());
    client.send([b'x'; 1000]); // not read before the answer
    let mut events = 0;
    hand.until("the one event", |hand| {
        events += hand.turn().events;
        events > 0
    });
    for _ in 0..10 {
        let turn = hand.turn();
        assert_eq!((turn.events, turn.more), (0, false));
    }
}

#[test]
fn rule_10_descriptors_are_close_on_exec_and_non_blocking_from_birth() {
    let mut hand = hand(Limits::default(), app);
    let _clients = [hand.connect(), hand.connect()];
    let watched = watched_by(&hand.event_loop);
    assert_eq!(watched.len(), 4, "eventfd, listener, two connections");
    let flags = |fd: i32| {
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).expect("it is open");
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
        u32::from_str_radix(flags.expect("it has some").trim(), 8).expect("octal")
    };
    let (nonblocking, close_on_exec) = (0o4000, 0o200_0000);
    for (fd, _) in watched {
        assert!(flags(fd) & nonblocking != 0, "{fd} blocks");
        assert!(flags(fd) & close_on_exec != 0, "{fd} is inherited");
    }
    let epoll = hand.event_loop.as_fd().as_raw_fd();
    assert!(flags(epoll) & close_on_exec != 0);
}

#[test]
fn rule_2_a_request_and_the_end_in_one_event_get_an_answer_and_the_end() {
    let requests = [
        get("/").into_bytes(),
        get("/").repeat(10).into_bytes(),
        post("/", b"a body"),
        post_chunked("/", b"a body"),
        [get("/").into_bytes(), post_chunked("/", b"x")].concat(),
    ];
    for request in requests {
        let mut hand = hand(Limits::default(), app);
        let mut client = hand.connect();
        client.send(&request);
        client.finish();
        hand.end(&mut client);
        assert_eq!(client.end, Some(End::Finished));
        let asked = request.windows(4).filter(|it| it == b"HTTP").count();
        assert_eq!(client.statuses(), vec![200; asked]);
        assert_eq!(hand.event_loop.connections(), 0);
    }
}

/// The same, but all of it has come before the connection is accepted.
#[test]
fn rule_2_a_request_and_the_end_before_the_connection_is_accepted_get_an_answer_and_the_end() {
    let mut hand = hand(Limits::default(), app);
    let mut client = Client::connect(hand.address);
    client.send(post("/", b"a body"));
    client.finish();
    hand.end(&mut client);
    assert_eq!(client.answers(), [(200, b"a body" as &[u8])]);
    assert_eq!(client.end, Some(End::Finished));
}

#[test]
fn rule_2_the_end_of_a_body_that_is_cut_short_is_noticed() {
    let mut hand = hand(Limits::default(), app);
    let mut client = hand.connect();
    let request = post("/", &[b'x'; 1000]);
    client.send(&request[..request.len() - 1]);
    client.finish();
    hand.end(&mut client);
    assert_eq!(client.statuses(), [400]);
}

/// A read that fills the buffer says nothing of what is behind it; one that does not says that nothing is.
#[test]
fn rule_2_sizes_around_the_receive_buffer_lose_nothing_and_wait_for_nothing() {
    let buffer = 64 << 10;
    let overhead = |body: usize| post("/", &vec![0; body]).len() - body;
    for total in [
        buffer - 1,
        buffer,
        buffer + 1,
        2 * buffer - 1,
        2 * buffer,
        2 * buffer + 1,
    ] {
        for finishes in [false, true] {
            let mut hand = hand(Limits::default(), app);
            let mut client = hand.connect();
            let body = &CONTENT[..total - overhead(total - 100)];
            let request = post("/", body);
            assert_eq!(request.len(), total);
            client.send(&request);
            if finishes {
                client.finish();
                hand.end(&mut client);
                assert_eq!(client.end, Some(End::Finished));
            } else {
                hand.answers(&mut client, 1);
                client.get("/");
                hand.answers(&mut client, 2);
            }
            assert!(client.answers()[0] == (200, body), "{total} {finishes}");
        }
    }
}

#[test]
fn rule_3_a_slow_reader_gets_every_byte_however_the_answer_is_sent() {
    let length = 3_000_000;
    let path = std::env::temp_dir().join(format!("edgeloop-slow-{}", std::process::id()));
    File::create(&path)
        .and_then(|mut file| file.write_all(&CONTENT[..length]))
        .expect("a place for files");
    let file = path.clone();
    let handler = move |req: &Request<'_>, res: ResponseWriter<'_>| match req.path() {
        "/file" => {
            let file = Fd::from(OwnedFd::from(File::open(&file).expect("it is there")));
            res.status(200).file(file, 0, length as u64)
        }
        _ => app(req, res),
    };
    let mut hand = hand(Limits::default(), handler);
    for way in [
        "/body/3000000",
        "/constant/3000000",
        "/stream/3000000",
        "/file",
    ] {
        let mut client = hand.connect();
        client.get(way);
        client.get("/");
        // It reads when nothing happens any more, and little each time.
        hand.settle();
        hand.until(way, |hand| {
            if client.receive_most(40_000) == 0 {
                hand.settle();
            }
            client.received.len() >= length
        });
        hand.answers(&mut client, 2);
        assert!(client.answers()[0] == (200, &CONTENT[..length]), "{way}");
        assert_eq!(client.answers()[1], (200, b"hello" as &[u8]));
    }
    fs::remove_file(path).expect("it is there");
}

/// The reader races with the arming: room may come before the loop has asked to be told.
#[test]
fn rule_3_room_that_comes_while_out_is_being_armed_is_told() {
    let server = running(Limits::default(), app);
    for _ in 0..10 {
        let mut stream = TcpStream::connect(server.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let request = get("/constant/2000000") + &get("/body/2000000") + &get("/");
        stream.write_all(request.as_bytes()).expect("room");
        let mut received = vec![0; 4_000_000];
        stream.read_exact(&mut received).expect("no stall");
        let mut client = Client::of(stream);
        client.received = received;
        super::serve::wait_until("the last answer", || {
            client.receive();
            client.answers().len() == 3
        });
        let answers = client.answers();
        assert!(answers[0].1 == &CONTENT[..2_000_000] && answers[1].1 == answers[0].1);
    }
}

#[test]
fn rule_8_pipelined_requests_in_one_segment_are_all_answered_with_no_further_edge() {
    let mut hand = hand(Limits::default(), app);
    let mut client = hand.connect();
    client.send(get("/").repeat(300));
    hand.answers(&mut client, 300);
    assert_eq!(client.statuses(), vec![200; 300]);
}

#[test]
fn rule_8_what_stands_behind_a_large_answer_is_answered_when_that_is_sent() {
    let mut hand = hand(Limits::default(), app);
    let mut client = hand.connect();
    let mixed = get("/constant/3000000") + &get("/") + &get("/stream/3000000") + &get("/body/10");
    client.send(mixed.repeat(2));
    hand.answers(&mut client, 8);
    let lengths: Vec<usize> = client.answers().iter().map(|(_, it)| it.len()).collect();
    assert_eq!(lengths, [3_000_000, 5, 3_000_000, 10].repeat(2));
}

#[test]
fn rule_8_what_stands_behind_a_late_answer_is_answered_when_that_is_given() {
    let waiting = Waiting::default();
    let mut hand = hand(Limits::default(), deferring(&waiting));
    let mut client = hand.connect();
    client.send((get("/later") + &get("/") + &get("/")).repeat(20));
    client.send(post("/later", &CONTENT[..100_000]));
    client.get("/");
    for answered in 0..=20 {
        hand.until("it is asked", |_| !waiting.borrow().is_empty());
        hand.answers(&mut client, 3 * answered);
        assert_eq!(client.answers().len(), 3 * answered);
        let completer = waiting.borrow_mut().pop().expect("one at a time");
        assert!(waiting.borrow().is_empty());
        completer.finish(|res| res.status(200).body("late"));
    }
    hand.answers(&mut client, 62);
    client.finish();
    hand.end(&mut client);
    assert_eq!(client.answers().len(), 62);
    assert_eq!(client.end, Some(End::Finished));
}

#[test]
fn rule_8_requests_cut_at_any_byte_are_answered() {
    let mut hand = hand(Limits::default(), app);
    let batch = [
        get("/").into_bytes(),
        post("/", b"one"),
        post_chunked("/", b"two"),
        get("/").into_bytes(),
    ]
    .concat();
    let mut client = hand.connect();
    for cut in 1..batch.len() {
        client.received.clear();
        client.send(&batch[..cut]);
        hand.settle();
        client.send(&batch[cut..]);
        hand.answers(&mut client, 4);
        let contents: Vec<&[u8]> = client.answers().iter().map(|(_, it)| *it).collect();
        assert_eq!(
            contents,
            [b"hello" as &[u8], b"one", b"two", b"hello"],
            "{cut}"
        );
    }
}
