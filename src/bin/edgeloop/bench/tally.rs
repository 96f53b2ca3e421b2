//! What is counted.

use hdrhistogram::Histogram;

use super::answer::Answer;
use super::schedule::Begun;
use edgeloop::sys::Instant;

/// An hour, in nanoseconds: whatever took longer took that.
const LONGEST: u64 = 3_600_000_000_000;

/// Why a request got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// There was no connection to be had.
    Connect,
    /// Nothing, or not all of it, had come by the time that a request has.
    Timeout,
    /// The connection was reset or is broken.
    Reset,
    /// The connection ended before the answer did.
    Closed,
    /// What came is no answer.
    Bad,
}

impl Fault {
    pub(crate) const ALL: [Fault; 5] = [
        Fault::Connect,
        Fault::Timeout,
        Fault::Reset,
        Fault::Closed,
        Fault::Bad,
    ];

    /// As it stands in a report.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Fault::Connect => "connect",
            Fault::Timeout => "timeout",
            Fault::Reset => "reset",
            Fault::Closed => "closed early",
            Fault::Bad => "bad answer",
        }
    }
}

/// Requests with one fault.
#[derive(Clone, Debug, Default)]
pub(crate) struct Failed {
    pub(crate) count: u64,
    /// What was said the first time.
    pub(crate) first: Option<String>,
}

/// All figures of a run.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    /// Nanoseconds from the beginning of each request to the end of its answer.
    pub(crate) times: Histogram<u64>,
    /// By status, from 100 on.
    statuses: Box<[u64; 500]>,
    failed: [Failed; Fault::ALL.len()],
    /// Answers and bytes that came between the end of the warm-up and that of the schedule, whenever they were asked for.
    pub(crate) answers: u64,
    pub(crate) bytes: u64,
    /// Connections that were opened, the warm-up's too.
    pub(crate) connections: u64,
    /// Connections on which something came that nobody had asked for.
    pub(crate) unasked: u64,
}

impl Tally {
    pub(crate) fn new() -> Tally {
        let times = Histogram::new_with_bounds(1, LONGEST, 3);
        Tally {
            times: times.expect("bounds that are in order"),
            statuses: Box::new([0; 500]),
            failed: Default::default(),
            answers: 0,
            bytes: 0,
            connections: 0,
            unasked: 0,
        }
    }

    /// An answer has come.
    pub(crate) fn answered(&mut self, begun: Begun, answer: Answer, now: Instant) {
        if begun.counts {
            self.times
                .saturating_record(now.since(begun.at).as_nanos() as u64);
            self.statuses[usize::from(answer.status.clamp(100, 599) - 100)] += 1;
        }
    }

    /// A request has got no answer.
    pub(crate) fn failed(&mut self, begun: Begun, fault: Fault, why: &str) {
        if begun.counts {
            let failed = &mut self.failed[fault as usize];
            failed.count += 1;
            failed.first.get_or_insert_with(|| why.to_owned());
        }
    }

    /// Requests that were answered.
    pub(crate) fn answered_in_all(&self) -> u64 {
        self.times.len()
    }

    /// Requests that were not.
    pub(crate) fn failed_in_all(&self) -> u64 {
        self.failed.iter().map(|failed| failed.count).sum()
    }

    /// Those with a fault, by fault.
    pub(crate) fn faults(&self) -> impl Iterator<Item = (Fault, &Failed)> {
        Fault::ALL.into_iter().zip(&self.failed)
    }

    /// Answers by status, those that came.
    pub(crate) fn statuses(&self) -> impl Iterator<Item = (usize, u64)> {
        let counts = self.statuses.iter().enumerate();
        counts
            .filter(|(_, count)| **count > 0)
            .map(|(at, count)| (at + 100, *count))
    }
}
