//! The report for people, on 80 columns.

use std::fmt::Write;

use super::{Comparison, Report};
use crate::bench::report::time;
use crate::profile::figure::{FIGURES, Figure, Spread, Unit};
use crate::profile::perf::RATE;
use crate::profile::samples::Samples;
use crate::profile::totals::{Totals, float, resolution};

/// A server that has its core for less than this share of the time is not what limits the load.
const BUSY: f64 = 0.5;

/// How many functions are named.
const SYMBOLS: usize = 12;

impl Report<'_> {
    pub(crate) fn text(&self) -> String {
        let mut text = self.way();
        text.push_str(&self.figures());
        text.push_str(&self.notes());
        if let Some(strace) = &self.strace {
            text.push_str(&calls(strace.as_deref()));
        }
        if let Some(samples) = &self.samples {
            text.push_str(&sampled(samples.as_ref()));
        }
        for comparison in &self.comparisons {
            text.push_str(&compared(comparison));
        }
        text
    }

    /// What was done, in two lines.
    fn way(&self) -> String {
        let settings = &self.orders.settings;
        let words: Vec<_> = (self.orders.words.iter())
            .map(|word| word.to_string_lossy())
            .collect();
        let slice = time(settings.slice.as_secs_f64() * 1e9);
        format!(
            "{} serve {}\n{}\n{} rounds of {slice}\n\n",
            self.executable,
            words.join(" "),
            settings.asked().join(" "),
            self.rounds.len(),
        )
    }

    fn figures(&self) -> String {
        let mut text = format!(
            "  {:<20}{:>12}{:>12}{:>12}\n",
            "a request takes", "median", "least", "most"
        );
        for figure in FIGURES {
            let spread = figure.values(&self.rounds).and_then(|it| Spread::of(&it));
            let Some(spread) = spread.filter(|spread| is_told(figure, *spread)) else {
                continue;
            };
            let told = |number: f64| told(figure.unit, number);
            let name = figure.name;
            let (median, least, most) =
                (told(spread.median), told(spread.least), told(spread.most));
            // Writing to a String does not fail.
            let _ = writeln!(text, "  {name:<20}{median:>12}{least:>12}{most:>12}");
        }
        text
    }

    /// What is to be known of the figures.
    fn notes(&self) -> String {
        let mut text = String::new();
        let mut note = |note: &str| {
            let _ = writeln!(text, "  {note}");
        };
        note(&format!("({})", resolution()));
        let busy: Vec<_> = self.rounds.iter().map(Totals::busy).collect();
        if Spread::of(&busy).is_some_and(|busy| busy.median < BUSY) {
            note("(it waited most of the time: what asks, or others, had the processors)");
        }
        if let Some(why) = &self.uncounted {
            note(&format!("instructions: {why}"));
        }
        if self.answers.by_status.keys().any(|status| *status != 200) {
            let counts = self.answers.by_status.iter();
            let counts: Vec<_> = counts
                .map(|(status, n)| format!("{n} with {status}"))
                .collect();
            note(&format!("answers: {}", counts.join(", ")));
        }
        if self.answers.failed > 0 {
            note(&format!("{} requests got no answer", self.answers.failed));
        }
        text
    }
}

/// Whether there is anything to it: what never happens is left out, unless it is judged.
fn is_told(figure: &Figure, spread: Spread) -> bool {
    figure.judged || figure.unit != Unit::Times || spread.most >= 0.0005
}

fn told(unit: Unit, number: f64) -> String {
    match (unit, number) {
        (Unit::Nanoseconds, _) => time(number),
        (Unit::Times, ..100.0) => format!("{number:.3}"),
        (Unit::Times | Unit::Rate, _) => format!("{number:.0}"),
        (Unit::Share, _) => format!("{:.0} %", number * 100.0),
    }
}

fn calls(calls: Result<&[(String, f64)], &String>) -> String {
    let mut text = "\n  system calls by strace, which slows it down\n".to_owned();
    match calls {
        Err(why) => {
            let _ = writeln!(text, "  not counted: {why}");
        }
        Ok(calls) => {
            for (name, count) in calls.iter().filter(|(_, count)| *count >= 0.0005) {
                let _ = writeln!(text, "    {name:<18}{count:>12.3}");
            }
        }
    }
    text
}

fn sampled(samples: Result<&Samples, &String>) -> String {
    let samples = match samples {
        Ok(samples) => samples,
        Err(why) => return format!("\n  time by phase: not known: {why}\n"),
    };
    let all = float(samples.count().max(1));
    let share = |count: u64| format!("{:.1} %", float(count) * 100.0 / all);
    let mut text = format!(
        "\n  {:<20}{:>12}{:>12}{:>12}\n",
        "time by phase", "all", "user", "system"
    );
    for (phase, seen) in samples.phases() {
        let (name, all, user, system) = (
            phase.name(),
            share(seen.all()),
            share(seen.user),
            share(seen.system),
        );
        let _ = writeln!(text, "    {name:<18}{all:>12}{user:>12}{system:>12}");
    }
    let _ = writeln!(
        text,
        "  ({} samples by perf, {RATE} a second)\n\n  top functions",
        samples.count()
    );
    for (name, is_kernel, count) in samples.top(SYMBOLS) {
        let whose = if is_kernel { "kernel " } else { "" };
        let name: String = name.chars().take(56).collect();
        let _ = writeln!(text, "    {:>7}  {whose}{name}", share(count));
    }
    text
}

fn compared(comparison: &Comparison) -> String {
    let Comparison { with, how, rows } = comparison;
    let mut text = format!(
        "\n  with {with}: {how}\n  {:<20}{:>11}{:>11}{:>8}   {}\n",
        "a request takes", "now", "base", "ratio", "least .. most"
    );
    for row in rows {
        let of_both = Spread {
            least: row.now.min(row.base),
            median: row.now,
            most: row.now.max(row.base),
        };
        if !is_told(row.figure, of_both) {
            continue;
        }
        let (name, unit) = (row.figure.name, row.figure.unit);
        let (now, base) = (told(unit, row.now), told(unit, row.base));
        let [ratio, least, most] = [row.ratio.median, row.ratio.least, row.ratio.most].map(times);
        let verdict = row.verdict.name();
        let line =
            format!("  {name:<20}{now:>11}{base:>11}{ratio:>8}   {least} .. {most}  {verdict}");
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// A ratio. Of something to nothing it is as good as without end.
fn times(ratio: f64) -> String {
    match ratio {
        ..1000.0 => format!("{ratio:.2}"),
        _ => "> 999".to_owned(),
    }
}
