//! Whom of the application an exchange is with.

use super::defer::Deferred;
use super::inflow::Inflow;
use super::take_out::Taker;
use crate::sys::Instant;

/// Nobody, while requests are parsed and answered at once; else one of three. A connection pays a pointer for it.
#[derive(Default)]
pub(super) struct Awaits(Option<Box<Party>>);

/// Never more than one: a body that comes has no answer yet or is part of it, and what leaves the server has no more to say.
pub(super) enum Party {
    /// Whoever gives the answer later.
    Answer(Deferred),
    /// Whoever takes the body as it comes.
    Body(Inflow),
    /// Whoever takes the connection once everything is sent.
    Taker(Taker),
}

impl Awaits {
    pub(super) fn set(&mut self, party: Party) {
        self.0 = Some(Box::new(party));
    }

    #[inline]
    pub(super) fn is_nobody(&self) -> bool {
        self.0.is_none()
    }

    #[inline]
    pub(super) fn deferred(&self) -> Option<&Deferred> {
        match self.0.as_deref() {
            Some(Party::Answer(deferred)) => Some(deferred),
            Some(Party::Body(_) | Party::Taker(_)) | None => None,
        }
    }

    pub(super) fn deferred_mut(&mut self) -> Option<&mut Deferred> {
        match self.0.as_deref_mut() {
            Some(Party::Answer(deferred)) => Some(deferred),
            Some(Party::Body(_) | Party::Taker(_)) | None => None,
        }
    }

    pub(super) fn take_deferred(&mut self) -> Option<Deferred> {
        match self.0.take().map(|party| *party) {
            Some(Party::Answer(deferred)) => Some(deferred),
            Some(other @ (Party::Body(_) | Party::Taker(_))) => {
                self.0 = Some(Box::new(other));
                None
            }
            None => None,
        }
    }

    #[inline]
    pub(super) fn inflow(&self) -> Option<&Inflow> {
        match self.0.as_deref() {
            Some(Party::Body(inflow)) => Some(inflow),
            Some(Party::Answer(_) | Party::Taker(_)) | None => None,
        }
    }

    #[inline]
    pub(super) fn inflow_mut(&mut self) -> Option<&mut Inflow> {
        match self.0.as_deref_mut() {
            Some(Party::Body(inflow)) => Some(inflow),
            Some(Party::Answer(_) | Party::Taker(_)) | None => None,
        }
    }

    pub(super) fn take_inflow(&mut self) -> Option<Inflow> {
        match self.0.take().map(|party| *party) {
            Some(Party::Body(inflow)) => Some(inflow),
            Some(other @ (Party::Answer(_) | Party::Taker(_))) => {
                self.0 = Some(Box::new(other));
                None
            }
            None => None,
        }
    }

    /// Until when it is waited for, if the limits do not say it.
    #[inline]
    pub(super) fn until(&self) -> Option<Instant> {
        match self.0.as_deref()? {
            Party::Answer(deferred) => deferred.until(),
            Party::Body(inflow) => inflow.stalled_until(),
            Party::Taker(_) => None,
        }
    }

    #[inline]
    pub(super) fn has_taker(&self) -> bool {
        matches!(self.0.as_deref(), Some(Party::Taker(_)))
    }

    pub(super) fn into_taker(self) -> Option<Taker> {
        match self.0.map(|party| *party) {
            Some(Party::Taker(taker)) => Some(taker),
            Some(Party::Answer(_) | Party::Body(_)) | None => None,
        }
    }
}
