//! What tells two states of a file apart: ETag and Last-Modified (RFC 9110 §8.8).

use core::cmp::Ordering;

use crate::http::date;
use crate::sys::UnixTime;
use crate::sys::file::Metadata;

/// A file may change again within the second in which it did, and some file systems keep time no finer than by two: a
/// younger one is only weakly told apart.
const SETTLED_SECS: u64 = 2;

/// `W/"`, a length and a time of 16 hexadecimal digits each with `-` between, `"`.
const TAG_BYTES: usize = 37;

/// The validators of a file in its present state.
#[derive(Clone, Copy, Debug)]
pub(super) struct Validators {
    /// The ETag.
    pub(super) tag: EntityTag,
    /// When it was changed last, in seconds since 1970: never later than now (RFC 9110 §8.8.2.1).
    pub(super) modified: u64,
}

impl Validators {
    /// Those of a file with this metadata, `now` being the present, or a moment before it at which the file
    /// [had settled](has_settled).
    pub(super) fn of(metadata: &Metadata, now: UnixTime) -> Validators {
        let modified = metadata.modified;
        let tag = EntityTag::new(metadata, !has_settled(modified, now));
        let modified = match modified.cmp(&now) {
            Ordering::Less | Ordering::Equal => modified.secs,
            Ordering::Greater => now.secs,
        };
        Validators { tag, modified }
    }

    /// The value of Last-Modified.
    pub(super) fn last_modified(&self) -> [u8; date::LENGTH] {
        date::format(self.modified)
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

/// An entity tag of ours: of size and time of change, and of nothing that differs between copies of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct EntityTag {
    text: [u8; TAG_BYTES],
    /// Where it begins in the text: at `W/` or behind.
    begin: u8,
    end: u8,
}

impl EntityTag {
    fn new(metadata: &Metadata, weak: bool) -> EntityTag {
        // Beyond the year 2554 the nanoseconds wrap: still another number for another time.
        let nanos = metadata
            .modified
            .secs
            .wrapping_mul(1_000_000_000)
            .wrapping_add(u64::from(metadata.modified.nanos));
        let mut text = [0; TAG_BYTES];
        text[..3].copy_from_slice(b"W/\"");
        let mut end = 3;
        hexadecimal(&mut text, &mut end, metadata.length);
        text[end] = b'-';
        end += 1;
        hexadecimal(&mut text, &mut end, nanos);
        text[end] = b'"';
        EntityTag {
            text,
            begin: if weak { 0 } else { 2 },
            end: end as u8 + 1,
        }
    }

    /// As it is sent.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.text[usize::from(self.begin)..usize::from(self.end)]
    }

    /// Without what says that it is weak.
    pub(super) fn opaque(&self) -> &[u8] {
        &self.text[2..usize::from(self.end)]
    }

    /// Whether files that differ may have it.
    pub(super) fn is_weak(&self) -> bool {
        self.begin == 0
    }
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
    use crate::sys::file::Kind;

    fn at(secs: u64, nanos: u32) -> UnixTime {
        UnixTime { secs, nanos }
    }

    fn validators(length: u64, modified: UnixTime, now: UnixTime) -> Validators {
        let metadata = Metadata {
            kind: Kind::File,
            length,
            modified,
        };
        Validators::of(&metadata, now)
    }

    fn check(length: u64, modified: UnixTime, now: UnixTime, tag: &str, last_modified: u64) {
        let validators = validators(length, modified, now);
        assert_eq!(
            core::str::from_utf8(validators.tag.as_bytes()),
            Ok(tag),
            "{modified:?} {now:?}"
        );
        assert_eq!(
            validators.tag.opaque(),
            tag.trim_start_matches("W/").as_bytes()
        );
        assert_eq!(validators.tag.is_weak(), tag.starts_with("W/"));
        assert_eq!(validators.modified, last_modified);
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
