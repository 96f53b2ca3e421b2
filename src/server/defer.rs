//! Answers that are given later, from anywhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use super::adopt::Adopted;
use super::local::Letter;
use super::response::{Reply, ResponseWriter};
use crate::reactor::{Mailbox, Token};

/// What is sent to a worker.
pub(super) enum Message {
    /// An answer to an exchange, if it is still waiting.
    Complete {
        connection: Token,
        exchange: u32,
        finish: Finish,
    },
    /// A message for a function of the program's on the loop.
    Mail { to: Token, letter: Letter },
    /// There will be no more of them.
    HangUp(Token),
    /// A connection that somebody else has accepted.
    Adopt(Adopted),
    /// Stop accepting, answer what was asked, then stop.
    Drain,
    /// Stop now.
    Stop,
    /// Another worker has stopped.
    PeerStopped,
}

/// Gives the answer, on the loop.
pub(super) type Finish = Box<dyn FnOnce(ResponseWriter<'_>) -> Reply + Send>;

/// The right to answer one request later, from any thread. Made by [`ResponseWriter::defer`].
///
/// Dropped unused it answers 500. When the client has gone or the answer comes after
/// [`Limits::handler_time`](super::Limits::handler_time), it does nothing: not even to the next request on the same
/// connection.
pub struct Completer {
    mailbox: Mailbox<Message>,
    connection: Token,
    exchange: u32,
    client: Arc<ClientState>,
    used: bool,
}

/// Whether somebody waits for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// It waits.
    Open,
    /// It waits, but will send nothing more.
    HalfClosed,
    /// It has gone, or has been answered without us.
    Gone,
}

/// A [`Client`] that the worker changes and completers read.
#[derive(Debug, Default)]
pub(super) struct ClientState(AtomicU8);

impl ClientState {
    pub(super) fn set(&self, client: Client) {
        // Only a hint for other threads: nothing else is published with it.
        self.0.store(client as u8, Ordering::Relaxed);
    }

    fn get(&self) -> Client {
        match self.0.load(Ordering::Relaxed) {
            0 => Client::Open,
            1 => Client::HalfClosed,
            _ => Client::Gone,
        }
    }
}

impl Completer {
    pub(super) fn new(mailbox: Mailbox<Message>, connection: Token, exchange: u32) -> Completer {
        Completer {
            mailbox,
            connection,
            exchange,
            client: Arc::default(),
            used: false,
        }
    }

    pub(super) fn state(&self) -> Arc<ClientState> {
        Arc::clone(&self.client)
    }

    /// Whether it is still worth working on the answer.
    pub fn client(&self) -> Client {
        self.client.get()
    }

    /// Answers: `finish` runs on the worker's thread, with the same writer that a handler gets.
    pub fn finish(mut self, finish: impl FnOnce(ResponseWriter<'_>) -> Reply + Send + 'static) {
        self.post(Box::new(finish));
    }

    fn post(&mut self, finish: Finish) {
        self.used = true;
        let message = Message::Complete {
            connection: self.connection,
            exchange: self.exchange,
            finish,
        };
        // A worker that has stopped has no connections, so nobody waits for this answer.
        let _ = self.mailbox.post(message);
    }
}

impl Drop for Completer {
    fn drop(&mut self) {
        if !self.used {
            self.post(Box::new(|res| {
                res.status(500).body("the answer was dropped\n")
            }));
        }
    }
}

impl core::fmt::Debug for Completer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Completer")
            .field("connection", &self.connection)
            .field("exchange", &self.exchange)
            .finish_non_exhaustive()
    }
}
