//! What a server did between two moments at which nobody asked it anything.

use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::time::Duration;

use serde_json::Value;

use super::cpu::{Cpu, TICKS_PER_SECOND};

/// The server's own counters, by name: another build may have others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts(BTreeMap<String, u64>);

/// All that was read of a server at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) counts: Counts,
    pub(crate) cpu: Cpu,
    /// `None` where there is no counter.
    pub(crate) instructions: Option<u64>,
}

/// What happened between two readings, or between several pairs of them together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Totals {
    counts: Counts,
    cpu: Cpu,
    instructions: Option<u64>,
    time: Duration,
}

impl Counts {
    /// A line that a core has written, if it is one (`{"core":0,"counters":{…}}`).
    pub(crate) fn of_line(line: &str) -> Option<Counts> {
        let told: Value = serde_json::from_str(line).ok()?;
        told.get("core")?;
        let counters = told.get("counters")?.as_object()?.iter();
        let counts = counters.map(|(name, value)| Some((name.clone(), value.as_u64()?)));
        Some(Counts(counts.collect::<Option<_>>()?))
    }

    fn since(&self, earlier: &Counts) -> Counts {
        let passed = self.0.iter().map(|(name, value)| {
            let before = earlier.0.get(name).copied().unwrap_or_default();
            (name.clone(), value.saturating_sub(before))
        });
        Counts(passed.collect())
    }
}

/// Of several cores, or rounds.
impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        for (name, value) in other.0 {
            *self.0.entry(name).or_default() += value;
        }
    }
}

impl Totals {
    /// Between the second and the third of three readings. Nothing was asked between the first two, so what they differ by is
    /// what a reading costs.
    pub(crate) fn between(
        idle: &Reading,
        before: &Reading,
        after: &Reading,
        time: Duration,
    ) -> Totals {
        let cost = before.counts.since(&idle.counts);
        let instructions = after.instructions.zip(before.instructions);
        Totals {
            counts: after.counts.since(&before.counts).since(&cost),
            cpu: after.cpu.since(&before.cpu),
            instructions: instructions.map(|(after, before)| after.saturating_sub(before)),
            time,
        }
    }

    /// The sum of some counters for each request, if the server has them all.
    pub(crate) fn counted(&self, names: &[&str]) -> Option<f64> {
        let counts = names.iter().map(|name| self.counts.0.get(*name));
        let sum: u64 = counts.sum::<Option<u64>>()?;
        Some(float(sum) / self.requests())
    }

    pub(crate) fn cpu_nanos(&self) -> f64 {
        float(self.cpu.nanos()) / self.requests()
    }

    /// Of the nanoseconds, the share that the ticks say. `None` if there was none.
    pub(crate) fn user_nanos(&self) -> Option<f64> {
        let ticks = self.cpu.user_ticks + self.cpu.system_ticks;
        let share = float(self.cpu.user_ticks) / float(ticks);
        (ticks > 0).then(|| self.cpu_nanos() * share)
    }

    pub(crate) fn instructions(&self) -> Option<f64> {
        Some(float(self.instructions?) / self.requests())
    }

    pub(crate) fn rate(&self) -> f64 {
        self.requests() / self.time.as_secs_f64()
    }

    /// The share of one core's time.
    pub(crate) fn busy(&self) -> f64 {
        float(self.cpu.nanos()) / 1e9 / self.time.as_secs_f64()
    }

    /// How many there were.
    pub(crate) fn requests(&self) -> f64 {
        float(self.counts.0.get("requests").copied().unwrap_or_default())
    }
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Totals) {
        self.counts += other.counts;
        self.cpu += other.cpu;
        self.instructions = match (self.instructions, other.instructions) {
            (Some(one), Some(other)) => Some(one + other),
            (one, other) => one.or(other),
        };
        self.time += other.time;
    }
}

/// How far apart the two times can be told, in words.
pub(crate) fn resolution() -> String {
    format!(
        "user and system are told apart by ticks of {} ms",
        1000 / TICKS_PER_SECOND
    )
}

/// A count as a number to reckon with.
#[expect(
    clippy::cast_precision_loss,
    reason = "nobody reads the digits beyond the fifteenth"
)]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(requests: u64, sends: u64) -> Counts {
        let line =
            format!("{{\"core\":0,\"counters\":{{\"requests\":{requests},\"sends\":{sends}}}}}");
        Counts::of_line(&line).expect("a line of a core")
    }

    fn reading(requests: u64, sends: u64, ms: u64, instructions: Option<u64>) -> Reading {
        Reading {
            counts: counts(requests, sends),
            cpu: Cpu::sum([ms * 1_000_000], ms / 10, 3 * (ms / 10)),
            instructions,
        }
    }

    #[test]
    fn other_lines_are_none_of_a_core() {
        for line in [
            "edgeloop: no such file",
            "{\"cores\":1,\"counters\":{\"requests\":1}}",
            "{\"core\":0}",
            "{\"core\":0,\"counters\":{\"requests\":\"a\"}}",
        ] {
            assert_eq!(Counts::of_line(line), None, "{line}");
        }
    }

    #[test]
    fn figures_are_of_a_request() {
        // A reading costs a send.
        let idle = reading(10, 9, 0, Some(0));
        let before = reading(10, 10, 0, Some(1000));
        let after = reading(110, 61, 200, Some(201_000));
        let mut totals = Totals::between(&idle, &before, &after, Duration::from_secs(1));
        assert_eq!(totals.counted(&["sends"]), Some(0.5));
        assert_eq!(totals.counted(&["requests", "sends"]), Some(1.5));
        assert_eq!(totals.counted(&["sends", "recvs"]), None, "no such counter");
        let near = |a: f64, b: f64| (a - b).abs() < 1e-6;
        assert!(near(totals.cpu_nanos(), 2e6) && near(totals.rate(), 100.0));
        assert!(near(totals.busy(), 0.2));
        assert!(totals.user_nanos().is_some_and(|nanos| near(nanos, 5e5)));
        assert_eq!(totals.instructions(), Some(2000.0));
        // Twice as much in twice the time is the same for each request.
        totals += totals.clone();
        assert!(near(totals.cpu_nanos(), 2e6) && near(totals.rate(), 100.0));
        assert_eq!(totals.instructions(), Some(2000.0));
    }
}
