//! Many runs, each from a seed; one of them again with `SEED=n`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Once};

use super::report::{Failure, Report};
use super::run::run;
use super::small;

/// Seeds of a run of the tests. More with `SEEDS=n`, others with `FIRST_SEED=n`.
const SEEDS: u64 = 2_000;
/// Seeds of a run in CI: with so many each kind of fault hits a thousand times.
const MANY: u64 = 50_000;
/// Failures after which no more are looked for, unless `FAILURES=n` says otherwise.
const SHOWN: usize = 20;

#[test]
fn whatever_happens_every_request_gets_its_answer() {
    keep_quiet();
    if let Some(seed) = number("SEED") {
        match play(seed, true) {
            Ok(report) => println!("{report:#?}"),
            Err(failure) => show(seed, &failure),
        }
        return;
    }
    let first = number("FIRST_SEED").unwrap_or(1);
    let last = first + number("SEEDS").unwrap_or(SEEDS);
    let shown = number("FAILURES").map_or(SHOWN, |count| count as usize);
    let next = AtomicU64::new(first);
    let total = Mutex::new((Report::default(), Vec::new()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut sum = Report::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= last || total.lock().expect("no panic").1.len() >= shown {
                        break;
                    }
                    match play(seed, false) {
                        Ok(report) => sum.add(report),
                        Err(failure) => total.lock().expect("no panic").1.push((seed, failure)),
                    }
                }
                total.lock().expect("no panic").0.add(sum);
            });
        }
    });
    let (report, mut failures) = total.into_inner().expect("no panic");
    failures.sort_by_key(|(seed, _)| *seed);
    for (seed, failure) in &failures {
        println!("seed {seed}: {}", failure.what.join("\n    "));
    }
    if let Some((seed, _)) = failures.first() {
        match play(*seed, true) {
            Ok(_) => panic!("seed {seed} failed, and does not again: it is not all that decides"),
            Err(failure) => show(*seed, &failure),
        }
    }
    println!("{report:#?}");
    println!("{:#?}", report.kinds());
    // One of each is something; many seeds have many of each.
    let wanted = if last - first >= MANY { 1_000 } else { 1 };
    for (kind, count) in report.kinds() {
        assert!(
            count >= wanted || last - first < SEEDS,
            "{kind}: {count} times"
        );
    }
}

/// A whole server, and then a small world.
fn play(seed: u64, trace: bool) -> Result<Report, Failure> {
    let report = run(seed, trace)?;
    small::play(seed, trace)?;
    Ok(report)
}

pub(super) fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().expect("a number"))
}

fn show(seed: u64, failure: &Failure) -> ! {
    for line in &failure.trace {
        println!("{line}");
    }
    let what = failure.what.join("\n  ");
    panic!("seed {seed} fails:\n  {what}\nrun it again with SEED={seed}");
}

/// Handlers that panic on purpose say nothing.
pub(super) fn keep_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let text = info.payload().downcast_ref::<&str>();
            if text.is_none_or(|text| !text.contains("as it should")) {
                others(info);
            }
        }));
    });
}
