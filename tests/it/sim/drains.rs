//! What a drain must not lose, where seeds seldom come.

use edgeloop::sys::sim::{Call, Plan, World};
use edgeloop::{Reply, Request, ResponseWriter, Server};

fn serve(_: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
    res.status(200).text("served")
}

/// The pause is longer than the time until the listeners are closed.
#[test]
fn whoever_waits_while_accepting_pauses_is_served_by_a_drain() {
    let world = World::new(1);
    let _inside = world.enter();
    let server = Server::bind("127.0.0.1:80").expect("a free port");
    let mut server = server.event_loop(serve, ()).expect("a loop");
    world.set_plan(Plan::At {
        call: Call::Accept,
        errno: libc::ENFILE,
        nth: 1,
        for_good: false,
    });
    let client = world.connect(80).expect("somebody listens");
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    server.turn(None).expect("accepting pauses");
    assert_eq!((world.calls(Call::Accept), server.connections()), (1, 0));
    server.handle().drain();
    while !server.is_stopped() {
        server.turn(None).expect("a turn");
    }
    let mut answer = Vec::new();
    client.receive(&mut answer, usize::MAX);
    assert!(answer.ends_with(b"served"), "{}", answer.escape_ascii());
}
