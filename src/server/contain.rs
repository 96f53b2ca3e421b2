//! Where panics of the application's code end: in what is called of it, and in what of it is dropped.

use core::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls code of the application's. `None`: it has panicked.
pub(super) fn contain<T>(call: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(value) => Some(value),
        Err(panic) => {
            drop(Contained::new(panic)); // it can be a value of the application's as well
            None
        }
    }
}

/// A value of the application's. A panic of its `Drop` ends here, wherever that happens.
pub(super) struct Contained<T>(Option<T>);

impl<T> Contained<T> {
    pub(super) fn new(value: T) -> Contained<T> {
        Contained(Some(value))
    }

    /// For who calls it: what is dropped there is contained there.
    pub(super) fn into_inner(mut self) -> T {
        self.0.take().expect(THERE)
    }
}

/// Only [`Contained::into_inner`] takes it, and with it goes who could ask.
const THERE: &str = "a value is there until it is taken";

impl<T> Deref for Contained<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().expect(THERE)
    }
}

impl<T> DerefMut for Contained<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_mut().expect(THERE)
    }
}

impl<T: Clone> Clone for Contained<T> {
    fn clone(&self) -> Contained<T> {
        Contained(self.0.clone())
    }
}

impl<T> Drop for Contained<T> {
    fn drop(&mut self) {
        if let Some(value) = self.0.take()
            && let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(value)))
        {
            // What it panics with can panic when it is dropped, and so can that, and so on: only the second is left alone.
            if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
                core::mem::forget(again);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Panics(&'static str);

    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("{} is dropped", self.0);
        }
    }

    #[test]
    fn whatever_panics_when_it_is_dropped_is_contained() {
        drop(Contained::new(Panics("a value")));
        drop(Contained::new(vec![Panics("one of two")]));
        assert_eq!(contain(|| drop(Panics("what is called"))), None);
        let panic = || std::panic::panic_any(Panics("a panic"));
        assert_eq!(contain(panic), None);
        assert_eq!(contain(|| 1), Some(1));
        assert_eq!(Contained::new(2).into_inner(), 2);
    }
}
