//! Answers that are longer than one send.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use super::buffers::Pool;
use super::contain::{Contained, contain};
use super::counters::Counters;
use super::pace::Pace;
use super::shared::Shared;
use super::stream::{BodyWriter, Duplex, Pull, ReadAhead, Source, owed};
use super::transport::Transport;
use super::waker::Wakes;
use crate::http::{Conn, FieldName, Limits};
use crate::sys::socket::More;
use crate::sys::{Fd, file};

/// How much of a file or of a source is read at once where it has to go through memory.
const PIECE_BYTES: usize = 64 << 10;

/// What a connection still has to send: bytes, then content that is not in memory yet.
#[derive(Debug, Default)]
pub(super) struct Output {
    /// Encoded bytes.
    bytes: Vec<u8>,
    /// How many of them were sent.
    sent: usize,
    /// Who can have the tail asked again. Dropped before it, so that nobody is woken for its own end.
    pub(super) wakes: Wakes,
    pub(super) tail: Option<Tail>,
    /// It was asked and had nothing: it waits to be woken.
    pub(super) asleep: bool,
    /// What the peer had not acknowledged when it was last looked at.
    pub(super) unacknowledged: u64,
    /// How fast it is read.
    pub(super) pace: Pace,
}

impl Output {
    /// Content follows what was encoded.
    pub(super) fn follow(&mut self, tail: Tail, wakes: Wakes) {
        self.wakes = wakes;
        self.tail = Some(tail);
        self.asleep = false;
    }

    /// Whether everything of it is sent that there is for the moment.
    pub(super) fn waits(&self) -> bool {
        self.asleep && self.unsent().is_empty()
    }

    /// Encoded bytes that were not sent.
    pub(super) fn unsent(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// The first `bytes` unsent bytes have been sent.
    pub(super) fn mark_sent(&mut self, bytes: usize, pool: &mut Pool) {
        self.sent += bytes;
        if self.sent == self.bytes.len() {
            self.forget_bytes(pool);
        }
    }

    /// More encoded bytes, behind those that are kept.
    pub(super) fn keep(&mut self, bytes: &[u8], pool: &mut Pool) {
        if self.bytes.is_empty() {
            self.bytes = pool.keep(bytes);
        } else {
            pool.extend(&mut self.bytes, bytes);
        }
    }

    pub(super) fn forget_bytes(&mut self, pool: &mut Pool) {
        self.sent = 0;
        if self.bytes.capacity() > 0 {
            pool.give_back(std::mem::take(&mut self.bytes));
        }
    }
}

/// Content that follows the encoded bytes.
pub(super) enum Tail {
    /// Bytes that live as long as the program.
    Static(&'static [u8]),
    /// Bytes that others share.
    Shared {
        bytes: Arc<[u8]>,
        at: usize,
        end: usize,
    },
    /// Part of a file.
    File {
        file: Arc<Fd>,
        at: u64,
        left: u64,
        /// Who sees to it that what is sent next is in memory.
        ahead: Option<Contained<Box<dyn ReadAhead>>>,
    },
    /// Whatever it gives.
    Source(Contained<Box<dyn Source>>),
    /// Whatever it gives, while it takes what comes.
    Duplex(Contained<Rc<RefCell<dyn Duplex>>>),
}

/// What a step of a [`Tail`] came to.
pub(super) enum Step {
    /// So many bytes were sent.
    Sent { bytes: usize, room: Room },
    /// Bytes were encoded into the worker's buffer, perhaps the last ones.
    Encoded,
    /// It has no more for the moment, whether or not bytes were encoded.
    Waits,
}

/// What is known of the room in the socket after a send.
#[derive(Clone, Copy)]
pub(super) enum Room {
    /// There may be some.
    Left,
    /// The send was short: an edge will tell.
    Full,
}

/// Why a step of a [`Tail`] failed.
pub(super) enum Failed {
    /// Nothing was sent: the connection's error, or a signal came between.
    Send(io::Error),
    /// The content is not what was promised: a file is shorter or can't be read, a source failed.
    Content,
}

impl Tail {
    /// How many bytes it has at hand; a source does not say.
    fn left(&self) -> Option<u64> {
        match self {
            Tail::Static(rest) => Some(rest.len() as u64),
            Tail::Shared { at, end, .. } => Some((end - at) as u64),
            Tail::File { left, .. } => Some(*left),
            Tail::Source(_) | Tail::Duplex(_) => None,
        }
    }

    /// Whether bytes follow at once what is encoded.
    pub(super) fn more(&self) -> More {
        if self.left().is_some_and(|left| left > 0) {
            More::Yes
        } else {
            More::No
        }
    }

    /// Whether nothing of it is left.
    pub(super) fn is_over(&self, conn: &Conn) -> bool {
        self.left().or_else(|| owed(conn)) == Some(0)
    }

    /// Sends or encodes a piece, of at most `allowance` bytes where it is sent. It is not [over](Tail::is_over).
    pub(super) fn step<T: Transport>(
        &mut self,
        transport: &mut T,
        conn: &mut Conn,
        shared: &mut Shared,
        allowance: usize,
    ) -> Result<Step, Failed> {
        if let Tail::File {
            ahead: Some(ahead),
            at,
            left,
            ..
        } = self
            && !is_at_hand(&mut ***ahead, *at, (*left).min(allowance as u64))
        {
            return Ok(Step::Waits);
        }
        let (limits, counters) = (&shared.limits.http, &mut shared.counters);
        match self {
            Tail::Static(rest) => {
                let (sent, step) = send_part(transport, conn, limits, counters, rest, allowance)?;
                *rest = &rest[sent..];
                Ok(step)
            }
            Tail::Shared { bytes, at, end } => {
                let rest = &bytes[*at..*end];
                let (sent, step) = send_part(transport, conn, limits, counters, rest, allowance)?;
                *at += sent;
                Ok(step)
            }
            Tail::File { file, at, left, .. } if shared.sendfile => {
                let part = usize::try_from(*left).map_or(allowance, |left| left.min(allowance));
                let sent = match transport.send_file(file, *at, part, counters) {
                    Ok(0) => return Err(Failed::Content),
                    Ok(sent) => sent,
                    Err(error) if is_about_the_peer(&error) => return Err(Failed::Send(error)),
                    Err(_) => return Err(Failed::Content),
                };
                *at += sent as u64;
                *left -= sent as u64;
                conn.sent_body(limits, sent as u64);
                // A short one can mean that the socket is full or that the file has shrunk, and for the latter no edge
                // would come. The next call tells: EAGAIN or 0.
                let room = Room::Left;
                Ok(Step::Sent { bytes: sent, room })
            }
            Tail::File { file, at, left, .. } => {
                let part = usize::try_from(*left).map_or(PIECE_BYTES, |left| left.min(PIECE_BYTES));
                let read = match read_onto(file, &mut shared.out, part, *at) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                        return Err(Failed::Send(error));
                    }
                    Ok(0) | Err(_) => return Err(Failed::Content),
                    Ok(read) => read,
                };
                *at += read as u64;
                *left -= read as u64;
                conn.sent_body(limits, read as u64);
                Ok(Step::Encoded)
            }
            Tail::Source(source) => pull(conn, shared, |body| source.pull(body)),
            Tail::Duplex(duplex) => pull(conn, shared, |body| duplex.borrow_mut().pull(body)),
        }
    }
}

/// One that panics is not asked again: the file is sent, whoever waits for it.
fn is_at_hand(ahead: &mut dyn ReadAhead, at: u64, length: u64) -> bool {
    contain(|| ahead.is_at_hand(at..at + length)).unwrap_or(true)
}

/// Has a piece encoded.
fn pull(
    conn: &mut Conn,
    shared: &mut Shared,
    pull: impl FnOnce(&mut BodyWriter<'_>) -> Pull,
) -> Result<Step, Failed> {
    let (limits, before) = (&shared.limits.http, shared.out.len());
    let mut body = BodyWriter {
        conn,
        limits,
        out: &mut shared.out,
        room: PIECE_BYTES,
        overrun: false,
        trailers: Vec::new(),
    };
    // A panic is a failure of this answer, as it is in a handler.
    let pulled = contain(|| pull(&mut body));
    let (overrun, trailers) = (body.overrun, body.trailers);
    match (pulled.unwrap_or(Pull::Failed), overrun) {
        (Pull::More, false) if shared.out.len() > before => Ok(Step::Encoded),
        (Pull::Wait, false) => Ok(Step::Waits),
        (Pull::End, false) => {
            // Their names were checked when they were added.
            let trailers: Vec<_> = trailers
                .iter()
                .map(|(name, value)| (FieldName::new(name), value.as_bytes()))
                .collect();
            conn.end_body(limits, &mut shared.out, &trailers);
            Ok(Step::Encoded)
        }
        // One that has more and gives nothing would be asked again at once, and for ever.
        (Pull::More | Pull::Failed, _) | (_, true) => Err(Failed::Content),
    }
}

impl Step {
    fn sent(bytes: usize, of: usize) -> Step {
        let room = if bytes < of { Room::Full } else { Room::Left };
        Step::Sent { bytes, room }
    }
}

/// Sends the beginning of what is left of content, from where it is: how much of it was sent.
fn send_part<T: Transport>(
    transport: &mut T,
    conn: &mut Conn,
    limits: &Limits,
    counters: &mut Counters,
    rest: &[u8],
    allowance: usize,
) -> Result<(usize, Step), Failed> {
    let part = &rest[..rest.len().min(allowance)];
    let more = if part.len() < rest.len() {
        More::Yes
    } else {
        More::No
    };
    let sent = transport
        .send_ready(part, more, counters)
        .map_err(Failed::Send)?;
    conn.sent_body(limits, sent as u64);
    Ok((sent, Step::sent(sent, part.len())))
}

/// Whether sendfile(2) failed for the connection's sake, not for the file's.
fn is_about_the_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock
            | io::ErrorKind::Interrupted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::NotConnected
            | io::ErrorKind::TimedOut
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
    )
}

/// How often a read that signals interrupt is tried.
const TRIES: usize = 4;

/// Appends exactly `length` bytes of a file, or none if they can't be had: whether they are there.
pub(super) fn read_all_onto(file: &Fd, out: &mut Vec<u8>, length: usize, offset: u64) -> bool {
    let begin = out.len();
    let (mut read, mut tries) = (0, TRIES);
    // A read can be short although there is more: some file systems let signals come between.
    while read < length && tries > 0 {
        match read_onto(file, out, length - read, offset + read as u64) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => tries -= 1,
            Err(_) => break,
        }
    }
    if read < length {
        out.truncate(begin);
    }
    read == length
}

/// Appends up to `length` bytes of a file: how many there were.
fn read_onto(file: &Fd, out: &mut Vec<u8>, length: usize, offset: u64) -> io::Result<usize> {
    let begin = out.len();
    out.resize(begin + length, 0);
    let read = file::read_at(file, &mut out[begin..], offset);
    out.truncate(begin + *read.as_ref().unwrap_or(&0));
    read
}

impl core::fmt::Debug for Tail {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Tail::Static(_) => "Static",
            Tail::Shared { .. } => "Shared",
            Tail::File { .. } => "File",
            Tail::Source(_) => "Source",
            Tail::Duplex(_) => "Duplex",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::socket;

    /// A segment that waits for more waits 200 ms when none comes.
    #[test]
    fn nothing_is_said_to_follow_the_last_piece() {
        let file = |left| Tail::File {
            file: Arc::new(socket::pair().expect("two sockets").0),
            at: 0,
            left,
            ahead: None,
        };
        let shared = |at| Tail::Shared {
            bytes: Arc::from(*b"abc"),
            at,
            end: 2,
        };
        for (tail, more) in [
            (Tail::Static(b""), More::No),
            (Tail::Static(b"a"), More::Yes),
            (shared(2), More::No),
            (shared(1), More::Yes),
            (file(0), More::No),
            (file(1), More::Yes),
        ] {
            assert_eq!(tail.more(), more, "{tail:?}");
        }
    }
}
