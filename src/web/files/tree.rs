//! Where files come from: what is served looks the same wherever it lies.

use std::sync::{Arc, OnceLock};

use super::answer::Prepared;
use super::cache::{CacheLimits, CacheStats, Kept};
use super::coding::Accepted;
use super::disk::Disk;
use super::entry::{Compressed, Content, Entry};
use super::memory::Memory;
use super::settings::Settings;
use crate::http::Head;
use crate::server::pool::Pool;
use crate::server::{Local, Moment, ResponseWriter};
use crate::sys::at_hand::Waiting;
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
    /// What would have to be waited for.
    Cold,
}

/// For whom something is looked up.
#[derive(Debug)]
pub(super) struct Asker<'a> {
    pub(super) local: &'a Local,
    /// A moment by which the request had begun to come.
    pub(super) moment: Moment,
    /// Whether the look may wait for a disk.
    pub(super) waiting: Waiting,
}

impl<'a> Asker<'a> {
    pub(super) fn of(res: &'a ResponseWriter<'_>, waiting: Waiting) -> Asker<'a> {
        Asker {
            local: res.local(),
            moment: res.moment(),
            waiting,
        }
    }
}

/// A file as a client is to have it (RFC 9110 §3.2): as it is, or coded.
#[derive(Debug)]
pub(super) struct Representation<'t> {
    pub(super) entry: &'t Entry,
    pub(super) content: Content<'t>,
    /// What is said of it in every answer, if that is kept.
    pub(super) prepared: Option<&'t OnceLock<Prepared>>,
    /// Where what it is compressed to is kept, if it is.
    pub(super) compressed: Option<&'t Compressed>,
    /// Others may get another one, because there are coded siblings.
    pub(super) varies: bool,
}

impl<'t> Representation<'t> {
    /// Of what was fetched for one answer.
    pub(super) fn of(kept: &'t Kept) -> Representation<'t> {
        Representation {
            entry: &kept.entry,
            content: kept.content(),
            prepared: None,
            compressed: Some(&kept.compressed),
            varies: kept.varies,
        }
    }

    /// With threads of a pool that see to it that the whole of it is in memory when it is sent, if it is.
    pub(super) fn read_ahead(
        self,
        head: &Head<'_>,
        pool: Option<&Pool>,
        res: &mut ResponseWriter<'_>,
    ) -> Self {
        let pool = pool.filter(|_| head.method() != "HEAD");
        let content = self.content.read_ahead(&(0..self.entry.length), pool, res);
        Representation { content, ..self }
    }
}

impl Tree {
    /// What is in memory needs no cache.
    pub(super) fn set_cache(&mut self, limits: Option<CacheLimits>) {
        match self {
            Tree::Disk(disk) => disk.set_cache(limits),
            Tree::Memory(_) => {}
        }
    }

    pub(super) fn cache_stats(
        &self,
        local: &Local,
        settings: &Arc<Settings>,
    ) -> Option<CacheStats> {
        match self {
            Tree::Disk(disk) => disk.cache_stats(local, settings),
            Tree::Memory(_) => None,
        }
    }

    /// What was found last is not kept for longer than its answer.
    #[inline]
    pub(super) fn let_go(&mut self) {
        match self {
            Tree::Disk(disk) => disk.let_go(),
            Tree::Memory(_) => {}
        }
    }

    /// Looks for a file. The path is one of [`resolve`](super::path::resolve): names with a slash between each two, or
    /// nothing for the root. Of a file that has coded siblings it is the one that the client prefers.
    pub(super) fn look_up(
        &mut self,
        path: &[u8],
        accepted: &Accepted,
        settings: &Arc<Settings>,
        asker: &Asker<'_>,
    ) -> Result<Found<'_>, Failure> {
        match self {
            Tree::Disk(disk) => disk.look_up(path, accepted, settings, asker),
            Tree::Memory(memory) => memory.look_up(path, accepted, settings),
        }
    }
}
