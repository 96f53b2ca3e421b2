//! What a scenario came to, its row of the table, and whether it kept the bounds.

use std::time::Duration;

use super::peers::Seen;
use super::scenarios::{NO_DESCRIPTORS, Scenario};

/// What one round of a scenario came to.
#[derive(Clone)]
pub(crate) struct Outcome {
    pub(crate) without: Duration,
    pub(crate) with: Duration,
    pub(crate) worst: Duration,
    /// The share of a processor that the server had meanwhile, in percent.
    pub(crate) load: u128,
    /// More descriptors than before, when it was over.
    pub(crate) descriptors: i64,
    /// In a second of rest.
    pub(crate) cpu: Duration,
    /// KiB more than the warm server had.
    pub(crate) memory: i64,
    pub(crate) seen: Seen,
}

const CPU_MAX: Duration = Duration::from_millis(10);
const MEMORY_MAX: i64 = 8 << 10;
const LOAD_MAX: u128 = 20;

/// Of times the median, of what has to come back the worst, and all that peers saw.
pub(crate) fn median(outcomes: &[Outcome]) -> Outcome {
    fn middle<T: Ord>(values: impl Iterator<Item = T>) -> T {
        let mut values: Vec<T> = values.collect();
        values.sort_unstable();
        let at = values.len() / 2;
        values.swap_remove(at)
    }
    let all = || outcomes.iter();
    let mut seen = Seen::default();
    all().for_each(|it| seen.add(&it.seen));
    let descriptors = all().map(|it| it.descriptors);
    Outcome {
        without: middle(all().map(|it| it.without)),
        with: middle(all().map(|it| it.with)),
        worst: middle(all().map(|it| it.worst)),
        load: middle(all().map(|it| it.load)),
        descriptors: descriptors.max_by_key(|more| more.abs()).expect("a round"),
        cpu: middle(all().map(|it| it.cpu)),
        memory: all().map(|it| it.memory).max().expect("a round"),
        seen,
    }
}

pub(crate) fn print_titles() {
    println!(
        "{:<34} {:>6} {:>9} {:>9} {:>8} {:>8} {:>6} {:>5} {:>8} {:>8}  peers saw",
        "scenario",
        "peers",
        "p99 alone",
        "p99 with",
        "allowed",
        "worst",
        "load%",
        "fds",
        "idle CPU",
        "RSS KiB"
    );
}

impl Outcome {
    fn allowed(&self) -> Duration {
        (3 * self.without).max(Duration::from_millis(10))
    }

    /// Prints its row.
    pub(crate) fn print(&self, scenario: &Scenario, quick: bool) {
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        println!(
            "{:<34} {:>6} {:>9.2} {:>9.2} {:>8.2} {:>8.2} {:>6} {:>+5} {:>8.2} {:>+8}  {}",
            scenario.name,
            if quick {
                scenario.size.1
            } else {
                scenario.size.0
            },
            ms(self.without),
            ms(self.with),
            ms(self.allowed()),
            ms(self.worst),
            self.load,
            self.descriptors,
            ms(self.cpu),
            self.memory,
            self.seen
        );
    }

    /// The bounds that it broke. A quick run judges nothing that depends on time or size.
    pub(crate) fn broken(&self, scenario: &Scenario, quick: bool) -> Vec<String> {
        let mut broken = Vec::new();
        if !self.seen.is(scenario.expected) {
            broken.push(format!("peers should see {:?}", scenario.expected));
        }
        if self.descriptors != 0 {
            broken.push(format!("{:+} descriptors", self.descriptors));
        }
        if quick {
            return broken;
        }
        if self.seen.sum() < scenario.size.0 {
            broken.push(format!("{} peers only", self.seen.sum()));
        }
        if self.with > self.allowed() {
            broken.push(format!("the client waits {:?}", self.with));
        }
        if self.cpu > CPU_MAX {
            broken.push(format!(
                "{:?} of processor time in an idle second",
                self.cpu
            ));
        }
        if self.memory >= MEMORY_MAX {
            broken.push(format!("{:+} KiB", self.memory));
        }
        if scenario.name == NO_DESCRIPTORS && self.load > LOAD_MAX {
            broken.push(format!("{} % of a processor", self.load));
        }
        broken
    }
}
