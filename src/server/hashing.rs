//! How what clients name is hashed.

use std::hash::{BuildHasher, DefaultHasher, RandomState};

/// The hash functions of a loop's tables whose keys clients can choose ([`Local::share`](super::Local::share) has it).
///
/// If clients knew a server's function they could ask for names that all stand at one place of a table, and each lookup would
/// take as long as the table is (hash flooding). In a [`Replay`](super::Replay) it is known, so that each takes the same steps.
#[derive(Clone, Debug)]
pub enum Hashing {
    /// Nobody knows it.
    Secret(RandomState),
    /// It is always the same one.
    Fixed,
}

/// A secret one.
impl Default for Hashing {
    fn default() -> Self {
        Hashing::Secret(RandomState::new())
    }
}

impl BuildHasher for Hashing {
    type Hasher = DefaultHasher;

    #[inline]
    fn build_hasher(&self) -> DefaultHasher {
        match self {
            Hashing::Secret(state) => state.build_hasher(),
            Hashing::Fixed => DefaultHasher::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::{Recording, Replay, Reply, Request, ResponseWriter};
    use std::cell::Cell;
    use std::rc::Rc;

    #[test]
    fn a_server_keeps_its_function_to_itself_and_replays_have_the_same_one() {
        let (a, b) = (Hashing::default(), Hashing::default());
        assert_eq!(a.hash_one("name"), a.clone().hash_one("name"));
        assert_ne!(a.hash_one("name"), b.hash_one("name"));
        assert_eq!(of_a_replay(), of_a_replay());
    }

    /// What a handler of a replay finds.
    fn of_a_replay() -> u64 {
        let hash = Rc::new(Cell::new(0));
        let found = Rc::clone(&hash);
        let handler = move |_: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
            let hashing = res.local().share(Hashing::default);
            found.set(hashing.hash_one("name"));
            res.status(200).text("found\n")
        };
        let recording = Recording::of_bytes(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let mut replay = Replay::new(handler).expect("a loop");
        replay.run(&recording, 1).expect("it is played");
        hash.get()
    }
}
