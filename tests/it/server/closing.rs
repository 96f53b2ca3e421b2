//! The end of a connection that we close: the client can read its answer before it is reset for what it still sends.

use std::io::Write;
use std::time::Instant;

use edgeloop::Limits;
use edgeloop::server::{CloseReason, Linger};

use super::client::End;
use super::running::{mirror, serve};
use super::{PATIENCE, ms, patient};

fn linger(silence: u64, time: u64, bytes_max: u32) -> Limits {
    Limits {
        linger: Linger {
            silence: ms(silence),
            time: ms(time),
            bytes_max,
        },
        ..patient()
    }
}

const TOO_LARGE: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n";

#[test]
fn the_answer_reaches_a_client_that_goes_on_sending() {
    let server = serve(linger(5_000, 10_000, 16 << 20), mirror);
    let mut client = server.client();
    client.send(TOO_LARGE);
    // None of this is refused, and none of it costs the answer.
    for _ in 0..100 {
        client.send(vec![b'x'; 64 << 10]);
    }
    let answer = client.answer();
    assert_eq!((answer.status, answer.closes()), (413, true));
    assert_eq!(client.end(), End::Finished);
    client.finish();
    assert_eq!(server.log.wait_closed(1), [CloseReason::WeAsked]);
}

#[test]
fn a_closing_connection_is_read_until_it_is_silent() {
    let server = serve(linger(200, 60_000, u32::MAX), mirror);
    let mut client = server.client();
    client.send(TOO_LARGE);
    assert_eq!(client.answer().status, 413);
    assert_eq!(client.end(), End::Finished);
    // It says nothing and does not finish either.
    assert_eq!(server.log.wait_closed(1), [CloseReason::WeAsked]);
}

#[test]
fn a_closing_connection_is_not_read_for_ever() {
    // Never silent for long.
    let server = serve(linger(60_000, 300, u32::MAX), mirror);
    let mut client = server.client();
    client.send(TOO_LARGE);
    let begun = Instant::now();
    while client.stream.write(b"x").is_ok() {
        assert!(begun.elapsed() < PATIENCE, "it is read for ever");
        std::thread::sleep(ms(10));
    }
    assert_eq!(server.log.wait_closed(1), [CloseReason::WeAsked]);
    // Never silent at all.
    let server = serve(linger(60_000, 60_000, 1 << 20), mirror);
    let mut client = server.client();
    client.send(TOO_LARGE);
    let (piece, mut taken) = (vec![b'x'; 64 << 10], 0);
    while client.try_send(&piece) {
        taken += piece.len();
        assert!(taken < 256 << 20, "all of it is read");
    }
    assert_eq!(server.log.wait_closed(1), [CloseReason::WeAsked]);
}

#[test]
fn who_asked_for_the_end_and_has_said_all_is_closed_at_once() {
    let server = serve(linger(60_000, 60_000, u32::MAX), mirror);
    let mut client = server.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    assert_eq!(client.end(), End::Finished);
    // Without a FIN of ours.
    assert_eq!(server.log.wait_closed(1), [CloseReason::PeerAsked]);
}

#[test]
fn what_follows_the_last_request_is_not_answered_and_costs_no_answer() {
    let server = serve(linger(60_000, 60_000, u32::MAX), mirror);
    let mut client = server.client();
    client.send("GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    client.send("GET /more HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1000));
    assert_eq!(client.answer().text(), "GET /last ");
    client.finish();
    assert!(client.rest().0.is_empty());
    server.log.wait_closed(1);
}
