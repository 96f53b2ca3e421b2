//! Files: opened below a root that they can't leave, and read.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

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

/// Opens a directory as a root for [`open_beneath`]. Errors: those of open(2).
pub fn open_root(path: &Path) -> io::Result<Fd> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    Ok(openat(AT_FDCWD, path, flags, Mode::empty())?.into())
}

/// Opens what lies at `path` below `root` for reading, without waiting for anything. No path, link or rename leads out
/// of the root (openat2(2), `RESOLVE_BENEATH`): that is an error of kind `CrossesDevices`. The empty path is the root.
pub fn open_beneath(root: &Fd, path: &[u8]) -> io::Result<Fd> {
    let path = if path.is_empty() { b"." } else { path };
    let how = OpenHow::new()
        .flags(OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY)
        .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    Ok(openat2(root, OsStr::from_bytes(path), how)?.into())
}

/// What an open file is. Errors: those of fstat(2).
pub fn metadata(file: &Fd) -> io::Result<Metadata> {
    let stat = fstat(file)?;
    let kind = match SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT {
        SFlag::S_IFREG => Kind::File,
        SFlag::S_IFDIR => Kind::Directory,
        _ => Kind::Other,
    };
    Ok(Metadata {
        kind,
        length: u64::try_from(stat.st_size).unwrap_or(0),
        modified: UnixTime::new(stat.st_mtime, stat.st_mtime_nsec),
    })
}

/// Reads into `into` from `offset` on: how many bytes, 0 at the end. Errors: those of pread(2).
pub fn read_at(file: &Fd, into: &mut [u8], offset: u64) -> io::Result<usize> {
    let offset = i64::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
    Ok(nix::sys::uio::pread(file, into, offset)?)
}
