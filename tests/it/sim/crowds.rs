//! Many at once, and one among the greedy.

use core::time::Duration;
use std::cell::RefCell;
use std::rc::Rc;

use edgeloop::sys::sim::{Call, Net, Peer, World};

use super::app;

const CLIENTS: usize = 10_000;
/// Bytes of an answer to `/text/1`, at least.
const ANSWER: usize = 100;
/// Turns that a small answer takes at most, whoever else wants how much.
const TURNS: u64 = 5;

/// Connects as soon as there is room in the queue, and asks.
fn come(world: &World, crowd: Rc<RefCell<Vec<Peer>>>) {
    match world.connect(80) {
        Some(peer) => {
            peer.send(b"GET /text/1 HTTP/1.1\r\nHost: a\r\n\r\n");
            crowd.borrow_mut().push(peer);
        }
        None => world.after(Duration::from_millis(3), move |world| come(world, crowd)),
    }
}

#[test]
fn ten_thousand_clients_at_once_are_served_and_go() {
    let world = World::new(1);
    let _inside = world.enter();
    world.set_descriptors_max(2 * CLIENTS);
    let mut server = app::serve(&world);
    let crowd = Rc::new(RefCell::new(Vec::new()));
    for _ in 0..CLIENTS {
        let crowd = Rc::clone(&crowd);
        world.after(Duration::from_millis(1), move |world| come(world, crowd));
    }
    let is_served = |peer: &Peer| peer.unread() > ANSWER;
    while crowd.borrow().len() < CLIENTS || !crowd.borrow().iter().all(is_served) {
        server.turn(Some(Duration::from_secs(1))).expect("a turn");
    }
    assert_eq!(server.connections(), CLIENTS);
    // They idle: it costs nothing until their time is over, and then they all go.
    let (begun, waits) = (world.now(), world.calls(Call::EpollWait));
    while server.connections() > 0 {
        server.turn(None).expect("a turn");
    }
    let (idled, turns) = (
        world.now().since(begun),
        world.calls(Call::EpollWait) - waits,
    );
    assert!((74..77).contains(&idled.as_secs()), "{idled:?}");
    assert!(turns < 40, "{turns} turns");
    crowd.borrow_mut().clear();
    drop(server);
    assert_eq!(world.open_descriptors(), 0);
}

/// Wants a lot, and takes whatever comes.
fn greedy(world: &World, request: &str, times: usize) -> Peer {
    let peer = world.connect(80).expect("it listens");
    let bytes = request.repeat(times);
    peer.send(bytes.as_bytes());
    peer
}

#[test]
fn nobody_starves_beside_the_greedy() {
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    let crowds: [(&str, String, usize); 4] = [
        ("downloads from memory", get("/constant/1/500000"), 40),
        ("downloads of files", get("/file/1/large"), 40),
        ("pipelined requests", get("/text/1"), 1_500),
        ("streams", get("/stream/1/500000"), 40),
    ];
    for (name, request, times) in crowds {
        let world = World::new(2);
        let _inside = world.enter();
        world.set_net(Net {
            send_room: 1 << 20,
            peer_receive_room: 1 << 20,
            ..Net::default()
        });
        let mut server = app::serve(&world);
        let others: Vec<_> = (0..60).map(|_| greedy(&world, &request, times)).collect();
        let modest = world.connect(80).expect("it listens");
        let mut worst = 0;
        for round in 0..60 {
            // Greedy ones read all that came, so that there is always room.
            let take = || {
                for other in &others {
                    other.receive(&mut Vec::new(), usize::MAX);
                }
            };
            modest.send(get("/text/1").as_bytes());
            let before = world.calls(Call::EpollWait);
            while modest.unread() < ANSWER {
                server.turn(Some(Duration::from_secs(1))).expect("a turn");
                take();
            }
            modest.receive(&mut Vec::new(), usize::MAX);
            // It was not even accepted when it asked first.
            if round > 0 {
                worst = worst.max(world.calls(Call::EpollWait) - before);
            }
        }
        assert!((1..=TURNS).contains(&worst), "{name}: {worst} turns");
        drop(server);
    }
}
