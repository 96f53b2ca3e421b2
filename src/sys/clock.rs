//! The clocks.

use core::ops::Add;
use core::time::Duration;

/// A moment of the monotonic clock (`CLOCK_MONOTONIC`), in nanoseconds. It only says how far moments are apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// Later than every moment that comes.
    pub const NEVER: Instant = Instant(u64::MAX);

    /// The present. Read without entering the kernel where the vDSO is mapped (vdso(7)).
    #[inline]
    pub fn now() -> Instant {
        simulated!(monotonic());
        let time = read(libc::CLOCK_MONOTONIC);
        Instant(
            time.tv_sec
                .cast_unsigned()
                .wrapping_mul(1_000_000_000)
                .wrapping_add(time.tv_nsec.cast_unsigned()),
        )
    }

    /// The moment that lies so many nanoseconds after the clock's zero.
    pub const fn from_nanos(nanos: u64) -> Instant {
        Instant(nanos)
    }

    /// Nanoseconds since the clock's zero.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not.
    #[inline]
    pub const fn since(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The first multiple of `step` that is not earlier; [`NEVER`](Instant::NEVER) stays. Many deadlines then expire in
    /// one wake.
    #[inline]
    #[must_use]
    pub const fn round_up(self, step: Duration) -> Instant {
        let step = step.as_nanos() as u64;
        match self.0.checked_next_multiple_of(step) {
            Some(nanos) => Instant(nanos),
            None => Instant::NEVER,
        }
    }
}

/// Ends at [`Instant::NEVER`].
impl Add<Duration> for Instant {
    type Output = Instant;

    #[inline]
    fn add(self, duration: Duration) -> Instant {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Instant(self.0.saturating_add(nanos))
    }
}

/// A moment of the wall clock (`CLOCK_REALTIME`), since 1970. Moments before are taken for 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime {
    /// Seconds.
    pub secs: u64,
    /// Nanoseconds beyond them.
    pub nanos: u32,
}

impl UnixTime {
    /// The present.
    pub fn now() -> UnixTime {
        simulated!(realtime());
        let time = read(libc::CLOCK_REALTIME);
        UnixTime::new(time.tv_sec, time.tv_nsec)
    }

    pub(super) fn new(secs: i64, nanos: i64) -> UnixTime {
        match u64::try_from(secs) {
            Ok(secs) => UnixTime {
                secs,
                nanos: u32::try_from(nanos).unwrap_or(0),
            },
            Err(_) => UnixTime { secs: 0, nanos: 0 },
        }
    }
}

#[inline]
fn read(clock: libc::clockid_t) -> libc::timespec {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a timespec that the call may write. With a valid clock and pointer it can't fail
    // (clock_gettime(2)).
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_goes_forward_with_the_standard_librarys() {
        let (ours, theirs) = (Instant::now(), std::time::Instant::now());
        std::thread::yield_now();
        let (passed, bound) = (Instant::now().since(ours), theirs.elapsed());
        assert!(passed <= bound + Duration::from_secs(1));
        let unix = std::time::SystemTime::UNIX_EPOCH
            .elapsed()
            .expect("after 1970");
        assert!(unix.as_secs().abs_diff(UnixTime::now().secs) <= 1);
    }

    #[test]
    fn moments_saturate_and_round_up() {
        let step = Duration::from_millis(100);
        assert_eq!(
            Instant::from_nanos(1).round_up(step),
            Instant::from_nanos(100_000_000)
        );
        assert_eq!(
            Instant::from_nanos(100_000_000).round_up(step),
            Instant::from_nanos(100_000_000)
        );
        assert_eq!(Instant::NEVER.round_up(step), Instant::NEVER);
        assert_eq!(Instant::from_nanos(5) + Duration::MAX, Instant::NEVER);
        assert_eq!(
            Instant::from_nanos(5).since(Instant::from_nanos(9)),
            Duration::ZERO
        );
    }
}
