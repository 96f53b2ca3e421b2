//! Mail from other threads.

use core::fmt;
use core::sync::atomic::{AtomicU8, Ordering};
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::sys::EventFd;

/// The loop is inside a turn and will look at its mail before it waits again.
const AWAKE: u8 = 1;
/// There is mail, and the loop will see it: it is awake, or the eventfd has been written.
const MAIL: u8 = 2;
/// How often a write that signals interrupt is tried.
const TRIES: usize = 4;

/// Sends messages to a reactor's driver, from any thread. Clones send to the same one.
///
/// A post writes to the loop's eventfd only if the loop may be waiting and nobody has woken it yet: the first of many
/// posts costs a system call, or none while the loop is at work.
pub struct Mailbox<M>(Arc<Shared<M>>);

struct Shared<M> {
    /// `None` once the reactor is gone.
    messages: Mutex<Option<VecDeque<M>>>,
    state: AtomicU8,
    eventfd: EventFd,
}

/// The reactor is gone; the message comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Stopped<M>(pub M);

impl<M> fmt::Debug for Stopped<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stopped(..)")
    }
}

impl<M> fmt::Display for Stopped<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the loop that the message was for has stopped")
    }
}

impl<M> std::error::Error for Stopped<M> {}

impl<M> Mailbox<M> {
    pub(super) fn new() -> io::Result<Mailbox<M>> {
        Ok(Mailbox(Arc::new(Shared {
            messages: Mutex::new(Some(VecDeque::new())),
            state: AtomicU8::new(0),
            eventfd: EventFd::new()?,
        })))
    }

    /// Sends a message: [`Driver::on_message`](super::Driver::on_message) gets it on the loop's thread, in the order of
    /// posts.
    pub fn post(&self, message: M) -> Result<(), Stopped<M>> {
        match &mut *self.0.lock() {
            Some(messages) => messages.push_back(message),
            None => return Err(Stopped(message)),
        }
        // Whoever finds neither flag set is the one who wakes the loop.
        if self.0.state.fetch_or(MAIL, Ordering::AcqRel) == 0 {
            self.wake();
        }
        Ok(())
    }

    /// The counter is ours and open, so this fails for no longer than signals come between; if it did, the mail would wait
    /// for the loop's next turn.
    fn wake(&self) {
        for _ in 0..TRIES {
            match self.0.eventfd.notify() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(()) | Err(_) => return,
            }
        }
    }

    pub(super) fn eventfd(&self) -> &EventFd {
        &self.0.eventfd
    }

    /// The loop is inside a turn: no post needs to wake it.
    #[inline]
    pub(super) fn awake(&self) {
        self.0.state.fetch_or(AWAKE, Ordering::AcqRel);
    }

    /// The loop's last look before it waits: posts that it does not see will wake it. Whether there is mail.
    #[inline]
    pub(super) fn last_look(&self) -> bool {
        self.0.state.swap(0, Ordering::AcqRel) & MAIL != 0
    }

    /// Takes what has come, to stand behind what was taken before.
    pub(super) fn take(&self, into: &mut VecDeque<M>) {
        if let Some(messages) = &mut *self.0.lock() {
            if into.is_empty() {
                std::mem::swap(messages, into);
            } else {
                into.append(messages);
            }
        }
    }

    /// No message comes any more. Those that nobody has read are dropped, outside of the lock.
    pub(super) fn close(&self) {
        let unread = self.0.lock().take();
        drop(unread);
    }
}

impl<M> Shared<M> {
    /// No code of others runs under the lock, so a poisoned one has sound messages all the same.
    fn lock(&self) -> MutexGuard<'_, Option<VecDeque<M>>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M> Clone for Mailbox<M> {
    fn clone(&self) -> Self {
        Mailbox(Arc::clone(&self.0))
    }
}

impl<M> fmt::Debug for Mailbox<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox").finish_non_exhaustive()
    }
}
