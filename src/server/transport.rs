//! How bytes get from and to a client. A plain socket, and later TLS.

use std::io;

use super::counters::Counters;
use crate::sys::Fd;
use crate::sys::socket::{self, More, Unsent};

/// A stream of bytes in both directions that never blocks. Errors are the kernel's; `WouldBlock` is one of them. What goes
/// through it is counted by it: nobody else knows how many calls it takes.
pub(super) trait Transport {
    /// Receives into `into`: how many bytes, 0 when the peer has finished.
    fn recv_ready(&mut self, into: &mut [u8], counters: &mut Counters) -> io::Result<usize>;
    /// Sends the beginning of `bytes`: how many of them.
    fn send_ready(
        &mut self,
        bytes: &[u8],
        more: More,
        counters: &mut Counters,
    ) -> io::Result<usize>;
    /// Sends part of a file without copying it: how many bytes, 0 when the file ends before.
    fn send_file(
        &mut self,
        file: &Fd,
        offset: u64,
        length: usize,
        counters: &mut Counters,
    ) -> io::Result<usize>;
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
    #[inline(never)] // a phase
    fn recv_ready(&mut self, into: &mut [u8], counters: &mut Counters) -> io::Result<usize> {
        let received = socket::recv(&self.0, into);
        counters.recvs += 1;
        match &received {
            Ok(bytes) => counters.bytes_in += *bytes as u64,
            Err(error) => counters.recvs_again += again(error),
        }
        received
    }

    #[inline(never)] // a phase
    fn send_ready(
        &mut self,
        bytes: &[u8],
        more: More,
        counters: &mut Counters,
    ) -> io::Result<usize> {
        let sent = socket::send(&self.0, bytes, more);
        counters.sends += 1;
        match &sent {
            Ok(count) => {
                counters.bytes_out += *count as u64;
                counters.sends_short += u64::from(*count < bytes.len());
            }
            Err(error) => counters.sends_again += again(error),
        }
        sent
    }

    fn send_file(
        &mut self,
        file: &Fd,
        offset: u64,
        length: usize,
        counters: &mut Counters,
    ) -> io::Result<usize> {
        let sent = socket::send_file(&self.0, file, offset, length);
        counters.sendfiles += 1;
        match &sent {
            Ok(count) => counters.bytes_out += *count as u64,
            Err(error) => counters.sends_again += again(error),
        }
        sent
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

/// One if the kernel says `EAGAIN`.
#[cold]
fn again(error: &io::Error) -> u64 {
    u64::from(error.kind() == io::ErrorKind::WouldBlock)
}
