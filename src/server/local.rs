//! What else runs on a server's loop: descriptors, timers and mail of the program's own.
//!
//! ```text
//!   Local ── watch, after, every, mailbox ──► a table of functions, beside that of the sessions
//!                                                  ▲ called by the worker, one at a time, with nothing locked
//!   kernel: ready ── deadline ── mail ─────────────┘
//! ```

use core::cell::{Cell, RefCell};
use core::time::Duration;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::sync::Arc;

use super::adopt::{NotAdopted, adopt};
use super::contain::{Contained, contain};
use super::defer::Message;
use super::observer::{Observer, Trouble};
use super::sender::{Letter, Sender, Waiting};
use super::states::States;
use crate::reactor::{Mailbox, Registry, Table, Token};
use crate::sys::{Fd, Instant, Interest, Ready};

/// The least time between two calls of [`Local::every`]: what epoll_wait(2) counts in.
const PERIOD_MIN: Duration = Duration::from_millis(1);

/// A server's loop, for who is on its thread: has it watch descriptors, call functions when time has passed, and take mail
/// from other threads. Clones are for the same loop.
///
/// Handlers have it from [`ResponseWriter::local`](super::ResponseWriter::local), factories from
/// [`Server::serve_local`](super::Server::serve_local), and whoever turns a loop from
/// [`EventLoop::local`](super::EventLoop::local).
///
/// Functions that are given to it need not be `Send`. They are called on the loop, between connections, one at a time and
/// never by a method of this type; they may use it themselves, and should not block. A panic in one ends what it was
/// given for and nothing else, and is told to the [`Observer`](super::Observer). All of them are dropped with the loop;
/// whatever is asked of a loop that has gone does nothing.
///
/// ```no_run
/// use core::time::Duration;
/// use edgeloop::{Reply, Request, ResponseWriter, Server};
///
/// // Answers a second later, and holds up nobody.
/// fn slow(_: &Request, res: ResponseWriter) -> Reply {
///     let local = res.local().clone();
///     let (completer, reply) = res.defer();
///     local.after(Duration::from_secs(1), move || {
///         completer.finish(|res| res.status(200).text("at last\n"));
///     });
///     reply
/// }
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// Server::bind("[::]:8080")?.serve_fn(slow)?.run()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Local(Rc<Inner>);

struct Inner {
    core: Cell<usize>,
    mailbox: Mailbox<Message>,
    /// Of each mailbox.
    messages_max: usize,
    /// Borrowed for a moment at a time: never while a function of others runs or is dropped.
    tasks: RefCell<Tasks>,
    /// What handlers share: an `Rc` of each type.
    kept: RefCell<States>,
    /// The earliest timer, and what the reactor was last told of it.
    next: Cell<Instant>,
    told: Cell<Instant>,
}

struct Tasks {
    /// `None` before the loop is there and when it has gone.
    registry: Option<Registry>,
    table: Table<Task>,
    /// By when they are due, and then in the order in which they were set.
    timers: BTreeMap<Due, Token>,
    timers_set: u64,
}

/// When a timer is due, and which one it is.
type Due = (Instant, u64);

/// Something that is to be called.
enum Task {
    /// It runs, and is with who has called it.
    Running,
    Watch(Contained<Box<dyn Watcher>>),
    Once(Due, Contained<Box<dyn FnOnce()>>),
    Every(Due, Duration, Contained<Box<dyn FnMut()>>),
    /// Senders can reach it for as long as it has what they count in.
    Mail(Arc<Waiting>, Contained<Box<dyn FnMut(Letter)>>),
}

/// What [cancels](Local::cancel) a watch or a timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LocalId(Token);

/// What is to become of a watched descriptor when the function that was called for it returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "return it from the function"]
pub enum Watch {
    /// It is watched as before.
    Keep,
    /// It is watched for something else. What is ready at present is told again.
    Change(Interest),
    /// It is watched no longer, and dropped with the function.
    End,
}

trait Watcher {
    fn on_ready(&mut self, ready: Ready) -> Watch;
    fn fd(&self) -> BorrowedFd<'_>;
}

struct On<S, F> {
    source: S,
    on_ready: F,
}

impl<S: AsFd, F: FnMut(&mut S, Ready) -> Watch> Watcher for On<S, F> {
    fn on_ready(&mut self, ready: Ready) -> Watch {
        (self.on_ready)(&mut self.source, ready)
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.source.as_fd()
    }
}

impl Local {
    /// The number of its core, from 0: which of a server's loops it is.
    pub fn core(&self) -> usize {
        self.0.core.get()
    }

    /// What the handlers of this loop share of this type, made now if there is none: one value of each type, which lives as
    /// long as the loop. It is for what is not `Send`, or is of no use on other loops, and is needed by handlers that are
    /// cloned for each core.
    ///
    /// # Panics
    /// When `make` asks for something shared itself.
    ///
    /// ```
    /// use core::cell::Cell;
    /// use edgeloop::{Reply, Request, ResponseWriter};
    ///
    /// #[derive(Default)]
    /// struct Answered(Cell<u64>);
    ///
    /// fn count(_: &Request, res: ResponseWriter) -> Reply {
    ///     let answered = res.local().share(Answered::default);
    ///     answered.0.set(answered.0.get() + 1);
    ///     res.status(200).text(format!("{} of this loop\n", answered.0.get()))
    /// }
    /// ```
    pub fn share<T: 'static>(&self, make: impl FnOnce() -> T) -> Rc<T> {
        let mut kept = self.0.kept.borrow_mut();
        Rc::clone(kept.get_or(|| Rc::new(make())))
    }

    /// Watches a descriptor, or whatever owns one: `on_ready` is called with it when it is ready.
    ///
    /// An [edge-triggered](Interest::EDGE) one has to be read or written until it says `WouldBlock`. One that is not is
    /// called for once a turn as long as it is ready, and others get their turn in between; it has to be read, or to end,
    /// when its peer has gone, or it is called for without rest. It is for the caller to make it non-blocking, and what is
    /// watched has to stay the same descriptor. Errors: those of epoll_ctl(2), such as `EPERM` for a regular file, and a
    /// loop that has gone; `source` is dropped.
    pub fn watch<S: AsFd + 'static>(
        &self,
        source: S,
        interest: Interest,
        on_ready: impl FnMut(&mut S, Ready) -> Watch + 'static,
    ) -> io::Result<LocalId> {
        let watched: Box<dyn Watcher> = Box::new(On { source, on_ready });
        let watched = Contained::new(watched);
        let added = self.0.tasks.borrow_mut().watch(watched, interest);
        added.map(LocalId).map_err(|(error, unwatched)| {
            drop(unwatched);
            error
        })
    }

    /// Calls a function once, when so much time has passed; at once, in the next turn, if that is none.
    pub fn after(&self, time: Duration, function: impl FnOnce() + 'static) -> LocalId {
        let task = |due| Task::Once(due, Contained::new(Box::new(function)));
        self.set_timer(Instant::now() + time, task)
    }

    /// Calls a function again and again, each time when so much time has passed, which is at least a millisecond. Calls
    /// that were missed are left out.
    pub fn every(&self, time: Duration, function: impl FnMut() + 'static) -> LocalId {
        let time = time.max(PERIOD_MIN);
        let task = |due| Task::Every(due, time, Contained::new(Box::new(function)));
        self.set_timer(Instant::now() + time, task)
    }

    /// Calls a function with each message that is sent from any thread, in the order of sending. It is dropped once the
    /// last [`Sender`] is. So many messages may wait for it as
    /// [`Limits::mailbox_messages_max`](super::Limits::mailbox_messages_max) says.
    pub fn mailbox<M: Send + 'static>(&self, mut function: impl FnMut(M) + 'static) -> Sender<M> {
        let waiting = Arc::new(Waiting::new(self.0.messages_max));
        let senders = Arc::downgrade(&waiting);
        let open = move |letter: Letter| {
            if let Some(message) = letter.open() {
                function(message);
            }
        };
        let task = Task::Mail(waiting, Contained::new(Box::new(open)));
        let added = self.0.tasks.borrow_mut().add(task);
        Sender::new(self.0.mailbox.clone(), added.token, senders)
    }

    /// Ends a watch or a timer and drops its function; the descriptor is dropped with it. Whether there was one still: an
    /// id that is stale does nothing. A function may cancel itself.
    pub fn cancel(&self, id: LocalId) -> bool {
        let removed = self.remove(id.0);
        removed.is_some()
    }

    /// Serves a connection that somebody else has accepted on this loop: see [`Handle::adopt`](super::Handle::adopt).
    pub fn adopt(&self, fd: impl Into<Fd>, read: impl Into<Vec<u8>>) -> Result<(), NotAdopted> {
        adopt(core::iter::once(&self.0.mailbox), fd.into(), read.into())
    }

    fn set_timer(&self, at: Instant, task: impl FnOnce(Due) -> Task) -> LocalId {
        let due = self.0.tasks.borrow_mut().due(at);
        let added = self.0.tasks.borrow_mut().add(task(due));
        if added.refused.is_none() {
            let mut tasks = self.0.tasks.borrow_mut();
            tasks.timers.insert(due, added.token);
            self.0.next.set(tasks.next());
        }
        LocalId(added.token)
    }

    /// What is returned is dropped by the caller: it may be anything.
    fn remove(&self, token: Token) -> Option<Task> {
        let mut tasks = self.0.tasks.borrow_mut();
        let task = tasks.table.remove(token)?;
        match &task {
            Task::Running | Task::Mail(..) => {}
            Task::Watch(watched) => tasks.forget(&***watched),
            Task::Once(due, _) | Task::Every(due, ..) => {
                tasks.timers.remove(due);
                self.0.next.set(tasks.next());
            }
        }
        Some(task)
    }
}

/// What the worker does with it.
impl Local {
    /// For a loop that is not there yet.
    pub(super) fn new(mailbox: Mailbox<Message>, messages_max: usize) -> Local {
        Local(Rc::new(Inner {
            core: Cell::new(0),
            mailbox,
            messages_max,
            tasks: RefCell::new(Tasks {
                registry: None,
                table: Table::apart(),
                timers: BTreeMap::new(),
                timers_set: 0,
            }),
            kept: RefCell::default(),
            next: Cell::new(Instant::NEVER),
            told: Cell::new(Instant::NEVER),
        }))
    }

    /// The loop is there.
    pub(super) fn attach(&self, core: usize, registry: Registry) {
        self.0.core.set(core);
        self.0.tasks.borrow_mut().registry = Some(registry);
    }

    /// The loop has gone. Functions can hold what holds them, so they are dropped here.
    pub(super) fn close(&self) {
        let (table, registry) = {
            let mut tasks = self.0.tasks.borrow_mut();
            tasks.timers.clear();
            let table = std::mem::replace(&mut tasks.table, Table::apart());
            (table, tasks.registry.take())
        };
        let kept = self.0.kept.take();
        self.0.next.set(Instant::NEVER);
        drop((table, registry, kept));
    }

    /// When the earliest timer is due.
    pub(super) fn next(&self) -> Instant {
        self.0.next.get()
    }

    /// When the earliest timer is due, if that is news for the reactor.
    #[inline]
    pub(super) fn news(&self) -> Option<Instant> {
        let next = self.0.next.get();
        (self.0.told.replace(next) != next).then_some(next)
    }

    /// A watched descriptor is ready. An event that comes too late finds nothing.
    #[cold]
    pub(super) fn on_ready(&self, token: Token, ready: Ready, observer: &mut impl Observer) {
        let Some(Task::Watch(mut watched)) = self.begin(token) else {
            return;
        };
        let then = call(observer, || watched.on_ready(ready)).unwrap_or(Watch::End);
        let goes_on = match then {
            Watch::Keep => true,
            Watch::End => false,
            Watch::Change(interest) => {
                let changed = self.0.tasks.borrow().change(token, &**watched, interest);
                if let Err(error) = changed {
                    observer.trouble(&Trouble::WatchLost(error));
                    false
                } else {
                    true
                }
            }
        };
        if !goes_on {
            self.0.tasks.borrow_mut().table.remove(token);
        }
        if let Some(Task::Watch(ended)) = self.put_back(token, Task::Watch(watched)) {
            self.0.tasks.borrow().forget(&**ended);
        }
    }

    /// Calls the timers that are due, each once.
    #[cold]
    pub(super) fn expire(&self, now: Instant, observer: &mut impl Observer) {
        // The reactor's deadline is over, so it has to be told again.
        self.0.told.set(Instant::NEVER);
        let due = self.0.tasks.borrow_mut().take_due(now);
        for token in due.into_values() {
            // One of them may have cancelled another.
            match self.begin(token) {
                Some(Task::Once(_, function)) => {
                    self.0.tasks.borrow_mut().table.remove(token);
                    call(observer, || function.into_inner()());
                }
                Some(Task::Every((at, _), time, mut function)) => {
                    if call(observer, &mut *function).is_none() {
                        self.0.tasks.borrow_mut().table.remove(token);
                    }
                    let next = at + time;
                    let next = if next > now { next } else { now + time };
                    let due = self.0.tasks.borrow_mut().due(next);
                    let ended = self.put_back(token, Task::Every(due, time, function));
                    if ended.is_none() {
                        self.0.tasks.borrow_mut().timers.insert(due, token);
                    }
                }
                None | Some(Task::Running | Task::Watch(_) | Task::Mail(..)) => {}
            }
        }
        self.0.next.set(self.0.tasks.borrow().next());
    }

    /// A message has come for who takes it.
    #[cold]
    pub(super) fn deliver(&self, to: Token, letter: Letter, observer: &mut impl Observer) {
        let Some(Task::Mail(waiting, mut open)) = self.begin(to) else {
            return;
        };
        if call(observer, || open(letter)).is_none() {
            self.0.tasks.borrow_mut().table.remove(to);
        }
        let ended = self.put_back(to, Task::Mail(waiting, open));
        drop(ended);
    }

    /// Nobody can send to it any more.
    #[cold]
    pub(super) fn hang_up(&self, to: Token) {
        let unused = self.remove(to);
        drop(unused);
    }

    /// Takes a function out of the table to be called, so that it can't be called while it runs.
    fn begin(&self, token: Token) -> Option<Task> {
        let mut tasks = self.0.tasks.borrow_mut();
        let task = tasks.table.get_mut(token)?;
        Some(std::mem::replace(task, Task::Running))
    }

    /// A function that was called goes back; or comes back to be dropped, if it has ended, which can be its own doing.
    fn put_back(&self, token: Token, task: Task) -> Option<Task> {
        let mut tasks = self.0.tasks.borrow_mut();
        match tasks.table.get_mut(token) {
            Some(place) => {
                *place = task;
                None
            }
            None => Some(task),
        }
    }
}

/// What was added, under a token that is stale if the loop has gone.
struct Added {
    token: Token,
    /// To be dropped by who has added it.
    refused: Option<Task>,
}

impl Tasks {
    fn add(&mut self, task: Task) -> Added {
        let (token, place) = self.table.insert(Task::Running);
        let refused = if self.registry.is_some() {
            *place = task;
            None
        } else {
            self.table.remove(token);
            Some(task)
        };
        Added { token, refused }
    }

    /// If it can't be watched it comes back.
    fn watch(
        &mut self,
        watched: Contained<Box<dyn Watcher>>,
        interest: Interest,
    ) -> Result<Token, (io::Error, Contained<Box<dyn Watcher>>)> {
        let Some(registry) = &self.registry else {
            let gone = io::Error::other("the loop that was to watch has gone");
            return Err((gone, watched));
        };
        let (token, task) = self.table.insert(Task::Running);
        match registry.register(watched.fd(), token, interest) {
            Ok(()) => {
                *task = Task::Watch(watched);
                Ok(token)
            }
            Err(error) => {
                self.table.remove(token);
                Err((error, watched))
            }
        }
    }

    fn change(&self, token: Token, watched: &dyn Watcher, interest: Interest) -> io::Result<()> {
        match &self.registry {
            Some(registry) => registry.reregister(watched.fd(), token, interest),
            None => Ok(()),
        }
    }

    /// Others may have duplicated it, so that closing alone would not end its events.
    fn forget(&self, watched: &dyn Watcher) {
        if let Some(registry) = &self.registry {
            let _ = registry.deregister(watched.fd()); // one that has been swapped for another is not there
        }
    }

    fn due(&mut self, at: Instant) -> Due {
        self.timers_set += 1;
        (at, self.timers_set)
    }

    fn take_due(&mut self, now: Instant) -> BTreeMap<Due, Token> {
        let later = self.timers.split_off(&(now, u64::MAX));
        std::mem::replace(&mut self.timers, later)
    }

    fn next(&self) -> Instant {
        let first = self.timers.first_key_value();
        first.map_or(Instant::NEVER, |((at, _), _)| *at)
    }
}

/// Calls a function of the program's. `None`: it has panicked.
fn call<T>(observer: &mut impl Observer, function: impl FnOnce() -> T) -> Option<T> {
    let called = contain(function);
    if called.is_none() {
        observer.trouble(&Trouble::LocalPanicked);
    }
    called
}

impl core::fmt::Debug for Local {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Local")
            .field("core", &self.core())
            .finish_non_exhaustive()
    }
}
