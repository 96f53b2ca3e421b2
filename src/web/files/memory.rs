//! Files in memory.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Bound;
use std::sync::Arc;

use super::coding::Accepted;
use super::entry::{Bytes, Compressed, Content, Entry, State};
use super::listing::{self, EntryKind, Listing};
use super::path::{self, Dotfiles};
use super::settings::Settings;
use super::tree::{Found, Representation};
use crate::sys::file::Failure;

/// A tree of files in memory. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    files: Arc<BTreeMap<Box<[u8]>, File>>,
    /// What was found last.
    entry: Option<Entry>,
    /// Where the names of siblings are made: its memory is used again.
    sibling: Vec<u8>,
}

#[derive(Debug)]
struct File {
    bytes: Bytes,
    digest: u64,
    compressed: Compressed,
}

impl Memory {
    /// Files by path. The later one of two with the same path counts.
    pub(super) fn new(
        files: impl IntoIterator<Item = (String, FileBytes)>,
    ) -> Result<Memory, FileNameError> {
        let mut map: BTreeMap<Box<[u8]>, File> = BTreeMap::new();
        for (path, FileBytes(bytes)) in files {
            let name = path.trim_start_matches('/').as_bytes();
            if name.split(|byte| *byte == b'/').any(path::is_no_name) {
                return Err(FileNameError(path));
            }
            let digest = digest(bytes.as_ref());
            let file = File {
                bytes,
                digest,
                compressed: Compressed::default(),
            };
            map.insert(name.into(), file);
        }
        let files = Arc::new(map);
        if let Some(name) = files.keys().find(|name| is_directory(&files, name)) {
            return Err(FileNameError(String::from_utf8_lossy(name).into_owned()));
        }
        Ok(Memory {
            files,
            entry: None,
            sibling: Vec::new(),
        })
    }

    pub(super) fn look_up(
        &mut self,
        path: &[u8],
        accepted: &Accepted,
        settings: &Settings,
    ) -> Result<Found<'_>, Failure> {
        let Some(mut file) = self.files.get(path) else {
            return if is_directory(&self.files, path) {
                Ok(Found::Directory)
            } else {
                Err(Failure::Missing)
            };
        };
        let (mut coding, mut varies) = (None, false);
        if !settings.media_type(path).is_compressed() {
            for candidate in accepted.by_preference() {
                candidate.sibling_of(path, &mut self.sibling);
                let Some(sibling) = self.files.get(&*self.sibling) else {
                    continue;
                };
                varies = true;
                if accepted.wants(candidate) {
                    (file, coding) = (sibling, Some(candidate));
                }
                break;
            }
        }
        let (length, state) = (file.bytes.as_ref().len(), State::Digest(file.digest));
        let entry = Entry::new(path, length as u64, state, coding, settings);
        Ok(Found::File(Representation {
            entry: self.entry.insert(entry),
            content: Content::Bytes(&file.bytes),
            prepared: None,
            compressed: Some(&file.compressed),
            varies,
        }))
    }

    /// What is in the directory at a path.
    pub(super) fn list(&self, path: &[u8], dotfiles: Dotfiles) -> Result<Listing, Failure> {
        if !is_directory(&self.files, path) {
            return Err(Failure::Missing);
        }
        let mut directory = path.to_vec();
        if !path.is_empty() {
            directory.push(b'/');
        }
        let mut entries = Vec::new();
        let mut from = directory.clone();
        loop {
            let behind = (Bound::Included(&*from), Bound::Unbounded);
            let Some((path, file)) = self.files.range::<[u8], _>(behind).next() else {
                break;
            };
            let Some(below) = path.strip_prefix(&*directory) else {
                break;
            };
            let slash = below.iter().position(|byte| *byte == b'/');
            let name = &below[..slash.unwrap_or(below.len())];
            let kind = match slash {
                Some(_) => EntryKind::Directory,
                None => EntryKind::File(file.bytes.as_ref().len() as u64, None),
            };
            if path::is_shown(name, dotfiles) {
                let name = name.to_vec();
                entries.push(listing::Entry { name, kind });
            }
            // Behind all that is below this name, which comes together: what follows a slash is a digit.
            from.truncate(directory.len());
            from.extend_from_slice(name);
            from.push(if slash.is_some() { b'/' + 1 } else { 0 });
        }
        Ok(Listing::of(entries, false))
    }
}

/// Whether a file lies below the path. The root is always there.
fn is_directory(files: &BTreeMap<Box<[u8]>, File>, path: &[u8]) -> bool {
    if path.is_empty() {
        return true;
    }
    let below = [path, b"/"].concat();
    let from = (Bound::Included(&*below), Bound::Unbounded);
    let mut next = files.range::<[u8], _>(from);
    next.next()
        .is_some_and(|(name, _)| name.starts_with(&below))
}

/// The same for the same bytes in every process of one program.
fn digest(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

/// The content of a file in memory: bytes or text that are part of the program, or that others share.
#[derive(Clone, Debug)]
pub struct FileBytes(Bytes);

impl From<&'static [u8]> for FileBytes {
    fn from(bytes: &'static [u8]) -> FileBytes {
        FileBytes(Bytes::Constant(bytes))
    }
}

impl From<&'static str> for FileBytes {
    fn from(text: &'static str) -> FileBytes {
        FileBytes(Bytes::Constant(text.as_bytes()))
    }
}

impl<const N: usize> From<&'static [u8; N]> for FileBytes {
    fn from(bytes: &'static [u8; N]) -> FileBytes {
        FileBytes(Bytes::Constant(bytes))
    }
}

impl From<Arc<[u8]>> for FileBytes {
    fn from(bytes: Arc<[u8]>) -> FileBytes {
        FileBytes(Bytes::Shared(bytes))
    }
}

impl From<Vec<u8>> for FileBytes {
    fn from(bytes: Vec<u8>) -> FileBytes {
        FileBytes(Bytes::Shared(bytes.into()))
    }
}

impl From<String> for FileBytes {
    fn from(text: String) -> FileBytes {
        FileBytes(Bytes::Shared(text.into_bytes().into()))
    }
}

/// Why a name can't be that of a file in memory: nobody could ask for it, or another file lies below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileNameError(String);

impl fmt::Display for FileNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.0;
        write!(
            f,
            "{name:?} is no path of a file; write names with a slash between each two"
        )
    }
}

impl core::error::Error for FileNameError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(names: &[&str]) -> Result<Memory, FileNameError> {
        Memory::new(names.iter().map(|name| ((*name).to_owned(), "x".into())))
    }

    #[test]
    fn directories_are_where_files_are() {
        let memory = memory(&["/a/b/c", "a-b", "a.b"]).expect("names");
        for (path, expected) in [
            ("", true),
            ("a", true),
            ("a/b", true),
            ("a/b/c", false),
            ("a-", false),
            ("b", false),
        ] {
            assert_eq!(
                is_directory(&memory.files, path.as_bytes()),
                expected,
                "{path}"
            );
        }
    }

    #[test]
    fn names_that_nobody_can_ask_for_are_refused() {
        for names in [
            &[""] as &[&str],
            &["/"],
            &["a/"],
            &["a//b"],
            &["a/../b"],
            &["./a"],
            &["a\0"],
            &["a", "a/b"],
        ] {
            memory(names).expect_err("no name");
        }
    }
}
