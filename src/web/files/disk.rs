//! Files below a directory.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::cache::{self, Answer, CacheLimits, CacheStats, Kept};
use super::coding::{Accepted, Coding};
use super::entry::{Content, Entry, State};
use super::listing::Listing;
use super::path::Dotfiles;
use super::settings::Settings;
use super::tree::{Asker, Found, Representation};
use crate::server::Local;
use crate::sys::Fd;
use crate::sys::at_hand::{self, Waiting, Wanted};
use crate::sys::file::{self, Failure, Kind, Metadata};

/// How often a path is looked up that changes while it is looked up, or while signals come.
const TRIES: usize = 4;

/// What lies below a directory. Clones share the directory, and on one loop what is remembered of it.
#[derive(Debug)]
pub(super) struct Disk {
    root: Arc<Fd>,
    /// What may be remembered.
    cache: Option<CacheLimits>,
    /// What was found last, and whether it is remembered.
    entry: Option<Entry>,
    kept: Option<Arc<Kept>>,
    /// Where the names of siblings are made: its memory is used again.
    sibling: Vec<u8>,
}

impl Disk {
    /// What lies below `root`, which is opened now. Errors: those of open(2).
    pub(super) fn open(root: &Path) -> io::Result<Disk> {
        let root = Arc::new(file::open_root(root)?);
        Ok(Disk::of(root, Some(CacheLimits::default())))
    }

    fn of(root: Arc<Fd>, cache: Option<CacheLimits>) -> Disk {
        Disk {
            root,
            cache,
            entry: None,
            kept: None,
            sibling: Vec::new(),
        }
    }

    pub(super) fn set_cache(&mut self, limits: Option<CacheLimits>) {
        self.cache = limits;
    }

    pub(super) fn cache_stats(
        &self,
        local: &Local,
        settings: &Arc<Settings>,
    ) -> Option<CacheStats> {
        cache::stats(local, &self.root, settings)
    }

    pub(super) fn look_up(
        &mut self,
        path: &[u8],
        accepted: &Accepted,
        settings: &Arc<Settings>,
        asker: &Asker<'_>,
    ) -> Result<Found<'_>, Failure> {
        let answer = match &self.cache {
            Some(limits) => cache::look_up(path, accepted, asker, &self.root, settings, limits),
            None => Answer::Unknown,
        };
        match answer {
            Answer::File(kept) => {
                let kept = self.kept.insert(kept);
                Ok(Found::File(Representation {
                    entry: &kept.entry,
                    content: kept.content(),
                    prepared: Some(&kept.prepared),
                    varies: kept.varies,
                }))
            }
            Answer::Directory => Ok(Found::Directory),
            Answer::Other => Ok(Found::Other),
            Answer::Cold => Ok(Found::Cold),
            Answer::Failed(failure) => Err(failure),
            Answer::Unknown => self.look(path, accepted, settings, asker.waiting),
        }
    }

    /// What reads the names in the directory at a path.
    pub(super) fn listing(
        &self,
        path: Vec<u8>,
        dotfiles: Dotfiles,
    ) -> impl FnOnce() -> Result<Listing, Failure> + Send + use<> {
        let root = Arc::clone(&self.root);
        move || Listing::read(&root, &path, dotfiles)
    }

    /// Looks at the files themselves.
    fn look(
        &mut self,
        path: &[u8],
        accepted: &Accepted,
        settings: &Settings,
        waiting: Waiting,
    ) -> Result<Found<'_>, Failure> {
        if waiting == Waiting::Refused && self.is_cold(path) {
            return Ok(Found::Cold);
        }
        let (file, metadata) = open(&self.root, path)?;
        match metadata.kind {
            Kind::File => {}
            Kind::Directory => return Ok(Found::Directory),
            Kind::Other => return Ok(Found::Other),
        }
        let (mut file, mut metadata, mut coding, mut varies) = (file, metadata, None, false);
        if !settings.media_type(path).is_compressed() {
            for candidate in accepted.by_preference() {
                let Some((sibling, of_sibling)) = self.open_sibling(path, candidate) else {
                    continue;
                };
                varies = true;
                if accepted.wants(candidate) {
                    (file, metadata, coding) = (sibling, of_sibling, Some(candidate));
                }
                break;
            }
        }
        let state = State::Modified(metadata.modified);
        let entry = Entry::new(path, metadata.length, state, coding, settings);
        Ok(Found::File(Representation {
            entry: self.entry.insert(entry),
            content: Content::Opened(file),
            prepared: None,
            varies,
        }))
    }

    /// Whether a disk would have to be waited for, to open what is at the path or to send the beginning of it.
    fn is_cold(&mut self, path: &[u8]) -> bool {
        if !may_be_opened(&self.root, path, Waiting::Refused) {
            return false;
        }
        let opened = at_hand::open_plain(&self.root, path, Wanted::Linked, Waiting::Refused);
        let would_wait = |error: &io::Error| error.kind() == io::ErrorKind::WouldBlock;
        match opened {
            Ok(file) => {
                let read = at_hand::read_at_hand(&file, &mut [0], 0);
                read.is_err_and(|error| would_wait(&error))
            }
            Err(error) => would_wait(&error),
        }
    }

    /// What has whatever is at a path in memory when it has run: its name, the beginning of its content, and those of its
    /// siblings.
    pub(super) fn warming(&self, path: Vec<u8>) -> impl FnOnce() + Send + use<> {
        let root = Arc::clone(&self.root);
        move || {
            let mut sibling = Vec::new();
            read_first(&root, &path);
            for coding in Coding::ALL {
                coding.sibling_of(&path, &mut sibling);
                read_first(&root, &sibling);
            }
        }
    }

    /// A sibling that can't be had, for whatever reason, is none: the file itself is there.
    fn open_sibling(&mut self, path: &[u8], coding: Coding) -> Option<(Fd, Metadata)> {
        coding.sibling_of(path, &mut self.sibling);
        let opened = open(&self.root, &self.sibling).ok();
        opened.filter(|(_, metadata)| metadata.kind == Kind::File)
    }
}

impl Clone for Disk {
    fn clone(&self) -> Disk {
        Disk::of(Arc::clone(&self.root), self.cache.clone())
    }
}

/// Whether what lies at a path may be opened. Who has the other end of a FIFO would notice that it is, and so would a device;
/// looking at it does nothing. What takes its place after that is opened without waiting, and refused then.
pub(super) fn may_be_opened(root: &Fd, path: &[u8], waiting: Waiting) -> bool {
    let place = at_hand::open_plain(root, path, Wanted::Place, waiting);
    let looked = place.and_then(|place| file::metadata(&place));
    // What can't be looked at says why when it is opened.
    !looked.is_ok_and(|metadata| metadata.kind == Kind::Other)
}

fn open(root: &Fd, path: &[u8]) -> Result<(Fd, Metadata), Failure> {
    if !may_be_opened(root, path, Waiting::Allowed) {
        return Err(Failure::Missing);
    }
    let mut tries = 1;
    let file = loop {
        match file::open_beneath(root, path).map_err(|error| file::failure(&error)) {
            Err(Failure::Again) if tries < TRIES => tries += 1,
            opened => break opened?,
        }
    };
    let metadata = file::metadata(&file).map_err(|error| file::failure(&error))?;
    Ok((file, metadata))
}

/// How much of a file is read ahead: whatever is kept in memory or sent at once.
const FIRST_BYTES: usize = 256 << 10;

/// Reads the beginning of a file, for nothing but to have it in memory.
fn read_first(root: &Fd, path: &[u8]) {
    let Ok((file, metadata)) = open(root, path) else {
        return;
    };
    if metadata.kind != Kind::File {
        return;
    }
    let mut piece = vec![0; 64 << 10];
    let mut at = 0;
    while at < FIRST_BYTES {
        match file::read_at(&file, &mut piece, at as u64) {
            Ok(0) | Err(_) => return,
            Ok(read) => at += read,
        }
    }
}
