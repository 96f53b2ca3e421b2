//! Mail from other threads to a function on a loop.

use core::marker::PhantomData;
use std::sync::Arc;

use super::defer::Message;
use super::local::Letter;
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
}

impl<M: Send + 'static> Sender<M> {
    pub(super) fn new(mailbox: Mailbox<Message>, token: Token) -> Sender<M> {
        Sender {
            to: Arc::new(Recipient { mailbox, token }),
            message: PhantomData,
        }
    }

    /// Sends a message. Allocates once; wakes the loop only if it waits and nobody else has. A function that has panicked
    /// gets nothing any more. Errors: the loop has stopped; the message comes back.
    pub fn send(&self, message: M) -> Result<(), Stopped<M>> {
        let letter: Letter = Box::new(message);
        let to = self.to.token;
        match self.to.mailbox.post(Message::Mail { to, letter }) {
            Err(Stopped(Message::Mail { letter, .. })) => match letter.downcast() {
                Ok(message) => Err(Stopped(*message)),
                Err(_) => Ok(()), // a letter has the type that it was made with
            },
            // What comes back is what was posted.
            Ok(()) | Err(Stopped(_)) => Ok(()),
        }
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

impl<M> core::fmt::Debug for Sender<M> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}
