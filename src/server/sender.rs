//! Mail from other threads to a function on a loop.

use core::any::Any;
use core::fmt;
use core::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use super::contain::Contained;
use super::defer::Message;
use crate::reactor::{Mailbox, Stopped, Token};

/// Sends messages to a function on a server's loop, from any thread. Made by [`Local::mailbox`](super::Local::mailbox).
/// Clones send to the same function, which is dropped when the last of them is.
pub struct Sender<M> {
    to: Arc<Recipient>,
    message: PhantomData<fn(M)>,
}

struct Recipient {
    mailbox: Mailbox<Message>,
    token: Token,
    /// Gone with the function.
    waiting: Weak<Waiting>,
}

/// A message that was not sent. It comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum NotSent<M> {
    /// As many wait for the function as may ([`Limits::mailbox_messages_max`](super::Limits::mailbox_messages_max)). Later
    /// there may be room.
    Full(M),
    /// The loop has stopped, or the function has panicked: nothing can be sent any more.
    Stopped(M),
}

impl<M> NotSent<M> {
    /// The message.
    pub fn into_message(self) -> M {
        match self {
            NotSent::Full(message) | NotSent::Stopped(message) => message,
        }
    }
}

impl<M> fmt::Debug for NotSent<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NotSent::Full(_) => "Full(..)",
            NotSent::Stopped(_) => "Stopped(..)",
        })
    }
}

impl<M> fmt::Display for NotSent<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NotSent::Full(_) => "as many messages wait for the function as may",
            NotSent::Stopped(_) => "the function that the message was for has ended",
        })
    }
}

impl<M> std::error::Error for NotSent<M> {}

impl<M: Send + 'static> Sender<M> {
    pub(super) fn new(
        mailbox: Mailbox<Message>,
        token: Token,
        waiting: Weak<Waiting>,
    ) -> Sender<M> {
        Sender {
            to: Arc::new(Recipient {
                mailbox,
                token,
                waiting,
            }),
            message: PhantomData,
        }
    }

    /// Sends a message. Allocates once; wakes the loop only if it waits and nobody else has. Errors: there is no room, or
    /// nobody who takes it any more; the message comes back.
    pub fn send(&self, message: M) -> Result<(), NotSent<M>> {
        let Some(waiting) = self.to.waiting.upgrade() else {
            return Err(NotSent::Stopped(message));
        };
        let Some(place) = waiting.place() else {
            return Err(NotSent::Full(message));
        };
        let (to, letter) = (self.to.token, Letter::new(message, place));
        match self.to.mailbox.post(Message::Mail { to, letter }) {
            Err(Stopped(Message::Mail { letter, .. })) => match letter.open() {
                Some(message) => Err(NotSent::Stopped(message)),
                None => Ok(()), // a letter has the type that it was made with
            },
            // What comes back is what was posted.
            Ok(()) | Err(Stopped(_)) => Ok(()),
        }
    }
}

/// How many messages wait for a function.
pub(super) struct Waiting {
    count: AtomicUsize,
    max: usize,
}

impl Waiting {
    pub(super) fn new(max: usize) -> Waiting {
        let count = AtomicUsize::new(0);
        Waiting { count, max }
    }

    /// A place for one more, if there is one.
    fn place(self: Arc<Self>) -> Option<Place> {
        // Nothing else is published with the count: the mailbox has a lock of its own.
        let one_more = |count| (count < self.max).then_some(count + 1);
        let counted = self
            .count
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        counted.is_ok().then(|| Place(Arc::downgrade(&self)))
    }
}

/// One of those that wait; another may come when it is dropped. A function that has gone is not kept by its letters.
struct Place(Weak<Waiting>);

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(waiting) = self.0.upgrade() {
            waiting.count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// A message whose type its [`Sender`] and its function know.
pub(super) struct Letter {
    message: Contained<Box<dyn Any + Send>>,
    _place: Place,
}

impl Letter {
    fn new<M: Send + 'static>(message: M, place: Place) -> Letter {
        Letter {
            message: Contained::new(Box::new(message)),
            _place: place,
        }
    }

    /// The message, if it is of this type. It waits no longer.
    pub(super) fn open<M: 'static>(self) -> Option<M> {
        let message = self.message.into_inner().downcast();
        message.ok().map(|message| *message)
    }
}

impl Drop for Recipient {
    fn drop(&mut self) {
        // A loop that has stopped has dropped the function.
        let _ = self.mailbox.post(Message::HangUp(self.token));
    }
}

impl<M> Clone for Sender<M> {
    fn clone(&self) -> Sender<M> {
        Sender {
            to: Arc::clone(&self.to),
            message: PhantomData,
        }
    }
}

impl<M> fmt::Debug for Sender<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}
