//! A directory for files that nobody needs afterwards.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

/// Only this user may look into it. It is removed, with what is in it, when this is dropped.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Errors: those of mkdir(2).
    pub(crate) fn new() -> io::Result<Scratch> {
        let path = std::env::temp_dir().join(format!("edgeloop-profile-{}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Scratch(path))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0); // if it stays, it stays where such things are swept
    }
}
