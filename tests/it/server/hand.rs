//! A loop that the test itself turns: what happens in which turn is the test's to say.

use std::net::SocketAddr;
use std::time::Instant;

use edgeloop::{EventLoop, Handler, Limits, Observer, Server};

use super::client::{Answer, Client, End};
use super::running::ip;
use super::{PATIENCE, ms};

pub(super) struct Hand<H, O> {
    pub(super) event_loop: EventLoop<H, O>,
    pub(super) address: SocketAddr,
}

impl<H: Handler, O: Observer> Hand<H, O> {
    pub(super) fn new(limits: Limits, handler: H, observer: O) -> Hand<H, O> {
        let server = Server::bind("127.0.0.1:0").expect("a free port");
        Hand::of(server.limits(limits), handler, observer)
    }

    pub(super) fn of(server: Server, handler: H, observer: O) -> Hand<H, O> {
        let address = ip(server.addresses().next().expect("one"));
        let event_loop = server.event_loop(handler, observer).expect("listens");
        Hand {
            event_loop,
            address,
        }
    }

    /// A client that was accepted.
    pub(super) fn client(&mut self) -> Client {
        let client = Client::connect(self.address);
        let wanted = self.event_loop.connections() + 1;
        self.until("it is accepted", |hand| {
            hand.event_loop.connections() >= wanted
        });
        client
    }

    /// Turns until it is so.
    pub(super) fn until(&mut self, what: &str, mut so: impl FnMut(&Self) -> bool) {
        let begun = Instant::now();
        while !so(self) {
            assert!(begun.elapsed() < PATIENCE, "in vain: {what}");
            self.event_loop.turn(Some(ms(1))).expect("turns");
        }
    }

    /// Turns until nothing happens any more.
    pub(super) fn settle(&mut self) {
        let mut quiet = 0;
        while quiet < 3 {
            let turn = self.event_loop.turn(Some(ms(1))).expect("turns");
            quiet = if turn.events == 0 && !turn.more {
                quiet + 1
            } else {
                0
            };
        }
    }

    /// The next answer to a GET.
    pub(super) fn answer(&mut self, client: &mut Client) -> Answer {
        let mut answer = None;
        self.until("an answer", |_| {
            answer = client.poll();
            answer.is_some()
        });
        answer.expect("until then")
    }

    pub(super) fn get(&mut self, client: &mut Client, path: &str) -> Answer {
        client.ask(path);
        self.answer(client)
    }

    /// How the connection ends.
    pub(super) fn end(&mut self, client: &mut Client) -> End {
        let mut end = None;
        self.until("the end", |_| {
            end = client.poll_end();
            end.is_some()
        });
        end.expect("until then")
    }
}
