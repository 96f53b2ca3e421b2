//! What is said in the end: text for people, JSON for programs and for a later comparison.

mod json;
mod text;

use std::collections::BTreeMap;
use std::ops::AddAssign;

use super::compare::Compared;
use super::samples::Samples;
use super::settings::Orders;
use super::totals::Totals;
use crate::bench::tally::Tally;

pub(crate) use json::Saved;

/// All that was found out.
pub(crate) struct Report<'r> {
    pub(crate) orders: &'r Orders,
    /// The path of the program.
    pub(crate) executable: String,
    pub(crate) rounds: Vec<Totals>,
    pub(crate) answers: Answers,
    /// Why instructions are not counted, if they are not.
    pub(crate) uncounted: Option<String>,
    /// `None` if nobody asked for them. The error says why there are none.
    pub(crate) samples: Option<Result<Samples, String>>,
    /// Calls for each request, in the same way.
    pub(crate) strace: Option<Result<Vec<(String, f64)>, String>>,
    pub(crate) comparisons: Vec<Comparison>,
}

/// What became of the requests, of all rounds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers {
    pub(crate) by_status: BTreeMap<usize, u64>,
    pub(crate) failed: u64,
}

impl Answers {
    pub(crate) fn of(tally: &Tally) -> Answers {
        Answers {
            by_status: tally.statuses().collect(),
            failed: tally.failed_in_all(),
        }
    }
}

impl AddAssign for Answers {
    fn add_assign(&mut self, other: Answers) {
        for (status, count) in other.by_status {
            *self.by_status.entry(status).or_default() += count;
        }
        self.failed += other.failed;
    }
}

/// Everything beside what it was, or is in another build.
pub(crate) struct Comparison {
    /// What it is compared with.
    pub(crate) with: String,
    /// How, in a line.
    pub(crate) how: &'static str,
    pub(crate) rows: Vec<Compared>,
}

impl Report<'_> {
    /// The error names what has become worse.
    pub(crate) fn verdict(&self) -> Result<(), String> {
        let worse: Vec<String> = (self.comparisons.iter())
            .flat_map(|comparison| {
                let rows = comparison.rows.iter().filter(|row| row.is_worse());
                rows.map(|row| {
                    let (name, with) = (row.figure.name.trim(), &comparison.with);
                    format!("{name} {:.2} times that of '{with}'", row.ratio.median)
                })
            })
            .collect();
        if worse.is_empty() {
            return Ok(());
        }
        Err(format!("worse than before: {}", worse.join(", ")))
    }
}
