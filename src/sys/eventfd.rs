//! eventfd(2): how another thread wakes a loop.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::eventfd::{self, EfdFlags};

/// An event counter, close-on-exec and non-blocking.
#[derive(Debug)]
pub struct EventFd(eventfd::EventFd);

impl EventFd {
    /// A new counter at zero. Errors: those of eventfd(2).
    pub fn new() -> io::Result<EventFd> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        Ok(EventFd(eventfd::EventFd::from_flags(flags)?))
    }

    /// Adds one, which makes a new edge for who watches. A counter that is full has been watched by nobody. Errors: those
    /// of write(2).
    pub fn notify(&self) -> io::Result<()> {
        match self.0.write(1) {
            Ok(_) | Err(Errno::EAGAIN) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

impl AsFd for EventFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
