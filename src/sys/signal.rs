//! Signals as something to be read, and what the process does with `SIGPIPE`.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// The signals that ask a server to stop, `INT`, `TERM` and `QUIT`, to be read from a descriptor (signalfd(2)).
#[derive(Debug)]
pub struct Signals(SignalFd);

impl Signals {
    /// Blocks these signals in this thread and in those that it starts from now on, and reads them instead. To be called
    /// before any thread is started: a thread that does not block them would still be ended by them. Errors: those of
    /// sigprocmask(2) and signalfd(2).
    pub fn block() -> io::Result<Signals> {
        let mut set = SigSet::empty();
        set.add(Signal::SIGINT);
        set.add(Signal::SIGTERM);
        set.add(Signal::SIGQUIT);
        set.thread_block()?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        Ok(Signals(SignalFd::with_flags(&set, flags)?))
    }

    /// The number of the next signal that has come, if one has. Errors: those of read(2).
    pub fn next(&self) -> io::Result<Option<u32>> {
        Ok(self.0.read_signal()?.map(|signal| signal.ssi_signo))
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Whether `SIGPIPE` ends the process, as it does unless somebody has said otherwise (Rust's runtime says so for binaries).
pub fn sigpipe_is_default() -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: with no new action the call only writes the present one to `action`, which has room for it.
    let asked = unsafe { libc::sigaction(libc::SIGPIPE, std::ptr::null(), action.as_mut_ptr()) };
    // SAFETY: all zeroes are a valid sigaction, and the call may have written another.
    asked == 0 && unsafe { action.assume_init() }.sa_sigaction == libc::SIG_DFL
}
