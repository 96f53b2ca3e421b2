//! A worker: the driver of one loop, with all its connections.

use std::io;

use super::accept::{Accepting, Evictor, Listener};
use super::contain::contain;
use super::counters::Counters;
use super::defer::Message;
use super::drain::{Control, Phase};
use super::handler::Handler;
use super::limits::Limits;
use super::observer::{CloseReason, Observer, Trouble};
use super::session::{Cx, Next, Session, Watched};
use super::shared::Shared;
use super::transport::Socket;
use crate::reactor::{Driver, Reactor, Table, Token};
use crate::sys::{Interest, Ready};

/// Fixed tokens: the signals', those of the worker's own deadlines and of the program's, and from `LISTENERS` on those of
/// its listeners.
const SIGNALS: Token = Token::fixed(0);
pub(super) const RESUME: Token = Token::fixed(1);
pub(super) const DRAIN: Token = Token::fixed(2);
pub(super) const TIMERS: Token = Token::fixed(3);
pub(super) const LISTENERS: u16 = 4;

/// Serves connections with a handler. It is the reactor's driver and the only owner of the table of sessions.
pub(super) struct Worker<H, O> {
    pub(super) sessions: Table<Session<Socket>>,
    handler: H,
    pub(super) observer: O,
    pub(super) shared: Shared,
    pub(super) listeners: Vec<Listener>,
    /// Errors of accepting in a row.
    pub(super) accept_errors: u64,
    pub(super) evictor: Evictor,
    pub(super) connections_max: usize,
    pub(super) control: Control,
    /// Connections that were cut when it stopped.
    pub(super) cut: usize,
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

    /// What has been done so far.
    pub(super) fn counters(&self, reactor: &Reactor<Message>) -> Counters {
        let mut counters = self.shared.counters;
        counters += reactor.counters().into();
        counters
    }

    /// Tells the reactor of timers that were set or cancelled.
    #[inline]
    pub(super) fn set_timers(&self, reactor: &mut Reactor<Message>) {
        if let Some(next) = self.shared.local.news() {
            reactor.set_deadline(TIMERS, next);
        }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    pub(super) fn connections(&self) -> usize {
        self.sessions.len()
    }

    /// Lets a session do what it can, and sees to it that somebody wakes it. `None`: nothing has happened, and it waits as
    /// before.
    #[inline]
    pub(super) fn with_session(
        &mut self,
        reactor: &mut Reactor<Message>,
        token: Token,
        step: impl FnOnce(&mut Session<Socket>, &mut Cx<'_, H, O>) -> Option<Next>,
    ) {
        let Some(session) = self.sessions.get_mut(token) else {
            return;
        };
        self.shared.connection = token;
        let mut cx = Cx {
            handler: &mut self.handler,
            observer: &mut self.observer,
            shared: &mut self.shared,
        };
        match step(session, &mut cx) {
            None => {}
            Some(Next::Wait) => {
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
            Some(Next::Again) if session.queued => {}
            Some(Next::Again) => {
                self.shared.counters.budget_stops += 1;
                session.queued = true;
                reactor.run_later(token);
            }
            Some(Next::TakeOut) => self.take_out(reactor, token),
            Some(Next::Close(reason)) => self.close(reactor, token, reason),
        }
    }

    /// The one place where a connection's descriptor is closed.
    pub(super) fn close(
        &mut self,
        reactor: &mut Reactor<Message>,
        token: Token,
        reason: CloseReason,
    ) {
        let Some(session) = self.sessions.remove(token) else {
            return;
        };
        if session.adopted {
            let _ = reactor.deregister(&session.transport.0);
        }
        session.end(&mut self.shared);
        self.ended(reactor, token, reason);
    }

    /// A connection has left the table.
    pub(super) fn ended(
        &mut self,
        reactor: &mut Reactor<Message>,
        token: Token,
        reason: CloseReason,
    ) {
        let left = self.sessions.len();
        debug_assert!(
            left > 0 || self.shared.pool.lent_bytes() == 0,
            "buffers come back"
        );
        reactor.clear_deadline(token);
        self.shared.counters.closed += 1;
        self.observer.closed(token, reason);
        if self.accept_errors > 0 {
            self.resume_accepting(reactor);
        }
        self.stop_when_done(reactor);
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
            None if token.is_apart() => {
                let observer = &mut self.observer;
                self.shared.local.on_ready(token, ready, observer);
            }
            None => self.with_session(reactor, token, |session, cx| {
                // Who has much to send when the turn's budget is spent stands behind those who came before.
                if session.queued || session.allowance(cx.shared) == 0 {
                    session.note(ready);
                    Some(Next::Again)
                } else {
                    Some(session.drive(cx, ready))
                }
            }),
            Some(_) if token == SIGNALS => self.signalled(reactor),
            Some(number) => {
                // The worker's own deadlines have no descriptor that could be ready.
                if let Some(index) = number.checked_sub(LISTENERS)
                    && let Some(listener) = self.listeners.get_mut(usize::from(index))
                    && listener.state == Accepting::Idle
                {
                    listener.state = Accepting::Ready;
                }
            }
        }
    }

    #[inline]
    fn may_resume(&self) -> bool {
        self.shared.send_budget > 0
    }

    fn on_resume(&mut self, reactor: &mut Reactor<Message>, token: Token) {
        self.shared.moments.resume();
        self.with_session(reactor, token, |session, cx| {
            session.queued = false;
            Some(session.drive(cx, Ready::EMPTY))
        });
    }

    #[inline]
    fn on_settled(&mut self, reactor: &mut Reactor<Message>) {
        if self
            .listeners
            .iter()
            .any(|listener| listener.state == Accepting::Ready)
        {
            self.accept_ready(reactor, self.shared.limits.accept_budget);
        }
    }

    fn on_deadline(&mut self, reactor: &mut Reactor<Message>, token: Token) {
        match token {
            RESUME => self.resume_accepting(reactor),
            DRAIN => self.drain_on(reactor),
            TIMERS => {
                let observer = &mut self.observer;
                self.shared.local.expire(reactor.now(), observer);
            }
            _ => self.with_session(reactor, token, |session, cx| {
                // One that is queued has work, and does not wait.
                if session.queued {
                    None
                } else {
                    Some(session.expire(cx))
                }
            }),
        }
    }

    fn may_deliver(&self) -> bool {
        self.shared.message_budget > 0
    }

    fn on_message(&mut self, reactor: &mut Reactor<Message>, message: Message) {
        self.shared.message_budget = self.shared.message_budget.saturating_sub(1);
        match message {
            Message::Complete {
                connection,
                exchange,
                finish,
            } => self.with_session(reactor, connection, |session, cx| {
                session.complete(cx, exchange, finish)
            }),
            Message::Mail { to, letter } => {
                let observer = &mut self.observer;
                self.shared.local.deliver(to, letter, observer);
            }
            Message::HangUp(to) => self.shared.local.hang_up(to),
            Message::Adopt(adopted) => self.adopt(reactor, adopted),
            Message::Wake {
                connection,
                exchange,
            } => self.with_session(reactor, connection, |session, cx| {
                session.wake(cx, exchange)
            }),
            Message::Count(told) => {
                let (core, counters) = (self.shared.local.core(), self.counters(reactor));
                if contain(|| told.into_inner()(core, counters)).is_none() {
                    self.observer.trouble(&Trouble::LocalPanicked);
                }
            }
            Message::Drain => self.drain(reactor),
            Message::Stop => self.stop(reactor),
            Message::PeerStopped => {
                self.control.waits_for = self.control.waits_for.saturating_sub(1);
                if self.shared.phase == Phase::Serving {
                    // It was not told to: something is wrong, and half a server is none.
                    self.drain_all(reactor);
                }
                self.stop_when_done(reactor);
            }
        }
    }

    #[inline]
    fn on_end(&mut self, reactor: &mut Reactor<Message>) {
        self.set_timers(reactor);
        self.shared.end_turn();
    }
}
