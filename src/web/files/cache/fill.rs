//! What is not remembered is looked up, and watched before it is.

use std::io;
use std::sync::Arc;

use super::super::coding::{Accepted, Coding};
use super::super::disk;
use super::super::entry::{Entry, State};
use super::super::settings::Settings;
use super::kept::{Group, Kept};
use super::table::{Cost, Table};
use super::{Answer, Cache, Place, REST};
use crate::sys::Fd;
use crate::sys::at_hand::{self, Waiting, Wanted};
use crate::sys::file::{self, Failure, Kind, Metadata};
use crate::sys::inotify::{self, Subject, WatchId};

/// How often a path is looked up that changes while it is looked up, or while signals come.
const TRIES: usize = 4;
/// What a file takes in memory beside its content.
const HEAD_BYTES: usize = 512;

/// Why there is nothing to be remembered.
enum Stop {
    /// It has to be looked up without the cache.
    Unknown,
    /// It would have to be waited for.
    Cold,
    Failed(Failure),
}

/// What stands at a path.
enum At {
    File(Fd),
    Directory,
    Other,
    Nothing,
}

/// A file that was opened and is watched.
struct Opened {
    file: Fd,
    metadata: Metadata,
}

/// Fills a cache from the tree that it is of.
pub(super) struct Fill<'a> {
    pub(super) cache: &'a mut Cache,
    pub(super) root: &'a Fd,
    pub(super) settings: &'a Settings,
}

impl Fill<'_> {
    /// Looks up what stands at a path, and remembers it.
    pub(super) fn at(&mut self, path: &[u8], accepted: &Accepted, waiting: Waiting) -> Answer {
        match self.look(path, accepted, waiting) {
            Ok(answer) => answer,
            Err(Stop::Unknown) => Answer::Unknown,
            Err(Stop::Cold) => Answer::Cold,
            Err(Stop::Failed(failure)) => Answer::Failed(failure),
        }
    }

    fn look(&mut self, path: &[u8], accepted: &Accepted, waiting: Waiting) -> Result<Answer, Stop> {
        if !path.is_empty() {
            let end = path.iter().rposition(|byte| *byte == b'/');
            self.watch_way(&path[..end.unwrap_or(0)], waiting)?;
        }
        let file = match self.open(path, waiting)? {
            At::File(file) => file,
            At::Nothing => return Ok(self.remember(path, Place::Missing).answer(accepted)),
            // Names in the root stand for the root by themselves.
            At::Directory if path.is_empty() => return Ok(Answer::Directory),
            At::Directory => return Ok(self.remember(path, Place::Directory).answer(accepted)),
            At::Other => return Ok(Answer::Other),
        };
        let mut watches = Vec::new();
        let group = self.group(path, file, waiting, &mut watches);
        let group = match group {
            Ok(group) => group,
            Err(stop) => {
                self.take_back(&watches);
                return Err(stop);
            }
        };
        let answer = Answer::File(Arc::clone(group.choose(accepted)));
        let (cost, limits) = (group_cost(path, &group), &self.cache.limits);
        if cost.bytes > limits.bytes_max || cost.files > limits.files_max {
            self.take_back(&watches);
            self.remember(path, Place::Untold); // it would be looked up for the cache each time
            return Ok(answer);
        }
        self.remember_file(path, group, watches, cost);
        Ok(answer)
    }

    /// Watches all directories on the way to what is in the last of them.
    fn watch_way(&mut self, directory: &[u8], waiting: Waiting) -> Result<(), Stop> {
        let mut end = 0;
        loop {
            self.watch_directory(&directory[..end], waiting)?;
            if end == directory.len() {
                return Ok(());
            }
            let from = if end == 0 { 0 } else { end + 1 };
            let next = directory[from..].iter().position(|byte| *byte == b'/');
            end = next.map_or(directory.len(), |next| from + next);
        }
    }

    /// Watches the names of a directory. Those on the way to it are watched.
    fn watch_directory(&mut self, path: &[u8], waiting: Waiting) -> Result<(), Stop> {
        if self.cache.watches.has_directory(path) {
            return Ok(());
        }
        match self.cache.table.find(path) {
            Some(Place::Missing) => return Err(Stop::Failed(Failure::Missing)),
            Some(Place::Untold) => return Err(Stop::Unknown),
            Some(Place::File(_) | Place::Directory) | None => {}
        }
        if self.cache.watches.directories() >= self.cache.limits.directories_max {
            match self.cache.watches.leaf_beside(path) {
                Some(leaf) => self.cache.forget_below(&leaf),
                None => return Err(Stop::Unknown), // the way alone is too long
            }
        }
        let Some(directory) = self.open_at(path, Wanted::Directory, waiting)? else {
            self.remember(path, Place::Missing);
            return Err(Stop::Failed(Failure::Missing));
        };
        if !inotify::tells_all(&directory).unwrap_or(false) {
            if path.is_empty() {
                self.cache.rest = u32::MAX;
            } else {
                self.remember(path, Place::Untold);
            }
            return Err(Stop::Unknown);
        }
        let watch = self.watch(path, &directory, Subject::Names)?;
        if self.cache.watches.add_directory(path, watch) {
            Ok(())
        } else {
            Err(Stop::Unknown)
        }
    }

    fn watch(&mut self, path: &[u8], fd: &Fd, subject: Subject) -> Result<WatchId, Stop> {
        let error = match self.cache.queue.watch(fd, subject) {
            Ok(watch) => return Ok(watch),
            Err(error) => error,
        };
        match error.kind() {
            // It may be gone through and not be read: others may.
            io::ErrorKind::PermissionDenied if !path.is_empty() => {
                self.remember(path, Place::Untold);
            }
            _ => self.cache.rest = REST,
        }
        Err(Stop::Unknown)
    }

    /// What stands at a path whose directory is watched; if it is a file it is opened.
    fn open(&mut self, path: &[u8], waiting: Waiting) -> Result<At, Stop> {
        let looked = disk::look_at(self.root, path, waiting);
        let wanted = match looked.map(|metadata| metadata.kind) {
            Ok(Kind::Other) => return Ok(At::Other),
            // It need not be one that may be read.
            Ok(Kind::Directory) => Wanted::Directory,
            // What can't be looked at says why when it is opened; and it may be a link that leads nowhere.
            Ok(Kind::File) | Err(_) => Wanted::File,
        };
        let Some(file) = self.open_at(path, wanted, waiting)? else {
            return Ok(At::Nothing);
        };
        let metadata = file::metadata(&file).map_err(|error| failed(&error))?;
        Ok(match metadata.kind {
            Kind::File => At::File(file),
            Kind::Directory => At::Directory,
            Kind::Other => At::Other,
        })
    }

    fn open_at(
        &mut self,
        path: &[u8],
        wanted: Wanted,
        waiting: Waiting,
    ) -> Result<Option<Fd>, Stop> {
        let mut tries = 1;
        loop {
            let error = match at_hand::open_plain(self.root, path, wanted, waiting) {
                Ok(file) => return Ok(Some(file)),
                Err(error) => error,
            };
            match error.kind() {
                io::ErrorKind::NotFound if !path.is_empty() => return Ok(None),
                io::ErrorKind::WouldBlock if waiting == Waiting::Refused => return Err(Stop::Cold),
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted if tries < TRIES => {
                    tries += 1;
                }
                io::ErrorKind::Unsupported => {
                    self.cache.rest = u32::MAX;
                    return Err(Stop::Unknown);
                }
                _ if at_hand::is_link(&error) => {
                    // A link leads to where nothing is watched.
                    if !path.is_empty() {
                        self.remember(path, Place::Untold);
                    }
                    return Err(Stop::Unknown);
                }
                _ => return Err(failed(&error)),
            }
        }
    }

    /// A file with its coded siblings. What is watched for it is noted also if it fails.
    fn group(
        &mut self,
        path: &[u8],
        file: Fd,
        waiting: Waiting,
        watches: &mut Vec<WatchId>,
    ) -> Result<Group, Stop> {
        let whole = self.watch_file(path, file, watches)?;
        let mut siblings = [const { None }; Coding::ALL.len()];
        if !self.settings.media_type(path).is_compressed() {
            let mut name = Vec::new();
            for coding in Coding::ALL {
                coding.sibling_of(path, &mut name);
                // One that may not be had is none; of one that can't be had at the moment nothing is remembered.
                let opened = match self.open(&name, waiting) {
                    Ok(At::File(file)) => file,
                    Ok(At::Directory | At::Other | At::Nothing)
                    | Err(Stop::Failed(Failure::Missing | Failure::Denied)) => continue,
                    Err(Stop::Failed(_)) => return Err(Stop::Unknown),
                    Err(stop) => {
                        // A link leads to where nothing is watched, which holds for what it is a sibling of.
                        if matches!(self.cache.table.find(&name), Some(Place::Untold)) {
                            self.remember(path, Place::Untold);
                        }
                        return Err(stop);
                    }
                };
                siblings[coding.place()] = Some(self.watch_file(path, opened, watches)?);
            }
        }
        let varies = siblings.iter().any(Option::is_some);
        let mut coded = [const { None }; Coding::ALL.len()];
        for (coding, sibling) in Coding::ALL.into_iter().zip(siblings) {
            if let Some(sibling) = sibling {
                coded[coding.place()] =
                    Some(self.keep(path, sibling, Some(coding), varies, waiting)?);
            }
        }
        Ok(Group {
            whole: self.keep(path, whole, None, varies, waiting)?,
            coded,
        })
    }

    /// From here on all changes of the file are told: only then it is looked at.
    fn watch_file(
        &mut self,
        path: &[u8],
        file: Fd,
        watches: &mut Vec<WatchId>,
    ) -> Result<Opened, Stop> {
        // It may be mounted there by itself.
        if !inotify::tells_all(&file).unwrap_or(false) {
            self.remember(path, Place::Untold);
            return Err(Stop::Unknown);
        }
        let watch = self.watch(path, &file, Subject::Content)?;
        watches.push(watch);
        let metadata = file::metadata(&file).map_err(|error| failed(&error))?;
        Ok(Opened { file, metadata })
    }

    fn keep(
        &self,
        path: &[u8],
        opened: Opened,
        coding: Option<Coding>,
        varies: bool,
        waiting: Waiting,
    ) -> Result<Arc<Kept>, Stop> {
        let Opened { file, metadata } = opened;
        let state = State::Modified(metadata.modified);
        let entry = Entry::new(path, metadata.length, state, coding, self.settings);
        let length = usize::try_from(metadata.length).unwrap_or(usize::MAX);
        let kept = if length <= self.cache.limits.content_bytes_max {
            Kept::in_memory(entry, varies, read(&file, length, waiting)?)
        } else if self.cache.limits.files_max > 0 {
            Kept::in_file(entry, varies, Arc::new(file))
        } else {
            return Err(Stop::Unknown);
        };
        Ok(Arc::new(kept))
    }

    /// What was watched for something that is not remembered.
    fn take_back(&mut self, watches: &[WatchId]) {
        for watch in watches {
            if self.cache.watches.is_unused(*watch) {
                let _ = self.cache.queue.forget(*watch); // of what is gone it has ended
            }
        }
    }

    fn remember_file(&mut self, path: &[u8], group: Group, watches: Vec<WatchId>, cost: Cost) {
        self.make_room(cost);
        let group = Place::File(group);
        let place = self.cache.table.insert(path, group, watches.clone(), cost);
        for watch in watches {
            self.cache.watches.join(watch, place);
        }
    }

    /// Remembers what takes nothing but its name.
    fn remember(&mut self, path: &[u8], place: Place) -> &Place {
        let cost = Table::cost_of(path, Cost::default());
        self.make_room(cost);
        let at = match self.cache.table.place_of(path) {
            Some(at) => at,
            None => self.cache.table.insert(path, place, Vec::new(), cost),
        };
        self.cache.table.at(at)
    }

    /// Forgets what was not asked for of late, until there is room for so much.
    fn make_room(&mut self, cost: Cost) {
        loop {
            let (has, limits) = (self.cache.table.cost(), &self.cache.limits);
            let files = has.files > 0 && has.files + cost.files > limits.files_max;
            let others = self.cache.table.len() > 0
                && (has.bytes + cost.bytes > limits.bytes_max
                    || self.cache.table.len() >= limits.places_max);
            if !files && !others {
                return;
            }
            let Some(place) = self.cache.table.oldest(files) else {
                return;
            };
            self.cache.stats.evicted += 1;
            self.cache.remove(place);
        }
    }
}

/// What a file and its siblings take, remembered under a path.
fn group_cost(path: &[u8], group: &Group) -> Cost {
    let mut cost = Cost::default();
    for kept in std::iter::once(&group.whole).chain(group.coded.iter().flatten()) {
        let takes = kept.takes();
        cost.bytes += takes.bytes + HEAD_BYTES;
        cost.files += takes.files;
    }
    Table::cost_of(path, cost)
}

/// The first `length` bytes of a file. One that is shorter by now is changing.
fn read(file: &Fd, length: usize, waiting: Waiting) -> Result<Arc<[u8]>, Stop> {
    let mut bytes = vec![0; length];
    let (mut end, mut tries) = (0, TRIES);
    while end < length {
        let read = match waiting {
            Waiting::Refused => match at_hand::read_at_hand(file, &mut bytes[end..], end as u64) {
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                    file::read_at(file, &mut bytes[end..], end as u64)
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(Stop::Cold),
                read => read,
            },
            Waiting::Allowed => file::read_at(file, &mut bytes[end..], end as u64),
        };
        match read {
            Ok(0) => return Err(Stop::Unknown),
            Ok(more) => end += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted && tries > 0 => tries -= 1,
            Err(_) => return Err(Stop::Unknown),
        }
    }
    Ok(Arc::from(bytes))
}

fn failed(error: &io::Error) -> Stop {
    Stop::Failed(file::failure(error))
}
