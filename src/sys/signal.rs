//! Signals as something to be read, those for other processes, and what this one does with `SIGPIPE`.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::signal::{self, SigSet, Signal};
use nix::unistd::Pid;

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

/// Asks a process to end (`TERM`). Errors: those of kill(2).
pub fn terminate(process: u32) -> io::Result<()> {
    kill(process, Signal::SIGTERM)
}

/// Asks a process for what it has to say, if it reads [`block_urgent`](Signals::block_urgent); others ignore it (`URG`).
/// Errors: those of kill(2).
pub fn urge(process: u32) -> io::Result<()> {
    kill(process, Signal::SIGURG)
}

fn kill(process: u32, signal: Signal) -> io::Result<()> {
    simulated!(kill());
    // Numbers from 0 downwards would be groups of processes.
    let one = i32::try_from(process).ok().filter(|number| *number > 0);
    let one = one.ok_or(Errno::ESRCH)?;
    Ok(signal::kill(Pid::from_raw(one), signal)?)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_no_process_reaches_nobody() {
        for number in [0, u32::MAX, 1 << 31, i32::MAX.cast_unsigned()] {
            let said = urge(number).expect_err("no kernel has so many");
            assert_eq!(said.raw_os_error(), Some(libc::ESRCH), "{number}");
        }
        urge(std::process::id()).expect("who does not read it ignores it");
    }
}
