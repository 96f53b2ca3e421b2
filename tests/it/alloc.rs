//! Counts allocations, so that a test can say "nothing was allocated".
//!
//! The counter belongs to the thread: tests that run beside each other do not see each other's allocations.

use std::hint::black_box;

use edgeloop::sys::CountingAllocator;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// How many times `work` asked for memory on this thread, growing what it had included.
pub(crate) fn allocations(work: impl FnOnce()) -> u64 {
    let before = CountingAllocator::count();
    work();
    CountingAllocator::count() - before
}

#[test]
fn what_is_allocated_is_counted() {
    assert_eq!(allocations(|| ()), 0);
    assert_eq!(allocations(|| drop(black_box(Box::new(1)))), 1);
    let mut bytes = vec![0u8; 8];
    assert_eq!(allocations(|| black_box(&mut bytes).reserve_exact(4096)), 1);
}
