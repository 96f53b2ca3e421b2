//! A listener that the server has from others, who keep it.

use std::io::Write;
use std::os::fd::IntoRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use edgeloop::{Reply, Request, ResponseWriter, Server};

fn nothing(_: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
    res.status(204).empty()
}

#[test]
fn a_server_that_drains_is_not_woken_by_a_listener_that_others_keep() {
    let path = std::env::temp_dir().join(format!("edgeloop-handover-{}", std::process::id()));
    let kept = UnixListener::bind(&path).expect("a path");
    let given = kept.try_clone().expect("a descriptor").into_raw_fd();
    let mut server = Server::bind(&format!("fd:{given}"))
        .expect("it listens")
        .event_loop(nothing, ())
        .expect("a loop");

    // Half a head keeps the drain from its end.
    let mut busy = UnixStream::connect(&path).expect("it listens");
    busy.write_all(b"GET / HT").expect("room");
    while server.connections() == 0 {
        server.turn(Some(Duration::from_secs(1))).expect("a turn");
    }
    server.handle().drain();

    // Once the server has left the listener alone, who connects can be had from the one that was kept.
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let _client = UnixStream::connect(&path).expect("it listens");
        server
            .turn(Some(Duration::from_millis(10)))
            .expect("a turn");
        if kept.accept().is_ok() {
            break;
        }
        assert!(Instant::now() < deadline, "it still accepts");
    }
    let _waits = UnixStream::connect(&path).expect("it listens");
    // The first turn may still have a client from the loop above to end.
    let events: Vec<usize> = (0..3)
        .map(|_| server.turn(Some(Duration::ZERO)).expect("a turn").events)
        .collect();
    assert_eq!(events[1..], [0, 0]);
    assert!(!server.is_stopped());
    std::fs::remove_file(path).expect("is there");
}
