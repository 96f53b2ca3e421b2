//! What a server counts is what the kernel was asked, and what its observer was told.

use core::time::Duration;
use std::sync::{Arc, Mutex};

use edgeloop::sys::sim::{Call, World};
use edgeloop::{Counters, Request, ResponseWriter, Server};

use super::run::{Run, Said};

impl Run {
    /// Of a server that has stopped.
    pub(super) fn check_counters(&self) -> Said<()> {
        let Some(server) = &self.server else {
            return Ok(());
        };
        let counted = server.counters();
        let told = self.watch.sums();
        let mut rows = calls(&self.world, &counted).to_vec();
        rows.extend([
            ("connections begun", counted.opened, told.accepted),
            ("connections ended", counted.closed, told.closed),
            ("requests", counted.requests, told.heads),
            ("answers", counted.answers, told.answered),
        ]);
        let wrong = rows.iter().filter(|(_, ours, theirs)| ours != theirs);
        let wrong: Vec<_> = wrong
            .map(|(what, ours, theirs)| format!("{what}: {ours} counted, and there were {theirs}"))
            .collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }
}

/// What the loop counts of calls, beside what the world has counted.
pub(super) fn calls(world: &World, counted: &Counters) -> [(&'static str, u64, u64); 6] {
    [
        ("epoll_wait", counted.turns, world.calls(Call::EpollWait)),
        (
            "epoll_ctl",
            counted.epoll_ctls,
            world.calls(Call::EpollControl),
        ),
        ("accept4", counted.accepts, world.calls(Call::Accept)),
        ("recv", counted.recvs, world.calls(Call::Recv)),
        ("send", counted.sends, world.calls(Call::Send)),
        ("sendfile", counted.sendfiles, world.calls(Call::SendFile)),
    ]
}

pub(super) fn what_is_counted_is_told_to_who_asks(world: &World) {
    let hello = |_: &Request<'_>, res: ResponseWriter<'_>| res.status(200).text("hello\n");
    let server = Server::bind("127.0.0.1:80").expect("free");
    let mut server = server.event_loop(hello, ()).expect("listens");
    let before = server.counters();
    let client = world.connect(80).expect("it listens");
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let turn = |server: &mut edgeloop::EventLoop<_, _>| {
        server.turn(Some(Duration::from_secs(1))).expect("a turn");
    };
    while server.counters().answers == before.answers {
        turn(&mut server);
    }
    let cost = server.counters() - before;
    assert_eq!((cost.requests, cost.recvs, cost.sends), (1, 1, 1));
    let twice: Counters = [cost, cost].into_iter().sum();
    assert_eq!((twice.requests, twice.bytes_in), (2, 2 * cost.bytes_in));

    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    let asked = server.handle().counters(move |core, counters| {
        tell.lock().expect("nobody panics").push((core, counters));
    });
    assert_eq!(asked, 1);
    while told.lock().expect("nobody panics").is_empty() {
        turn(&mut server);
    }
    let (core, counters) = told.lock().expect("nobody panics")[0];
    assert_eq!((core, counters.requests), (0, 1));

    let (text, json) = (cost.to_string(), cost.to_json());
    for (name, value) in cost.iter() {
        let line = text
            .lines()
            .find(|line| line.starts_with(&format!("{name} ")));
        let words: Vec<_> = line.expect(name).split_whitespace().collect();
        assert_eq!(words[1], value.to_string());
        assert!(json.contains(&format!("\"{name}\":{value}")), "{json}");
    }
}
