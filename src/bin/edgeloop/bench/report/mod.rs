//! What is said in the end.

mod json;
mod svg;
mod text;

use std::fmt::Write;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::load::Load;
use super::schedule::{Pace, Stop};
use super::settings::Settings;
use super::slow::Slowness;
use super::tally::Tally;
use super::target::Target;

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
    /// How much of its core the generator used in that time and while it waited for the last answers.
    busy: Option<f64>,
}

impl<'r> Report<'r> {
    pub(crate) fn new(settings: &'r Settings, target: &'r Target, load: &'r Load) -> Report<'r> {
        let schedule = &load.book.schedule;
        let end = schedule.end().map_or(load.ended, |end| end.min(load.ended));
        Report {
            settings,
            target,
            tally: &load.book.tally,
            slowness: load.slowness,
            measured: end.since(schedule.warm()),
            busy: load.busy.map(|busy| busy.share()),
        }
    }

    /// Whether anything was answered. The error says what went wrong instead.
    pub(crate) fn verdict(&self) -> Result<(), String> {
        if self.tally.answered_in_all() > 0 {
            return Ok(());
        }
        let url = &self.target.url;
        let faults = self.faults();
        Err(match faults.is_empty() {
            true => {
                format!("'{url}' has answered nothing, for nothing was asked; give it more time")
            }
            false => format!("'{url}' has answered nothing: {faults}"),
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
            seconds => count as f64 / seconds,
        }
    }

    fn times(&self) -> &Histogram<u64> {
        &self.tally.times
    }

    /// Percentiles that so many times say something about: beyond the last one there is only the longest.
    fn percentiles(&self) -> impl Iterator<Item = (f64, u64)> {
        let times = self.times();
        let told = move |share: &f64| times.len() as f64 * (1.0 - share / 100.0) >= 1.0;
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
            Stop::After(_) => write!(line, ", {}", text::time(self.measured.as_nanos() as f64)),
            Stop::Requests(count) => write!(line, ", {count} requests"),
        };
        if !settings.warm_up().is_zero() {
            let warm_up = settings.warm_up().as_nanos() as f64;
            let _ = write!(line, " after a warm-up of {}", text::time(warm_up));
        }
        line
    }
}

#[cfg(test)]
mod tests;
