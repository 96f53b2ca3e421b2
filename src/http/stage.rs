//! Where a connection can be. What brings it from one stage to the next is in [`conn`](super::Conn).

use super::decode::Decoder;
use super::encode::Encoder;
use super::framing::Persist;
use super::request::Version;

/// Where a connection is. Each variant owns exactly the facts that are true in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Between requests, or part-way through a head.
    Head {
        /// Bytes of the unfinished head that were looked at: zero until some were.
        scanned: u32,
        /// Empty lines skipped so far.
        empty_lines: u8,
    },
    /// A request is being answered; everything about it dies with this variant.
    Exchange(Exchange),
    /// Nothing more will be read.
    Closing(CloseReason),
}

impl Stage {
    /// Whether the client owes content whose end it has to mark.
    pub fn is_in_framed_body(&self) -> bool {
        match self {
            Stage::Exchange(exchange) => match exchange.reading {
                Reading::Body(Decoder::Length(_) | Decoder::Chunked(_)) => true,
                Reading::Body(Decoder::UntilClose)
                | Reading::AwaitContinue(_)
                | Reading::Discard(..)
                | Reading::Done => false,
            },
            Stage::Head { .. } | Stage::Closing(_) => false,
        }
    }
}

/// Where a connection begins, and where it comes back to after each exchange that it outlives.
pub(super) const BETWEEN: Stage = Stage::Head {
    scanned: 0,
    empty_lines: 0,
};

/// A request and its answer. The two directions are independent: every pair of them can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// What the client still owes us.
    pub reading: Reading,
    /// What we still owe the client.
    pub writing: Writing,
    /// Whether the connection outlives the exchange.
    pub persist: Persist,
    /// Whether the answer's content is sent.
    pub content: Content,
    /// What the client understands: chunks or not.
    pub version: Version,
}

/// What the client still owes us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// A body that it may hold back until it gets `100 Continue`.
    AwaitContinue(Decoder),
    /// A body.
    Body(Decoder),
    /// A body that nobody wants, and how much more of it is put up with to keep the connection.
    Discard(Decoder, u64),
    /// Nothing.
    Done,
}

/// What we still owe the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writing {
    /// The whole answer.
    Head,
    /// Content.
    Body(Encoder),
    /// Nothing.
    Done,
}

/// Whether an answer's content is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// As it is.
    Sent,
    /// The request is HEAD: only what is said about it.
    Omitted,
}

/// Why nothing more will be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The client finished sending, and has its answers.
    PeerFinished,
    /// The client asked for the end of the connection, and it was all it sent.
    PeerAsked,
    /// We said `Connection: close`, or ended content that way: the client may still be sending.
    WeAsked,
    /// A body that nobody wanted was too long, or went wrong.
    BodyUnread,
    /// A step was left half-way.
    Failed,
}
