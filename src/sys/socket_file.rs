//! What a Unix socket leaves in the file system.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The file of a Unix socket that was bound here, removed when this is dropped.
///
/// It is left alone if it is another one by then: whoever finds the file of a socket that does not listen may take the
/// path over, as [`bind`](super::socket::bind) does. To be dropped while the socket listens, so that nobody does.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    looked: Looked,
}

/// What is at a path. An open socket holds the inode that it was bound to, so no other file has its number meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Looked {
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) is_socket: bool,
}

/// Looks at what is at a path, not at what it links to. Errors: those of lstat(2).
pub(super) fn look(path: &Path) -> io::Result<Looked> {
    simulated!(look(path));
    let metadata = fs::symlink_metadata(path)?;
    Ok(Looked {
        device: metadata.dev(),
        inode: metadata.ino(),
        is_socket: metadata.file_type().is_socket(),
    })
}

/// Removes a file. Errors: those of unlink(2).
pub(super) fn remove(path: &Path) -> io::Result<()> {
    simulated!(remove(path));
    fs::remove_file(path)
}

impl SocketFile {
    /// The file that is at `path` now. Errors: those of lstat(2).
    pub fn at(path: &Path) -> io::Result<SocketFile> {
        Ok(SocketFile {
            path: path.to_owned(),
            looked: look(path)?,
        })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if look(&self.path).is_ok_and(|looked| looked == self.looked) {
            // What can't be removed stays, and the next server finds nobody listening there.
            let _ = remove(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::socket::{Sharing, bind, listen};
    use super::super::{Address, Fd};
    use super::*;

    fn bound(path: &Path) -> (SocketFile, Fd) {
        let fd = bind(&Address::Unix(path.to_owned()), Sharing::Alone).expect("a path");
        (SocketFile::at(path).expect("is there"), fd)
    }

    #[test]
    fn it_is_removed_once_and_only_if_it_is_the_same() {
        let path = std::env::temp_dir().join(format!("edgeloop-file-{}", std::process::id()));
        let (first, _fd) = bound(&path);
        // The first socket does not listen, so its path is taken over.
        let (second, fd) = bound(&path);
        listen(&fd, 1).expect("listens");
        drop(first);
        assert!(path.exists(), "it is the second one's");
        drop(second);
        assert!(!path.exists());
    }
}
