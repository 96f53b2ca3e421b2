//! The server under test: this program once more, in a process of its own, so that what it uses can be told from what its
//! clients use.
//!
//! It has the limits that every server has, but what a head, a body and an answer have of time is short enough for a
//! scenario to see it pass.

use std::time::Duration;

use edgeloop::http::Length;
use edgeloop::server::{BodyWriter, Progress, Pull, Source};
use edgeloop::{Limits, Reply, Request, ResponseWriter};
use nix::sys::resource::{Resource, setrlimit};

use crate::child::{Child, announce};

/// The first argument of the process that serves.
pub(crate) const ROLE: &str = "--serve";

/// It listens on so many ports, because a client has 28,000 of its own for each, and those of closed connections rest a
/// while.
const PORTS: usize = 4;

/// How a server differs from one that nothing was said about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    /// What a head, a body or an answer starts with (10 s by default), and the most that a transfer has in store (30 s).
    pub(crate) patience: Duration,
    /// `RLIMIT_NOFILE`.
    pub(crate) descriptors: Option<u64>,
    /// Rather than what follows from the descriptors.
    pub(crate) connections: Option<usize>,
}

/// Starts it.
pub(crate) fn start(setting: &Setting) -> Child {
    let numbers = [
        u64::try_from(setting.patience.as_millis()).expect("little"),
        setting.descriptors.unwrap_or(0),
        setting.connections.map_or(0, |count| count as u64),
    ];
    let mut words = vec![ROLE.to_owned()];
    words.extend(numbers.map(|number| number.to_string()));
    Child::start(&words, PORTS)
}

/// How many descriptors it has open.
pub(crate) fn descriptors(server: &Child) -> usize {
    let dir = std::fs::read_dir(server.proc("fd")).expect("it lives");
    dir.count()
}

/// What the process that serves does, with the numbers that [`Server::start`] gives it.
pub(crate) fn serve(words: &[String]) {
    let numbers: Vec<u64> = words
        .iter()
        .map(|word| word.parse().expect("a number"))
        .collect();
    let [patience, descriptors, connections] = numbers[..] else {
        panic!("{ROLE} PATIENCE DESCRIPTORS CONNECTIONS");
    };
    if descriptors > 0 {
        setrlimit(Resource::RLIMIT_NOFILE, descriptors, descriptors).expect("less is allowed");
    }
    let usual = Limits::default();
    let limits = Limits {
        head_time: Duration::from_millis(patience),
        progress: Progress {
            start: Duration::from_millis(patience),
            most: Duration::from_millis(patience),
            ..usual.progress
        },
        connections_max: usize::try_from(connections).ok().filter(|count| *count > 0),
        ..usual
    };
    let mut server = edgeloop::Server::bind("127.0.0.1:0").expect("a free port");
    for _ in 1..PORTS {
        server = server.and_bind("127.0.0.1:0").expect("a free port");
    }
    let serving = server.limits(limits).serve_fn(answer).expect("it listens");
    announce(serving.addresses());
    serving.run().expect("it serves");
}

static PIECE: [u8; 64 << 10] = [b'x'; 64 << 10];

struct Much(u64);

impl Source for Much {
    fn pull(&mut self, body: &mut BodyWriter<'_>) -> Pull {
        let left = usize::try_from(self.0).unwrap_or(usize::MAX);
        let piece = PIECE.len().min(left);
        body.write(&PIECE[..piece]);
        self.0 -= piece as u64;
        if self.0 == 0 { Pull::End } else { Pull::More }
    }
}

/// `/bytes/N` are so many, `/echo` is the body, and whatever else is its own path.
fn answer(req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
    let path = req.path();
    match path.strip_prefix("/bytes/").map(str::parse) {
        Some(Ok(length)) => res.status(200).stream(Length::Known(length), Much(length)),
        Some(Err(_)) => res.status(404).text("not found\n"),
        None if path == "/echo" => res.status(200).body(req.body()),
        None => res.status(200).text(path),
    }
}
