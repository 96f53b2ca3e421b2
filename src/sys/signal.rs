//! Signals as something to be read, and what the process does with `SIGPIPE`.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};

use super::Fd;

/// Signals that are read from a descriptor (signalfd(2)): those that ask a server to stop, or one that is a program's own.
#[derive(Debug)]
pub struct Signals(Fd);

impl Signals {
    /// Blocks `INT`, `TERM` and `QUIT` in this thread and in those that it starts from now on, and reads them instead. To be
    /// called before any thread is started: a thread that does not block them would still be ended by them. Errors: those
    /// of sigprocmask(2) and signalfd(2).
    pub fn block() -> io::Result<Signals> {
        Signals::of(&[Signal::SIGINT, Signal::SIGTERM, Signal::SIGQUIT])
    }

    /// The same for `URG`. The kernel sends it only to who has asked a socket for it (fcntl(2), `F_SETOWN`), and a process
    /// that does not know it ignores it (signal(7)): so it is free for a question to a program, and asking the wrong one
    /// does no harm.
    pub fn block_urgent() -> io::Result<Signals> {
        Signals::of(&[Signal::SIGURG])
    }

    fn of(signals: &[Signal]) -> io::Result<Signals> {
        let set: SigSet = signals.iter().copied().collect();
        block(&set)?;
        Ok(Signals(open(&set)?))
    }

    /// The number of the next signal that has come, if one has. Errors: those of read(2).
    pub fn next(&self) -> io::Result<Option<u32>> {
        match read(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            read => read.map(Some),
        }
    }
}

fn block(set: &SigSet) -> io::Result<()> {
    simulated!(block_signals());
    Ok(set.thread_block()?)
}

fn open(set: &SigSet) -> io::Result<Fd> {
    simulated!(signalfd(set.iter()));
    let flags = libc::SFD_NONBLOCK | libc::SFD_CLOEXEC;
    // SAFETY: the call reads the set, and makes a new descriptor.
    let number = Errno::result(unsafe { libc::signalfd(-1, set.as_ref(), flags) })?;
    // SAFETY: the call has made this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) }.into())
}

fn read(fd: &Fd) -> io::Result<u32> {
    simulated!(read_signal(fd));
    let mut info = MaybeUninit::<libc::signalfd_siginfo>::zeroed();
    let size = size_of_val(&info);
    // SAFETY: the call writes at most `size` bytes, which `info` has.
    Errno::result(unsafe { libc::read(fd.raw(), info.as_mut_ptr().cast(), size) })?;
    // SAFETY: all zeroes are a valid record, and the kernel writes whole records only.
    Ok(unsafe { info.assume_init() }.ssi_signo)
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Whether `SIGPIPE` ends the process, as it does unless somebody has said otherwise (Rust's runtime says so for binaries).
pub fn sigpipe_is_default() -> bool {
    simulated!(sigpipe_is_default());
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: with no new action the call only writes the present one to `action`, which has room for it.
    let asked = unsafe { libc::sigaction(libc::SIGPIPE, std::ptr::null(), action.as_mut_ptr()) };
    // SAFETY: all zeroes are a valid sigaction, and the call may have written another.
    asked == 0 && unsafe { action.assume_init() }.sa_sigaction == libc::SIG_DFL
}
