//! System calls, thin and typed: the only place that touches the kernel, and the only one with unsafe code.
//!
//! Nothing here loops, retries, logs or decides. What the kernel says is returned as it was said, as an
//! [`io::Result`](std::io::Result); `EAGAIN` is an error of kind `WouldBlock` like any other.
//!
//! Everything above works on the types of this module: [`Fd`] is the one descriptor type, [`Instant`] the one clock,
//! [`Address`] the one kind of address. A second kernel can so stand behind the same face, and nothing above is generic
//! over it.

mod address;
mod clock;
pub mod epoll;
mod eventfd;
mod fd;
pub mod file;
pub mod process;
pub mod signal;
pub mod socket;

pub use address::{Address, AddressError};
pub use clock::{Instant, UnixTime};
pub use epoll::{Epoll, Events, Interest, Ready};
pub use eventfd::EventFd;
pub use fd::Fd;
