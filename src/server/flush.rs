//! Sending: once, at the end of a session's drive, and what is left of it when there is room again.

use std::io;

use super::buffers::Pool;
use super::counters::Counters;
use super::inflow::Inflow;
use super::observer::CloseReason;
use super::output::{Failed, Output, Room, Step, Tail};
use super::session::{Budget, Flushed, Pending, Session};
use super::shared::Shared;
use super::transport::Transport;
use crate::sys::socket::{More, Unsent};
use crate::sys::{Ready, probes};

impl<T: Transport> Session<T> {
    /// Sends what was encoded and what was left of earlier answers.
    #[inline]
    pub(super) fn flush(
        &mut self,
        shared: &mut Shared,
        budget: &mut Budget,
    ) -> Result<Flushed, CloseReason> {
        match self.pending {
            Pending::Nothing if shared.out.is_empty() => return Ok(Flushed::All),
            Pending::Nothing => {}
            Pending::Output(_) => return self.flush_output(shared, budget),
            Pending::Linger { .. } => return Ok(Flushed::All),
        }
        let part = &shared.out[..shared.out.len().min(budget.send)];
        let sent = self.send(part, More::No, budget, &mut shared.counters)?;
        spend(shared, budget, sent);
        if sent == shared.out.len() {
            shared.out.clear();
            return Ok(Flushed::All);
        }
        self.keep(&shared.out[sent..], &mut shared.pool)?;
        shared.out.clear();
        self.flush_output(shared, budget)
    }

    /// Sends what one send was not enough for.
    #[cold]
    fn flush_output(
        &mut self,
        shared: &mut Shared,
        budget: &mut Budget,
    ) -> Result<Flushed, CloseReason> {
        let Pending::Output(mut output) = std::mem::replace(&mut self.pending, Pending::Nothing)
        else {
            return Ok(Flushed::All);
        };
        let flushed = self.send_output(&mut output, shared, budget);
        match flushed {
            Ok(Flushed::All) => {
                output.forget_bytes(&mut shared.pool);
                if output.pace.end() {
                    let _ = self.transport.set_unsent(Unsent::Narrow); // it holds more than it should, for a while
                }
                self.drop_duplex(shared);
            }
            // Whoever ends the session gives its bytes back.
            Ok(Flushed::Blocked | Flushed::Enough) | Err(_) => {
                self.pending = Pending::Output(output);
            }
        }
        flushed
    }

    /// Kept bytes, then what is encoded behind them, then the content that follows.
    fn send_output(
        &mut self,
        output: &mut Output,
        shared: &mut Shared,
        budget: &mut Budget,
    ) -> Result<Flushed, CloseReason> {
        loop {
            if self.has_sent(output) && shared.out.is_empty() {
                return Ok(Flushed::All);
            }
            if output.waits() && shared.out.is_empty() {
                return self.wait_for_tail(output);
            }
            if !self.ready.contains(Ready::WRITE) {
                return Ok(Flushed::Blocked);
            }
            let allowance = budget.send.min(shared.send_budget);
            if allowance == 0 {
                return Ok(Flushed::Enough);
            }
            let more = output.tail.as_ref().map_or(More::No, Tail::more);
            if !output.unsent().is_empty() {
                let part = &output.unsent()[..output.unsent().len().min(allowance)];
                let sent = self.send(part, more, budget, &mut shared.counters)?;
                spend(shared, budget, sent);
                output.mark_sent(sent, &mut shared.pool);
            } else if !shared.out.is_empty() {
                let sent = self.send(&shared.out, more, budget, &mut shared.counters)?;
                spend(shared, budget, sent);
                if sent < shared.out.len() {
                    output.keep(&shared.out[sent..], &mut shared.pool);
                }
                shared.out.clear();
            } else if let Some(tail) = &mut output.tail {
                match tail.step(&mut self.transport, &mut self.conn, shared, allowance) {
                    Ok(Step::Sent { bytes, room }) => {
                        spend(shared, budget, bytes);
                        if output.pace.sent(bytes, shared.now, &shared.wide) {
                            let _ = self.transport.set_unsent(Unsent::Wide); // it goes on as before
                        }
                        self.sent(bytes, room);
                    }
                    Ok(Step::Encoded) => self.resume_body(),
                    Ok(Step::Waits) => {
                        output.asleep = true;
                        if !shared.out.is_empty() {
                            self.resume_body();
                        }
                    }
                    Err(Failed::Send(error)) => self.not_sent(&error, budget)?,
                    Err(Failed::Content) => return Err(self.break_off(CloseReason::Failed)),
                }
            } else {
                return Ok(Flushed::All);
            }
        }
    }

    /// Everything is sent that there is, and the application says when there is more. Nobody is written to meanwhile, so
    /// only events tell that the client has gone.
    fn wait_for_tail(&mut self, output: &Output) -> Result<Flushed, CloseReason> {
        if self.ready.intersects(Ready::HANGUP | Ready::ERROR) {
            return Err(CloseReason::Reset);
        }
        if !output.wakes.has_any() && self.awaits.inflow().is_none_or(Inflow::is_stalled) {
            return Err(self.break_off(CloseReason::Failed)); // nobody could say it
        }
        Ok(Flushed::Blocked)
    }

    /// Whether nothing of it is left, whatever budgets say.
    fn has_sent(&self, output: &Output) -> bool {
        let tail = output.tail.as_ref();
        output.unsent().is_empty() && tail.is_none_or(|tail| tail.is_over(&self.conn))
    }

    /// One send. A short one means that the kernel's buffer is full: an edge will follow.
    #[inline]
    fn send(
        &mut self,
        bytes: &[u8],
        more: More,
        budget: &mut Budget,
        counters: &mut Counters,
    ) -> Result<usize, CloseReason> {
        if !self.ready.contains(Ready::WRITE) {
            return Ok(0);
        }
        match self.transport.send_ready(bytes, more, counters) {
            Ok(sent) => {
                let room = if sent < bytes.len() {
                    Room::Full
                } else {
                    Room::Left
                };
                self.sent(sent, room);
                Ok(sent)
            }
            Err(error) => {
                self.not_sent(&error, budget)?;
                Ok(0)
            }
        }
    }

    #[inline]
    fn sent(&mut self, bytes: usize, room: Room) {
        match room {
            Room::Left => {}
            Room::Full => self.ready.remove(Ready::WRITE),
        }
        self.patience.moved(bytes);
    }

    #[cold]
    fn not_sent(&mut self, error: &io::Error, budget: &mut Budget) -> Result<(), CloseReason> {
        match error.kind() {
            io::ErrorKind::WouldBlock => self.ready.remove(Ready::WRITE),
            // Once more, but not in this turn.
            io::ErrorKind::Interrupted => budget.send = 0,
            // The connection need not be broken yet: memory can have run out. It must not end as if that were the end.
            _ => return Err(self.break_off(CloseReason::Reset)),
        }
        Ok(())
    }

    /// What was promised is not what was sent: only a reset says so. If it can't be had, a close has to do.
    #[cold]
    pub(super) fn break_off(&mut self, reason: CloseReason) -> CloseReason {
        let _ = self.transport.reset();
        reason
    }

    /// What was encoded and not sent moves from the worker's buffer into the session's own.
    #[inline]
    pub(super) fn keep_unsent(&mut self, shared: &mut Shared) -> Result<(), CloseReason> {
        if shared.out.is_empty() {
            return Ok(());
        }
        let kept = self.keep(&shared.out, &mut shared.pool);
        shared.out.clear();
        kept
    }

    #[cold]
    fn keep(&mut self, unsent: &[u8], pool: &mut Pool) -> Result<(), CloseReason> {
        if !pool.has_room(unsent.len()) {
            return Err(self.break_off(CloseReason::NoRoom));
        }
        match &mut self.pending {
            Pending::Output(output) => output.keep(unsent, pool),
            Pending::Nothing => {
                let mut output = Box::<Output>::default();
                output.keep(unsent, pool);
                self.pending = Pending::Output(output);
            }
            Pending::Linger { .. } => {} // the connection is over, nothing more is said on it
        }
        Ok(())
    }
}

/// So much was sent.
fn spend(shared: &mut Shared, budget: &mut Budget, bytes: usize) {
    probes::send_ready(shared.connection.to_bits(), bytes as u64);
    budget.send = budget.send.saturating_sub(bytes);
    shared.spend(bytes);
}
