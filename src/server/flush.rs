//! Sending: once, at the end of a session's drive, and what is left of it when there is room again.

use std::io;

use super::observer::CloseReason;
use super::output::{Output, Step};
use super::session::{Budget, Flushed, Pending, Session};
use super::shared::Shared;
use super::transport::Transport;
use crate::sys::Ready;
use crate::sys::socket::More;

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
            Pending::Linger(_) => return Ok(Flushed::All),
        }
        let part = &shared.out[..shared.out.len().min(budget.send)];
        let sent = self.send(part, More::No)?;
        spend(shared, budget, sent);
        if sent == shared.out.len() {
            shared.out.clear();
            return Ok(Flushed::All);
        }
        let mut output = Box::<Output>::default();
        output.keep(&shared.out[sent..], &mut shared.pool);
        shared.out.clear();
        self.pending = Pending::Output(output);
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
            Ok(Flushed::All) => output.forget_bytes(&mut shared.pool),
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
            if !self.ready.contains(Ready::WRITE) {
                return Ok(Flushed::Blocked);
            }
            let allowance = budget.send.min(shared.send_budget);
            if allowance == 0 {
                return Ok(Flushed::Enough);
            }
            let more = output
                .tail
                .as_ref()
                .map_or(More::No, super::output::Tail::more);
            if !output.unsent().is_empty() {
                let part = &output.unsent()[..output.unsent().len().min(allowance)];
                let sent = self.send(part, more)?;
                spend(shared, budget, sent);
                output.mark_sent(sent, &mut shared.pool);
            } else if !shared.out.is_empty() {
                let sent = self.send(&shared.out, more)?;
                spend(shared, budget, sent);
                if sent < shared.out.len() {
                    output.keep(&shared.out[sent..], &mut shared.pool);
                }
                shared.out.clear();
            } else if let Some(tail) = &mut output.tail {
                match tail.step(&mut self.transport, &mut self.conn, shared, allowance) {
                    Ok(Step::Sent(sent, asked)) => {
                        spend(shared, budget, sent);
                        self.patience.moved(sent);
                        if sent < asked {
                            self.ready.remove(Ready::WRITE);
                        }
                    }
                    Ok(Step::Encoded) => {}
                    Ok(Step::End) => output.tail = None,
                    Err(error) => match error.kind() {
                        io::ErrorKind::WouldBlock => self.ready.remove(Ready::WRITE),
                        io::ErrorKind::Interrupted => {}
                        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {
                            return Err(CloseReason::Reset);
                        }
                        // The content can't be had: a file that has shrunk or can't be read, a source that failed.
                        _ => {
                            self.conn.fail();
                            output.tail = None;
                        }
                    },
                }
            } else {
                return Ok(Flushed::All);
            }
        }
    }

    /// One send. A short one means that the kernel's buffer is full: an edge will follow.
    #[inline]
    fn send(&mut self, bytes: &[u8], more: More) -> Result<usize, CloseReason> {
        if !self.ready.contains(Ready::WRITE) {
            return Ok(0);
        }
        match self.transport.send(bytes, more) {
            Ok(sent) => {
                if sent < bytes.len() {
                    self.ready.remove(Ready::WRITE);
                }
                self.patience.moved(sent);
                Ok(sent)
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => {
                    self.ready.remove(Ready::WRITE);
                    Ok(0)
                }
                io::ErrorKind::Interrupted => Ok(0),
                _ => Err(CloseReason::Reset),
            },
        }
    }

    /// What was encoded and not sent moves from the worker's buffer into the session's own.
    #[inline]
    pub(super) fn keep_unsent(&mut self, shared: &mut Shared) {
        if shared.out.is_empty() {
            return;
        }
        match &mut self.pending {
            Pending::Output(output) => output.keep(&shared.out, &mut shared.pool),
            Pending::Nothing => {
                let mut output = Box::<Output>::default();
                output.keep(&shared.out, &mut shared.pool);
                self.pending = Pending::Output(output);
            }
            Pending::Linger(_) => {} // the connection is over, nothing more is said on it
        }
        shared.out.clear();
    }
}

fn spend(shared: &mut Shared, budget: &mut Budget, bytes: usize) {
    budget.send = budget.send.saturating_sub(bytes);
    shared.spend(bytes);
}
