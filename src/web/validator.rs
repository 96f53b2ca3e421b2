//! What tells two states of content apart: ETag and Last-Modified (RFC 9110 §8.8).

use crate::http::date;
use crate::sys::UnixTime;

/// A file may change again within the second in which it did, and some file systems keep time no finer than by two: a
/// younger one is only weakly told apart.
const SETTLED_SECS: u64 = 2;

/// A length and a state of 16 hexadecimal digits each with `-` between, and `-` with the name of a coding.
const TAG_BYTES: usize = 33 + 8;

/// The validators of content in its present state.
#[derive(Clone, Copy, Debug)]
pub(super) struct Validators<'t> {
    /// The ETag.
    pub(super) tag: Option<Tag<'t>>,
    /// When it was changed last.
    pub(super) modified: Option<Modified>,
}

/// An entity tag (RFC 9110 §8.8.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag<'t> {
    /// Whether states that differ may have it.
    pub(super) weak: bool,
    /// What stands between the quotes.
    pub(super) opaque: &'t [u8],
}

impl Tag<'_> {
    /// Whether it can be sent.
    pub(super) fn is_sound(&self) -> bool {
        let is_sound = |byte: u8| byte > b' ' && byte != b'"' && byte != 0x7f;
        self.opaque.iter().all(|byte| is_sound(*byte))
    }

    /// Strong comparison (RFC 9110 §8.8.3.2).
    pub(super) fn is_strongly(&self, other: &Tag<'_>) -> bool {
        !self.weak && !other.weak && self.opaque == other.opaque
    }

    /// Weak comparison.
    pub(super) fn is_weakly(&self, other: &Tag<'_>) -> bool {
        self.opaque == other.opaque
    }
}

/// A time of change, as Last-Modified says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Modified {
    /// Seconds since 1970: never later than now (RFC 9110 §8.8.2.1).
    pub(super) secs: u64,
    /// Any later change must give another one.
    pub(super) has_settled: bool,
}

impl Modified {
    /// Of a time of change, `now` being the present, or a moment before it at which it [had settled](has_settled).
    pub(super) fn of(modified: UnixTime, now: UnixTime) -> Modified {
        Modified {
            secs: modified.min(now).secs,
            has_settled: has_settled(modified, now),
        }
    }

    /// The value of Last-Modified.
    pub(super) fn date(&self) -> [u8; date::LENGTH] {
        date::format(self.secs)
    }
}

/// Whether `modified` is old enough that any later change must have given the file another time.
pub(super) fn has_settled(modified: UnixTime, now: UnixTime) -> bool {
    let settled = UnixTime {
        secs: modified.secs.saturating_add(SETTLED_SECS),
        ..modified
    };
    settled <= now
}

/// An entity tag of ours: of size, state and coding, and of nothing that differs between copies of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct EntityTag {
    text: [u8; TAG_BYTES],
    end: u8,
    weak: bool,
}

impl EntityTag {
    /// That of content of this length in the state that `number` stands for, in a coding of at most seven letters.
    pub(super) fn of(length: u64, number: u64, coding: Option<&str>, is_weak: bool) -> EntityTag {
        let mut text = [0; TAG_BYTES];
        let mut end = 0;
        hexadecimal(&mut text, &mut end, length);
        text[end] = b'-';
        end += 1;
        hexadecimal(&mut text, &mut end, number);
        if let Some(coding) = coding {
            text[end] = b'-';
            text[end + 1..end + 1 + coding.len()].copy_from_slice(coding.as_bytes());
            end += 1 + coding.len();
        }
        EntityTag {
            text,
            end: end as u8,
            weak: is_weak,
        }
    }

    pub(super) fn tag(&self) -> Tag<'_> {
        Tag {
            weak: self.weak,
            opaque: &self.text[..usize::from(self.end)],
        }
    }
}

/// A number that is another one for another time: beyond the year 2554 it wraps.
pub(super) fn nanos(at: UnixTime) -> u64 {
    let nanos = at.secs.wrapping_mul(1_000_000_000);
    nanos.wrapping_add(u64::from(at.nanos))
}

fn hexadecimal(text: &mut [u8; TAG_BYTES], end: &mut usize, number: u64) {
    let digits = (u64::BITS - number.leading_zeros()).div_ceil(4).max(1);
    for place in (0..digits).rev() {
        text[*end] = b"0123456789abcdef"[(number >> (4 * place)) as usize & 15];
        *end += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64, nanos: u32) -> UnixTime {
        UnixTime { secs, nanos }
    }

    fn check(length: u64, modified: UnixTime, now: UnixTime, tag: &str, last_modified: u64) {
        let of = Modified::of(modified, now);
        let (nanos, is_weak) = (nanos(modified), !of.has_settled);
        let coded = EntityTag::of(length, nanos, Some("zstd"), is_weak);
        let ours = EntityTag::of(length, nanos, None, is_weak);
        assert_eq!(
            coded.tag().opaque,
            [ours.tag().opaque, b"-zstd"].concat(),
            "{modified:?}"
        );
        let weak = if ours.tag().weak { "W/" } else { "" };
        let opaque = core::str::from_utf8(ours.tag().opaque).expect("ASCII");
        assert_eq!(format!("{weak}\"{opaque}\""), tag, "{modified:?} {now:?}");
        assert!(ours.tag().is_sound());
        assert_eq!(of.secs, last_modified);
    }

    #[test]
    fn a_tag_is_of_size_and_time_and_agrees_with_the_standard_librarys_digits() {
        for length in [0, 1, 15, 16, 255, 256, 1024, u64::MAX] {
            for (secs, nanos) in [(0, 0), (0, 1), (1, 0), (1_700_000_000, 123_456_789)] {
                let tag = format!(
                    "\"{length:x}-{:x}\"",
                    secs * 1_000_000_000 + u64::from(nanos)
                );
                check(length, at(secs, nanos), at(secs + 10, 0), &tag, secs);
            }
        }
        check(
            u64::MAX,
            at(u64::MAX, 999_999_999),
            at(5, 0),
            &{
                let nanos = 999_999_999u64.wrapping_sub(1_000_000_000);
                format!("W/\"{:x}-{nanos:x}\"", u64::MAX)
            },
            5,
        );
    }

    #[test]
    fn a_tag_is_weak_for_two_seconds() {
        check(1, at(7, 5), at(7, 5), "W/\"1-1a13b8605\"", 7);
        check(1, at(7, 5), at(9, 4), "W/\"1-1a13b8605\"", 7);
        check(1, at(7, 5), at(9, 5), "\"1-1a13b8605\"", 7);
    }

    #[test]
    fn a_file_from_the_future_is_of_now() {
        check(1, at(9, 0), at(7, 5), "W/\"1-218711a00\"", 7);
    }
}
