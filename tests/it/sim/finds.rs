//! What the simulation has found, each in its smallest form.

use core::cell::OnceCell;
use core::time::Duration;
use std::rc::Rc;

use edgeloop::http::Length;
use edgeloop::server::{BodyWriter, Handle, Pull, Source};
use edgeloop::sys::signal::Signals;
use edgeloop::sys::sim::{Call, Net, Peer, PeerState, Plan, World};
use edgeloop::{Limits, Request, ResponseWriter, Server};

use super::app;

/// What a client gets for its request, and how its connection ends, when one call fails.
fn ask(
    request: &str,
    (call, errno, nth): (Call, i32, u64),
    has_sendfile: bool,
) -> (String, PeerState) {
    let world = World::new(1);
    let _inside = world.enter();
    world.set_sigpipe_is_default(!has_sendfile);
    world.set_net(Net {
        send_room: 20_000,
        ..Net::default()
    });
    let mut server = app::serve(&world);
    let nth = world.calls(call) + nth;
    world.set_plan(Plan::At {
        call,
        errno,
        nth,
        for_good: false,
    });
    let client: Peer = world.connect(80).expect("it listens");
    client.send(request.as_bytes());
    let mut got = Vec::new();
    let until = world.now() + Duration::from_secs(200);
    while client.state() == PeerState::Open && world.now() < until {
        server.turn(Some(Duration::from_secs(1))).expect("a turn");
        client.receive(&mut got, 5_000);
    }
    while client.receive(&mut got, usize::MAX) > 0 {}
    assert!(world.calls(call) >= nth, "the call was made");
    (String::from_utf8(got).expect("text"), client.state())
}

#[test]
fn a_signal_does_not_take_a_file_from_its_client() {
    for (name, length) in [("small", 1_000), ("large", 300_000)] {
        let request =
            format!("GET /file/1/{name} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let (got, state) = ask(&request, (Call::ReadAt, libc::EINTR, 1), false);
        assert!(got.starts_with("HTTP/1.1 200 "), "{name}: {got:.80}");
        assert!(
            got.len() > length && state == PeerState::Finished,
            "{name}: {}",
            got.len()
        );
    }
}

/// What was asked is answered: only a second signal cuts.
pub(super) fn signals_that_can_not_be_read_are_no_second_signal(world: &World) {
    app::add_files(world);
    let app = app::App::new(world, &Rc::default(), app::wide()).expect("its files are there");
    let signals = Signals::block().expect("they can be read");
    let server = Server::bind("127.0.0.1:80").expect("a free port");
    let server = server.drain_on(signals).event_loop(app, ());
    let mut server = server.expect("listens");
    // The first read has the signal, the second one looks for another.
    world.set_plan(Plan::At {
        call: Call::ReadSignal,
        errno: libc::EIO,
        nth: 2,
        for_good: false,
    });
    let client = world.connect(80).expect("it listens");
    client.send(b"GET /later/7/2000000 HTTP/1.1\r\nHost: a\r\n\r\n");
    world.after(Duration::from_millis(500), |world| {
        world.raise(libc::SIGTERM);
    });
    let report = server.run().expect("it ends");
    let mut got = Vec::new();
    client.receive(&mut got, usize::MAX);
    assert!(got.starts_with(b"HTTP/1.1 200 ") && got.ends_with(b"7"));
    assert_eq!((report.cut, world.calls(Call::ReadSignal)), (0, 2));
}

/// It would look whole: where it ends is where its connection ends.
#[test]
fn an_answer_that_memory_ran_out_for_does_not_end_in_order() {
    for (call, errno) in [
        (Call::Send, libc::ENOBUFS),
        (Call::Send, libc::ENOMEM),
        (Call::EpollControl, libc::ENOMEM),
    ] {
        // The second send, or the registration and then the change.
        let (got, state) = ask(
            "GET /stream/1/200000 HTTP/1.0\r\n\r\n",
            (call, errno, 2),
            true,
        );
        assert!(got.len() < 200_000, "{call:?}: {}", got.len());
        assert_eq!(state, PeerState::Reset, "{call:?}");
    }
}

/// Content that stops its server when it is asked for.
struct Stops {
    server: Handle,
    left: usize,
}

const LENGTH: usize = 100_000;

impl Source for Stops {
    fn pull(&mut self, body: &mut BodyWriter<'_>) -> Pull {
        self.server.stop();
        let piece = self.left.min(10_000);
        body.write(&vec![b'a'; piece]);
        self.left -= piece;
        Pull::More
    }
}

/// A client gets it from a server that sends it so much at a time, and that stops in the same turn.
fn stopped_while_sending(send_budget: usize) -> (usize, PeerState) {
    let world = World::new(1);
    let _inside = world.enter();
    world.set_net(Net {
        send_room: 1 << 20,
        peer_receive_room: 1 << 20,
        ..Net::default()
    });
    let handle: Rc<OnceCell<Handle>> = Rc::default();
    let stops = Rc::clone(&handle);
    let answer = move |_: &Request<'_>, res: ResponseWriter<'_>| {
        let source = Stops {
            server: stops
                .get()
                .expect("it is set before the first turn")
                .clone(),
            left: LENGTH,
        };
        let length = Length::Known(LENGTH as u64);
        res.status(200).stream(length, source)
    };
    let server = Server::bind("127.0.0.1:80").expect("a free port");
    let server = server.limits(Limits {
        send_budget,
        ..Limits::default()
    });
    let mut server = server.event_loop(answer, ()).expect("it listens");
    handle.set(server.handle()).expect("once");
    let client = world.connect(80).expect("it listens");
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    server.run().expect("it ends");
    let mut got = Vec::new();
    client.receive(&mut got, usize::MAX);
    (got.len(), client.state())
}

#[test]
fn an_answer_whose_last_byte_is_the_last_of_the_budget_is_whole_when_the_server_stops() {
    let (whole, state) = stopped_while_sending(1 << 20);
    assert!(
        whole > LENGTH && state == PeerState::Finished,
        "{whole}, {state:?}"
    );
    let (part, state) = stopped_while_sending(whole / 2);
    assert!(
        part < whole && state == PeerState::Reset,
        "{part}, {state:?}"
    );
    assert_eq!(stopped_while_sending(whole), (whole, PeerState::Finished));
}
