//! Which parts of the content a Range asks for (RFC 9110 §14).

/// More ranges than this are not served one by one: the whole is less work for everybody (RFC 9110 §14.2).
const RANGES_MAX: usize = 16;

/// What a Range selects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Selection {
    /// All of it: what is not understood is ignored, and so are too many ranges.
    Whole,
    /// One part.
    Part(Part),
    /// At least two, in the order in which they were asked for. None of them overlap or touch.
    Parts(Vec<Part>),
    /// It asks for something, but for nothing that is there.
    Unsatisfiable,
}

/// A part of content: from the first position to the last, both inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) first: u64,
    pub(super) last: u64,
}

/// What the value of a Range selects from so many bytes.
pub(super) fn select(value: &[u8], length: u64) -> Selection {
    let Some(set) = byte_ranges(value) else {
        return Selection::Whole;
    };
    let (mut parts, mut count) = (Vec::new(), 0);
    for spec in specs(set) {
        count += 1;
        let Some(spec) = Spec::read(spec).filter(|_| count <= RANGES_MAX) else {
            return Selection::Whole;
        };
        match spec.of(length) {
            Selected::Part(part) => join(&mut parts, part),
            Selected::Nothing => {}
            // The last bytes of nothing are nothing, which no Content-Range can say.
            Selected::AllOfNothing => return Selection::Whole,
        }
    }
    match parts[..] {
        _ if count == 0 => Selection::Whole,
        [] => Selection::Unsatisfiable,
        [part] => Selection::Part(part),
        [..] => Selection::Parts(parts),
    }
}

/// Adds a part to others. What it overlaps or touches becomes one with it, at the place of the first (RFC 9110 §15.3.7.2).
fn join(parts: &mut Vec<Part>, mut part: Part) {
    let place = parts.iter().position(|other| other.meets(&part));
    let place = place.unwrap_or(parts.len());
    // What it grows by was apart from all others, so who does not meet it does not meet what it becomes.
    let mut at = place;
    while at < parts.len() {
        if parts[at].meets(&part) {
            let other = parts.remove(at);
            part.first = part.first.min(other.first);
            part.last = part.last.max(other.last);
        } else {
            at += 1;
        }
    }
    parts.insert(place, part);
}

impl Part {
    /// Whether nothing lies between them.
    fn meets(&self, other: &Part) -> bool {
        self.first <= other.last.saturating_add(1) && other.first <= self.last.saturating_add(1)
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

/// What a range selects.
enum Selected {
    Part(Part),
    /// It begins beyond the end.
    Nothing,
    /// So many of the last bytes, and there are none.
    AllOfNothing,
}

impl Spec {
    fn read(spec: &[u8]) -> Option<Spec> {
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

    fn of(&self, length: u64) -> Selected {
        match *self {
            Spec::From(first) | Spec::Between(first, _) if first >= length => Selected::Nothing,
            Spec::Last(0) => Selected::Nothing,
            Spec::Last(_) if length == 0 => Selected::AllOfNothing,
            Spec::From(first) => Selected::Part(Part {
                first,
                last: length - 1,
            }),
            Spec::Between(first, last) => Selected::Part(Part {
                first,
                last: last.min(length - 1),
            }),
            Spec::Last(count) => Selected::Part(Part {
                first: length.saturating_sub(count),
                last: length - 1,
            }),
        }
    }
}

/// The set of ranges of a value whose unit is bytes.
fn byte_ranges(value: &[u8]) -> Option<&[u8]> {
    let equals = value.iter().position(|byte| *byte == b'=')?;
    let (unit, set) = (&value[..equals], &value[equals + 1..]);
    unit.eq_ignore_ascii_case(b"bytes").then_some(set)
}

/// The ranges of a set. Empty members count for nothing (RFC 9110 §5.6.1).
fn specs(set: &[u8]) -> impl Iterator<Item = &[u8]> {
    set.split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|spec| !spec.is_empty())
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

    fn check(value: &str, length: u64, expected: &Selection) {
        assert_eq!(
            select(value.as_bytes(), length),
            *expected,
            "{value} of {length}"
        );
    }

    fn part(first: u64, last: u64) -> Selection {
        Selection::Part(Part { first, last })
    }

    fn parts(expected: &[(u64, u64)]) -> Selection {
        let part = |(first, last): &(u64, u64)| Part {
            first: *first,
            last: *last,
        };
        Selection::Parts(expected.iter().map(part).collect())
    }

    #[test]
    fn one_range_is_a_part() {
        check("bytes=0-0", 10, &part(0, 0));
        check("bytes=2-5", 10, &part(2, 5));
        check("bytes=2-", 10, &part(2, 9));
        check("bytes=9-", 10, &part(9, 9));
        check("bytes=-3", 10, &part(7, 9));
        check("BYTES=0-1", 10, &part(0, 1));
        check("bytes= 0-1 ,", 10, &part(0, 1));
        check("bytes=00-01", 10, &part(0, 1));
    }

    #[test]
    fn a_range_ends_with_the_file() {
        check("bytes=2-50", 10, &part(2, 9));
        check("bytes=0-99999999999999999999999", 10, &part(0, 9));
        check("bytes=-50", 10, &part(0, 9));
        check("bytes=-99999999999999999999999", 10, &part(0, 9));
        check("bytes=0-", u64::MAX, &part(0, u64::MAX - 1));
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
            check(value, length, &Selection::Unsatisfiable);
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
            check(value, 10, &Selection::Whole);
        }
    }

    #[test]
    fn several_ranges_are_parts_in_their_order() {
        check("bytes=0-1,3-4", 10, &parts(&[(0, 1), (3, 4)]));
        check("bytes=8-,0-0, 3-4", 10, &parts(&[(8, 9), (0, 0), (3, 4)]));
        check("bytes=-1,,0-1", 10, &parts(&[(9, 9), (0, 1)]));
    }

    #[test]
    fn what_overlaps_or_touches_is_one_part_where_the_first_was() {
        check("bytes=0-1,2-3", 10, &part(0, 3));
        check("bytes=2-3,0-1", 10, &part(0, 3));
        check("bytes=0-5,2-3", 10, &part(0, 5));
        check("bytes=0-0,4-4,2-2,1-3", 10, &part(0, 4));
        check("bytes=9-9,0-0,5-6,1-4", 10, &parts(&[(9, 9), (0, 6)]));
        check("bytes=5-6,0-0,9-9,1-4", 10, &parts(&[(0, 6), (9, 9)]));
        check("bytes=0-,-1", u64::MAX, &part(0, u64::MAX - 1));
    }

    #[test]
    fn of_several_ranges_those_beyond_the_end_are_left_out() {
        check("bytes=0-1, 30-40", 10, &part(0, 1));
        check("bytes=30-40,0-1,5-5", 10, &parts(&[(0, 1), (5, 5)]));
        check("bytes=20-21,30-40", 10, &Selection::Unsatisfiable);
        check("bytes=0-1,5-2", 10, &Selection::Whole);
        check("bytes=0-1,x", 10, &Selection::Whole);
    }

    #[test]
    fn too_many_ranges_are_the_whole() {
        let set = |count: u64| {
            let ranges = (0..count).map(|at| format!("{0}-{0}", 2 * at));
            format!("bytes={}", ranges.collect::<Vec<_>>().join(","))
        };
        let most: Vec<_> = (0..16).map(|at| (2 * at, 2 * at)).collect();
        check(&set(16), 100, &parts(&most));
        check(&set(17), 100, &Selection::Whole);
    }

    #[test]
    fn parts_have_the_positions_that_are_asked_for_and_lie_apart() {
        const LENGTH: u64 = 5;
        let ranges: Vec<_> = (0..6)
            .flat_map(|first| (first..6).map(move |last| (first, last)))
            .collect();
        for a in &ranges {
            for b in &ranges {
                for c in &ranges {
                    let value = format!("bytes={}-{},{}-{},{}-{}", a.0, a.1, b.0, b.1, c.0, c.1);
                    let found = match select(value.as_bytes(), LENGTH) {
                        Selection::Whole => panic!("{value}"),
                        Selection::Unsatisfiable => Vec::new(),
                        Selection::Part(part) => vec![part],
                        Selection::Parts(parts) => parts,
                    };
                    for at in 0..LENGTH {
                        let asked = [a, b, c]
                            .iter()
                            .any(|range| (range.0..=range.1).contains(&at));
                        let parts = found
                            .iter()
                            .filter(|part| (part.first..=part.last).contains(&at));
                        assert_eq!(parts.count(), usize::from(asked), "{at} of {value}");
                    }
                    for (at, part) in found.iter().enumerate() {
                        assert!(
                            found[..at].iter().all(|other| !other.meets(part)),
                            "{value}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn the_last_bytes_of_an_empty_file_are_all_of_it() {
        check("bytes=-5", 0, &Selection::Whole);
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
                        Selection::Part(part) => (part.first..=part.last).collect(),
                        Selection::Parts(parts) => panic!("{parts:?}"),
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
