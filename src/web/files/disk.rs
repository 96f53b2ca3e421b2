//! Files below a directory.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::ahead::is_at_hand;
use super::cache::{self, Answer, CacheLimits, CacheStats, Kept};
use super::coding::Accepted;
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

/// So much of a file is sent in one piece, or compressed; of more each piece is seen to by itself.
const SENT_AT_ONCE_BYTES: u64 = 64 << 10;

/// What lies below a directory. Clones share the directory, and on one loop what is remembered of it.
#[derive(Debug)]
pub(super) struct Disk {
    root: Arc<Fd>,
    /// What may be remembered.
    cache: Option<CacheLimits>,
    /// What was found last, and whether it is remembered.
    entry: Option<Entry>,
    kept: Option<Arc<Kept>>,
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
        }
    }

    #[inline]
    pub(super) fn let_go(&mut self) {
        self.kept = None;
    }

    pub(super) fn set_cache(&mut self, limits: Option<CacheLimits>) {
        self.cache = limits;
    }

    pub(super) fn cache_stats(
        &self,
        local: &Local,
        settings: &Arc<Settings>,
    ) -> Option<CacheStats> {
        cache::stats(local, &self.root, settings, self.cache.as_ref()?)
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
                    prepared: Some(&kept.prepared),
                    ..Representation::of(kept)
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
        match look(&self.root, path, accepted, settings, waiting) {
            Ok(Looked::File(file)) => Ok(Found::File(Representation {
                entry: self.entry.insert(file.entry),
                content: Content::Opened(file.file),
                prepared: None,
                compressed: None,
                varies: file.varies,
            })),
            Ok(Looked::Directory) => Ok(Found::Directory),
            Ok(Looked::Other) => Ok(Found::Other),
            Err(Missed::Cold) => Ok(Found::Cold),
            Err(Missed::Failed(failure)) => Err(failure),
        }
    }

    /// What looks for the first of these that is a file, and waits for whatever it has to wait for. What is sent of it at once
    /// it has in memory; with none of them it comes to what the last one is.
    pub(super) fn fetching(
        &self,
        paths: Vec<Vec<u8>>,
        accepted: Accepted,
        settings: Arc<Settings>,
    ) -> impl FnOnce() -> Result<Fetched, Failure> + Send + use<> {
        let root = Arc::clone(&self.root);
        move || {
            let mut fetched = Err(Failure::Missing);
            for path in paths {
                fetched = fetch(&root, &path, &accepted, &settings);
                match fetched {
                    Ok(Fetched::Directory | Fetched::Other) | Err(Failure::Missing) => {}
                    Ok(Fetched::File(_)) | Err(_) => break,
                }
            }
            fetched
        }
    }
}

impl Clone for Disk {
    fn clone(&self) -> Disk {
        Disk::of(Arc::clone(&self.root), self.cache.clone())
    }
}

/// What was looked up, and whatever had to be waited for.
#[derive(Debug)]
pub(super) enum Fetched {
    File(Box<Kept>),
    Directory,
    Other,
}

fn fetch(
    root: &Fd,
    path: &[u8],
    accepted: &Accepted,
    settings: &Settings,
) -> Result<Fetched, Failure> {
    let file = match look(root, path, accepted, settings, Waiting::Allowed) {
        Ok(Looked::File(file)) => file,
        Ok(Looked::Directory) => return Ok(Fetched::Directory),
        Ok(Looked::Other) => return Ok(Fetched::Other),
        Err(Missed::Cold) => return Err(Failure::Again), // who may wait is not told so
        Err(Missed::Failed(failure)) => return Err(failure),
    };
    let Opened {
        entry,
        file,
        varies,
    } = file;
    if entry.length > SENT_AT_ONCE_BYTES {
        let kept = Kept::in_file(entry, varies, Arc::new(file));
        return Ok(Fetched::File(Box::new(kept)));
    }
    let bytes =
        file::read_all(&file, entry.length as usize).map_err(|error| file::failure(&error))?;
    let kept = Kept::in_memory(entry, varies, bytes.into());
    Ok(Fetched::File(Box::new(kept)))
}

/// What lies at a path.
#[derive(Debug)]
enum Looked {
    File(Opened),
    Directory,
    Other,
}

/// A file that was opened to be sent.
#[derive(Debug)]
struct Opened {
    entry: Entry,
    file: Fd,
    varies: bool,
}

/// Why there is nothing to be sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Missed {
    /// It would have to be waited for.
    Cold,
    Failed(Failure),
}

impl Missed {
    fn of(error: &io::Error, waiting: Waiting) -> Missed {
        match waiting {
            Waiting::Refused if error.kind() == io::ErrorKind::WouldBlock => Missed::Cold,
            Waiting::Refused | Waiting::Allowed => Missed::Failed(file::failure(error)),
        }
    }
}

/// Looks at what lies at a path, and opens it if it is a file: itself, or the coded sibling that the client prefers.
fn look(
    root: &Fd,
    path: &[u8],
    accepted: &Accepted,
    settings: &Settings,
    waiting: Waiting,
) -> Result<Looked, Missed> {
    let (mut file, mut metadata) = match open(root, path, waiting)? {
        (Some(file), metadata) => (file, metadata),
        (None, metadata) => {
            return Ok(match metadata.kind {
                Kind::Directory => Looked::Directory,
                Kind::File | Kind::Other => Looked::Other,
            });
        }
    };
    let (mut coding, mut varies) = (None, false);
    if !settings.media_type(path).is_compressed() {
        let mut name = Vec::new();
        for candidate in accepted.by_preference() {
            candidate.sibling_of(path, &mut name);
            // One that can't be had, for whatever reason, is none: the file itself is there.
            let (sibling, of_sibling) = match open(root, &name, waiting) {
                Ok((Some(sibling), metadata)) => (sibling, metadata),
                Ok((None, _)) | Err(Missed::Failed(_)) => continue,
                Err(Missed::Cold) => return Err(Missed::Cold),
            };
            varies = true;
            if accepted.wants(candidate) {
                (file, metadata, coding) = (sibling, of_sibling, Some(candidate));
            }
            break;
        }
    }
    let at_once = 0..metadata.length.min(SENT_AT_ONCE_BYTES);
    if waiting == Waiting::Refused && !is_at_hand(&file, &at_once) {
        return Err(Missed::Cold);
    }
    let state = State::Modified(metadata.modified);
    Ok(Looked::File(Opened {
        entry: Entry::new(path, metadata.length, state, coding, settings),
        file,
        varies,
    }))
}

/// Opens what lies at a path, if it is a file; everything else is only looked at, for who has the other end of a FIFO would
/// notice that it is opened, and so would a device. What takes its place after the look is opened without waiting, and is
/// none then.
fn open(root: &Fd, path: &[u8], waiting: Waiting) -> Result<(Option<Fd>, Metadata), Missed> {
    let missed = |error: io::Error| Missed::of(&error, waiting);
    let metadata = look_at(root, path, waiting).map_err(missed)?;
    if metadata.kind != Kind::File {
        return Ok((None, metadata));
    }
    let file = again(
        || match at_hand::open_plain(root, path, Wanted::Linked, waiting) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                file::open_beneath(root, path)
            }
            opened => opened,
        },
    );
    let file = file.map_err(missed)?;
    let metadata = file::metadata(&file).map_err(missed)?;
    Ok(((metadata.kind == Kind::File).then_some(file), metadata))
}

/// What lies at a path: nothing happens to it.
pub(super) fn look_at(root: &Fd, path: &[u8], waiting: Waiting) -> io::Result<Metadata> {
    let place = again(
        || match at_hand::open_plain(root, path, Wanted::Place, waiting) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                file::place_beneath(root, path)
            }
            opened => opened,
        },
    );
    file::metadata(&place?)
}

/// Calls again what was disturbed, a few times.
fn again(mut call: impl FnMut() -> io::Result<Fd>) -> io::Result<Fd> {
    let mut tries = 1;
    loop {
        match call() {
            Err(error) if tries < TRIES && file::failure(&error) == Failure::Again => tries += 1,
            called => return called,
        }
    }
}
