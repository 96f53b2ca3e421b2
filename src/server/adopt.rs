//! Connections that somebody else has accepted.

use core::fmt;
use std::io;

use super::defer::Message;
use super::drain::Phase;
use super::handler::Handler;
use super::observer::Observer;
use super::shared::INPUT_BYTES;
use super::worker::Worker;
use crate::reactor::{Mailbox, Reactor, Stopped};
use crate::sys::{Fd, PeerAddress, socket};

/// A connection on its way to a worker, found fit to be served.
pub(super) struct Adopted {
    fd: Fd,
    peer: PeerAddress,
    read: Vec<u8>,
}

/// A descriptor that could not be taken. It comes back.
#[derive(Debug)]
pub struct NotAdopted {
    /// What was given.
    pub fd: Fd,
    /// Why it was not taken.
    pub error: io::Error,
}

impl fmt::Display for NotAdopted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot serve this descriptor: {}", self.error)
    }
}

impl std::error::Error for NotAdopted {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// Gives a connection to the first of these workers that has not stopped.
pub(super) fn adopt<'w>(
    workers: impl Iterator<Item = &'w Mailbox<Message>>,
    fd: Fd,
    read: Vec<u8>,
) -> Result<(), NotAdopted> {
    if read.len() > INPUT_BYTES {
        let error = io::Error::other("more than 64 KiB of it were read already");
        return Err(NotAdopted { fd, error });
    }
    let peer = match socket::adopt(&fd) {
        Ok(peer) => peer,
        Err(error) => return Err(NotAdopted { fd, error }),
    };
    let mut message = Message::Adopt(Adopted { fd, peer, read });
    for worker in workers {
        match worker.post(message) {
            Ok(()) => return Ok(()),
            Err(Stopped(back)) => message = back,
        }
    }
    match message {
        Message::Adopt(Adopted { fd, .. }) => {
            let error = io::Error::other("the server has stopped");
            Err(NotAdopted { fd, error })
        }
        // What comes back is what was posted.
        Message::Complete { .. }
        | Message::Mail { .. }
        | Message::Wake { .. }
        | Message::HangUp(_)
        | Message::Count(_)
        | Message::Drain
        | Message::Stop
        | Message::PeerStopped => Ok(()),
    }
}

impl<H: Handler, O: Observer> Worker<H, O> {
    /// Serves it, if there is room. Once everything has ended it is closed, as it would be a moment later.
    pub(super) fn adopt(&mut self, reactor: &mut Reactor<Message>, adopted: Adopted) {
        match self.shared.phase {
            Phase::Serving | Phase::LastCalls(_) | Phase::Draining => {
                self.admit(reactor, adopted.fd, adopted.peer, Some(&adopted.read));
            }
            Phase::Stopped => {}
        }
    }
}
