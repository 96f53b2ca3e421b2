//! Who wants to know what the server does: logs, counters, tests.

use crate::http::{self, Head, Reject};
use crate::reactor::Token;

/// Is told what happens, on the worker's own thread. Every method has an empty default, and `()` costs nothing.
pub trait Observer {
    /// A connection was accepted.
    fn accepted(&mut self, _connection: Token) {}
    /// Bytes of a client were received, or came with a connection that was adopted; not those that are read only so that it
    /// can read its last answer.
    fn received(&mut self, _connection: Token, _bytes: &[u8]) {}
    /// A request's head is whole.
    fn head(&mut self, _connection: Token, _head: &Head<'_>) {}
    /// An answer was encoded, or its head if its content follows by and by.
    fn answered(&mut self, _connection: Token, _summary: &Summary) {}
    /// A connection has come to its end.
    fn closed(&mut self, _connection: Token, _reason: CloseReason) {}
    /// Something needs the operator's eye.
    fn trouble(&mut self, _trouble: &Trouble) {}
}

impl Observer for () {}

/// Both are told, the first one first.
impl<A: Observer, B: Observer> Observer for (A, B) {
    fn accepted(&mut self, connection: Token) {
        self.0.accepted(connection);
        self.1.accepted(connection);
    }

    fn received(&mut self, connection: Token, bytes: &[u8]) {
        self.0.received(connection, bytes);
        self.1.received(connection, bytes);
    }

    fn head(&mut self, connection: Token, head: &Head<'_>) {
        self.0.head(connection, head);
        self.1.head(connection, head);
    }

    fn answered(&mut self, connection: Token, summary: &Summary) {
        self.0.answered(connection, summary);
        self.1.answered(connection, summary);
    }

    fn closed(&mut self, connection: Token, reason: CloseReason) {
        self.0.closed(connection, reason);
        self.1.closed(connection, reason);
    }

    fn trouble(&mut self, trouble: &Trouble) {
        self.0.trouble(trouble);
        self.1.trouble(trouble);
    }
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The status of the answer.
    pub status: u16,
    /// Which exchange of its connection it was, from 1.
    pub exchange: u32,
    /// The client's fault that the answer is about.
    pub reject: Option<Reject>,
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CloseReason {
    /// The client finished, and has its answers.
    PeerFinished,
    /// The client asked for it.
    PeerAsked,
    /// We said `Connection: close`.
    WeAsked,
    /// A body that nobody wanted was too long.
    BodyUnread,
    /// The client broke the connection.
    Reset,
    /// No request came, or none after the last.
    Idle,
    /// A body that nobody waited for any more came too slowly.
    BodyTooSlow,
    /// The client read its answer too slowly, or not at all.
    ReaderTooSlow,
    /// What was promised could not be kept: a file shrank, a source failed, a handler panicked half-way.
    Failed,
    /// Another connection needed the room.
    Evicted,
    /// There was no room for it.
    Refused,
    /// What it left unread of its answers would have passed the limit of all buffers.
    NoRoom,
    /// The server stopped.
    Stopped,
    /// A handler took it out of the server: it lives on elsewhere.
    TakenOut,
}

impl From<http::CloseReason> for CloseReason {
    fn from(reason: http::CloseReason) -> Self {
        match reason {
            http::CloseReason::PeerFinished => CloseReason::PeerFinished,
            http::CloseReason::PeerAsked => CloseReason::PeerAsked,
            http::CloseReason::WeAsked => CloseReason::WeAsked,
            http::CloseReason::BodyUnread => CloseReason::BodyUnread,
            http::CloseReason::Failed => CloseReason::Failed,
        }
    }
}

/// What an operator should know.
#[derive(Debug)]
pub enum Trouble {
    /// Accepting pauses: descriptors or memory have run out. The errno, and how often in a row it happened.
    AcceptPaused(std::io::Error, u64),
    /// Accepting pauses: every connection was lost, one after another. The last errno.
    AcceptFails(std::io::Error),
    /// The kernel would not watch a connection, which is lost.
    ConnectionLost(std::io::Error),
    /// A listener is broken: it accepts nothing any more.
    ListenerFailed(std::io::Error),
    /// There was no room for a connection, which is answered 503.
    Refused,
    /// There was not even room to answer that: a connection was closed without a word.
    Dropped,
    /// A handler panicked: its client got 500.
    HandlerPanicked,
    /// A job of a [`Pool`](super::pool::Pool) panicked: its client got 500.
    JobPanicked,
    /// A function that the program has on the loop panicked: what it had is dropped.
    LocalPanicked,
    /// The kernel would not watch a descriptor of the program's own for something else: it is watched no longer.
    WatchLost(std::io::Error),
    /// What was promised of an answer's content could not be kept: a file is shorter or can't be read, a source failed. Its
    /// client got 500, or a broken connection when something was sent before.
    ContentFailed,
    /// A handler wrote a field that can't be sent: its client got 500.
    Field(http::FieldError),
    /// A handler returned the proof of another request's answer: its client got 500.
    NoAnswer,
}

impl core::fmt::Display for Trouble {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Trouble::AcceptPaused(error, times) => {
                write!(
                    f,
                    "accepting pauses: {error} ({times} in a row); raise the limit of open files"
                )
            }
            Trouble::AcceptFails(error) => {
                write!(
                    f,
                    "accepting pauses: every connection is lost: {error}; see what filters system calls"
                )
            }
            Trouble::ConnectionLost(error) => write!(f, "a connection is lost: {error}"),
            Trouble::ListenerFailed(error) => {
                write!(
                    f,
                    "a listener is broken and accepts nothing any more: {error}; restart the server"
                )
            }
            Trouble::Refused => {
                f.write_str("a connection was refused: all are busy; raise the connection limit")
            }
            Trouble::Dropped => f.write_str(
                "a connection was closed without an answer: all are busy; raise the connection limit",
            ),
            Trouble::HandlerPanicked => f.write_str("a handler panicked; its client got 500"),
            Trouble::WatchLost(error) => {
                write!(f, "a descriptor of the program's own is watched no longer: {error}")
            }
            Trouble::JobPanicked => f.write_str("a job of the pool panicked; its client got 500"),
            Trouble::LocalPanicked => f.write_str(
                "a function of the program's own on the loop panicked; what it had is dropped",
            ),
            Trouble::ContentFailed => f.write_str(
                "an answer's content ended early or could not be had; its client was told",
            ),
            Trouble::Field(error) => write!(f, "a handler's answer was replaced by 500: {error}"),
            Trouble::NoAnswer => f.write_str("a handler gave no answer; its client got 500"),
        }
    }
}
