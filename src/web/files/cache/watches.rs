//! Which watch tells of what.

use std::collections::HashMap;
use std::sync::Arc;

use crate::sys::inotify::WatchId;

/// The watches of a cache.
#[derive(Debug, Default)]
pub(super) struct Watches {
    watched: HashMap<WatchId, Watched>,
    directories: HashMap<Arc<[u8]>, WatchId>,
}

/// What a watch tells of.
#[derive(Debug)]
pub(super) enum Watched {
    /// The names in the directory of this path.
    Directory(Arc<[u8]>),
    /// The file that these places of the table have: more than one where it has several names.
    Files(Vec<usize>),
}

impl Watches {
    pub(super) fn len(&self) -> usize {
        self.watched.len()
    }

    pub(super) fn directories(&self) -> usize {
        self.directories.len()
    }

    pub(super) fn of(&self, watch: WatchId) -> Option<&Watched> {
        self.watched.get(&watch)
    }

    pub(super) fn has_directory(&self, path: &[u8]) -> bool {
        self.directories.contains_key(path)
    }

    /// A directory is watched. `false`: the same one is, under another path, and so it is not.
    pub(super) fn add_directory(&mut self, path: &[u8], watch: WatchId) -> bool {
        if self.watched.contains_key(&watch) {
            return false;
        }
        let path: Arc<[u8]> = Arc::from(path);
        let watched = Watched::Directory(Arc::clone(&path));
        self.watched.insert(watch, watched);
        self.directories.insert(path, watch);
        true
    }

    /// A file is watched for a place.
    pub(super) fn join(&mut self, watch: WatchId, place: usize) {
        match self
            .watched
            .entry(watch)
            .or_insert_with(|| Watched::Files(Vec::new()))
        {
            Watched::Files(places) => places.push(place),
            Watched::Directory(_) => {} // no file has the watch of a directory
        }
    }

    /// A place needs it no more. Whether nobody does.
    pub(super) fn leave(&mut self, watch: WatchId, place: usize) -> bool {
        match self.watched.get_mut(&watch) {
            Some(Watched::Files(places)) => {
                places.retain(|it| *it != place);
                let unused = places.is_empty();
                if unused {
                    self.watched.remove(&watch);
                }
                unused
            }
            Some(Watched::Directory(_)) | None => false,
        }
    }

    /// Whether a file's watch that was just made is used by nobody.
    pub(super) fn is_unused(&self, watch: WatchId) -> bool {
        !self.watched.contains_key(&watch)
    }

    /// Takes the watches of this directory and of all below it away.
    pub(super) fn remove_below(&mut self, directory: &[u8]) -> Vec<WatchId> {
        let paths = self.directories.keys();
        let gone = paths.filter(|path| is_at_or_below(path, directory));
        let gone: Vec<Arc<[u8]>> = gone.cloned().collect();
        let watches = gone.iter().filter_map(|path| self.directories.remove(path));
        let watches: Vec<WatchId> = watches.collect();
        for watch in &watches {
            self.watched.remove(watch);
        }
        watches
    }
}

/// Whether a path is that of a directory, or of something in it, however deep. The root's is empty.
pub(super) fn is_at_or_below(path: &[u8], directory: &[u8]) -> bool {
    match path.strip_prefix(directory) {
        Some(rest) => directory.is_empty() || rest.is_empty() || rest.starts_with(b"/"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_is_what_has_the_whole_name_before_it() {
        for (path, directory, is) in [
            ("a", "", true),
            ("", "", true),
            ("a", "a", true),
            ("a/b", "a", true),
            ("ab", "a", false),
            ("b/a", "a", false),
            ("a", "a/b", false),
        ] {
            let found = is_at_or_below(path.as_bytes(), directory.as_bytes());
            assert_eq!(found, is, "{path} {directory}");
        }
    }
}
