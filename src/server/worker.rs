//! A worker: the driver of one loop, with all its connections.

use core::time::Duration;
use std::io;

use super::accept::{Accepting, Evictor, Listener, PAUSE, TURNED_AWAY_MAX};
use super::defer::{Finish, Message};
use super::handler::Handler;
use super::limits::Limits;
use super::observer::{CloseReason, Observer, Trouble};
use super::session::{Cx, Next, Session, Watched};
use super::shared::Shared;
use super::transport::Socket;
use crate::reactor::{Driver, Mailbox, Reactor, Table, Token};
use crate::sys::signal::Signals;
use crate::sys::socket::{self, AcceptError, BACKLOG};
use crate::sys::{Fd, Instant, Interest, Ready};

/// Fixed tokens. Listeners have those from zero on.
const SIGNALS: Token = Token::fixed(1000);
const RESUME: Token = Token::fixed(1001);
const DRAIN: Token = Token::fixed(1002);

/// Serves connections with a handler. It is the reactor's driver and the only owner of the table of sessions.
pub(super) struct Worker<H, O> {
    sessions: Table<Session<Socket>>,
    handler: H,
    pub(super) observer: O,
    shared: Shared,
    pub(super) listeners: Vec<Listener>,
    /// Errors of accepting in a row.
    accept_errors: u64,
    evictor: Evictor,
    connections_max: usize,
    phase: Phase,
    control: Control,
    cut: usize,
}

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
enum Phase {
    Serving,
    /// New connections are dropped by the kernel; those whose handshake has begun still come. At this time what is left
    /// will be cut.
    LastCalls(Instant),
    /// No listener is left. What was asked is answered.
    Draining,
    Stopped,
}

impl<H: Handler, O: Observer> Worker<H, O> {
    pub(super) fn new(
        handler: H,
        observer: O,
        shared: Shared,
        listeners: Vec<Listener>,
        connections_max: usize,
        control: Control,
    ) -> Worker<H, O> {
        Worker {
            sessions: Table::new(),
            handler,
            observer,
            shared,
            listeners,
            accept_errors: 0,
            evictor: Evictor::default(),
            connections_max,
            phase: Phase::Serving,
            control,
            cut: 0,
        }
    }

    /// Has the reactor watch the listeners, and the signals if it reads them.
    pub(super) fn register(&self, reactor: &Reactor<Message>) -> io::Result<()> {
        for listener in &self.listeners {
            reactor.register(&listener.fd, listener.token, Interest::READ)?;
        }
        if let Some(signals) = &self.control.signals {
            reactor.register(signals, SIGNALS, Interest::READ)?;
        }
        Ok(())
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    pub(super) fn connections(&self) -> usize {
        self.sessions.len()
    }

    /// Connections that were cut when the worker stopped.
    pub(super) fn cut(&self) -> usize {
        self.cut
    }

    /// Lets a session do what it can, and sees to it that somebody wakes it.
    #[inline]
    fn with_session(
        &mut self,
        reactor: &mut Reactor<Message>,
        token: Token,
        step: impl FnOnce(&mut Session<Socket>, &mut Cx<'_, H, O>) -> Next,
    ) {
        let Some(session) = self.sessions.get_mut(token) else {
            return;
        };
        let mut cx = Cx {
            handler: &mut self.handler,
            observer: &mut self.observer,
            shared: &mut self.shared,
            token,
        };
        match step(session, &mut cx) {
            Next::Wait => {
                reactor.set_deadline(token, session.patience.until());
                if session.watched == Watched::Reading && !session.ready.contains(Ready::WRITE) {
                    session.watched = Watched::Both;
                    let interest = Interest::STREAM | Interest::WRITE;
                    if let Err(error) = reactor.reregister(&session.transport.0, token, interest) {
                        self.observer.trouble(&Trouble::ConnectionLost(error));
                        self.close(reactor, token, CloseReason::Failed);
                    }
                }
            }
            Next::Again if session.queued => {}
            Next::Again => {
                session.queued = true;
                reactor.run_later(token);
            }
            Next::Close(reason) => self.close(reactor, token, reason),
        }
    }

    /// The one place where a connection's descriptor is closed.
    fn close(&mut self, reactor: &mut Reactor<Message>, token: Token, reason: CloseReason) {
        let Some(session) = self.sessions.remove(token) else {
            return;
        };
        session.end(&mut self.shared);
        reactor.clear_deadline(token);
        self.observer.closed(token, reason);
        if self.accept_errors > 0 {
            self.resume_accepting(reactor);
        }
        self.stop_when_done(reactor);
    }
}

/// Accepting.
impl<H: Handler, O: Observer> Worker<H, O> {
    /// Takes connections from all listeners that have some, one each in turn, and about `budget` in all. Whoever waits
    /// beyond it is taken in the next turn.
    fn accept(&mut self, reactor: &mut Reactor<Message>, budget: usize) {
        let mut taken = 0;
        while taken < budget {
            let before = taken;
            for number in 0..self.listeners.len() {
                if self.listeners[number].state == Accepting::Ready {
                    taken += 1;
                    match socket::accept(&self.listeners[number].fd) {
                        Ok(fd) => {
                            self.listeners[number].lost = 0;
                            self.accept_errors = 0;
                            self.admit(reactor, fd);
                        }
                        Err(error) => self.accept_failed(reactor, number, error),
                    }
                }
            }
            if taken == before {
                break;
            }
        }
    }

    fn admit(&mut self, reactor: &mut Reactor<Message>, fd: Fd) {
        let mut room = self.sessions.len() < self.connections_max;
        if !room && let Some(victim) = self.evictor.victim(&self.sessions, self.shared.now) {
            self.close(reactor, victim, CloseReason::Evicted);
            room = true;
        }
        if !room {
            if self.sessions.len() >= self.connections_max + TURNED_AWAY_MAX {
                self.observer.trouble(&Trouble::Dropped);
                return;
            }
            self.observer.trouble(&Trouble::Refused);
        }
        let session = Session::new(Socket(fd), &self.shared);
        let (token, session) = self.sessions.insert(session);
        if let Err(error) = reactor.register(&session.transport.0, token, Interest::STREAM) {
            self.observer.trouble(&Trouble::ConnectionLost(error));
            self.sessions.remove(token);
            return;
        }
        self.observer.accepted(token);
        if room {
            session.wait(&self.shared);
            reactor.set_deadline(token, session.patience.until());
        } else {
            self.with_session(reactor, token, Session::turn_away);
        }
    }

    #[cold]
    pub(super) fn accept_failed(
        &mut self,
        reactor: &mut Reactor<Message>,
        number: usize,
        error: AcceptError,
    ) {
        let listener = &mut self.listeners[number];
        match error {
            AcceptError::NobodyWaits => {
                listener.lost = 0;
                listener.state = Accepting::Idle;
            }
            AcceptError::OneLost(error) => {
                listener.lost += 1;
                // The next one may do. But a sandbox that allows no accept4(2) says so for ever.
                if listener.lost > self.shared.limits.accept_budget {
                    self.pause_accepting(reactor, number, &Trouble::AcceptFails(error));
                }
            }
            AcceptError::Exhausted(error) => {
                self.accept_errors += 1;
                let trouble = Trouble::AcceptPaused(error, self.accept_errors);
                self.pause_accepting(reactor, number, &trouble);
            }
            AcceptError::Broken(error) => {
                listener.state = Accepting::Broken;
                let _ = reactor.deregister(&listener.fd);
                self.observer.trouble(&Trouble::ListenerFailed(error));
            }
        }
    }

    fn pause_accepting(
        &mut self,
        reactor: &mut Reactor<Message>,
        number: usize,
        trouble: &Trouble,
    ) {
        let listener = &mut self.listeners[number];
        listener.state = Accepting::Paused;
        listener.lost = 0;
        // Changing a registration that exists takes no memory. If it failed all the same, the listener would stay loud,
        // which is no worse than before.
        let _ = reactor.reregister(&listener.fd, listener.token, Interest::NONE);
        reactor.set_deadline(RESUME, reactor.now() + PAUSE);
        self.observer.trouble(trouble);
    }

    /// There may be descriptors again.
    #[cold]
    pub(super) fn resume_accepting(&mut self, reactor: &mut Reactor<Message>) {
        for listener in &mut self.listeners {
            if listener.state == Accepting::Paused {
                let watched = reactor.reregister(&listener.fd, listener.token, Interest::READ);
                match watched {
                    Ok(()) => listener.state = Accepting::Idle,
                    Err(_) => reactor.set_deadline(RESUME, reactor.now() + PAUSE),
                }
            }
        }
    }
}

/// Stopping.
impl<H: Handler, O: Observer> Worker<H, O> {
    /// The first signal drains, the next one stops. Both may be read in one call.
    fn signalled(&mut self, reactor: &mut Reactor<Message>) {
        while let Some(signals) = &self.control.signals
            && let Ok(Some(_)) = signals.next()
        {
            match self.phase {
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

    fn drain_all(&mut self, reactor: &mut Reactor<Message>) {
        for other in &self.control.others {
            let _ = other.post(Message::Drain); // one that has stopped is drained
        }
        self.drain(reactor);
    }

    /// The accept queue is emptied before the listeners are closed, so that no connection that a client believes to have
    /// is reset.
    fn drain(&mut self, reactor: &mut Reactor<Message>) {
        if self.shared.draining {
            return;
        }
        self.shared.draining = true;
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
        self.phase = Phase::LastCalls(end);
        reactor.set_deadline(DRAIN, reactor.now() + last_calls);
    }

    /// The next step of a drain is due.
    fn drain_on(&mut self, reactor: &mut Reactor<Message>) {
        match self.phase {
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
                self.accept(reactor, queued);
                self.close_listeners(reactor);
                self.phase = Phase::Draining;
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

    fn stop_when_done(&mut self, reactor: &mut Reactor<Message>) {
        if self.phase == Phase::Draining && self.sessions.is_empty() && self.control.waits_for == 0
        {
            self.phase = Phase::Stopped;
            reactor.stop();
        }
    }

    /// Cuts what is left.
    fn stop(&mut self, reactor: &mut Reactor<Message>) {
        self.close_listeners(reactor);
        self.shared.draining = true;
        self.phase = Phase::Draining;
        self.cut += self.sessions.len();
        let tokens: Vec<Token> = self.sessions.iter().map(|(token, _)| token).collect();
        for token in tokens {
            if let Some(session) = self.sessions.get_mut(token) {
                session.cut();
            }
            self.close(reactor, token, CloseReason::Stopped);
        }
        self.stop_when_done(reactor);
    }

    fn complete(
        &mut self,
        reactor: &mut Reactor<Message>,
        token: Token,
        exchange: u32,
        finish: Finish,
    ) {
        self.with_session(reactor, token, |session, cx| {
            let nothing = if session.queued {
                Next::Again
            } else {
                Next::Wait
            };
            session.complete(cx, exchange, finish).unwrap_or(nothing)
        });
    }
}

/// Whoever still works for a connection of a loop that is dropped can know that its client is gone.
impl<H, O> Drop for Worker<H, O> {
    fn drop(&mut self) {
        let tokens: Vec<Token> = self.sessions.iter().map(|(token, _)| token).collect();
        for token in tokens {
            if let Some(session) = self.sessions.remove(token) {
                session.end(&mut self.shared);
            }
        }
    }
}

impl<H: Handler, O: Observer> Driver for Worker<H, O> {
    type Message = Message;

    #[inline]
    fn on_turn(&mut self, reactor: &mut Reactor<Message>) {
        self.shared.begin_turn(reactor.now());
    }

    #[inline]
    fn on_ready(&mut self, reactor: &mut Reactor<Message>, token: Token, ready: Ready) {
        match token.as_fixed() {
            None => self.with_session(reactor, token, |session, cx| {
                // Who has much to send when the turn's budget is spent stands behind those who came before.
                if session.queued || session.allowance(cx.shared) == 0 {
                    session.note(ready);
                    Next::Again
                } else {
                    session.drive(cx, ready)
                }
            }),
            Some(_) if token == SIGNALS => self.signalled(reactor),
            Some(number) => {
                if let Some(listener) = self.listeners.get_mut(usize::from(number))
                    && listener.state == Accepting::Idle
                {
                    listener.state = Accepting::Ready;
                }
            }
        }
    }

    #[inline]
    fn goes_on(&self) -> bool {
        self.shared.send_budget > 0
    }

    fn on_resume(&mut self, reactor: &mut Reactor<Message>, token: Token) {
        self.with_session(reactor, token, |session, cx| {
            session.queued = false;
            session.drive(cx, Ready::EMPTY)
        });
    }

    #[inline]
    fn on_settled(&mut self, reactor: &mut Reactor<Message>) {
        if self
            .listeners
            .iter()
            .any(|listener| listener.state == Accepting::Ready)
        {
            self.accept(reactor, self.shared.limits.accept_budget);
        }
    }

    fn on_deadline(&mut self, reactor: &mut Reactor<Message>, token: Token) {
        match token {
            RESUME => self.resume_accepting(reactor),
            DRAIN => self.drain_on(reactor),
            _ => self.with_session(reactor, token, |session, cx| {
                if session.queued {
                    Next::Again // it is not waiting
                } else {
                    session.expire(cx)
                }
            }),
        }
    }

    fn on_message(&mut self, reactor: &mut Reactor<Message>, message: Message) {
        match message {
            Message::Complete {
                connection,
                exchange,
                finish,
            } => self.complete(reactor, connection, exchange, finish),
            Message::Drain => self.drain(reactor),
            Message::Stop => self.stop(reactor),
            Message::PeerStopped => {
                self.control.waits_for = self.control.waits_for.saturating_sub(1);
                if self.phase == Phase::Serving {
                    // It was not told to: something is wrong, and half a server is none.
                    self.drain_all(reactor);
                }
                self.stop_when_done(reactor);
            }
        }
    }
}
