//! What handlers keep with a connection.

use core::any::Any;
use core::fmt;

use super::contain::contain;

/// One value of each type, in 8 bytes while there is none. There are few, so they are a list.
#[derive(Default)]
pub(super) struct States(Option<Box<Node>>);

struct Node {
    value: Box<dyn Any>,
    next: States,
}

impl States {
    pub(super) fn get<T: 'static>(&mut self) -> Option<&mut T> {
        let mut next = self;
        while let Some(node) = &mut next.0 {
            if node.value.is::<T>() {
                return node.value.downcast_mut();
            }
            next = &mut node.next;
        }
        None
    }

    pub(super) fn get_or<T: 'static>(&mut self, make: impl FnOnce() -> T) -> &mut T {
        if self.get::<T>().is_none() {
            let value = Box::new(make());
            let next = core::mem::take(self);
            self.0 = Some(Box::new(Node { value, next }));
        }
        self.get().expect("it was put there")
    }
}

impl Drop for States {
    /// A value that panics when it is dropped costs nobody else anything.
    fn drop(&mut self) {
        let mut next = self.0.take();
        while let Some(mut node) = next {
            next = node.next.0.take();
            contain(|| drop(node));
        }
    }
}

impl fmt::Debug for States {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("States").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::Cell;
    use std::rc::Rc;

    #[test]
    fn there_is_one_value_of_each_type() {
        let mut states = States::default();
        assert_eq!(states.get::<u32>(), None);
        *states.get_or(|| 1u32) += 1;
        states.get_or(|| String::from("a")).push('b');
        *states.get_or(|| -> u32 { unreachable!("there is one") }) += 1;
        assert_eq!(states.get::<u32>(), Some(&mut 3));
        assert_eq!(states.get::<String>().map(|it| it.as_str()), Some("ab"));
        assert_eq!(states.get::<u8>(), None);
    }

    #[test]
    fn values_are_dropped_also_beside_one_that_panics() {
        struct Counts(Rc<Cell<u32>>);
        impl Drop for Counts {
            fn drop(&mut self) {
                self.0.set(self.0.get() + 1);
            }
        }
        struct Panics(Counts);
        impl Drop for Panics {
            fn drop(&mut self) {
                panic!("{} dropped", self.0.0.get());
            }
        }
        let count = Rc::new(Cell::new(0));
        let mut states = States::default();
        states.get_or(|| Counts(Rc::clone(&count)));
        states.get_or(|| Panics(Counts(Rc::clone(&count))));
        states.get_or(|| (Counts(Rc::clone(&count)), ()));
        drop(states);
        assert_eq!(count.get(), 3);
    }
}
