//! Whether something has become worse, in a way that noise does not answer.
//!
//! A regression is what is worse by more than the tolerance in the median, and worse in every round: a round that was
//! disturbed moves neither the median nor all of them. With another build the rounds are pairs, taken within the same seconds
//! and compared pair by pair. With a report of another time the ranges of both have to be apart.

use super::figure::{FIGURES, Figure, Spread};
use super::totals::Totals;

/// A figure beside that of the base.
pub(crate) struct Compared {
    pub(crate) figure: &'static Figure,
    pub(crate) now: f64,
    pub(crate) base: f64,
    /// How many times the base's it is.
    pub(crate) ratio: Spread,
    pub(crate) verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Alike,
    Better,
    Worse,
    /// It is not judged.
    Told,
}

impl Verdict {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Verdict::Alike | Verdict::Told => "",
            Verdict::Better => "better",
            Verdict::Worse => "WORSE",
        }
    }
}

/// Rounds of two servers, that were asked in turn.
pub(crate) fn pairs(now: &[Totals], base: &[Totals], tolerance: f64) -> Vec<Compared> {
    let compared = FIGURES.iter().filter_map(|figure| {
        let (now, base) = (figure.values(now)?, figure.values(base)?);
        let ratios: Vec<_> = now.iter().zip(&base).map(|(n, b)| ratio(*n, *b)).collect();
        let (now, base) = (Spread::of(&now)?.median, Spread::of(&base)?.median);
        Some(Compared::new(
            figure,
            [now, base],
            Spread::of(&ratios)?,
            tolerance,
        ))
    });
    compared.collect()
}

/// Rounds, and what others were at another time.
pub(crate) fn ranges(
    now: &[Totals],
    base: impl Fn(&Figure) -> Option<Spread>,
    tolerance: f64,
) -> Vec<Compared> {
    let compared = FIGURES.iter().filter_map(|figure| {
        let (now, base) = (Spread::of(&figure.values(now)?)?, base(figure)?);
        let ratios = Spread {
            least: ratio(now.least, base.most),
            median: ratio(now.median, base.median),
            most: ratio(now.most, base.least),
        };
        Some(Compared::new(
            figure,
            [now.median, base.median],
            ratios,
            tolerance,
        ))
    });
    compared.collect()
}

impl Compared {
    fn new(
        figure: &'static Figure,
        [now, base]: [f64; 2],
        ratio: Spread,
        tolerance: f64,
    ) -> Compared {
        Compared {
            figure,
            now,
            base,
            ratio,
            verdict: judge(figure, [now, base], ratio, tolerance),
        }
    }

    pub(crate) fn is_worse(&self) -> bool {
        self.verdict == Verdict::Worse
    }
}

fn judge(figure: &Figure, [now, base]: [f64; 2], ratio: Spread, tolerance: f64) -> Verdict {
    if !figure.judged {
        Verdict::Told
    } else if (now - base).abs() < figure.unit.grain() {
        Verdict::Alike
    } else if ratio.median > tolerance && ratio.least > 1.0 {
        Verdict::Worse
    } else if ratio.median < 1.0 / tolerance && ratio.most < 1.0 {
        Verdict::Better
    } else {
        Verdict::Alike
    }
}

/// Of nothing to nothing it is 1.
fn ratio(now: f64, base: f64) -> f64 {
    const NOTHING: f64 = 1e-9;
    (now + NOTHING) / (base + NOTHING)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(key: &str) -> &'static Figure {
        FIGURES.iter().find(|it| it.key == key).expect("a figure")
    }

    fn verdict(key: &str, pairs: &[(f64, f64)]) -> Verdict {
        let (now, base): (Vec<_>, Vec<_>) = pairs.iter().copied().unzip();
        let ratios: Vec<_> = pairs.iter().map(|(n, b)| ratio(*n, *b)).collect();
        let median = |values: &[f64]| Spread::of(values).expect("values").median;
        let spread = Spread::of(&ratios).expect("values");
        judge(figure(key), [median(&now), median(&base)], spread, 1.05)
    }

    #[test]
    fn worse_is_what_is_worse_in_every_round_and_beyond_the_tolerance() {
        for (pairs, wanted) in [
            (
                &[(108.0, 100.0), (109.0, 100.0), (107.0, 101.0)],
                Verdict::Worse,
            ),
            // One disturbed round, of either.
            (
                &[(190.0, 100.0), (100.0, 100.0), (101.0, 101.0)],
                Verdict::Alike,
            ),
            (
                &[(108.0, 100.0), (109.0, 100.0), (107.0, 200.0)],
                Verdict::Alike,
            ),
            // Worse in every round, and by little.
            (
                &[(104.0, 100.0), (103.0, 100.0), (102.0, 100.0)],
                Verdict::Alike,
            ),
            (
                &[(90.0, 100.0), (91.0, 100.0), (92.0, 100.0)],
                Verdict::Better,
            ),
            (
                &[(90.0, 100.0), (91.0, 100.0), (110.0, 100.0)],
                Verdict::Alike,
            ),
        ] {
            assert_eq!(verdict("cpu_ns", pairs), wanted, "{pairs:?}");
        }
    }

    #[test]
    fn what_is_next_to_nothing_is_not_compared() {
        assert_eq!(verdict("allocations", &[(0.0003, 0.0001)]), Verdict::Alike);
        assert_eq!(verdict("allocations", &[(1.0, 0.0)]), Verdict::Worse);
        assert_eq!(verdict("allocations", &[(0.0, 1.0)]), Verdict::Better);
        assert_eq!(verdict("requests_per_s", &[(1.0, 100.0)]), Verdict::Told);
        assert_eq!(verdict("system_calls", &[(3.02, 2.02)]), Verdict::Worse);
    }
}
