//! What a loop has done, in numbers.

/// What a [`Reactor`](super::Reactor) has done since it was made. Plain integers, counted on the loop's own thread where the
/// thing happens: no lock, no clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Turns: one epoll_wait(2) and one round of work each.
    pub turns: u64,
    /// Those of the turns that were allowed to sleep. The others had work left from the turn before, or something was due.
    pub waits: u64,
    /// Events that the kernel had, its own eventfd's included.
    pub events: u64,
    /// Calls of epoll_ctl(2), those that failed included.
    pub epoll_ctls: u64,
    /// Messages that were delivered.
    pub mail: u64,
    /// The most tokens that have stood in the run queue at a time.
    pub run_queue_peak: u64,
}
