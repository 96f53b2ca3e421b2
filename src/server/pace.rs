//! How fast a long answer is read, and what the kernel may hold of it for that.

use core::cell::Cell;
use core::time::Duration;
use std::rc::Rc;

use crate::sys::Instant;

/// Who reads so much within [`FAST_TIME`] is fast.
const FAST_BYTES: u64 = 4 << 20;
const FAST_TIME: Duration = Duration::from_millis(125);
/// For so many connections of a worker at a time the kernel may hold much, some 4 MiB each: a fast reader that stops leaves
/// it there.
const WIDE_MAX: usize = 32;

/// How much of an answer was read since it was looked at last.
#[derive(Debug, Default)]
pub(super) struct Pace {
    since: Option<Instant>,
    bytes: u64,
    wide: Option<Wide>,
}

/// One of those for which the kernel holds much.
#[derive(Debug)]
struct Wide(Rc<Cell<usize>>);

impl Drop for Wide {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Pace {
    /// So much more was sent. Whether the kernel is to hold more from now on; `wide` counts for how many it does.
    #[inline]
    pub(super) fn sent(&mut self, bytes: usize, now: Instant, wide: &Rc<Cell<usize>>) -> bool {
        self.bytes += bytes as u64;
        if self.bytes < FAST_BYTES || self.wide.is_some() {
            return false;
        }
        let since = self.since.replace(now);
        self.bytes = 0;
        let is_fast = since.is_some_and(|since| now.since(since) <= FAST_TIME);
        if !is_fast || wide.get() >= WIDE_MAX {
            return false;
        }
        wide.set(wide.get() + 1);
        self.wide = Some(Wide(Rc::clone(wide)));
        true
    }

    /// The answer is over: whether the kernel is to hold little again.
    pub(super) fn end(&mut self) -> bool {
        (self.since, self.bytes) = (None, 0);
        self.wide.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn who_reads_much_in_little_time_is_fast_and_only_so_many_are() {
        let wide = Rc::default();
        let mut slow = Pace::default();
        for round in 0..100 {
            assert!(!slow.sent(4 << 20, at(round * 130), &wide), "30 MiB/s");
        }
        let mut fast: Vec<Pace> = (0..WIDE_MAX).map(|_| Pace::default()).collect();
        for pace in &mut fast {
            assert!(!pace.sent(4 << 20, at(0), &wide), "since when?");
            assert!(!pace.sent(2 << 20, at(60), &wide));
            assert!(pace.sent(2 << 20, at(120), &wide));
            assert!(!pace.sent(4 << 20, at(120), &wide), "it is");
        }
        let mut other = Pace::default();
        for _ in 0..3 {
            assert!(!other.sent(4 << 20, at(0), &wide), "enough are");
        }
        assert!(fast[0].end() && !fast[0].end());
        assert!(other.sent(4 << 20, at(0), &wide));
        drop((fast, other));
        assert_eq!(wide.get(), 0);
    }
}
