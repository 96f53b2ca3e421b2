//! Slow readers: they ask all the time and read little, so that the server always has something to send that nobody takes.

use std::time::Duration;

use edgeloop::sys::{Fd, socket};

use super::answer::Reader;
use super::connection::Ways;
use super::requests::Sending;

/// How often each reads, and how many bytes.
pub(crate) const EVERY: Duration = Duration::from_millis(100);
const BYTES: usize = 1024;

/// Requests that one has under way: their answers are more than it reads in a while.
const DEPTH: usize = 16;

/// One of them. Nothing is watched: it looks when its time has come.
#[derive(Debug, Default)]
pub(crate) struct SlowReader(Option<Reading>);

#[derive(Debug)]
struct Reading {
    fd: Fd,
    sending: Sending,
    reader: Reader,
    under_way: usize,
}

/// What slow readers have done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Slowness {
    pub(crate) readers: usize,
    pub(crate) bytes: u64,
    pub(crate) answers: u64,
    /// Connections that were not there, or were ended under them: each is tried again.
    pub(crate) lost: u64,
}

impl SlowReader {
    /// Reads a little, and asks again when it has been answered.
    pub(crate) fn tick(&mut self, ways: &Ways, slowness: &mut Slowness) {
        if self.0.is_none() {
            self.0 = Reading::begin(ways);
        }
        let goes_on = self
            .0
            .as_mut()
            .and_then(|reading| reading.step(ways, slowness));
        if goes_on.is_none() {
            slowness.lost += 1;
            self.0 = None;
        }
    }
}

impl Reading {
    fn begin(ways: &Ways) -> Option<Reading> {
        Some(Reading {
            fd: socket::connect(&ways.address).ok()?,
            sending: Sending::default(),
            reader: Reader::new(ways.is_head),
            under_way: 0,
        })
    }

    /// `None`: it is over.
    fn step(&mut self, ways: &Ways, slowness: &mut Slowness) -> Option<()> {
        while self.under_way < DEPTH {
            self.sending.add(&ways.requests);
            self.under_way += 1;
        }
        ways.requests.send(&self.fd, &mut self.sending).ok()?;
        let mut buffer = [0; BYTES];
        let length = match socket::recv(&self.fd, &mut buffer) {
            Ok(0) => return None,
            Ok(length) => length,
            Err(error) => return (error.kind() == std::io::ErrorKind::WouldBlock).then_some(()),
        };
        slowness.bytes += length as u64;
        let mut bytes = &buffer[..length];
        while !bytes.is_empty() {
            let (used, answer) = self.reader.next(bytes).ok()?;
            bytes = &bytes[used..];
            if let Some(answer) = answer {
                slowness.answers += 1;
                self.under_way = self.under_way.checked_sub(1)?;
                answer.persists.then_some(())?;
            }
        }
        Some(())
    }
}
