//! How busy the thread that asks is. One that runs all the time is the limit itself; one that others keep from running says
//! little of the server.

use std::fs;
use std::time::Duration;

use edgeloop::sys::Instant;

/// What a thread did between two moments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Busy {
    from: Moment,
    to: Moment,
}

/// Shares of the time, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Shares {
    pub(crate) running: f64,
    /// For a core that others had.
    pub(crate) waiting: f64,
}

#[derive(Clone, Copy, Debug)]
struct Moment {
    at: Instant,
    running: Duration,
    waiting: Duration,
}

impl Busy {
    /// From now on, of this thread. `None` where the kernel does not tell.
    pub(crate) fn from_now() -> Option<Busy> {
        let now = Moment::now()?;
        Some(Busy { from: now, to: now })
    }

    pub(crate) fn stop(&mut self) {
        self.to = Moment::now().unwrap_or(self.to);
    }

    pub(crate) fn shares(&self) -> Shares {
        let Busy { from, to } = self;
        let passed = to.at.since(from.at).as_secs_f64().max(1e-9);
        let share = |time: Duration| (time.as_secs_f64() / passed).min(1.0);
        Shares {
            running: share(to.running.saturating_sub(from.running)),
            waiting: share(to.waiting.saturating_sub(from.waiting)),
        }
    }
}

impl Moment {
    /// The first two numbers there, in nanoseconds (Documentation/scheduler/sched-stats.rst).
    fn now() -> Option<Moment> {
        let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        let mut nanos = text
            .split(' ')
            .map(|number| number.parse().map(Duration::from_nanos));
        Some(Moment {
            at: Instant::now(),
            running: nanos.next()?.ok()?,
            waiting: nanos.next()?.ok()?,
        })
    }
}
