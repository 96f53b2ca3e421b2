//! Sessions without a kernel: what clients have sent goes through parser, handler and encoder, and nothing else happens.
//!
//! `memory` is the client's end, `player` what a worker is for sessions with a kernel; here is what is seen of them.

mod memory;
mod player;

use core::fmt;
use std::io;

use super::defer::Message;
use super::handler::Handler;
use super::limits::Limits;
use super::local::Local;
use super::recording::{Client, End, Recording};
use crate::reactor::{Reactor, Token};
use memory::{Fnv, Look};
use player::Player;

/// Plays to a handler what clients have [sent](Recording), as often as one likes, without a network.
///
/// Bytes go through the sessions that a server has: what is received is parsed, limited, handled and encoded as it is there.
/// There is no socket, no wait and no clock: `Date` is that of RFC 9110 §5.6.7, and no time passes for connections. So two
/// runs are the same to the instruction, as valgrind's callgrind counts them, provided that the handler is: one that
/// reads a clock, draws randomness or looks into the file system asks the kernel all the same. Answers that come later,
/// from the [pool](super::pool::Pool) or another thread, are waited for in real time, as long as the limits say.
///
/// The connections of a recording are played one after the other, each with the pieces in which it was received, and end
/// with a FIN. The bytes of one client are sent again and again on the same connection while it is kept.
///
/// ```
/// use edgeloop::server::{Recording, Replay};
/// use edgeloop::{Reply, Request, ResponseWriter};
///
/// fn hello(_: &Request, res: ResponseWriter) -> Reply {
///     res.status(200).text("hello\n")
/// }
///
/// let recording = Recording::of_bytes(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
/// let mut replay = Replay::new(hello)?;
/// let replayed = replay.run(&recording, 1000)?;
/// assert_eq!((replayed.requests, replayed.connections), (1000, 1));
/// assert_eq!(replayed.answers, [(200, 1000)]);
/// # Ok::<(), edgeloop::server::ReplayError>(())
/// ```
pub struct Replay<H> {
    reactor: Reactor<Message>,
    player: Player<H>,
}

/// What was played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// How often the recording was played.
    pub iterations: u64,
    /// Connections that it took.
    pub connections: u64,
    /// Requests whose heads were whole and sound.
    pub requests: u64,
    /// Statuses of final answers, and how many had each, from the lowest on.
    pub answers: Vec<(u16, u64)>,
    /// Bytes that were sent to the server.
    pub bytes_in: u64,
    /// Bytes that the server sent.
    pub bytes_out: u64,
    /// FNV-1a of 64 bits of what the server sent in the first iteration, connection by connection.
    pub hash: u64,
    /// What a server would have [told](super::Observer::trouble) its operator.
    pub troubles: u64,
}

/// Why a recording was not played to its end.
#[derive(Debug)]
pub enum ReplayError {
    /// The kernel would not give what a loop is made of: no more descriptors.
    Start(io::Error),
    /// Answers that come later could not be waited for.
    Wait(io::Error),
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReplayError::Start(error) => write!(f, "cannot create an event loop: {error}"),
            ReplayError::Wait(error) => write!(f, "cannot wait for an answer: {error}"),
        }
    }
}

impl std::error::Error for ReplayError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ReplayError::Start(error) | ReplayError::Wait(error) => Some(error),
        }
    }
}

impl<H: Handler> Replay<H> {
    /// Gets a handler ready, with [limits](Limits) as by default. Errors: no more descriptors, of which it takes two, for
    /// what comes from other threads.
    pub fn new(handler: H) -> Result<Replay<H>, ReplayError> {
        Replay::with_limits(handler, Limits::default())
    }

    /// Gets a handler ready with these limits. Errors: as [`new`](Replay::new).
    pub fn with_limits(handler: H, limits: Limits) -> Result<Replay<H>, ReplayError> {
        let reactor = Reactor::new().map_err(ReplayError::Start)?;
        let player = Player::new(handler, limits, &reactor);
        Ok(Replay { reactor, player })
    }

    /// Its loop, for timers, descriptors and mail of one's own: it turns while an answer that comes later is waited for.
    pub fn local(&self) -> &Local {
        self.player.local()
    }

    /// Plays a recording so many times. Per iteration it allocates nothing of its own, but for connections and files.
    /// Errors: those of epoll_wait(2), where an answer comes later.
    pub fn run(&mut self, recording: &Recording, iterations: u64) -> Result<Replayed, ReplayError> {
        self.player.begin(Look::Hash(Fnv::default()));
        let mut hash = Fnv::default();
        let mut kept = None;
        for iteration in 0..iterations {
            for client in &recording.clients {
                kept = self.play(client, kept)?;
            }
            if iteration == 0
                && let Look::Hash(first) = self.player.look(kept, Look::Away)
            {
                hash = first;
            }
        }
        if let Some(token) = kept {
            self.finish(token)?;
        }
        Ok(Replayed {
            iterations,
            hash: hash.0,
            ..self.player.replayed()
        })
    }

    /// Plays a recording once: what the clients have got, connection by connection. Errors: as [`run`](Replay::run).
    pub fn answers(&mut self, recording: &Recording) -> Result<Vec<u8>, ReplayError> {
        self.player.begin(Look::Keep(Vec::new()));
        for client in &recording.clients {
            if let Some(token) = self.play(client, None)? {
                self.finish(token)?;
            }
        }
        match self.player.look(None, Look::Away) {
            Look::Keep(bytes) => Ok(bytes),
            Look::Away | Look::Hash(_) => Ok(Vec::new()),
        }
    }

    /// Plays what one client has sent, on a connection that is kept or on a new one: that connection, if it is to be kept.
    #[inline(never)] // so that who counts instructions sees how many are its own
    fn play(&mut self, client: &Client, kept: Option<Token>) -> Result<Option<Token>, ReplayError> {
        let mut connection = kept;
        for piece in &client.pieces {
            let token = match connection.filter(|token| self.player.has(*token)) {
                Some(token) => token,
                None if connection.is_some() && client.end == End::Fin => return Ok(None),
                None => self.player.open(),
            };
            connection = Some(token);
            self.player.arrive(token, piece);
            self.settle(token)?;
        }
        match connection {
            Some(token) if client.end == End::Again && self.player.is_idle(token) => Ok(connection),
            Some(token) => self.finish(token).map(|()| None),
            None => Ok(None),
        }
    }

    /// The client finishes sending, reads what there is, and closes.
    fn finish(&mut self, token: Token) -> Result<(), ReplayError> {
        self.player.finish_sending(token);
        self.settle(token)?;
        self.player.close(token);
        Ok(())
    }

    /// Waits for answers that come later, as long as the limits say.
    #[inline]
    fn settle(&mut self, token: Token) -> Result<(), ReplayError> {
        if self.player.waits_for_others(token) {
            let waited = self.player.wait_for_others(&mut self.reactor, token);
            waited.map_err(ReplayError::Wait)?;
        }
        Ok(())
    }
}

impl<H> fmt::Debug for Replay<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay").finish_non_exhaustive()
    }
}

/// As people read it, in lines.
impl fmt::Display for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Replayed {
            iterations,
            connections,
            requests,
            answers,
            bytes_in,
            bytes_out,
            hash,
            troubles,
        } = self;
        writeln!(f, "iterations   {iterations}")?;
        writeln!(f, "connections  {connections}")?;
        writeln!(f, "requests     {requests}")?;
        for (status, count) in answers {
            writeln!(f, "status {status}   {count}")?;
        }
        writeln!(f, "bytes in     {bytes_in}")?;
        writeln!(f, "bytes out    {bytes_out}")?;
        writeln!(f, "hash         {hash:016x}")?;
        writeln!(f, "troubles     {troubles}")
    }
}
