//! Writing answers. What a handler returns can only be made here, so it has answered.

use core::borrow::Borrow;
use core::cell::RefCell;
use core::fmt::Write as _;
use core::ops::Range;
use core::time::Duration;
use std::rc::Rc;
use std::sync::Arc;

use super::contain::Contained;
use super::defer::{self, BeginBy, Completer, Deferred, Promise};
use super::limits::Limits;
use super::local::Local;
use super::moment::Moment;
use super::output::{Tail, read_all_onto};
use super::shared::Shared;
use super::states::States;
use super::stream::{Duplex, ReadAhead, Source};
use super::take_out::{TakenOut, Taker};
use super::waker::{Waker, Wakes};
use crate::http::{
    Conn, Content, FieldError, FieldLine, FieldLines, FieldName, Head, Length, encode,
};
use crate::reactor::Token;
use crate::sys::{Fd, PeerAddress};

/// A file this small goes with its head in one send; a larger one goes by `sendfile`.
const SMALL_FILE_BYTES: u64 = 32 << 10;

const TEXT: FieldLine = FieldLine::new("Content-Type: text/plain; charset=utf-8\r\n");

/// Proof that a request was answered, or that its answer is under way.
///
/// Only the consuming methods of [`ResponseWriter`] and [`HeadWriter`] make one: a handler that forgets to answer does
/// not compile,
///
/// ```compile_fail,E0308
/// use edgeloop::{Reply, Request, ResponseWriter};
/// fn forgetful(_: &Request, _: ResponseWriter) -> Reply {} // mismatched types
/// ```
///
/// nor does one that answers twice:
///
/// ```compile_fail,E0382
/// use edgeloop::{Reply, Request, ResponseWriter};
/// fn twice(_: &Request, res: ResponseWriter) -> Reply {
///     res.status(200).body("once");
///     res.status(200).body("twice") // use of moved value: `res`
/// }
/// ```
///
/// It says nothing of the answer itself, which the writer has left with the worker: one that was kept and is returned for
/// another request proves nothing, and its client gets 500.
#[derive(Debug)]
#[must_use = "return it from the handler"]
pub struct Reply(());

impl Reply {
    /// Of a request whose body is wanted first. As an answer it is none, and its client gets 500.
    pub(super) fn nothing() -> Reply {
        Reply(())
    }
}

/// What an answer came to, for the session to take when its handler has returned.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) status: u16,
    pub(super) kind: Kind,
    /// How many bytes its content has, where that is known.
    pub(super) content_bytes: Option<u64>,
}

/// What the session has to do for an answer.
#[derive(Debug)]
pub(super) enum Kind {
    /// Send what was encoded.
    Whole,
    /// And then what follows.
    Tail(Tail),
    /// Wait for a completer.
    Later(Deferred),
    /// Send what was encoded, and give the connection away. Status zero: nothing was answered.
    TakeOut(Taker),
    /// Answer 500 instead: a field can't be sent.
    Unsendable(FieldError),
    /// Answer 500 instead: the content is not what was promised.
    Broken,
}

/// Where an answer begins. Answer with [`status`](Self::status) and what follows it, or [`defer`](Self::defer).
#[derive(Debug)]
pub struct ResponseWriter<'a> {
    pub(super) conn: &'a mut Conn,
    states: &'a mut States,
    pub(super) shared: &'a mut Shared,
    peer: &'a PeerAddress,
    moment: Moment,
    /// Of an interim answer.
    pub(super) fault: Option<FieldError>,
}

impl<'a> ResponseWriter<'a> {
    #[inline]
    pub(super) fn new(
        conn: &'a mut Conn,
        states: &'a mut States,
        peer: &'a PeerAddress,
        shared: &'a mut Shared,
    ) -> Self {
        debug_assert!(shared.outcome.is_none(), "it was taken");
        shared.wakes = Wakes::default();
        let moment = shared.moments.of_request();
        ResponseWriter {
            conn,
            states,
            shared,
            peer,
            moment,
            fault: None,
        }
    }

    /// Whether what was said of the answer can't be sent, so that it is a 500.
    pub(super) fn is_unsendable(&self) -> bool {
        self.fault.is_some() || self.shared.added.is_unsendable()
    }

    /// Begins the answer: status line, Server and Date are written straight into the connection's output.
    ///
    /// A status below 200 or above 999 becomes 500.
    #[inline]
    pub fn status(self, status: u16) -> HeadWriter<'a> {
        let status = if (200..1000).contains(&status) {
            status
        } else {
            500
        };
        self.begin(status)
    }

    #[inline]
    fn begin(self, status: u16) -> HeadWriter<'a> {
        let begin = self.shared.out.len();
        self.shared.preamble.begin(&mut self.shared.out, status);
        let fault = self.shared.added.begin_head(&mut self.shared.out);
        HeadWriter {
            conn: self.conn,
            shared: self.shared,
            begin,
            status,
            fault: self.fault.or(fault),
        }
    }

    /// Ends a request that no route decides: 404, or 501 when its method is none that is registered (RFC 9110 §9.1).
    pub fn no_route(self, method: &str) -> Reply {
        if is_registered(method) {
            self.status(404).text("not found\n")
        } else {
            self.status(501).text("unknown method\n")
        }
    }

    /// Sets a time within which the request has to be answered, from the beginning of this turn of the loop, in place of
    /// [`Limits::handler_time`]: it counts when the answer is put off. When it is over the client gets 503, and what comes
    /// later does nothing. Rounded up to 100 ms.
    ///
    /// It stays with the request: if what answers later puts the answer off again, no time is added. The last word counts.
    ///
    /// ```
    /// use core::time::Duration;
    /// use edgeloop::{Completer, Reply, ResponseWriter};
    ///
    /// fn later(res: ResponseWriter, waiting: &mut Vec<Completer>) -> Reply {
    ///     let (completer, reply) = res.deadline(Duration::from_secs(2)).defer();
    ///     waiting.push(completer);
    ///     reply
    /// }
    /// ```
    #[must_use]
    pub fn deadline(self, time: Duration) -> Self {
        self.shared.added.set_answer_by(self.shared.now + time);
        self
    }

    /// Puts the answer off. The [`Completer`] gives it, from this thread or any other.
    pub fn defer(self) -> (Completer, Reply) {
        let (completer, deferred) = self.put_off();
        (completer, self.later(deferred))
    }

    /// Puts the answer off until there is a value. The [`Promise`] gives it, from this thread or any other; `continuation`
    /// gets it on the worker's thread, with the same writer that a handler gets. Only the value crosses threads: the
    /// continuation stays here, need not be `Send`, and may have its share of the worker's own state.
    ///
    /// The continuation is dropped, on this thread, as soon as its request is over: when the client has gone, when the
    /// deadline is over. So what it has captured is told by being dropped. Who works on the value on another thread asks
    /// [`Promise::client`] now and then.
    ///
    /// # Panics
    /// A panic in the continuation is one in a handler: the client gets 500.
    ///
    /// ```
    /// use std::cell::Cell;
    /// use std::rc::Rc;
    /// use std::thread;
    /// use edgeloop::{Reply, ResponseWriter};
    ///
    /// fn sum(res: ResponseWriter, answered: &Rc<Cell<u64>>) -> Reply {
    ///     let answered = Rc::clone(answered); // of this worker, and not `Send`
    ///     let (promise, reply) = res.defer_with(move |sum: u64, res| {
    ///         answered.set(answered.get() + 1);
    ///         res.status(200).text(sum.to_string())
    ///     });
    ///     thread::spawn(move || promise.finish((1..=1_000_000).sum()));
    ///     reply
    /// }
    /// ```
    pub fn defer_with<T: Send + 'static>(
        self,
        continuation: impl FnOnce(T, ResponseWriter<'_>) -> Reply + 'static,
    ) -> (Promise<T>, Reply) {
        let (completer, mut deferred) = self.put_off();
        deferred.continuation = Some(Contained::new(defer::continuation(continuation)));
        (Promise::new(completer), self.later(deferred))
    }

    /// Puts the answer off until a job has made a value, which has to begin in time.
    pub(super) fn defer_job<T: Send + 'static>(
        self,
        continuation: impl FnOnce(T, ResponseWriter<'_>) -> Reply + 'static,
        queue_time: Duration,
        retry_after: Duration,
    ) -> (Promise<T>, Arc<defer::ClientState>, Reply) {
        let (completer, mut deferred) = self.put_off();
        let now = self.shared.now;
        let latest = now + self.shared.limits.handler_time;
        if self.shared.added.answer_by().is_none() {
            self.shared.added.set_answer_by(latest);
        }
        deferred.continuation = Some(Contained::new(defer::continuation(continuation)));
        deferred.begin_by = Some(BeginBy {
            at: now + queue_time,
            retry_after,
        });
        let client = completer.state();
        (Promise::new(completer), client, self.later(deferred))
    }

    fn put_off(&self) -> (Completer, Deferred) {
        let exchange = self.conn.serial();
        let completer = Completer::new(
            self.shared.mailbox.clone(),
            self.shared.connection,
            exchange,
        );
        let deferred = Deferred::new(completer.state());
        (completer, deferred)
    }

    fn later(self, deferred: Deferred) -> Reply {
        let kind = match self.fault {
            Some(fault) => Kind::Unsendable(fault),
            None => Kind::Later(deferred),
        };
        self.shared.outcome = Some(Outcome {
            status: 0,
            kind,
            content_bytes: None,
        });
        Reply(())
    }

    /// Answers that there is no room for the request now, and when there may be (RFC 9110 §10.2.3).
    pub(super) fn busy(self, retry_after: Duration) -> Reply {
        let secs = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
        self.status(503)
            .field_fmt(
                const { FieldName::new("Retry-After") },
                format_args!("{secs}"),
            )
            .text("too busy\n")
    }

    /// What has the stream asked again that this writer begins: a [`Source`], a [`Duplex`], or the
    /// [`Sink`](super::Sink) that [`intake`](super::Handler::intake) gives for the body. Allocates once for all wakers of a
    /// stream.
    pub fn waker(&mut self) -> Waker {
        let (mailbox, exchange) = (self.shared.mailbox.clone(), self.conn.serial());
        let state = self.shared.wakes.state();
        Waker::new(mailbox, self.shared.connection, exchange, state)
    }

    /// Changes the protocol of the connection: 101, after which bytes go both ways without framing (RFC 9110 §7.8). `head`
    /// is that of the request.
    ///
    /// A client that has not asked for it ([`Head::asks_for`]), or whose body has not come yet, gets 426 with the name of
    /// the protocol, and that reply is the error. A name that is no token is 500.
    pub fn upgrade(self, head: &Head<'_>, protocol: &str) -> Result<Upgrade<'a>, Reply> {
        if !head.asks_for(protocol) || !self.conn.can_upgrade() {
            return Err(self
                .status(426)
                .field(const { FieldName::new("Upgrade") }, protocol)
                .text("this needs another protocol\n"));
        }
        Ok(Upgrade(
            self.begin(101)
                .field(const { FieldName::new("Upgrade") }, protocol),
        ))
    }

    /// Where the connection comes from: what [`Request::peer`](super::Request::peer) says, for who has no request.
    pub fn peer(&self) -> PeerAddress {
        *self.peer
    }

    /// The connection that the request has come on, as an [`Observer`](super::Observer) is told.
    #[inline]
    pub fn connection(&self) -> Token {
        self.shared.connection
    }

    /// A moment by which the first byte of the request had come: for handlers that answer with what they remember.
    #[inline]
    pub fn moment(&self) -> Moment {
        self.moment
    }

    /// What was kept with the connection of this type, if anything was.
    pub fn connection_state<T: 'static>(&mut self) -> Option<&mut T> {
        self.states.get()
    }

    /// What is kept with the connection of this type, made now if there is none: one value of each type. It is dropped when
    /// the connection ends. A connection with none costs 8 bytes and no allocation.
    ///
    /// What belongs to a core rather than to a connection is the handler's own: it has `&mut self`, and may hold an
    /// [`Rc`](std::rc::Rc).
    ///
    /// ```
    /// use edgeloop::{Reply, Request, ResponseWriter};
    ///
    /// #[derive(Default)]
    /// struct Asked(u32);
    ///
    /// fn count(_: &Request, mut res: ResponseWriter) -> Reply {
    ///     let asked = res.connection_state_or(Asked::default);
    ///     asked.0 += 1;
    ///     let asked = asked.0;
    ///     res.status(200).text(format!("{asked} on this connection\n"))
    /// }
    /// ```
    pub fn connection_state_or<T: 'static>(&mut self, make: impl FnOnce() -> T) -> &mut T {
        self.states.get_or(make)
    }

    /// Takes the connection out of the server without an answer: what is to be said on it is for `take` to say. Answers to
    /// earlier requests are sent first. Then `take` gets the descriptor and whatever the client has sent behind the
    /// request's head, or behind its body where the handler has seen that, on the loop; it is not called if the client goes
    /// before. A panic in it costs what it has taken.
    pub fn take_out(self, take: impl FnOnce(TakenOut) + 'static) -> Reply {
        let kind = Kind::TakeOut(Taker(Contained::new(Box::new(take))));
        self.shared.outcome = Some(Outcome {
            status: 0,
            kind,
            content_bytes: None,
        });
        Reply(())
    }

    /// The loop that this runs on, for timers and descriptors of one's own.
    pub fn local(&self) -> &Local {
        &self.shared.local
    }

    /// The server's limits.
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }
}

/// The methods of RFC 9110 §9.3, and PATCH of RFC 5789.
fn is_registered(method: &str) -> bool {
    matches!(
        method,
        "GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "CONNECT" | "OPTIONS" | "TRACE" | "PATCH"
    )
}

/// An answer whose status is written and whose fields are being written.
#[derive(Debug)]
pub struct HeadWriter<'a> {
    pub(super) conn: &'a mut Conn,
    pub(super) shared: &'a mut Shared,
    /// Where in the output the answer begins: back to there if it can't be.
    begin: usize,
    status: u16,
    fault: Option<FieldError>,
}

impl HeadWriter<'_> {
    /// Adds a field. That its name is one is checked when the program is compiled ([`field_name!`](crate::field_name)).
    ///
    /// A value with a control character makes the whole answer a 500: nothing of it can reach the client, whatever an
    /// attacker put into a value.
    #[inline]
    #[must_use]
    pub fn field(mut self, name: FieldName<'_>, value: impl AsRef<[u8]>) -> Self {
        if let Err(fault) = encode::field(&mut self.shared.out, name, value.as_ref()) {
            self = self.with_fault(fault);
        }
        self
    }

    /// Adds a field that was checked when the program was compiled. Costs one copy.
    #[inline]
    #[must_use]
    pub fn line(self, line: FieldLine) -> Self {
        self.shared.out.extend_from_slice(line.as_str().as_bytes());
        self
    }

    /// Adds fields that were encoded before. Costs one copy.
    #[inline]
    #[must_use]
    pub fn lines(self, lines: &FieldLines) -> Self {
        self.shared.out.extend_from_slice(lines.as_bytes());
        self
    }

    /// Adds what `add` adds, and gives the lines that it has come to, for other answers that are to have the same. `None`: a
    /// field can't be sent, and the answer is a 500.
    pub fn record(mut self, add: impl FnOnce(Self) -> Self) -> (Self, Option<FieldLines>) {
        let (begin, fault) = (self.shared.out.len(), self.fault.take());
        let mut answer = add(self);
        let lines = match answer.fault {
            None => FieldLines::encoded(&answer.shared.out[begin..]),
            Some(_) => None,
        };
        answer.fault = fault.or(answer.fault);
        (answer, lines)
    }

    /// Adds a field whose value is formatted, without allocating.
    #[must_use]
    pub fn field_fmt(mut self, name: FieldName<'_>, value: core::fmt::Arguments<'_>) -> Self {
        let mut scratch = core::mem::take(&mut self.shared.scratch);
        scratch.clear();
        if scratch.write_fmt(value).is_ok() {
            self = self.field(name, &scratch);
        } else {
            self.fault = self.fault.or(Some(FieldError::Value)); // cut short by its Display
        }
        self.shared.scratch = scratch;
        self
    }

    /// Ends the answer with this content, copied into the output.
    #[inline]
    pub fn body(self, content: impl AsRef<[u8]>) -> Reply {
        let length = Length::Known(content.as_ref().len() as u64);
        self.finish(length, |conn, shared, status| {
            let (limits, out) = (&shared.limits.http, &mut shared.out);
            conn.finish_whole(limits, out, status, content.as_ref());
            Kind::Whole
        })
    }

    /// Ends the answer with plain text.
    #[inline]
    pub fn text(self, content: impl AsRef<[u8]>) -> Reply {
        self.line(TEXT).body(content)
    }

    /// Ends the answer with this content, and takes the connection out of the server once it is sent: see
    /// [`ResponseWriter::take_out`].
    pub fn take_out(
        self,
        content: impl AsRef<[u8]>,
        take: impl FnOnce(TakenOut) + 'static,
    ) -> Reply {
        let length = Length::Known(content.as_ref().len() as u64);
        self.finish(length, |conn, shared, status| {
            let (limits, out) = (&shared.limits.http, &mut shared.out);
            conn.finish_whole(limits, out, status, content.as_ref());
            Kind::TakeOut(Taker(Contained::new(Box::new(take))))
        })
    }

    /// Ends the answer without content.
    pub fn empty(self) -> Reply {
        self.body([])
    }

    /// Ends the answer with content that is sent from where it is: worth it from some 10 KiB on.
    pub fn constant(self, content: &'static [u8]) -> Reply {
        self.followed_by(Length::Known(content.len() as u64), |_, _| {
            Kind::Tail(Tail::Static(content))
        })
    }

    /// Ends the answer with content that others share, sent from where it is.
    pub fn shared(self, content: Arc<[u8]>) -> Reply {
        let whole = 0..content.len();
        self.shared_part(content, whole)
    }

    /// The same with a part of it. A part that reaches beyond its end is 500.
    pub fn shared_part(self, content: Arc<[u8]>, part: Range<usize>) -> Reply {
        if content.get(part.clone()).is_none() {
            return self.fail();
        }
        self.followed_by(Length::Known(part.len() as u64), |_, _| {
            Kind::Tail(Tail::Shared {
                bytes: content,
                at: part.start,
                end: part.end,
            })
        })
    }

    /// Ends the answer with content that is made while it is sent. Allocates once, for the source.
    pub fn stream(self, length: Length, source: impl Source + 'static) -> Reply {
        self.followed_by(length, |_, _| {
            Kind::Tail(Tail::Source(Contained::new(Box::new(source))))
        })
    }

    /// Begins content that goes on while the body of the request comes; `duplex` gives the one and takes the other. To
    /// answer before the body is there, it is what [`intake`](super::Handler::intake) [answers](super::Intake::Answer).
    /// Allocates twice.
    pub fn duplex(self, length: Length, duplex: impl Duplex + 'static) -> Reply {
        // A client that waits for 100 before it sends gets it before the answer, not after.
        if self.fault.is_none() {
            let mut interim = Vec::new();
            self.conn.want_body(&mut interim);
            self.shared.out.splice(self.begin..self.begin, interim);
        }
        self.followed_by(length, |_, _| {
            Kind::Tail(Tail::Duplex(Contained::new(Rc::new(RefCell::new(duplex)))))
        })
    }

    /// Ends the answer with `length` bytes of a regular file from `offset` on: an [`Fd`] of its own, or an `Arc` of one that
    /// others send from as well. A file that turns out shorter is 500 if nothing of it was sent, and else breaks the
    /// connection rather than be padded.
    pub fn file(self, file: impl Borrow<Fd> + Into<Arc<Fd>>, offset: u64, length: u64) -> Reply {
        self.file_ahead(file, offset, length, None)
    }

    /// The same with somebody who sees to it that no piece of it has to be waited for, however small it is.
    pub fn file_ahead(
        self,
        file: impl Borrow<Fd> + Into<Arc<Fd>>,
        offset: u64,
        length: u64,
        ahead: Option<Box<dyn ReadAhead>>,
    ) -> Reply {
        self.followed_by(Length::Known(length), |conn, shared| {
            if length > SMALL_FILE_BYTES || ahead.is_some() {
                return Kind::Tail(Tail::File {
                    file: file.into(),
                    at: offset,
                    left: length,
                    ahead: ahead.map(Contained::new),
                });
            }
            if read_all_onto(file.borrow(), &mut shared.out, length as usize, offset) {
                conn.sent_body(&shared.limits.http, length);
                Kind::Whole
            } else {
                Kind::Broken
            }
        })
    }

    pub(super) fn with_fault(mut self, fault: FieldError) -> Self {
        self.fault = self.fault.or(Some(fault));
        self
    }

    /// Ends the head; the content, if any is to be sent, is made by `content`.
    #[inline]
    pub(super) fn followed_by(
        self,
        length: Length,
        content: impl FnOnce(&mut Conn, &mut Shared) -> Kind,
    ) -> Reply {
        self.finish(length, |conn, shared, status| {
            let (limits, out) = (&shared.limits.http, &mut shared.out);
            match conn.finish_head(limits, out, status, length) {
                Content::Sent => content(conn, shared),
                Content::Omitted => Kind::Whole,
            }
        })
    }

    /// The one end of all answers.
    #[inline]
    pub(super) fn finish(
        self,
        length: Length,
        end: impl FnOnce(&mut Conn, &mut Shared, u16) -> Kind,
    ) -> Reply {
        let HeadWriter {
            conn,
            shared,
            begin,
            status,
            fault,
        } = self;
        let kind = if let Some(fault) = fault {
            shared.out.truncate(begin);
            Kind::Unsendable(fault)
        } else {
            shared.added.end_head(&mut shared.out, begin);
            end(conn, shared, status)
        };
        let content_bytes = match length {
            Length::Known(bytes) => Some(bytes),
            Length::Unknown => None,
        };
        shared.outcome = Some(Outcome {
            status,
            kind,
            content_bytes,
        });
        Reply(())
    }
}

/// An answer that changes the protocol: 101, whose fields are being written.
#[derive(Debug)]
pub struct Upgrade<'a>(HeadWriter<'a>);

impl Upgrade<'_> {
    /// Adds a field, as [`HeadWriter::field`] does.
    #[must_use]
    pub fn field(self, name: FieldName<'_>, value: impl AsRef<[u8]>) -> Self {
        Upgrade(self.0.field(name, value))
    }

    /// From here on the connection is `duplex`'s, beginning with what the client has sent behind its request. It ends when
    /// [`pull`](Duplex::pull) says [`End`](super::Pull::End), after what was written is sent.
    pub fn duplex(self, duplex: impl Duplex + 'static) -> Reply {
        self.0.finish(Length::Unknown, |conn, shared, _| {
            conn.upgrade(&mut shared.out);
            Kind::Tail(Tail::Duplex(Contained::new(Rc::new(RefCell::new(duplex)))))
        })
    }
}
