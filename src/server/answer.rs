//! From events to answers: whom to ask, and what to do when there is no answer.

use core::time::Duration;

use super::awaits::Party;
use super::buffers::Exhausted;
use super::contain::{Contained, contain};
use super::defer::{BeginBy, Finish};
use super::handler::{Handler, Intake, Request};
use super::observer::{Observer, Summary, Trouble};
use super::output::{Output, Tail};
use super::response::{Kind, Outcome, Reply, ResponseWriter};
use super::session::{Cx, Held, Next, Pending, Session};
use super::shared::Shared;
use super::stream::Sink;
use super::transport::Transport;
use crate::http::{self, Body, Event, Fields, Form, Head, Reject, Slots, TrailerSlots};
use crate::sys::{Ready, probes};

impl<T: Transport> Session<T> {
    /// A request has begun. `rest` is what came behind its head: how much of it belongs to the request and was used.
    #[inline]
    pub(super) fn begin<H: Handler, O: Observer>(
        &mut self,
        cx: &mut Cx<'_, H, O>,
        head: &Head<'_>,
        rest: &[u8],
    ) -> usize {
        if cx.shared.phase.is_draining() {
            self.conn.close_after_answer();
        }
        cx.observer.head(cx.shared.connection, head);
        let framing = head.framing();
        if framing.body == Body::None {
            self.handle(cx, &Request::new(head, &[], Fields::default(), self.peer));
            return 0;
        }
        self.begin_body(cx, head, framing.body, rest)
    }

    fn begin_body<H: Handler, O: Observer>(
        &mut self,
        cx: &mut Cx<'_, H, O>,
        head: &Head<'_>,
        body: Body,
        rest: &[u8],
    ) -> usize {
        if !is_for_handler(head) {
            self.handle(cx, &Request::new(head, &[], Fields::default(), self.peer));
            return 0;
        }
        let body_max = match self.intake(cx, head).map(Contained::into_inner) {
            Some(Intake::Buffer(bytes)) => {
                // Whoever passed the request on is asked again when it is whole.
                cx.shared.added.clear();
                bytes
            }
            Some(Intake::Stream { sink, bytes_max }) => {
                return self.begin_stream(cx, body, Contained::new(sink), bytes_max);
            }
            Some(Intake::Answer(_)) | None => return 0,
        };
        let bound = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
        let body_max = bound(body_max);
        let length = match body {
            Body::Length(length) => Some(length.get()),
            Body::None | Body::Chunked => None,
        };
        if length.is_some_and(|length| length > u64::from(body_max)) {
            self.conn.refuse(Reject::BodyTooLarge);
            self.answer_reject(cx, Reject::BodyTooLarge);
            return 0;
        }
        self.conn.want_body(&mut cx.shared.out);
        if length.is_some_and(|length| length <= rest.len() as u64) {
            return self.answer_in_place(cx, head, rest);
        }
        self.held = Held::Body {
            bytes: cx.shared.pool.keep(head.bytes()),
            head: bound(head.bytes().len()),
            body: 0,
            body_max,
        };
        0
    }

    /// The body goes on as it comes.
    fn begin_stream<H: Handler, O: Observer>(
        &mut self,
        cx: &mut Cx<'_, H, O>,
        body: Body,
        sink: Contained<Box<dyn Sink>>,
        bytes_max: u64,
    ) -> usize {
        if let Body::Length(length) = body
            && length.get() > bytes_max
        {
            self.conn.refuse(Reject::BodyTooLarge);
            self.answer_reject(cx, Reject::BodyTooLarge);
            return 0;
        }
        self.conn.want_body(&mut cx.shared.out);
        self.begin_sink(cx.shared, sink, bytes_max);
        0
    }

    /// The body is here as it was sent: the handler sees it where it lies.
    fn answer_in_place<H: Handler, O: Observer>(
        &mut self,
        cx: &mut Cx<'_, H, O>,
        head: &Head<'_>,
        rest: &[u8],
    ) -> usize {
        let limits = &cx.shared.limits.http;
        let (used, event) = self.conn.next_data(limits, rest);
        let Event::Data(body) = event else {
            return used;
        };
        let (_, event) = self.conn.next_data(limits, &rest[used..]);
        debug_assert!(matches!(event, Event::End), "a length was wholly there");
        self.handle(cx, &Request::new(head, body, Fields::default(), self.peer));
        used
    }

    /// What the handler wants of a body; nothing when there is an answer.
    fn intake<H: Handler, O: Observer>(
        &mut self,
        cx: &mut Cx<'_, H, O>,
        head: &Head<'_>,
    ) -> Option<Contained<Intake>> {
        let request = Request::new(head, &[], Fields::default(), self.peer);
        let mut wanted = None;
        self.with_handler(cx, |handler, res| match handler.intake(&request, res) {
            Intake::Answer(reply) => Some(reply),
            intake @ (Intake::Buffer(_) | Intake::Stream { .. }) => {
                wanted = Some(Contained::new(intake));
                None
            }
        });
        // Nothing is read for who has been answered.
        wanted.filter(|_| self.conn.owes_head() && self.awaits.is_nobody())
    }

    /// A request is whole: its answer, or that there will be one.
    #[inline(never)] // a phase
    fn handle<H: Handler, O: Observer>(&mut self, cx: &mut Cx<'_, H, O>, request: &Request<'_>) {
        let exchange = self.conn.serial().into();
        probes::handle(cx.shared.connection.to_bits(), exchange);
        if is_for_handler(request) {
            return self.with_handler(cx, |handler, res| Some(handler.on_request(request, res)));
        }
        match request.target().form() {
            // RFC 9110 §9.3.7: the server as a whole. It can say that it is here.
            Form::Asterisk | Form::Origin | Form::Absolute => {
                self.with_handler(cx, |_, res| Some(res.status(200).empty()));
            }
            Form::Authority => {
                self.with_handler(cx, |_, res| {
                    Some(res.status(501).text("this is no proxy\n"))
                });
            }
        }
    }

    /// Lets the handler or somebody in its place write an answer, and takes care of what it does wrong. No reply: it
    /// wants the body first.
    #[inline]
    pub(super) fn with_handler<H: Handler, O: Observer>(
        &mut self,
        cx: &mut Cx<'_, H, O>,
        answer: impl FnOnce(&mut H, ResponseWriter<'_>) -> Option<Reply>,
    ) {
        cx.shared.added.begin(None);
        self.go_on_with(cx, answer);
    }

    /// The same with what was said of the answer before.
    #[inline]
    pub(super) fn go_on_with<H: Handler, O: Observer>(
        &mut self,
        cx: &mut Cx<'_, H, O>,
        answer: impl FnOnce(&mut H, ResponseWriter<'_>) -> Option<Reply>,
    ) {
        let begin = cx.shared.out.len();
        let writer = self.writer(cx.shared);
        let handler = &mut *cx.handler;
        let answered = contain(move || answer(handler, writer));
        if let (Some(Some(_)), Some(outcome)) = (&answered, &cx.shared.outcome)
            && let Kind::Whole = outcome.kind
        {
            // Nearly always. The others are larger, and moved about.
            let (status, content_bytes) = (outcome.status, outcome.content_bytes);
            cx.shared.outcome = None;
            return self.observe(cx, status, content_bytes, None);
        }
        match (answered, cx.shared.outcome.take()) {
            (Some(Some(_)), Some(outcome)) => self.take(cx, begin, outcome),
            // An answer that was begun and dropped is none.
            (Some(None), None) => cx.shared.out.truncate(begin),
            (Some(Some(_)), None) | (Some(None), Some(_)) => {
                self.answer_fault(cx, begin, &Trouble::NoAnswer);
            }
            (None, _) => self.answer_fault(cx, begin, &Trouble::HandlerPanicked),
        }
    }

    /// Takes a handler's answer: the one place where its kinds part.
    #[inline(never)]
    fn take<H: Handler, O: Observer>(
        &mut self,
        cx: &mut Cx<'_, H, O>,
        begin: usize,
        outcome: Outcome,
    ) {
        let Outcome {
            status,
            kind,
            content_bytes,
        } = outcome;
        match kind {
            Kind::Whole => self.observe(cx, status, content_bytes, None),
            Kind::Tail(tail) => {
                let duplex = match &tail {
                    Tail::Duplex(duplex) => Some(duplex.clone()),
                    Tail::Static(_) | Tail::Shared { .. } | Tail::File { .. } | Tail::Source(_) => {
                        None
                    }
                };
                let wakes = std::mem::take(&mut cx.shared.wakes);
                match &mut self.pending {
                    // What a late answer finds unsent is of those before it, and goes first.
                    Pending::Output(output) => output.follow(tail, wakes),
                    Pending::Nothing | Pending::Linger { .. } => {
                        let mut output = Box::<Output>::default();
                        output.follow(tail, wakes);
                        self.pending = Pending::Output(output);
                    }
                }
                self.observe(cx, status, content_bytes, None);
                if let Some(duplex) = duplex {
                    self.begin_duplex(cx, duplex);
                }
            }
            Kind::Later(mut deferred) => {
                deferred.added = cx.shared.added.keep();
                self.awaits.set(Party::Answer(deferred));
            }
            Kind::TakeOut(taker) => {
                self.awaits.set(Party::Taker(taker));
                if status > 0 {
                    self.observe(cx, status, content_bytes, None);
                }
            }
            Kind::Unsendable(fault) => self.answer_fault(cx, begin, &Trouble::Field(fault)),
            Kind::Broken => self.answer_fault(cx, begin, &Trouble::ContentFailed),
        }
    }

    /// Answers 500 in place of a handler that could not.
    #[cold]
    pub(super) fn answer_fault<H: Handler, O: Observer>(
        &mut self,
        cx: &mut Cx<'_, H, O>,
        begin: usize,
        trouble: &Trouble,
    ) {
        cx.observer.trouble(trouble);
        cx.shared.out.truncate(begin);
        // A head that counts as written stood in the output until now: nothing of it was sent.
        let taken_back = !self.conn.owes_head();
        if taken_back {
            self.conn.retract();
        } else if matches!(trouble, Trouble::HandlerPanicked) {
            self.conn.close_after_answer();
        }
        if matches!(trouble, Trouble::Field(_)) || cx.shared.added.is_unsendable() {
            cx.shared.added.drop_fields();
        }
        let content = if taken_back {
            ""
        } else {
            "the server failed to answer\n"
        };
        let res = self.writer(cx.shared).status(500);
        let _answered = if taken_back {
            res.empty()
        } else {
            res.text(content)
        };
        cx.shared.outcome = None;
        self.observe(cx, 500, Some(content.len() as u64), None);
    }

    /// Answers a client's fault. The connection closes after it.
    #[cold]
    pub(super) fn answer_reject<H: Handler, O: Observer>(
        &mut self,
        cx: &mut Cx<'_, H, O>,
        reject: Reject,
    ) {
        self.drop_held(cx.shared);
        self.drop_inflow(cx.shared);
        cx.shared.added.clear();
        let res = self.writer(cx.shared);
        let reason = [reject.reason(), "\n"].concat();
        let _answered = res.status(reject.status()).text(reason);
        cx.shared.outcome = None;
        self.observe(cx, reject.status(), None, Some(reject));
    }

    #[inline]
    fn writer<'a>(&'a mut self, shared: &'a mut Shared) -> ResponseWriter<'a> {
        ResponseWriter::new(&mut self.conn, &mut self.states, &self.peer, shared)
    }

    #[inline]
    fn observe<H, O: Observer>(
        &self,
        cx: &mut Cx<'_, H, O>,
        status: u16,
        content_bytes: Option<u64>,
        reject: Option<Reject>,
    ) {
        let exchange = self.conn.serial();
        let summary = Summary {
            status,
            exchange,
            reject,
        };
        cx.shared.counters.answers += 1;
        let connection = cx.shared.connection;
        probes::encode(connection.to_bits(), status.into());
        cx.observer.answered(connection, &summary);
        let now = cx.shared.now;
        if cx.shared.added.tell(status, content_bytes, now) {
            cx.observer.trouble(&Trouble::HandlerPanicked);
        }
    }

    /// Keeps a piece of a body that its handler will see whole.
    pub(super) fn hold<H: Handler, O: Observer>(&mut self, cx: &mut Cx<'_, H, O>, data: &[u8]) {
        let Held::Body {
            bytes,
            body,
            body_max,
            ..
        } = &mut self.held
        else {
            return;
        };
        let sum = u32::try_from(data.len())
            .ok()
            .and_then(|more| body.checked_add(more))
            .filter(|sum| sum <= body_max);
        let fault = match sum {
            None => Reject::BodyTooLarge,
            Some(sum) => match cx.shared.pool.try_extend(bytes, data) {
                Ok(()) => {
                    *body = sum;
                    return;
                }
                Err(Exhausted) => Reject::NoRoom,
            },
        };
        self.conn.refuse(fault);
        self.answer_reject(cx, fault);
    }

    pub(super) fn hold_trailer<H, O>(&mut self, cx: &mut Cx<'_, H, O>, section: &[u8]) {
        if let Held::Body { bytes, .. } = &mut self.held {
            cx.shared.pool.extend(bytes, section);
        }
    }

    /// A body that was held is whole: its head is read again, and the handler sees both.
    #[inline(never)]
    pub(super) fn answer_held<H: Handler, O: Observer>(&mut self, cx: &mut Cx<'_, H, O>) {
        let Held::Body {
            bytes, head, body, ..
        } = &mut self.held
        else {
            return; // the end of a body that nobody wanted
        };
        let (bytes, head, body) = (std::mem::take(bytes), *head as usize, *body as usize);
        self.held = Held::Nothing;
        let (head_bytes, rest) = bytes.split_at(head);
        let (body, section) = rest.split_at(body);
        let mut slots = Slots::over(cx.shared.places.pop().unwrap_or_default());
        let mut trailer_slots = None;
        let head = http::reparse(&cx.shared.limits.http, head_bytes, &mut slots);
        // Of a chunked body without trailers it is an empty line.
        let trailers = if section.len() <= 2 {
            Fields::default()
        } else {
            http::trailers(section, trailer_slots.insert(TrailerSlots::new()))
        };
        if let Some(head) = head {
            self.handle(cx, &Request::new(&head, body, trailers, self.peer));
        } else {
            debug_assert!(false, "a head that was sound is sound");
            self.conn.fail();
        }
        cx.shared.places.push(slots.into_places());
        cx.shared.pool.give_back(bytes);
    }

    pub(super) fn drop_held(&mut self, shared: &mut Shared) {
        match std::mem::replace(&mut self.held, Held::Nothing) {
            Held::Nothing => {}
            Held::Raw(bytes) | Held::Body { bytes, .. } => shared.pool.give_back(bytes),
        }
    }

    /// A completer answers. One whose exchange is over does nothing.
    pub(super) fn complete<H: Handler, O: Observer>(
        &mut self,
        cx: &mut Cx<'_, H, O>,
        exchange: u32,
        finish: Finish,
    ) -> Option<Next> {
        if self.conn.serial() != exchange {
            return None;
        }
        let mut deferred = self.awaits.take_deferred()?;
        cx.shared.added.begin(deferred.added.take());
        let continuation = deferred.continuation.take();
        let begin_by = deferred.begin_by;
        drop(deferred);
        let begin = cx.shared.out.len();
        match (finish, continuation) {
            // What is put off once more has no more time: its deadline is part of what was kept.
            (Finish::Give(give), _) => {
                self.go_on_with(cx, |_, res| Some(give.into_inner()(res)));
            }
            (Finish::Value(value), Some(then)) => {
                self.go_on_with(cx, |_, res| {
                    Some(then.into_inner()(value.into_inner(), res))
                });
            }
            (Finish::Dropped, _) | (Finish::Value(_), None) => {
                self.go_on_with(cx, |_, res| {
                    Some(res.status(500).body("the answer was dropped\n"))
                });
            }
            (Finish::Panicked, _) => self.answer_fault(cx, begin, &Trouble::JobPanicked),
            (Finish::Refused, _) => self.answer_busy(cx, begin_by),
        }
        Some(self.drive(cx, Ready::EMPTY))
    }

    /// There is no thread for its job, or none was free in time.
    #[cold]
    fn answer_busy<H: Handler, O: Observer>(
        &mut self,
        cx: &mut Cx<'_, H, O>,
        begin_by: Option<BeginBy>,
    ) {
        let retry_after = begin_by.map_or(Duration::ZERO, |begin| begin.retry_after);
        self.go_on_with(cx, |_, res| Some(res.busy(retry_after)));
    }

    /// A deadline of its handler is over: whether that was an end. A job that has begun in time is waited for as long as
    /// any other answer.
    pub(super) fn expire_handler<H: Handler, O: Observer>(
        &mut self,
        cx: &mut Cx<'_, H, O>,
    ) -> bool {
        if let Some(deferred) = self.awaits.deferred_mut()
            && deferred.answer_by().is_none_or(|at| at > cx.shared.now)
            && let Some(begin_by) = deferred.begin_by.take()
        {
            if !deferred.client.settle() {
                return false;
            }
            self.forget_deferred(cx.shared);
            self.answer_busy(cx, Some(begin_by));
            return true;
        }
        self.answer_late(cx);
        true
    }

    /// Nobody waits for whoever was to answer; what was said of the answer before stands.
    fn forget_deferred(&mut self, shared: &mut Shared) {
        if let Some(mut deferred) = self.awaits.take_deferred() {
            shared.added.begin(deferred.added.take());
        }
    }

    /// The handler has not answered in time.
    fn answer_late<H: Handler, O: Observer>(&mut self, cx: &mut Cx<'_, H, O>) {
        cx.shared.added.begin(None);
        self.forget_deferred(cx.shared);
        self.give_up_sink(cx.shared);
        self.go_on_with(cx, |_, res| {
            Some(res.status(503).text("no answer came in time\n"))
        });
    }
}

/// Whether the request is one for a handler: not for the server as a whole, nor for a proxy.
#[inline]
fn is_for_handler(head: &Head<'_>) -> bool {
    match head.target().form() {
        Form::Origin | Form::Absolute => head.path() != "*",
        Form::Asterisk | Form::Authority => false,
    }
}
