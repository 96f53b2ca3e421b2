//! Which part of the content a Range asks for (RFC 9110 §14).

/// What a Range selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Selection {
    /// All of it: what is not understood is ignored, and so are several ranges.
    Whole,
    /// From the first position to the last, both inside.
    Part { first: u64, last: u64 },
    /// It asks for something, but for nothing that is there.
    Unsatisfiable,
}

/// What the value of a Range selects from so many bytes.
pub(super) fn select(value: &[u8], length: u64) -> Selection {
    match single(value) {
        Some(Spec::From(first) | Spec::Between(first, _)) if first >= length => {
            Selection::Unsatisfiable
        }
        Some(Spec::Last(0)) => Selection::Unsatisfiable,
        // The last bytes of nothing are nothing, which no Content-Range can say.
        Some(Spec::Last(_)) if length == 0 => Selection::Whole,
        Some(Spec::From(first)) => Selection::Part {
            first,
            last: length - 1,
        },
        Some(Spec::Between(first, last)) => Selection::Part {
            first,
            last: last.min(length - 1),
        },
        Some(Spec::Last(count)) => Selection::Part {
            first: length.saturating_sub(count),
            last: length - 1,
        },
        None => Selection::Whole,
    }
}

/// A range as it is written. Positions that are too large for the type are the largest.
enum Spec {
    /// `a-`
    From(u64),
    /// `a-b`, in order
    Between(u64, u64),
    /// `-n`
    Last(u64),
}

/// The one range of a value that has exactly one.
fn single(value: &[u8]) -> Option<Spec> {
    let equals = value.iter().position(|byte| *byte == b'=')?;
    let (unit, set) = (&value[..equals], &value[equals + 1..]);
    if !unit.eq_ignore_ascii_case(b"bytes") {
        return None;
    }
    let mut specs = set
        .split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|spec| !spec.is_empty());
    let (Some(spec), None) = (specs.next(), specs.next()) else {
        return None;
    };
    let dash = spec.iter().position(|byte| *byte == b'-')?;
    match (&spec[..dash], &spec[dash + 1..]) {
        (b"", count) => Some(Spec::Last(number(count)?)),
        (first, b"") => Some(Spec::From(number(first)?)),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(Spec::Between(first, last))
        }
    }
}

/// A number of digits only, at least one.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, digit| {
        digit.is_ascii_digit().then(|| {
            number
                .saturating_mul(10)
                .saturating_add(u64::from(digit - b'0'))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, length: u64, expected: Selection) {
        assert_eq!(
            select(value.as_bytes(), length),
            expected,
            "{value} of {length}"
        );
    }

    fn part(first: u64, last: u64) -> Selection {
        Selection::Part { first, last }
    }

    #[test]
    fn one_range_is_a_part() {
        check("bytes=0-0", 10, part(0, 0));
        check("bytes=2-5", 10, part(2, 5));
        check("bytes=2-", 10, part(2, 9));
        check("bytes=9-", 10, part(9, 9));
        check("bytes=-3", 10, part(7, 9));
        check("BYTES=0-1", 10, part(0, 1));
        check("bytes= 0-1 ,", 10, part(0, 1));
        check("bytes=00-01", 10, part(0, 1));
    }

    #[test]
    fn a_range_ends_with_the_file() {
        check("bytes=2-50", 10, part(2, 9));
        check("bytes=0-99999999999999999999999", 10, part(0, 9));
        check("bytes=-50", 10, part(0, 9));
        check("bytes=-99999999999999999999999", 10, part(0, 9));
        check("bytes=0-", u64::MAX, part(0, u64::MAX - 1));
    }

    #[test]
    fn a_range_beyond_the_file_is_unsatisfiable() {
        for (value, length) in [
            ("bytes=10-", 10),
            ("bytes=10-11", 10),
            ("bytes=99999999999999999999999-", 10),
            ("bytes=-0", 10),
            ("bytes=-0", 0),
            ("bytes=0-", 0),
            ("bytes=0-0", 0),
        ] {
            check(value, length, Selection::Unsatisfiable);
        }
    }

    #[test]
    fn what_is_not_understood_is_ignored() {
        for value in [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=-",
            "bytes=a-b",
            "bytes=1",
            "bytes=5-2",
            "bytes=1--2",
            "bytes=--2",
            "bytes=1-2-3",
            "bytes=+1-2",
            "bytes=1 - 2",
            "bytes =1-2",
            "bytes 1-2",
            "items=1-2",
            "=1-2",
        ] {
            check(value, 10, Selection::Whole);
        }
    }

    #[test]
    fn several_ranges_are_the_whole_file() {
        check("bytes=0-1,3-4", 10, Selection::Whole);
        check("bytes=0-1, 30-40", 10, Selection::Whole);
        check("bytes=20-21,30-40", 10, Selection::Whole);
    }

    #[test]
    fn the_last_bytes_of_an_empty_file_are_all_of_it() {
        check("bytes=-5", 0, Selection::Whole);
    }

    #[test]
    fn a_part_lies_in_the_file_whatever_is_asked_for() {
        for length in 0..5 {
            for first in 0..7 {
                for last in 0..7 {
                    let bytes: Vec<u64> = (0..length).collect();
                    let expected = bytes.iter().filter(|at| (first..=last).contains(*at));
                    let found = select(format!("bytes={first}-{last}").as_bytes(), length);
                    let selected = match found {
                        Selection::Part { first, last } => (first..=last).collect(),
                        Selection::Unsatisfiable => Vec::new(),
                        Selection::Whole => {
                            assert!(last < first);
                            continue;
                        }
                    };
                    assert!(expected.eq(&selected), "{first}-{last} of {length}");
                }
            }
        }
    }
}
