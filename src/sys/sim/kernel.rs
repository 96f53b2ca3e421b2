//! Descriptors, what they stand for, and who is woken by what.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::rc::Rc;

use nix::errno::Errno;

use super::link::{Link, OURS, THEIRS, Wakes};
use super::notices::Queue;
use super::poll::EpollState;
use super::{Call, FIRST};

/// Edges of registrations that are no more, for those that come late.
pub(super) const PAST: usize = 16;

/// Which link: its place, and the number that no other has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LinkId {
    pub(super) index: usize,
    pub(super) serial: u64,
}

/// What a descriptor stands for.
pub(super) enum Object {
    Epoll(EpollState),
    Event(u64),
    /// Those that it reads.
    Signals(BTreeSet<u32>),
    Socket(Option<Name>),
    Listener(Listener),
    Stream(LinkId, usize),
    File(usize),
    Directory(PathBuf),
    Inotify(Queue),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Ip(SocketAddr),
    Unix(PathBuf),
}

pub(super) struct Listener {
    pub(super) name: Name,
    pub(super) queue: VecDeque<LinkId>,
    pub(super) backlog: usize,
    /// New connections are dropped before they are any.
    pub(super) drops: bool,
}

/// An open file description: what several descriptors may share.
pub(super) struct Description {
    pub(super) object: Object,
    pub(super) references: u32,
    /// Registrations: the epoll's description and the place in it.
    pub(super) watchers: Vec<(usize, usize)>,
}

/// A file: what is beyond the content is zero.
pub(super) struct FileNode {
    pub(super) content: Rc<[u8]>,
    pub(super) length: u64,
    /// When its content was changed, in seconds of the wall clock.
    pub(super) modified: i64,
    /// When anything of it was, in nanoseconds.
    pub(super) changed: i64,
    /// Whoever looks its name up waits for a disk.
    pub(super) name_is_cold: bool,
    /// Whoever reads these pages does.
    pub(super) cold_pages: BTreeSet<u64>,
}

#[derive(Default)]
pub(super) struct Kernel {
    descriptors: Vec<Option<usize>>,
    pub(super) descriptors_max: usize,
    pub(super) descriptions: Vec<Option<Description>>,
    pub(super) links: Vec<Option<Link>>,
    links_made: u64,
    pub(super) last_accepted: u64,
    /// Links, by number, and the calls that have failed on them.
    pub(super) faulted: BTreeSet<(u64, Call)>,
    pub(super) files: Vec<FileNode>,
    pub(super) paths: BTreeMap<PathBuf, usize>,
    /// Socket files: their inodes.
    pub(super) socket_files: BTreeMap<PathBuf, u64>,
    pub(super) inodes: u64,
    /// Those that wait: read in the order of their numbers.
    pub(super) signals: BTreeSet<u32>,
    /// More notices than these are lost.
    pub(super) notices_max: usize,
    pub(super) sigpipe_is_default: bool,
    pub(super) lacks_openat2: bool,
    /// A thread of a pool is at work, not the loop.
    pub(super) thread_works: bool,
    /// How often the loop has waited for a disk.
    pub(super) disk_waits: u64,
    /// Clients whose ends something has happened at.
    pub(super) noticed: Vec<LinkId>,
}

pub(super) const EDGE: u32 = libc::EPOLLET.cast_unsigned();

impl Kernel {
    pub(super) fn open(&mut self, object: Object) -> Result<RawFd, Errno> {
        let free = self.free_number()?;
        let description = Description {
            object,
            references: 0,
            watchers: Vec::new(),
        };
        let at = place(&mut self.descriptions);
        self.descriptions[at] = Some(description);
        Ok(self.refer(free, at))
    }

    /// The lowest free number, as POSIX has it: numbers come back soon.
    pub(super) fn free_number(&mut self) -> Result<usize, Errno> {
        let free = self.descriptors.iter().position(Option::is_none);
        let free = free.unwrap_or(self.descriptors.len());
        if free >= self.descriptors_max {
            return Err(Errno::EMFILE);
        }
        Ok(free)
    }

    fn refer(&mut self, free: usize, description: usize) -> RawFd {
        if free == self.descriptors.len() {
            self.descriptors.push(None);
        }
        self.descriptors[free] = Some(description);
        if let Some(known) = &mut self.descriptions[description] {
            known.references += 1;
        }
        number(free)
    }

    /// A descriptor of one end of a stream.
    pub(super) fn open_end(&mut self, link: LinkId, side: usize) -> Result<RawFd, Errno> {
        let number = self.open(Object::Stream(link, side))?;
        let description = self.description(number)?;
        if let Some(known) = self.link(link) {
            known.ends[side].description = Some(description);
        }
        Ok(number)
    }

    /// A socket that was connected to nothing is one end of a stream.
    pub(super) fn become_end(
        &mut self,
        number: RawFd,
        link: LinkId,
        side: usize,
    ) -> Result<(), Errno> {
        *self.object(number)? = Object::Stream(link, side);
        let description = self.description(number)?;
        if let Some(known) = self.link(link) {
            known.ends[side].description = Some(description);
        }
        Ok(())
    }

    pub(super) fn duplicate(&mut self, number: RawFd) -> Result<RawFd, Errno> {
        let description = self.description(number)?;
        let free = self.free_number()?;
        Ok(self.refer(free, description))
    }

    pub(super) fn open_descriptors(&self) -> usize {
        self.descriptors.iter().flatten().count()
    }

    pub(super) fn description(&self, number: RawFd) -> Result<usize, Errno> {
        self.descriptors
            .get(index(number))
            .copied()
            .flatten()
            .ok_or(Errno::EBADF)
    }

    pub(super) fn object(&mut self, number: RawFd) -> Result<&mut Object, Errno> {
        let description = self.description(number)?;
        self.descriptions[description]
            .as_mut()
            .map(|known| &mut known.object)
            .ok_or(Errno::EBADF)
    }

    pub(super) fn objects(&mut self) -> impl Iterator<Item = (usize, &mut Object)> {
        self.descriptions
            .iter_mut()
            .enumerate()
            .filter_map(|(at, known)| known.as_mut().map(|known| (at, &mut known.object)))
    }

    pub(super) fn object_at(&mut self, description: usize) -> Option<&mut Object> {
        let known = self.descriptions.get_mut(description)?.as_mut()?;
        Some(&mut known.object)
    }

    pub(super) fn stream(&mut self, number: RawFd) -> Result<(LinkId, usize), Errno> {
        match self.object(number)? {
            Object::Stream(link, side) => Ok((*link, *side)),
            Object::Socket(_) | Object::Listener(_) => Err(Errno::ENOTCONN),
            Object::Epoll(_)
            | Object::Event(_)
            | Object::Signals(_)
            | Object::File(_)
            | Object::Directory(_)
            | Object::Inotify(_) => Err(Errno::ENOTSOCK),
        }
    }

    pub(super) fn close(&mut self, number: RawFd) {
        let Ok(description) = self.description(number) else {
            return;
        };
        self.descriptors[index(number)] = None;
        let Some(known) = &mut self.descriptions[description] else {
            return;
        };
        known.references -= 1;
        if known.references > 0 {
            return;
        }
        let Some(gone) = self.descriptions[description].take() else {
            return;
        };
        for (epoll, at) in gone.watchers {
            self.forget_watch(epoll, at);
        }
        match gone.object {
            Object::Stream(link, side) => self.close_end(link, side),
            Object::Listener(listener) => {
                for link in listener.queue {
                    if let Some(known) = self.link(link) {
                        let wakes = known.abort(OURS);
                        known.ends[OURS].closed = true;
                        self.wake_ends(link, wakes);
                        self.free_link(link);
                    }
                }
            }
            Object::Epoll(epoll) => {
                let watches = epoll.watches.into_iter().enumerate();
                for (at, watch) in watches.filter_map(|(at, it)| it.map(|it| (at, it))) {
                    if let Some(watched) = &mut self.descriptions[watch.description] {
                        watched.watchers.retain(|it| *it != (description, at));
                    }
                }
            }
            Object::File(file) => self.closed_file(file),
            Object::Event(_)
            | Object::Signals(_)
            | Object::Socket(_)
            | Object::Directory(_)
            | Object::Inotify(_) => {}
        }
    }

    // Links.

    pub(super) fn new_link(&mut self, ours: (usize, usize), theirs: (usize, usize)) -> LinkId {
        let index = place(&mut self.links);
        self.links_made += 1;
        let serial = self.links_made;
        self.links[index] = Some(Link::new(serial, ours, theirs));
        LinkId { index, serial }
    }

    pub(super) fn link(&mut self, id: LinkId) -> Option<&mut Link> {
        let link = self.links.get_mut(id.index)?.as_mut();
        link.filter(|link| link.serial == id.serial)
    }

    pub(super) fn close_end(&mut self, id: LinkId, side: usize) {
        let Some(link) = self.link(id) else {
            return;
        };
        let wakes = link.close(side);
        self.wake_ends(id, wakes);
        self.free_link(id);
    }

    /// Two ends that are closed are no connection any more.
    fn free_link(&mut self, id: LinkId) {
        if let Some(link) = self.link(id)
            && link.ends.iter().all(|end| end.closed)
        {
            self.links[id.index] = None;
        }
    }

    pub(super) fn wake_ends(&mut self, id: LinkId, wakes: Wakes) {
        let Some(link) = self.link(id) else {
            return;
        };
        let (ours, theirs) = (link.ends[OURS].description, link.ends[THEIRS].description);
        if wakes.0[THEIRS].is_some() {
            self.notice(id);
        }
        for (description, key) in [(ours, wakes.0[OURS]), (theirs, wakes.0[THEIRS])] {
            if let (Some(description), Some(key)) = (description, key) {
                self.wake(description, key);
            }
        }
    }

    /// The client is to look at its end.
    pub(super) fn notice(&mut self, id: LinkId) {
        if let Some(link) = self.link(id)
            && link.notice.is_some()
            && !link.noticed
        {
            link.noticed = true;
            self.noticed.push(id);
        }
    }
}

fn number(index: usize) -> RawFd {
    FIRST.saturating_add(RawFd::try_from(index).unwrap_or(RawFd::MAX))
}

/// Of a number that is none of this world's, one that nothing is at.
fn index(number: RawFd) -> usize {
    usize::try_from(number.saturating_sub(FIRST)).unwrap_or(usize::MAX)
}

/// A free place, made if there is none.
pub(super) fn place<T>(list: &mut Vec<Option<T>>) -> usize {
    let free = list.iter().position(Option::is_none);
    free.unwrap_or_else(|| {
        list.push(None);
        list.len() - 1
    })
}
