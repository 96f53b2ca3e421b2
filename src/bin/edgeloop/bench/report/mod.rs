//! What is said in the end.

mod json;
mod svg;
mod text;

use std::fmt::Write;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::busy::Shares;
use super::load::Load;
use super::schedule::{Pace, Stop};
use super::settings::Settings;
use super::slow::Slowness;
use super::tally::Tally;
use super::target::Target;

pub(crate) use text::time;

/// Shares of the requests, in percent, whose times are told.
const PERCENTILES: [f64; 8] = [50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99, 99.999];

/// All that a report says.
pub(crate) struct Report<'r> {
    settings: &'r Settings,
    target: &'r Target,
    tally: &'r Tally,
    slowness: Slowness,
    /// From the end of the warm-up to that of the schedule, or to the end if that came first.
    measured: Duration,
    /// What the generator did in that time and until the last answer.
    busy: Option<Shares>,
}

impl<'r> Report<'r> {
    pub(crate) fn new(
        settings: &'r Settings,
        target: &'r Target,
        load: &'r Load<'_>,
    ) -> Report<'r> {
        let schedule = &load.book.schedule;
        let end = schedule.end().map_or(load.ended, |end| end.min(load.ended));
        Report {
            settings,
            target,
            tally: &load.book.tally,
            slowness: load.slowness,
            measured: end.since(schedule.warm()),
            busy: load.busy.map(|busy| busy.shares()),
        }
    }

    /// Whether anything was answered. The error says what went wrong instead.
    pub(crate) fn verdict(&self) -> Result<(), String> {
        if self.tally.answered_in_all() > 0 {
            return Ok(());
        }
        let (url, faults) = (&self.target.url, self.faults());
        Err(if faults.is_empty() {
            format!("'{url}' has answered nothing, for nothing was asked; give it more time")
        } else {
            format!("'{url}' has answered nothing: {faults}; see that a server listens there")
        })
    }

    /// Requests without an answer, by fault.
    fn faults(&self) -> String {
        let mut text = String::new();
        for (fault, failed) in self.tally.faults().filter(|(_, failed)| failed.count > 0) {
            let comma = if text.is_empty() { "" } else { ", " };
            let (name, count) = (fault.name(), failed.count);
            let first = failed.first.as_deref().unwrap_or_default();
            let _ = write!(text, "{comma}{count} {name} ({first})"); // a String takes everything
        }
        text
    }

    /// A second's worth of what came in the time that was measured.
    fn per_second(&self, count: u64) -> f64 {
        match self.measured.as_secs_f64() {
            0.0 => 0.0,
            seconds => float(count) / seconds,
        }
    }

    fn times(&self) -> &Histogram<u64> {
        &self.tally.times
    }

    /// Percentiles that so many times say something about: beyond the last one there is only the longest.
    fn percentiles(&self) -> impl Iterator<Item = (f64, u64)> {
        let times = self.times();
        let told = move |share: &f64| float(times.len()) * (1.0 - share / 100.0) >= 1.0;
        let shares = PERCENTILES.into_iter().filter(told);
        shares.map(move |share| (share, times.value_at_percentile(share)))
    }

    /// What was done, in a line.
    fn way(&self) -> String {
        let settings = self.settings;
        let many = if settings.connections == 1 { "" } else { "s" };
        let mut line = format!(
            "{}, {} connection{many}",
            settings.method, settings.connections
        );
        if settings.churn {
            line.push_str(", each for one request");
        }
        // Writing to a String does not fail.
        if settings.depth > 1 {
            let _ = write!(line, ", depth {}", settings.depth);
        }
        let _ = match settings.pace() {
            Pace::Closed => write!(line, ", closed loop"),
            Pace::Open { rate } => write!(line, ", open loop at {rate} requests/s"),
        };
        if let Some(bytes) = settings.split {
            let _ = write!(line, ", written in pieces of {bytes} bytes");
        }
        let _ = match settings.stop() {
            Stop::After(_) => write!(line, ", {}", text::time(nanos(self.measured))),
            Stop::Requests(count) => write!(line, ", {count} requests"),
        };
        if !settings.warm_up().is_zero() {
            let warm_up = text::time(nanos(settings.warm_up()));
            let _ = write!(line, " after a warm-up of {warm_up}");
        }
        line
    }
}

/// A count as a number to reckon with.
#[expect(
    clippy::cast_precision_loss,
    reason = "nobody reads the digits beyond the fifteenth"
)]
pub(super) fn float(count: u64) -> f64 {
    count as f64
}

fn nanos(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}

#[cfg(test)]
mod tests;
