//! Which watch tells of what.

use core::ops::Bound;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use crate::sys::inotify::WatchId;

/// The watches of a cache.
#[derive(Debug, Default)]
pub(super) struct Watches {
    /// The kernel gives the names, so the hash function need not be secret.
    watched: HashMap<WatchId, Watched, BuildHasherDefault<DefaultHasher>>,
    /// In the order of their paths: what is below a directory stands together.
    directories: BTreeMap<Arc<[u8]>, WatchId>,
    /// The one that was last forgotten to make room.
    hand: Vec<u8>,
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

    /// A directory with no other one below it that is not on the way to this path: each in its turn, and what only led to
    /// one after that.
    pub(super) fn leaf_beside(&mut self, path: &[u8]) -> Option<Vec<u8>> {
        let parent = self.hand.iter().rposition(|byte| *byte == b'/');
        let parent = parent.map(|end| self.directories.get_key_value(&self.hand[..end]));
        let behind = (Bound::Excluded(&*self.hand), Bound::Unbounded);
        let behind = self.directories.range::<[u8], _>(behind);
        let all = parent
            .flatten()
            .into_iter()
            .chain(behind)
            .chain(&self.directories);
        let mut paths = all.map(|(directory, _)| directory);
        let leaf = paths.find(|it| !is_at_or_below(path, it) && self.is_leaf(it))?;
        self.hand = leaf.to_vec();
        Some(self.hand.clone())
    }

    fn is_leaf(&self, directory: &[u8]) -> bool {
        at_or_below(&self.directories, directory).nth(1).is_none()
    }

    /// Takes the watches of this directory and of all below it away.
    pub(super) fn remove_below(&mut self, directory: &[u8]) -> Vec<WatchId> {
        let gone = at_or_below(&self.directories, directory);
        let gone: Vec<Arc<[u8]>> = gone.map(|(path, _)| Arc::clone(path)).collect();
        let watches = gone.iter().filter_map(|path| self.directories.remove(path));
        let watches: Vec<WatchId> = watches.collect();
        for watch in &watches {
            self.watched.remove(watch);
        }
        watches
    }
}

/// What stands under the path of a directory, and under those in it, however deep.
pub(super) fn at_or_below<'t, T>(
    in_order: &'t BTreeMap<Arc<[u8]>, T>,
    directory: &[u8],
) -> impl Iterator<Item = (&'t Arc<[u8]>, &'t T)> {
    let itself = in_order.get_key_value(directory);
    // Others stand between the two: `a-b` comes before `a/b`.
    let mut inside = directory.to_vec();
    if !directory.is_empty() {
        inside.push(b'/');
    }
    let from = (Bound::Excluded(&*inside), Bound::Unbounded);
    let behind = in_order.range::<[u8], _>(from);
    itself
        .into_iter()
        .chain(behind.take_while(move |(path, _)| path.starts_with(&inside)))
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
    fn what_is_below_a_directory_is_found_without_its_neighbours() {
        let paths = ["", "a", "a-b", "a/b", "a/b/c", "a/d", "a0", "b"];
        let in_order: BTreeMap<Arc<[u8]>, &str> =
            paths.map(|path| (Arc::from(path.as_bytes()), path)).into();
        for (directory, expected) in [
            ("a", &["a", "a/b", "a/b/c", "a/d"] as &[&str]),
            ("a/b", &["a/b", "a/b/c"]),
            ("b", &["b"]),
            ("c", &[]),
            ("", &paths),
        ] {
            let found = at_or_below(&in_order, directory.as_bytes());
            let found: Vec<_> = found.map(|(_, path)| *path).collect();
            assert_eq!(found, expected, "{directory}");
        }
    }

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
