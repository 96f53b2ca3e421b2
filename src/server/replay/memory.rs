//! A client in memory: what it sends was recorded, and what it gets is counted and dropped.

use std::io;
use std::sync::Arc;

use super::super::counters::Counters;
use super::super::transport::Transport;
use crate::sys::Fd;
use crate::sys::file;
use crate::sys::socket::{More, Unsent};

/// The client's end of a connection and the kernel between, as far as a session can see them.
#[derive(Debug)]
pub(super) struct Memory {
    /// What has come and was not received.
    piece: Arc<[u8]>,
    at: usize,
    /// Nothing comes behind it.
    finished: bool,
    pub(super) received: Received,
}

/// What the client has got, on this connection and those before.
#[derive(Debug, Default)]
pub(super) struct Received {
    pub(super) bytes: u64,
    pub(super) look: Look,
}

/// What is done with it.
#[derive(Debug, Default)]
pub(super) enum Look {
    /// Nothing: it costs nothing to drop it.
    #[default]
    Away,
    /// It goes into a hash, byte by byte, so that it does not matter how it was cut.
    Hash(Fnv),
    /// It is kept.
    Keep(Vec<u8>),
}

impl Memory {
    pub(super) fn new(received: Received) -> Memory {
        Memory {
            piece: Arc::from([]),
            at: 0,
            finished: false,
            received,
        }
    }

    /// A piece has come, behind what was not received of those before.
    pub(super) fn arrive(&mut self, piece: &Arc<[u8]>) {
        self.piece = match &self.piece[self.at..] {
            [] => Arc::clone(piece),
            rest => Arc::from([rest, piece].concat()),
        };
        self.at = 0;
    }

    /// The client has finished sending.
    pub(super) fn finish_sending(&mut self) {
        self.finished = true;
    }
}

impl Received {
    fn take(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        match &mut self.look {
            Look::Away => {}
            Look::Hash(hash) => hash.update(bytes),
            Look::Keep(kept) => kept.extend_from_slice(bytes),
        }
    }
}

/// FNV-1a of 64 bits: tells answers that differ apart, unless somebody wants to be taken for another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fnv(pub(super) u64);

impl Default for Fnv {
    fn default() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

/// There are no calls that could be counted.
impl Transport for Memory {
    #[inline(never)] // so that a profile has it apart, as it has the phase of a socket
    fn recv_ready(&mut self, into: &mut [u8], _: &mut Counters) -> io::Result<usize> {
        let rest = &self.piece[self.at..];
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        if count == 0 && !self.finished {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(count)
    }

    #[inline(never)] // the same
    fn send_ready(&mut self, bytes: &[u8], _: More, _: &mut Counters) -> io::Result<usize> {
        self.received.take(bytes);
        Ok(bytes.len())
    }

    /// Here the kernel is asked after all: what is in the file only it can say.
    fn send_file(
        &mut self,
        file: &Fd,
        offset: u64,
        length: usize,
        _: &mut Counters,
    ) -> io::Result<usize> {
        let mut bytes = vec![0; length.min(64 << 10)];
        let read = file::read_at(file, &mut bytes, offset)?;
        self.received.take(&bytes[..read]);
        Ok(read)
    }

    fn set_unsent(&mut self, _: Unsent) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn reset(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn unacknowledged(&self) -> io::Result<usize> {
        Ok(0)
    }

    fn unread(&self) -> io::Result<usize> {
        Ok(self.piece.len() - self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv_1a_however_the_bytes_are_cut() {
        // The test vectors of its authors.
        for (bytes, wanted) in [
            ("", 0xcbf2_9ce4_8422_2325_u64),
            ("a", 0xaf63_dc4c_8601_ec8c),
            ("foobar", 0x8594_4171_f739_67e8),
        ] {
            let mut hash = Fnv::default();
            bytes.bytes().for_each(|byte| hash.update(&[byte]));
            assert_eq!(hash.0, wanted, "{bytes}");
        }
    }

    #[test]
    fn what_has_come_is_received_once_and_then_the_end() {
        let mut client = Memory::new(Received::default());
        let (mut into, mut calls) = ([0; 4], Counters::default());
        let empty = client
            .recv_ready(&mut into, &mut calls)
            .expect_err("nothing has come");
        assert_eq!(empty.kind(), io::ErrorKind::WouldBlock);
        client.arrive(&Arc::from(*b"abcdef"));
        client.finish_sending();
        assert_eq!(client.unread().expect("known"), 6);
        assert_eq!(client.recv_ready(&mut into, &mut calls).expect("bytes"), 4);
        assert_eq!(client.recv_ready(&mut into, &mut calls).expect("bytes"), 2);
        assert_eq!(&into, b"efcd");
        assert_eq!(
            client.recv_ready(&mut into, &mut calls).expect("the end"),
            0
        );
    }
}
