//! `edgeloop profile`: a server is started, asked, and looked at from outside and inside.
//!
//! ```text
//!   server (a child) ◄── load (of `bench`)          a slice: asked as long as it lasts, at rest before and after
//!     │ counters, /proc, perf_event_open            readings on both sides of a slice; the difference is its totals
//!     ▼
//!   totals ──► figures ──► spread over the rounds ──► compared with another build, or with a saved report
//!   perf ──► samples ──► phases, symbols              in a slice of their own, which nothing else is measured in
//! ```
//!
//! Connections are opened and closed within each slice and are in the figures, as shares of a request. What the reading itself
//! costs the server, a turn and a line of text, is taken off: it is what two readings in a row differ by.

mod compare;
mod cpu;
mod figure;
mod perf;
mod report;
mod samples;
mod scratch;
mod server;
mod settings;
mod strace;
mod totals;

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

use edgeloop::Signals;
use edgeloop::sys::{Instant, process};

use crate::Failure;
use crate::bench::{self, report::Report as Load};
use report::{Answers, Comparison, Report, Saved};
use samples::Samples;
use scratch::Scratch;
use server::Server;
use settings::{Orders, PROFILE};
use totals::{Totals, float};

/// The program that runs. The path by which it was started may lead to another one by now.
const OURSELVES: &str = "/proc/self/exe";

/// After a slice: the server has seen the end of the last connections by then.
const REST: Duration = Duration::from_millis(20);

/// How long the server is asked at least while perf looks: it takes a while to begin.
const SAMPLED: Duration = Duration::from_secs(2);

/// Reads the arguments that follow `profile`, and profiles.
pub(crate) fn profile(mut words: lexopt::Parser, signals: &Signals) -> Result<(), Failure> {
    let words = words.raw_args().map_err(|error| PROFILE.misused(&error))?;
    let words: Vec<_> = words.collect();
    match Orders::parse(&words)? {
        None => crate::print(&PROFILE.help()),
        Some(orders) => run(&orders, signals),
    }
}

fn run(orders: &Orders, signals: &Signals) -> Result<(), Failure> {
    let settings = &orders.settings;
    // Both before anything is asked: it would be a pity afterwards.
    let saved = match &settings.against {
        Some(path) => Some((path, saved(path, orders)?)),
        None => None,
    };
    let mut json = match &settings.json {
        Some(path) => Some((
            path,
            File::create(path).map_err(|why| unwritten(path, &why))?,
        )),
        None => None,
    };
    let servers = Servers::start(orders, signals)?;
    let Rounds {
        ours,
        base,
        answers,
    } = servers.rounds()?;
    let scratch = Scratch::new().map_err(|error| {
        Failure::Running(format!("cannot make a directory for perf's files: {error}"))
    })?;
    let samples = if settings.perf {
        Some(servers.sample(&scratch)?)
    } else {
        None
    };
    let strace = if settings.strace {
        Some(servers.trace(&scratch)?)
    } else {
        None
    };
    let tolerance = settings.tolerance();
    let with_build = settings.base.as_ref().map(|path| Comparison {
        with: path.display().to_string(),
        how: "asked in turn, compared pair by pair",
        rows: compare::pairs(&ours, &base, tolerance),
    });
    let with_report = saved.map(|(path, saved)| Comparison {
        with: path.display().to_string(),
        how: "of another time, compared by ranges",
        rows: compare::ranges(&ours, |figure| saved.figure(figure), tolerance),
    });
    let report = Report {
        orders,
        executable: executable(),
        rounds: ours,
        answers,
        uncounted: servers.ours.uncounted().map(why_uncounted),
        samples,
        strace,
        comparisons: with_build.into_iter().chain(with_report).collect(),
    };
    if let Some((path, file)) = &mut json {
        file.write_all(report.json().as_bytes())
            .map_err(|why| unwritten(path, &why))?;
    }
    crate::print(&report.text())?;
    report.verdict().map_err(Failure::Running)
}

/// The servers that are asked.
struct Servers<'r> {
    orders: &'r Orders,
    signals: &'r Signals,
    places: Option<Places>,
    ours: Server,
    /// The other build.
    base: Option<Server>,
}

/// What was measured: as many rounds of both, or none of the base.
struct Rounds {
    ours: Vec<Totals>,
    base: Vec<Totals>,
    answers: Answers,
}

impl<'r> Servers<'r> {
    /// Each is asked once, so that what is only slow at first is over.
    fn start(orders: &'r Orders, signals: &'r Signals) -> Result<Servers<'r>, Failure> {
        let places = Places::of(orders)?;
        let base = orders.settings.base.as_deref();
        let servers = Servers {
            orders,
            signals,
            places,
            ours: start(orders, Path::new(OURSELVES), places)?,
            base: base.map(|path| start(orders, path, places)).transpose()?,
        };
        for server in [&servers.ours].into_iter().chain(&servers.base) {
            servers.slice(server)?;
        }
        Ok(servers)
    }

    /// This one, that one, that one, this one: what changes steadily meanwhile hits both alike.
    fn rounds(&self) -> Result<Rounds, Failure> {
        let mut rounds = Rounds {
            ours: Vec::new(),
            base: Vec::new(),
            answers: Answers::default(),
        };
        for _ in 0..self.orders.settings.rounds {
            let (mut ours, answers) = self.slice(&self.ours)?;
            rounds.answers += answers;
            if let Some(server) = &self.base {
                let (mut base, _) = self.slice(server)?;
                base += self.slice(server)?.0;
                rounds.base.push(base);
                let (again, answers) = self.slice(&self.ours)?;
                ours += again;
                rounds.answers += answers;
            }
            rounds.ours.push(ours);
        }
        Ok(rounds)
    }

    /// Asks for as long as a slice lasts.
    fn slice(&self, server: &Server) -> Result<(Totals, Answers), Failure> {
        let load = self.orders.settings.load(&server.url)?;
        let idle = server.read()?;
        let before = server.read()?;
        let begun = Instant::now();
        let asked = bench::drive(&load, self.signals)?;
        let time = Instant::now().since(begun);
        if asked.is_cut {
            let why = "a signal came before all was measured; nothing is reported";
            return Err(Failure::Running(why.to_owned()));
        }
        let target = load.check()?;
        let verdict = Load::new(&load, target, &asked).verdict();
        verdict.map_err(Failure::Running)?;
        let answers = Answers::of(&asked.book.tally);
        drop(asked); // its connections end
        thread::sleep(REST);
        let after = server.read()?;
        Ok((Totals::between(&idle, &before, &after, time), answers))
    }

    /// What perf sees of a server of its own.
    fn sample(&self, scratch: &Scratch) -> Result<Result<Samples, String>, Failure> {
        perf::sample(self.another()?, scratch, |server| {
            let end = Instant::now() + SAMPLED;
            while Instant::now() < end {
                self.slice(server)?;
            }
            Ok(())
        })
    }

    /// System calls for each request, as strace sees them of a server of its own.
    fn trace(&self, scratch: &Scratch) -> Result<Result<Vec<(String, f64)>, String>, Failure> {
        let mut requests = 0.0;
        let calls = strace::count(self.another()?, scratch, |server| {
            requests = self.slice(server)?.0.requests();
            Ok(())
        })?;
        Ok(calls.map(|calls| {
            let share = |(name, count)| (name, float(count) / requests);
            calls.into_iter().map(share).collect()
        }))
    }

    fn another(&self) -> Result<Server, Failure> {
        start(self.orders, Path::new(OURSELVES), self.places)
    }
}

/// Which processor servers run on, and which this thread.
#[derive(Clone, Copy)]
struct Places {
    theirs: usize,
    ours: usize,
}

impl Places {
    /// `None` where nobody is kept to one: it is not wanted, there are not two, or a server has several threads.
    fn of(orders: &Orders) -> Result<Option<Places>, Failure> {
        if !orders.settings.pin || orders.serve.cores > 1 {
            return Ok(None);
        }
        let processors = process::processors().map_err(|error| unpinned(&error))?;
        Ok(match processors[..] {
            [theirs, .., ours] => Some(Places { theirs, ours }),
            [] | [_] => None,
        })
    }
}

/// Starts a server in its place: what a thread is kept to, its children are.
fn start(orders: &Orders, executable: &Path, places: Option<Places>) -> Result<Server, Failure> {
    let start = || Server::start(executable, &orders.words, orders.serve.cores);
    let Some(Places { theirs, ours }) = places else {
        return start();
    };
    process::pin(theirs).map_err(|error| unpinned(&error))?;
    let started = start();
    process::pin(ours).map_err(|error| unpinned(&error))?;
    started
}

fn unpinned(error: &io::Error) -> Failure {
    Failure::Running(format!("cannot keep to a processor: {error}; try --pin=no"))
}

fn saved(path: &Path, orders: &Orders) -> Result<Saved, Failure> {
    let saved = Saved::read(path).and_then(|saved| saved.fits(orders).map(|()| saved));
    saved.map_err(|why| {
        let path = path.display();
        Failure::Running(format!("cannot compare with '{path}': {why}"))
    })
}

fn unwritten(path: &Path, why: &io::Error) -> Failure {
    Failure::Running(format!("cannot write '{}': {why}", path.display()))
}

fn executable() -> String {
    let path = std::env::current_exe();
    path.map_or_else(|_| OURSELVES.to_owned(), |path| path.display().to_string())
}

/// Why instructions are not counted, and what to do.
fn why_uncounted(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => {
            "not counted: this machine has no hardware counters (ENOENT)".to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            "not counted: see /proc/sys/kernel/perf_event_paranoid".to_owned()
        }
        _ => format!("not counted: {error}"),
    }
}
