//! What is remembered of files below a directory, so that a request for one of them costs no look at the file system.
//!
//! Under the path of a file the cache has what a client can be sent in its place: the file as it is and its coded siblings,
//! each with the lines of its head as they are sent, and with its content if that is small, an open descriptor if not. Under
//! other paths it has that there is a directory, that there is nothing, or that what lies there can't be remembered.
//!
//! # Why nothing old is served
//!
//! *A request whose first byte was sent after a write to the file was closed, or after a rename had returned, is never
//! answered with what was there before.* Four things together see to it:
//!
//! 1. **What is remembered is watched before it is looked at.** Of every directory on the way the names are watched before the
//!    next name is looked up in it, and the file itself before its content is read (inotify(7)). What happens after the look is
//!    told, whatever it was, and what happened before it was seen by it.
//! 2. **A notice is in the queue before the call that causes it returns.** Writing tells at each write(2), a file that is
//!    written through a mapping tells when that and its descriptor are gone; renaming, linking and removing tell of both names. A
//!    file is watched itself, not by its directory, and so it does not matter by which of its names it is written.
//! 3. **The queue is read at a moment that is not before the request's.** [`Moment`] is what the loop knows of when a request
//!    has come. Before the first answer of a turn the queue is read to its end: by then every request that an event of
//!    this turn has announced had begun to come. Such an event says that bytes were there when the wait ended, so it is the
//!    first of the bytes that are received next that had come by then, and the request which begins with it. Everything else
//!    may have been sent while the turn went on: a request behind another one in the same bytes, one that comes with a second
//!    receive, one of a session that is driven by the run queue or by mail, or after that one was. Each of those has a later
//!    moment, and the queue is read once more, once for all that came with one receive. It is *not* enough that the
//!    descriptor of the queue has no event in the wait that has an event of the connection: the kernel gathers the events of
//!    one wait one by one, and both the notice and the request may come while it does.
//! 4. **In doubt there is nothing.** When notices were lost, when a directory on the way was moved or removed, when the file
//!    system is one whose changes this kernel does not see, when there are too many watches, and where a symbolic link is on the
//!    way, the file is opened and looked at for every request, as it is without a cache.
//!
//! What is not told is a file system that is mounted over a directory, or taken away from there; what is written through a
//! mapping that outlives its descriptor, until it goes; and other spellings of a name in a directory that was told to ignore
//! case. What was remembered is served until something else changes there, or until the server starts anew.

mod fill;
mod kept;
mod limits;
mod table;
mod watches;

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, Weak};

use super::coding::Accepted;
use super::settings::Settings;
use super::tree::Asker;
use crate::server::{Hashing, Local, LocalId, Moment, Watch};
use crate::sys::file::Failure;
use crate::sys::inotify::{Inotify, Notice, Notices};
use crate::sys::{Fd, Interest, process};
use fill::Fill;
use kept::Group;
use table::Table;
use watches::{Watched, Watches};

pub(super) use kept::Kept;
pub use limits::{CacheLimits, CacheStats};

/// How often the queue is read for one request. A queue that is not empty after that is filled faster than it is read.
const READS_MAX: usize = 256;
/// One in so many of the descriptors that the process may have can be kept open: most are for connections.
const DESCRIPTORS_SHARE: u64 = 64;
/// After a watch that can't be had, so many lookups do without the cache.
const REST: u32 = 1024;

/// What is remembered of one tree, by the handlers of one loop. It keeps neither the tree nor the settings: see [`Known`].
#[derive(Debug)]
pub(super) struct Cache {
    limits: CacheLimits,
    queue: Rc<Inotify>,
    /// Out of here while they are obeyed.
    notices: Option<Notices>,
    /// The queue was empty after this.
    looked: Option<Moment>,
    table: Table,
    watches: Watches,
    /// Lookups that are to do without.
    rest: u32,
    /// The queue can't be read: what happens is not known any more.
    deaf: bool,
    stats: CacheStats,
    /// Where paths are made: its memory is used again.
    path: Vec<u8>,
}

/// What a lookup comes to.
#[derive(Debug)]
pub(super) enum Answer {
    /// A file.
    File(Arc<Kept>),
    /// A directory.
    Directory,
    /// What is not served.
    Other,
    /// It has to be looked up without the cache.
    Unknown,
    /// It would have to be waited for.
    Cold,
    /// It can't be had.
    Failed(Failure),
}

/// What stands at a path.
#[derive(Debug)]
enum Place {
    File(Group),
    Directory,
    Missing,
    /// Something that is not told of.
    Untold,
}

/// The caches of a loop.
#[derive(Debug, Default)]
struct Caches(RefCell<Vec<Known>>);

/// The cache of what is served from one directory in one way. It goes when nobody serves that any more, and another one is
/// made.
#[derive(Debug)]
struct Known {
    root: Weak<Fd>,
    settings: Weak<Settings>,
    limits: CacheLimits,
    cache: Option<Live>,
    /// Lookups that are to do without, because there is none.
    rest: u32,
}

/// A cache, and the watch of its queue.
#[derive(Debug)]
struct Live {
    cache: Rc<RefCell<Cache>>,
    watch: LocalId,
}

/// What stands at a path, as far as it is remembered or can be.
pub(super) fn look_up(
    path: &[u8],
    accepted: &Accepted,
    asker: &Asker<'_>,
    root: &Arc<Fd>,
    settings: &Arc<Settings>,
    limits: &CacheLimits,
) -> Answer {
    match of(asker.local, root, settings, limits) {
        Some(cache) => {
            let mut cache = cache.borrow_mut();
            if let Some(answer) = cache.find(path, accepted, asker.moment) {
                return answer;
            }
            let cache = &mut *cache;
            let mut fill = Fill {
                cache,
                root,
                settings,
            };
            fill.at(path, accepted, asker.waiting)
        }
        None => Answer::Unknown,
    }
}

/// What the cache has come to, if there is one.
pub(super) fn stats(
    local: &Local,
    root: &Arc<Fd>,
    settings: &Arc<Settings>,
    limits: &CacheLimits,
) -> Option<CacheStats> {
    let caches = local.share(Caches::default);
    let caches = caches.0.borrow();
    let known = caches.iter().find(|it| it.is_of(root, settings, limits))?;
    Some(known.cache.as_ref()?.cache.borrow().stats())
}

impl Known {
    /// What a weak pointer leads to has its place for itself as long as that is there.
    fn is_of(&self, root: &Arc<Fd>, settings: &Arc<Settings>, limits: &CacheLimits) -> bool {
        self.root.as_ptr() == Arc::as_ptr(root)
            && self.settings.as_ptr() == Arc::as_ptr(settings)
            && self.limits == *limits
    }

    fn is_served(&self) -> bool {
        self.root.strong_count() > 0 && self.settings.strong_count() > 0
    }
}

/// The cache of the handlers of this loop that serve this tree in this way, made now if there is none. `None`: it can't be
/// had, for want of descriptors or of an inotify instance.
fn of(
    local: &Local,
    root: &Arc<Fd>,
    settings: &Arc<Settings>,
    limits: &CacheLimits,
) -> Option<Rc<RefCell<Cache>>> {
    let caches = local.share(Caches::default);
    let mut caches = caches.0.borrow_mut();
    let at = caches
        .iter()
        .position(|it| it.is_of(root, settings, limits));
    let at = at.unwrap_or_else(|| {
        caches.retain(|it| {
            let is_served = it.is_served();
            if let Some(live) = it.cache.as_ref().filter(|_| !is_served) {
                local.cancel(live.watch);
            }
            is_served
        });
        caches.push(Known {
            root: Arc::downgrade(root),
            settings: Arc::downgrade(settings),
            limits: limits.clone(),
            cache: None,
            rest: 0,
        });
        caches.len() - 1
    });
    let known = &mut caches[at];
    if known.cache.is_none() {
        if known.rest > 0 {
            known.rest -= 1;
            return None;
        }
        known.cache = Cache::watched(local, limits).ok();
        known.rest = REST;
    }
    known.cache.as_ref().map(|live| Rc::clone(&live.cache))
}

impl Cache {
    /// A cache that hears of changes also while nobody asks: what was removed is not kept open.
    fn watched(local: &Local, limits: &CacheLimits) -> io::Result<Live> {
        let share = process::descriptors_max()? / DESCRIPTORS_SHARE;
        let share = usize::try_from(share).unwrap_or(usize::MAX);
        if share == 0 {
            return Err(io::Error::other("too few descriptors for a cache"));
        }
        let limits = CacheLimits {
            files_max: limits.files_max.min(share),
            ..limits.clone()
        };
        let queue = Rc::new(Inotify::new()?);
        let cache = Rc::new(RefCell::new(Cache {
            limits,
            queue: Rc::clone(&queue),
            notices: None,
            looked: None,
            table: Table::new((*local.share(Hashing::default)).clone()),
            watches: Watches::default(),
            rest: 0,
            deaf: false,
            stats: CacheStats::default(),
            path: Vec::new(),
        }));
        let weak = Rc::downgrade(&cache);
        let watch = local.watch(queue, Interest::READ, move |_, _| match weak.upgrade() {
            Some(cache) => {
                let mut cache = cache.borrow_mut();
                cache.hear();
                // A queue that can't be read would be told of for ever.
                if cache.deaf { Watch::End } else { Watch::Keep }
            }
            None => Watch::End,
        })?;
        Ok(Live { cache, watch })
    }

    /// What is remembered of a path, for a request of this moment. `None`: nothing is, and something can be.
    fn find(&mut self, path: &[u8], accepted: &Accepted, moment: Moment) -> Option<Answer> {
        if self.deaf {
            return Some(Answer::Unknown);
        }
        if self.looked < Some(moment) {
            if !self.hear() {
                return Some(Answer::Unknown);
            }
            self.looked = Some(moment);
        }
        if let Some(place) = self.table.find(path) {
            self.stats.hits += 1;
            return Some(place.answer(accepted));
        }
        if self.rest > 0 {
            self.rest -= 1;
            return Some(Answer::Unknown);
        }
        self.stats.misses += 1;
        None
    }

    /// Reads the queue to its end. Whether that was possible; if not, everything is forgotten.
    fn hear(&mut self) -> bool {
        let mut notices = self.notices.take().unwrap_or_default();
        let mut heard = false;
        for _ in 0..READS_MAX {
            match self.queue.read(&mut notices) {
                Ok(()) => notices.iter().for_each(|notice| self.obey(notice)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    heard = true;
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    self.deaf = true;
                    break;
                }
            }
        }
        self.notices = Some(notices);
        if !heard {
            self.lose();
        }
        heard
    }

    fn obey(&mut self, notice: Notice<'_>) {
        match notice {
            Notice::Lost => self.lose(),
            Notice::Changed(watch) | Notice::Ended(watch) => match self.watches.of(watch) {
                Some(Watched::Directory(path)) => {
                    let path = Arc::clone(path);
                    self.forget_below(&path);
                }
                Some(Watched::Files(places)) => {
                    for place in places.clone() {
                        self.forget(place);
                    }
                }
                None => {} // one that has been taken away
            },
            Notice::Name { watch, name } => {
                let Some(Watched::Directory(directory)) = self.watches.of(watch) else {
                    return;
                };
                let mut path = std::mem::take(&mut self.path);
                path.clear();
                path.extend_from_slice(directory);
                super::path::join(&mut path, name);
                self.forget_name(&path);
                self.path = path;
            }
        }
    }

    /// This name stands for something else.
    fn forget_name(&mut self, path: &[u8]) {
        if self.watches.has_directory(path) {
            self.forget_below(path);
        }
        if let Some(place) = self.table.place_of(path) {
            self.forget(place);
        }
        // It may be a coded sibling of another one.
        if let Some(whole) = super::coding::Coding::without_suffix(path)
            && let Some(place) = self.table.place_of(whole)
        {
            self.forget(place);
        }
    }

    /// A directory is not what it was, and nothing in it.
    fn forget_below(&mut self, directory: &[u8]) {
        for place in self.table.places_below(directory) {
            self.forget(place);
        }
        for watch in self.watches.remove_below(directory) {
            let _ = self.queue.forget(watch); // of what is gone it has ended
        }
    }

    fn forget(&mut self, place: usize) {
        if self.table.has(place) {
            self.stats.changed += 1;
            self.remove(place);
        }
    }

    fn remove(&mut self, place: usize) {
        for watch in self.table.remove(place) {
            if self.watches.leave(watch, place) {
                let _ = self.queue.forget(watch); // of what is gone it has ended
            }
        }
    }

    /// There is no telling what has happened.
    fn lose(&mut self) {
        self.stats.lost += 1;
        self.forget_below(b"");
    }

    /// What it has come to so far.
    fn stats(&self) -> CacheStats {
        CacheStats {
            places: self.table.len(),
            bytes: self.table.cost().bytes,
            files: self.table.cost().files,
            watches: self.watches.len(),
            ..self.stats
        }
    }
}

impl Place {
    fn answer(&self, accepted: &Accepted) -> Answer {
        match self {
            Place::File(group) => Answer::File(Arc::clone(group.choose(accepted))),
            Place::Directory => Answer::Directory,
            Place::Missing => Answer::Failed(Failure::Missing),
            Place::Untold => Answer::Unknown,
        }
    }
}
