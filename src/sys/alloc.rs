//! Memory, and how often it is asked for.

use core::cell::Cell;
use std::alloc::{GlobalAlloc, Layout, System};

/// The system's allocator, which counts how often it is asked. A program that wants the number makes it its own; without
/// that nothing is counted, and nothing is different.
///
/// It counts for each thread by itself: one addition, and no atomic.
///
/// ```
/// use edgeloop::sys::CountingAllocator;
///
/// #[global_allocator]
/// static ALLOCATOR: CountingAllocator = CountingAllocator;
///
/// let before = CountingAllocator::count();
/// drop(std::hint::black_box(Box::new(1)));
/// assert_eq!(CountingAllocator::count() - before, 1);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct CountingAllocator;

thread_local! {
    /// Const, and without a destructor: using it never allocates, and it is there until the thread's last breath.
    static ASKED: Cell<u64> = const { Cell::new(0) };
}

impl CountingAllocator {
    /// How often this thread has asked for memory, growing what it had included. Zero for ever where it is not the global
    /// allocator.
    #[inline]
    pub fn count() -> u64 {
        ASKED.get()
    }
}

#[inline]
fn note() {
    ASKED.set(ASKED.get().wrapping_add(1));
}

// SAFETY: every call goes to the system's allocator as it came, and what that one promises is passed on.
unsafe impl GlobalAlloc for CountingAllocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: the caller keeps the same promises to us.
        unsafe { System.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: the caller keeps the same promises to us.
        unsafe { System.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        // SAFETY: the block came from the system's allocator, through us.
        unsafe { System.realloc(block, layout, size) }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block came from the system's allocator, through us.
        unsafe { System.dealloc(block, layout) }
    }
}
