//! What runs came to.

use std::collections::BTreeMap;

use edgeloop::server::pool::PoolStats;
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
    /// Answers of completers that nobody waited for any more.
    pub(super) late: u64,
    /// What became of jobs, and threads that could not be started.
    pub(super) jobs: (PoolStats, u64),
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
        self.late += other.late;
        let (jobs, (more, failed_starts)) = (&mut self.jobs.0, other.jobs);
        for (count, more) in [
            (&mut jobs.ended, more.ended),
            (&mut jobs.panicked, more.panicked),
            (&mut jobs.refused, more.refused),
            (&mut jobs.expired, more.expired),
            (&mut jobs.skipped, more.skipped),
        ] {
            *count += more;
        }
        self.jobs.1 += failed_starts;
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

    /// The kinds of faults, and how often each has hit.
    pub(super) fn kinds(&self) -> Vec<(&'static str, u64)> {
        let files = [
            Call::OpenResolved,
            Call::Metadata,
            Call::ReadAt,
            Call::SendFile,
        ];
        let of = |is: &dyn Fn(Call, &str) -> bool| {
            let hit = self
                .faults
                .iter()
                .filter(|((call, kind), _)| is(*call, kind));
            hit.map(|(_, count)| count).sum()
        };
        let on = |call: Call, kind: &'static str| of(&|it, what| it == call && what == kind);
        let any = |kind: &'static str| of(&|_, what| what == kind);
        vec![
            ("EINTR", any("EINTR")),
            ("EAGAIN although there is something", any("EAGAIN")),
            (
                "short reads",
                on(Call::Recv, "short") + on(Call::ReadAt, "short"),
            ),
            (
                "short writes",
                on(Call::Send, "short") + on(Call::SendFile, "short"),
            ),
            ("ECONNRESET", any("ECONNRESET")),
            ("EPIPE", any("EPIPE")),
            ("EMFILE on accept", on(Call::Accept, "EMFILE")),
            ("ENFILE on accept", on(Call::Accept, "ENFILE")),
            ("ENOBUFS on accept", on(Call::Accept, "ENOBUFS")),
            ("ENOMEM on accept", on(Call::Accept, "ENOMEM")),
            (
                "ENOMEM elsewhere",
                of(&|call, kind| call != Call::Accept && kind == "ENOMEM"),
            ),
            (
                "EIO from files",
                of(&|call, kind| files.contains(&call) && kind == "EIO"),
            ),
            ("sendfile at an end", on(Call::SendFile, "end")),
            ("clocks that leap", any("leap")),
            ("spurious events", any("spurious")),
            ("stale events", any("stale")),
            ("answers too late", self.late),
            ("jobs that panic", self.jobs.0.panicked),
            ("jobs without room", self.jobs.0.refused),
            ("jobs too late", self.jobs.0.expired),
            ("jobs for nobody", self.jobs.0.skipped),
            ("threads that do not start", self.jobs.1),
        ]
    }
}

/// A run that went wrong: what was seen, and what had happened.
pub(super) struct Failure {
    pub(super) what: Vec<String>,
    pub(super) trace: Vec<String>,
}
