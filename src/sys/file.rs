//! Files: opened below a root that they can't leave, and read.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::{Mode, SFlag, fstat};

use super::{Fd, UnixTime};

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A device, a FIFO, a socket.
    Other,
}

/// What is known of an open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// What it is.
    pub kind: Kind,
    /// Its size in bytes.
    pub length: u64,
    /// When its content was changed.
    pub modified: UnixTime,
}

/// Which file it is, and when anything of it was changed: two looks that say the same have seen the same content, unless it
/// was changed within the clock's resolution of the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Of its file system.
    pub device: u64,
    /// Of itself.
    pub inode: u64,
    /// When its content or what is known of it was changed (`st_ctime`), which nobody can set.
    pub changed: UnixTime,
}

/// Opens a directory as a root for [`open_beneath`]. Errors: those of open(2).
pub fn open_root(path: &Path) -> io::Result<Fd> {
    simulated!(open_root(path));
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    Ok(openat(AT_FDCWD, path, flags, Mode::empty())?.into())
}

/// How [`open_beneath`] opens: to read, not to wait (a FIFO without a writer, a device), not to be given a terminal.
const READ: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_CLOEXEC)
    .union(OFlag::O_NONBLOCK)
    .union(OFlag::O_NOCTTY);

/// Opens what lies at `path` below `root` for reading, without waiting for anything. No path, link or rename leads out
/// of the root (openat2(2), `RESOLVE_BENEATH`): that is an error of kind `CrossesDevices`. The empty path is the root.
///
/// Where there is no openat2, because the kernel is older than 5.6 or a filter of system calls has not heard of it, the
/// components are opened one after the other, and a symbolic link is an error wherever it leads.
///
/// Errors: those of openat2(2); [`failure`] says what they mean to whoever asked.
pub fn open_beneath(root: &Fd, path: &[u8]) -> io::Result<Fd> {
    match open_resolved(root, if path.is_empty() { b"." } else { path }) {
        // With these flags openat2 itself never says EPERM, but filters that do not know it do.
        Err(Errno::ENOSYS | Errno::EPERM) => walk_beneath(root, path, READ),
        opened => Ok(opened?),
    }
}

/// Opens what lies at `path` below `root` as a place only (`O_PATH`), so that nothing happens to it, where there is no openat2:
/// component by component, as [`open_beneath`] does there. Where there is one, [`open_plain`](super::at_hand::open_plain)
/// does the same. Errors: those of openat(2).
pub fn place_beneath(root: &Fd, path: &[u8]) -> io::Result<Fd> {
    walk_beneath(root, path, OFlag::O_PATH | OFlag::O_CLOEXEC)
}

fn open_resolved(root: &Fd, path: &[u8]) -> nix::Result<Fd> {
    simulated!(open_resolved(root, path));
    let how = OpenHow::new()
        .flags(READ)
        .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    Ok(openat2(root, OsStr::from_bytes(path), how)?.into())
}

/// [`open_beneath`] without openat2: each component is opened in the directory before it, and none may be a symbolic
/// link or lead upwards, so there is no way out.
fn walk_beneath(root: &Fd, path: &[u8], last: OFlag) -> io::Result<Fd> {
    if path.len() >= libc::PATH_MAX as usize {
        return Err(Errno::ENAMETOOLONG.into());
    }
    if path.first() == Some(&b'/') {
        return Err(Errno::EXDEV.into());
    }
    let step = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut at: Option<Fd> = None;
    let mut rest = path;
    loop {
        let (name, more) = match rest.iter().position(|byte| *byte == b'/') {
            Some(slash) => (&rest[..slash], Some(&rest[slash + 1..])),
            None => (rest, None),
        };
        let name = match name {
            b".." => return Err(Errno::EXDEV.into()),
            b"" => b".",
            name => name,
        };
        let flags = if more.is_some() {
            step
        } else {
            last | OFlag::O_NOFOLLOW
        };
        let before = at.as_ref().unwrap_or(root);
        let opened = open_in(before, name, flags)?;
        match more {
            Some(more) => (at, rest) = (Some(opened), more),
            None => return Ok(opened),
        }
    }
}

/// One component of a path, in its directory.
fn open_in(directory: &Fd, name: &[u8], flags: OFlag) -> io::Result<Fd> {
    simulated!(open_in(directory, name));
    let opened = openat(directory, OsStr::from_bytes(name), flags, Mode::empty())?;
    Ok(opened.into())
}

/// What an error of [`open_beneath`] means to whoever asked for the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No file has this name, or none below the root.
    Missing,
    /// It may not be read.
    Denied,
    /// Descriptors or memory have run out.
    Exhausted,
    /// The path changed while it was looked up, or a signal came: it may succeed now.
    Again,
    /// The file system is in trouble.
    Broken,
}

/// Says what an error of [`open_beneath`] means.
pub fn failure(error: &io::Error) -> Failure {
    match Errno::from_raw(error.raw_os_error().unwrap_or(0)) {
        Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP | Errno::ENAMETOOLONG | Errno::EXDEV => {
            Failure::Missing
        }
        // Names that some file systems can't have.
        Errno::EINVAL | Errno::EILSEQ => Failure::Missing,
        // A socket, or a device without a driver: there, but nothing that is served.
        Errno::ENXIO | Errno::ENODEV => Failure::Missing,
        Errno::EACCES | Errno::EPERM => Failure::Denied,
        Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM => Failure::Exhausted,
        Errno::EAGAIN | Errno::EINTR => Failure::Again,
        _ => Failure::Broken,
    }
}

/// What an open file is. Errors: those of fstat(2).
pub fn metadata(file: &Fd) -> io::Result<Metadata> {
    identify(file).map(|(metadata, _)| metadata)
}

/// [`metadata`], and which file it is. Errors: those of fstat(2).
pub fn identify(file: &Fd) -> io::Result<(Metadata, Identity)> {
    simulated!(metadata(file));
    let stat = fstat(file)?;
    let kind = match SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT {
        SFlag::S_IFREG => Kind::File,
        SFlag::S_IFDIR => Kind::Directory,
        _ => Kind::Other,
    };
    let metadata = Metadata {
        kind,
        length: u64::try_from(stat.st_size).unwrap_or(0),
        modified: UnixTime::new(stat.st_mtime, stat.st_mtime_nsec),
    };
    let identity = Identity {
        device: stat.st_dev,
        inode: stat.st_ino,
        changed: UnixTime::new(stat.st_ctime, stat.st_ctime_nsec),
    };
    Ok((metadata, identity))
}

/// Reads into `into` from `offset` on: how many bytes, 0 at the end. Errors: those of pread(2).
pub fn read_at(file: &Fd, into: &mut [u8], offset: u64) -> io::Result<usize> {
    simulated!(read_at(file, into, offset));
    let offset = i64::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
    Ok(nix::sys::uio::pread(file, into, offset)?)
}

/// How often a read that signals interrupt is tried.
const TRIES: usize = 4;

/// Reads the first `length` bytes. Errors: those of pread(2), and `UnexpectedEof` for a file that is shorter.
pub fn read_all(file: &Fd, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    let (mut end, mut tries) = (0, TRIES);
    while end < length {
        match read_at(file, &mut bytes[end..], end as u64) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => end += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted && tries > 1 => tries -= 1,
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    /// A directory of this test's own, with a file beside it that nobody may reach.
    struct Tree(PathBuf);

    impl Tree {
        fn new(name: &str) -> Tree {
            let base =
                std::env::temp_dir().join(format!("edgeloop-file-{}-{name}", std::process::id()));
            let root = base.join("root");
            fs::create_dir_all(root.join("a/b")).expect("a new directory");
            fs::write(base.join("secret"), "secret").expect("writable");
            fs::write(root.join("top"), "top").expect("writable");
            fs::write(root.join("a/b/deep"), "deep").expect("writable");
            symlink("../top", root.join("a/inside")).expect("a link");
            symlink("../../secret", root.join("a/outside")).expect("a link");
            symlink("/etc", root.join("absolute")).expect("a link");
            symlink("b", root.join("a/link")).expect("a link");
            symlink("loop", root.join("loop")).expect("a link");
            Tree(base)
        }

        fn root(&self) -> Fd {
            open_root(&self.0.join("root")).expect("a directory")
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    type Open = fn(&Fd, &[u8]) -> io::Result<Fd>;
    const BOTH: [(&str, Open); 2] = [("openat2", open_beneath), ("walk", walk)];

    fn walk(root: &Fd, path: &[u8]) -> io::Result<Fd> {
        walk_beneath(root, path, READ)
    }

    fn check(opened: io::Result<Fd>, expected: &Result<&str, Failure>, case: &str) {
        let content = opened.map_err(|error| failure(&error)).map(|file| {
            let mut content = [0; 16];
            let read = read_at(&file, &mut content, 0).expect("a regular file");
            String::from_utf8_lossy(&content[..read]).into_owned()
        });
        assert_eq!(content.as_deref(), expected.as_deref(), "{case}");
    }

    #[test]
    fn what_lies_below_the_root_is_opened_with_and_without_openat2() {
        let tree = Tree::new("below");
        let root = tree.root();
        let long = "a/".repeat(2048);
        for (path, expected) in [
            ("top", Ok("top")),
            ("a/b/deep", Ok("deep")),
            ("a//b/./deep", Ok("deep")),
            ("none", Err(Failure::Missing)),
            ("a/none/deep", Err(Failure::Missing)),
            ("top/deep", Err(Failure::Missing)),
            ("top/", Err(Failure::Missing)),
            ("loop", Err(Failure::Missing)),
            (&long, Err(Failure::Missing)),
        ] {
            for (name, open) in BOTH {
                check(
                    open(&root, path.as_bytes()),
                    &expected,
                    &format!("{name} {path}"),
                );
            }
        }
        for path in ["", ".", "a", "a/b/"] {
            for (name, open) in BOTH {
                let directory = open(&root, path.as_bytes()).expect(path);
                let kind = metadata(&directory).expect("open").kind;
                assert_eq!(kind, Kind::Directory, "{name} {path}");
            }
        }
    }

    #[test]
    fn nothing_outside_of_the_root_is_opened() {
        let tree = Tree::new("outside");
        let root = tree.root();
        for path in [
            "..",
            "../secret",
            "a/../../secret",
            "/etc/passwd",
            "a/outside",
            "absolute/passwd",
            "absolute",
        ] {
            for (name, open) in BOTH {
                let missing = Err(Failure::Missing);
                check(
                    open(&root, path.as_bytes()),
                    &missing,
                    &format!("{name} {path}"),
                );
            }
        }
    }

    #[test]
    fn links_that_stay_below_the_root_are_followed_by_openat2_only() {
        let tree = Tree::new("links");
        let root = tree.root();
        for (path, content) in [("a/inside", "top"), ("a/link/deep", "deep")] {
            check(open_beneath(&root, path.as_bytes()), &Ok(content), path);
            let walked = walk(&root, path.as_bytes());
            check(walked, &Err(Failure::Missing), path);
        }
    }

    /// Has this thread be told `errno` whenever it calls openat2 (seccomp(2)).
    fn forget_openat2(errno: i32) {
        let op = |code: u32, jf: u8, k: u32| libc::sock_filter {
            code: code as u16,
            jt: 0,
            jf,
            k,
        };
        let number = u32::try_from(libc::SYS_openat2).expect("a small number");
        // The number of the system call is what seccomp_data begins with.
        let mut program = [
            op(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
            op(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 1, number),
            op(
                libc::BPF_RET,
                0,
                libc::SECCOMP_RET_ERRNO | errno.unsigned_abs(),
            ),
            op(libc::BPF_RET, 0, libc::SECCOMP_RET_ALLOW),
        ];
        let filter = libc::sock_fprog {
            len: program.len() as u16,
            filter: program.as_mut_ptr(),
        };
        // SAFETY: the first call takes numbers only; the second reads the filter, which outlives it.
        unsafe {
            assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
            let mode = libc::SECCOMP_MODE_FILTER;
            assert_eq!(
                libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const filter),
                0
            );
        }
    }

    #[test]
    fn where_there_is_no_openat2_the_path_is_walked() {
        let tree = Tree::new("filtered");
        let root = tree.root();
        for errno in [libc::ENOSYS, libc::EPERM] {
            // The filter ends with its thread.
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    forget_openat2(errno);
                    check(open_beneath(&root, b"a/b/deep"), &Ok("deep"), "a file");
                    let missing = Err(Failure::Missing);
                    check(open_beneath(&root, b"a/inside"), &missing, "a link");
                    check(open_beneath(&root, b"../secret"), &missing, "outside");
                });
            });
        }
    }

    #[test]
    fn a_fifo_without_a_writer_is_not_waited_for() {
        let tree = Tree::new("fifo");
        let root = tree.root();
        let path = tree.0.join("root/fifo");
        nix::unistd::mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).expect("a new name");
        for (name, open) in BOTH {
            let fifo = open(&root, b"fifo").expect(name);
            assert_eq!(metadata(&fifo).expect("open").kind, Kind::Other, "{name}");
        }
    }

    #[test]
    fn metadata_agrees_with_the_standard_library() {
        let tree = Tree::new("metadata");
        let theirs = fs::metadata(tree.0.join("root/top")).expect("is there");
        let modified = theirs.modified().expect("Linux has it");
        let since = modified
            .duration_since(std::time::UNIX_EPOCH)
            .expect("after 1970");
        let file = open_beneath(&tree.root(), b"top").expect("is there");
        let expected = Metadata {
            kind: Kind::File,
            length: theirs.len(),
            modified: UnixTime {
                secs: since.as_secs(),
                nanos: since.subsec_nanos(),
            },
        };
        assert_eq!(metadata(&file).expect("open"), expected);
    }

    #[test]
    fn errors_mean_something_to_whoever_asked() {
        for (errno, expected) in [
            (libc::ENOENT, Failure::Missing),
            (libc::EXDEV, Failure::Missing),
            (libc::ENXIO, Failure::Missing),
            (libc::EACCES, Failure::Denied),
            (libc::EMFILE, Failure::Exhausted),
            (libc::ENFILE, Failure::Exhausted),
            (libc::EAGAIN, Failure::Again),
            (libc::EIO, Failure::Broken),
        ] {
            assert_eq!(failure(&io::Error::from_raw_os_error(errno)), expected);
        }
        assert_eq!(failure(&io::Error::other("no errno")), Failure::Broken);
    }
}
