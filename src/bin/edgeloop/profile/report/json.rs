//! The report for programs, and reading it again. Names end in their units; what is not known is null.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::Report;
use crate::profile::figure::{FIGURES, Figure, Spread};

/// Changes when what is written could be misunderstood by who reads the older form.
const FORM: u64 = 1;

/// A report is not larger.
const BYTES_MAX: u64 = 1 << 20;

impl Report<'_> {
    pub(crate) fn json(&self) -> String {
        let orders = self.orders;
        let figures = FIGURES.iter().filter_map(|figure| {
            let values = figure.values(&self.rounds)?;
            let spread = Spread::of(&values)?;
            let (least, median, most) = (spread.least, spread.median, spread.most);
            let row = json!({"median": median, "least": least, "most": most, "rounds": values});
            Some((figure.key.to_owned(), row))
        });
        let samples = self.samples.as_ref().and_then(|it| it.as_ref().ok());
        let report = json!({
            "edgeloop_profile": FORM,
            "version": env!("CARGO_PKG_VERSION"),
            "executable": self.executable,
            "serve": served(orders),
            "asked": orders.settings.asked(),
            "rounds": self.rounds.len(),
            "slice_s": orders.settings.slice.as_secs_f64(),
            "answers": object(self.answers.by_status.iter().map(|(status, count)| {
                (status.to_string(), json!(count))
            })),
            "failed": self.answers.failed,
            "figures": object(figures),
            "phases": samples.map(|samples| object(samples.phases().map(|(phase, seen)| {
                let row = json!({"user_samples": seen.user, "system_samples": seen.system});
                (phase.name().to_owned(), row)
            }))),
            "symbols": samples.map(|samples| {
                let rows = samples.top(usize::MAX).into_iter().map(|(name, is_kernel, count)| {
                    json!({"name": name, "kernel": is_kernel, "samples": count})
                });
                rows.collect::<Vec<_>>()
            }),
            "strace": self.strace.as_ref().and_then(|it| it.as_ref().ok()).map(|calls| {
                object(calls.iter().map(|(name, count)| (name.clone(), json!(count))))
            }),
            "comparisons": self.comparisons.iter().map(|comparison| json!({
                "with": comparison.with,
                "figures": object(comparison.rows.iter().map(|row| {
                    let Spread { least, median, most } = row.ratio;
                    let row_of = json!({
                        "now": row.now, "base": row.base, "worse": row.is_worse(),
                        "ratio": {"median": median, "least": least, "most": most},
                    });
                    (row.figure.key.to_owned(), row_of)
                })),
            })).collect::<Vec<_>>(),
        });
        format!("{report:#}\n")
    }
}

fn served(orders: &crate::profile::settings::Orders) -> Vec<String> {
    let words = orders.words.iter();
    words
        .map(|word| word.to_string_lossy().into_owned())
        .collect()
}

fn object(pairs: impl Iterator<Item = (String, Value)>) -> Map<String, Value> {
    pairs.collect()
}

/// A report of another time, as much of it as is compared.
#[derive(Debug)]
pub(crate) struct Saved {
    figures: BTreeMap<String, Spread>,
    served: Vec<String>,
    asked: Vec<String>,
}

impl Saved {
    /// Reads a report that [`Report::json`] has written. The error says why it is none.
    pub(crate) fn read(path: &Path) -> Result<Saved, String> {
        let length = std::fs::metadata(path)
            .map_err(|error| error.to_string())?
            .len();
        if length > BYTES_MAX {
            return Err("it is larger than 1 MiB, and a report is not".into());
        }
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        Saved::parse(&text)
    }

    fn parse(text: &str) -> Result<Saved, String> {
        let none = || "it is no report of edgeloop profile --json".to_owned();
        let report: Value = serde_json::from_str(text).map_err(|_| none())?;
        match report["edgeloop_profile"].as_u64() {
            Some(FORM) => {}
            Some(_) => return Err("it is a report of another version; take it anew".into()),
            None => return Err(none()),
        }
        let words = |name: &str| {
            let words = report[name].as_array()?.iter();
            words
                .map(|word| Some(word.as_str()?.to_owned()))
                .collect::<Option<Vec<_>>>()
        };
        let figures = report["figures"].as_object().ok_or_else(none)?;
        let figures = figures.iter().map(|(key, row)| {
            let spread = Spread {
                least: row["least"].as_f64()?,
                median: row["median"].as_f64()?,
                most: row["most"].as_f64()?,
            };
            Some((key.clone(), spread))
        });
        Ok(Saved {
            figures: figures.collect::<Option<_>>().ok_or_else(none)?,
            served: words("serve").ok_or_else(none)?,
            asked: words("asked").ok_or_else(none)?,
        })
    }

    pub(crate) fn figure(&self, figure: &Figure) -> Option<Spread> {
        self.figures.get(figure.key).copied()
    }

    /// Whether it was taken in the way that is asked for now. The error names both.
    pub(crate) fn fits(&self, orders: &crate::profile::settings::Orders) -> Result<(), String> {
        let (served, asked) = (served(orders), orders.settings.asked());
        if (&self.served, &self.asked) == (&served, &asked) {
            return Ok(());
        }
        let way = |asked: &[String], served: &[String]| {
            format!("'{} -- {}'", asked.join(" "), served.join(" "))
        };
        Err(format!(
            "it was taken with {}, and this is {}; only what is alike is compared",
            way(&self.asked, &self.served),
            way(&asked, &served),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_report_says_so() {
        for (text, why) in [
            ("", "it is no report"),
            ("{}", "it is no report"),
            ("{\"edgeloop_profile\":2}", "another version"),
            ("{\"edgeloop_profile\":1}", "it is no report"),
            (
                "{\"edgeloop_profile\":1,\"figures\":{\"cpu_ns\":{\"least\":1}},\"serve\":[],\"asked\":[]}",
                "it is no report",
            ),
        ] {
            let said = Saved::parse(text).expect_err(text);
            assert!(said.contains(why), "{text}: {said}");
        }
        let saved = Saved::read(Path::new("/nowhere/a.json")).expect_err("no file");
        assert!(saved.contains("os error 2"), "{saved}");
    }
}
