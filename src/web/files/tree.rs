//! Where files come from: what is served looks the same wherever it lies.

use super::coding::Accepted;
use super::disk::Disk;
use super::entry::{Content, Entry};
use super::memory::Memory;
use super::settings::Settings;
use crate::sys::file::Failure;

/// A tree of files.
#[derive(Clone, Debug)]
pub(super) enum Tree {
    /// Below a directory.
    Disk(Disk),
    /// In memory.
    Memory(Memory),
}

/// What a path stands for.
#[derive(Debug)]
pub(super) enum Found<'t> {
    /// A file.
    File(Representation<'t>),
    /// A directory.
    Directory,
    /// What is not served: a device, a FIFO, a socket.
    Other,
}

/// A file as a client is to have it (RFC 9110 §3.2): as it is, or coded.
#[derive(Debug)]
pub(super) struct Representation<'t> {
    pub(super) entry: &'t Entry,
    pub(super) content: Content<'t>,
    /// Others may get another one, because there are coded siblings.
    pub(super) varies: bool,
}

impl Tree {
    /// Looks for a file. The path is one of [`resolve`](super::path::resolve): names with a slash between each two, or
    /// nothing for the root. Of a file that has coded siblings it is the one that the client prefers.
    pub(super) fn look_up(
        &mut self,
        path: &[u8],
        accepted: &Accepted,
        settings: &Settings,
    ) -> Result<Found<'_>, Failure> {
        match self {
            Tree::Disk(disk) => disk.look_up(path, accepted, settings),
            Tree::Memory(memory) => memory.look_up(path, accepted, settings),
        }
    }
}
