//! Answers that are given later, from anywhere.

use core::any::Any;
use core::marker::PhantomData;
use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use super::added::Added;
use super::adopt::Adopted;
use super::contain::Contained;
use super::counters::Counters;
use super::response::{Reply, ResponseWriter};
use super::sender::Letter;
use crate::reactor::{Mailbox, Token};
use crate::sys::Instant;

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
    /// A stream that waits is to be asked again.
    Wake { connection: Token, exchange: u32 },
    /// Say what was done so far.
    Count(Contained<Told>),
    /// Stop accepting, answer what was asked, then stop.
    Drain,
    /// Stop now.
    Stop,
    /// Another worker has stopped.
    PeerStopped,
}

/// Is told the number of a core and what its loop has done.
pub(super) type Told = Box<dyn FnOnce(usize, Counters) + Send>;

/// What the loop is given for an answer.
pub(super) enum Finish {
    /// Somebody who writes it.
    Give(Contained<Give>),
    /// What the exchange's continuation waits for.
    Value(Contained<Box<dyn Any + Send>>),
    /// Nothing: who was to give it is gone.
    Dropped,
    /// Nothing: the job that was to make it panicked.
    Panicked,
    /// Nothing: there is no thread for its job.
    Refused,
}

/// Writes an answer, and brings all that it needs.
type Give = Box<dyn FnOnce(ResponseWriter<'_>) -> Reply + Send>;

/// Writes the answer of an exchange once there is a value. It stays with its exchange, and ends with it.
pub(super) type Continuation = Box<dyn FnOnce(Box<dyn Any + Send>, ResponseWriter<'_>) -> Reply>;

/// What an exchange whose answer is put off waits for, and until when. With it goes whoever waits.
pub(super) struct Deferred {
    pub(super) client: Arc<ClientState>,
    /// Who gets the value. A closure that comes brings all it needs.
    pub(super) continuation: Option<Contained<Continuation>>,
    /// When it is too late for its job to begin.
    pub(super) begin_by: Option<BeginBy>,
    /// What was said of the answer before it was put off.
    pub(super) added: Option<Box<Added>>,
}

/// A job that is still queued at this time is not waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct BeginBy {
    pub(super) at: Instant,
    /// When its client may ask again.
    pub(super) retry_after: Duration,
}

impl Deferred {
    pub(super) fn new(client: Arc<ClientState>) -> Deferred {
        Deferred {
            client,
            continuation: None,
            begin_by: None,
            added: None,
        }
    }

    /// When it is too late. `None`: when [`Limits::handler_time`](super::Limits::handler_time) says.
    pub(super) fn answer_by(&self) -> Option<Instant> {
        self.added.as_ref()?.answer_by
    }

    /// The next moment that is of interest, if the limits do not say it.
    pub(super) fn until(&self) -> Option<Instant> {
        let begin_by = self.begin_by.map(|begin| begin.at);
        self.answer_by().into_iter().chain(begin_by).min()
    }
}

impl Drop for Deferred {
    fn drop(&mut self) {
        self.client.set(Client::Gone);
    }
}

impl core::fmt::Debug for Deferred {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Deferred")
            .field("client", &self.client)
            .field("answer_by", &self.answer_by())
            .field("begin_by", &self.begin_by)
            .finish_non_exhaustive()
    }
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

/// A [`Client`] that the worker changes and completers read; and whether a job for it has begun, which is for one of the
/// two to say.
#[derive(Debug, Default)]
pub(super) struct ClientState {
    client: AtomicU8,
    /// The job has begun, or it never will.
    settled: AtomicBool,
}

impl ClientState {
    pub(super) fn set(&self, client: Client) {
        // Only a hint for other threads: nothing else is published with it.
        self.client.store(client as u8, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> Client {
        match self.client.load(Ordering::Relaxed) {
            0 => Client::Open,
            1 => Client::HalfClosed,
            _ => Client::Gone,
        }
    }

    /// Whether it is the caller who says what becomes of the job: its thread that it begins, the worker that it never will.
    pub(super) fn settle(&self) -> bool {
        !self.settled.swap(true, Ordering::Relaxed)
    }
}

/// The way back to an exchange from anywhere. Dropped unused it says so.
struct Way {
    mailbox: Mailbox<Message>,
    connection: Token,
    exchange: u32,
    client: Arc<ClientState>,
    used: bool,
}

impl Way {
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

impl Drop for Way {
    fn drop(&mut self) {
        // One that is gone stays gone.
        if !self.used && self.client.get() != Client::Gone {
            self.post(Finish::Dropped);
        }
    }
}

impl core::fmt::Debug for Way {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Way")
            .field("connection", &self.connection)
            .field("exchange", &self.exchange)
            .field("client", &self.client.get())
            .finish_non_exhaustive()
    }
}

/// The right to answer one request later, from any thread. Made by [`ResponseWriter::defer`].
///
/// Dropped unused it answers 500. When the client has gone or the answer comes after its deadline
/// ([`ResponseWriter::deadline`], [`Limits::handler_time`](super::Limits::handler_time)), it does nothing: not even to
/// the next request on the same connection.
#[derive(Debug)]
pub struct Completer(Way);

impl Completer {
    pub(super) fn new(mailbox: Mailbox<Message>, connection: Token, exchange: u32) -> Completer {
        Completer(Way {
            mailbox,
            connection,
            exchange,
            client: Arc::default(),
            used: false,
        })
    }

    pub(super) fn state(&self) -> Arc<ClientState> {
        Arc::clone(&self.0.client)
    }

    /// Whether it is still worth working on the answer.
    pub fn client(&self) -> Client {
        self.0.client.get()
    }

    /// Answers: `finish` runs on the worker's thread, with the same writer that a handler gets.
    pub fn finish(mut self, finish: impl FnOnce(ResponseWriter<'_>) -> Reply + Send + 'static) {
        self.0.post(Finish::Give(Contained::new(Box::new(finish))));
    }
}

/// The right to give the value that one request's continuation waits for, from any thread. Made by
/// [`ResponseWriter::defer_with`].
///
/// Dropped unused it answers 500. When the client has gone or the value comes after the deadline, it does nothing: the
/// continuation is gone by then, and the value is dropped.
pub struct Promise<T> {
    way: Way,
    value: PhantomData<fn(T)>,
}

impl<T: Send + 'static> Promise<T> {
    pub(super) fn new(completer: Completer) -> Promise<T> {
        Promise {
            way: completer.0,
            value: PhantomData,
        }
    }

    /// Whether it is still worth working on the value.
    pub fn client(&self) -> Client {
        self.way.client.get()
    }

    /// Gives the value: the continuation runs on the worker's thread.
    pub fn finish(mut self, value: T) {
        self.way
            .post(Finish::Value(Contained::new(Box::new(value))));
    }

    /// Says why there will be none.
    pub(super) fn fail(mut self, why: Finish) {
        self.way.post(why);
    }
}

impl<T> core::fmt::Debug for Promise<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Promise").field(&self.way).finish()
    }
}

/// A continuation for values of one type. Whoever gives the value has the [`Promise`] of the same exchange, and so of the
/// same type.
pub(super) fn continuation<T: Send + 'static>(
    then: impl FnOnce(T, ResponseWriter<'_>) -> Reply + 'static,
) -> Continuation {
    Box::new(move |value, res| match value.downcast() {
        Ok(value) => then(*value, res),
        Err(_) => res.status(500).empty(),
    })
}
