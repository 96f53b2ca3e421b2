//! What clients send gets in a replay, which has no network, what it gets in the world over a socket.

use core::time::Duration;
use std::rc::Rc;

use edgeloop::http::Length;
use edgeloop::server::{BodyWriter, Pull, Recording, Replay, write_recording as write};
use edgeloop::sys::sim::{Random, World};
use edgeloop::{Limits, Reply, Request, ResponseWriter};

use super::app::{self, App, BODY_MAX};
use super::bytes::{CASES, cut, in_one_piece, without_dates};
use crate::http::corpus::Ending;

/// Answers of every kind: at once, in pieces, later, never.
const PATHS: [&str; 13] = [
    "/text/1",
    "/body/2/100000",
    "/constant/3/70000",
    "/sized/4/90000",
    "/stream/5/80000",
    "/ticks/6/3",
    "/later/8/500",
    "/then/9/70000",
    "/dropped/10",
    "/never/11",
    "/promise/12/90",
    "/panics/2",
    "/none",
];

fn replay(world: &World) -> Replay<App> {
    app::add_files(world);
    let app = App::new(world, &Rc::default(), app::wide()).expect("its files are there");
    let limits = Limits {
        body_bytes_max: BODY_MAX,
        ..Limits::default()
    };
    Replay::with_limits(app, limits).expect("two descriptors")
}

/// What a client sends who then finishes: something of the corpus, or requests one behind the other.
fn drawn(random: &mut Random) -> Vec<u8> {
    let finished: Vec<_> = CASES.iter().filter(|it| it.ending == Ending::Fin).collect();
    if random.below(2) == 0 {
        return finished[random.index(finished.len())].input.clone();
    }
    let requests = (0..=random.below(3)).map(|_| {
        let path = PATHS[random.index(PATHS.len())];
        format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
    });
    requests.collect::<String>().into_bytes()
}

/// Some connections, one behind the other, each in pieces.
pub(super) fn some_connections_are_played(world: &World, random: &mut Random) {
    let mut file = Vec::new();
    write::begin(&mut file);
    let mut wanted = Vec::new();
    for connection in 1..=1 + random.below(4) {
        let sent = drawn(random);
        wanted.extend(in_one_piece(&sent, Ending::Fin));
        write::open(&mut file, connection, 0);
        for (micros, (_, piece)) in (0..).zip(cut(random, &sent)) {
            write::data(&mut file, connection, micros, &piece);
        }
        if random.below(2) == 0 {
            write::close(&mut file, connection, 9);
        } else {
            write::cut(&mut file, connection, 9);
        }
    }
    let recording = Recording::parse(&file).expect("a recording");
    let got = replay(world).answers(&recording).expect("played");
    let got = without_dates(&got);
    let common = got.iter().zip(&wanted).take_while(|(a, b)| a == b).count();
    let lengths = (got.len(), wanted.len());
    assert!(
        got == wanted,
        "{}: alike for {common} bytes of {lengths:?}",
        file.escape_ascii()
    );
}

pub(super) fn what_one_client_sends_is_played_again_and_again(world: &World) {
    let mut replay = replay(world);
    assert_eq!(format!("{replay:?}"), "Replay { .. }");
    let mut played = |path: &str, iterations| {
        let sent = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        let recording = Recording::of_bytes(sent.as_bytes());
        replay.run(&recording, iterations).expect("played")
    };
    for (path, connections, status) in [
        ("/text/1", 1, 200),
        ("/www/1/middle", 1, 200),
        ("/www/1/none", 1, 404),
        ("/later/2/500", 1, 200),
        ("/never/3", 1, 503),
        ("/panics/4", 3, 500),
    ] {
        let said = played(path, 3);
        assert_eq!(said.answers, [(status, 3)], "{path}");
        assert_eq!((said.iterations, said.requests), (3, 3), "{path}");
        assert_eq!(said.connections, connections, "{path}");
        let text = said.to_string();
        assert!(text.contains(&format!("status {status}   3\n")), "{text}");
    }
    assert_eq!(played("/body/5/9", 1).hash, played("/body/5/9", 7).hash);
    assert_ne!(played("/body/5/9", 1).hash, played("/body/6/9", 1).hash);
}

/// Timers and mail of the loop go on while an answer is waited for.
fn with_its_loop(req: &Request<'_>, mut res: ResponseWriter<'_>) -> Reply {
    let local = res.local().clone();
    match req.path() {
        "/ticks" => {
            let waker = res.waker();
            local.every(Duration::from_millis(1), move || waker.wake());
            let mut left = 5;
            let ticks = move |body: &mut BodyWriter<'_>| {
                left -= 1;
                body.write(b"tick ");
                if left == 0 { Pull::End } else { Pull::Wait }
            };
            res.status(200).stream(Length::Unknown, ticks)
        }
        "/mail" => {
            let (completer, reply) = res.defer();
            let mut completer = Some(completer);
            let sender = local.mailbox(move |number: u32| {
                if let Some(completer) = completer.take() {
                    completer.finish(move |res| res.status(200).text(number.to_string()));
                }
            });
            sender.send(7).expect("there is room");
            reply
        }
        // Its client leaves it after as much time as a handler has.
        "/silent" => {
            let waker = res.waker();
            local.after(Duration::from_secs(1_000), move || drop(waker));
            let silent = |_: &mut BodyWriter<'_>| Pull::Wait;
            res.status(200).stream(Length::Unknown, silent)
        }
        _ => res.no_route(req.method()),
    }
}

pub(super) fn answers_that_need_the_loop_are_waited_for(_: &World) {
    let mut replay = Replay::new(with_its_loop).expect("two descriptors");
    for (path, ends) in [
        ("/ticks", "\r\n5\r\ntick \r\n0\r\n\r\n"),
        ("/mail", "\r\n\r\n7"),
        ("/silent", "Transfer-Encoding: chunked\r\n\r\n"),
        ("/none", "not found\n"),
    ] {
        let sent = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        let recording = Recording::of_bytes(sent.as_bytes());
        let got = replay.answers(&recording).expect("played");
        let got = String::from_utf8_lossy(&got).into_owned();
        assert!(
            got.to_lowercase().ends_with(&ends.to_lowercase()),
            "{path}: {got}"
        );
    }
}

pub(super) fn what_is_no_recording_is_told(_: &World) {
    for (rest, why) in [
        ("", "it has no connection"),
        ("open 0 0\n", "here should be 'open'"),
        ("shut 1 0\n", "here should be 'open'"),
        ("open 1 0 0\n", "here should be 'open'"),
        ("open 1 0", "none ends"),
        ("open 1 0\nopen 1 0\n", "open already"),
        ("data 1 0 0\n\n", "no such connection"),
        ("close 1 0\n", "no such connection"),
        ("open 1 0\ndata 1 0 5\nabc\n", "the file ends within"),
        ("open 1 0\ndata 1 0 2\nabc\n", "more than their line says"),
    ] {
        let file = format!("edgeloop recording 1\n{rest}");
        let error = Recording::parse(file.as_bytes()).expect_err(rest);
        assert!(error.to_string().contains(why), "{rest:?}: {error}");
    }
    let newer = Recording::parse(b"edgeloop recording 2\n").expect_err("another version");
    assert!(newer.to_string().contains("version"), "{newer}");
    assert!(Recording::parse(b"").is_err());
    let sent = Recording::parse(b"GET").expect("bytes of a client");
    assert_eq!((sent.connections(), sent.bytes()), (1, 3));
    let pieces: Vec<Vec<&[u8]>> = sent.pieces().map(Iterator::collect).collect();
    assert_eq!(pieces, [[b"GET"]]);
}
