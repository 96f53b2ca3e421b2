//! When requests begin: as soon as an answer has made room (closed loop), or at a fixed rate whatever the answers do (open
//! loop). It holds no clock: the present is passed in.

use std::time::Duration;

use edgeloop::sys::Instant;

/// A request that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Begun {
    /// From when its time counts: when it should have been sent, in an open loop, and when it could be in a closed one.
    pub(crate) at: Instant,
    /// Whether it is of the figures, rather than of the warm-up.
    pub(crate) counts: bool,
}

/// What decides when a request begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Whoever has room asks.
    Closed,
    /// So many a second.
    Open { rate: u64 },
}

/// After what no request begins any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    After(Duration),
    /// So many requests, the warm-up not counted.
    Requests(u64),
}

/// The order of requests in time.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    pace: Pace,
    stop: Stop,
    begin: Instant,
    /// When the warm-up is over.
    warm: Instant,
    /// Requests that were given away, and how many of them count.
    given: u64,
    counted: u64,
}

impl Schedule {
    pub(crate) fn new(pace: Pace, stop: Stop, warm_up: Duration, now: Instant) -> Schedule {
        Schedule {
            pace,
            stop,
            begin: now,
            warm: now + warm_up,
            given: 0,
            counted: 0,
        }
    }

    pub(crate) fn pace(&self) -> Pace {
        self.pace
    }

    /// From when requests count.
    pub(crate) fn warm(&self) -> Instant {
        self.warm
    }

    /// When the last request begins, if that is known beforehand.
    pub(crate) fn end(&self) -> Option<Instant> {
        match self.stop {
            Stop::After(time) => Some(self.warm + time),
            Stop::Requests(_) => None,
        }
    }

    /// The next request, if it may begin by now.
    pub(crate) fn take(&mut self, now: Instant) -> Option<Begun> {
        let at = self.next(now).filter(|at| *at <= now)?;
        let counts = at >= self.warm;
        self.given += 1;
        self.counted += u64::from(counts);
        Some(Begun { at, counts })
    }

    /// When the next request begins, if one does.
    pub(crate) fn next(&self, now: Instant) -> Option<Instant> {
        let at = match self.pace {
            Pace::Closed => now,
            Pace::Open { rate } => self.begin + nth(self.given, rate),
        };
        let begins = match self.stop {
            Stop::After(time) => at < self.warm + time,
            Stop::Requests(count) => self.counted < count,
        };
        begins.then_some(at)
    }
}

/// How long after the first one the request with this number begins.
fn nth(number: u64, rate: u64) -> Duration {
    let (secs, rest) = (number / rate, number % rate);
    Duration::from_secs(secs) + Duration::from_nanos(rest * 1_000_000_000 / rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(milliseconds: u64) -> Instant {
        Instant::from_nanos((1000 + milliseconds) * 1_000_000)
    }

    #[test]
    fn a_closed_loop_gives_whenever_asked_and_counts_after_the_warm_up() {
        let mut schedule = Schedule::new(Pace::Closed, Stop::After(SECOND), SECOND, at(0));
        for (now, counts) in [(0, false), (999, false), (1000, true), (1999, true)] {
            let begun = Begun {
                at: at(now),
                counts,
            };
            assert_eq!(schedule.take(at(now)), Some(begun));
        }
        assert_eq!(schedule.take(at(2000)), None);
        assert_eq!(schedule.next(at(2000)), None);
    }

    #[test]
    fn a_count_is_exact_and_leaves_the_warm_up_out() {
        let mut schedule = Schedule::new(Pace::Closed, Stop::Requests(3), SECOND, at(0));
        let given = (0..2000).filter_map(|now| schedule.take(at(now)));
        let given: Vec<_> = given.collect();
        assert_eq!(given.len(), 1003);
        assert_eq!(given.iter().filter(|begun| begun.counts).count(), 3);
    }

    #[test]
    fn an_open_loop_keeps_its_times_however_late_it_is_asked() {
        let pace = Pace::Open { rate: 1000 };
        let mut schedule = Schedule::new(pace, Stop::After(SECOND), Duration::ZERO, at(0));
        assert_eq!(schedule.take(at(0)).map(|begun| begun.at), Some(at(0)));
        assert_eq!(schedule.take(at(0)), None, "the next one is not due");
        assert_eq!(schedule.next(at(0)), Some(at(1)));
        // A stall of two seconds: what was due in it keeps its time, and nothing that comes after the end is given.
        for due in 1..1000 {
            assert_eq!(schedule.take(at(2000)).map(|begun| begun.at), Some(at(due)));
        }
        assert_eq!(schedule.take(at(2000)), None);
        assert_eq!(schedule.next(at(2000)), None);
    }

    #[test]
    fn a_rate_that_does_not_divide_a_second_does_not_drift() {
        assert_eq!(nth(3_000_000, 3), Duration::from_secs(1_000_000));
        assert_eq!(nth(1, 3), Duration::from_nanos(333_333_333));
        assert_eq!(nth(u64::MAX, 1), Duration::from_secs(u64::MAX));
    }
}
