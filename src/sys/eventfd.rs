//! eventfd(2): how another thread wakes a loop.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;

use super::Fd;

/// An event counter, close-on-exec and non-blocking.
#[derive(Debug)]
pub struct EventFd(Fd);

impl EventFd {
    /// A new counter at zero. Errors: those of eventfd(2).
    pub fn new() -> io::Result<EventFd> {
        simulated!(eventfd().map(EventFd));
        let flags = libc::EFD_CLOEXEC | libc::EFD_NONBLOCK;
        // SAFETY: the call takes numbers only, and makes a new descriptor.
        let number = Errno::result(unsafe { libc::eventfd(0, flags) })?;
        // SAFETY: the call has made this descriptor, and nobody else knows it.
        Ok(EventFd(unsafe { OwnedFd::from_raw_fd(number) }.into()))
    }

    /// Adds one, which makes a new edge for who watches. A counter that is full has been watched by nobody. Errors: those
    /// of write(2).
    pub fn notify(&self) -> io::Result<()> {
        match write(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            written => written,
        }
    }
}

fn write(fd: &Fd) -> io::Result<()> {
    simulated!(write_event(fd));
    nix::unistd::write(fd, &1u64.to_ne_bytes())?;
    Ok(())
}

impl AsFd for EventFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
