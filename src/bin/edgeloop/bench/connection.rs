//! One connection: requests go out, answers come in, in the same order.

use std::collections::VecDeque;
use std::io;

use edgeloop::reactor::{Reactor, Token};
use edgeloop::sys::{Address, Fd, Instant, Interest, Ready, socket};

use super::answer::{Answer, Reader};
use super::book::Book;
use super::requests::{Requests, Sending, Sent};
use super::schedule::{Begun, Pace};
use super::tally::Fault;

/// What one connection reads in a turn, in buffers: whoever sends faster than this reads has the others wait no longer.
const BUFFERS_MAX: usize = 16;

#[derive(Debug)]
pub(crate) struct Connection {
    fd: Fd,
    phase: Phase,
    /// Requests that are not answered, the oldest first.
    under_way: VecDeque<Begun>,
    sending: Sending,
    reader: Reader,
    /// Whether it stands among those that have room (open loop).
    pub(crate) is_offered: bool,
    /// Whether it is in the run queue.
    pub(crate) is_queued: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing has been sent: it may not be connected.
    Opening,
    Open,
    /// The last answer has come, and the server is to close it. So it is the server's port that waits (TIME-WAIT), and this
    /// machine does not run out of its own.
    Ending,
}

/// How a connection goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Went {
    /// It waits for an event.
    On,
    /// It has more to do in the next turn.
    More,
    /// It is over, and nothing is wrong with that.
    Ended,
    /// It is over, and so are the requests that were under way.
    Failed,
}

/// What a connection works with, which is the same for all.
#[derive(Debug)]
pub(crate) struct Ways {
    pub(crate) address: Address,
    pub(crate) requests: Requests,
    pub(crate) is_head: bool,
    pub(crate) depth: usize,
    pub(crate) churn: bool,
}

impl Connection {
    /// Begins to connect, for a request. It is sent by [`drive`](Connection::drive).
    pub(crate) fn open(ways: &Ways, begun: Begun) -> io::Result<Connection> {
        let mut connection = Connection {
            fd: socket::connect(&ways.address)?,
            phase: Phase::Opening,
            under_way: VecDeque::with_capacity(ways.depth),
            sending: Sending::default(),
            reader: Reader::new(ways.is_head),
            is_offered: false,
            is_queued: false,
        };
        connection.give(ways, begun);
        Ok(connection)
    }

    pub(crate) fn register(&self, reactor: &Reactor<()>, token: Token) -> io::Result<()> {
        reactor.register(&self.fd, token, Interest::STREAM | Interest::WRITE)
    }

    /// One request more is to be sent.
    pub(crate) fn give(&mut self, ways: &Ways, begun: Begun) {
        debug_assert!(self.has_room(ways), "nothing more can be answered");
        self.under_way.push_back(begun);
        self.sending.add(&ways.requests);
    }

    pub(crate) fn has_room(&self, ways: &Ways) -> bool {
        self.under_way.len() < ways.depth && self.phase != Phase::Ending
    }

    /// Until when it waits.
    pub(crate) fn deadline(&self, book: &Book, now: Instant) -> Option<Instant> {
        match (self.under_way.front(), self.phase) {
            (Some(begun), _) => Some(book.deadline(*begun)),
            (None, Phase::Ending) => Some(book.deadline(Begun {
                at: now,
                counts: false,
            })),
            (None, Phase::Opening | Phase::Open) => None,
        }
    }

    /// Reads what has come, and sends what there is to be sent. In a closed loop answers make room for new requests.
    pub(crate) fn drive(
        &mut self,
        ready: Ready,
        ways: &Ways,
        book: &mut Book,
        buffer: &mut [u8],
    ) -> Went {
        let mut went = Went::On;
        if ready.intersects(Ready::READ | Ready::END) {
            went = self.receive(ready, ways, book, buffer);
        }
        match went {
            Went::Ended | Went::Failed => return went,
            Went::On | Went::More => {}
        }
        if book.pace() == Pace::Closed && self.has_room(ways) {
            let now = Instant::now();
            while self.has_room(ways)
                && let Some(begun) = book.take(now)
            {
                self.give(ways, begun);
            }
        }
        if self.is_queued {
            return went; // its next piece goes when its turn comes
        }
        match self.send(ways, book) {
            Went::On => went,
            sent @ (Went::More | Went::Ended | Went::Failed) => sent,
        }
    }

    /// Its time is over.
    pub(crate) fn expire(&mut self, book: &mut Book) -> Went {
        match self.phase {
            Phase::Opening => {
                self.fail(book, Fault::Connect, "the connection was not there in time")
            }
            Phase::Open => self.fail(book, Fault::Timeout, "no answer came in time"),
            Phase::Ending => Went::Ended,
        }
    }

    /// It can't be used any more, and neither are the requests on it answered.
    pub(crate) fn fail(&mut self, book: &mut Book, fault: Fault, why: &str) -> Went {
        for begun in self.under_way.drain(..) {
            book.failed(begun, fault, why);
        }
        Went::Failed
    }

    fn receive(&mut self, ready: Ready, ways: &Ways, book: &mut Book, buffer: &mut [u8]) -> Went {
        for _ in 0..BUFFERS_MAX {
            let length = match socket::recv(&self.fd, buffer) {
                Ok(0) => return self.end(book),
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Went::On,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return self.break_off(book, &error),
            };
            let now = Instant::now();
            book.received(length, now);
            match self.read(&buffer[..length], ways, book, now) {
                Went::On => {}
                over @ (Went::More | Went::Ended | Went::Failed) => return over,
            }
            // A short read means drained, unless an end is near (epoll(7)).
            if length < buffer.len() && !ready.intersects(Ready::END) {
                return Went::On;
            }
        }
        Went::More
    }

    fn read(&mut self, mut bytes: &[u8], ways: &Ways, book: &mut Book, now: Instant) -> Went {
        while !bytes.is_empty() && self.phase != Phase::Ending {
            if self.under_way.is_empty() {
                book.tally.unasked += 1;
                return Went::Failed;
            }
            match self.reader.next(bytes) {
                Ok((used, answer)) => {
                    bytes = &bytes[used..];
                    if let Some(answer) = answer {
                        self.answered(answer, book, now);
                        // The server was asked to close. One that does not is not waited for.
                        if ways.churn && answer.persists {
                            return Went::Ended;
                        }
                    }
                }
                Err(wrong) => return self.fail(book, Fault::Bad, wrong),
            }
        }
        Went::On
    }

    fn answered(&mut self, answer: Answer, book: &mut Book, now: Instant) {
        if let Some(begun) = self.under_way.pop_front() {
            book.answered(begun, answer, now);
        }
        if !answer.persists {
            self.phase = Phase::Ending;
            self.sending = Sending::default();
            for begun in self.under_way.drain(..) {
                book.take_back(begun);
            }
        }
    }

    /// The server has closed it.
    fn end(&mut self, book: &mut Book) -> Went {
        if self.phase == Phase::Ending || self.under_way.is_empty() {
            return Went::Ended;
        }
        match self.reader.end() {
            Ok(Some(answer)) => {
                self.answered(answer, book, Instant::now());
                Went::Ended
            }
            Ok(None) => self.fail(
                book,
                Fault::Closed,
                "the connection ended before the answer",
            ),
            Err(wrong) => self.fail(book, Fault::Closed, wrong),
        }
    }

    fn send(&mut self, ways: &Ways, book: &mut Book) -> Went {
        if self.sending.is_done() {
            return Went::On;
        }
        let before = self.sending;
        let sent = ways.requests.send(&self.fd, &mut self.sending);
        if self.phase == Phase::Opening && self.sending != before {
            self.phase = Phase::Open;
        }
        match sent {
            Ok(Sent::All | Sent::Full) => Went::On,
            Ok(Sent::Piece) => Went::More,
            // What the server said before it closed may wait to be read: the end of that tells.
            Err(error)
                if error.kind() == io::ErrorKind::BrokenPipe && self.phase == Phase::Open =>
            {
                self.sending = Sending::default();
                Went::On
            }
            Err(error) => self.break_off(book, &error),
        }
    }

    fn break_off(&mut self, book: &mut Book, error: &io::Error) -> Went {
        let fault = match self.phase {
            Phase::Opening => Fault::Connect,
            Phase::Open => Fault::Reset,
            Phase::Ending => return Went::Ended,
        };
        self.fail(book, fault, &error.to_string())
    }
}
