//! A client's end of a connection.

use core::fmt;
use std::rc::Rc;

use super::kernel::LinkId;
use super::link::THEIRS;
use super::world::World;
use crate::sys::PeerAddress;

/// A client, as far as the network sees it. Its calls never fail and take no time. Dropped, it closes.
pub struct Peer {
    world: World,
    link: LinkId,
}

/// What a client knows of its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerState {
    /// It can still receive.
    Open,
    /// The server has finished sending, and everything was read.
    Finished,
    /// The server has broken it.
    Reset,
}

impl Peer {
    pub(super) fn new(world: World, link: LinkId) -> Peer {
        Peer { world, link }
    }

    /// The number of its connection, from 1.
    pub fn number(&self) -> u64 {
        self.link.serial
    }

    /// Whether it is TCP. The other kind, a Unix socket, can't be told to reset.
    pub fn is_tcp(&self) -> bool {
        let mut kernel = self.world.kernel();
        kernel.link(self.link).is_some_and(|link| link.is_tcp())
    }

    /// The address that the server sees.
    pub fn address(&self) -> PeerAddress {
        let mut kernel = self.world.kernel();
        kernel
            .link(self.link)
            .map_or(PeerAddress::UNIX, |link| link.peer_address())
    }

    /// Sends the beginning of `bytes`: how many there was room for. None once the connection is broken or the client has
    /// finished.
    pub fn send(&self, bytes: &[u8]) -> usize {
        let sent = match self.world.kernel().link(self.link) {
            Some(link) => link.send(THEIRS, bytes).unwrap_or(0),
            None => 0,
        };
        self.world.note(|| {
            let begin = bytes[..sent].escape_ascii().to_string();
            format!("client {} sends {sent}: {begin:.80}", self.link.serial)
        });
        self.world.go_on(self.link, THEIRS);
        sent
    }

    /// Appends what has arrived, at most `most` bytes: how many there were.
    pub fn receive(&self, into: &mut Vec<u8>, most: usize) -> usize {
        let mut count = 0;
        if let Some(link) = self.world.kernel().link(self.link) {
            let begin = into.len();
            count = link.ends[THEIRS].unread().min(most);
            into.resize(begin + count, 0);
            count = link.receive(THEIRS, &mut into[begin..]).unwrap_or(0);
            into.truncate(begin + count);
        }
        if count > 0 {
            self.world
                .note(|| format!("client {} receives {count}", self.link.serial));
            self.world.go_on(self.link, super::link::OURS);
        }
        count
    }

    /// Says that it sends no more.
    pub fn finish(&self) {
        self.world
            .note(|| format!("client {} finishes", self.link.serial));
        if let Some(link) = self.world.kernel().link(self.link) {
            let _ = link.shutdown(THEIRS); // one that is broken is finished
        }
        self.world.go_on(self.link, THEIRS);
    }

    /// Breaks the connection: what is under way does not arrive.
    pub fn reset(self) {
        self.world
            .note(|| format!("client {} resets", self.link.serial));
        if let Some(link) = self.world.kernel().link(self.link)
            && link.is_tcp()
        {
            link.ends[THEIRS].linger_reset = true;
        }
    }

    /// Has a step run whenever something has happened here: bytes or an end came, or there is room to send again.
    pub fn on_notice(&self, notice: impl Fn(&World) + 'static) {
        self.world.on_notice(self.link, Some(Rc::new(notice)));
    }

    /// Bytes that have come and were not received.
    pub fn unread(&self) -> usize {
        let mut kernel = self.world.kernel();
        kernel
            .link(self.link)
            .map_or(0, |link| link.ends[THEIRS].unread())
    }

    /// What has become of the connection. What came before its end is still there to be received.
    pub fn state(&self) -> PeerState {
        let mut kernel = self.world.kernel();
        match kernel.link(self.link) {
            None => PeerState::Reset,
            Some(link) => {
                let end = &link.ends[THEIRS];
                if end.has_all() {
                    PeerState::Finished
                } else if end.is_reset() {
                    PeerState::Reset
                } else {
                    PeerState::Open
                }
            }
        }
    }

    /// Whether the server's end has come, although what came before it may be unread.
    pub fn has_end(&self) -> bool {
        let mut kernel = self.world.kernel();
        kernel.link(self.link).is_none_or(|link| {
            let end = &link.ends[THEIRS];
            end.is_reset() || end.is_finished()
        })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.world.close_peer(self.link);
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Peer({}, {:?})", self.link.serial, self.state())
    }
}
