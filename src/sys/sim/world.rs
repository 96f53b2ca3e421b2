//! The world: who is in it, what time it is, and what happens next.

use core::cell::{Cell, RefCell};
use core::cmp::Reverse;
use core::fmt;
use core::time::Duration;
use std::collections::{BTreeMap, BinaryHeap};
use std::io;
use std::rc::Rc;

use nix::errno::Errno;

use super::kernel::{Kernel, LinkId, Name};
use super::{Call, Plan, Random, Rates};
use crate::sys::Instant;

/// The clock's first moment: a machine has been up for a while.
pub(super) const BEGIN: u64 = 1_000_000_000_000;
/// The wall clock then: 2026-01-01.
const WALL_BEGIN: i64 = 1_767_225_600_000_000_000;
/// What a call takes.
const CALL_NANOS: u64 = 1_000;
/// Descriptors, unless the test says otherwise.
const DESCRIPTORS: usize = 1024;
/// What an inotify queue holds (`max_queued_events`), unless the test says otherwise.
const NOTICES: usize = 16_384;

thread_local! {
    static CURRENT: RefCell<Option<World>> = const { RefCell::new(None) };
}

pub(super) fn current() -> Option<World> {
    CURRENT.with_borrow(Clone::clone)
}

/// A simulated kernel, and all that happens around it. Clones are the same world.
#[derive(Clone)]
pub struct World(pub(super) Rc<Inner>);

pub(super) struct Inner {
    pub(super) kernel: RefCell<Kernel>,
    pub(super) random: RefCell<Random>,
    pub(super) plan: RefCell<Plan>,
    pub(super) net: Cell<Net>,
    pub(super) now: Cell<u64>,
    /// What the wall clock is ahead of the other one.
    pub(super) wall: Cell<i64>,
    pub(super) agenda: RefCell<BinaryHeap<Entry>>,
    pub(super) entries: Cell<u64>,
    pub(super) calls: RefCell<Vec<u64>>,
    pub(super) faults: RefCell<BTreeMap<(Call, &'static str), u64>>,
    pub(super) calls_max: Cell<u64>,
    pub(super) trace: RefCell<Option<Vec<String>>>,
}

/// What connections that begin from now on are like. Sizes are bytes.
#[derive(Clone, Copy, Debug)]
pub struct Net {
    /// What the server's end holds unsent.
    pub send_room: usize,
    /// What the server's end holds unread.
    pub receive_room: usize,
    /// What the client's end holds unread.
    pub peer_receive_room: usize,
    /// How long bytes are under way. None: they are there when the call returns.
    pub latency: Duration,
    /// The most that arrives at once.
    pub piece: usize,
}

impl Default for Net {
    fn default() -> Self {
        Net {
            send_room: 128 << 10,
            receive_room: 128 << 10,
            peer_receive_room: 64 << 10,
            latency: Duration::ZERO,
            piece: usize::MAX,
        }
    }
}

/// Something that will happen.
pub(super) enum Step {
    Transfer(LinkId, usize),
    /// A handshake ends: the connection is there to be accepted.
    Arrival(LinkId, Name),
    /// What a call has not seen is announced.
    Edge(LinkId, usize, u32),
    Edges(usize, u32),
    Other(Box<dyn FnOnce(&World)>),
}

pub(super) struct Entry {
    when: Reverse<(u64, u64)>,
    step: Step,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.when == other.when
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.when.cmp(&other.when)
    }
}

/// While it lives, the thread is in the world.
#[must_use = "the thread leaves the world when this is dropped"]
pub struct Entered(Option<World>);

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

impl World {
    /// A world in which nothing has happened yet.
    pub fn new(seed: u64) -> World {
        let mut kernel = Kernel::default();
        kernel.descriptors_max = DESCRIPTORS;
        kernel.notices_max = NOTICES;
        World(Rc::new(Inner {
            kernel: RefCell::new(kernel),
            random: RefCell::new(Random::new(seed)),
            plan: RefCell::default(),
            net: Cell::default(),
            now: Cell::new(BEGIN),
            wall: Cell::new(WALL_BEGIN - BEGIN.cast_signed()),
            agenda: RefCell::default(),
            entries: Cell::new(0),
            calls: RefCell::new(vec![0; Call::ALL.len()]),
            faults: RefCell::default(),
            calls_max: Cell::new(u64::MAX),
            trace: RefCell::default(),
        }))
    }

    /// Every call that this thread makes through `sys` is this world's from now on, until the value is dropped.
    pub fn enter(&self) -> Entered {
        Entered(CURRENT.replace(Some(self.clone())))
    }

    // Time, and what happens in it.

    /// The monotonic clock. Looking at it takes no time.
    pub fn now(&self) -> Instant {
        Instant::from_nanos(self.0.now.get())
    }

    /// Puts a step into the agenda.
    pub fn after(&self, delay: Duration, step: impl FnOnce(&World) + 'static) {
        self.schedule(delay.as_nanos() as u64, Step::Other(Box::new(step)));
    }

    pub(super) fn schedule(&self, delay: u64, step: Step) {
        let order = self.0.entries.get();
        self.0.entries.set(order + 1);
        let when = Reverse((self.0.now.get().saturating_add(delay), order));
        self.0.agenda.borrow_mut().push(Entry { when, step });
    }

    /// When something is to happen next.
    pub(super) fn next_step(&self) -> Option<u64> {
        self.0.agenda.borrow().peek().map(|entry| entry.when.0.0)
    }

    pub(super) fn leap_to(&self, nanos: u64) {
        self.0.now.set(self.0.now.get().max(nanos));
    }

    /// Lets everything happen that is due.
    pub fn run_due(&self) {
        loop {
            self.tell_peers();
            let now = self.0.now.get();
            let due = {
                let mut agenda = self.0.agenda.borrow_mut();
                match agenda.peek() {
                    Some(entry) if entry.when.0.0 <= now => agenda.pop(),
                    Some(_) | None => None,
                }
            };
            let Some(entry) = due else {
                return;
            };
            match entry.step {
                Step::Transfer(link, from) => {
                    if let Some(known) = self.kernel().link(link) {
                        known.scheduled[from] = false;
                    }
                    self.transfer(link, from);
                }
                Step::Arrival(link, name) => self.arrive(link, &name),
                Step::Edge(link, side, key) => {
                    let mut kernel = self.kernel();
                    if let Some(description) = kernel
                        .link(link)
                        .and_then(|link| link.ends[side].description)
                    {
                        kernel.wake(description, key);
                    }
                }
                Step::Edges(description, key) => self.kernel().wake(description, key),
                Step::Other(step) => step(self),
            }
        }
    }

    /// Clients see what has happened at their ends.
    fn tell_peers(&self) {
        let noticed = std::mem::take(&mut self.kernel().noticed);
        for link in noticed {
            let mut kernel = self.kernel();
            let Some(known) = kernel.link(link) else {
                continue;
            };
            known.noticed = false;
            if let Some(notice) = known.notice.clone() {
                drop(kernel);
                self.schedule(0, Step::Other(Box::new(move |world| notice(world))));
            }
        }
    }

    /// Forgets what was to happen, with all that it holds.
    pub fn forget_steps(&self) {
        let agenda = std::mem::take(&mut *self.0.agenda.borrow_mut());
        drop(agenda);
    }

    /// Lets so much time pass, with all that happens in it.
    pub fn advance(&self, time: Duration) {
        let until = self.now() + time;
        self.run_due();
        while let Some(step) = self.next_step()
            && step <= until.as_nanos()
        {
            self.leap_to(step);
            self.run_due();
        }
        self.leap_to(until.as_nanos());
    }

    // Calls.

    /// A call begins: time passes, others go on, and it may fail.
    pub(super) fn begin(&self, call: Call) -> Result<(), Errno> {
        let count = {
            let mut calls = self.0.calls.borrow_mut();
            calls[call as usize] += 1;
            calls[call as usize]
        };
        let left = self.0.calls_max.get();
        // What is closed while a panic unwinds is no reason for another one.
        assert!(
            left > 0 || std::thread::panicking(),
            "the program spins: it makes calls and nothing comes of them"
        );
        self.0.calls_max.set(left.saturating_sub(1));
        self.0.now.set(self.0.now.get() + CALL_NANOS);
        let rates = self.rates();
        if self.hits(rates.leap) {
            self.leap();
        }
        if self.hits(rates.meanwhile) {
            self.run_due();
        }
        let error = {
            let plan = self.0.plan.borrow();
            plan.error(&mut self.0.random.borrow_mut(), call, count)
        };
        match error {
            Some(errno) => {
                self.count_fault(call, errno_name(errno));
                self.note(|| format!("{} fails: {errno}", call.site()));
                Err(errno)
            }
            None => Ok(()),
        }
    }

    fn leap(&self) {
        let (ahead, wall) = {
            let mut random = self.0.random.borrow_mut();
            (random.below(500_000_000), random.below(2_000_000_000_000))
        };
        if self.hits(500_000) {
            self.0.now.set(self.0.now.get() + ahead);
            self.count_fault(Call::Monotonic, "leap");
        } else {
            self.0
                .wall
                .set(self.0.wall.get() + wall.cast_signed() - 1_000_000_000_000);
            self.count_fault(Call::Realtime, "leap");
        }
    }

    pub(super) fn cut(&self, call: Call, passed: u64, bytes: usize) -> usize {
        let cut = {
            let plan = self.0.plan.borrow();
            plan.cut(&mut self.0.random.borrow_mut(), call, passed, bytes)
        };
        if cut < bytes {
            self.count_fault(call, "short");
        }
        cut
    }

    pub(super) fn rates(&self) -> Rates {
        self.0.plan.borrow().rates()
    }

    pub(super) fn hits(&self, per_million: u32) -> bool {
        per_million > 0 && self.0.random.borrow_mut().hits(per_million)
    }

    pub(super) fn random(&self) -> core::cell::RefMut<'_, Random> {
        self.0.random.borrow_mut()
    }

    pub(super) fn kernel(&self) -> core::cell::RefMut<'_, Kernel> {
        self.0.kernel.borrow_mut()
    }

    pub(super) fn wall_nanos(&self) -> i64 {
        self.0.now.get().cast_signed() + self.0.wall.get()
    }

    pub(super) fn count_fault(&self, call: Call, kind: &'static str) {
        *self.0.faults.borrow_mut().entry((call, kind)).or_default() += 1;
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("now", &self.now())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Entered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entered")
    }
}

/// `ENOMEM` and the like.
fn errno_name(errno: Errno) -> &'static str {
    match errno {
        Errno::EAGAIN => "EAGAIN",
        Errno::EINTR => "EINTR",
        Errno::ENOMEM => "ENOMEM",
        Errno::EMFILE => "EMFILE",
        Errno::ENFILE => "ENFILE",
        Errno::ENOBUFS => "ENOBUFS",
        Errno::ECONNRESET => "ECONNRESET",
        Errno::EPIPE => "EPIPE",
        Errno::EIO => "EIO",
        Errno::ECONNABORTED => "ECONNABORTED",
        Errno::EPERM => "EPERM",
        Errno::EACCES => "EACCES",
        Errno::ENOENT => "ENOENT",
        _ => "other",
    }
}

/// The kernel's word as the standard library has it.
pub(super) fn said<T>(result: Result<T, Errno>) -> io::Result<T> {
    result.map_err(io::Error::from)
}
