//! Content that comes and goes in pieces: what applications write for bodies that are longer than memory, for answers that
//! live, and for what is no HTTP any more.
//!
//! Each of them is called on the loop, does what it can and returns. Whoever has nothing to give, or no room to take, says
//! so, and a [`Waker`](super::Waker) of the exchange has it asked again.
//!
//! # Water marks
//!
//! | direction | high: it stops | low: it goes on |
//! |---|---|---|
//! | answer | a piece stands in the buffer (64 KiB are asked for), and the kernel holds 128 KiB unsent (TCP_NOTSENT_LOWAT, tcp(7)); 4 MiB for who reads fast | the kernel has sent half of that, and the buffer is empty |
//! | body | a sink has left something of one receive (64 KiB): nothing more is received, and TCP's window closes | it was woken and has taken the rest |
//! | both | each direction has its own marks; who does not read what is given is not read from, but for what its duplex has room for | as above |

use core::fmt;
use core::ops::Range;

use super::response::{Reply, ResponseWriter};
use crate::http::{
    Conn, Encoder, Exchange, FieldError, FieldName, Fields, Limits, Stage, Writing, encode,
};

/// Content that is made while it is sent. It is pulled when there is room, so a slow client makes a slow source.
///
/// A client that has gone drops it, and so does a server that stops. A client that has only finished sending may still be
/// reading; whether it is shows at the next write, or when the kernel asks it, after 90 s. A panic in it breaks the connection.
pub trait Source {
    /// Writes the next piece. The sizes are the source's choice, about the [room](BodyWriter::room) is best.
    fn pull(&mut self, body: &mut BodyWriter<'_>) -> Pull;
}

/// Functions that write pieces are sources.
impl<F: FnMut(&mut BodyWriter<'_>) -> Pull> Source for F {
    fn pull(&mut self, body: &mut BodyWriter<'_>) -> Pull {
        self(body)
    }
}

/// What a [`Source`] says after a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pull {
    /// There is more; it will be asked for as soon as there is room. One that says so and has written nothing fails.
    More,
    /// Nothing more for the moment. What was written is sent, and a [`Waker`](super::Waker) of this exchange, taken before
    /// the answer began, has the source pulled again. No time-out ends the wait; where nobody has a waker, it fails.
    Wait,
    /// That was all.
    End,
    /// It can't go on. The client sees a broken connection, never an end.
    Failed,
}

/// Sees to it that what is sent of a file is in memory, so that the loop does not wait for a disk. It is asked before each
/// piece. A panic in it is taken for a yes.
pub trait ReadAhead {
    /// Whether these bytes of the file can be sent without waiting. If not, it has begun to have them read, and a
    /// [`Waker`](super::Waker) of this exchange, taken before the answer began, has it asked again; where nobody has one, the
    /// answer fails.
    fn is_at_hand(&mut self, bytes: Range<u64>) -> bool;
}

/// Takes the body of a request as it comes, and answers when all of it has come.
///
/// It is given to the server by [`Intake::stream`](super::Intake::stream). It is dropped without [`on_end`](Sink::on_end)
/// when the body does not come whole: the client has gone, sends too slowly, or what it sends is no body, which the server
/// answers. A panic in it is 500.
pub trait Sink {
    /// Takes the beginning of `data`, which is never empty and rarely longer than 64 KiB.
    fn on_data(&mut self, data: &[u8]) -> Taken;

    /// The body is over, or the sink has [refused](Taken::Refused) the rest: the request is answered, now or later.
    fn on_end(self: Box<Self>, trailers: Fields<'_>, res: ResponseWriter<'_>) -> Reply;
}

/// How much was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// All of it.
    All,
    /// The first so many bytes. The rest is kept, and the client is not read from, until a [`Waker`](super::Waker) of this
    /// exchange has it offered again. A sink has [`Limits::handler_time`](super::Limits::handler_time) for that; where
    /// nobody has a waker, it fails.
    Part(usize),
    /// None, and nothing more is wanted.
    Refused,
}

/// Both directions of a connection at once, each in its own time: an answer that goes on while the body comes, or whatever
/// a protocol other than HTTP says.
///
/// It is given to the server by [`HeadWriter::duplex`](super::HeadWriter::duplex) or [`Upgrade::duplex`](super::Upgrade::duplex).
/// After every [`on_data`](Duplex::on_data) that has taken something it is pulled, and after every
/// [`pull`](Duplex::pull) that has written something it is offered what it had no room for: two halves that depend on each
/// other need no [`Waker`](super::Waker). It is dropped when the answer has ended, when the client has gone and when the
/// server stops. A panic in it breaks the connection.
pub trait Duplex {
    /// Takes the beginning of `data`, which is never empty. To [refuse](Taken::Refused) it ends the connection.
    fn on_data(&mut self, data: &[u8]) -> Taken;

    /// The client has finished: the body is whole, or after a change of protocol it has shut its sending side. The answer
    /// goes on until [`pull`](Duplex::pull) ends it.
    fn on_end(&mut self);

    /// Writes the next piece, as [`Source::pull`] does.
    fn pull(&mut self, body: &mut BodyWriter<'_>) -> Pull;
}

/// Where a [`Source`] or a [`Duplex`] writes.
#[derive(Debug)]
pub struct BodyWriter<'a> {
    pub(super) conn: &'a mut Conn,
    pub(super) limits: &'a Limits,
    pub(super) out: &'a mut Vec<u8>,
    pub(super) room: usize,
    pub(super) overrun: bool,
    pub(super) trailers: Vec<(String, String)>,
}

impl BodyWriter<'_> {
    /// How many bytes fit now. More is taken as well, but it costs memory.
    pub fn room(&self) -> usize {
        self.room
    }

    /// How much is missing of a length that was promised.
    pub fn left(&self) -> Option<u64> {
        owed(self.conn)
    }

    /// Adds a field behind the content: of those in the pull that says [`Pull::End`]. It goes out where content of unknown
    /// length was begun and HTTP/1.1 is spoken. Errors: what can't be sent there, and is not.
    pub fn trailer(&mut self, name: FieldName<'_>, value: &str) -> Result<(), FieldError> {
        encode::check_trailer(name, value.as_bytes())?;
        self.trailers
            .push((name.as_str().to_owned(), value.to_owned()));
        Ok(())
    }

    /// Appends content. More than was promised fails the answer.
    pub fn write(&mut self, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        if self.left().is_some_and(|left| data.len() as u64 > left) {
            self.overrun = true;
            return;
        }
        self.room = self.room.saturating_sub(data.len());
        self.conn.write_body(self.limits, self.out, data);
    }
}

/// How much content of a known length is still owed.
pub(super) fn owed(conn: &Conn) -> Option<u64> {
    match conn.stage() {
        Stage::Exchange(Exchange {
            writing: Writing::Body(Encoder::Length(left)),
            ..
        }) => Some(*left),
        Stage::Exchange(Exchange {
            writing: Writing::Body(Encoder::Chunked | Encoder::UntilClose),
            ..
        }) => None,
        Stage::Exchange(Exchange {
            writing: Writing::Head | Writing::Done,
            ..
        })
        | Stage::Head { .. }
        | Stage::Closing(_) => Some(0),
    }
}

impl fmt::Debug for dyn Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sink")
    }
}
