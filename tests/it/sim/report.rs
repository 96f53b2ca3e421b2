//! What runs came to.

use std::collections::BTreeMap;

use edgeloop::sys::sim::{Call, World};

/// What a run came to.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// What the server said if it did not start, or could not go on.
    pub(super) error: Option<String>,
    pub(super) runs: u64,
    pub(super) clients: u64,
    pub(super) actions: u64,
    pub(super) answers: u64,
    pub(super) calls: u64,
    pub(super) made: BTreeMap<Call, u64>,
    pub(super) virtual_secs: u64,
    pub(super) faults: BTreeMap<(Call, &'static str), u64>,
    pub(super) plots: BTreeMap<&'static str, u64>,
    pub(super) reasons: BTreeMap<String, u64>,
    /// What happened, if it was to be written down.
    pub(super) trace: Vec<String>,
}

impl Report {
    pub(super) fn of(world: &World) -> Report {
        let faults = world.faults().into_iter();
        let made = Call::ALL.iter().map(|call| (*call, world.calls(*call)));
        Report {
            trace: world.trace(),
            runs: 1,
            calls: made.clone().map(|(_, count)| count).sum(),
            made: made.filter(|(_, count)| *count > 0).collect(),
            faults: faults
                .map(|(call, kind, count)| ((call, kind), count))
                .collect(),
            ..Report::default()
        }
    }

    pub(super) fn add(&mut self, other: Report) {
        self.runs += other.runs;
        self.clients += other.clients;
        self.actions += other.actions;
        self.answers += other.answers;
        self.calls += other.calls;
        self.virtual_secs += other.virtual_secs;
        for (key, count) in other.faults {
            *self.faults.entry(key).or_default() += count;
        }
        for (key, count) in other.plots {
            *self.plots.entry(key).or_default() += count;
        }
        for (key, count) in other.reasons {
            *self.reasons.entry(key).or_default() += count;
        }
    }
}

/// A run that went wrong: what was seen, and what had happened.
pub(super) struct Failure {
    pub(super) what: Vec<String>,
    pub(super) trace: Vec<String>,
}
