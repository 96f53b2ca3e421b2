//! The descriptor type.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

/// An open descriptor, closed when dropped. That of a connection is never duplicated, so closing it deregisters it as
/// well; only a listener that several loops accept from is ([`socket::duplicate`](super::socket::duplicate)).
///
/// In a simulated world (feature `sim`) it is a number of that world, which is no descriptor of the process.
pub struct Fd(RawFd);

impl Fd {
    #[inline]
    pub(super) fn raw(&self) -> RawFd {
        self.0
    }

    #[cfg(feature = "sim")]
    pub(super) fn simulated(number: RawFd) -> Fd {
        Fd(number)
    }
}

impl Drop for Fd {
    #[inline]
    fn drop(&mut self) {
        close(self.0);
    }
}

/// An error of close(2) says that something written earlier is lost, never that the descriptor is still there.
#[inline]
fn close(number: RawFd) {
    #[cfg(feature = "sim")]
    if super::sim::is_simulated(number) {
        return super::sim::close(number);
    }
    // SAFETY: an `Fd` owns its number, and it is gone with this.
    unsafe { libc::close(number) };
}

impl From<OwnedFd> for Fd {
    fn from(fd: OwnedFd) -> Fd {
        Fd(fd.into_raw_fd())
    }
}

/// # Panics
/// If it is a number of a simulated world: nothing outside of it could do anything with it.
impl From<Fd> for OwnedFd {
    fn from(fd: Fd) -> OwnedFd {
        #[cfg(feature = "sim")]
        assert!(
            !super::sim::is_simulated(fd.0),
            "a descriptor of a simulated world can't leave it"
        );
        let number = fd.0;
        std::mem::forget(fd);
        // SAFETY: the number was this `Fd`'s own, which does not close it any more.
        unsafe { OwnedFd::from_raw_fd(number) }
    }
}

/// In a simulated world it is the world's number, which system calls outside of it answer with `EBADF`.
impl AsFd for Fd {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor is open as long as the `Fd` lives, or it is a number of a simulated world, far above any
        // that the process has. Numbers are never -1.
        unsafe { BorrowedFd::borrow_raw(self.0) }
    }
}

impl fmt::Debug for Fd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fd({})", self.raw())
    }
}
