//! How busy the thread that asks is: one that is busy all the time is the limit itself.

use std::fs;
use std::time::Duration;

use edgeloop::sys::Instant;

/// How much of its core a thread has used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Busy {
    from: (Instant, Duration),
    to: (Instant, Duration),
}

impl Busy {
    /// Of this thread. `None` where the kernel does not tell.
    pub(crate) fn from_now() -> Option<Busy> {
        let now = (Instant::now(), on_processor()?);
        Some(Busy { from: now, to: now })
    }

    pub(crate) fn stop(&mut self) {
        if let Some(time) = on_processor() {
            self.to = (Instant::now(), time);
        }
    }

    /// From 0 to 1.
    pub(crate) fn share(&self) -> f64 {
        let used = self.to.1.saturating_sub(self.from.1).as_secs_f64();
        let passed = self.to.0.since(self.from.0).as_secs_f64();
        if passed > 0.0 {
            (used / passed).min(1.0)
        } else {
            0.0
        }
    }
}

/// How long this thread has run: the first number there, in nanoseconds (Documentation/scheduler/sched-stats.rst).
fn on_processor() -> Option<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanos = text.split(' ').next()?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}
