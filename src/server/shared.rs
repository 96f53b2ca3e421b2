//! What all sessions of a worker use in turn.

use core::cell::Cell;
use std::rc::Rc;

use super::added::Added;
use super::buffers::Pool;
use super::counters::Counters;
use super::defer::Message;
use super::drain::Phase;
use super::limits::Limits;
use super::local::Local;
use super::moment::Moments;
use super::preamble::{Preamble, Settings};
use super::response::Outcome;
use super::waker::Wakes;
use crate::http::Places;
use crate::reactor::{Mailbox, Token};
use crate::sys::{CountingAllocator, Instant, signal};

/// Bytes that are received at once. Stays in the cache because every session uses the same.
pub(super) const INPUT_BYTES: usize = 64 << 10;
/// Encoded bytes that are sent before more requests are answered.
pub(super) const OUTPUT_BYTES: usize = 64 << 10;

/// What the buffer of encoded bytes is born with: room for one answer more than is sent at once.
const OUT_BYTES: usize = OUTPUT_BYTES + (16 << 10);
/// A buffer of encoded bytes that has grown beyond this is not kept.
const OUT_BYTES_MAX: usize = 1 << 20;

/// The worker's own memory and settings. A connection that waits for its next request holds none of it.
pub(super) struct Shared {
    pub(super) limits: Limits,
    pub(super) pool: Pool,
    pub(super) preamble: Preamble,
    pub(super) mailbox: Mailbox<Message>,
    /// What the program has on the loop.
    pub(super) local: Local,
    /// Where sessions receive.
    pub(super) input: Box<[u8]>,
    /// Room for heads that are read: one for whoever parses, and one for a head that is read again within.
    pub(super) places: Vec<Box<Places>>,
    /// Where answers are encoded: empty between two sessions.
    pub(super) out: Vec<u8>,
    /// The connection whose session is driven at present.
    pub(super) connection: Token,
    /// What the handler that runs at present has answered.
    pub(super) outcome: Option<Outcome>,
    /// Who can wake the stream that it begins.
    pub(super) wakes: Wakes,
    /// What was said of its answer before it has begun.
    pub(super) added: Added,
    /// But for what the reactor counts.
    pub(super) counters: Counters,
    /// How often this thread had asked for memory when the turn began.
    allocated: u64,
    /// For values that are formatted.
    pub(super) scratch: String,
    pub(super) now: Instant,
    pub(super) moments: Moments,
    /// What all sessions together may still send in this turn.
    pub(super) send_budget: usize,
    /// How much mail may still be taken in this turn.
    pub(super) message_budget: usize,
    pub(super) phase: Phase,
    /// For how many connections the kernel may hold much that is unsent.
    pub(super) wide: Rc<Cell<usize>>,
    /// `sendfile` has no `MSG_NOSIGNAL`: where SIGPIPE would kill, files are read and sent.
    pub(super) sendfile: bool,
}

impl Shared {
    pub(super) fn new(limits: Limits, settings: Settings, mailbox: Mailbox<Message>) -> Shared {
        let limits = limits.with_budgets();
        Shared {
            pool: Pool::new(limits.buffers_bytes_max),
            preamble: Preamble::new(settings),
            local: Local::new(mailbox.clone(), limits.mailbox_messages_max),
            mailbox,
            input: vec![0; INPUT_BYTES].into_boxed_slice(),
            places: vec![Box::default(), Box::default()],
            out: Vec::with_capacity(OUT_BYTES),
            connection: Token::fixed(0),
            outcome: None,
            wakes: Wakes::default(),
            added: Added::default(),
            counters: Counters::default(),
            allocated: 0,
            scratch: String::new(),
            now: Instant::from_nanos(0),
            moments: Moments::new(),
            send_budget: limits.turn_send_budget,
            message_budget: limits.message_budget,
            phase: Phase::Serving,
            wide: Rc::default(),
            sendfile: !signal::sigpipe_is_default(),
            limits,
        }
    }

    /// Nothing encoded is left. What a large answer has made of the buffer is freed.
    #[inline]
    pub(super) fn give_back_out(&mut self) {
        self.out.clear();
        if self.out.capacity() > OUT_BYTES_MAX {
            self.out.shrink_to(OUT_BYTES);
        }
    }

    /// So much of what all sessions together may send in this turn is sent.
    #[inline]
    pub(super) fn spend(&mut self, bytes: usize) {
        self.send_budget = self.send_budget.saturating_sub(bytes);
    }

    /// A new turn of the loop: its time, its Date, its budgets.
    pub(super) fn begin_turn(&mut self, now: Instant) {
        self.allocated = CountingAllocator::count();
        self.now = now;
        self.moments.begin_turn();
        self.preamble.refresh(now);
        self.send_budget = self.limits.turn_send_budget;
        self.message_budget = self.limits.message_budget;
    }

    /// The turn is over.
    #[inline]
    pub(super) fn end_turn(&mut self) {
        self.counters.allocations += CountingAllocator::count() - self.allocated;
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.local.close();
    }
}

impl core::fmt::Debug for Shared {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Shared")
            .field("limits", &self.limits)
            .field("lent_bytes", &self.pool.lent_bytes())
            .finish_non_exhaustive()
    }
}
