//! One connection: from a readable descriptor to written bytes.
//!
//! ```text
//!             ┌────────────────────────────── advance ──────────────────────────────┐
//!   drive ──► │ flush what is owed ─► closing? ─► waiting for an answer? ─► parse … │ ──► Wait, Again or Close
//!             │        ▲                                              receive ◄─┘   │
//!             │        └──────────── answers were encoded ────────────────┘         │
//!             └─────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! A session is driven by readiness and never blocks. It leaves the loop in one of four ways ([`Next`]), and each of
//! them has somebody who wakes it: the kernel or a deadline, the run queue, whoever takes it out, or nobody ever again.
//!
//! Here is the way in; `answer` turns events into answers, `flush` sends them, `closing` ends the connection.

use std::io;

use super::awaits::Awaits;
use super::counters::Counters;
use super::defer::Client;
use super::handler::Handler;
use super::inflow::{Broken, Inflow};
use super::limits::Limits;
use super::moment::Driven;
use super::observer::{CloseReason, Observer, Trouble};
use super::output::Output;
use super::patience::{Patience, Waiting};
use super::shared::{INPUT_BYTES, OUTPUT_BYTES, Shared};
use super::states::States;
use super::transport::Transport;
use crate::http::{Conn, Event, Reading, Slots, Stage};
use crate::sys::{Instant, PeerAddress, Ready, probes};

/// A connection and what it holds: no buffer while it waits for its next request.
pub(super) struct Session<T> {
    pub(super) transport: T,
    /// Sticky: a bit is cleared by EAGAIN, by a short write, or by a short read with no end in sight.
    pub(super) ready: Ready,
    pub(super) watched: Watched,
    /// It is in the run queue, and is driven when its turn comes and not before.
    pub(super) queued: bool,
    /// The client has finished sending, and everything it sent was received.
    pub(super) ended: bool,
    /// There was no room for it, and it has been told so.
    pub(super) turned_away: bool,
    /// It was accepted elsewhere, where there may be other descriptors of it: its registration has to be ended.
    pub(super) adopted: bool,
    pub(super) peer: PeerAddress,
    /// What handlers keep with it.
    pub(super) states: States,
    pub(super) conn: Conn,
    pub(super) held: Held,
    pub(super) pending: Pending,
    /// Whom of the application its exchange is with.
    pub(super) awaits: Awaits,
    pub(super) patience: Patience,
}

/// What the kernel is asked to tell of the descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watched {
    /// That it can be read.
    Reading,
    /// That it can be written as well: from the first short write on.
    Both,
}

/// Bytes of the client that are kept between two drives. Never more than one kind.
pub(super) enum Held {
    Nothing,
    /// As they came: part of a head, or requests that wait for their turn.
    Raw(Vec<u8>),
    /// A head, as much of its body as has come, decoded, and then its trailer section.
    Body {
        bytes: Vec<u8>,
        head: u32,
        body: u32,
        body_max: u32,
    },
}

/// What has to be done before anything else.
pub(super) enum Pending {
    Nothing,
    /// Bytes that the kernel did not take at once, or content that follows.
    Output(Box<Output>),
    /// The end: the sending side is shut, and the client is read so that it can read.
    Linger {
        until: Instant,
        bytes_left: u32,
    },
}

/// What a driven session wants of the loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// To be woken by readiness, by its deadline or by a completer.
    Wait,
    /// To be driven again soon: it has work left, but it is others' turn.
    Again,
    /// To be taken out of the server.
    TakeOut,
    /// To be closed.
    Close(CloseReason),
}

/// What a session borrows from its worker while it is driven.
pub(super) struct Cx<'w, H, O> {
    pub(super) handler: &'w mut H,
    pub(super) observer: &'w mut O,
    pub(super) shared: &'w mut Shared,
}

/// A connection with nothing pending may send this much even when the turn's budget is spent.
const LITTLE_BYTES: usize = 16 << 10;

/// What one drive may still do before it is others' turn.
pub(super) struct Budget {
    pub(super) receive: usize,
    pub(super) send: usize,
    pub(super) requests: usize,
}

impl Budget {
    /// Whether a next request has to wait.
    #[inline]
    fn answers_are_spent(&self) -> bool {
        self.requests == 0 || self.send == 0
    }
}

/// Why parsing stopped.
enum Parsed {
    /// More bytes are needed.
    NeedInput,
    /// An answer stands in the way, or who takes the body, or the end.
    Paused,
    /// Who takes the body can't go on, and the answer has begun.
    Broken,
    /// Enough was encoded, or enough requests were answered.
    Enough,
}

/// How sending ended.
pub(super) enum Flushed {
    /// Nothing is owed.
    All,
    /// The kernel takes no more.
    Blocked,
    /// The budget is spent.
    Enough,
}

impl<T: Transport> Session<T> {
    pub(super) fn new(transport: T, peer: PeerAddress, shared: &Shared) -> Session<T> {
        Session {
            transport,
            ready: Ready::WRITE,
            watched: Watched::Reading,
            queued: false,
            ended: false,
            turned_away: false,
            adopted: false,
            peer,
            states: States::default(),
            conn: Conn::new(),
            held: Held::Nothing,
            pending: Pending::Nothing,
            awaits: Awaits::default(),
            patience: Patience::new(&shared.limits, shared.now),
        }
    }

    /// Does all that can be done now. The one way in for readiness, for leftover work, and after every answer.
    ///
    /// A keep-alive request costs one receive and one send, and allocates nothing.
    pub(super) fn drive<H: Handler, O: Observer>(
        &mut self,
        cx: &mut Cx<'_, H, O>,
        ready: Ready,
    ) -> Next {
        self.note(ready);
        let arrival = ready.contains(Ready::READ) && matches!(self.held, Held::Nothing);
        cx.shared.moments.drive(if arrival {
            Driven::ByArrival
        } else {
            Driven::Otherwise
        });
        let limits = &cx.shared.limits;
        let mut budget = Budget {
            receive: limits.receive_budget,
            send: limits.send_budget.min(self.allowance(cx.shared)),
            requests: limits.request_budget,
        };
        let mut input = std::mem::take(&mut cx.shared.input);
        let next = self
            .advance(cx, &mut input, &mut budget)
            .and_then(|next| self.keep_unsent(cx.shared).map(|()| next))
            .unwrap_or_else(Next::Close);
        cx.shared.input = input;
        cx.shared.give_back_out();
        if next == Next::Close(CloseReason::Failed) {
            cx.observer.trouble(&Trouble::ContentFailed);
        }
        debug_assert!(self.holds_little(&cx.shared.limits), "within its limits");
        if next == Next::Wait {
            debug_assert!(self.is_woken(), "somebody wakes it");
            self.wait(cx.shared);
        }
        next
    }

    /// What the turn has left for it to send. One that owes nothing may always send a little: who asks for little does not
    /// wait behind those who ask for much.
    #[inline]
    pub(super) fn allowance(&self, shared: &Shared) -> usize {
        match self.pending {
            Pending::Nothing => shared.send_budget.max(LITTLE_BYTES),
            Pending::Output(_) | Pending::Linger { .. } => shared.send_budget,
        }
    }

    /// Notes what the kernel has said; it is acted upon when the session is driven.
    #[inline]
    pub(super) fn note(&mut self, ready: Ready) {
        self.ready.insert(ready);
        if ready.intersects(Ready::HANGUP | Ready::ERROR) {
            // Receiving and sending say what it is, after the bytes that came before it.
            self.ready.insert(Ready::READ | Ready::WRITE);
        }
    }

    fn advance<H: Handler, O: Observer>(
        &mut self,
        cx: &mut Cx<'_, H, O>,
        input: &mut [u8],
        budget: &mut Budget,
    ) -> Result<Next, CloseReason> {
        loop {
            match self.flush(cx.shared, budget)? {
                Flushed::All => {
                    if self.awaits.has_taker() {
                        return Ok(Next::TakeOut);
                    }
                    if let Stage::Closing(reason) = self.conn.stage() {
                        return self.close(cx.shared, input, budget, *reason);
                    }
                }
                // A body may be taken while its answer goes on.
                Flushed::Blocked if self.takes_body() => {}
                Flushed::Blocked => return Ok(Next::Wait),
                Flushed::Enough => return Ok(Next::Again),
            }
            if let Some(deferred) = self.awaits.deferred() {
                if self.ready.intersects(Ready::HANGUP | Ready::ERROR) {
                    return Err(CloseReason::Reset);
                }
                if self.ready.contains(Ready::PEER_CLOSED) {
                    deferred.client.set(Client::HalfClosed);
                }
                return Ok(Next::Wait);
            }
            if matches!(self.conn.stage(), Stage::Exchange(_)) && self.waiting().is_none() {
                debug_assert!(false, "an answer is owed, and nobody would give it");
                return Err(self.break_off(CloseReason::Failed));
            }
            if let Some(inflow) = self.awaits.inflow() {
                if inflow.is_stalled() {
                    return self.wait_for_taker();
                }
                if inflow.has_unread() {
                    self.offer_unread(cx)
                        .map_err(|broken| self.broken(broken))?;
                    continue;
                }
            }
            match self.parse_held(cx, budget) {
                Parsed::Broken => return Err(self.broken(Broken)),
                Parsed::Paused => continue,
                Parsed::NeedInput | Parsed::Enough
                    if !cx.shared.out.is_empty() || self.can_send() =>
                {
                    continue;
                }
                Parsed::Enough => return Ok(Next::Again),
                Parsed::NeedInput => {}
            }
            if self.ended {
                self.finish_input(cx)?;
            } else if !self.ready.contains(Ready::READ) {
                return Ok(Next::Wait);
            } else if budget.receive == 0 || budget.answers_are_spent() {
                return Ok(Next::Again);
            } else {
                let received = self.receive(input, &mut budget.receive, &mut cx.shared.counters)?;
                probes::recv_ready(cx.shared.connection.to_bits(), received as u64);
                cx.shared.moments.receive();
                if received > 0 {
                    let connection = cx.shared.connection;
                    cx.observer.received(connection, &input[..received]);
                }
                self.parse_received(cx, &input[..received], budget)
                    .map_err(|broken| self.broken(broken))?;
            }
        }
    }

    /// Whether an answer can go on: it has something to give, perhaps because of what was taken of the body.
    #[inline]
    fn can_send(&self) -> bool {
        match &self.pending {
            Pending::Output(output) => !output.waits() && self.ready.contains(Ready::WRITE),
            Pending::Nothing | Pending::Linger { .. } => false,
        }
    }

    /// Who takes the body has no room. Nothing is received meanwhile, so only events tell that the client has gone.
    #[cold]
    fn wait_for_taker(&self) -> Result<Next, CloseReason> {
        if self.ready.intersects(Ready::HANGUP | Ready::ERROR) {
            return Err(CloseReason::Reset);
        }
        Ok(Next::Wait)
    }

    #[cold]
    fn broken(&mut self, _: Broken) -> CloseReason {
        self.break_off(CloseReason::Failed)
    }

    /// One receive, and what it says about readiness.
    #[inline]
    pub(super) fn receive(
        &mut self,
        input: &mut [u8],
        budget: &mut usize,
        counters: &mut Counters,
    ) -> Result<usize, CloseReason> {
        match self.transport.recv_ready(input, counters) {
            Ok(0) => {
                self.ended = true;
                self.ready.remove(Ready::READ);
                Ok(0)
            }
            Ok(received) => {
                // A short read has drained the socket, unless an end is near: data and FIN come as one event, and no
                // edge would announce the FIN again.
                if received < input.len() && !self.ready.intersects(Ready::END) {
                    self.ready.remove(Ready::READ);
                }
                *budget = budget.saturating_sub(received);
                // What it sends is no progress of what it reads.
                match &self.pending {
                    Pending::Output(output) if !output.waits() => {}
                    Pending::Nothing | Pending::Output(_) | Pending::Linger { .. } => {
                        self.patience.moved(received);
                    }
                }
                Ok(received)
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => {
                    self.ready.remove(Ready::READ);
                    Ok(0)
                }
                // Once more, but not in this turn: a call is not repeated for as long as it likes.
                io::ErrorKind::Interrupted => {
                    *budget = 0;
                    Ok(0)
                }
                _ => Err(CloseReason::Reset),
            },
        }
    }

    #[inline]
    fn parse_received<H: Handler, O: Observer>(
        &mut self,
        cx: &mut Cx<'_, H, O>,
        received: &[u8],
        budget: &mut Budget,
    ) -> Result<(), Broken> {
        if let Held::Raw(bytes) = &mut self.held {
            cx.shared.pool.extend(bytes, received);
            return Ok(()); // parse_held goes on
        }
        let (used, parsed) = self.parse(cx, received, budget);
        if used < received.len() {
            self.held = Held::Raw(cx.shared.pool.keep(&received[used..]));
        }
        match parsed {
            Parsed::Broken => Err(Broken),
            Parsed::NeedInput | Parsed::Paused | Parsed::Enough => Ok(()),
        }
    }

    #[inline]
    fn parse_held<H: Handler, O: Observer>(
        &mut self,
        cx: &mut Cx<'_, H, O>,
        budget: &mut Budget,
    ) -> Parsed {
        let mut bytes = match &mut self.held {
            Held::Raw(bytes) => std::mem::take(bytes),
            // The end of a body may still be to be told.
            Held::Nothing if self.awaits.inflow().is_some() => Vec::new(),
            Held::Nothing | Held::Body { .. } => return Parsed::NeedInput,
        };
        self.held = Held::Nothing;
        let (used, parsed) = self.parse(cx, &bytes, budget);
        if used == bytes.len() {
            cx.shared.pool.give_back(bytes);
        } else {
            bytes.drain(..used);
            self.held = Held::Raw(bytes);
        }
        parsed
    }

    /// Steps through `input` as far as it goes: how much of it was used. The rest is the caller's to keep.
    #[inline]
    fn parse<H: Handler, O: Observer>(
        &mut self,
        cx: &mut Cx<'_, H, O>,
        input: &[u8],
        budget: &mut Budget,
    ) -> (usize, Parsed) {
        let mut slots = Slots::over(cx.shared.places.pop().unwrap_or_default());
        let parsed = self.parse_into(cx, &mut slots, input, budget);
        cx.shared.places.push(slots.into_places());
        parsed
    }

    fn parse_into<'i, H: Handler, O: Observer>(
        &mut self,
        cx: &mut Cx<'_, H, O>,
        slots: &mut Slots<'i>,
        input: &'i [u8],
        budget: &mut Budget,
    ) -> (usize, Parsed) {
        let mut at = 0;
        loop {
            // After the last request of a batch.
            if at == input.len() && matches!(self.conn.stage(), Stage::Head { .. }) {
                return (at, Parsed::NeedInput);
            }
            let stands_in_the_way = match self.awaits.inflow() {
                None => !self.awaits.is_nobody() || !matches!(self.pending, Pending::Nothing),
                Some(inflow) => inflow.is_stalled(),
            };
            if stands_in_the_way {
                return (at, Parsed::Paused);
            }
            // Only between requests: the rest of a body belongs to what is held of it.
            if matches!(self.conn.stage(), Stage::Head { .. })
                && (cx.shared.out.len() >= OUTPUT_BYTES || budget.answers_are_spent())
            {
                return (at, Parsed::Enough);
            }
            if input[at..].starts_with(b"\r") {
                cx.shared.moments.pass(2); // an empty line is not the request behind it
            }
            let (used, event) = self.conn.next(&cx.shared.limits.http, &input[at..], slots);
            at += used;
            let moment = cx.shared.moments.pass(used);
            match event {
                Event::NeedInput => return (at, Parsed::NeedInput),
                // An answer that goes on while its body comes can't end well when that does not.
                Event::Closed if self.awaits.inflow().is_some() => return (at, Parsed::Broken),
                Event::Paused | Event::Closed => return (at, Parsed::Paused),
                Event::Request(head) => {
                    budget.requests -= 1;
                    cx.shared.counters.requests += 1;
                    cx.shared.moments.begin_request(moment);
                    let connection = cx.shared.connection.to_bits();
                    probes::parse_head(connection, head.bytes().len() as u64);
                    at += self.begin(cx, &head, &input[at..]);
                }
                Event::Data(data) if self.awaits.inflow().is_some() => {
                    if self.take_data(cx, data).is_err() {
                        return (at, Parsed::Broken);
                    }
                }
                Event::Trailer(bytes) if self.awaits.inflow().is_some() => {
                    self.take_trailer(cx, bytes);
                }
                Event::End if self.awaits.inflow().is_some() => self.end_inflow(cx),
                Event::Data(data) => self.hold(cx, data),
                Event::Trailer(bytes) => self.hold_trailer(cx, bytes),
                Event::End => self.answer_held(cx),
                Event::Rejected(reject) => self.answer_reject(cx, reject),
            }
        }
    }

    fn finish_input<H: Handler, O: Observer>(
        &mut self,
        cx: &mut Cx<'_, H, O>,
    ) -> Result<(), CloseReason> {
        let rest = match &self.held {
            Held::Raw(bytes) => bytes.as_slice(),
            Held::Nothing | Held::Body { .. } => &[],
        };
        if let Some(reject) = self.conn.finish_input(&cx.shared.limits.http, rest) {
            self.answer_reject(cx, reject);
        }
        self.finish_duplex(cx)
    }

    /// What it waits for: a function of where it is. `None`: an answer is owed, and nobody would give it.
    #[inline]
    pub(super) fn waiting(&self) -> Option<Waiting> {
        match (&self.pending, self.conn.stage()) {
            // Where a framed body is awaited as well, its client is the one who has to go on.
            (Pending::Output(output), stage) if output.waits() => {
                if self.takes_body() && stage.is_in_framed_body() {
                    Some(Waiting::Body)
                } else {
                    Some(Waiting::Stream)
                }
            }
            (Pending::Output(_), _) => Some(Waiting::Write),
            (Pending::Linger { .. }, _) | (Pending::Nothing, Stage::Closing(_)) => {
                Some(Waiting::Linger)
            }
            (Pending::Nothing, Stage::Head { .. }) => Some(match self.held {
                Held::Raw(_) => Waiting::Head,
                Held::Nothing | Held::Body { .. } if self.conn.serial() == 0 => Waiting::FirstByte,
                Held::Nothing | Held::Body { .. } => Waiting::Idle,
            }),
            (Pending::Nothing, Stage::Exchange(_)) if self.awaits.deferred().is_some() => {
                Some(Waiting::Handler)
            }
            (Pending::Nothing, Stage::Exchange(_))
                if self.awaits.inflow().is_some_and(Inflow::is_stalled) =>
            {
                Some(Waiting::Handler)
            }
            (Pending::Nothing, Stage::Exchange(exchange)) => match exchange.reading {
                Reading::Body(_) | Reading::Discard(..) => Some(Waiting::Body),
                Reading::AwaitContinue(_) | Reading::Done => None,
            },
        }
    }

    /// Sets the deadline before the session returns to the loop.
    #[inline]
    pub(super) fn wait(&mut self, shared: &Shared) {
        let Some(waiting) = self.waiting() else {
            return;
        };
        let exchange = self.conn.serial();
        let begins = self
            .patience
            .wait(waiting, exchange, &shared.limits, shared.now);
        match &mut self.pending {
            Pending::Nothing => {
                if let Some(until) = self.awaits.until() {
                    self.patience.set(until);
                }
            }
            Pending::Output(output) if begins && waiting == Waiting::Write => {
                // From here on progress is what the peer acknowledges of this.
                output.unacknowledged = self.transport.unacknowledged().unwrap_or(0) as u64;
                self.patience.take_progress();
            }
            Pending::Output(_) => {}
            Pending::Linger { until, .. } => self.patience.not_after(*until),
        }
        if shared.phase.is_draining() && matches!(waiting, Waiting::Idle | Waiting::FirstByte) {
            self.patience
                .not_after(shared.now + shared.limits.drain_grace);
        }
    }

    /// Whether bytes have come that were not received; `None` when the kernel does not say.
    pub(super) fn has_unread(&self) -> Option<bool> {
        self.transport.unread().ok().map(|bytes| bytes > 0)
    }

    /// Whether it keeps no more of what its client has sent than it may: a head and one receive, or a head with its body.
    fn holds_little(&self, limits: &Limits) -> bool {
        if self.awaits.inflow().is_some_and(|it| !it.holds_little()) {
            return false;
        }
        match &self.held {
            Held::Nothing => true,
            Held::Raw(bytes) => bytes.len() <= limits.http.head_bytes_max + INPUT_BYTES,
            Held::Body {
                bytes, body_max, ..
            } => {
                let around = limits.http.head_bytes_max + limits.http.trailer_bytes_max;
                bytes.len() <= around + *body_max as usize
            }
        }
    }

    /// Whether the kernel, a completer or a deadline alone is to wake it: the other ways are the run queue and the end.
    fn is_woken(&self) -> bool {
        let reads = self.takes_body() && self.ready.contains(Ready::READ);
        match self.waiting() {
            Some(Waiting::Handler) => true,
            Some(Waiting::Stream) => !reads,
            Some(Waiting::Write) => !self.ready.contains(Ready::WRITE) && !reads,
            Some(
                Waiting::FirstByte
                | Waiting::Idle
                | Waiting::Head
                | Waiting::Body
                | Waiting::Linger,
            ) => !self.ready.contains(Ready::READ),
            None => false,
        }
    }
}

#[cfg(test)]
mod tests;
