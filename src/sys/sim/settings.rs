//! What a test sets and sees of a world.

use std::path::Path;

use super::kernel::{LinkId, Object};
use super::link::{IN, Notice, THEIRS};
use super::world::{BEGIN, Net, World};
use super::{Call, Plan};

impl World {
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

    /// The [number](super::Peer::number) of the client that was accepted last, zero if none was.
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

    /// Sends the program a signal, which it reads if it has asked to.
    pub fn raise(&self, signal: i32) {
        let mut kernel = self.kernel();
        let signal = signal.unsigned_abs();
        if !kernel.signals.insert(signal) {
            return; // one that waits already is the same
        }
        let readers: Vec<_> = kernel
            .objects()
            .filter(
                |(_, object)| matches!(object, Object::Signals(asked) if asked.contains(&signal)),
            )
            .map(|(at, _)| at)
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
