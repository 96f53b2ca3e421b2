//! A connection: two ends, what is under way between them, and what each of them can be told.
//!
//! Bytes that are sent wait at the sender's end until a transfer takes them to the receiver's, as far as there is room.
//! Until then they are unacknowledged. A FIN goes behind the last byte; a RST overtakes everything, and what the other end
//! has received it can still read.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;

use libc::{EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP};
use nix::errno::Errno;

use super::kernel::Name;
use super::world::World;
use crate::sys::PeerAddress;

/// The server's end.
pub(super) const OURS: usize = 0;
/// The client's end.
pub(super) const THEIRS: usize = 1;

pub(super) const IN: u32 = EPOLLIN as u32;
pub(super) const OUT: u32 = EPOLLOUT as u32;
pub(super) const RDHUP: u32 = EPOLLRDHUP as u32;
pub(super) const HUP: u32 = EPOLLHUP as u32;
pub(super) const ERR: u32 = EPOLLERR as u32;

/// The ports of clients, from the first on (RFC 6335 §6).
const EPHEMERAL: u16 = 49_152;
const EPHEMERALS: u16 = 16_384;

/// What a client does when something has happened at its end.
pub(super) type Notice = Rc<dyn Fn(&World)>;

/// Who is to be woken, by end: for what, or for anything at all if that is zero.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wakes(pub(super) [Option<u32>; 2]);

impl Wakes {
    fn add(&mut self, side: usize, key: u32) {
        self.0[side] = Some(match self.0[side] {
            None => key,
            Some(0) => 0,
            Some(_) if key == 0 => 0,
            Some(before) => before | key,
        });
    }

    fn merge(&mut self, other: Wakes) {
        for side in [OURS, THEIRS] {
            if let Some(key) = other.0[side] {
                self.add(side, key);
            }
        }
    }
}

#[derive(Debug)]
pub(super) struct End {
    /// Not yet at the other end.
    unsent: VecDeque<u8>,
    received: VecDeque<u8>,
    pub(super) send_room: usize,
    pub(super) receive_room: usize,
    /// Nothing more is sent; and the FIN has arrived there.
    shut: bool,
    fin_arrived: bool,
    /// The other end's FIN has arrived here.
    peer_finished: bool,
    reset: bool,
    error: Option<Errno>,
    /// A sender has found no room: it is told when there is some.
    no_space: bool,
    pub(super) closed: bool,
    pub(super) linger_reset: bool,
    /// Bytes that a RST has taken: the kernel goes on counting them among those that are not acknowledged.
    lost: usize,
    /// What watches it: the description of the descriptor.
    pub(super) description: Option<usize>,
    /// Bytes that were sent and received here.
    pub(super) bytes_out: u64,
    pub(super) bytes_in: u64,
}

impl End {
    fn new(send_room: usize, receive_room: usize) -> End {
        End {
            unsent: VecDeque::new(),
            received: VecDeque::new(),
            send_room,
            receive_room,
            shut: false,
            fin_arrived: false,
            peer_finished: false,
            reset: false,
            error: None,
            no_space: false,
            closed: false,
            linger_reset: false,
            lost: 0,
            description: None,
            bytes_out: 0,
            bytes_in: 0,
        }
    }

    pub(super) fn unread(&self) -> usize {
        self.received.len()
    }

    pub(super) fn unacknowledged(&self) -> usize {
        self.unsent.len() + self.lost
    }

    pub(super) fn is_reset(&self) -> bool {
        self.reset
    }

    pub(super) fn is_finished(&self) -> bool {
        self.peer_finished
    }

    pub(super) fn has_all(&self) -> bool {
        self.peer_finished && self.received.is_empty()
    }

    /// A third is free: less is not worth waking anybody.
    fn is_writable(&self) -> bool {
        let free = self.send_room.saturating_sub(self.unsent.len());
        free > 0 && free >= self.unsent.len() / 2
    }
}

pub(super) struct Link {
    pub(super) serial: u64,
    /// Where the server listened; none of a pair.
    pub(super) name: Option<Name>,
    pub(super) ends: [End; 2],
    /// Nanoseconds that a transfer takes; none means that it takes place within the call.
    pub(super) latency: u64,
    /// The most that one transfer takes.
    pub(super) piece: usize,
    /// Whether a transfer from this end is in the agenda.
    pub(super) scheduled: [bool; 2],
    pub(super) notice: Option<Notice>,
    pub(super) noticed: bool,
}

impl Link {
    pub(super) fn new(serial: u64, ours: (usize, usize), theirs: (usize, usize)) -> Link {
        Link {
            serial,
            name: None,
            ends: [End::new(ours.0, ours.1), End::new(theirs.0, theirs.1)],
            latency: 0,
            piece: usize::MAX,
            scheduled: [false; 2],
            notice: None,
            noticed: false,
        }
    }

    /// The others are Unix sockets.
    pub(super) fn is_tcp(&self) -> bool {
        matches!(self.name, Some(Name::Ip(_)))
    }

    /// Where its client is: on the loopback, at a port that few others have.
    pub(super) fn peer_address(&self) -> PeerAddress {
        let port = EPHEMERAL + (self.serial.saturating_sub(1) % u64::from(EPHEMERALS)) as u16;
        match &self.name {
            Some(Name::Ip(SocketAddr::V4(_))) => {
                SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into()
            }
            Some(Name::Ip(SocketAddr::V6(_))) => {
                SocketAddr::from((Ipv6Addr::LOCALHOST, port)).into()
            }
            Some(Name::Unix(_)) | None => PeerAddress::UNIX,
        }
    }

    /// What the end on this side is called: a client that connects to a Unix socket has no name.
    pub(super) fn name_of(&self, side: usize) -> Option<Name> {
        match (&self.name, self.peer_address().socket_address()) {
            (name, _) if side == OURS => name.clone(),
            (Some(Name::Ip(_)), Some(address)) => Some(Name::Ip(address)),
            (Some(Name::Ip(_) | Name::Unix(_)) | None, _) => None,
        }
    }

    /// Where the other end is, seen from this one.
    pub(super) fn address_beyond(&self, side: usize) -> PeerAddress {
        match &self.name {
            Some(Name::Ip(address)) if side == THEIRS => (*address).into(),
            Some(Name::Ip(_) | Name::Unix(_)) | None => self.peer_address(),
        }
    }

    pub(super) fn send(&mut self, side: usize, bytes: &[u8]) -> Result<usize, Errno> {
        let nobody_reads = !self.is_tcp() && self.ends[1 - side].closed;
        let end = &mut self.ends[side];
        if let Some(error) = end.error.take() {
            return Err(error);
        }
        if end.shut || end.reset || nobody_reads {
            return Err(Errno::EPIPE);
        }
        let room = end.send_room.saturating_sub(end.unsent.len());
        let taken = room.min(bytes.len());
        if taken < bytes.len() {
            end.no_space = true;
        }
        if taken == 0 && !bytes.is_empty() {
            return Err(Errno::EAGAIN);
        }
        end.unsent.extend(&bytes[..taken]);
        end.bytes_out += taken as u64;
        Ok(taken)
    }

    pub(super) fn receive(&mut self, side: usize, into: &mut [u8]) -> Result<usize, Errno> {
        let end = &mut self.ends[side];
        let count = end.received.len().min(into.len());
        if count > 0 {
            let (front, back) = end.received.as_slices();
            let first = count.min(front.len());
            into[..first].copy_from_slice(&front[..first]);
            into[first..count].copy_from_slice(&back[..count - first]);
            end.received.drain(..count);
            end.bytes_in += count as u64;
            return Ok(count);
        }
        if end.peer_finished || !end.received.is_empty() {
            return Ok(0);
        }
        match end.error.take() {
            Some(error) => Err(error),
            None if end.reset => Ok(0),
            None => Err(Errno::EAGAIN),
        }
    }

    pub(super) fn shutdown(&mut self, side: usize) -> Result<(), Errno> {
        if self.ends[side].reset || self.is_over() {
            return Err(Errno::ENOTCONN);
        }
        self.ends[side].shut = true;
        Ok(())
    }

    /// Both have finished, and both know it: nothing goes from one to the other any more, not even a RST.
    fn is_over(&self) -> bool {
        self.ends.iter().all(|end| end.fin_arrived)
    }

    /// The end is gone: orderly, or with a RST if something was unread or it was to be so.
    pub(super) fn close(&mut self, side: usize) -> Wakes {
        let is_over = self.is_over();
        let end = &mut self.ends[side];
        end.closed = true;
        end.description = None;
        end.shut = true;
        if end.reset || is_over {
            return Wakes::default();
        }
        let breaks = end.linger_reset || !end.received.is_empty();
        if self.is_tcp() {
            return if breaks {
                self.abort(side)
            } else {
                Wakes::default()
            };
        }
        // What a Unix socket has sent is at the other end from the beginning.
        let sent = std::mem::take(&mut self.ends[side].unsent);
        self.ends[1 - side].received.extend(sent);
        let mut wakes = Wakes::default();
        if breaks {
            wakes.merge(self.abort(side));
        } else {
            self.fin_arrives(side, &mut wakes);
        }
        wakes
    }

    /// This end breaks the connection; nothing that is under way arrives.
    pub(super) fn abort(&mut self, side: usize) -> Wakes {
        let end = &mut self.ends[side];
        end.unsent.clear();
        end.received.clear();
        end.shut = true;
        end.reset = true;
        self.reset(1 - side)
    }

    /// A RST arrives at this end.
    fn reset(&mut self, side: usize) -> Wakes {
        let mut wakes = Wakes::default();
        if self.is_over() {
            return wakes;
        }
        let end = &mut self.ends[side];
        if !end.reset && !end.closed {
            end.error = Some(if end.peer_finished && !end.shut {
                Errno::EPIPE
            } else {
                Errno::ECONNRESET
            });
            wakes.add(side, 0);
        }
        end.reset = true;
        end.lost += end.unsent.len();
        end.unsent.clear();
        wakes
    }

    /// Whether a transfer from this end has something to take.
    pub(super) fn has_transfer(&self, from: usize) -> bool {
        let (sender, receiver) = (&self.ends[from], &self.ends[1 - from]);
        if sender.reset {
            return false;
        }
        if sender.unsent.is_empty() {
            return sender.shut && !sender.fin_arrived;
        }
        receiver.closed || receiver.received.len() < receiver.receive_room
    }

    /// Takes what is under way from this end to the other one, at most `most` bytes.
    pub(super) fn transfer(&mut self, from: usize, most: usize) -> Wakes {
        let mut wakes = Wakes::default();
        if !self.has_transfer(from) {
            return wakes;
        }
        let to = 1 - from;
        if self.ends[to].closed {
            if self.ends[from].unsent.is_empty() {
                self.fin_arrives(from, &mut wakes);
            } else {
                // What that end has not sent yet is lost as well.
                wakes.merge(self.abort(to));
            }
            return wakes;
        }
        let room = self.ends[to]
            .receive_room
            .saturating_sub(self.ends[to].received.len());
        let count = self.ends[from].unsent.len().min(room).min(most);
        let [ours, theirs] = &mut self.ends;
        let (sender, receiver) = if from == OURS {
            (ours, theirs)
        } else {
            (theirs, ours)
        };
        receiver.received.extend(sender.unsent.drain(..count));
        if count > 0 {
            wakes.add(to, IN);
        }
        if sender.no_space && sender.is_writable() {
            sender.no_space = false;
            wakes.add(from, OUT);
        }
        if sender.shut && sender.unsent.is_empty() && !sender.fin_arrived {
            self.fin_arrives(from, &mut wakes);
        }
        wakes
    }

    /// Both are told: the receiver of the FIN itself, and the sender that it was acknowledged. A client knows its own.
    fn fin_arrives(&mut self, from: usize, wakes: &mut Wakes) {
        let to = 1 - from;
        self.ends[from].fin_arrived = true;
        self.ends[to].peer_finished = true;
        if !self.ends[to].closed {
            wakes.add(to, 0);
        }
        if self.ends[from].description.is_some() {
            wakes.add(from, 0);
        }
    }

    /// Whether TCP knows no peer any more: both have finished, or one has broken it. A Unix socket goes on knowing it.
    pub(super) fn has_no_peer(&self, side: usize) -> bool {
        let end = &self.ends[side];
        self.is_tcp() && (end.reset || (end.fin_arrived && end.peer_finished))
    }

    /// What it is ready for. A look that finds no room to send wants to be told when there is some.
    pub(super) fn poll(&mut self, side: usize) -> u32 {
        // TCP can't tell a peer that has closed from one that has finished.
        let peer_closed = !self.is_tcp() && self.ends[1 - side].closed;
        let end = &mut self.ends[side];
        let mut ready = 0;
        if end.reset || peer_closed || (end.shut && end.peer_finished) {
            ready |= HUP;
        }
        if end.reset || end.peer_finished {
            ready |= IN | RDHUP;
        }
        if !end.received.is_empty() {
            ready |= IN;
        }
        if end.shut || end.reset || end.is_writable() {
            ready |= OUT;
        } else {
            end.no_space = true;
        }
        if end.error.is_some() {
            ready |= ERR;
        }
        ready
    }
}
