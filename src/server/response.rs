//! Writing answers. What a handler returns can only be made here, so it has answered.

use core::fmt::Write as _;
use std::sync::Arc;

use super::defer::{ClientState, Completer};
use super::limits::Limits;
use super::local::Local;
use super::output::{Source, Tail, read_all_onto};
use super::shared::Shared;
use super::take_out::{Taken, Taker};
use crate::http::{Conn, Content, FieldError, FieldLine, Length, encode};
use crate::reactor::Token;
use crate::sys::Fd;

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

/// What an answer came to, for the session to take when its handler has returned.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) status: u16,
    pub(super) kind: Kind,
}

/// What the session has to do for an answer.
#[derive(Debug)]
pub(super) enum Kind {
    /// Send what was encoded.
    Whole,
    /// And then what follows.
    Tail(Tail),
    /// Wait for a completer.
    Later(Arc<ClientState>),
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
    conn: &'a mut Conn,
    shared: &'a mut Shared,
    connection: Token,
}

impl<'a> ResponseWriter<'a> {
    pub(super) fn new(conn: &'a mut Conn, shared: &'a mut Shared, connection: Token) -> Self {
        shared.outcome = None;
        ResponseWriter {
            conn,
            shared,
            connection,
        }
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
        let begin = self.shared.out.len();
        self.shared.preamble.begin(&mut self.shared.out, status);
        HeadWriter {
            conn: self.conn,
            shared: self.shared,
            begin,
            status,
            fault: None,
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

    /// Puts the answer off. The [`Completer`] gives it, from this thread or any other.
    pub fn defer(self) -> (Completer, Reply) {
        let exchange = self.conn.serial();
        let completer = Completer::new(self.shared.mailbox.clone(), self.connection, exchange);
        let kind = Kind::Later(completer.state());
        self.shared.outcome = Some(Outcome { status: 0, kind });
        (completer, Reply(()))
    }

    /// Takes the connection out of the server without an answer: what is to be said on it is for `take` to say. Answers to
    /// earlier requests are sent first. Then `take` gets the descriptor and whatever the client has sent behind the
    /// request's head, or behind its body where the handler has seen that, on the loop; it is not called if the client goes
    /// before. A panic in it costs what it has taken.
    pub fn take_out(self, take: impl FnOnce(Taken) + 'static) -> Reply {
        let kind = Kind::TakeOut(Taker(Box::new(take)));
        self.shared.outcome = Some(Outcome { status: 0, kind });
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
    conn: &'a mut Conn,
    shared: &'a mut Shared,
    /// Where in the output the answer begins: back to there if it can't be.
    begin: usize,
    status: u16,
    fault: Option<FieldError>,
}

impl HeadWriter<'_> {
    /// Adds a field.
    ///
    /// A name that is no token, a value with a control character, and a field that is the server's to write make the
    /// whole answer a 500: nothing of it can reach the client, whatever an attacker put into a value.
    #[inline]
    #[must_use]
    pub fn field(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        if let Err(fault) = encode::field(&mut self.shared.out, name, value.as_ref()) {
            self.fault = self.fault.or(Some(fault));
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

    /// Adds a field whose value is formatted, without allocating.
    #[must_use]
    pub fn field_fmt(mut self, name: &str, value: core::fmt::Arguments<'_>) -> Self {
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
        self.finish(|conn, shared, status| {
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
    pub fn take_out(self, content: impl AsRef<[u8]>, take: impl FnOnce(Taken) + 'static) -> Reply {
        self.finish(|conn, shared, status| {
            let (limits, out) = (&shared.limits.http, &mut shared.out);
            conn.finish_whole(limits, out, status, content.as_ref());
            Kind::TakeOut(Taker(Box::new(take)))
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
        self.followed_by(Length::Known(content.len() as u64), |_, _| {
            Kind::Tail(Tail::Shared {
                bytes: content,
                at: 0,
            })
        })
    }

    /// Ends the answer with content that is made while it is sent. Allocates once, for the source.
    pub fn stream(self, length: Length, source: impl Source + 'static) -> Reply {
        self.followed_by(length, |_, _| Kind::Tail(Tail::Source(Box::new(source))))
    }

    /// Ends the answer with `length` bytes of a regular file from `offset` on. A file that turns out shorter is 500 if
    /// nothing of it was sent, and else breaks the connection rather than be padded.
    pub fn file(self, file: Fd, offset: u64, length: u64) -> Reply {
        self.followed_by(Length::Known(length), |conn, shared| {
            if length > SMALL_FILE_BYTES {
                return Kind::Tail(Tail::File {
                    file,
                    at: offset,
                    left: length,
                });
            }
            if read_all_onto(&file, &mut shared.out, length as usize, offset) {
                conn.sent_body(&shared.limits.http, length);
                Kind::Whole
            } else {
                Kind::Broken
            }
        })
    }

    /// Ends the head; the content, if any is to be sent, is made by `content`.
    #[inline]
    fn followed_by(
        self,
        length: Length,
        content: impl FnOnce(&mut Conn, &mut Shared) -> Kind,
    ) -> Reply {
        self.finish(|conn, shared, status| {
            let (limits, out) = (&shared.limits.http, &mut shared.out);
            match conn.finish_head(limits, out, status, length) {
                Content::Sent => content(conn, shared),
                Content::Omitted => Kind::Whole,
            }
        })
    }

    /// The one end of all answers.
    #[inline]
    fn finish(self, end: impl FnOnce(&mut Conn, &mut Shared, u16) -> Kind) -> Reply {
        let HeadWriter {
            conn,
            shared,
            begin,
            status,
            fault,
        } = self;
        let kind = match fault {
            Some(fault) => {
                shared.out.truncate(begin);
                Kind::Unsendable(fault)
            }
            None => end(conn, shared, status),
        };
        shared.outcome = Some(Outcome { status, kind });
        Reply(())
    }
}
