//! Who keeps the requests: which ones begin, and what became of each.

use std::collections::VecDeque;
use std::time::Duration;

use edgeloop::sys::Instant;

use super::answer::Answer;
use super::schedule::{Begun, Pace, Schedule};
use super::tally::{Fault, Tally};

/// Every request that counts ends in the tally, once: as an answer or as a fault.
#[derive(Debug)]
pub(crate) struct Book {
    pub(crate) schedule: Schedule,
    pub(crate) tally: Tally,
    timeout: Duration,
    /// Those that were on a connection which ended in order before their turn came.
    again: VecDeque<Begun>,
    /// Those that count and have not ended.
    under_way: u64,
}

impl Book {
    pub(crate) fn new(schedule: Schedule, timeout: Duration) -> Book {
        Book {
            schedule,
            tally: Tally::new(),
            timeout,
            again: VecDeque::new(),
            under_way: 0,
        }
    }

    pub(crate) fn pace(&self) -> Pace {
        self.schedule.pace()
    }

    /// By when a request has to be answered.
    pub(crate) fn deadline(&self, begun: Begun) -> Instant {
        begun.at + self.timeout
    }

    /// The next request that may begin by now. Those whose time has passed before they could be sent are faults.
    pub(crate) fn take(&mut self, now: Instant) -> Option<Begun> {
        loop {
            let begun = if let Some(begun) = self.again.pop_front() {
                begun
            } else {
                let begun = self.schedule.take(now)?;
                self.under_way += u64::from(begun.counts);
                begun
            };
            if now < self.deadline(begun) {
                return Some(begun);
            }
            self.failed(begun, Fault::Timeout, "no connection was free in time");
        }
    }

    /// When the next request begins, if one does: it may be past.
    pub(crate) fn next(&self, now: Instant) -> Option<Instant> {
        match self.again.front() {
            Some(begun) => Some(begun.at),
            None => self.schedule.next(now),
        }
    }

    /// A request was not looked at by the server, which ended the connection in order: it goes on another one.
    pub(crate) fn take_back(&mut self, begun: Begun) {
        self.again.push_back(begun);
    }

    pub(crate) fn answered(&mut self, begun: Begun, answer: Answer, now: Instant) {
        self.under_way -= u64::from(begun.counts);
        self.tally.answered(begun, answer, now);
        self.tally.answers += u64::from(self.is_in_window(now));
    }

    pub(crate) fn failed(&mut self, begun: Begun, fault: Fault, why: &str) {
        self.under_way -= u64::from(begun.counts);
        self.tally.failed(begun, fault, why);
    }

    pub(crate) fn received(&mut self, bytes: usize, now: Instant) {
        if self.is_in_window(now) {
            self.tally.bytes += bytes as u64;
        }
    }

    /// Whether the warm-up is over, and the time in which requests begin is not.
    fn is_in_window(&self, now: Instant) -> bool {
        let end = self.schedule.end().unwrap_or(Instant::NEVER);
        self.schedule.warm() <= now && now < end
    }

    /// Whether the time is over in which requests begin, and all that count have ended.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        let is_past = self.schedule.end().is_none_or(|end| end <= now);
        is_past && self.under_way == 0 && self.schedule.next(now).is_none()
    }
}
