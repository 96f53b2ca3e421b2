//! What accepting must not lose when it fails, where seeds seldom come.

use core::time::Duration;

use edgeloop::server::EventLoop;
use edgeloop::sys::sim::{Call, Peer, Plan, World};
use edgeloop::{Limits, Reply, Request, ResponseWriter, Server};

type Handler = fn(&Request<'_>, ResponseWriter<'_>) -> Reply;

fn serve(_: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
    res.status(200).text("served")
}

/// A server, and a client that has asked it for something.
fn begin(world: &World, limits: Limits) -> (EventLoop<Handler>, Peer) {
    let server = Server::bind("127.0.0.1:80").expect("a free port");
    let server = server
        .limits(limits)
        .event_loop(serve as Handler, ())
        .expect("a loop");
    let client = world.connect(80).expect("somebody listens");
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    (server, client)
}

/// A turn in which the `nth` accept fails.
fn fail(world: &World, server: &mut EventLoop<Handler>, nth: u64, errno: i32) {
    world.set_plan(Plan::At {
        call: Call::Accept,
        errno,
        nth,
        for_good: false,
    });
    server.turn(None).expect("a turn");
    assert_eq!(
        (world.calls(Call::Accept), server.connections()),
        (nth, 0),
        "it fails"
    );
}

fn check_served(client: &Peer) {
    let mut answer = Vec::new();
    client.receive(&mut answer, usize::MAX);
    assert!(answer.ends_with(b"served"), "{}", answer.escape_ascii());
}

pub(super) fn a_pause_ends_although_nobody_else_goes(world: &World) {
    let (mut server, client) = begin(world, Limits::default());
    fail(world, &mut server, 1, libc::ENFILE);
    while client.unread() == 0 {
        server.turn(None).expect("a turn");
    }
    check_served(&client);
}

/// The pause is longer than the time until the listeners are closed.
pub(super) fn whoever_waits_while_accepting_pauses_is_served_by_a_drain(world: &World) {
    let (mut server, client) = begin(world, Limits::default());
    fail(world, &mut server, 1, libc::ENFILE);
    server.handle().drain();
    while !server.is_stopped() {
        server.turn(None).expect("a turn");
    }
    check_served(&client);
}

/// However few are accepted in a turn.
pub(super) fn two_calls_that_signals_cut_short_are_no_reason_to_pause(world: &World) {
    let limits = Limits {
        accept_budget: 1,
        ..Limits::default()
    };
    let (mut server, client) = begin(world, limits);
    let begun = world.now();
    fail(world, &mut server, 1, libc::EINTR);
    fail(world, &mut server, 2, libc::EINTR);
    while client.unread() == 0 {
        server.turn(None).expect("a turn");
    }
    check_served(&client);
    let passed = world.now().since(begun);
    assert!(passed < Duration::from_millis(100), "{passed:?}");
}
