//! The server's turns: something comes of each of them, or everybody is content.

use core::time::Duration;
use std::rc::Rc;

use edgeloop::reactor::Turn;
use edgeloop::sys::sim::Call;

use super::run::{Phase, Run, Said};
use super::setting::Excuse;

/// After which a loop that waits is looked at: longer than any deadline, so that nobody's wake comes of it.
const LONGEST_WAIT: Duration = Duration::from_secs(200);
/// Turns in a row in which nothing is done: a few deadlines that were moved may be looked at in turns of their own.
const VAIN_TURNS: u32 = 50;
/// Wakes of streams that are lost in a run at most.
const LOST_WAKES: u32 = 30;
/// The same with events: pieces come to who is not read from while its answer is awaited.
const VAIN_EVENTS: u32 = 5_000;

/// Turns of which nothing has come, one after another.
#[derive(Default)]
pub(super) struct Vain {
    /// Without an event.
    turns: u32,
    /// With events or without.
    with_events: u32,
    /// Calls before the last turn, and events that the world had made up.
    calls: u64,
    made_up: u64,
    /// Of those that nobody has come in: how many a lost wake excuses.
    lost_wakes: u32,
}

impl Run {
    pub(super) fn turn(&mut self) -> Said<()> {
        let Some(server) = &mut self.server else {
            return Ok(());
        };
        self.common.borrow_mut().turns += 1;
        self.watch.begin_turn();
        let begun = self.world.now();
        // Where nobody is connected, nobody waits for an answer.
        let waiting = Rc::strong_count(&self.seen.waiting) - 1;
        if server.connections() == 0 && waiting > 0 {
            return Err(vec![format!("{waiting} continuations are left")]);
        }
        // Somebody who looks again and again whether something has come would keep a loop waiting for ever.
        match server.turn(Some(LONGEST_WAIT)) {
            Ok(turn) if turn.events == 0 && self.world.now().since(begun) >= LONGEST_WAIT => {
                self.nobody_comes()
            }
            Ok(turn) => self.check_progress(turn),
            Err(error) if self.setting.excuses(Excuse::LoopEnds) => {
                self.error = Some(error.to_string());
                self.common.borrow_mut().scarce = true;
                self.server = None;
                Ok(())
            }
            Err(error) => Err(vec![format!("the loop ends: {error}")]),
        }
    }

    /// The loop has waited for longer than any deadline.
    fn nobody_comes(&mut self) -> Said<()> {
        if self.phase == Phase::Stopping {
            return Err(vec!["it is told to stop, and does not".to_owned()]);
        }
        let waiting = self.stuck("ever: the loop waits, and so does everybody else");
        if waiting.is_empty() {
            return Ok(());
        }
        if self.setting.excuses(Excuse::ListenersBreak) {
            self.go_on();
            return Ok(());
        }
        // A wake of a stream may be lost: it has come with this turn.
        if self.setting.excuses(Excuse::MailIsLate) && self.vain.lost_wakes < LOST_WAKES {
            self.vain.lost_wakes += 1;
            return Ok(());
        }
        Err(waiting)
    }

    /// A loop that wakes without an event has something to do: more calls than those that wait and look at clocks.
    fn check_progress(&mut self, turn: Turn) -> Said<()> {
        let waits = [Call::EpollWait, Call::Monotonic, Call::Realtime];
        let others = Call::ALL.iter().filter(|call| !waits.contains(call));
        let calls = others.map(|call| self.world.calls(*call)).sum();
        let made_up = self.made_up_events();
        let vain = &mut self.vain;
        // Whatever the world has made up says nothing.
        let events = turn
            .events
            .saturating_sub((made_up - vain.made_up) as usize);
        let (turns, with_events) = match (vain.calls == calls, turn.events, events) {
            (true, 0, _) => (vain.turns + 1, vain.with_events + 1),
            (true, _, 0) => (0, vain.with_events),
            (true, _, _) => (0, vain.with_events + 1),
            (false, _, _) => (0, 0),
        };
        *vain = Vain {
            turns,
            with_events,
            calls,
            made_up,
            lost_wakes: vain.lost_wakes,
        };
        let in_vain = vain.turns > VAIN_TURNS || vain.with_events > VAIN_EVENTS;
        if in_vain && !self.setting.waits_fail() {
            return Err(vec!["the loop turns, and nothing comes of it".to_owned()]);
        }
        Ok(())
    }

    fn made_up_events(&self) -> u64 {
        let faults = self.world.faults();
        let made_up = faults
            .iter()
            .filter(|it| matches!(it.1, "spurious" | "stale"));
        made_up.map(|(_, _, count)| count).sum()
    }

    pub(super) fn stuck(&self, when: &str) -> Vec<String> {
        let busy = self.lanes.iter().flatten();
        let busy = busy.filter(|(_, client)| !client.borrow().done);
        busy.map(|(_, client)| {
            let client = client.borrow();
            let (number, name) = (client.number, client.plot.name);
            let next = client.plot.acts.front();
            format!("client {number} ({name}) is not done {when}; it is at {next:?}")
        })
        .collect()
    }
}
