//! A connection that leaves the server: what was to be sent is sent, and then it is somebody else's.

use super::contain::{Contained, contain};
use super::defer::Message;
use super::handler::Handler;
use super::observer::{CloseReason, Observer, Trouble};
use super::session::{Held, Session};
use super::shared::Shared;
use super::transport::Socket;
use super::worker::Worker;
use crate::reactor::{Reactor, Token};
use crate::sys::Fd;

/// A connection that was taken out of the server, by [`ResponseWriter::take_out`](super::ResponseWriter::take_out).
#[derive(Debug)]
pub struct TakenOut {
    /// Its descriptor, non-blocking and close-on-exec. No loop watches it any more. `OwnedFd::from` makes it what the
    /// standard library knows.
    pub fd: Fd,
    /// What the client has sent and nobody has read: it comes before whatever the descriptor gives.
    pub unread: Vec<u8>,
}

/// Who gets it.
pub(super) struct Taker(pub(super) Contained<Box<dyn FnOnce(TakenOut)>>);

impl core::fmt::Debug for Taker {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Taker")
    }
}

impl Session<Socket> {
    /// What is left of it when everything was sent. Its memory goes back to the worker.
    fn into_taken(mut self, shared: &mut Shared) -> (TakenOut, Option<Taker>) {
        let unread = match &self.held {
            Held::Raw(bytes) => bytes.clone(),
            Held::Nothing | Held::Body { .. } => Vec::new(),
        };
        self.drop_held(shared);
        self.drop_inflow(shared);
        let fd = self.transport.0;
        (TakenOut { fd, unread }, self.awaits.into_taker())
    }
}

impl<H: Handler, O: Observer> Worker<H, O> {
    /// The one way in which a descriptor leaves without being closed.
    #[cold]
    pub(super) fn take_out(&mut self, reactor: &mut Reactor<Message>, token: Token) {
        let Some(session) = self.sessions.remove(token) else {
            return;
        };
        let (out, taker) = session.into_taken(&mut self.shared);
        // It lives on, and its events are no longer for this loop. That it was registered is certain.
        let _ = reactor.deregister(&out.fd);
        self.ended(reactor, token, CloseReason::TakenOut);
        if let Some(Taker(take)) = taker
            && contain(|| take.into_inner()(out)).is_none()
        {
            self.observer.trouble(&Trouble::LocalPanicked);
        }
    }
}
