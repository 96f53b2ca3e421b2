//! What is in a directory, for those who ask for it: names, sizes and dates.
//!
//! It is gathered whole before any of it is sent, because it is sorted, so it is bounded: who has more in a directory than
//! [`ENTRIES_MAX`] is told that it is cut.

mod html;
mod json;

use std::cmp::Ordering;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::disk::look_at;
use super::path::{self, Dotfiles};
use crate::sys::at_hand::Waiting;
use crate::sys::directory::{self, Names};
use crate::sys::file::{self, Failure, Kind};
use crate::sys::{Fd, UnixTime};

/// More entries than this are not listed. Each costs three system calls, all of them 2.6 ms of a processor, which are the
/// loop's where there is no pool.
pub(super) const ENTRIES_MAX: usize = 1000;

/// More names than these are not even looked at: 1 MiB or so.
const NAMES_MAX: usize = 50_000;

/// What is in a directory, directories first, then by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) entries: Vec<Entry>,
    /// There is more.
    pub(super) is_cut: bool,
}

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: Vec<u8>,
    pub(super) kind: EntryKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EntryKind {
    Directory,
    /// A file of so many bytes, and when it was changed, where that is known.
    File(u64, Option<UnixTime>),
}

impl Listing {
    /// Puts entries into their order, and drops what is too much.
    pub(super) fn of(mut entries: Vec<Entry>, is_cut: bool) -> Listing {
        let is_cut = is_cut || entries.len() > ENTRIES_MAX;
        entries.truncate(ENTRIES_MAX);
        entries.sort_by(Entry::order);
        Listing { entries, is_cut }
    }

    /// What is in the directory at a path below the root. What would not be served is not listed: dotfiles, unless they are
    /// shown, devices and the like, and links that lead out.
    pub(super) fn read(root: &Fd, path: &[u8], dotfiles: Dotfiles) -> Result<Listing, Failure> {
        let failure = |error: std::io::Error| file::failure(&error);
        if look_at(root, path, Waiting::Allowed).map_err(failure)?.kind != Kind::Directory {
            return Err(Failure::Missing);
        }
        let directory = file::open_beneath(root, path).map_err(failure)?;
        let Names { names, is_cut } = directory::names(&directory, NAMES_MAX).map_err(failure)?;
        let shown = names.into_iter();
        let mut shown: Vec<_> = shown
            .filter(|name| path::is_shown(name, dotfiles))
            .collect();
        shown.sort_unstable(); // which of them are too many does not depend on the file system's order
        let entries = shown.into_iter().filter_map(|name| entry(root, path, name));
        Ok(Listing::of(entries.take(ENTRIES_MAX + 1).collect(), is_cut))
    }
}

/// What a name in a directory stands for, if it is served.
fn entry(root: &Fd, directory: &[u8], name: Vec<u8>) -> Option<Entry> {
    let mut path = directory.to_vec();
    path::join(&mut path, &name);
    let metadata = look_at(root, &path, Waiting::Allowed).ok()?;
    let kind = match metadata.kind {
        Kind::Directory => EntryKind::Directory,
        Kind::File => EntryKind::File(metadata.length, Some(metadata.modified)),
        Kind::Other => return None,
    };
    Some(Entry { name, kind })
}

impl Entry {
    fn order(&self, other: &Entry) -> Ordering {
        let is_file = |entry: &Entry| entry.kind != EntryKind::Directory;
        let order = is_file(self).cmp(&is_file(other));
        order.then_with(|| self.name.cmp(&other.name))
    }

    /// As a reference from the directory's own path. What looks like a scheme has `./` in front (RFC 3986 §4.2).
    fn reference(&self) -> String {
        const KEPT: AsciiSet = NON_ALPHANUMERIC
            .remove(b'-')
            .remove(b'.')
            .remove(b'_')
            .remove(b'~');
        let slash = match self.kind {
            EntryKind::Directory => "/",
            EntryKind::File(..) => "",
        };
        format!("./{}{slash}", percent_encode(&self.name, &KEPT))
    }

    /// For people: what is no UTF-8 is marked, and so are control characters.
    fn title(&self) -> String {
        let name = String::from_utf8_lossy(&self.name);
        let visible = |char: char| {
            if char.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                char
            }
        };
        name.chars().map(visible).collect()
    }
}

/// How a listing is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Html,
    Json,
}

impl Form {
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Form::Html => "text/html; charset=utf-8",
            Form::Json => "application/json",
        }
    }
}

impl Listing {
    /// The listing of the directory at `path`, which is empty for the root.
    pub(super) fn write(&self, path: &[u8], form: Form) -> String {
        match form {
            Form::Html => html::write(self, path),
            Form::Json => json::write(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn listing(names: &[(&[u8], EntryKind)]) -> Listing {
        let entries = names.iter().map(|(name, kind)| Entry {
            name: name.to_vec(),
            kind: *kind,
        });
        Listing::of(entries.collect(), false)
    }

    #[test]
    fn directories_come_first_then_names_in_the_order_of_their_bytes() {
        let file = EntryKind::File(0, None);
        let listing = listing(&[
            (b"b", file),
            (b"a", file),
            (b"B", EntryKind::Directory),
            (b"\xff", file),
            (b"a10", EntryKind::Directory),
        ]);
        let names: Vec<_> = listing.entries.iter().map(|entry| &*entry.name).collect();
        assert_eq!(names, [b"B" as &[u8], b"a10", b"a", b"b", b"\xff"]);
    }

    #[test]
    fn more_than_are_listed_are_cut_and_it_is_said() {
        let entry = |at: usize| Entry {
            name: at.to_string().into_bytes(),
            kind: EntryKind::Directory,
        };
        let most = Listing::of((0..ENTRIES_MAX).map(entry).collect(), false);
        assert_eq!((most.entries.len(), most.is_cut), (ENTRIES_MAX, false));
        let more = Listing::of((0..=ENTRIES_MAX).map(entry).collect(), false);
        assert_eq!((more.entries.len(), more.is_cut), (ENTRIES_MAX, true));
        assert!(more.write(b"", Form::Html).contains("first 1000"));
        assert!(more.write(b"", Form::Json).contains("\"complete\": false"));
    }
}
