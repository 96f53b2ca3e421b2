//! `edgeloop bench`: a load generator on the same loop that the server runs on.
//!
//! ```text
//!   schedule ──► book ──► connections ──► server        when a request begins; who keeps it; who carries it
//!                 ▲            │
//!                 └── answers ─┘ ──► tally ──► report   what became of it; what was counted; text, JSON, SVG
//! ```
//!
//! Every request that counts begins once, at a time that the [`schedule`] knows, and ends once, as an answer or as a fault.
//! In an open loop its time counts from when it should have begun, whether a connection was free or not; so nothing that a
//! stall delays is left out, neither within it nor behind it.

mod answer;
mod book;
mod busy;
mod connection;
mod load;
mod progress;
pub(crate) mod report;
mod requests;
mod schedule;
pub(crate) mod settings;
mod slow;
pub(crate) mod tally;
mod target;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;

use edgeloop::Signals;
use edgeloop::sys::{Instant, process};

use crate::{Failure, complain};
use book::Book;
use connection::Ways;
use load::Load;
use report::Report;
use requests::Requests;
use schedule::Schedule;
pub(crate) use settings::{BENCH, Settings};

/// The most that a request may have as content.
const BODY_BYTES_MAX: u64 = 64 << 20;

/// Asks, and says what came of it on stdout.
pub(crate) fn bench(settings: &Settings, signals: &Signals) -> Result<(), Failure> {
    let target = settings.check()?;
    // Before anything is asked: it would be a pity afterwards.
    let mut svg = match &settings.svg {
        Some(path) => Some((
            path,
            File::create(path).map_err(|why| unwritten(path, &why))?,
        )),
        None => None,
    };
    let load = drive(settings, signals)?;
    let report = Report::new(settings, target, &load);
    if let Some((path, file)) = &mut svg {
        file.write_all(report.svg().as_bytes())
            .map_err(|why| unwritten(path, &why))?;
    }
    crate::print(&if settings.json {
        report.json()
    } else {
        report.text()
    })?;
    report.verdict().map_err(Failure::Running)
}

/// Asks, until all has been answered or a signal comes.
pub(crate) fn drive<'s>(settings: &Settings, signals: &'s Signals) -> Result<Load<'s>, Failure> {
    let target = settings.check()?;
    let body = match &settings.body_file {
        Some(path) => body(path)?,
        None => Vec::new(),
    };
    if let Err(error) = process::raise_descriptors_max() {
        complain::say(&format!("cannot raise the limit of open files: {error}"));
    }
    let ways = Ways {
        address: target.address.clone(),
        requests: Requests::new(settings, target, &body),
        is_head: settings.method == "HEAD",
        depth: settings.depth,
        churn: settings.churn,
    };
    let now = Instant::now();
    let schedule = Schedule::new(settings.pace(), settings.stop(), settings.warm_up(), now);
    let book = Book::new(schedule, settings.timeout);
    let mut load = Load::new(
        ways,
        book,
        settings.connections,
        settings.slow_readers,
        signals,
    );
    load.run()
        .map_err(|error| Failure::Running(format!("cannot go on: {error}")))?;
    Ok(load)
}

fn body(path: &Path) -> Result<Vec<u8>, Failure> {
    let failure = |why: &str| {
        let path = path.display();
        Failure::Running(format!("cannot take the content from '{path}': {why}"))
    };
    let mut body = Vec::new();
    let file = fs::File::open(path).map_err(|why| failure(&why.to_string()))?;
    file.take(BODY_BYTES_MAX + 1)
        .read_to_end(&mut body)
        .map_err(|why| failure(&why.to_string()))?;
    if body.len() as u64 > BODY_BYTES_MAX {
        return Err(failure("it is larger than 64 MiB"));
    }
    Ok(body)
}

fn unwritten(path: &Path, why: &std::io::Error) -> Failure {
    Failure::Running(format!("cannot write '{}': {why}", path.display()))
}
