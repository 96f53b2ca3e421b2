//! How bytes get from and to a client. A plain socket, and later TLS.

use std::io;

use crate::sys::Fd;
use crate::sys::socket::{self, More, Unsent};

/// A stream of bytes in both directions that never blocks. Errors are the kernel's; `WouldBlock` is one of them.
pub(super) trait Transport {
    /// Receives into `into`: how many bytes, 0 when the peer has finished.
    fn recv(&mut self, into: &mut [u8]) -> io::Result<usize>;
    /// Sends the beginning of `bytes`: how many of them.
    fn send(&mut self, bytes: &[u8], more: More) -> io::Result<usize>;
    /// Sends part of a file without copying it: how many bytes, 0 when the file ends before.
    fn send_file(&mut self, file: &Fd, offset: u64, length: usize) -> io::Result<usize>;
    /// Sets how much the kernel holds unsent.
    fn set_unsent(&mut self, unsent: Unsent) -> io::Result<()>;
    /// Says that no more will be sent.
    fn finish(&mut self) -> io::Result<()>;
    /// Makes the coming close a reset.
    fn reset(&mut self) -> io::Result<()>;
    /// Bytes sent that the peer has not acknowledged.
    fn unacknowledged(&self) -> io::Result<usize>;
    /// Bytes received that nobody has read.
    fn unread(&self) -> io::Result<usize>;
}

/// A stream socket.
#[derive(Debug)]
pub(super) struct Socket(pub(super) Fd);

impl Transport for Socket {
    #[inline]
    fn recv(&mut self, into: &mut [u8]) -> io::Result<usize> {
        socket::recv(&self.0, into)
    }

    #[inline]
    fn send(&mut self, bytes: &[u8], more: More) -> io::Result<usize> {
        socket::send(&self.0, bytes, more)
    }

    fn send_file(&mut self, file: &Fd, offset: u64, length: usize) -> io::Result<usize> {
        socket::send_file(&self.0, file, offset, length)
    }

    fn set_unsent(&mut self, unsent: Unsent) -> io::Result<()> {
        socket::set_unsent(&self.0, unsent)
    }

    fn finish(&mut self) -> io::Result<()> {
        socket::shutdown_write(&self.0)
    }

    fn reset(&mut self) -> io::Result<()> {
        socket::set_linger_reset(&self.0)
    }

    fn unacknowledged(&self) -> io::Result<usize> {
        socket::unacknowledged(&self.0)
    }

    fn unread(&self) -> io::Result<usize> {
        socket::unread(&self.0)
    }
}
