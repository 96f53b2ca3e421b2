//! Files that change, and the calls by which that is told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use nix::errno::Errno;

use super::Call;
use super::kernel::{FileNode, Kernel, Object};
use super::link::IN;
use super::world::{World, said};
use crate::sys::Fd;
use crate::sys::inotify::Subject;

/// Every name is filled up to a multiple of this.
const NAME_BYTES: usize = 16;
/// The file system of everything in the world: that of Linux, which tells all.
const EXT4: u32 = 0xef53;

/// An inotify instance.
#[derive(Default)]
pub(super) struct Queue {
    watches: BTreeMap<i32, (Target, Subject)>,
    watches_made: i32,
    notices: VecDeque<Told>,
}

/// What is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    File(usize),
    Directory(PathBuf),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    watch: i32,
    mask: u32,
    name: Vec<u8>,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.notices.is_empty()
    }

    /// The watches of this target for this subject.
    fn of(&self, target: &Target, subject: Subject) -> Option<i32> {
        let known = |it: &&(Target, Subject)| it.0 == *target && it.1 == subject;
        let mut watches = self.watches.iter();
        watches.find_map(|(watch, it)| known(&it).then_some(*watch))
    }

    /// Whether there is one notice more. One like the last is none.
    fn push(&mut self, told: Told, most: usize) -> bool {
        let told = if self.notices.len() < most {
            told
        } else {
            Told {
                watch: -1,
                mask: libc::IN_Q_OVERFLOW,
                name: Vec::new(),
            }
        };
        if self.notices.back() == Some(&told) {
            return false;
        }
        self.notices.push_back(told);
        true
    }
}

impl Kernel {
    /// Tells all who watch it.
    fn tell(&mut self, target: &Target, subject: Subject, mask: u32, name: &[u8]) {
        let most = self.notices_max;
        let mut woken = Vec::new();
        for (at, object) in self.objects() {
            if let Object::Inotify(queue) = object
                && let Some(watch) = queue.of(target, subject)
            {
                if mask == libc::IN_IGNORED {
                    queue.watches.remove(&watch);
                }
                let name = name.to_vec();
                if queue.push(Told { watch, mask, name }, most) {
                    woken.push(at);
                }
            }
        }
        for description in woken {
            self.wake(description, IN);
        }
    }

    /// What is known of a file has changed.
    fn tell_of_file(&mut self, file: usize, mask: u32) {
        self.tell(&Target::File(file), Subject::Content, mask, b"");
    }

    /// The directory of this path has a name more, or less, or another one.
    fn tell_of_name(&mut self, path: &Path) {
        if let (Some(parent), Some(name)) = (path.parent(), path.file_name()) {
            let parent = Target::Directory(parent.to_owned());
            self.tell(&parent, Subject::Names, libc::IN_CREATE, name.as_bytes());
        }
    }

    /// A descriptor of a file was closed: one that has no name any more is gone with the last of them.
    pub(super) fn closed_file(&mut self, file: usize) {
        let is_open = self
            .objects()
            .any(|(_, object)| matches!(object, Object::File(it) if *it == file));
        if !is_open && !self.paths.values().any(|it| *it == file) {
            self.tell_of_file(file, libc::IN_IGNORED);
        }
    }
}

/// What a test does to files.
impl World {
    /// Puts a file into the world, or another one in its place, as a rename does: its directories are there as well.
    pub fn add_file(&self, path: impl AsRef<Path>, content: Rc<[u8]>) {
        let path = path.as_ref();
        // What is told of is the first name on the way that was not there.
        let mut told = path;
        while let Some(parent) = told.parent()
            && parent.parent().is_some()
            && !self.is_directory(parent)
        {
            told = parent;
        }
        let changed = self.wall_nanos();
        let mut kernel = self.kernel();
        let file = kernel.files.len();
        kernel.files.push(FileNode {
            length: content.len() as u64,
            content,
            modified: changed / 1_000_000_000,
            changed,
            name_is_cold: false,
            cold_pages: BTreeSet::new(),
        });
        let before = kernel.paths.insert(path.to_owned(), file);
        kernel.tell_of_name(told);
        if let Some(before) = before {
            kernel.tell_of_file(before, libc::IN_ATTRIB); // it has a name less
            kernel.closed_file(before);
        }
    }

    /// Writes other content into a file, whoever has it open.
    pub fn rewrite_file(&self, path: impl AsRef<Path>, content: Rc<[u8]>) {
        self.change_file(path.as_ref(), |node| {
            node.length = content.len() as u64;
            node.content = content;
        });
    }

    /// Makes a file shorter, or longer by zeros, whoever has it open.
    pub fn resize_file(&self, path: impl AsRef<Path>, length: u64) {
        self.change_file(path.as_ref(), |node| {
            if length < node.content.len() as u64 {
                // What is cut off does not come back.
                node.content = Rc::from(&node.content[..length as usize]);
            }
            node.length = length;
        });
    }

    fn change_file(&self, path: &Path, change: impl FnOnce(&mut FileNode)) {
        let changed = self.wall_nanos();
        let mut kernel = self.kernel();
        if let Some(file) = kernel.paths.get(path).copied() {
            let node = &mut kernel.files[file];
            change(node);
            (node.modified, node.changed) = (changed / 1_000_000_000, changed);
            kernel.tell_of_file(file, libc::IN_MODIFY);
            kernel.tell_of_file(file, libc::IN_CLOSE_WRITE);
        }
    }

    /// Takes a file's name away.
    pub fn remove_file(&self, path: impl AsRef<Path>) {
        let mut kernel = self.kernel();
        if let Some(file) = kernel.paths.remove(path.as_ref()) {
            kernel.tell_of_file(file, libc::IN_ATTRIB);
            kernel.tell_of_name(path.as_ref());
            kernel.closed_file(file);
        }
    }

    /// How many notices a queue holds before they are lost.
    pub fn set_notices_max(&self, notices: usize) {
        self.kernel().notices_max = notices;
    }
}

/// The calls.
impl World {
    pub(in crate::sys) fn inotify_init(&self) -> io::Result<Fd> {
        said(
            self.begin(Call::InotifyInit)
                .and_then(|()| self.open(Object::Inotify(Queue::default()))),
        )
    }

    pub(in crate::sys) fn inotify_add(
        &self,
        queue: &Fd,
        fd: &Fd,
        subject: Subject,
    ) -> io::Result<i32> {
        said(self.begin(Call::InotifyAdd).and_then(|()| {
            let mut kernel = self.kernel();
            let target = match (kernel.object(fd.raw())?, subject) {
                (Object::File(file), Subject::Content) => Target::File(*file),
                (Object::Directory(path), Subject::Names) => Target::Directory(path.clone()),
                (_, Subject::Names) => return Err(Errno::ENOTDIR),
                (_, Subject::Content) => return Err(Errno::EINVAL),
            };
            let Object::Inotify(queue) = kernel.object(queue.raw())? else {
                return Err(Errno::EINVAL);
            };
            if let Some(watch) = queue.of(&target, subject) {
                return Ok(watch);
            }
            queue.watches_made += 1;
            queue.watches.insert(queue.watches_made, (target, subject));
            Ok(queue.watches_made)
        }))
    }

    pub(in crate::sys) fn inotify_remove(&self, queue: &Fd, watch: i32) -> io::Result<()> {
        said(self.begin(Call::InotifyRemove).and_then(|()| {
            let mut kernel = self.kernel();
            let most = kernel.notices_max;
            let description = kernel.description(queue.raw())?;
            let Object::Inotify(queue) = kernel.object(queue.raw())? else {
                return Err(Errno::EINVAL);
            };
            queue.watches.remove(&watch).ok_or(Errno::EINVAL)?;
            let ended = Told {
                watch,
                mask: libc::IN_IGNORED,
                name: Vec::new(),
            };
            if queue.push(ended, most) {
                kernel.wake(description, IN);
            }
            Ok(())
        }))
    }

    pub(in crate::sys) fn read_notices(&self, queue: &Fd, into: &mut [u8]) -> io::Result<usize> {
        let fault = self.begin(Call::ReadNotices);
        let mut kernel = self.kernel();
        let Object::Inotify(queue) = said(kernel.object(queue.raw()))? else {
            return Err(Errno::EINVAL.into());
        };
        match fault {
            // A notice is there before the call that has caused it returns: that there is none is never said of one that is.
            Ok(()) | Err(Errno::EAGAIN) => {}
            Err(errno) => return Err(errno.into()),
        }
        let mut end = 0;
        while let Some(told) = queue.notices.front() {
            let length = match told.name.len() {
                0 => 0,
                length => (length + 1).next_multiple_of(NAME_BYTES),
            };
            let Some(room) = into[end..].get_mut(..16 + length) else {
                break;
            };
            room.fill(0);
            room[..4].copy_from_slice(&told.watch.to_ne_bytes());
            room[4..8].copy_from_slice(&told.mask.to_ne_bytes());
            room[12..16].copy_from_slice(&(length as u32).to_ne_bytes());
            room[16..16 + told.name.len()].copy_from_slice(&told.name);
            end += room.len();
            queue.notices.pop_front();
        }
        if end == 0 {
            return Err(Errno::EAGAIN.into());
        }
        Ok(end)
    }

    pub(in crate::sys) fn file_system(&self, file: &Fd) -> io::Result<u32> {
        said(self.begin(Call::FileSystem).and_then(|()| {
            self.kernel().object(file.raw())?;
            Ok(EXT4)
        }))
    }
}
