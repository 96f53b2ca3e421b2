//! How long a connection is waited for: a function of what it is waited for.

use core::time::Duration;

use super::limits::{Limits, Progress};
use crate::sys::Instant;

/// Deadlines are rounded up to this, so that many expire in one wake.
const GRANULARITY: Duration = Duration::from_millis(100);

/// What a connection is waited for. The earlier in this order, the sooner it makes room for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Waiting {
    /// The first byte it sends at all.
    FirstByte,
    /// The next request.
    Idle,
    /// The end of a head that has begun.
    Head,
    /// More of a body.
    Body,
    /// The answer of a handler that answers later, or a sink that has no room.
    Handler,
    /// A stream that lives, and has nothing to send for the moment: for ever.
    Stream,
    /// That it reads what it is sent.
    Write,
    /// That it reads its last answer and finishes.
    Linger,
}

/// The deadline of a connection. The hot path moves it by a store.
#[derive(Debug)]
pub(super) struct Patience {
    until: Instant,
    waiting: Waiting,
    /// Which exchange of the connection it is about.
    exchange: u32,
    /// Bytes of progress that have not moved the deadline yet.
    progress: u64,
}

impl Patience {
    pub(super) fn new(limits: &Limits, now: Instant) -> Patience {
        Patience {
            until: now + limits.head_time,
            waiting: Waiting::FirstByte,
            exchange: 0,
            progress: 0,
        }
    }

    /// When it ends, rounded up.
    #[inline]
    pub(super) fn until(&self) -> Instant {
        self.until.round_up(GRANULARITY)
    }

    /// When it ends to the nanosecond: tells which of two connections has waited longer.
    pub(super) fn until_exactly(&self) -> Instant {
        self.until
    }

    /// The connection has moved so many bytes.
    #[inline]
    pub(super) fn moved(&mut self, bytes: usize) {
        self.progress = self.progress.saturating_add(bytes as u64);
    }

    /// The connection goes back to the loop to wait: whether it waits for something new.
    #[inline]
    pub(super) fn wait(
        &mut self,
        waiting: Waiting,
        exchange: u32,
        limits: &Limits,
        now: Instant,
    ) -> bool {
        let begins = waiting != self.waiting || exchange != self.exchange;
        if begins {
            self.waiting = waiting;
            self.exchange = exchange;
            self.until = now
                + match waiting {
                    Waiting::FirstByte | Waiting::Head => limits.head_time,
                    Waiting::Idle => limits.idle_time,
                    Waiting::Body | Waiting::Write => limits.progress.start,
                    Waiting::Handler => limits.handler_time,
                    Waiting::Stream => Duration::MAX,
                    Waiting::Linger => limits.linger.silence,
                };
        } else if waiting == Waiting::Body {
            self.extend(self.progress, &limits.progress, now);
        } else if waiting == Waiting::Linger && self.progress > 0 {
            self.until = now + limits.linger.silence;
        }
        if waiting != Waiting::Write {
            self.progress = 0;
        }
        begins
    }

    /// The stall rule: `bytes` of progress move the deadline.
    fn extend(&mut self, bytes: u64, rule: &Progress, now: Instant) {
        let earned = bytes.saturating_mul(1_000_000_000) / u64::from(rule.bytes_per_second.max(1));
        self.until = (self.until + Duration::from_nanos(earned)).min(now + rule.most);
    }

    /// The deadline is over, but the peer has taken `bytes` since it was last asked. Whether that has earned it more time.
    pub(super) fn forgive(&mut self, bytes: u64, limits: &Limits, now: Instant) -> bool {
        self.extend(bytes, &limits.progress, now);
        self.until > now
    }

    /// Bytes sent since this was last asked.
    pub(super) fn take_progress(&mut self) -> u64 {
        std::mem::take(&mut self.progress)
    }

    /// It is waited for until this moment, whatever the limits say.
    pub(super) fn set(&mut self, until: Instant) {
        self.until = until;
    }

    /// There is a reason not to wait longer than that.
    pub(super) fn not_after(&mut self, bound: Instant) {
        self.until = self.until.min(bound);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn a_head_has_ten_seconds_from_its_first_byte_however_it_drips() {
        let limits = Limits::default();
        let mut patience = Patience::new(&limits, at(0));
        assert_eq!(patience.until(), at(10));
        assert!(patience.wait(Waiting::Head, 0, &limits, at(3)));
        for second in 4..12 {
            patience.moved(1);
            assert!(!patience.wait(Waiting::Head, 0, &limits, at(second)));
        }
        assert_eq!(patience.until(), at(13));
    }

    #[test]
    fn a_body_earns_time_by_its_bytes_up_to_a_bound() {
        let limits = Limits::default();
        let mut patience = Patience::new(&limits, at(0));
        patience.wait(Waiting::Body, 1, &limits, at(0));
        patience.moved(512);
        patience.wait(Waiting::Body, 1, &limits, at(1));
        assert_eq!(patience.until(), at(12));
        patience.moved(1 << 20);
        patience.wait(Waiting::Body, 1, &limits, at(2));
        assert_eq!(patience.until(), at(32));
    }

    #[test]
    fn a_reader_slower_than_the_rate_runs_out_of_forgiveness() {
        let limits = Limits::default();
        let mut patience = Patience::new(&limits, at(0));
        patience.wait(Waiting::Write, 1, &limits, at(0));
        let (mut now, mut asked) = (patience.until(), at(0));
        let mut times = 0;
        while patience.forgive(now.since(asked).as_secs() * 100, &limits, now) {
            (asked, now, times) = (now, patience.until(), times + 1);
            assert!(times < 20, "{now:?}");
        }
        assert!((at(10)..at(20)).contains(&now), "{now:?}");
    }

    #[test]
    fn every_request_moves_the_idle_deadline() {
        let limits = Limits::default();
        let mut patience = Patience::new(&limits, at(0));
        for request in 1..100 {
            assert!(patience.wait(Waiting::Idle, request, &limits, at(u64::from(request))));
            assert_eq!(patience.until(), at(u64::from(request) + 75));
        }
        assert!(!patience.wait(Waiting::Idle, 99, &limits, at(120)));
        assert_eq!(patience.until(), at(174));
    }
}
