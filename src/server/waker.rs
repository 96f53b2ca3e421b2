//! Having streams asked again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::defer::Message;
use crate::reactor::{Mailbox, Token};

/// Has a [`Source`](super::Source), a [`Sink`](super::Sink) or a [`Duplex`](super::Duplex) that waits asked again, from any
/// thread.
///
/// Taken from [`ResponseWriter::waker`](super::ResponseWriter::waker) before the stream begins; it can be cloned. A wake that
/// comes before the stream waits is not lost, and many that come at once are one. When the exchange is over it does
/// nothing: not even to the next request on the same connection.
///
/// The last one that is dropped wakes its stream once more: one that goes on waiting although nobody can wake it then fails.
/// A source that keeps a waker of its own keeps that from being noticed.
#[derive(Clone)]
pub struct Waker(Arc<Shared>);

struct Shared {
    mailbox: Mailbox<Message>,
    connection: Token,
    exchange: u32,
    state: Arc<WakeState>,
}

/// What wakers and their stream share.
#[derive(Debug, Default)]
pub(super) struct WakeState {
    /// A wake is under way.
    woken: AtomicBool,
    /// How many can wake it: clones count as one.
    wakers: AtomicUsize,
    over: AtomicBool,
}

/// The stream's side of its wakers, if it has any.
#[derive(Debug, Default)]
pub(super) struct Wakes(Option<Arc<WakeState>>);

impl Wakes {
    /// What new wakers are made of.
    pub(super) fn state(&mut self) -> Arc<WakeState> {
        Arc::clone(self.0.get_or_insert_default())
    }

    /// The stream is asked now: whoever wakes it from here on wants it asked once more.
    pub(super) fn take(&self) {
        if let Some(state) = &self.0 {
            // Pairs with the swap of `wake`: what its thread did before is seen by the stream.
            state.woken.swap(false, Ordering::AcqRel);
        }
    }

    /// Whether anybody has a waker.
    pub(super) fn has_any(&self) -> bool {
        let state = self.0.as_ref();
        state.is_some_and(|state| state.wakers.load(Ordering::Acquire) > 0)
    }
}

impl Drop for Wakes {
    fn drop(&mut self) {
        if let Some(state) = &self.0 {
            state.over.store(true, Ordering::Relaxed); // a hint: nothing else is published with it
        }
    }
}

impl Waker {
    pub(super) fn new(
        mailbox: Mailbox<Message>,
        connection: Token,
        exchange: u32,
        state: Arc<WakeState>,
    ) -> Waker {
        state.wakers.fetch_add(1, Ordering::Relaxed); // on the loop's own thread
        Waker(Arc::new(Shared {
            mailbox,
            connection,
            exchange,
            state,
        }))
    }

    /// Has the stream asked again, in this turn of its loop or the next.
    pub fn wake(&self) {
        self.0.wake();
    }

    /// Whether the stream is over: it has ended, or its client has gone.
    pub fn is_over(&self) -> bool {
        self.0.state.over.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn wake(&self) {
        if self.state.woken.swap(true, Ordering::AcqRel) {
            return;
        }
        let message = Message::Wake {
            connection: self.connection,
            exchange: self.exchange,
        };
        let _ = self.mailbox.post(message); // a worker that has stopped has no streams
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Before the wake, so that the stream sees that nobody is left.
        self.state.wakers.fetch_sub(1, Ordering::Release);
        if !self.state.over.load(Ordering::Relaxed) {
            self.wake();
        }
    }
}

impl core::fmt::Debug for Waker {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Waker")
            .field("connection", &self.0.connection)
            .field("exchange", &self.0.exchange)
            .finish_non_exhaustive()
    }
}
