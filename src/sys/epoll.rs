//! epoll(7).

use core::ops::{BitOr, BitOrAssign};
use core::time::Duration;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;

use super::Fd;

/// What a descriptor is ready for: the bits of an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ready(u16);

impl Ready {
    /// Nothing.
    pub const EMPTY: Ready = Ready(0);
    /// It can be read, or accepted from (`EPOLLIN`).
    pub const READ: Ready = Ready(libc::EPOLLIN as u16);
    /// It can be written (`EPOLLOUT`).
    pub const WRITE: Ready = Ready(libc::EPOLLOUT as u16);
    /// The peer has finished sending (`EPOLLRDHUP`).
    pub const PEER_CLOSED: Ready = Ready(libc::EPOLLRDHUP as u16);
    /// Both directions are over (`EPOLLHUP`).
    pub const HANGUP: Ready = Ready(libc::EPOLLHUP as u16);
    /// There is an error to be had (`EPOLLERR`).
    pub const ERROR: Ready = Ready(libc::EPOLLERR as u16);

    /// One of the ways in which a stream comes to an end, or to the end of one direction.
    pub const END: Ready = Ready(Self::PEER_CLOSED.0 | Self::HANGUP.0 | Self::ERROR.0);

    /// Whether all bits of `other` are set.
    #[inline]
    pub const fn contains(self, other: Ready) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether a bit of `other` is set.
    #[inline]
    pub const fn intersects(self, other: Ready) -> bool {
        self.0 & other.0 != 0
    }

    /// Sets the bits of `other`.
    #[inline]
    pub const fn insert(&mut self, other: Ready) {
        self.0 |= other.0;
    }

    /// Clears the bits of `other`.
    #[inline]
    pub const fn remove(&mut self, other: Ready) {
        self.0 &= !other.0;
    }
}

impl BitOr for Ready {
    type Output = Ready;

    #[inline]
    fn bitor(self, other: Ready) -> Ready {
        Ready(self.0 | other.0)
    }
}

/// What a registration asks to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interest(u32);

impl Interest {
    /// Nothing but errors and hang-ups, which are always told.
    pub const NONE: Interest = Interest(0);
    /// That it can be read.
    pub const READ: Interest = Interest(libc::EPOLLIN as u32);
    /// That it can be written.
    pub const WRITE: Interest = Interest(libc::EPOLLOUT as u32);
    /// That the peer has finished sending.
    pub const PEER_CLOSED: Interest = Interest(libc::EPOLLRDHUP as u32);
    /// Only that something has become so, not that it still is.
    pub const EDGE: Interest = Interest(libc::EPOLLET.cast_unsigned());
    /// What a stream is watched for from its birth: that it became readable, and that the peer finished.
    pub const STREAM: Interest = Interest(Self::READ.0 | Self::PEER_CLOSED.0 | Self::EDGE.0);

    /// The bits of an event that is asked for.
    #[cfg(feature = "sim")]
    pub(super) const fn bits(self) -> u32 {
        self.0
    }
}

impl BitOr for Interest {
    type Output = Interest;

    fn bitor(self, other: Interest) -> Interest {
        Interest(self.0 | other.0)
    }
}

impl BitOrAssign for Interest {
    fn bitor_assign(&mut self, other: Interest) {
        *self = *self | other;
    }
}

/// An epoll instance. Its own descriptor can be watched by another poller.
#[derive(Debug)]
pub struct Epoll(Fd);

impl Epoll {
    /// A new instance, close-on-exec. Errors: those of epoll_create1(2).
    pub fn new() -> io::Result<Epoll> {
        simulated!(epoll_create().map(Epoll));
        // SAFETY: the call takes a number, and makes a new descriptor.
        let number = Errno::result(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: the call has made this descriptor, and nobody else knows it.
        Ok(Epoll(unsafe { OwnedFd::from_raw_fd(number) }.into()))
    }

    /// Registers a descriptor; its events will carry `data`. Errors: those of epoll_ctl(2).
    pub fn add(&self, fd: impl AsFd, interest: Interest, data: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd.as_fd(), interest, data)
    }

    /// Changes a registration. What is ready already makes a new event. Errors: those of epoll_ctl(2).
    pub fn modify(&self, fd: impl AsFd, interest: Interest, data: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd.as_fd(), interest, data)
    }

    /// Ends a registration. Closing the only descriptor of a file does so too. Errors: those of epoll_ctl(2).
    pub fn delete(&self, fd: impl AsFd) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, fd.as_fd(), Interest::NONE, 0)
    }

    fn control(&self, op: i32, fd: BorrowedFd<'_>, what: Interest, data: u64) -> io::Result<()> {
        simulated!(epoll_control(&self.0, op, fd.as_raw_fd(), what, data));
        let mut event = libc::epoll_event {
            events: what.0,
            u64: data,
        };
        // SAFETY: both descriptors are borrowed, hence open; `event` is one, and the call keeps no pointer to it.
        let done = unsafe { libc::epoll_ctl(self.0.raw(), op, fd.as_raw_fd(), &raw mut event) };
        Errno::result(done)?;
        Ok(())
    }

    /// Waits for events, without end if there is no `timeout`. How many there are; none when a signal came between.
    /// Errors: those of epoll_wait(2).
    ///
    /// The time-out is rounded up to milliseconds: rounded down, a loop would spin through the last one of them.
    #[inline]
    pub fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<usize> {
        let timeout = match timeout {
            None => -1,
            Some(Duration::ZERO) => 0,
            Some(time) => i32::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX),
        };
        events.len = 0;
        events.len = match wait(&self.0, &mut events.list, timeout) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(error) => return Err(error),
        };
        Ok(events.len)
    }
}

/// Waits for so many milliseconds, without end if there are less than none.
#[inline]
fn wait(fd: &Fd, events: &mut [libc::epoll_event], millis: i32) -> io::Result<usize> {
    simulated!(epoll_wait(fd, events, millis));
    let room = i32::try_from(events.len()).unwrap_or(i32::MAX);
    // SAFETY: the call writes at most `room` events, which the slice has.
    let count = unsafe { libc::epoll_wait(fd.raw(), events.as_mut_ptr(), room, millis) };
    Ok(Errno::result(count)?.unsigned_abs() as usize)
}

impl AsFd for Epoll {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Room for the events of one wait.
pub struct Events {
    list: Vec<libc::epoll_event>,
    len: usize,
}

impl Events {
    /// Room for so many events; at least one.
    pub fn with_capacity(events: usize) -> Events {
        Events {
            list: vec![libc::epoll_event { events: 0, u64: 0 }; events.max(1)],
            len: 0,
        }
    }

    /// The event with this index: its data, and what is ready.
    #[inline]
    pub fn at(&self, index: usize) -> (u64, Ready) {
        let event = self.list[..self.len][index];
        (event.u64, Ready(event.events as u16))
    }
}

impl core::fmt::Debug for Events {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Events({} of {})", self.len, self.list.len())
    }
}
