//! The calls that are about paths and files.

use core::ops::Bound;
use std::ffi::OsStr;
use std::io;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::Call;
use super::kernel::Object;
use super::world::{World, said};
use crate::sys::at_hand::{Waiting, Wanted};
use crate::sys::directory::Names;
use crate::sys::file::{Identity, Kind, Metadata};
use crate::sys::socket_file::Looked;
use crate::sys::{Fd, UnixTime};

impl World {
    pub(in crate::sys) fn look(&self, path: &Path) -> io::Result<Looked> {
        said(self.begin(Call::Look).and_then(|()| {
            let kernel = self.kernel();
            let inode = kernel.socket_files.get(path).copied();
            let is_socket = inode.is_some();
            let file = kernel.paths.get(path).map(|file| *file as u64);
            let inode = inode.or(file).ok_or(Errno::ENOENT)?;
            Ok(Looked {
                device: 1,
                inode,
                is_socket,
            })
        }))
    }

    pub(in crate::sys) fn remove(&self, path: &Path) -> io::Result<()> {
        said(self.begin(Call::Remove).and_then(|()| {
            let removed = self.kernel().socket_files.remove(path);
            removed.map(|_| ()).ok_or(Errno::ENOENT)
        }))
    }

    pub(in crate::sys) fn open_root(&self, path: &Path) -> io::Result<Fd> {
        said(self.begin(Call::OpenRoot).and_then(|()| {
            if !self.is_directory(path) {
                return Err(Errno::ENOENT);
            }
            self.open(Object::Directory(path.to_owned()))
        }))
    }

    pub(super) fn is_directory(&self, path: &Path) -> bool {
        let kernel = self.kernel();
        let begin = (Bound::Excluded(path), Bound::Unbounded);
        // What is below a path comes next to it.
        let mut next = kernel.paths.range::<Path, _>(begin);
        next.next().is_some_and(|(file, _)| file.starts_with(path))
    }

    pub(in crate::sys) fn open_resolved(&self, root: &Fd, path: &[u8]) -> nix::Result<Fd> {
        self.begin(Call::OpenResolved)?;
        if self.kernel().lacks_openat2 {
            return Err(Errno::ENOSYS);
        }
        self.open_waiting(root, path)
    }

    /// There are no symbolic links, so none is in the way.
    pub(in crate::sys) fn open_plain(
        &self,
        root: &Fd,
        path: &[u8],
        wanted: Wanted,
        waiting: Waiting,
    ) -> nix::Result<Fd> {
        self.begin(Call::OpenPlain)?;
        if self.kernel().lacks_openat2 {
            return Err(Errno::ENOSYS);
        }
        let object = match self.resolve_below(root, path) {
            // That a file is no directory is only found out on the way that may wait.
            Err(Errno::ENOTDIR) if waiting == Waiting::Refused => return Err(Errno::EAGAIN),
            resolved => resolved?,
        };
        match (&object, wanted) {
            (Object::File(_), Wanted::Directory) => return Err(Errno::ENOTDIR),
            (Object::File(file), Wanted::File | Wanted::Linked | Wanted::Place) => {
                let mut kernel = self.kernel();
                if waiting == Waiting::Refused && kernel.files[*file].name_is_cold {
                    return Err(Errno::EAGAIN);
                }
                kernel.fetch_name(*file);
            }
            _ => {}
        }
        self.open(object)
    }

    pub(in crate::sys) fn open_in(&self, directory: &Fd, name: &[u8]) -> io::Result<Fd> {
        said(
            self.begin(Call::OpenIn)
                .and_then(|()| self.open_waiting(directory, name)),
        )
    }

    fn open_waiting(&self, root: &Fd, path: &[u8]) -> nix::Result<Fd> {
        let object = self.resolve_below(root, path)?;
        if let Object::File(file) = object {
            self.kernel().fetch_name(file);
        }
        self.open(object)
    }

    fn resolve_below(&self, root: &Fd, path: &[u8]) -> nix::Result<Object> {
        let mut at: PathBuf = match self.kernel().object(root.raw())? {
            Object::Directory(path) => path.clone(),
            _ => return Err(Errno::ENOTDIR),
        };
        if path.starts_with(b"/") {
            return Err(Errno::EXDEV);
        }
        let (mut depth, mut file) = (0, None);
        for name in path.split(|byte| *byte == b'/') {
            // Something stands behind it, if only a slash.
            if file.is_some() {
                return Err(Errno::ENOTDIR);
            }
            match name {
                b"" | b"." => {}
                b".." if depth == 0 => return Err(Errno::EXDEV),
                b".." => {
                    at.pop();
                    depth -= 1;
                }
                name => {
                    at.push(OsStr::from_bytes(name));
                    depth += 1;
                }
            }
            file = self.kernel().paths.get(&at).copied();
            if file.is_none() && !self.is_directory(&at) {
                return Err(Errno::ENOENT);
            }
        }
        Ok(match file {
            Some(file) => Object::File(file),
            None => Object::Directory(at),
        })
    }

    pub(in crate::sys) fn metadata(&self, file: &Fd) -> io::Result<(Metadata, Identity)> {
        said(self.begin(Call::Metadata).and_then(|()| {
            let mut kernel = self.kernel();
            let file = match kernel.object(file.raw())? {
                Object::File(file) => *file,
                object => {
                    let kind = match object {
                        Object::Directory(_) => Kind::Directory,
                        _ => Kind::Other,
                    };
                    let metadata = Metadata {
                        kind,
                        length: 0,
                        modified: UnixTime::new(0, 0),
                    };
                    return Ok((metadata, identity(0, 0)));
                }
            };
            let node = &kernel.files[file];
            let metadata = Metadata {
                kind: Kind::File,
                length: node.length,
                modified: UnixTime::new(node.modified, 0),
            };
            // Zero is that of everything that is no file.
            Ok((metadata, identity(file as u64 + 1, node.changed)))
        }))
    }

    pub(in crate::sys) fn read_at(
        &self,
        file: &Fd,
        into: &mut [u8],
        offset: u64,
    ) -> io::Result<usize> {
        said(self.begin(Call::ReadAt).and_then(|()| {
            let most = self.cut(Call::ReadAt, offset, into.len());
            self.read_file(file.raw(), &mut into[..most], offset)
        }))
    }

    pub(in crate::sys) fn names(&self, directory: &Fd, most: usize) -> io::Result<Names> {
        said(self.begin(Call::Names).and_then(|()| {
            let path = match self.kernel().object(directory.raw())? {
                Object::Directory(path) => path.clone(),
                _ => return Err(Errno::ENOTDIR),
            };
            let kernel = self.kernel();
            let begin = (Bound::Excluded(path.as_path()), Bound::Unbounded);
            let mut names = Names::default();
            let mut last = None;
            for (file, _) in kernel.paths.range::<Path, _>(begin) {
                let Ok(below) = file.strip_prefix(&path) else {
                    break;
                };
                // All that is below one name comes together.
                let name = below.iter().next();
                if name != last && !name.is_none_or(|name| names.take(name.as_bytes(), most)) {
                    break;
                }
                last = name;
            }
            Ok(names)
        }))
    }

    pub(super) fn read_file(
        &self,
        number: RawFd,
        into: &mut [u8],
        offset: u64,
    ) -> Result<usize, Errno> {
        let mut kernel = self.kernel();
        let file = match kernel.object(number)? {
            Object::File(file) => *file,
            Object::Directory(_) => return Err(Errno::EISDIR),
            _ => return Err(Errno::ESPIPE),
        };
        kernel.fetch(file, offset..offset.saturating_add(into.len() as u64));
        let node = &kernel.files[file];
        let left = node.length.saturating_sub(offset).min(into.len() as u64) as usize;
        let begin = (offset as usize).min(node.content.len());
        let end = (begin + left).min(node.content.len());
        into[..end - begin].copy_from_slice(&node.content[begin..end]);
        into[end - begin..left].fill(0);
        Ok(left)
    }
}

fn identity(inode: u64, changed: i64) -> Identity {
    Identity {
        device: 1,
        inode,
        changed: UnixTime::new(changed / 1_000_000_000, changed % 1_000_000_000),
    }
}
