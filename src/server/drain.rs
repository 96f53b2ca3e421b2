//! Stopping: by and by, or at once.
//!
//! ```text
//!   Serving ──drain──► LastCalls ──► the queues are emptied, the listeners closed ──► Draining ──► Stopped
//!                          connections that have begun still come       what was asked is answered
//! ```

use core::time::Duration;
use std::io;

use super::accept::Accepting;
use super::defer::Message;
use super::handler::Handler;
use super::observer::{CloseReason, Observer};
use super::worker::{DRAIN, Worker};
use crate::reactor::{Mailbox, Reactor, Token};
use crate::sys::Instant;
use crate::sys::signal::Signals;
use crate::sys::socket::BACKLOG;

/// What a worker knows of the others.
#[derive(Debug, Default)]
pub(super) struct Control {
    /// The signals that stop the server, at the worker that reads them.
    pub(super) signals: Option<Signals>,
    /// The mailboxes of the other workers, at the one that leads.
    pub(super) others: Vec<Mailbox<Message>>,
    /// How many of them have not stopped yet: it outlives them.
    pub(super) waits_for: usize,
}

/// Where a worker is on its way from start to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Serving,
    /// New connections are dropped by the kernel; those whose handshake has begun still come. At this time what is left
    /// will be cut.
    LastCalls(Instant),
    /// No listener is left. What was asked is answered.
    Draining,
    Stopped,
}

impl Phase {
    /// Whether every answer is the last of its connection.
    #[inline]
    pub(super) fn is_draining(self) -> bool {
        match self {
            Phase::Serving => false,
            Phase::LastCalls(_) | Phase::Draining | Phase::Stopped => true,
        }
    }
}

impl<H: Handler, O: Observer> Worker<H, O> {
    /// The first signal drains, the next one stops. Both may be read in one call.
    pub(super) fn signalled(&mut self, reactor: &mut Reactor<Message>) {
        while let Some(signals) = &self.control.signals {
            match signals.next() {
                Ok(Some(_)) => {}
                Ok(None) => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return, // it is told again
                // Nothing but a signal makes them readable. They would be so for ever, and the loop would turn and turn.
                // It is no second signal: a drain that has begun goes on.
                Err(_) => {
                    self.control.signals = None;
                    if self.shared.phase == Phase::Serving {
                        self.drain_all(reactor);
                    }
                    return;
                }
            }
            match self.shared.phase {
                Phase::Serving => self.drain_all(reactor),
                Phase::LastCalls(_) | Phase::Draining => {
                    for other in &self.control.others {
                        let _ = other.post(Message::Stop); // one that has stopped is stopped
                    }
                    self.stop(reactor);
                }
                Phase::Stopped => {}
            }
        }
    }

    pub(super) fn drain_all(&mut self, reactor: &mut Reactor<Message>) {
        for other in &self.control.others {
            let _ = other.post(Message::Drain); // one that has stopped is drained
        }
        self.drain(reactor);
    }

    /// The accept queue is emptied before the listeners are closed, so that no connection that a client believes to have
    /// is reset.
    pub(super) fn drain(&mut self, reactor: &mut Reactor<Message>) {
        if self.shared.phase.is_draining() {
            return;
        }
        let mut some_are_coming = false;
        for listener in &mut self.listeners {
            some_are_coming |= listener.refuse_new();
        }
        let tokens: Vec<Token> = self.sessions.iter().map(|(token, _)| token).collect();
        for token in tokens {
            if let Some(session) = self.sessions.get_mut(token) {
                session.drain(&self.shared);
                if !session.queued {
                    reactor.set_deadline(token, session.patience.until());
                }
            }
        }
        let limits = &self.shared.limits;
        let last_calls = if some_are_coming {
            limits.last_calls.min(limits.drain_time)
        } else {
            Duration::ZERO
        };
        let end = reactor.now() + limits.drain_time;
        self.shared.phase = Phase::LastCalls(end);
        reactor.set_deadline(DRAIN, reactor.now() + last_calls);
    }

    /// The next step of a drain is due.
    pub(super) fn drain_on(&mut self, reactor: &mut Reactor<Message>) {
        match self.shared.phase {
            Phase::LastCalls(end) => {
                for listener in &mut self.listeners {
                    match listener.state {
                        // What was paused for want of descriptors is tried once more.
                        Accepting::Idle | Accepting::Paused => listener.state = Accepting::Ready,
                        Accepting::Ready | Accepting::Broken => {}
                    }
                }
                // A queue has no more than its backlog, and nobody joins it now.
                let queued = self.listeners.len() * (usize::from(BACKLOG) + 1);
                self.accept_ready(reactor, queued);
                self.close_listeners(reactor);
                self.shared.phase = Phase::Draining;
                reactor.set_deadline(DRAIN, end);
                self.stop_when_done(reactor);
            }
            Phase::Draining => self.stop(reactor),
            Phase::Serving | Phase::Stopped => {}
        }
    }

    /// A socket that was inherited, or that another worker has too, stays open elsewhere, and would go on waking this loop.
    fn close_listeners(&mut self, reactor: &Reactor<Message>) {
        for listener in self.listeners.drain(..) {
            // One that was broken is not registered any more.
            let _ = reactor.deregister(&listener.fd);
        }
    }

    pub(super) fn stop_when_done(&mut self, reactor: &mut Reactor<Message>) {
        if self.shared.phase == Phase::Draining
            && self.sessions.is_empty()
            && self.control.waits_for == 0
        {
            self.shared.phase = Phase::Stopped;
            reactor.stop();
        }
    }

    /// Cuts what is left.
    pub(super) fn stop(&mut self, reactor: &mut Reactor<Message>) {
        self.close_listeners(reactor);
        self.shared.phase = Phase::Draining;
        self.cut += self.sessions.len();
        let tokens: Vec<Token> = self.sessions.iter().map(|(token, _)| token).collect();
        for token in tokens {
            self.close(reactor, token, CloseReason::Stopped);
        }
        self.stop_when_done(reactor);
    }
}
