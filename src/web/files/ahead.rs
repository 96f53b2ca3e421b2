//! Content that is read by a thread of a pool before it is sent, where the system has not got it in memory.

use core::ops::Range;
use std::io;
use std::sync::Arc;

use crate::server::pool::Pool;
use crate::server::{ReadAhead, Waker};
use crate::sys::{Fd, at_hand, file};

/// How much is read at a time: what several turns send.
const AHEAD_BYTES: u64 = 1 << 20;
/// How much of that a thread reads at once.
const PIECE_BYTES: usize = 64 << 10;
/// What is gone again from memory after so many times is sent all the same, and the loop waits.
const TIMES_MAX: u32 = 2;

/// Reads one file ahead for one answer.
#[derive(Debug)]
pub(super) struct Ahead {
    file: Arc<Fd>,
    pool: Pool,
    waker: Waker,
    /// Up to where threads were asked to read, and how often for what was to be sent last.
    asked: u64,
    times: u32,
}

impl Ahead {
    pub(super) fn new(file: Arc<Fd>, pool: Pool, waker: Waker) -> Ahead {
        Ahead {
            file,
            pool,
            waker,
            asked: 0,
            times: 0,
        }
    }

    /// What lies between its ends was read with them: the kernel reads ahead itself.
    fn is_in_memory(&self, bytes: &Range<u64>) -> bool {
        let is_cold = |at: u64| {
            let read = at_hand::read_at_hand(&self.file, &mut [0], at);
            read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
        };
        !is_cold(bytes.start) && !is_cold(bytes.end.saturating_sub(1))
    }
}

impl ReadAhead for Ahead {
    fn is_at_hand(&mut self, bytes: Range<u64>) -> bool {
        if self.is_in_memory(&bytes) {
            return true;
        }
        self.times = if bytes.start < self.asked {
            self.times + 1
        } else {
            0
        };
        if self.times >= TIMES_MAX {
            return true;
        }
        self.asked = bytes.start + AHEAD_BYTES.max(bytes.end - bytes.start);
        let (file, wake) = (Arc::clone(&self.file), WakesWhenDropped(self.waker.clone()));
        let bytes = bytes.start..self.asked;
        // Where there is no room for it the loop waits: the answer has begun.
        !self.pool.spawn(move || {
            read(&file, bytes);
            drop(wake);
        })
    }
}

/// Also a job that is not run wakes who waits for it.
struct WakesWhenDropped(Waker);

impl Drop for WakesWhenDropped {
    fn drop(&mut self) {
        self.0.wake();
    }
}

/// Reads for nothing but to have it in memory.
fn read(file: &Fd, bytes: Range<u64>) {
    let mut piece = vec![0; PIECE_BYTES];
    let mut at = bytes.start;
    while at < bytes.end {
        match file::read_at(file, &mut piece, at) {
            Ok(0) | Err(_) => return, // who sends it sees what it is
            Ok(read) => at += read as u64,
        }
    }
}
