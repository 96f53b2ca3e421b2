//! What is played without a network is what a server does with one.

use std::any::Any;
use std::cell::RefCell;
use std::thread;

use edgeloop::http::{Length, Limits as HttpLimits};
use edgeloop::server::pool::{Pool, PoolLimits};
use edgeloop::server::{BodyWriter, Pull, Recording, Replay, Replayed, write_recording as write};
use edgeloop::{Handler, Intake, Limits, Reply, Request, ResponseWriter};

use super::hand::Hand;
use super::{ms, patient};
use crate::alloc::allocations;

thread_local! {
    /// What nobody uses, until its test is over.
    static KEPT: RefCell<Vec<Box<dyn Any>>> = const { RefCell::new(Vec::new()) };
}

/// Somebody of whom everything can be asked.
fn app(req: &Request<'_>, mut res: ResponseWriter<'_>) -> Reply {
    match req.path() {
        "/echo" => res.status(200).body(req.body()),
        "/later" => {
            let (completer, reply) = res.defer();
            thread::spawn(move || completer.finish(|res| res.status(202).text("at last")));
            reply
        }
        "/never" => {
            let (completer, reply) = res.defer();
            KEPT.with_borrow_mut(|kept| kept.push(Box::new(completer)));
            reply
        }
        "/ticks" => {
            let waker = res.waker();
            let local = res.local().clone();
            local.every(ms(1), move || waker.wake());
            let mut ticks = 0;
            let source = move |body: &mut BodyWriter<'_>| {
                ticks += 1;
                body.write(b"tick ");
                if ticks == 5 { Pull::End } else { Pull::Wait }
            };
            res.status(200).stream(Length::Unknown, source)
        }
        "/silent" => {
            let waker = res.waker();
            KEPT.with_borrow_mut(|kept| kept.push(Box::new(waker)));
            let source = |_: &mut BodyWriter<'_>| Pull::Wait;
            res.status(200).stream(Length::Unknown, source)
        }
        "/long" => res.status(200).body(vec![b'x'; 3 << 20]),
        "/panics" => panic!("a panic that belongs to a test"),
        _ => res.no_route(req.method()),
    }
}

type App = fn(&Request<'_>, ResponseWriter<'_>) -> Reply;

fn replay(limits: Limits) -> Replay<App> {
    Replay::with_limits(app as App, limits).expect("two descriptors")
}

/// Answers say when they were made.
fn without_dates(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.split_inclusive("\r\n");
    lines.filter(|line| !line.starts_with("Date: ")).collect()
}

/// A recording of one client, whose bytes come in these pieces.
fn in_pieces<'b>(pieces: impl Iterator<Item = &'b [u8]>) -> Recording {
    let mut file = Vec::new();
    write::begin(&mut file);
    write::open(&mut file, 1, 0);
    for piece in pieces {
        write::data(&mut file, 1, 0, piece);
    }
    write::close(&mut file, 1, 0);
    Recording::parse(&file).expect("a recording")
}

const SENT: [&str; 9] = [
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET /long HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n\r\nHEAD /long HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /later HTTP/1.1\r\nHost: a\r\n\r\nGET /ticks HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n",
    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\nExpect: 100-continue\r\n\r\nhello",
    "GET /panics HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
];

#[test]
fn what_is_played_gets_what_it_gets_over_a_socket() {
    for sent in SENT {
        let mut hand = Hand::new(patient(), app as App, ());
        let mut client = hand.client();
        client.send(sent);
        client.finish();
        hand.end(&mut client);
        let (over_a_socket, _) = client.rest();
        let played = replay(patient()).answers(&Recording::of_bytes(sent.as_bytes()));
        let played = played.expect("no wait fails");
        assert_eq!(
            without_dates(&played),
            without_dates(&over_a_socket),
            "{sent:?}"
        );
    }
}

#[test]
fn how_the_bytes_are_cut_makes_no_difference() {
    for sent in SENT {
        let mut replay = replay(patient());
        let whole = in_pieces([sent.as_bytes()].into_iter());
        let whole = replay.run(&whole, 1).expect("played");
        for length in [1, 2, 7, 30] {
            let pieces = in_pieces(sent.as_bytes().chunks(length));
            let mut played = replay.run(&pieces, 1).expect("played");
            // Who is refused does not send the rest.
            assert!(played.bytes_in <= whole.bytes_in);
            played.bytes_in = whole.bytes_in;
            assert_eq!(played, whole, "{sent:?} in pieces of {length}");
        }
    }
}

/// What is sent, and of ten iterations: connections, requests, answers by status.
type Case<'c> = (&'c str, u64, u64, &'c [(u16, u64)]);

#[test]
fn what_one_client_sends_goes_on_while_its_connection_is_kept() {
    let mut replay = replay(patient());
    let mut played = |sent: &str| -> Replayed {
        let recording = Recording::of_bytes(sent.as_bytes());
        replay.run(&recording, 10).expect("played")
    };
    let cases: [Case; 5] = [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 1, 10, &[(404, 10)]),
        (
            "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            10,
            10,
            &[(200, 10)],
        ),
        ("GET / HTTP/1.0\r\n\r\n", 10, 10, &[(404, 10)]),
        // What is not whole is finished, and begun again.
        (
            "GET /long HTTP/1.1\r\nHost: a\r\n\r\nGET",
            10,
            10,
            &[(200, 10), (400, 10)],
        ),
        ("nonsense\r\n\r\n", 10, 0, &[(400, 10)]),
    ];
    for (sent, connections, requests, answers) in cases {
        let played = played(sent);
        let seen = (
            played.connections,
            played.requests,
            played.answers.as_slice(),
        );
        assert_eq!(seen, (connections, requests, answers), "{sent:?}");
        assert_eq!(
            (played.iterations, played.bytes_in),
            (10, 10 * sent.len() as u64)
        );
        assert_eq!(played.troubles, 0);
    }
    assert_eq!(
        played("GET /panics HTTP/1.1\r\nHost: a\r\n\r\n").troubles,
        10
    );
}

#[test]
fn the_hash_is_that_of_the_first_iteration() {
    let mut count = 0;
    let counts = move |_: &Request<'_>, res: ResponseWriter<'_>| {
        count += 1;
        res.status(200).text(format!("{count}\n"))
    };
    let recording = Recording::of_bytes(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let hash = |iterations| {
        let mut replay = Replay::new(counts).expect("descriptors");
        let first = replay.run(&recording, iterations).expect("played");
        let second = replay.run(&recording, iterations).expect("played");
        assert_ne!(first.hash, second.hash, "it has counted on");
        (first.hash, first.bytes_out > 0)
    };
    assert_eq!(hash(1), hash(7));
}

/// A handler that never answers has its time, and a stream that is silent is left after as much.
#[test]
fn nobody_is_waited_for_without_end() {
    let mut replay = replay(Limits {
        handler_time: ms(30),
        ..patient()
    });
    let mut answers = |path: &str| {
        let sent = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        let recording = Recording::of_bytes(sent.as_bytes());
        replay.run(&recording, 2).expect("played").answers
    };
    assert_eq!(answers("/never"), [(503, 2)]);
    assert_eq!(answers("/silent"), [(200, 2)]);
    assert_eq!(answers("/echo"), [(200, 2)], "and it goes on");
}

struct Pooled(Pool);

impl Handler for Pooled {
    fn on_request(&mut self, _: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
        self.0.run(
            res,
            || 6 * 7,
            |value, res| res.status(200).text(format!("{value}\n")),
        )
    }

    fn intake(&mut self, _: &Request<'_>, _: ResponseWriter<'_>) -> Intake {
        Intake::Buffer(10)
    }
}

#[test]
fn jobs_of_a_pool_are_waited_for() {
    let pool = Pool::new(PoolLimits::default());
    let mut replay = Replay::new(Pooled(pool)).expect("descriptors");
    let sent = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nPOST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n";
    let played = replay.run(&Recording::of_bytes(sent), 3).expect("played");
    assert_eq!(played.answers, [(200, 3), (413, 3)]);
}

#[test]
fn limits_are_kept() {
    let mut replay = replay(Limits {
        http: HttpLimits {
            head_bytes_max: 100,
            ..HttpLimits::default()
        },
        ..patient()
    });
    let sent = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
        "x".repeat(100)
    );
    let played = replay.run(&Recording::of_bytes(sent.as_bytes()), 1);
    assert_eq!(played.expect("played").answers, [(431, 1)]);
}

#[test]
fn an_iteration_allocates_nothing() {
    let sent = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
    let recording = Recording::of_bytes(sent);
    let mut replay = replay(Limits::default());
    let mut run = |iterations| {
        allocations(|| {
            replay.run(&recording, iterations).expect("played");
        })
    };
    run(10);
    assert_eq!(run(10), run(1000));
}
