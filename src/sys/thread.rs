//! Threads that work for a loop: started with no signal to take, and waited for.

use core::time::Duration;
use std::io;
use std::thread::{Builder, JoinHandle};

use nix::sys::signal::{SigSet, SigmaskHow, Signal};

/// What a thread does over and over, until it has rested in vain. In a simulated world, which has one thread, each piece
/// of it is a step of the world's.
pub trait Work: Send + 'static {
    /// Does one piece of work, if there is any: whether there was. Does not wait for one.
    fn work(&mut self) -> bool;

    /// Waits for work, at most for `time`: whether the thread goes on.
    fn rest(&mut self, time: Duration) -> bool;
}

/// A thread that was started. It goes on when this is dropped.
#[derive(Debug)]
pub struct Thread(pub(super) Option<JoinHandle<()>>);

/// Starts a thread with a name of at most 15 bytes. All signals are blocked in it but those of its own faults (SIGSEGV,
/// SIGBUS, SIGFPE, SIGILL): handlers and signal descriptors of the process are for others, and none of its calls is
/// interrupted. Errors: those of pthread_sigmask(3) and pthread_create(3), of which `EAGAIN` says that there can't be more.
///
/// # Panics
/// A panic in the work ends the thread; nobody else hears of it.
pub fn start(name: &str, mut work: impl Work) -> io::Result<Thread> {
    simulated!(start_thread(work));
    let mut blocked = SigSet::all();
    for signal in [
        Signal::SIGSEGV,
        Signal::SIGBUS,
        Signal::SIGFPE,
        Signal::SIGILL,
    ] {
        blocked.remove(signal);
    }
    // A thread begins with the mask of the one that starts it: so there is no moment at which a signal could find it.
    let before = blocked.thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    let thread = Builder::new()
        .name(name.to_owned())
        .spawn(move || while work.work() || work.rest(Duration::MAX) {});
    let _ = before.thread_set_mask(); // the same call has just been made
    Ok(Thread(Some(thread?)))
}

impl Thread {
    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        self.0.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits for its end. From the thread itself, which can't wait for that, it returns at once.
    pub fn join(self) {
        if let Some(thread) = self.0
            && thread.thread().id() != std::thread::current().id()
        {
            let _ = thread.join(); // an end is an end
        }
    }
}
