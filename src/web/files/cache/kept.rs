//! What is kept of a file.

use std::sync::{Arc, OnceLock};

use super::super::answer::Prepared;
use super::super::coding::{Accepted, Coding};
use super::super::entry::{Bytes, Compressed, Content, Entry};
use super::table::Cost;
use crate::sys::Fd;

/// A file, or a coded sibling that is sent in its place.
#[derive(Debug)]
pub(in super::super) struct Kept {
    pub(in super::super) entry: Entry,
    /// Others may get another one.
    pub(in super::super) varies: bool,
    content: Where,
    /// The head that says what it is. There is none before the file has settled: until then its ETag is a weak one.
    pub(in super::super) prepared: OnceLock<Prepared>,
    pub(in super::super) compressed: Compressed,
}

/// Where the content is.
#[derive(Debug)]
enum Where {
    Memory(Bytes),
    File(Arc<Fd>),
}

impl Kept {
    pub(in super::super) fn in_memory(entry: Entry, varies: bool, bytes: Arc<[u8]>) -> Kept {
        Kept::new(entry, varies, Where::Memory(Bytes::Shared(bytes)))
    }

    pub(in super::super) fn in_file(entry: Entry, varies: bool, file: Arc<Fd>) -> Kept {
        Kept::new(entry, varies, Where::File(file))
    }

    fn new(entry: Entry, varies: bool, content: Where) -> Kept {
        Kept {
            entry,
            varies,
            content,
            prepared: OnceLock::new(),
            compressed: Compressed::default(),
        }
    }

    /// What its content takes: bytes in memory, or a descriptor; and as much again for what it can be compressed to.
    pub(super) fn takes(&self) -> Cost {
        let (bytes, files) = match &self.content {
            Where::Memory(bytes) => (bytes.as_ref().len(), 0),
            Where::File(_) => (0, 1),
        };
        let compressed = if self.entry.is_compressed {
            self.entry.length as usize
        } else {
            0
        };
        Cost {
            bytes: bytes + compressed,
            files,
        }
    }

    pub(in super::super) fn content(&self) -> Content<'_> {
        match &self.content {
            Where::Memory(bytes) => Content::Bytes(bytes),
            Where::File(file) => Content::Shared(file),
        }
    }
}

/// A file and its coded siblings, in the order of [`Coding::ALL`].
#[derive(Debug)]
pub(super) struct Group {
    pub(super) whole: Arc<Kept>,
    pub(super) coded: [Option<Arc<Kept>>; Coding::ALL.len()],
}

impl Group {
    /// The one that the client prefers: of the siblings that there are, the one that it likes best, if it takes that.
    pub(super) fn choose(&self, accepted: &Accepted) -> &Arc<Kept> {
        if !self.whole.varies {
            return &self.whole;
        }
        let coded = |coding: &Coding| self.coded[coding.place()].as_ref();
        let by_preference = accepted.by_preference();
        let first = by_preference.iter().find(|coding| coded(coding).is_some());
        first
            .filter(|coding| accepted.wants(**coding))
            .and_then(coded)
            .unwrap_or(&self.whole)
    }
}
