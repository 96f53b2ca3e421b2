//! What drives sessions in place of a worker: one connection at a time, and no turn of the loop unless an answer comes later.

use core::time::Duration;
use std::io;
use std::sync::Arc;

use super::super::defer::Message;
use super::super::handler::Handler;
use super::super::hashing::Hashing;
use super::super::limits::Limits;
use super::super::local::Local;
use super::super::observer::{Observer, Summary, Trouble};
use super::super::patience::Waiting;
use super::super::preamble::Settings;
use super::super::session::{Cx, Next, Session};
use super::super::shared::Shared;
use super::super::worker::TIMERS;
use super::Replayed;
use super::memory::{Look, Memory, Received};
use crate::http::Head;
use crate::reactor::{Driver, Reactor, Table, Token};
use crate::sys::{Instant, PeerAddress, Ready, UnixTime};

/// What it is for connections: no time passes while they are played.
const NOW: Instant = Instant::from_nanos(1_000_000_000);
/// What it is in answers: the example of RFC 9110 §5.6.7.
const DATE: UnixTime = UnixTime {
    secs: 784_111_777,
    nanos: 0,
};

/// Plays to sessions whose clients are in memory.
pub(super) struct Player<H> {
    /// One, or none. Its token tells mail that comes too late from mail for the next one.
    sessions: Table<Session<Memory>>,
    handler: H,
    tally: Tally,
    shared: Shared,
    /// What the connections before have got.
    received: Received,
    connections: u64,
    bytes_in: u64,
}

/// Counts what is told of sessions.
#[derive(Debug)]
struct Tally {
    requests: u64,
    /// By status.
    answers: Vec<u64>,
    troubles: u64,
}

impl Observer for Tally {
    fn head(&mut self, _: Token, _: &Head<'_>) {
        self.requests += 1;
    }

    fn answered(&mut self, _: Token, summary: &Summary) {
        if let Some(count) = self.answers.get_mut(usize::from(summary.status)) {
            *count += 1;
        }
    }

    fn trouble(&mut self, _: &Trouble) {
        self.troubles += 1;
    }
}

impl Tally {
    fn new() -> Tally {
        Tally {
            requests: 0,
            answers: vec![0; 1000],
            troubles: 0,
        }
    }
}

impl<H: Handler> Player<H> {
    pub(super) fn new(handler: H, limits: Limits, reactor: &Reactor<Message>) -> Player<H> {
        let settings = Settings {
            server: Some("edgeloop".to_owned()),
            date: true,
        };
        let mut shared = Shared::new(limits, settings, reactor.mailbox());
        shared.local.attach(0, reactor.registry());
        shared.local.share(|| Hashing::Fixed);
        shared.preamble.stop_at(DATE);
        shared.sendfile = true; // there is nobody whom a signal could kill
        Player {
            sessions: Table::with_capacity(1),
            handler,
            tally: Tally::new(),
            shared,
            received: Received::default(),
            connections: 0,
            bytes_in: 0,
        }
    }

    pub(super) fn local(&self) -> &Local {
        &self.shared.local
    }

    /// Counts from zero on.
    pub(super) fn begin(&mut self, look: Look) {
        self.tally = Tally::new();
        self.received = Received { bytes: 0, look };
        (self.connections, self.bytes_in) = (0, 0);
    }

    /// Does something else with what comes from now on, on the connection that is kept and on those that follow: what was
    /// done with it until now.
    pub(super) fn look(&mut self, kept: Option<Token>, look: Look) -> Look {
        let session = kept.and_then(|token| self.sessions.get_mut(token));
        let received = match session {
            Some(session) => &mut session.transport.received,
            None => &mut self.received,
        };
        std::mem::replace(&mut received.look, look)
    }

    /// What was counted.
    pub(super) fn replayed(&self) -> Replayed {
        let answers = (0..).zip(&self.tally.answers);
        Replayed {
            iterations: 0,
            connections: self.connections,
            requests: self.tally.requests,
            answers: answers
                .filter(|(_, count)| **count > 0)
                .map(|(status, count)| (status, *count))
                .collect(),
            bytes_in: self.bytes_in,
            bytes_out: self.received.bytes,
            hash: 0,
            troubles: self.tally.troubles,
        }
    }

    /// A client connects.
    pub(super) fn open(&mut self) -> Token {
        self.connections += 1;
        self.shared.begin_turn(NOW);
        let client = Memory::new(std::mem::take(&mut self.received));
        let session = Session::new(client, PeerAddress::UNIX, &self.shared);
        self.sessions.insert(session).0
    }

    /// A piece of what it sends comes.
    #[inline]
    pub(super) fn arrive(&mut self, token: Token, piece: &Arc<[u8]>) {
        self.bytes_in += piece.len() as u64;
        self.shared.begin_turn(NOW);
        self.with_session(token, |session, cx| {
            session.transport.arrive(piece);
            Some(session.drive(cx, Ready::READ))
        });
    }

    /// Nothing more of it comes.
    pub(super) fn finish_sending(&mut self, token: Token) {
        self.shared.begin_turn(NOW);
        self.with_session(token, |session, cx| {
            session.transport.finish_sending();
            Some(session.drive(cx, Ready::READ | Ready::PEER_CLOSED))
        });
    }

    /// It is over, if it was not before.
    pub(super) fn close(&mut self, token: Token) {
        if let Some(mut session) = self.sessions.remove(token) {
            self.received = std::mem::take(&mut session.transport.received);
            session.end(&mut self.shared);
        }
    }

    pub(super) fn has(&self, token: Token) -> bool {
        self.sessions.get(token).is_some()
    }

    /// Whether it waits for a next request, and has nothing of it.
    #[inline]
    pub(super) fn is_idle(&self, token: Token) -> bool {
        let waiting = self.sessions.get(token).and_then(Session::waiting);
        matches!(waiting, Some(Waiting::Idle | Waiting::FirstByte))
    }

    /// Whether it is the application's turn.
    #[inline]
    pub(super) fn waits_for_others(&self, token: Token) -> bool {
        let waiting = self.sessions.get(token).and_then(Session::waiting);
        matches!(waiting, Some(Waiting::Handler | Waiting::Stream))
    }

    /// Turns the loop until it is the client's turn again. A handler's time is real here. A stream that is silent for as
    /// long as a handler may be is left by its client.
    #[cold]
    pub(super) fn wait_for_others(
        &mut self,
        reactor: &mut Reactor<Message>,
        token: Token,
    ) -> io::Result<()> {
        let silence = self.shared.limits.handler_time;
        let mut since = Instant::now();
        while let Some(session) = self.sessions.get(token) {
            let before = session.transport.received.bytes;
            let (time, is_stream) = match session.waiting() {
                Some(Waiting::Handler) => (session.patience.until_exactly().since(NOW), false),
                Some(Waiting::Stream) => (silence, true),
                _ => return Ok(()),
            };
            let left = time.saturating_sub(Instant::now().since(since));
            if left > Duration::ZERO {
                self.set_timers(reactor);
                reactor.turn(self, Some(left))?;
                let session = self.sessions.get(token);
                if session.is_some_and(|session| session.transport.received.bytes > before) {
                    since = Instant::now();
                }
            } else if is_stream {
                self.close(token);
            } else {
                self.shared.begin_turn(NOW + time);
                self.with_session(token, |session, cx| Some(session.expire(cx)));
                since = Instant::now();
            }
        }
        Ok(())
    }

    /// Tells the reactor of timers that were set or cancelled.
    fn set_timers(&self, reactor: &mut Reactor<Message>) {
        if let Some(next) = self.shared.local.news() {
            reactor.set_deadline(TIMERS, next);
        }
    }

    /// Lets a session do all that it can.
    #[inline]
    fn with_session(
        &mut self,
        token: Token,
        step: impl FnOnce(&mut Session<Memory>, &mut Cx<'_, H, Tally>) -> Option<Next>,
    ) {
        let Some(session) = self.sessions.get_mut(token) else {
            return;
        };
        self.shared.connection = token;
        let mut cx = Cx {
            handler: &mut self.handler,
            observer: &mut self.tally,
            shared: &mut self.shared,
        };
        let mut next = step(session, &mut cx);
        while next == Some(Next::Again) {
            cx.shared.begin_turn(NOW);
            next = Some(session.drive(&mut cx, Ready::EMPTY));
        }
        match next {
            None | Some(Next::Wait | Next::Again) => {}
            // There is no descriptor that could be taken out: whoever was to get it is dropped.
            Some(Next::TakeOut | Next::Close(_)) => self.close(token),
        }
    }
}

/// Only what is for the application happens here: connections have no descriptors, and no deadlines.
impl<H: Handler> Driver for Player<H> {
    type Message = Message;

    fn on_turn(&mut self, _: &mut Reactor<Message>) {
        self.shared.begin_turn(NOW);
    }

    fn on_ready(&mut self, _: &mut Reactor<Message>, token: Token, ready: Ready) {
        if token.is_apart() {
            let tally = &mut self.tally;
            self.shared.local.on_ready(token, ready, tally);
        }
    }

    fn on_deadline(&mut self, reactor: &mut Reactor<Message>, token: Token) {
        if token == TIMERS {
            let tally = &mut self.tally;
            self.shared.local.expire(reactor.now(), tally);
        }
    }

    fn may_deliver(&self) -> bool {
        self.shared.message_budget > 0
    }

    fn on_message(&mut self, _: &mut Reactor<Message>, message: Message) {
        self.shared.message_budget = self.shared.message_budget.saturating_sub(1);
        match message {
            Message::Complete {
                connection,
                exchange,
                finish,
            } => self.with_session(connection, |session, cx| {
                session.complete(cx, exchange, finish)
            }),
            Message::Wake {
                connection,
                exchange,
            } => self.with_session(connection, |session, cx| session.wake(cx, exchange)),
            Message::Mail { to, letter } => {
                let tally = &mut self.tally;
                self.shared.local.deliver(to, letter, tally);
            }
            Message::HangUp(to) => self.shared.local.hang_up(to),
            // Nobody connects here but those who are played, and it ends when they do.
            Message::Adopt(_)
            | Message::Count(_)
            | Message::Drain
            | Message::Stop
            | Message::PeerStopped => {}
        }
    }

    fn on_end(&mut self, reactor: &mut Reactor<Message>) {
        self.set_timers(reactor);
    }
}
