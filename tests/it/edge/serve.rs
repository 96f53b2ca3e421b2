//! Servers for these tests: turned by hand, or on a thread of their own.

use core::cell::RefCell;
use core::time::Duration;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{LazyLock, mpsc};
use std::thread;
use std::time::Instant;

use edgeloop::http::Length;
use edgeloop::reactor::{Token, Turn};
use edgeloop::server::{BodyWriter, CloseReason, Pull, Source, Trouble};
use edgeloop::sys::Address;
use edgeloop::{
    Completer, EventLoop, Handle, Handler, Limits, Observer, Reply, Request, ResponseWriter, Server,
};

use super::client::Client;

/// How long what has to come is waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// No two stretches of it look alike, so a byte that is lost or comes twice shows.
pub(super) static CONTENT: LazyLock<&'static [u8]> = LazyLock::new(|| {
    let numbers = (0..2_000_000u32).flat_map(u32::to_be_bytes);
    numbers.collect::<Vec<u8>>().leak()
});

/// The answers that are waited for.
pub(super) type Waiting = Rc<RefCell<Vec<Completer>>>;

/// What has happened on the server.
pub(super) type Log = Rc<RefCell<Vec<Happened>>>;

#[derive(Debug, PartialEq)]
pub(super) enum Happened {
    Accepted,
    Closed(CloseReason),
    Trouble(String),
}

#[derive(Clone, Default)]
pub(super) struct Watch(pub(super) Log);

impl Observer for Watch {
    fn accepted(&mut self, _: Token) {
        self.0.borrow_mut().push(Happened::Accepted);
    }

    fn closed(&mut self, _: Token, reason: CloseReason) {
        self.0.borrow_mut().push(Happened::Closed(reason));
    }

    fn trouble(&mut self, trouble: &Trouble) {
        let text = trouble.to_string();
        self.0.borrow_mut().push(Happened::Trouble(text));
    }
}

/// `/body/N`, `/constant/N` and `/stream/N` answer with the first N bytes of [`CONTENT`], each in its own way;
/// `POST` with the body that came; everything else with `hello`.
pub(super) fn app(req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
    let (way, count) = req.path()[1..].split_once('/').unwrap_or_default();
    let content = |count: &str| &CONTENT[..count.parse().expect("a number")];
    let ok = res.status(200);
    match (req.method(), way) {
        ("POST", _) => ok.body(req.body()),
        (_, "body") => ok.body(content(count)),
        (_, "constant") => ok.constant(content(count)),
        (_, "stream") => {
            let content = content(count);
            ok.stream(Length::Known(content.len() as u64), Slice(content))
        }
        _ => ok.body("hello"),
    }
}

struct Slice(&'static [u8]);

impl Source for Slice {
    fn pull(&mut self, body: &mut BodyWriter<'_>) -> Pull {
        let (now, later) = self.0.split_at(self.0.len().min(body.room()));
        body.write(now);
        self.0 = later;
        if later.is_empty() {
            Pull::End
        } else {
            Pull::More
        }
    }
}

/// [`app`], but `/later` is answered by whoever takes its completer.
pub(super) fn deferring(waiting: &Waiting) -> impl Handler + use<> {
    let waiting = Rc::clone(waiting);
    move |req: &Request<'_>, res: ResponseWriter<'_>| {
        if req.path() == "/later" {
            let (completer, reply) = res.defer();
            waiting.borrow_mut().push(completer);
            reply
        } else {
            app(req, res)
        }
    }
}

/// A server that is turned by hand.
pub(super) struct Hand<H, O = ()> {
    pub(super) event_loop: EventLoop<H, O>,
    pub(super) address: SocketAddr,
}

pub(super) fn hand<H: Handler>(limits: Limits, handler: H) -> Hand<H> {
    watched(limits, handler, ())
}

pub(super) fn watched<H: Handler, O: Observer>(
    limits: Limits,
    handler: H,
    observer: O,
) -> Hand<H, O> {
    let server = Server::bind("127.0.0.1:0").expect("a free port");
    Hand::of(server.limits(limits), handler, observer)
}

impl<H: Handler, O: Observer> Hand<H, O> {
    pub(super) fn of(server: Server, handler: H, observer: O) -> Hand<H, O> {
        let address = ip(server.addresses().next());
        let event_loop = server.event_loop(handler, observer).expect("starts");
        Hand {
            event_loop,
            address,
        }
    }

    /// A client, accepted.
    pub(super) fn connect(&mut self) -> Client {
        self.settle(); // whoever has gone is counted no more
        let client = Client::connect(self.address);
        let before = self.event_loop.connections();
        self.until("it is accepted", |hand| {
            hand.event_loop.connections() > before
        });
        client
    }

    /// One turn that does not wait.
    pub(super) fn turn(&mut self) -> Turn {
        self.event_loop
            .turn(Some(Duration::ZERO))
            .expect("epoll works")
    }

    /// Turns until there is nothing to do: how many turns it took.
    pub(super) fn settle(&mut self) -> usize {
        let begin = Instant::now();
        for turns in 1.. {
            let turn = self.turn();
            if turn.events == 0 && !turn.more {
                return turns;
            }
            assert!(begin.elapsed() < PATIENCE, "it never settles");
        }
        unreachable!("turns go on")
    }

    /// Turns until `done`: how many turns it took.
    pub(super) fn until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) -> usize {
        let begin = Instant::now();
        for turns in 0.. {
            if done(self) {
                return turns;
            }
            assert!(begin.elapsed() < PATIENCE, "in vain: {what}");
            let wait = Some(Duration::from_millis(1));
            self.event_loop.turn(wait).expect("epoll works");
        }
        unreachable!("turns go on")
    }

    /// Turns until the client has so many whole answers.
    pub(super) fn answers(&mut self, client: &mut Client, count: usize) {
        self.until("answers", |_| {
            client.receive();
            client.end.is_some() || client.answers().len() >= count
        });
        assert!(client.answers().len() >= count, "{:?}", client.end);
    }

    /// Turns until the client's connection is over.
    pub(super) fn end(&mut self, client: &mut Client) {
        self.until("the end", |_| {
            client.receive();
            client.end.is_some()
        });
    }
}

/// A server on a thread of its own.
pub(super) struct Running {
    pub(super) address: SocketAddr,
    pub(super) handle: Handle,
    over: mpsc::Receiver<()>,
}

pub(super) fn running<H>(limits: Limits, handler: H) -> Running
where
    H: Handler + Clone + Send + Sync + 'static,
{
    let server = Server::bind("127.0.0.1:0").expect("a free port");
    let serving = server.limits(limits).serve_fn(handler).expect("starts");
    let (address, handle) = (ip(serving.addresses().first()), serving.handle());
    let (tell, over) = mpsc::channel();
    thread::spawn(move || {
        serving.run().expect("epoll works");
        tell.send(())
    });
    Running {
        address,
        handle,
        over,
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.stop();
        let over = self.over.recv_timeout(PATIENCE);
        assert!(over.is_ok() || thread::panicking(), "it does not stop");
    }
}

pub(super) fn ip(address: Option<&Address>) -> SocketAddr {
    match address {
        Some(Address::Ip(ip)) => *ip,
        other => panic!("{other:?} is not IP"),
    }
}

/// Waits until `done` while others work.
pub(super) fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < PATIENCE, "in vain: {what}");
        thread::sleep(Duration::from_millis(1)); // between two looks
    }
}
