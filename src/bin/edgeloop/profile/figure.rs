//! Figures: what is told of a request, how it is reckoned from totals, and how it spread over the rounds.

use super::totals::Totals;

/// A figure: one row of the report.
pub(crate) struct Figure {
    /// Its name in a file.
    pub(crate) key: &'static str,
    /// As it stands in a report, indented if it is a part of what stands above.
    pub(crate) name: &'static str,
    pub(crate) unit: Unit,
    /// Whether a rise is a regression.
    pub(crate) judged: bool,
    /// Of how many requests and what else was done in a round. `None` if it was not counted.
    of: fn(&Totals) -> Option<f64>,
}

/// What it counts, for each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Nanoseconds,
    Times,
    /// Not of a request: how many of them a second has.
    Rate,
    /// Not of a request: a share of the time.
    Share,
}

impl Unit {
    /// What is too little to be told from nothing.
    pub(crate) const fn grain(self) -> f64 {
        match self {
            Unit::Nanoseconds | Unit::Rate => 1.0,
            Unit::Times | Unit::Share => 0.01,
        }
    }
}

/// A row whose number is one of the server's counters, divided by the requests.
macro_rules! counted {
    ($key:literal, $name:literal, $($counter:literal)+) => {
        Figure {
            key: $key,
            name: $name,
            unit: Unit::Times,
            judged: false,
            of: |totals| totals.counted(&[$($counter),+]),
        }
    };
}

/// All rows, in the order of the report.
pub(crate) const FIGURES: &[Figure] = &[
    Figure {
        key: "cpu_ns",
        name: "CPU",
        unit: Unit::Nanoseconds,
        judged: true,
        of: |totals| Some(totals.cpu_nanos()),
    },
    Figure {
        key: "cpu_user_ns",
        name: "  user",
        unit: Unit::Nanoseconds,
        judged: false,
        of: Totals::user_nanos,
    },
    Figure {
        key: "cpu_system_ns",
        name: "  system",
        unit: Unit::Nanoseconds,
        judged: false,
        of: |totals| Some(totals.cpu_nanos() - totals.user_nanos()?),
    },
    Figure {
        key: "instructions",
        name: "instructions",
        unit: Unit::Times,
        judged: true,
        of: Totals::instructions,
    },
    Figure {
        key: "allocations",
        name: "allocations",
        unit: Unit::Times,
        judged: true,
        of: |totals| totals.counted(&["allocations"]),
    },
    Figure {
        key: "system_calls",
        name: "system calls",
        unit: Unit::Times,
        judged: true,
        of: |totals| {
            totals.counted(&[
                "turns",
                "recvs",
                "sends",
                "sendfiles",
                "accepts",
                "epoll_ctls",
                "closed",
            ])
        },
    },
    counted!("epoll_wait", "  epoll_wait", "turns"),
    counted!("recv", "  recv", "recvs"),
    counted!("recv_eagain", "    of them EAGAIN", "recvs_again"),
    counted!("send", "  send", "sends"),
    counted!("sendfile", "  sendfile", "sendfiles"),
    counted!("send_eagain", "    of both EAGAIN", "sends_again"),
    counted!("accept4", "  accept4", "accepts"),
    counted!("epoll_ctl", "  epoll_ctl", "epoll_ctls"),
    counted!("close", "  close", "closed"),
    Figure {
        key: "requests_per_s",
        name: "requests a second",
        unit: Unit::Rate,
        judged: false,
        of: |totals| Some(totals.rate()),
    },
    Figure {
        key: "core_share",
        name: "core in use",
        unit: Unit::Share,
        judged: false,
        of: |totals| Some(totals.busy()),
    },
];

impl Figure {
    /// What it is in each round, if it was counted in all of them.
    pub(crate) fn values(&self, rounds: &[Totals]) -> Option<Vec<f64>> {
        rounds.iter().map(self.of).collect()
    }
}

/// Several values of one thing. There is at least one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) least: f64,
    pub(crate) median: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// `None` of nothing, and of what is no number.
    pub(crate) fn of(values: &[f64]) -> Option<Spread> {
        let mut sorted = values.to_vec();
        if sorted.iter().any(|value| !value.is_finite()) {
            return None;
        }
        sorted.sort_by(f64::total_cmp);
        let (least, most) = (*sorted.first()?, *sorted.last()?);
        let half = sorted.len() / 2;
        let median = match sorted.len() % 2 {
            0 => f64::midpoint(sorted[half - 1], sorted[half]),
            _ => sorted[half],
        };
        Some(Spread {
            least,
            median,
            most,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_the_least_the_middle_and_the_most() {
        let spread = |values: &[f64]| {
            Spread::of(values).map(|spread| [spread.least, spread.median, spread.most])
        };
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Some([1.0, 2.0, 3.0]));
        assert_eq!(spread(&[4.0, 1.0, 2.0, 10.0]), Some([1.0, 3.0, 10.0]));
        assert_eq!(spread(&[7.0]), Some([7.0, 7.0, 7.0]));
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[1.0, f64::NAN]), None);
    }

    #[test]
    fn no_name_is_given_twice() {
        let mut names: Vec<_> = FIGURES.iter().map(|figure| figure.key).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), FIGURES.len());
    }
}
