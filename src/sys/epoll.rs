//! epoll(7).

use core::ops::{BitOr, BitOrAssign};
use core::time::Duration;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::epoll::{self as nix_epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

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
pub struct Interest(EpollFlags);

impl Interest {
    /// Nothing but errors and hang-ups, which are always told.
    pub const NONE: Interest = Interest(EpollFlags::empty());
    /// That it can be read.
    pub const READ: Interest = Interest(EpollFlags::EPOLLIN);
    /// That it can be written.
    pub const WRITE: Interest = Interest(EpollFlags::EPOLLOUT);
    /// That the peer has finished sending.
    pub const PEER_CLOSED: Interest = Interest(EpollFlags::EPOLLRDHUP);
    /// Only that something has become so, not that it still is.
    pub const EDGE: Interest = Interest(EpollFlags::EPOLLET);
    /// What a stream is watched for from its birth: that it became readable, and that the peer finished.
    pub const STREAM: Interest =
        Interest(Self::READ.0.union(Self::PEER_CLOSED.0).union(Self::EDGE.0));
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
pub struct Epoll(nix_epoll::Epoll);

impl Epoll {
    /// A new instance, close-on-exec. Errors: those of epoll_create1(2).
    pub fn new() -> io::Result<Epoll> {
        Ok(Epoll(nix_epoll::Epoll::new(
            EpollCreateFlags::EPOLL_CLOEXEC,
        )?))
    }

    /// Registers a descriptor; its events will carry `data`. Errors: those of epoll_ctl(2).
    pub fn add(&self, fd: impl AsFd, interest: Interest, data: u64) -> io::Result<()> {
        Ok(self.0.add(fd, EpollEvent::new(interest.0, data))?)
    }

    /// Changes a registration. What is ready already makes a new event. Errors: those of epoll_ctl(2).
    pub fn modify(&self, fd: impl AsFd, interest: Interest, data: u64) -> io::Result<()> {
        Ok(self.0.modify(fd, &mut EpollEvent::new(interest.0, data))?)
    }

    /// Ends a registration. Closing the only descriptor of a file does so too. Errors: those of epoll_ctl(2).
    pub fn delete(&self, fd: impl AsFd) -> io::Result<()> {
        Ok(self.0.delete(fd)?)
    }

    /// Waits for events, without end if there is no `timeout`. How many there are; none when a signal came between.
    /// Errors: those of epoll_wait(2).
    ///
    /// The time-out is rounded up to milliseconds: rounded down, a loop would spin through the last one of them.
    #[inline]
    pub fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<usize> {
        let timeout = match timeout {
            None => EpollTimeout::NONE,
            Some(Duration::ZERO) => EpollTimeout::ZERO,
            Some(time) => {
                let millis = time.as_nanos().div_ceil(1_000_000);
                EpollTimeout::try_from(i32::try_from(millis).unwrap_or(i32::MAX))
                    .unwrap_or(EpollTimeout::MAX)
            }
        };
        events.len = 0;
        events.len = match self.0.wait(&mut events.list, timeout) {
            Ok(count) => count,
            Err(Errno::EINTR) => 0,
            Err(errno) => return Err(errno.into()),
        };
        Ok(events.len)
    }
}

impl AsFd for Epoll {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.0.as_fd()
    }
}

/// Room for the events of one wait.
#[derive(Debug)]
pub struct Events {
    list: Vec<EpollEvent>,
    len: usize,
}

impl Events {
    /// Room for so many events; at least one.
    pub fn with_capacity(events: usize) -> Events {
        Events {
            list: vec![EpollEvent::empty(); events.max(1)],
            len: 0,
        }
    }

    /// The event with this index: its data, and what is ready.
    #[inline]
    pub fn at(&self, index: usize) -> (u64, Ready) {
        let event = &self.list[..self.len][index];
        (
            event.data(),
            Ready(event.events().bits().cast_unsigned() as u16),
        )
    }
}
