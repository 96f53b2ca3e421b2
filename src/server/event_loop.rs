//! A worker with its reactor: what a thread of one's own runs, or what nests in another loop.

use core::time::Duration;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use super::adopt::NotAdopted;
use super::counters::Counters;
use super::defer::Message;
use super::handler::Handler;
use super::limits::Limits;
use super::local::Local;
use super::observer::Observer;
use super::serving::{Handle, Report};
use super::worker::Worker;
use crate::reactor::{Reactor, Turn};
use crate::sys::{Address, Fd, Instant};

/// One loop that serves. Made by [`Server::event_loop`](super::Server::event_loop).
///
/// It runs on the thread that calls [`run`](EventLoop::run), or inside another loop: that one watches its descriptor,
/// level-triggered, and calls [`turn`](EventLoop::turn) with a time-out of zero when it is readable or when
/// [`next_deadline`](EventLoop::next_deadline) has passed. Where the host is edge-triggered, as tokio's `AsyncFd` and mio
/// are, the descriptor counts as readable until a turn with a time-out of zero has seen nothing and left nothing:
/// [`events`](Turn::events) zero and [`more`](Turn::more) false.
pub struct EventLoop<H, O = ()> {
    reactor: Reactor<Message>,
    worker: Worker<H, O>,
    pub(super) addresses: Vec<Address>,
}

impl<H: Handler, O: Observer> EventLoop<H, O> {
    pub(super) fn new(reactor: Reactor<Message>, worker: Worker<H, O>) -> io::Result<Self> {
        worker.register(&reactor)?;
        Ok(EventLoop {
            reactor,
            worker,
            addresses: Vec::new(),
        })
    }

    /// Waits for work, at most for `timeout`, and does it once around; bounded by the budgets of [`Limits`], and by the mail
    /// that has come: late answers, connections that are given in, messages. Errors: those of epoll_wait(2).
    pub fn turn(&mut self, timeout: Option<Duration>) -> io::Result<Turn> {
        self.worker.set_timers(&mut self.reactor);
        self.reactor.turn(&mut self.worker, timeout)
    }

    /// How long from now until [`turn`](EventLoop::turn) has something to do without an event.
    pub fn next_deadline(&self) -> Option<Duration> {
        let next = self.worker.shared.local.next();
        let timer = (next < Instant::NEVER).then(|| next.since(Instant::now()));
        let other = self.reactor.next_deadline();
        other.into_iter().chain(timer).min()
    }

    /// Serves until it is stopped by its [`Handle`] or by a signal. Errors: those of epoll_wait(2).
    pub fn run(&mut self) -> io::Result<Report> {
        self.worker.set_timers(&mut self.reactor);
        self.reactor.run(&mut self.worker)?;
        Ok(Report {
            cut: self.worker.cut,
            counters: self.counters(),
        })
    }

    /// What it has done so far. The difference of two readings is what has happened in between.
    pub fn counters(&self) -> Counters {
        self.worker.counters(&self.reactor)
    }

    /// Whether it has stopped, so that turns serve nobody any more.
    pub fn is_stopped(&self) -> bool {
        self.reactor.is_stopped()
    }

    /// Stops it from any thread.
    pub fn handle(&self) -> Handle {
        Handle::new(vec![self.reactor.mailbox()])
    }

    /// This loop, for timers, descriptors and mail of one's own.
    pub fn local(&self) -> &Local {
        &self.worker.shared.local
    }

    /// Serves a connection that somebody else has accepted, from the next turn on: see [`Handle::adopt`].
    pub fn adopt(&self, fd: impl Into<Fd>, read: impl Into<Vec<u8>>) -> Result<(), NotAdopted> {
        self.local().adopt(fd, read)
    }

    /// The addresses that it listens on.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// How many connections are open.
    pub fn connections(&self) -> usize {
        self.worker.connections()
    }

    /// The limits that it keeps.
    pub fn limits(&self) -> &Limits {
        self.worker.limits()
    }
}

/// To be watched level-triggered by a loop that hosts this one.
impl<H, O> AsFd for EventLoop<H, O> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reactor.as_fd()
    }
}

/// As its [`AsFd`]: for loops that take numbers.
impl<H, O> AsRawFd for EventLoop<H, O> {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl<H, O> core::fmt::Debug for EventLoop<H, O> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("EventLoop").finish_non_exhaustive()
    }
}
