//! System calls, thin and typed: the only place that touches the kernel, and the only one with unsafe code.
//!
//! No event loop, no log, no policy. What the kernel says is returned as it was said, as an
//! [`io::Result`](std::io::Result); `EAGAIN` is an error of kind `WouldBlock` like any other. Two functions make more than
//! one call, because what they promise takes more: [`socket::bind`] replaces the socket file of a server that is dead, and
//! [`file::open_beneath`] walks the path where the kernel has no openat2(2).
//!
//! Everything above works on the types of this module: [`Fd`] is the one descriptor type, [`Instant`] the one clock,
//! [`Address`] the one kind of address. So a simulated kernel can stand behind the same types, and nothing above is
//! generic over it.

/// The seam: the call is the world's where a simulated one is installed on this thread. Stands first in every function
/// that asks the kernel, and is nothing without the feature `sim`.
macro_rules! simulated {
    ($call:ident($($argument:expr),*) $(.map($wrap:path))?) => {
        #[cfg(feature = "sim")]
        if let Some(world) = $crate::sys::sim::world() {
            return world.$call($($argument),*)$(.map($wrap))?;
        }
    };
}

mod address;
mod alloc;
pub mod at_hand;
mod clock;
pub mod directory;
pub mod epoll;
mod eventfd;
mod fd;
pub mod file;
pub mod inotify;
mod instructions;
mod peer_address;
pub mod probes;
pub mod process;
pub mod signal;
#[cfg(feature = "sim")]
pub mod sim;
pub mod socket;
mod socket_file;
pub mod thread;

pub use address::{Address, AddressError};
pub use alloc::CountingAllocator;
pub use clock::{Instant, UnixTime};
pub use epoll::{Epoll, Events, Interest, Ready};
pub use eventfd::EventFd;
pub use fd::Fd;
pub use inotify::Inotify;
pub use instructions::Instructions;
pub use peer_address::PeerAddress;
pub use socket_file::SocketFile;
