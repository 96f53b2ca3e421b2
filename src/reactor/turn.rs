//! The loop.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use super::counters::Counters;
use super::deadlines::Deadlines;
use super::mailbox::Mailbox;
use super::token::Token;
use crate::sys::{Epoll, Events, Instant, Interest, Ready};

/// Events that one wait can bring. More wait for the next one.
const EVENTS: usize = 512;

/// Does the work of a loop. Called by [`Reactor::turn`] in the order of its methods.
pub trait Driver {
    /// What other threads send.
    type Message;

    /// A turn begins: [`Reactor::now`] has moved.
    fn on_turn(&mut self, _reactor: &mut Reactor<Self::Message>) {}

    /// Whether the run queue goes on in this turn. If not, what is left of it stands first in the next one.
    fn may_resume(&self) -> bool {
        true
    }

    /// A token that was put into the run queue in an earlier turn. It may be stale.
    fn on_resume(&mut self, _reactor: &mut Reactor<Self::Message>, _token: Token) {}

    /// A registered descriptor is ready. The token may be stale: events are not taken back.
    fn on_ready(&mut self, reactor: &mut Reactor<Self::Message>, token: Token, ready: Ready);

    /// Whoever was ready has had its turn.
    fn on_settled(&mut self, _reactor: &mut Reactor<Self::Message>) {}

    /// A token's deadline is over. It has none until it is set again.
    fn on_deadline(&mut self, _reactor: &mut Reactor<Self::Message>, _token: Token) {}

    /// Whether mail goes on being taken in this turn. If not, what is left of it stands first in the next one, which does
    /// not wait.
    fn may_deliver(&self) -> bool {
        true
    }

    /// A message has come.
    fn on_message(&mut self, _reactor: &mut Reactor<Self::Message>, _message: Self::Message) {}

    /// The turn is over: the loop waits next, as long as its deadlines and its run queue let it.
    fn on_end(&mut self, _reactor: &mut Reactor<Self::Message>) {}
}

/// An event loop. It owns no descriptors but its own two, and no state but who waits for what.
///
/// Per turn of [`run`](Reactor::run): one epoll_wait(2), one look at the clock, no lock unless there is mail. No
/// allocation once the run queue and the heap of deadlines have grown to their size.
#[derive(Debug)]
pub struct Reactor<M> {
    registry: Registry,
    /// Out of here while a turn goes through it.
    events: Option<Box<Events>>,
    now: Instant,
    deadlines: Deadlines,
    run_queue: VecDeque<Token>,
    mailbox: Mailbox<M>,
    /// Mail that was taken and not delivered.
    mail: VecDeque<M>,
    stopped: bool,
    /// But for the calls of epoll_ctl(2), which the registry counts.
    counters: Counters,
}

/// Has descriptors watched by a [`Reactor`], from places where there is no reactor at hand. Clones are for the same one,
/// which need not live as long.
#[derive(Clone, Debug)]
pub struct Registry(Arc<Watched>);

#[derive(Debug)]
struct Watched {
    epoll: Epoll,
    /// Calls of epoll_ctl(2). The only counter that is shared: it costs nothing beside its call, and registries are clones.
    controls: AtomicU64,
}

impl Registry {
    /// As [`Reactor::register`].
    pub fn register(&self, fd: impl AsFd, token: Token, interest: Interest) -> io::Result<()> {
        self.counted().add(fd, interest, token.to_bits())
    }

    /// As [`Reactor::reregister`].
    pub fn reregister(&self, fd: impl AsFd, token: Token, interest: Interest) -> io::Result<()> {
        self.counted().modify(fd, interest, token.to_bits())
    }

    /// As [`Reactor::deregister`].
    pub fn deregister(&self, fd: impl AsFd) -> io::Result<()> {
        self.counted().delete(fd)
    }

    /// The epoll, for one epoll_ctl(2).
    fn counted(&self) -> &Epoll {
        self.0.controls.fetch_add(1, Ordering::Relaxed);
        &self.0.epoll
    }
}

/// What a turn was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Events that the kernel had.
    pub events: usize,
    /// Whether there is work left that waits for nothing.
    pub more: bool,
}

impl<M> Reactor<M> {
    /// A new loop. Errors: those of epoll_create1(2) and eventfd(2).
    pub fn new() -> io::Result<Reactor<M>> {
        let (epoll, mailbox) = (Epoll::new()?, Mailbox::new()?);
        let registry = Registry(Arc::new(Watched {
            epoll,
            controls: AtomicU64::new(0),
        }));
        // Edge-triggered, so that the counter never has to be read.
        let interest = Interest::READ | Interest::EDGE;
        registry.register(mailbox.eventfd(), Token::MAIL, interest)?;
        Ok(Reactor {
            registry,
            events: Some(Box::new(Events::with_capacity(EVENTS))),
            now: Instant::now(),
            deadlines: Deadlines::default(),
            run_queue: VecDeque::new(),
            mailbox,
            mail: VecDeque::new(),
            stopped: false,
            counters: Counters::default(),
        })
    }

    /// Watches a descriptor; its events come with `token`. It is no longer watched once it is closed, provided that it was
    /// not duplicated. Errors: those of epoll_ctl(2).
    pub fn register(&self, fd: impl AsFd, token: Token, interest: Interest) -> io::Result<()> {
        self.registry.register(fd, token, interest)
    }

    /// Watches for something else. What is ready at present is told again. Errors: those of epoll_ctl(2).
    pub fn reregister(&self, fd: impl AsFd, token: Token, interest: Interest) -> io::Result<()> {
        self.registry.reregister(fd, token, interest)
    }

    /// Watches no longer. Only needed for a descriptor that lives on. Errors: those of epoll_ctl(2).
    pub fn deregister(&self, fd: impl AsFd) -> io::Result<()> {
        self.registry.deregister(fd)
    }

    /// Who else can have descriptors watched by this loop.
    pub fn registry(&self) -> Registry {
        self.registry.clone()
    }

    /// How other threads send messages to this loop.
    pub fn mailbox(&self) -> Mailbox<M> {
        self.mailbox.clone()
    }

    /// When this turn began.
    #[inline]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Sets the one deadline of a token. Moving it later is a store.
    #[inline]
    pub fn set_deadline(&mut self, token: Token, at: Instant) {
        self.deadlines.set(token, at);
    }

    /// Takes the deadline of a token away.
    pub fn clear_deadline(&mut self, token: Token) {
        self.deadlines.clear(token);
    }

    /// Puts a token into the run queue: [`Driver::on_resume`] gets it in the next turn, which does not wait.
    pub fn run_later(&mut self, token: Token) {
        self.run_queue.push_back(token);
        let queued = self.run_queue.len() as u64;
        self.counters.run_queue_peak = self.counters.run_queue_peak.max(queued);
    }

    /// What it has done so far.
    pub fn counters(&self) -> Counters {
        Counters {
            epoll_ctls: self.registry.0.controls.load(Ordering::Relaxed),
            ..self.counters
        }
    }

    /// Has [`run`](Reactor::run) return at the end of this turn.
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// Whether it was stopped.
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// How long from now until a turn has something to do without an event: zero while leftover work waits, `None` when
    /// only events can bring work.
    pub fn next_deadline(&self) -> Option<Duration> {
        if self.has_leftover() {
            Some(Duration::ZERO)
        } else {
            self.deadlines.next().map(|at| at.since(Instant::now()))
        }
    }

    /// Whether there is work that waits for nothing but the next turn.
    fn has_leftover(&self) -> bool {
        !self.run_queue.is_empty() || !self.mail.is_empty()
    }

    /// Waits for work, at most for `timeout` and without end if there is none, and does it once around. Looks at the clock
    /// before and after the wait. Errors: those of epoll_wait(2), which a loop in order does not meet.
    pub fn turn<D: Driver<Message = M>>(
        &mut self,
        driver: &mut D,
        timeout: Option<Duration>,
    ) -> io::Result<Turn> {
        self.now = Instant::now();
        self.turn_at_once(driver, timeout)
    }

    /// A turn that follows another one, whose clock is still good for how long to wait.
    fn turn_at_once<D: Driver<Message = M>>(
        &mut self,
        driver: &mut D,
        timeout: Option<Duration>,
    ) -> io::Result<Turn> {
        let until_due = if self.has_leftover() {
            Some(Duration::ZERO)
        } else {
            self.deadlines.next().map(|at| at.since(self.now))
        };
        let timeout = match (timeout, until_due) {
            (Some(asked), Some(due)) => Some(asked.min(due)),
            (asked, due) => asked.or(due),
        };
        let mut events = self
            .events
            .take()
            .unwrap_or_else(|| Box::new(Events::with_capacity(EVENTS)));
        let waited = self.registry.0.epoll.wait(&mut events, timeout);
        self.mailbox.awake();
        self.now = Instant::now();
        let leftover = self.run_queue.len();
        let count = *waited.as_ref().unwrap_or(&0);
        self.counters.turns += 1;
        self.counters.waits += u64::from(timeout != Some(Duration::ZERO));
        self.counters.events += count as u64;

        driver.on_turn(self);
        // The run queue goes first: if ready descriptors did, they could spend the turn's budget every time and starve it.
        for _ in 0..leftover {
            if !driver.may_resume() {
                break;
            }
            if let Some(token) = self.run_queue.pop_front() {
                driver.on_resume(self, token);
            }
        }
        for index in 0..count {
            let (data, ready) = events.at(index);
            let token = Token::from_bits(data);
            if token != Token::MAIL {
                driver.on_ready(self, token, ready);
            }
        }
        self.events = Some(events);
        driver.on_settled(self);
        // A driver may set a deadline that is already over; the bound keeps that from looping within one turn.
        for _ in 0..self.deadlines.entries() {
            let Some(token) = self.deadlines.expired(self.now) else {
                break;
            };
            driver.on_deadline(self, token);
        }
        let has_mail = self.mailbox.last_look();
        if has_mail || !self.mail.is_empty() {
            self.deliver(driver, has_mail);
        }
        driver.on_end(self);
        waited?;
        Ok(Turn {
            events: count,
            more: self.has_leftover(),
        })
    }

    #[cold]
    fn deliver<D: Driver<Message = M>>(&mut self, driver: &mut D, has_mail: bool) {
        if has_mail {
            self.mailbox.take(&mut self.mail);
        }
        while driver.may_deliver()
            && let Some(message) = self.mail.pop_front()
        {
            self.counters.mail += 1;
            driver.on_message(self, message);
        }
    }

    /// Turns until it is [stopped](Reactor::stop). Errors: those of [`turn`](Reactor::turn).
    pub fn run<D: Driver<Message = M>>(&mut self, driver: &mut D) -> io::Result<()> {
        self.now = Instant::now();
        while !self.stopped {
            self.turn_at_once(driver, None)?;
        }
        Ok(())
    }
}

/// To be watched level-triggered by a loop that hosts this one.
impl<M> AsFd for Reactor<M> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.registry.0.epoll.as_fd()
    }
}

impl<M> Drop for Reactor<M> {
    fn drop(&mut self) {
        self.mailbox.close();
    }
}
