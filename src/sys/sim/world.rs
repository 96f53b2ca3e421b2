//! The world: who is in it, what time it is, and what happens next.

use core::cell::{Cell, RefCell};
use core::cmp::Reverse;
use core::fmt;
use core::time::Duration;
use std::collections::{BTreeMap, BinaryHeap};
use std::io;
use std::path::Path;
use std::rc::Rc;

use nix::errno::Errno;

use super::kernel::{FileNode, Kernel, LinkId, Name, Object};
use super::link::{IN, Notice, OURS, OUT, THEIRS};
use super::peer::Peer;
use super::{Call, Plan, Random, Rates};
use crate::sys::Instant;

/// The clock's first moment: a machine has been up for a while.
const BEGIN: u64 = 1_000_000_000_000;
/// The wall clock then: 2026-01-01.
const WALL_BEGIN: i64 = 1_767_225_600_000_000_000;
/// What a call takes.
const CALL_NANOS: u64 = 1_000;
/// Descriptors, unless the test says otherwise.
const DESCRIPTORS: usize = 1024;

thread_local! {
    static CURRENT: RefCell<Option<World>> = const { RefCell::new(None) };
}

pub(super) fn current() -> Option<World> {
    CURRENT.with_borrow(Clone::clone)
}

/// A simulated kernel, and all that happens around it. Clones are the same world.
#[derive(Clone)]
pub struct World(Rc<Inner>);

struct Inner {
    kernel: RefCell<Kernel>,
    random: RefCell<Random>,
    plan: RefCell<Plan>,
    net: Cell<Net>,
    now: Cell<u64>,
    /// What the wall clock is ahead of the other one.
    wall: Cell<i64>,
    agenda: RefCell<BinaryHeap<Entry>>,
    entries: Cell<u64>,
    calls: RefCell<Vec<u64>>,
    faults: RefCell<BTreeMap<(Call, &'static str), u64>>,
    calls_max: Cell<u64>,
    trace: RefCell<Option<Vec<String>>>,
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
enum Step {
    Transfer(LinkId, usize),
    /// A handshake ends: the connection is there to be accepted.
    Arrival(LinkId, Name),
    /// What a call has not seen is announced.
    Edge(LinkId, u32),
    Edges(usize, u32),
    Other(Box<dyn FnOnce(&World)>),
}

struct Entry {
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

    fn schedule(&self, delay: u64, step: Step) {
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
                Step::Edge(link, key) => {
                    let mut kernel = self.kernel();
                    if let Some(description) = kernel
                        .link(link)
                        .and_then(|link| link.ends[OURS].description)
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

    // Connections.

    /// What a link has under way goes on: at once, or when its time has passed.
    pub(super) fn go_on(&self, link: LinkId, from: usize) {
        let latency = {
            let mut kernel = self.kernel();
            let Some(known) = kernel.link(link) else {
                return;
            };
            if known.scheduled[from] || !known.has_transfer(from) {
                return;
            }
            if known.latency > 0 {
                known.scheduled[from] = true;
            }
            known.latency
        };
        if latency == 0 {
            self.transfer(link, from);
        } else {
            self.schedule(latency, Step::Transfer(link, from));
        }
    }

    fn transfer(&self, link: LinkId, from: usize) {
        loop {
            let mut kernel = self.kernel();
            let Some(known) = kernel.link(link) else {
                return;
            };
            if !known.has_transfer(from) {
                return;
            }
            let most = match known.piece {
                usize::MAX => usize::MAX,
                piece => 1 + self.0.random.borrow_mut().index(piece),
            };
            let wakes = known.transfer(from, most);
            let again = known.has_transfer(from);
            let at_once = known.latency == 0;
            kernel.wake_ends(link, wakes);
            drop(kernel);
            if !again {
                return;
            }
            if !at_once {
                return self.go_on(link, from);
            }
        }
    }

    /// Begins a connection to a TCP port: as a client sees it, before anybody has accepted it. `None`: nobody listens there, or
    /// what comes is dropped because the queue is full.
    pub fn connect(&self, port: u16) -> Option<Peer> {
        let to_port = |name: &Name| matches!(name, Name::Ip(address) if address.port() == port);
        self.connect_to(to_port)
    }

    /// The same to the path of a Unix socket.
    pub fn connect_path(&self, path: &Path) -> Option<Peer> {
        self.connect_to(|name| matches!(name, Name::Unix(known) if known == path))
    }

    fn connect_to(&self, wanted: impl Fn(&Name) -> bool) -> Option<Peer> {
        let net = self.0.net.get();
        let mut kernel = self.kernel();
        let name = kernel.objects().find_map(|(_, object)| match object {
            Object::Listener(it) if wanted(&it.name) => {
                (!it.drops && it.queue.len() <= it.backlog).then(|| it.name.clone())
            }
            _ => None,
        })?;
        let theirs = (net.send_room, net.peer_receive_room);
        let link = kernel.new_link((net.send_room, net.receive_room), theirs);
        if let Some(known) = kernel.link(link) {
            known.latency = net.latency.as_nanos() as u64;
            known.piece = net.piece;
            known.name = Some(name.clone());
        }
        drop(kernel);
        self.note(|| format!("client {} connects", link.serial));
        if net.latency.is_zero() {
            self.arrive(link, &name);
        } else {
            self.schedule(net.latency.as_nanos() as u64, Step::Arrival(link, name));
        }
        Some(Peer::new(self.clone(), link))
    }

    fn arrive(&self, link: LinkId, name: &Name) {
        let mut kernel = self.kernel();
        let listener = kernel.objects().find_map(|(at, object)| match object {
            Object::Listener(it) if it.name == *name => {
                it.queue.push_back(link);
                Some(at)
            }
            _ => None,
        });
        match listener {
            Some(at) => kernel.wake(at, IN),
            None => {
                if let Some(known) = kernel.link(link) {
                    let wakes = known.abort(OURS);
                    known.ends[OURS].closed = true;
                    kernel.wake_ends(link, wakes);
                }
            }
        }
    }

    /// After a call that has not seen all there is, or not used all the room: what was left came just after, with an edge.
    pub(super) fn announce(&self, link: LinkId, key: u32) {
        let delay = self.0.random.borrow_mut().below(50_000);
        self.schedule(delay, Step::Edge(link, key));
    }

    pub(super) fn announce_at(&self, description: usize) {
        let delay = self.0.random.borrow_mut().below(50_000);
        self.schedule(delay, Step::Edges(description, IN | OUT));
    }

    /// A fault has hit the connection: whatever its client sees is not the program's doing. Some are the end of it.
    pub(super) fn blame(&self, call: Call, link: LinkId, side: usize, errno: Errno) {
        if matches!(errno, Errno::EAGAIN | Errno::EINTR) {
            return;
        }
        let mut kernel = self.kernel();
        kernel.faulted.insert((link.serial, call));
        kernel.notice(link);
        if matches!(
            errno,
            Errno::ECONNRESET | Errno::EPIPE | Errno::ETIMEDOUT | Errno::EHOSTUNREACH
        ) && let Some(known) = kernel.link(link)
        {
            let wakes = known.abort(side);
            kernel.wake_ends(link, wakes);
        }
    }

    // What a test sets and sees.

    /// What connections that begin from now on are like.
    pub fn set_net(&self, net: Net) {
        self.0.net.set(net);
    }

    /// Which calls fail from now on.
    pub fn set_plan(&self, plan: Plan) {
        *self.0.plan.borrow_mut() = plan;
    }

    /// How many descriptors the program may have.
    pub fn set_descriptors_max(&self, descriptors: usize) {
        self.kernel().descriptors_max = descriptors;
    }

    /// Panics after so many more calls: for programs that spin.
    pub fn set_calls_max(&self, calls: u64) {
        self.0.calls_max.set(calls);
    }

    /// Whether it has openat2(2): without, it is told `ENOSYS`.
    pub fn set_has_openat2(&self, has_it: bool) {
        self.kernel().lacks_openat2 = !has_it;
    }

    /// Whether `SIGPIPE` would end the program, as far as it can see.
    pub fn set_sigpipe_is_default(&self, is_default: bool) {
        self.kernel().sigpipe_is_default = is_default;
    }

    /// How many descriptors are open.
    pub fn open_descriptors(&self) -> usize {
        self.kernel().open_descriptors()
    }

    /// The [number](Peer::number) of the client that was accepted last, zero if none was.
    pub fn last_accepted(&self) -> u64 {
        self.kernel().last_accepted
    }

    /// Whether a fault has hit the connection of the client with this number: then any end of it is right.
    pub fn is_faulted(&self, client: u64) -> bool {
        let first = (client, Call::ALL[0]);
        let faulted = &self.kernel().faulted;
        faulted
            .range(first..)
            .next()
            .is_some_and(|(it, _)| *it == client)
    }

    /// Whether this call has failed on the connection of this client.
    pub fn has_failed(&self, client: u64, call: Call) -> bool {
        self.kernel().faulted.contains(&(client, call))
    }

    /// How often a call was made.
    pub fn calls(&self, call: Call) -> u64 {
        self.0.calls.borrow()[call as usize]
    }

    /// What has gone wrong so far: the call, what it said, how often. Beside the names of errors there are `short`, `end`
    /// (of a file that is sent), `leap`, `spurious`, `stale`.
    pub fn faults(&self) -> Vec<(Call, &'static str, u64)> {
        let faults = self.0.faults.borrow();
        faults
            .iter()
            .map(|((call, kind), count)| (*call, *kind, *count))
            .collect()
    }

    /// Puts a file into the world, or another one in its place: its directories are there as well.
    pub fn add_file(&self, path: impl AsRef<Path>, content: Rc<[u8]>) {
        let mut kernel = self.kernel();
        let file = kernel.files.len();
        let modified = self.wall_nanos() / 1_000_000_000;
        kernel.files.push(FileNode {
            length: content.len() as u64,
            content,
            modified,
        });
        kernel.paths.insert(path.as_ref().to_owned(), file);
    }

    /// Puts the file of a Unix socket into the world whose server is dead.
    pub fn add_stale_socket(&self, path: impl AsRef<Path>) {
        let mut kernel = self.kernel();
        kernel.inodes += 1;
        let inode = kernel.inodes;
        kernel.socket_files.insert(path.as_ref().to_owned(), inode);
    }

    /// The number of the socket file at a path, if there is one: another one has another number.
    pub fn socket_file(&self, path: impl AsRef<Path>) -> Option<u64> {
        self.kernel().socket_files.get(path.as_ref()).copied()
    }

    /// Makes a file shorter, or longer by zeros, whoever has it open.
    pub fn resize_file(&self, path: impl AsRef<Path>, length: u64) {
        let mut kernel = self.kernel();
        if let Some(file) = kernel.paths.get(path.as_ref()).copied() {
            let node = &mut kernel.files[file];
            if length < node.content.len() as u64 {
                // What is cut off does not come back.
                node.content = Rc::from(&node.content[..length as usize]);
            }
            node.length = length;
        }
    }

    /// Sends the program a signal, which it reads if it has asked to.
    pub fn raise(&self, signal: i32) {
        let mut kernel = self.kernel();
        if !kernel.signals.insert(signal.unsigned_abs()) {
            return; // one that waits already is the same
        }
        let readers: Vec<_> = kernel
            .objects()
            .filter_map(|(at, object)| matches!(object, Object::Signals).then_some(at))
            .collect();
        for reader in readers {
            kernel.wake(reader, IN);
        }
    }

    /// Writes down from now on what happens.
    pub fn start_trace(&self) {
        *self.0.trace.borrow_mut() = Some(Vec::new());
    }

    /// What has happened since the trace began.
    pub fn trace(&self) -> Vec<String> {
        self.0.trace.borrow().clone().unwrap_or_default()
    }

    /// Adds a line to the trace, if there is one.
    pub fn note(&self, text: impl FnOnce() -> String) {
        if let Some(trace) = &mut *self.0.trace.borrow_mut() {
            let nanos = self.0.now.get() - BEGIN;
            let (secs, nanos) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
            trace.push(format!("{secs:5}.{nanos:09} {}", text()));
        }
    }

    /// What has become of a client's end.
    pub(super) fn on_notice(&self, link: LinkId, notice: Option<Notice>) {
        if let Some(known) = self.kernel().link(link) {
            known.notice = notice;
        }
    }

    pub(super) fn close_peer(&self, link: LinkId) {
        self.on_notice(link, None);
        self.kernel().close_end(link, THEIRS);
        self.go_on(link, THEIRS);
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
    // The description is "ENOMEM: Out of memory"; its Debug form is the name alone.
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
