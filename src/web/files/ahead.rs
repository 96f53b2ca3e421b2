//! Content that is read by a thread of a pool before it is sent, where the system has not got it in memory.

use core::ops::Range;
use core::time::Duration;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::server::pool::Pool;
use crate::server::{Local, ReadAhead, ResponseWriter, Waker};
use crate::sys::{Fd, at_hand, file};

/// How much is read at a time: what several turns send.
const AHEAD_BYTES: u64 = 1 << 20;
/// How much of that a thread reads at once.
const PIECE_BYTES: usize = 64 << 10;
/// What is gone again from memory after so many times can't be sent without waiting: the answer ends.
const TIMES_MAX: u32 = 16;
/// How long a pool without room, or without a thread, is left alone.
const REST: Duration = Duration::from_millis(50);
/// One that has had none for so many times, half a minute, ends the answer.
const RESTS_MAX: u32 = 600;

/// Reads one file ahead for one answer. The loop never waits for a disk: what threads can't get into memory in time ends the
/// answer in its middle, as a disk that fails does.
#[derive(Debug)]
pub(super) struct Ahead {
    file: Arc<Fd>,
    /// Behind the last byte that is sent.
    end: u64,
    pool: Pool,
    local: Local,
    /// `None`: it has given up.
    waker: Option<Waker>,
    reading: Arc<Reading>,
    /// How often in a row what was read was gone again, and how often nobody read it.
    times: u32,
    rests: u32,
}

/// What has become of the last piece that is read ahead.
#[derive(Debug, Default)]
struct Reading(AtomicU8);

impl Reading {
    /// Nobody was asked to read it.
    const NOTHING: u8 = 0;
    /// A job is under way.
    const ASKED: u8 = 1;
    /// It was read.
    const READ: u8 = 2;
    /// It was read, and still the system does not say that it has it: it can't say.
    const UNTOLD: u8 = 3;
    /// There was no room for a job, or no thread, or not in time.
    const GIVEN_UP: u8 = 4;

    fn is(&self) -> u8 {
        self.0.load(Ordering::Acquire)
    }

    fn becomes(&self, state: u8) {
        self.0.store(state, Ordering::Release);
    }
}

impl Ahead {
    pub(super) fn new(file: Arc<Fd>, end: u64, pool: Pool, res: &mut ResponseWriter<'_>) -> Ahead {
        Ahead {
            file,
            end,
            pool,
            local: res.local().clone(),
            waker: Some(res.waker()),
            reading: Arc::default(),
            times: 0,
            rests: 0,
        }
    }

    /// Has the next piece read, from these bytes on.
    fn ask(&self, bytes: Range<u64>, waker: Waker) {
        self.reading.becomes(Reading::ASKED);
        let mut job = Job {
            reading: Arc::clone(&self.reading),
            came_to: Reading::GIVEN_UP,
            waker,
        };
        let (file, end) = (Arc::clone(&self.file), self.end);
        // A job that there is no room for is dropped, and says so.
        self.pool.spawn(move || {
            read(
                &file,
                bytes.start..bytes.end.max(end.min(bytes.start + AHEAD_BYTES)),
            );
            job.ends(is_at_hand(&file, &bytes));
        });
    }

    fn rest(&self, waker: Waker) {
        let reading = Arc::clone(&self.reading);
        reading.becomes(Reading::ASKED); // of the clock
        self.local.after(REST, move || {
            reading.becomes(Reading::NOTHING);
            waker.wake();
        });
    }
}

impl ReadAhead for Ahead {
    fn is_at_hand(&mut self, bytes: Range<u64>) -> bool {
        let reading = self.reading.is();
        if reading == Reading::ASKED {
            return false;
        }
        if reading == Reading::UNTOLD || is_at_hand(&self.file, &bytes) {
            (self.times, self.rests) = (0, 0);
            return true;
        }
        if self.times >= TIMES_MAX || self.rests >= RESTS_MAX {
            self.waker = None; // who waits and can't be woken fails
        }
        let Some(waker) = self.waker.clone() else {
            return false;
        };
        if reading == Reading::GIVEN_UP {
            self.rests += 1;
            self.rest(waker);
        } else {
            self.times += u32::from(reading == Reading::READ);
            self.ask(bytes, waker);
        }
        false
    }
}

/// Says what has become of it when it is dropped, run or not.
struct Job {
    reading: Arc<Reading>,
    came_to: u8,
    waker: Waker,
}

impl Job {
    /// It has read, and what it has read is in memory or can't be said to be.
    fn ends(&mut self, is_at_hand: bool) {
        self.came_to = if is_at_hand {
            Reading::READ
        } else {
            Reading::UNTOLD
        };
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.reading.becomes(self.came_to);
        self.waker.wake();
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

/// Where the kernel does not say it of all pages at once, one in so many bytes is tried: it reads and forgets more at a time.
const STRIDE_BYTES: usize = 32 << 10;

/// Whether all of these bytes are in memory, or there is no telling.
pub(super) fn is_at_hand(file: &Fd, bytes: &Range<u64>) -> bool {
    let is_cold = |at: u64| {
        let read = at_hand::read_at_hand(file, &mut [0], at);
        read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    };
    // What is just being read is in memory for cachestat; its ends say whether it is there.
    if bytes.is_empty() || is_cold(bytes.start) || is_cold(bytes.end - 1) {
        return bytes.is_empty();
    }
    match at_hand::is_cached(file, bytes.clone()) {
        Ok(is_cached) => is_cached,
        Err(_) => !bytes.clone().step_by(STRIDE_BYTES).skip(1).any(is_cold),
    }
}
