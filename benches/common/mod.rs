//! Times small pieces of work, and prints a table.
//!
//! Each row is worked off in rounds of some milliseconds; a round's figure is its mean. Of the rounds the table has the
//! median, which a busy machine disturbs least, and the least and the most, which say how far to believe it.
//!
//! `cargo bench --bench NAME [-- WORD]` times the rows with the word in their name; `-- --quick` only shows that it runs.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// How long to work on a row.
struct Effort {
    warm_up: Duration,
    round: Duration,
    rounds: usize,
}

const USUAL: Effort = Effort {
    warm_up: Duration::from_millis(100),
    round: Duration::from_millis(20),
    rounds: 25,
};

const QUICK: Effort = Effort {
    warm_up: Duration::ZERO,
    round: Duration::from_micros(50),
    rounds: 3,
};

/// Rows that are printed as they are timed.
pub(crate) struct Table {
    effort: Effort,
    word: Option<String>,
}

impl Table {
    /// Reads the arguments and prints the head. `op` says what one operation is.
    pub(crate) fn new(op: &str) -> Table {
        let (mut effort, mut word) = (USUAL, None);
        for argument in std::env::args().skip(1) {
            match argument.as_str() {
                "--quick" => effort = QUICK,
                "--bench" => {} // cargo says it to every bench
                _ => word = Some(argument),
            }
        }
        println!(
            "{:<44} {:>10} {:>10} {:>10} {:>9}",
            op, "ns: median", "least", "most", "MB/s"
        );
        Table { effort, word }
    }

    /// Times `work`, which does `ops` operations on `bytes` bytes; 0 where bytes are not what it is about.
    pub(crate) fn row<T>(&self, name: &str, ops: u32, bytes: usize, mut work: impl FnMut() -> T) {
        if self.word.as_ref().is_some_and(|word| !name.contains(word)) {
            return;
        }
        let calls = self.warm_up(&mut work);
        let mut rounds: Vec<f64> = (0..self.effort.rounds)
            .map(|_| time(calls, &mut work).as_secs_f64() * 1e9 / f64::from(calls) / f64::from(ops))
            .collect();
        rounds.sort_by(f64::total_cmp);
        let (median, last) = (rounds[rounds.len() / 2], rounds.len() - 1);
        print!(
            "{name:<44} {median:>10.1} {:>10.1} {:>10.1}",
            rounds[0], rounds[last]
        );
        match u32::try_from(bytes) {
            Ok(0) | Err(_) => println!(),
            Ok(bytes) => {
                let rate = f64::from(bytes) / (median * f64::from(ops)) * 1000.0;
                println!(" {rate:>9.0}");
            }
        }
    }

    /// How many calls fill a round.
    fn warm_up<T>(&self, work: &mut impl FnMut() -> T) -> u32 {
        let begin = Instant::now();
        let mut calls = 1u32;
        loop {
            if time(calls, work) < self.effort.round {
                calls = calls.saturating_mul(2);
            } else if begin.elapsed() >= self.effort.warm_up {
                return calls;
            }
        }
    }
}

fn time<T>(calls: u32, work: &mut impl FnMut() -> T) -> Duration {
    let begin = Instant::now();
    for _ in 0..calls {
        black_box(work());
    }
    begin.elapsed()
}
