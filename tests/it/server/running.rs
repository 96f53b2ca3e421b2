//! A server on a thread of its own, stopped when the test is over.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

use edgeloop::http::Head;
use edgeloop::reactor::Token;
use edgeloop::server::{CloseReason, Observer, Report, Summary, Trouble};
use edgeloop::sys::Address;
use edgeloop::{Handle, Handler, Limits, Local, Reply, Request, ResponseWriter, Server, Serving};

use super::PATIENCE;
use super::client::Client;

pub(super) struct Running {
    pub(super) address: SocketAddr,
    pub(super) handle: Handle,
    pub(super) log: Log,
    thread: Option<JoinHandle<std::io::Result<Report>>>,
}

/// Serves with a function.
pub(super) fn serve(
    limits: Limits,
    handler: impl FnMut(&Request<'_>, ResponseWriter<'_>) -> Reply + Clone + Send + Sync + 'static,
) -> Running {
    serve_with(limits, move |_| handler.clone())
}

/// Serves with a handler that a factory makes.
pub(super) fn serve_with<H: Handler + 'static>(
    limits: Limits,
    factory: impl Fn(usize) -> H + Send + Sync + 'static,
) -> Running {
    let server = Server::bind("127.0.0.1:0").expect("a free port");
    run(server.limits(limits), factory)
}

/// Runs a server that is ready to run.
pub(super) fn run<H: Handler + 'static>(
    server: Server,
    factory: impl Fn(usize) -> H + Send + Sync + 'static,
) -> Running {
    let log = Log::default();
    let recorder = log.clone();
    let serving = server
        .serve_with(move |core| (factory(core), recorder.clone()))
        .expect("listens");
    Running::start(serving, log)
}

impl Running {
    fn start<H: Handler + 'static, F>(serving: Serving<F>, log: Log) -> Running
    where
        F: Fn(&Local) -> (H, Log) + Send + Sync + 'static,
    {
        let address = ip(&serving.addresses()[0]);
        let handle = serving.handle();
        let thread = std::thread::spawn(move || serving.run());
        Running {
            address,
            handle,
            log,
            thread: Some(thread),
        }
    }

    pub(super) fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// Waits for its end.
    pub(super) fn join(mut self) -> Report {
        let thread = self.thread.take().expect("not joined yet");
        thread.join().expect("no panic").expect("no error")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.stop();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(
                ended.is_ok() || std::thread::panicking(),
                "the worker panicked"
            );
        }
    }
}

pub(super) fn ip(address: &Address) -> SocketAddr {
    match address {
        Address::Ip(ip) => *ip,
        Address::Host(..) | Address::Unix(_) | Address::Inherited(_) => {
            panic!("{address} is not TCP")
        }
    }
}

/// An observer that writes everything down.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<Seen>>>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Accepted(Token),
    Head(Token, String),
    Answered(Token, Summary),
    Closed(Token, CloseReason),
    Trouble(String),
}

impl Log {
    fn note(&mut self, seen: Seen) {
        self.0.lock().expect("no panic").push(seen);
    }

    pub(super) fn all(&self) -> Vec<Seen> {
        self.0.lock().expect("no panic").clone()
    }

    /// The reasons of the connections that have ended, in their order.
    pub(super) fn closed(&self) -> Vec<CloseReason> {
        let all = self.all();
        all.iter()
            .filter_map(|seen| match seen {
                Seen::Closed(_, reason) => Some(*reason),
                _ => None,
            })
            .collect()
    }

    pub(super) fn troubles(&self) -> Vec<String> {
        let all = self.all();
        all.into_iter()
            .filter_map(|seen| match seen {
                Seen::Trouble(text) => Some(text),
                _ => None,
            })
            .collect()
    }

    pub(super) fn accepted(&self) -> usize {
        let all = self.all();
        all.iter()
            .filter(|seen| matches!(seen, Seen::Accepted(_)))
            .count()
    }

    /// Waits until so many connections have ended: why they did.
    pub(super) fn wait_closed(&self, count: usize) -> Vec<CloseReason> {
        wait("connections end", || self.closed().len() >= count);
        self.closed()
    }
}

impl Observer for Log {
    fn accepted(&mut self, connection: Token) {
        self.note(Seen::Accepted(connection));
    }

    fn head(&mut self, connection: Token, head: &Head<'_>) {
        let line = format!("{} {}", head.method(), head.path());
        self.note(Seen::Head(connection, line));
    }

    fn answered(&mut self, connection: Token, summary: &Summary) {
        self.note(Seen::Answered(connection, *summary));
    }

    fn closed(&mut self, connection: Token, reason: CloseReason) {
        self.note(Seen::Closed(connection, reason));
    }

    fn trouble(&mut self, trouble: &Trouble) {
        self.note(Seen::Trouble(format!("{trouble:?}")));
    }
}

/// Asks again and again until it is so.
pub(super) fn wait(what: &str, mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::sleep(super::ms(2));
    }
}

/// What another thread sends in time.
pub(super) fn take<T>(from: &mpsc::Receiver<T>) -> T {
    from.recv_timeout(PATIENCE).expect("it is sent")
}

/// Answers every request with its method, its path and its body.
pub(super) fn mirror(req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
    let body = [
        req.method().as_bytes(),
        b" ",
        req.path().as_bytes(),
        b" ",
        req.body(),
    ];
    res.status(200).body(body.concat())
}
