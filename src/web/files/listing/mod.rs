//! What is in a directory, for those who ask for it: names, sizes and dates.
//!
//! It is gathered whole before any of it is sent, because it is sorted, so it is bounded: who has more in a directory than
//! [`ENTRIES_MAX`] is told that it is cut.

mod html;
mod json;

use std::cmp::Ordering;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::disk::may_be_opened;
use super::path::{self, Dotfiles};
use crate::sys::at_hand::{self, Waiting, Wanted};
use crate::sys::directory;
use crate::sys::file::{self, Failure, Kind};
use crate::sys::{Fd, UnixTime};

/// More entries than this are not listed. Each costs three system calls, all of them 2.6 ms of a processor, which are the
/// loop's where there is no pool.
pub(super) const ENTRIES_MAX: usize = 1000;

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
        if !may_be_opened(root, path, Waiting::Allowed) {
            return Err(Failure::Missing);
        }
        let directory = file::open_beneath(root, path).map_err(failure)?;
        if file::metadata(&directory).map_err(failure)?.kind != Kind::Directory {
            return Err(Failure::Missing);
        }
        let names = directory::names(&directory, ENTRIES_MAX).map_err(failure)?;
        let shown = names.names.into_iter();
        let shown = shown.filter(|name| path::is_shown(name, dotfiles));
        let entries = shown.filter_map(|name| entry(root, path, name));
        Ok(Listing::of(entries.collect(), names.is_cut))
    }
}

/// What a name in a directory stands for, if it is served.
fn entry(root: &Fd, directory: &[u8], name: Vec<u8>) -> Option<Entry> {
    let mut path = directory.to_vec();
    path::join(&mut path, &name);
    // Only looked at: what is opened may notice.
    let place = at_hand::open_plain(root, &path, Wanted::Place, Waiting::Allowed);
    let place = match place {
        // There is no openat2.
        Err(error) if error.kind() == std::io::ErrorKind::Unsupported => {
            file::open_beneath(root, &path)
        }
        place => place,
    };
    let metadata = file::metadata(&place.ok()?).ok()?;
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
