//! inotify(7): the kernel tells what becomes of files and directories.
//!
//! What is watched is named by a descriptor, so it is the very file that was opened, whatever its path leads to by now. A
//! notice is in the queue before the call that has caused it returns: who reads the queue after that sees it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::statfs::{FsType, fstatfs};

use super::Fd;

/// Room for some dozens of notices with short names, and for more than one with the longest.
const NOTICES_BYTES: usize = 4 << 10;
/// What a notice begins with: watch, what has happened, a cookie, and the length of the name that follows.
const HEAD_BYTES: usize = 16;

/// A queue of notices, close-on-exec and non-blocking. It counts against the user's `max_user_instances`.
#[derive(Debug)]
pub struct Inotify(Fd);

/// The name of a watch. Numbers are given in order, so that of a watch that has ended is none of another for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WatchId(i32);

/// What is asked of a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Of a directory: which of its names appear, vanish or come to stand for something else, and what becomes of itself.
    Names,
    /// Of a file: that its content or what is known of it changes, whichever of its names is used.
    Content,
}

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice<'n> {
    /// A name in a watched directory appeared, vanished, or stands for something else; or what it stands for may be used by
    /// others than before.
    Name {
        /// The directory's watch.
        watch: WatchId,
        /// The name.
        name: &'n [u8],
    },
    /// What is watched was changed, moved or removed itself.
    Changed(WatchId),
    /// Nothing more comes of this watch: it was taken away, or what was watched is no more, or its file system is not.
    Ended(WatchId),
    /// The queue was full: there is no telling what has happened.
    Lost,
}

impl Inotify {
    /// A new queue, with no watch. Errors: those of inotify_init1(2): `EMFILE` when the user has too many.
    pub fn new() -> io::Result<Inotify> {
        simulated!(inotify_init().map(Inotify));
        // SAFETY: the call takes a number, and makes a new descriptor.
        let number =
            Errno::result(unsafe { libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK) })?;
        // SAFETY: the call has made this descriptor, and nobody else knows it.
        Ok(Inotify(unsafe { OwnedFd::from_raw_fd(number) }.into()))
    }

    /// Watches what `fd` was opened at, which may be `O_PATH`. What is watched already has the same watch, whose subject is
    /// then this one. Errors: those of inotify_add_watch(2): `ENOSPC` when the user has too many watches, `ENOENT` where
    /// /proc is not mounted, by which the descriptor is named.
    pub fn watch(&self, fd: &Fd, subject: Subject) -> io::Result<WatchId> {
        add(&self.0, fd, subject).map(WatchId)
    }

    /// Ends a watch; notices of it that wait come all the same. Errors: those of inotify_rm_watch(2): `EINVAL` for one that
    /// has ended.
    pub fn forget(&self, watch: WatchId) -> io::Result<()> {
        remove(&self.0, watch.0)
    }

    /// Takes as many notices out of the queue as `notices` has room for. Errors: `WouldBlock` when there is none, and those
    /// of read(2).
    pub fn read(&self, notices: &mut Notices) -> io::Result<()> {
        notices.end = 0;
        notices.end = read(&self.0, &mut notices.bytes)?;
        Ok(())
    }
}

fn add(queue: &Fd, fd: &Fd, subject: Subject) -> io::Result<i32> {
    simulated!(inotify_add(queue, fd, subject));
    let mask = match subject {
        Subject::Names => {
            libc::IN_CREATE
                | libc::IN_DELETE
                | libc::IN_MOVED_FROM
                | libc::IN_MOVED_TO
                | libc::IN_ATTRIB
                | libc::IN_MOVE_SELF
                | libc::IN_DELETE_SELF
                | libc::IN_ONLYDIR
        }
        // Closing, once the mapping is gone too, tells of what was written through one.
        Subject::Content => libc::IN_MODIFY | libc::IN_CLOSE_WRITE | libc::IN_ATTRIB,
    };
    let path = format!("/proc/self/fd/{}\0", fd.raw());
    // SAFETY: the path ends with the NUL that it is made with, and the call keeps no pointer to it.
    let watch = unsafe { libc::inotify_add_watch(queue.raw(), path.as_ptr().cast(), mask) };
    Ok(Errno::result(watch)?)
}

fn remove(queue: &Fd, watch: i32) -> io::Result<()> {
    simulated!(inotify_remove(queue, watch));
    // SAFETY: the call takes numbers only.
    Errno::result(unsafe { libc::inotify_rm_watch(queue.raw(), watch) })?;
    Ok(())
}

fn read(queue: &Fd, into: &mut [u8]) -> io::Result<usize> {
    simulated!(read_notices(queue, into));
    Ok(nix::unistd::read(queue, into)?)
}

impl AsFd for Inotify {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Room for the notices of one read.
pub struct Notices {
    bytes: Box<[u8]>,
    end: usize,
}

impl Notices {
    /// With no notice in it yet.
    pub fn new() -> Notices {
        Notices {
            bytes: vec![0; NOTICES_BYTES].into_boxed_slice(),
            end: 0,
        }
    }

    /// What the last read has brought, in its order.
    pub fn iter(&self) -> impl Iterator<Item = Notice<'_>> {
        let mut rest = &self.bytes[..self.end];
        core::iter::from_fn(move || {
            let (head, behind) = rest.split_at_checked(HEAD_BYTES)?;
            let word = |at: usize| {
                let bytes = [head[at], head[at + 1], head[at + 2], head[at + 3]];
                u32::from_ne_bytes(bytes)
            };
            let (name, next) = behind.split_at_checked(word(12) as usize)?;
            rest = next;
            Some(notice(WatchId(word(0).cast_signed()), word(4), name))
        })
    }
}

/// One notice: its name, if it has one, is filled up with NUL.
fn notice(watch: WatchId, mask: u32, name: &[u8]) -> Notice<'_> {
    let end = name.iter().position(|byte| *byte == 0);
    let name = &name[..end.unwrap_or(name.len())];
    if mask & libc::IN_Q_OVERFLOW != 0 {
        Notice::Lost
    } else if mask & (libc::IN_IGNORED | libc::IN_UNMOUNT) != 0 {
        Notice::Ended(watch)
    } else if name.is_empty() {
        Notice::Changed(watch)
    } else {
        Notice::Name { watch, name }
    }
}

impl Default for Notices {
    fn default() -> Self {
        Notices::new()
    }
}

impl core::fmt::Debug for Notices {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// File systems on which all that happens goes through this kernel, so that it can tell.
///
/// Of those over a network (NFS, SMB, 9p, Ceph), of FUSE and virtiofs, whose files others change, and of any that is not
/// known here it is not told. overlayfs is among those that can be trusted, because its layers must not be changed
/// underneath it (the kernel's documentation of it, *Changes to underlying filesystems*).
const LOCAL: [u32; 15] = [
    0xef53,      // ext2, ext3, ext4
    0x5846_5342, // XFS
    0x9123_683e, // Btrfs
    0x0102_1994, // tmpfs
    0xf2f5_2010, // F2FS
    0x794c_7630, // overlayfs
    0x2fc1_2fc1, // ZFS
    0xca45_1a4e, // bcachefs
    0x8584_58f6, // ramfs
    0x7371_7368, // SquashFS
    0xe0f5_e1e2, // EROFS
    0x5265_4973, // ReiserFS
    0x3434,      // NILFS2
    0x9660,      // ISO 9660
    0x1501_3346, // UDF
];

/// Whether the kernel sees all changes of what lies on the file system of this file, so that watches of it can be trusted.
/// Errors: those of fstatfs(2).
pub fn tells_all(file: &Fd) -> io::Result<bool> {
    let kind = file_system(file)?;
    Ok(LOCAL.contains(&kind))
}

/// The number by which the kernel knows this kind of file system.
fn file_system(file: &Fd) -> io::Result<u32> {
    simulated!(file_system(file));
    let FsType(kind) = fstatfs(file)?.filesystem_type();
    // A number of 32 bits, whatever size and sign the type has here.
    Ok((kind.cast_unsigned() & 0xffff_ffff) as u32)
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    struct Tree(PathBuf, Fd);

    impl Tree {
        fn new(name: &str) -> Tree {
            let path = std::env::temp_dir()
                .join(format!("edgeloop-inotify-{}-{name}", std::process::id()));
            fs::create_dir_all(path.join("d")).expect("a new directory");
            fs::write(path.join("f"), "content").expect("writable");
            let root = file::open_root(&path).expect("a directory");
            Tree(path, root)
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// All that waits, each as a word, equal neighbours once.
    fn told(queue: &Inotify) -> Vec<String> {
        let (mut notices, mut words) = (Notices::new(), Vec::new());
        while queue.read(&mut notices).is_ok() {
            words.extend(notices.iter().map(|notice| match notice {
                Notice::Name { name, .. } => String::from_utf8_lossy(name).into_owned(),
                Notice::Changed(_) => "changed".to_owned(),
                Notice::Ended(_) => "ended".to_owned(),
                Notice::Lost => "lost".to_owned(),
            }));
        }
        words.dedup();
        words
    }

    #[test]
    fn a_directory_tells_its_names_and_what_becomes_of_itself() {
        let tree = Tree::new("names");
        let queue = Inotify::new().expect("one more");
        let directory = file::open_beneath(&tree.1, b"d").expect("a directory");
        queue.watch(&directory, Subject::Names).expect("a watch");
        let at = |name: &str| tree.0.join(name);
        assert_eq!(told(&queue), [""; 0]);
        fs::write(at("d/new"), "1").expect("writable");
        assert_eq!(told(&queue), ["new"]);
        fs::write(at("d/new"), "2").expect("writable");
        assert_eq!(told(&queue), [""; 0], "content is not of the directory");
        fs::rename(at("d/new"), at("d/other")).expect("both are here");
        assert_eq!(told(&queue), ["new", "other"]);
        fs::rename(at("f"), at("d/other")).expect("both are here");
        assert_eq!(told(&queue), ["other"]);
        fs::remove_file(at("d/other")).expect("is there");
        assert_eq!(told(&queue), ["other"]);
        fs::set_permissions(at("d"), fs::Permissions::from_mode(0o700)).expect("ours");
        fs::rename(at("d"), at("e")).expect("ours");
        assert_eq!(told(&queue), ["changed"]);
        drop(directory);
        fs::remove_dir(at("e")).expect("empty");
        assert_eq!(told(&queue), ["changed", "ended"]);
    }

    #[test]
    fn a_file_tells_of_its_content_whichever_name_is_used() {
        let tree = Tree::new("content");
        let queue = Inotify::new().expect("one more");
        let file = file::open_beneath(&tree.1, b"f").expect("a file");
        let watch = queue.watch(&file, Subject::Content).expect("a watch");
        let at = |name: &str| tree.0.join(name);
        fs::write(at("f"), "more").expect("writable");
        assert_eq!(told(&queue), ["changed"]);
        fs::hard_link(at("f"), at("d/link")).expect("one file system");
        assert_eq!(told(&queue), ["changed"]);
        fs::write(at("d/link"), "more").expect("writable");
        assert_eq!(told(&queue), ["changed"]);
        fs::remove_file(at("f")).expect("is there");
        assert_eq!(told(&queue), ["changed"], "it has a name less");
        fs::read(at("d/link")).expect("readable");
        assert_eq!(told(&queue), [""; 0]);
        queue.forget(watch).expect("it is one");
        assert_eq!(told(&queue), ["ended"]);
        let gone = queue.forget(watch).expect_err("it is none");
        assert_eq!(gone.raw_os_error(), Some(libc::EINVAL));
    }

    #[test]
    fn a_full_queue_says_that_notices_were_lost() {
        let tree = Tree::new("lost");
        let queue = Inotify::new().expect("one more");
        queue.watch(&tree.1, Subject::Names).expect("a watch");
        let most = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events");
        let most: usize = most
            .expect("a kernel with inotify")
            .trim()
            .parse()
            .expect("a number");
        for turn in 0..=most / 2 {
            let [from, to] = if turn % 2 == 0 {
                ["f", "g"]
            } else {
                ["g", "f"]
            };
            fs::rename(tree.0.join(from), tree.0.join(to)).expect("is there");
        }
        assert_eq!(told(&queue).last().map(String::as_str), Some("lost"));
    }

    #[test]
    fn file_systems_of_other_machines_and_programs_are_not_trusted() {
        let local = file::open_root(&std::env::temp_dir()).expect("a directory");
        tells_all(&local).expect("it says what it is");
        // One that the kernel makes up has no changes to tell.
        let made_up = file::open_root("/proc".as_ref()).expect("a directory");
        assert!(!tells_all(&made_up).expect("it says what it is"));
        for other in [
            0x6969,
            0xff53_4d42,
            0xfe53_4d42,
            0x6573_5546,
            0x0102_1997,
            0x00c3_6400,
        ] {
            assert!(!LOCAL.contains(&other), "{other:#x}");
        }
    }
}
