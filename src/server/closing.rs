//! The end of a connection, and what time does to it.

use super::handler::Handler;
use super::observer::{CloseReason, Observer};
use super::patience::Waiting;
use super::session::{Budget, Cx, Held, Next, Pending, Session};
use super::shared::Shared;
use super::transport::Transport;
use crate::http::{self, Reject, Stage};
use crate::sys::{Ready, probes};

impl<T: Transport> Session<T> {
    /// Everything was sent. Closes at once when the client has nothing more to say; else reads on for a while, because
    /// a close with unread input is a reset, and a reset can take the answer from the client's hands.
    pub(super) fn close(
        &mut self,
        shared: &mut Shared,
        input: &mut [u8],
        budget: &mut Budget,
        reason: http::CloseReason,
    ) -> Result<Next, CloseReason> {
        let done = Err(self.reason(reason));
        match reason {
            http::CloseReason::PeerFinished => return done,
            http::CloseReason::PeerAsked => {
                let consumed = matches!(self.held, Held::Nothing);
                if consumed && !self.ready.contains(Ready::READ) {
                    return done;
                }
            }
            http::CloseReason::Failed => return Err(self.break_off(CloseReason::Failed)),
            http::CloseReason::WeAsked | http::CloseReason::BodyUnread => {}
        }
        self.drop_held(shared);
        if self.ended {
            return done;
        }
        let limits = &shared.limits.linger;
        if !matches!(self.pending, Pending::Linger { .. }) {
            if self.transport.finish().is_err() {
                return done;
            }
            self.pending = Pending::Linger {
                until: shared.now + limits.time,
                bytes_left: limits.bytes_max,
            };
        }
        while self.ready.contains(Ready::READ) {
            if budget.receive == 0 {
                return Ok(Next::Again);
            }
            let received = self.receive(input, &mut budget.receive, &mut shared.counters)?;
            let Pending::Linger { bytes_left, .. } = &mut self.pending else {
                return done;
            };
            match bytes_left.checked_sub(received as u32) {
                Some(left) if !self.ended => *bytes_left = left,
                Some(_) | None => return done,
            }
        }
        if self.ended { done } else { Ok(Next::Wait) }
    }

    /// Its deadline is over.
    #[inline(never)] // a phase
    pub(super) fn expire<H: Handler, O: Observer>(&mut self, cx: &mut Cx<'_, H, O>) -> Next {
        probes::expire(cx.shared.connection.to_bits());
        let Some(waiting) = self.waiting() else {
            return Next::Close(self.break_off(CloseReason::Failed));
        };
        let reject = match waiting {
            // A request that came after this turn's events is not cut off by the close.
            Waiting::FirstByte | Waiting::Idle if self.has_unread() == Some(true) => {
                return self.drive(cx, Ready::READ);
            }
            Waiting::FirstByte | Waiting::Idle => return Next::Close(CloseReason::Idle),
            Waiting::Linger => {
                return Next::Close(match self.conn.stage() {
                    Stage::Closing(reason) => self.reason(*reason),
                    Stage::Head { .. } | Stage::Exchange(_) => CloseReason::Failed,
                });
            }
            Waiting::Write => return self.expire_write(cx.shared),
            Waiting::Stream => return Next::Wait,
            Waiting::Handler => {
                if self.expire_handler(cx) {
                    return self.drive(cx, Ready::EMPTY);
                }
                self.wait(cx.shared);
                return Next::Wait;
            }
            Waiting::Head => {
                let rest = match &self.held {
                    Held::Raw(bytes) => bytes.as_slice(),
                    Held::Nothing | Held::Body { .. } => &[],
                };
                self.conn.expire_head(&cx.shared.limits.http, rest)
            }
            Waiting::Body if self.conn.owes_head() => self.conn.refuse(Reject::BodyTimeout),
            Waiting::Body => return Next::Close(CloseReason::BodyTooSlow),
        };
        self.answer_reject(cx, reject);
        self.drive(cx, Ready::EMPTY)
    }

    /// The kernel is asked once what the client has acknowledged meanwhile.
    fn expire_write(&mut self, shared: &Shared) -> Next {
        let Pending::Output(output) = &mut self.pending else {
            return Next::Wait;
        };
        let before = output.unacknowledged + self.patience.take_progress();
        output.unacknowledged = self.transport.unacknowledged().unwrap_or(0) as u64;
        let progress = before.saturating_sub(output.unacknowledged);
        if self.patience.forgive(progress, &shared.limits, shared.now) {
            return Next::Wait;
        }
        // After a plain close the rest would go on waiting in the kernel.
        Next::Close(self.break_off(CloseReason::ReaderTooSlow))
    }

    /// Answers 503 to a connection for which there is no room.
    pub(super) fn turn_away<H: Handler, O: Observer>(&mut self, cx: &mut Cx<'_, H, O>) -> Next {
        self.turned_away = true;
        self.conn.refuse(Reject::NoRoom);
        self.answer_reject(cx, Reject::NoRoom);
        self.drive(cx, Ready::EMPTY)
    }

    /// What is said of the end to whoever observes it.
    fn reason(&self, reason: http::CloseReason) -> CloseReason {
        if self.turned_away {
            CloseReason::Refused
        } else {
            reason.into()
        }
    }

    /// The server stops: the answer that is owed is the last one, and an idle connection has only a grace left.
    pub(super) fn drain(&mut self, shared: &Shared) {
        if self.conn.owes_head() {
            self.conn.close_after_answer();
        }
        if matches!(self.waiting(), Some(Waiting::Idle | Waiting::FirstByte)) {
            self.patience
                .not_after(shared.now + shared.limits.drain_grace);
        }
    }

    /// Its memory goes back to the worker, and whoever still works for it can know once it is dropped. An answer that is not sent whole ends
    /// in a reset: where its content ends with the connection, a FIN would be its end.
    pub(super) fn end(mut self, shared: &mut Shared) {
        self.drop_held(shared);
        self.drop_inflow(shared);
        if let Pending::Output(output) = &mut self.pending {
            output.forget_bytes(&mut shared.pool);
            let _ = self.transport.reset(); // one that is broken needs none
        }
    }
}
