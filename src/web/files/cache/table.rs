//! What stands where, and what is forgotten first.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use slab::Slab;

use super::Place;
use super::watches::at_or_below;
use crate::server::Hashing;
use crate::sys::inotify::WatchId;

/// What a place takes beside its name and its content.
const PLACE_BYTES: usize = 256;

/// Places by their paths. Which is forgotten first is told by a clock: its hand goes round, and what was asked for since it
/// was there last is left alone once.
#[derive(Debug)]
pub(super) struct Table {
    /// Clients choose what is looked up, and so what is not there.
    by_path: HashMap<Arc<[u8]>, usize, Hashing>,
    /// The same in their order: what is below a directory stands together.
    in_order: BTreeMap<Arc<[u8]>, usize>,
    places: Slab<Entry>,
    hand: usize,
    cost: Cost,
}

#[derive(Debug)]
struct Entry {
    path: Arc<[u8]>,
    place: Place,
    watches: Vec<WatchId>,
    cost: Cost,
    was_asked_for: bool,
}

/// What it takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cost {
    pub(super) bytes: usize,
    pub(super) files: usize,
}

impl Table {
    pub(super) fn new(hashing: Hashing) -> Table {
        Table {
            by_path: HashMap::with_hasher(hashing),
            in_order: BTreeMap::new(),
            places: Slab::new(),
            hand: 0,
            cost: Cost::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn cost(&self) -> Cost {
        self.cost
    }

    /// What stands at a path; it counts as asked for.
    #[inline]
    pub(super) fn find(&mut self, path: &[u8]) -> Option<&Place> {
        let at = *self.by_path.get(path)?;
        let entry = &mut self.places[at];
        entry.was_asked_for = true;
        Some(&entry.place)
    }

    /// What stands at a place that there is.
    pub(super) fn at(&self, place: usize) -> &Place {
        &self.places[place].place
    }

    pub(super) fn place_of(&self, path: &[u8]) -> Option<usize> {
        self.by_path.get(path).copied()
    }

    pub(super) fn has(&self, place: usize) -> bool {
        self.places.contains(place)
    }

    /// What a place takes whose content takes so much.
    pub(super) fn cost_of(path: &[u8], content: Cost) -> Cost {
        Cost {
            bytes: content.bytes + path.len() + PLACE_BYTES,
            files: content.files,
        }
    }

    /// Puts something at a path where nothing is.
    pub(super) fn insert(
        &mut self,
        path: &[u8],
        place: Place,
        watches: Vec<WatchId>,
        cost: Cost,
    ) -> usize {
        let path: Arc<[u8]> = Arc::from(path);
        self.cost.bytes += cost.bytes;
        self.cost.files += cost.files;
        let at = self.places.insert(Entry {
            path: Arc::clone(&path),
            place,
            watches,
            cost,
            was_asked_for: true,
        });
        self.in_order.insert(Arc::clone(&path), at);
        self.by_path.insert(path, at);
        at
    }

    /// Takes away what stands at a place that there is: the watches that were for it.
    pub(super) fn remove(&mut self, place: usize) -> Vec<WatchId> {
        let entry = self.places.remove(place);
        self.by_path.remove(&entry.path);
        self.in_order.remove(&entry.path);
        self.cost.bytes -= entry.cost.bytes;
        self.cost.files -= entry.cost.files;
        entry.watches
    }

    pub(super) fn places_below(&self, directory: &[u8]) -> Vec<usize> {
        at_or_below(&self.in_order, directory)
            .map(|(_, at)| *at)
            .collect()
    }

    /// The place that is to be forgotten first, of those that keep a file open if only they count.
    pub(super) fn oldest(&mut self, only_files: bool) -> Option<usize> {
        // Twice round: what was asked for is found the second time.
        for _ in 0..2 * self.places.capacity() {
            self.hand = (self.hand + 1) % self.places.capacity();
            if let Some(entry) = self.places.get_mut(self.hand)
                && (!only_files || entry.cost.files > 0)
                && !std::mem::take(&mut entry.was_asked_for)
            {
                return Some(self.hand);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(paths: &[&str]) -> Table {
        let mut table = Table::new(Hashing::default());
        for path in paths {
            let files = usize::from(path.starts_with('f'));
            let cost = Cost { bytes: 10, files };
            table.insert(path.as_bytes(), Place::Missing, Vec::new(), cost);
        }
        table
    }

    fn evicted(table: &mut Table, only_files: bool) -> String {
        let at = table.oldest(only_files).expect("there is one");
        let path = String::from_utf8_lossy(&table.places[at].path).into_owned();
        table.remove(at);
        path
    }

    #[test]
    fn what_was_asked_for_since_the_hand_was_there_is_left_alone() {
        let mut table = with(&["a", "b", "c", "d"]);
        let first = evicted(&mut table, false);
        let (mut left, mut order) = (vec!["a", "b", "c", "d"], Vec::new());
        left.retain(|path| *path != first);
        table.find(left[1].as_bytes()).expect("it is there");
        while table.len() > 0 {
            order.push(evicted(&mut table, false));
        }
        assert_eq!(order.last().map(String::as_str), Some(left[1]), "{order:?}");
        assert_eq!(table.cost(), Cost::default());
        assert_eq!(table.oldest(false), None);
    }

    #[test]
    fn descriptors_are_found_where_there_are_some() {
        let mut table = with(&["a", "f", "b", "c"]);
        assert_eq!(evicted(&mut table, true), "f");
        assert_eq!(table.oldest(true), None);
        assert_eq!(table.len(), 3);
    }
}
