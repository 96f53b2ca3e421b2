//! The report for people.

use std::fmt::Write;

use super::{Pace, Report, float};

/// A generator that runs for more than this share of the time is likely the limit.
const BUSY: f64 = 0.95;

impl Report<'_> {
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{}\n{}\n\n", self.target.url, self.way());
        // Writing to a String does not fail.
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(text, "  {name:<13} {value}");
        };
        let tally = self.tally;
        line(
            "requests/s",
            &format!("{:.1}", self.per_second(tally.answers)),
        );
        line(
            "received",
            &format!("{}/s", bytes(self.per_second(tally.bytes))),
        );
        line("answered", &tally.answered_in_all().to_string());
        let statuses: Vec<_> = tally
            .statuses()
            .map(|(status, count)| format!("{count} with {status}"))
            .collect();
        if statuses.len() > 1 || tally.statuses().any(|(status, _)| status != 200) {
            line("", &statuses.join(", "));
        }
        match tally.failed_in_all() {
            0 => line("failed", "0"),
            failed => line("failed", &format!("{failed}: {}", self.faults())),
        }
        if tally.unasked > 0 {
            let value = format!(
                "{} connections brought more than was asked for",
                tally.unasked
            );
            line("unasked", &value);
        }
        line("connections", &format!("{} opened", tally.connections));
        if self.slowness.readers > 0 {
            let slow = self.slowness;
            let read = bytes(float(slow.bytes));
            let value = format!(
                "{}: {read} and {} answers read, {} lost",
                slow.readers, slow.answers, slow.lost
            );
            line("slow readers", &value);
        }
        if let Some(busy) = self.busy {
            let note = match self.settings.pace() {
                Pace::Closed if busy.running >= BUSY => ": it is the limit, not the server",
                Pace::Closed => "",
                Pace::Open { .. } => ", looking at the clock included",
            };
            let [running, waiting] = [busy.running, busy.waiting].map(|share| share * 100.0);
            let waiting = match waiting {
                ..1.0 => String::new(),
                _ => format!("; for {waiting:.0} % of the time others had it"),
            };
            line(
                "generator",
                &format!("used {running:.0} % of its core{note}{waiting}"),
            );
        }
        if !self.times().is_empty() {
            text.push_str(&self.table());
        }
        text
    }

    /// The times.
    fn table(&self) -> String {
        let times = self.times();
        let mut text = "\n  time\n".to_owned();
        let mut line = |name: &str, nanos: f64| {
            let _ = writeln!(text, "  {name:>10}    {:>9}", time(nanos));
        };
        line("least", float(times.min()));
        for (share, nanos) in self.percentiles() {
            line(&format!("{share} %"), float(nanos));
        }
        line("most", float(times.max()));
        line("mean", times.mean());
        line("deviation", times.stdev());
        text
    }
}

/// Nanoseconds, in three digits and the unit that fits.
pub(crate) fn time(nanos: f64) -> String {
    scaled(nanos, &[(1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns")])
}

/// Bytes, the same way.
fn bytes(count: f64) -> String {
    scaled(count, &[(1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B")])
}

fn scaled(number: f64, units: &[(f64, &str)]) -> String {
    let fits = units.iter().find(|(unit, _)| number >= unit * 0.9995);
    let (unit, name) = fits.or(units.last()).copied().unwrap_or((1.0, ""));
    let number = number / unit;
    let digits = match number {
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    let mut text = format!("{number:.digits$}");
    if text.contains('.') {
        text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
    }
    format!("{text} {name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_a_unit() {
        for (nanos, wanted) in [
            (0.0, "0 ns"),
            (999.0, "999 ns"),
            (1_000.0, "1 µs"),
            (1_234.0, "1.23 µs"),
            (45_678.0, "45.7 µs"),
            (999_949.0, "1 ms"),
            (10e9, "10 s"),
            (3_600e9, "3600 s"),
        ] {
            assert_eq!(time(nanos), wanted);
        }
        assert_eq!(bytes(123_456_789.0), "123 MB");
    }
}
