//! Taking connections, and what to do when there is no room for one.

use core::time::Duration;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use super::defer::Message;
use super::handler::Handler;
use super::observer::{CloseReason, Observer, Trouble};
use super::patience::Waiting;
use super::session::{Held, Session};
use super::transport::Socket;
use super::worker::{RESUME, Worker};
use crate::reactor::{Reactor, Table, Token};
use crate::sys::socket::{self, AcceptError};
use crate::sys::{Fd, Instant, Interest, PeerAddress, SocketFile, probes};

/// How long accepting pauses when no connection can be had, and none closes meanwhile.
const PAUSE: Duration = Duration::from_millis(500);

/// Connections that are lost in a row before accepting pauses.
const LOST_MAX: usize = 64;

/// How many connections beyond the limit are told so before they are closed. More are closed without a word.
const TURNED_AWAY_MAX: usize = 32;

/// A socket that accepts, level-triggered: an edge-triggered one goes deaf when fewer are accepted than wait.
#[derive(Debug)]
pub(super) struct Listener {
    /// Before `fd`, and so dropped while the socket listens: see [`SocketFile`].
    pub(super) origin: Origin,
    pub(super) fd: Fd,
    pub(super) token: Token,
    pub(super) state: Accepting,
    /// Connections in a row that were lost before they could be had.
    pub(super) lost: usize,
}

impl Listener {
    /// Nobody new is to come into its queue, as far as that is ours to say. Whether some may be half-way in.
    pub(super) fn refuse_new(&mut self) -> bool {
        match &mut self.origin {
            Origin::Tcp => {
                // If it can't be had, some may be reset. That is no reason not to stop.
                let _ = socket::drop_new_connections(&self.fd);
                true
            }
            // Without its file nobody finds it, and a connection is whole when connect(2) returns.
            Origin::Unix(file) => {
                drop(file.take());
                false
            }
            Origin::Inherited => false,
        }
    }
}

/// Whose socket it is.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// Opened here on TCP, and it ends here.
    Tcp,
    /// Opened here on a path. The file is removed with the last of the listeners that share the socket.
    Unix(Option<Arc<SocketFile>>),
    /// Others may hold it too, and go on accepting when this server stops: nothing is done to it that would hinder them.
    Inherited,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accepting {
    /// Nobody waits, as far as is known.
    Idle,
    /// Somebody waits.
    Ready,
    /// It is not watched: no connection could be had for the time being.
    Paused,
    /// It is of no more use.
    Broken,
}

impl<H: Handler, O: Observer> Worker<H, O> {
    /// Takes connections from all listeners that have some, one each in turn, and about `budget` in all. Whoever waits
    /// beyond it is taken in the next turn.
    #[inline(never)] // a phase
    pub(super) fn accept_ready(&mut self, reactor: &mut Reactor<Message>, budget: usize) {
        let mut taken = 0;
        while taken < budget {
            let before = taken;
            for number in 0..self.listeners.len() {
                if self.listeners[number].state == Accepting::Ready {
                    taken += 1;
                    self.shared.counters.accepts += 1;
                    match socket::accept_from(&self.listeners[number].fd) {
                        Ok((fd, peer)) => {
                            self.listeners[number].lost = 0;
                            self.accept_errors = 0;
                            self.admit(reactor, fd, peer, None);
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

    /// Takes a connection. One that is adopted comes with the bytes that were read of it.
    pub(super) fn admit(
        &mut self,
        reactor: &mut Reactor<Message>,
        fd: Fd,
        peer: PeerAddress,
        adopted: Option<&[u8]>,
    ) {
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
        let mut session = Session::new(Socket(fd), peer, &self.shared);
        session.adopted = adopted.is_some();
        let (token, session) = self.sessions.insert(session);
        self.shared.counters.opened += 1;
        probes::accept_ready(token.to_bits());
        self.observer.accepted(token);
        if let Err(error) = reactor.register(&session.transport.0, token, Interest::STREAM) {
            self.observer.trouble(&Trouble::ConnectionLost(error));
            self.close(reactor, token, CloseReason::Failed);
            return;
        }
        if room {
            if let Some(read @ [_, ..]) = adopted {
                self.observer.received(token, read);
                session.held = Held::Raw(self.shared.pool.keep(read));
                session.queued = true;
                reactor.run_later(token);
            }
            session.wait(&self.shared);
            reactor.set_deadline(token, session.patience.until());
        } else {
            self.with_session(reactor, token, |session, cx| Some(session.turn_away(cx)));
        }
    }

    #[cold]
    fn accept_failed(&mut self, reactor: &mut Reactor<Message>, number: usize, error: AcceptError) {
        let listener = &mut self.listeners[number];
        match error {
            AcceptError::NobodyWaits => {
                listener.lost = 0;
                listener.state = Accepting::Idle;
            }
            AcceptError::OneLost(error) => {
                listener.lost += 1;
                // The next one may do. But a sandbox that allows no accept4(2) says so for ever.
                if listener.lost > LOST_MAX {
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
        // Changing a registration that exists takes no memory. If it fails all the same, the listener must not stay loud:
        // the loop would turn and turn until it is watched again.
        let quiet = reactor.reregister(&listener.fd, listener.token, Interest::NONE);
        if quiet.is_err() {
            let _ = reactor.deregister(&listener.fd);
        }
        reactor.set_deadline(RESUME, reactor.now() + PAUSE);
        self.observer.trouble(trouble);
    }

    /// There may be descriptors again.
    #[cold]
    pub(super) fn resume_accepting(&mut self, reactor: &mut Reactor<Message>) {
        for listener in &mut self.listeners {
            if listener.state == Accepting::Paused {
                let (fd, token) = (&listener.fd, listener.token);
                let watched = match reactor.reregister(fd, token, Interest::READ) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        reactor.register(fd, token, Interest::READ)
                    }
                    watched => watched,
                };
                match watched {
                    Ok(()) => listener.state = Accepting::Idle,
                    Err(_) => reactor.set_deadline(RESUME, reactor.now() + PAUSE),
                }
            }
        }
    }
}

/// Finds connections that can make room: those that have sent nothing first, then those that wait for a next request,
/// the oldest of each first.
#[derive(Debug, Default)]
pub(super) struct Evictor {
    /// From one look through all connections, which serves many evictions. They may have changed since.
    candidates: VecDeque<(Token, Waiting, Instant)>,
    /// A look that found nobody is not repeated in the same turn.
    fruitless: Option<Instant>,
}

/// How many candidates are kept of a look.
const CANDIDATES: usize = 64;

impl Evictor {
    /// A connection that can make room: of its next request not even the kernel has a byte. It is the caller's to close.
    pub(super) fn victim(
        &mut self,
        sessions: &Table<Session<Socket>>,
        now: Instant,
    ) -> Option<Token> {
        let remembered = self.next_candidate(sessions);
        if remembered.is_some() || self.fruitless == Some(now) {
            return remembered;
        }
        self.look(sessions);
        let found = self.next_candidate(sessions);
        if found.is_none() {
            self.fruitless = Some(now);
        }
        found
    }

    /// The next candidate that still is one.
    fn next_candidate(&mut self, sessions: &Table<Session<Socket>>) -> Option<Token> {
        while let Some((token, waiting, until)) = self.candidates.pop_front() {
            if let Some(session) = sessions.get(token)
                && idle(session) == Some((waiting, until))
                && session.has_unread() == Some(false)
            {
                return Some(token);
            }
        }
        None
    }

    fn look(&mut self, sessions: &Table<Session<Socket>>) {
        let mut found: Vec<_> = sessions
            .iter()
            .filter_map(|(token, session)| {
                idle(session).map(|(waiting, until)| (token, waiting, until))
            })
            .collect();
        found.sort_unstable_by_key(|(_, waiting, until)| (*waiting, *until));
        found.truncate(CANDIDATES);
        self.candidates = found.into();
    }
}

/// Whether nothing of a request has been received on this connection, and since when, which is told by its deadline.
fn idle(session: &Session<Socket>) -> Option<(Waiting, Instant)> {
    let waiting = session
        .waiting()
        .filter(|waiting| matches!(waiting, Waiting::FirstByte | Waiting::Idle) && !session.queued);
    waiting.map(|waiting| (waiting, session.patience.until_exactly()))
}

#[cfg(test)]
mod tests {
    use super::super::drain::Control;
    use super::super::limits::Limits;
    use super::super::preamble::Settings;
    use super::super::shared::Shared;
    use super::super::worker::LISTENERS;
    use super::*;
    use crate::server::{Reply, Request, ResponseWriter};
    use crate::sys::Address;

    fn nothing(_: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
        res.status(204).empty()
    }

    /// The calls that a sandbox forbids are its own test's: what they say is put in here.
    #[test]
    fn accepting_that_goes_on_failing_pauses_and_is_told() {
        struct Told(Vec<String>);
        impl Observer for Told {
            fn trouble(&mut self, trouble: &Trouble) {
                self.0.push(trouble.to_string());
            }
        }
        let mut reactor = Reactor::new().expect("an epoll");
        let settings = Settings {
            server: None,
            date: false,
        };
        let limits = Limits::default();
        let shared = Shared::new(limits, settings, reactor.mailbox());
        let address: Address = "127.0.0.1:0".parse().expect("an address");
        let listener = Listener {
            origin: Origin::Tcp,
            fd: socket::listen_on(&address).expect("a free port"),
            token: Token::fixed(LISTENERS),
            state: Accepting::Ready,
            lost: 0,
        };
        let (told, control) = (Told(Vec::new()), Control::default());
        let mut worker = Worker::new(nothing, told, shared, vec![listener], 10, control);
        worker.register(&reactor).expect("a listener");
        let lost = || AcceptError::OneLost(std::io::ErrorKind::PermissionDenied.into());
        for _ in 0..LOST_MAX {
            worker.accept_failed(&mut reactor, 0, lost());
        }
        assert_eq!(worker.listeners[0].state, Accepting::Ready);
        worker.accept_failed(&mut reactor, 0, lost());
        assert_eq!(worker.listeners[0].state, Accepting::Paused);
        assert!(worker.observer.0[0].contains("pauses"));
        assert!(reactor.next_deadline().is_some_and(|time| time <= PAUSE));
        worker.resume_accepting(&mut reactor);
        worker.accept_failed(&mut reactor, 0, lost());
        assert_eq!(worker.listeners[0].state, Accepting::Idle);
        assert_eq!(worker.observer.0.len(), 1);
    }
}
