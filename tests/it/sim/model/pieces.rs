//! A thread's work, written down.

use core::time::Duration;
use std::sync::{Arc, Mutex};

use edgeloop::sys::thread::{self, Work};

use super::places::Place;
use super::script::errno;

/// So many pieces, and after a rest so many more.
struct Pieces {
    left: u32,
    then: u32,
    done: Arc<Mutex<String>>,
}

impl Pieces {
    fn note(&self, what: char) {
        self.done.lock().expect("no panic").push(what);
    }
}

impl Work for Pieces {
    fn work(&mut self) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        self.note('w');
        true
    }

    fn rest(&mut self, _: Duration) -> bool {
        self.note('r');
        self.left = std::mem::take(&mut self.then);
        self.left > 0
    }
}

/// What a thread has done when it is over: `w` for a piece of work, `r` for a rest.
pub(super) fn work(place: &impl Place, left: u32, then: u32) -> String {
    let done = Arc::<Mutex<String>>::default();
    let work = Pieces {
        left,
        then,
        done: Arc::clone(&done),
    };
    match thread::start("pieces", work) {
        Ok(thread) => place.join(thread),
        Err(error) => return errno(&error),
    }
    done.lock().expect("no panic").clone()
}
