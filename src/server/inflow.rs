//! Bodies that go on to the application as they come.

use std::cell::RefCell;
use std::rc::Rc;

use super::added::Added;
use super::awaits::Party;
use super::contain::{Contained, contain};
use super::handler::Handler;
use super::observer::{CloseReason, Observer, Trouble};
use super::session::{Cx, Next, Pending, Session};
use super::shared::{INPUT_BYTES, Shared};
use super::stream::{Duplex, Sink, Taken};
use super::transport::Transport;
use super::waker::Wakes;
use crate::http::{self, Exchange, Fields, Reading, Reject, Stage, TrailerSlots};
use crate::sys::{Instant, Ready};

/// A body on its way to who takes it.
pub(super) struct Inflow {
    /// Dropped before the taker, so that nobody is woken for its own end.
    wakes: Wakes,
    taker: Taker,
    /// What may still come.
    bytes_left: u64,
    /// What has come and was not taken: at most what is received at once.
    unread: Vec<u8>,
    /// It has no room, and will be told to be asked again.
    stalled: bool,
    trailers: Vec<u8>,
    /// What was said of the answer before there was a body.
    added: Option<Box<Added>>,
}

/// Who takes it.
enum Taker {
    /// And then answers.
    Sink(Contained<Box<dyn Sink>>),
    /// While it answers.
    Duplex(Contained<Rc<RefCell<dyn Duplex>>>),
}

/// The taker can't go on, and nothing can be said any more: the connection is to be broken.
pub(super) struct Broken;

impl Inflow {
    fn new(taker: Taker, bytes_left: u64, wakes: Wakes) -> Inflow {
        Inflow {
            taker,
            bytes_left,
            unread: Vec::new(),
            stalled: false,
            trailers: Vec::new(),
            wakes,
            added: None,
        }
    }

    pub(super) fn is_stalled(&self) -> bool {
        self.stalled
    }

    pub(super) fn has_unread(&self) -> bool {
        !self.unread.is_empty()
    }

    /// Until when one without room is waited for, if the limits do not say it.
    pub(super) fn stalled_until(&self) -> Option<Instant> {
        let added = self.added.as_ref().filter(|_| self.stalled)?;
        added.answer_by()
    }

    /// Whether it keeps no more than it may.
    pub(super) fn holds_little(&self) -> bool {
        self.unread.len() <= INPUT_BYTES
    }
}

impl<T: Transport> Session<T> {
    /// A body is to go to a sink.
    pub(super) fn begin_sink(
        &mut self,
        shared: &mut Shared,
        sink: Contained<Box<dyn Sink>>,
        bytes_max: u64,
    ) {
        let wakes = std::mem::take(&mut shared.wakes);
        let mut inflow = Inflow::new(Taker::Sink(sink), bytes_max, wakes);
        // Whoever passed the request on is not asked again.
        inflow.added = shared.added.keep();
        self.awaits.set(Party::Body(inflow));
    }

    /// An answer has begun that takes the body as it comes. Without one the end has come already.
    pub(super) fn begin_duplex<H, O: Observer>(
        &mut self,
        cx: &mut Cx<'_, H, O>,
        duplex: Contained<Rc<RefCell<dyn Duplex>>>,
    ) {
        let inflow = Inflow::new(Taker::Duplex(duplex), u64::MAX, Wakes::default());
        self.awaits.set(Party::Body(inflow));
        if !self.is_in_body() {
            self.end_duplex(cx);
        }
    }

    fn is_in_body(&self) -> bool {
        matches!(
            self.conn.stage(),
            Stage::Exchange(Exchange {
                reading: Reading::Body(_),
                ..
            })
        )
    }

    /// Whether what comes is received although an answer is under way.
    #[inline]
    pub(super) fn takes_body(&self) -> bool {
        self.awaits.inflow().is_some_and(|it| !it.stalled) && self.is_in_body()
    }

    /// The other direction has moved: who had no room is asked again.
    #[inline]
    pub(super) fn resume_body(&mut self) {
        if let Some(inflow) = self.awaits.inflow_mut() {
            inflow.stalled = false;
        }
    }

    /// A waker of an exchange wants its stream asked again. One whose exchange is over does nothing.
    pub(super) fn wake<H: Handler, O: Observer>(
        &mut self,
        cx: &mut Cx<'_, H, O>,
        exchange: u32,
    ) -> Option<Next> {
        if self.conn.serial() != exchange {
            return None;
        }
        let mut waits = false;
        if let Pending::Output(output) = &mut self.pending {
            output.wakes.take();
            waits |= std::mem::take(&mut output.asleep);
        }
        if let Some(inflow) = self.awaits.inflow_mut() {
            inflow.wakes.take();
            waits |= std::mem::take(&mut inflow.stalled);
        }
        if !waits || self.queued {
            return None;
        }
        // As for who is ready: the turn's budget may be spent.
        if self.allowance(cx.shared) == 0 {
            return Some(Next::Again);
        }
        Some(self.drive(cx, Ready::EMPTY))
    }

    /// What was not taken before is offered again.
    pub(super) fn offer_unread<H: Handler, O: Observer>(
        &mut self,
        cx: &mut Cx<'_, H, O>,
    ) -> Result<(), Broken> {
        let Some(inflow) = self.awaits.inflow_mut() else {
            return Ok(());
        };
        let unread = std::mem::take(&mut inflow.unread);
        let offered = self.offer(cx, &unread);
        cx.shared.pool.give_back(unread);
        offered
    }

    /// Content has come.
    pub(super) fn take_data<H: Handler, O: Observer>(
        &mut self,
        cx: &mut Cx<'_, H, O>,
        data: &[u8],
    ) -> Result<(), Broken> {
        let Some(inflow) = self.awaits.inflow_mut() else {
            return Ok(());
        };
        let Some(left) = inflow.bytes_left.checked_sub(data.len() as u64) else {
            self.conn.refuse(Reject::BodyTooLarge);
            self.answer_reject(cx, Reject::BodyTooLarge);
            return Ok(());
        };
        inflow.bytes_left = left;
        self.offer(cx, data)
    }

    fn offer<H: Handler, O: Observer>(
        &mut self,
        cx: &mut Cx<'_, H, O>,
        data: &[u8],
    ) -> Result<(), Broken> {
        let Some(inflow) = self.awaits.inflow_mut() else {
            return Ok(());
        };
        let taken = contain(|| match &mut inflow.taker {
            Taker::Sink(sink) => sink.on_data(data),
            Taker::Duplex(duplex) => duplex.borrow_mut().on_data(data),
        });
        let bytes = match taken {
            Some(Taken::All) => data.len(),
            Some(Taken::Part(bytes)) => bytes.min(data.len()),
            Some(Taken::Refused) => return self.end_refused(cx),
            None => {
                if matches!(inflow.taker, Taker::Duplex(_)) {
                    cx.observer.trouble(&Trouble::HandlerPanicked);
                    return Err(Broken);
                }
                self.give_up_sink(cx.shared);
                let begin = cx.shared.out.len();
                self.answer_fault(cx, begin, &Trouble::HandlerPanicked);
                return Ok(());
            }
        };
        if bytes < data.len() {
            inflow.stalled = true;
            inflow.unread = cx.shared.pool.keep(&data[bytes..]);
            let is_sink = matches!(inflow.taker, Taker::Sink(_));
            if is_sink && !inflow.wakes.has_any() {
                // Nobody could have it asked again.
                self.give_up_sink(cx.shared);
                let begin = cx.shared.out.len();
                self.answer_fault(cx, begin, &Trouble::NoAnswer);
                return Ok(());
            }
        }
        if bytes > 0
            && let Pending::Output(output) = &mut self.pending
        {
            output.asleep = false;
        }
        Ok(())
    }

    /// Nothing more is wanted: a sink answers now, without having seen the end.
    fn end_refused<H: Handler, O: Observer>(
        &mut self,
        cx: &mut Cx<'_, H, O>,
    ) -> Result<(), Broken> {
        let Some(mut inflow) = self.awaits.take_inflow() else {
            return Err(Broken);
        };
        cx.shared.added.begin(inflow.added.take());
        match inflow.taker {
            Taker::Sink(sink) => {
                self.go_on_with(cx, |_, res| {
                    Some(sink.into_inner().on_end(Fields::default(), res))
                });
                Ok(())
            }
            Taker::Duplex(_) => Err(Broken),
        }
    }

    pub(super) fn take_trailer<H, O>(&mut self, cx: &mut Cx<'_, H, O>, section: &[u8]) {
        if let Some(inflow) = self.awaits.inflow_mut() {
            cx.shared.pool.extend(&mut inflow.trailers, section);
        }
    }

    /// The body has come whole.
    pub(super) fn end_inflow<H: Handler, O: Observer>(&mut self, cx: &mut Cx<'_, H, O>) {
        match self.awaits.inflow().map(|inflow| &inflow.taker) {
            Some(Taker::Sink(_)) => self.end_sink(cx),
            Some(Taker::Duplex(_)) => self.end_duplex(cx),
            None => {}
        }
    }

    fn end_sink<H: Handler, O: Observer>(&mut self, cx: &mut Cx<'_, H, O>) {
        let Some(mut inflow) = self.awaits.take_inflow() else {
            return;
        };
        let section = std::mem::take(&mut inflow.trailers);
        let mut slots = None;
        // Of a body without trailers it is an empty line, or nothing.
        let trailers = if section.len() <= 2 {
            Fields::default()
        } else {
            http::trailers(&section, slots.insert(TrailerSlots::new()))
        };
        cx.shared.added.begin(inflow.added.take());
        if let Taker::Sink(sink) = inflow.taker {
            self.go_on_with(cx, |_, res| Some(sink.into_inner().on_end(trailers, res)));
        }
        cx.shared.pool.give_back(section);
    }

    fn end_duplex<H, O: Observer>(&mut self, cx: &mut Cx<'_, H, O>) {
        let Some(mut inflow) = self.awaits.take_inflow() else {
            return;
        };
        cx.shared
            .pool
            .give_back(std::mem::take(&mut inflow.trailers));
        if let Taker::Duplex(duplex) = inflow.taker
            && contain(|| duplex.borrow_mut().on_end()).is_none()
        {
            cx.observer.trouble(&Trouble::HandlerPanicked);
            self.conn.fail();
            return;
        }
        if let Pending::Output(output) = &mut self.pending {
            output.asleep = false;
        }
    }

    /// The client has finished sending in the middle of a body that a [`Duplex`] takes: of an upgraded connection that is
    /// the end, of a framed body it is none.
    pub(super) fn finish_duplex<H: Handler, O: Observer>(
        &mut self,
        cx: &mut Cx<'_, H, O>,
    ) -> Result<(), CloseReason> {
        let takes = self.awaits.inflow().map(|inflow| &inflow.taker);
        if !matches!(takes, Some(Taker::Duplex(_))) {
            return Ok(());
        }
        if self.is_in_body() {
            return Err(self.break_off(CloseReason::Reset));
        }
        self.end_duplex(cx);
        Ok(())
    }

    /// Everything that was encoded is sent: an answer that takes the body has ended, and takes nothing more. A sink has not
    /// answered yet.
    pub(super) fn drop_duplex(&mut self, shared: &mut Shared) {
        let taker = self.awaits.inflow().map(|inflow| &inflow.taker);
        if let Some(Taker::Duplex(_)) = taker {
            self.drop_inflow(shared);
        }
    }

    /// Somebody else answers in its place; what was said of the answer before stands.
    pub(super) fn give_up_sink(&mut self, shared: &mut Shared) {
        if let Some(inflow) = self.awaits.inflow_mut() {
            let added = inflow.added.take();
            shared.added.begin(added);
            self.drop_inflow(shared);
        }
    }

    /// Nobody takes it any more.
    pub(super) fn drop_inflow(&mut self, shared: &mut Shared) {
        if let Some(inflow) = self.awaits.take_inflow() {
            shared.pool.give_back(inflow.unread);
            shared.pool.give_back(inflow.trailers);
        }
    }
}

/// So that who looks at a session sees who takes its body.
impl core::fmt::Debug for Inflow {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let taker = match self.taker {
            Taker::Sink(_) => "Sink",
            Taker::Duplex(_) => "Duplex",
        };
        f.debug_struct("Inflow")
            .field("taker", &taker)
            .field("stalled", &self.stalled)
            .finish_non_exhaustive()
    }
}
