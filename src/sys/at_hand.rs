//! What can be had of files without waiting for a disk: names that the kernel has in its cache, and content.

use core::ops::Range;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};

use super::Fd;

/// `RESOLVE_CACHED` (openat2(2)): every name on the way is known already, or it says `EAGAIN`.
const RESOLVE_CACHED: ResolveFlag = ResolveFlag::from_bits_retain(libc::RESOLVE_CACHED);

/// What is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Something to be read, as [`open_beneath`](super::file::open_beneath) opens it, with no symbolic link on the way.
    File,
    /// The same, over symbolic links that stay below the root.
    Linked,
    /// A directory, only as a place (`O_PATH`).
    Directory,
    /// Whatever it is, only as a place, over symbolic links that stay below the root: nothing happens to it.
    Place,
}

/// Whether opening may wait for a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// It may.
    Allowed,
    /// It says `WouldBlock` instead. A kernel older than 5.12 waits all the same.
    Refused,
}

/// Opens what lies at `path` below `root`. A symbolic link on the way is an error (`ELOOP`), but for what is
/// [`Linked`](Wanted::Linked). The empty path is the root. Otherwise as [`open_beneath`](super::file::open_beneath).
///
/// Errors: those of openat2(2); `Unsupported` where there is none.
pub fn open_plain(root: &Fd, path: &[u8], wanted: Wanted, waiting: Waiting) -> io::Result<Fd> {
    let path = if path.is_empty() { b"." } else { path };
    let opened = match open(root, path, wanted, waiting) {
        // So says a kernel that does not know how not to wait; and it says so of names that can't be.
        Err(Errno::EINVAL) if waiting == Waiting::Refused => {
            open(root, path, wanted, Waiting::Allowed)
        }
        opened => opened,
    };
    match opened {
        // With these flags openat2 itself never says EPERM, but filters that do not know it do.
        Err(Errno::ENOSYS | Errno::EPERM) => Err(io::ErrorKind::Unsupported.into()),
        opened => Ok(opened?),
    }
}

fn open(root: &Fd, path: &[u8], wanted: Wanted, waiting: Waiting) -> nix::Result<Fd> {
    simulated!(open_plain(root, path, wanted, waiting));
    let flags = match wanted {
        Wanted::File | Wanted::Linked => OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY,
        Wanted::Directory => OFlag::O_PATH | OFlag::O_DIRECTORY,
        Wanted::Place => OFlag::O_PATH,
    };
    let mut resolve = ResolveFlag::RESOLVE_BENEATH
        | match wanted {
            Wanted::File | Wanted::Directory => ResolveFlag::RESOLVE_NO_SYMLINKS,
            Wanted::Linked | Wanted::Place => ResolveFlag::RESOLVE_NO_MAGICLINKS,
        };
    if waiting == Waiting::Refused {
        resolve |= RESOLVE_CACHED;
    }
    let how = OpenHow::new()
        .flags(flags | OFlag::O_CLOEXEC)
        .resolve(resolve);
    Ok(openat2(root, OsStr::from_bytes(path), how)?.into())
}

/// Whether an error of [`open_plain`] says that a symbolic link is on the way.
pub fn is_link(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ELOOP)
}

/// Reads into `into` from `offset` on what is in memory: how many bytes, 0 at the end. Errors: `WouldBlock` when the first of
/// them would have to be read from a disk, `Unsupported` where the file system can't say, and those of preadv2(2).
pub fn read_at_hand(file: &Fd, into: &mut [u8], offset: u64) -> io::Result<usize> {
    let offset = i64::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
    match read(file, into, offset) {
        Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => Err(io::ErrorKind::Unsupported.into()),
        read => Ok(read?),
    }
}

fn read(file: &Fd, into: &mut [u8], offset: i64) -> nix::Result<usize> {
    simulated!(read_at_hand(file, into, offset));
    let room = libc::iovec {
        iov_base: into.as_mut_ptr().cast(),
        iov_len: into.len(),
    };
    // SAFETY: the one piece of room that the call is given is the slice, which it may write; it keeps no pointer to it.
    let read = unsafe { libc::preadv2(file.raw(), &raw const room, 1, offset, libc::RWF_NOWAIT) };
    Ok(Errno::result(read)?.unsigned_abs())
}

/// A page of the kernel's cache, where its size is known when this is built.
const PAGE_BYTES: u64 = 4096;

/// Its number, which libc does not have yet.
const CACHESTAT: libc::c_long = 451;

/// Whether the kernel has all of these bytes of a file in memory, or is just reading what is missing.
///
/// Errors: `Unsupported` where it can't say (before Linux 6.5, where pages may be larger than 4 KiB, and some file systems),
/// `PermissionDenied` where it does not say of files that are not ours and that we may not write (newer kernels), and those of
/// cachestat(2).
pub fn is_cached(file: &Fd, bytes: Range<u64>) -> io::Result<bool> {
    if cfg!(not(target_arch = "x86_64")) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    if bytes.is_empty() {
        return Ok(true);
    }
    let pages = bytes.end.div_ceil(PAGE_BYTES) - bytes.start / PAGE_BYTES;
    match cached_pages(file, bytes.start, bytes.end - bytes.start) {
        Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => Err(io::ErrorKind::Unsupported.into()),
        cached => Ok(cached? >= pages),
    }
}

fn cached_pages(file: &Fd, offset: u64, length: u64) -> nix::Result<u64> {
    simulated!(cached_pages(file, offset, length));
    // struct cachestat_range, and struct cachestat: pages in memory, and four more counts.
    let (range, mut counts) = ([offset, length], [0_u64; 5]);
    let flags: libc::c_uint = 0;
    // SAFETY: the call reads the two numbers and writes the five, which live on; it keeps no pointer to them.
    let done = unsafe {
        libc::syscall(
            CACHESTAT,
            file.raw(),
            range.as_ptr(),
            counts.as_mut_ptr(),
            flags,
        )
    };
    Errno::result(done)?;
    Ok(counts[0])
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_is_known_is_opened_without_waiting_and_no_link_is_followed() {
        let base = std::env::temp_dir().join(format!("edgeloop-at-hand-{}", std::process::id()));
        fs::create_dir_all(base.join("d")).expect("a new directory");
        fs::write(base.join("d/f"), "content").expect("writable");
        symlink("d", base.join("link")).expect("a link");
        symlink("f", base.join("d/link")).expect("a link");
        let root = file::open_root(&base).expect("a directory");
        let errno = |path: &str, wanted, waiting| {
            let opened = open_plain(&root, path.as_bytes(), wanted, waiting);
            opened.map_or_else(|error| error.raw_os_error().unwrap_or(-1), |_| 0)
        };
        for waiting in [Waiting::Allowed, Waiting::Refused] {
            for (path, wanted, expected) in [
                ("d/f", Wanted::File, 0),
                ("", Wanted::Directory, 0),
                ("d", Wanted::Directory, 0),
                ("d/f", Wanted::Directory, libc::ENOTDIR),
                ("d/link", Wanted::Place, 0),
                ("link", Wanted::Place, 0),
                ("link/f", Wanted::File, libc::ELOOP),
                ("d/link", Wanted::File, libc::ELOOP),
            ] {
                assert_eq!(errno(path, wanted, waiting), expected, "{path} {waiting:?}");
            }
        }
        // That a file is no directory, and where the root ends, may be found out on the way that may wait only.
        for (path, expected) in [("d/f/x", libc::ENOTDIR), ("../x", libc::EXDEV)] {
            let refused = errno(path, Wanted::File, Waiting::Refused);
            assert!(
                [expected, libc::EAGAIN].contains(&refused),
                "{path}: {refused}"
            );
            assert_eq!(
                errno(path, Wanted::File, Waiting::Allowed),
                expected,
                "{path}"
            );
        }
        // Whether a name that is not there is known to be none depends on who has asked before.
        assert_eq!(errno("none", Wanted::File, Waiting::Allowed), libc::ENOENT);
        let _ = fs::remove_dir_all(&base);
    }

    #[test]
    fn content_that_was_just_written_is_at_hand_or_the_file_system_can_not_say() {
        let path =
            std::env::temp_dir().join(format!("edgeloop-at-hand-content-{}", std::process::id()));
        fs::write(&path, "content").expect("writable");
        let root = file::open_root(&std::env::temp_dir()).expect("a directory");
        let name = path.file_name().expect("it has one").as_bytes();
        let file = file::open_beneath(&root, name).expect("a file");
        let mut bytes = [0; 16];
        match read_at_hand(&file, &mut bytes, 2) {
            Ok(read) => assert_eq!(&bytes[..read], b"ntent"),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::Unsupported),
        }
        if let Ok(read) = read_at_hand(&file, &mut bytes, 7) {
            assert_eq!(read, 0);
        }
        for (bytes, expected) in [(0..7, true), (3..3, true), (0..5000, false)] {
            if let Ok(is_cached) = is_cached(&file, bytes.clone()) {
                assert_eq!(is_cached, expected, "{bytes:?}");
            }
        }
        let _ = fs::remove_file(&path);
    }
}
