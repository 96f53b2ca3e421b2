//! The server under test: this program once more, in a process of its own, so that what it uses can be told from what its
//! clients use.
//!
//! It has the limits that every server has, but what a head, a body and an answer have of time is short enough for a
//! scenario to see it pass.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use edgeloop::http::Length;
use edgeloop::server::{BodyWriter, Progress, Pull, Source};
use edgeloop::sys::Address;
use edgeloop::{Limits, Reply, Request, ResponseWriter};
use nix::sys::resource::{Resource, setrlimit};

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

pub(crate) struct Server {
    child: Child,
    /// It ends when this does, and so with this process, whatever happens to it.
    _stdin: Option<ChildStdin>,
    pub(crate) addresses: Vec<SocketAddr>,
}

impl Server {
    pub(crate) fn start(setting: &Setting) -> Server {
        let program = std::env::current_exe().expect("this is one");
        let words = [
            u64::try_from(setting.patience.as_millis()).expect("little"),
            setting.descriptors.unwrap_or(0),
            setting.connections.map_or(0, |count| count as u64),
        ];
        let mut child = Command::new(program)
            .arg(ROLE)
            .args(words.map(|number| number.to_string()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let addresses = lines
            .map_while(Result::ok)
            .take(PORTS)
            .map(|line| line.parse().expect("an address"))
            .collect();
        Server {
            _stdin: child.stdin.take(),
            child,
            addresses,
        }
    }

    /// How many descriptors it has open.
    pub(crate) fn descriptors(&self) -> usize {
        let dir = std::fs::read_dir(self.proc("fd")).expect("it lives");
        dir.count()
    }

    /// Processor time that all its threads have used.
    pub(crate) fn cpu(&self) -> Duration {
        let threads = std::fs::read_dir(self.proc("task")).expect("it lives");
        let spent = threads.map(|thread| {
            let path = thread.expect("an entry").path().join("schedstat");
            let text = std::fs::read_to_string(path).expect("a kernel that counts");
            let first = text.split_whitespace().next().expect("three numbers");
            first.parse::<u64>().expect("nanoseconds")
        });
        Duration::from_nanos(spent.sum())
    }

    /// Memory that it has in RAM, in KiB.
    pub(crate) fn resident(&self) -> i64 {
        let status = std::fs::read_to_string(self.proc("status")).expect("it lives");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|rest| rest.trim().strip_suffix(" kB"));
        number.expect("VmRSS").parse().expect("a number")
    }

    fn proc(&self, what: &str) -> String {
        format!("/proc/{}/{what}", self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both do nothing to a child that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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
    for address in serving.addresses() {
        let Address::Ip(address) = address else {
            unreachable!("TCP was asked for");
        };
        println!("{address}");
    }
    std::io::stdout().flush().expect("somebody reads");
    let handle = serving.handle();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read(&mut [0]); // nothing comes, and then it ends
        handle.stop();
    });
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
