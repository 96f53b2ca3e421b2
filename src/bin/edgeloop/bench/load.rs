//! The load: all connections, on one loop.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use edgeloop::Signals;
use edgeloop::reactor::{Driver, Reactor, Table, Token};
use edgeloop::sys::{Instant, Interest, Ready};

use super::book::Book;
use super::busy::Busy;
use super::connection::{Connection, Ways, Went};
use super::progress::{self, Progress};
use super::schedule::Pace;
use super::slow::{self, SlowReader, Slowness};
use super::tally::Fault;

const SIGNALS: Token = Token::fixed(0);
/// The end of the warm-up, and then that of the schedule.
const SCHEDULE: Token = Token::fixed(1);
/// When connections that failed are tried again.
const REST: Token = Token::fixed(2);
const SLOW: Token = Token::fixed(3);
const PROGRESS: Token = Token::fixed(4);

/// How long nobody connects in the place of a connection that failed: a server that refuses is no reason to spin.
const PAUSE: Duration = Duration::from_millis(100);

/// The loop waits in whole milliseconds (epoll_wait(2)). Closer to the next request than this it looks at the clock instead.
const NEAR: Duration = Duration::from_millis(2);

const BUFFER_BYTES: usize = 64 << 10;

pub(crate) struct Load<'s> {
    ways: Ways,
    pub(crate) book: Book,
    connections: Table<Connection>,
    /// Connections that are still to be opened.
    missing: usize,
    /// When those that failed are.
    resting: VecDeque<Instant>,
    /// Those that had room for a request (open loop). Some may be gone, or at their end.
    free: VecDeque<Token>,
    slow_readers: Vec<SlowReader>,
    pub(crate) slowness: Slowness,
    buffer: Box<[u8]>,
    signals: &'s Signals,
    /// Whether a signal has ended it.
    pub(crate) is_cut: bool,
    progress: Option<Progress>,
    /// How busy this thread is, from the end of the warm-up on.
    pub(crate) busy: Option<Busy>,
    /// When it ended.
    pub(crate) ended: Instant,
}

impl<'s> Load<'s> {
    pub(crate) fn new(
        ways: Ways,
        book: Book,
        connections: usize,
        slow_readers: usize,
        signals: &'s Signals,
    ) -> Load<'s> {
        let slowness = Slowness {
            readers: slow_readers,
            ..Slowness::default()
        };
        Load {
            ways,
            connections: Table::with_capacity(connections),
            missing: connections,
            resting: VecDeque::new(),
            free: VecDeque::new(),
            slow_readers: std::iter::repeat_with(SlowReader::default)
                .take(slow_readers)
                .collect(),
            slowness,
            buffer: vec![0; BUFFER_BYTES].into(),
            signals,
            is_cut: false,
            progress: Progress::on_terminal(),
            busy: None,
            ended: book.schedule.warm(),
            book,
        }
    }

    /// Runs until all requests have ended, or a signal comes. Errors: those of the loop, and of watching the signals.
    pub(crate) fn run(&mut self) -> io::Result<()> {
        let mut reactor = Reactor::new()?;
        reactor.register(self.signals, SIGNALS, Interest::READ)?;
        reactor.set_deadline(SCHEDULE, self.book.schedule.warm());
        if !self.slow_readers.is_empty() {
            reactor.set_deadline(SLOW, reactor.now());
        }
        if self.progress.is_some() {
            reactor.set_deadline(PROGRESS, reactor.now() + Progress::EVERY);
        }
        self.fill(&mut reactor);
        while !reactor.is_stopped() {
            let patience = self.patience();
            let turn = reactor.turn(self, patience)?;
            if turn.events == 0 && patience == Some(Duration::ZERO) {
                // Whoever shares the core is to have it.
                std::thread::yield_now();
            }
        }
        if self.progress.is_some() {
            progress::clear();
        }
        Ok(())
    }

    /// How long the loop may wait for an event; `None` if nothing else matters but its deadlines.
    fn patience(&self) -> Option<Duration> {
        let can_send = self.missing > 0 || !self.free.is_empty();
        if self.book.pace() == Pace::Closed || !can_send {
            return None;
        }
        let now = Instant::now();
        let left = self.book.next(now)?.since(now);
        Some(left.saturating_sub(NEAR))
    }

    /// Begins what may begin: on new connections as long as some are missing, and then on those that have room.
    fn fill(&mut self, reactor: &mut Reactor<()>) {
        let now = Instant::now();
        loop {
            if self.missing > 0 {
                let Some(begun) = self.book.take(now) else {
                    return;
                };
                self.missing -= 1;
                self.book.tally.connections += 1;
                match Connection::open(&self.ways, begun) {
                    Ok(connection) => self.begin(reactor, connection),
                    Err(error) => {
                        self.book.failed(begun, Fault::Connect, &error.to_string());
                        self.rest(reactor);
                    }
                }
            } else if let Some(token) = self.free.pop_front() {
                let Some(connection) = self.connections.get_mut(token) else {
                    continue;
                };
                if !connection.has_room(&self.ways) {
                    connection.is_offered = false; // it is at its end by now
                    continue;
                }
                let Some(begun) = self.book.take(now) else {
                    self.free.push_front(token);
                    return;
                };
                connection.is_offered = false;
                connection.give(&self.ways, begun);
                self.drive(reactor, token, Ready::EMPTY);
            } else {
                return;
            }
        }
    }

    fn begin(&mut self, reactor: &mut Reactor<()>, connection: Connection) {
        let (token, connection) = self.connections.insert(connection);
        match connection.register(reactor, token) {
            Ok(()) => self.drive(reactor, token, Ready::EMPTY),
            Err(error) => {
                let went = connection.fail(&mut self.book, Fault::Connect, &error.to_string());
                self.went(reactor, token, went);
            }
        }
    }

    fn drive(&mut self, reactor: &mut Reactor<()>, token: Token, ready: Ready) {
        let Some(connection) = self.connections.get_mut(token) else {
            return;
        };
        let went = connection.drive(ready, &self.ways, &mut self.book, &mut self.buffer);
        self.went(reactor, token, went);
    }

    fn went(&mut self, reactor: &mut Reactor<()>, token: Token, went: Went) {
        let Some(connection) = self.connections.get_mut(token) else {
            return;
        };
        match went {
            Went::On | Went::More => {
                match connection.deadline(&self.book, reactor.now()) {
                    Some(at) => reactor.set_deadline(token, at),
                    None => reactor.clear_deadline(token),
                }
                if went == Went::More && !connection.is_queued {
                    connection.is_queued = true;
                    reactor.run_later(token);
                }
                let is_open = self.book.pace() != Pace::Closed;
                if is_open && connection.has_room(&self.ways) && !connection.is_offered {
                    connection.is_offered = true;
                    self.free.push_back(token);
                }
            }
            Went::Ended => {
                self.connections.remove(token);
                self.missing += 1;
            }
            Went::Failed => {
                self.connections.remove(token);
                self.rest(reactor);
            }
        }
    }

    fn rest(&mut self, reactor: &mut Reactor<()>) {
        self.resting.push_back(reactor.now() + PAUSE);
        if self.resting.len() == 1 {
            reactor.set_deadline(REST, reactor.now() + PAUSE);
        }
    }
}

impl Driver for Load<'_> {
    type Message = ();

    /// Its turn has come again: it may have been stopped before it had read or written all.
    fn on_resume(&mut self, reactor: &mut Reactor<()>, token: Token) {
        if let Some(connection) = self.connections.get_mut(token) {
            connection.is_queued = false;
            self.drive(reactor, token, Ready::READ | Ready::PEER_CLOSED);
        }
    }

    fn on_ready(&mut self, reactor: &mut Reactor<()>, token: Token, ready: Ready) {
        if token == SIGNALS {
            // Whether it can be read or not: it has come.
            let _ = self.signals.next();
            self.is_cut = true;
            reactor.stop();
        } else {
            self.drive(reactor, token, ready);
        }
    }

    fn on_deadline(&mut self, reactor: &mut Reactor<()>, token: Token) {
        let now = reactor.now();
        match token {
            SCHEDULE => {
                if self.busy.is_none() {
                    self.busy = Busy::from_now();
                }
                if let Some(end) = self.book.schedule.end().filter(|end| now < *end) {
                    reactor.set_deadline(SCHEDULE, end);
                }
            }
            REST => {
                while self.resting.front().is_some_and(|at| *at <= now) {
                    self.resting.pop_front();
                    self.missing += 1;
                }
                if let Some(at) = self.resting.front() {
                    reactor.set_deadline(REST, *at);
                }
            }
            SLOW => {
                for reader in &mut self.slow_readers {
                    reader.tick(&self.ways, &mut self.slowness);
                }
                reactor.set_deadline(SLOW, now + slow::EVERY);
            }
            PROGRESS => {
                if let Some(progress) = &mut self.progress {
                    progress.tell(&self.book, now);
                    reactor.set_deadline(PROGRESS, now + Progress::EVERY);
                }
            }
            token => {
                if let Some(connection) = self.connections.get_mut(token) {
                    let went = connection.expire(&mut self.book);
                    self.went(reactor, token, went);
                }
            }
        }
    }

    fn on_end(&mut self, reactor: &mut Reactor<()>) {
        if !reactor.is_stopped() {
            self.fill(reactor);
        }
        let now = Instant::now();
        if self.book.is_over(now) {
            reactor.stop();
        }
        if reactor.is_stopped() {
            self.ended = now;
            if let Some(busy) = &mut self.busy {
                busy.stop();
            }
        }
    }
}
