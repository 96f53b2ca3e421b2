//! What applications write: handlers, and the requests that they see.

use core::ops::Deref;

use super::response::{Reply, ResponseWriter};
use super::route::{Attachment, RouteMatch};
use super::stream::Sink;
use crate::http::{Fields, Head};
use crate::sys::PeerAddress;

/// A request that has come whole, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'r> {
    head: &'r Head<'r>,
    body: &'r [u8],
    trailers: Fields<'r>,
    peer: PeerAddress,
    /// The route that it takes.
    pub(super) route: Option<&'r RouteMatch<'r>>,
    /// What was attached to it.
    pub(super) attached: Option<&'r Attachment<'r>>,
}

impl<'r> Request<'r> {
    pub(super) fn new(
        head: &'r Head<'r>,
        body: &'r [u8],
        trailers: Fields<'r>,
        peer: PeerAddress,
    ) -> Self {
        Request {
            head,
            body,
            trailers,
            peer,
            route: None,
            attached: None,
        }
    }

    /// The whole body, empty if there was none.
    pub fn body(&self) -> &'r [u8] {
        self.body
    }

    /// The fields that came after a chunked body, without those that must not come there.
    pub fn trailers(&self) -> Fields<'r> {
        self.trailers
    }

    /// Where its connection comes from, as it was when it was accepted: behind a proxy that is the proxy. Costs no system
    /// call.
    pub fn peer(&self) -> PeerAddress {
        self.peer
    }
}

/// A request has all that its head has.
impl<'r> Deref for Request<'r> {
    type Target = Head<'r>;

    fn deref(&self) -> &Head<'r> {
        self.head
    }
}

/// Answers requests. One per worker, used from the worker's thread only: it need not be `Send`, and its state needs no lock.
///
/// Functions and closures of the shape of [`on_request`](Handler::on_request) are handlers.
///
/// # Panics
/// A panic in a handler costs its connection: the client gets 500, the worker goes on, and so does the handler with
/// whatever state the panic left.
pub trait Handler {
    /// Answers a request, now or later: a [`Reply`] can only be had from the writer, and the writer makes only one.
    fn on_request(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Reply;

    /// Says what is to become of a body, before any of it is read and before any `100 Continue`: the request has none yet.
    /// Called once for each request that will have one. By default it is buffered up to
    /// [`ResponseWriter::body_bytes_max`].
    fn intake(&mut self, _req: &Request<'_>, res: ResponseWriter<'_>) -> Intake {
        Intake::Buffer(res.body_bytes_max())
    }
}

impl<F: FnMut(&Request<'_>, ResponseWriter<'_>) -> Reply> Handler for F {
    fn on_request(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
        self(req, res)
    }
}

/// What is to become of a body.
#[derive(Debug)]
pub enum Intake {
    /// It is buffered up to so many bytes, then [`Handler::on_request`] sees it whole. Beyond them: 413.
    Buffer(usize),
    /// It goes to a sink as it comes: see [`Intake::stream`].
    Stream {
        /// What takes it, and answers.
        sink: Box<dyn Sink>,
        /// Beyond so many bytes: 413.
        bytes_max: u64,
    },
    /// The head was enough for an answer. A short body is read over, a long one ends the connection.
    Answer(Reply),
}

impl Intake {
    /// The body goes to `sink` as it comes, up to so many bytes, and the sink answers.
    pub fn stream(bytes_max: u64, sink: impl Sink + 'static) -> Intake {
        Intake::Stream {
            sink: Box::new(sink),
            bytes_max,
        }
    }

    /// Puts the decision aside and gives a [`Reply`] that stands for it: so whoever passes a request on and returns the
    /// reply of those behind is one function for both, [`Handler::intake`] and [`Handler::on_request`]. What was put aside is
    /// then to be returned instead. The reply of an [`Answer`](Intake::Answer) is itself, and nothing is put aside.
    pub fn put_aside(self, aside: &mut Option<Intake>) -> Reply {
        match self {
            Intake::Answer(reply) => reply,
            Intake::Buffer(_) | Intake::Stream { .. } => {
                *aside = Some(self);
                Reply::nothing()
            }
        }
    }
}
