//! Whether each connection has come to the end that its client deserves.

use core::time::Duration;
use std::collections::BTreeMap;

use edgeloop::server::CloseReason;
use edgeloop::sys::sim::PeerState;

use super::client::Client;
use super::plot::Since;
use super::run::{Cast, Run, Said};
use super::setting::Excuse;

/// Deadlines are rounded up to 100 ms; the rest is what pieces and odd moments take.
const LATE_BY: Duration = Duration::from_millis(150);
const EARLY_BY: Duration = Duration::from_millis(1);

impl Run {
    /// Each connection has come to the end that its client deserves, at its time.
    pub(super) fn check_clients(&mut self) -> Said<()> {
        let mut failures = std::mem::take(&mut self.common.borrow_mut().failures);
        let mut deaf = BTreeMap::new();
        for (place, client) in &self.left {
            let client = client.borrow();
            if let Some(fault) = self.judge(&client) {
                let (number, name) = (client.number, client.plot.name);
                let text = format!("client {number} ({name}): {fault}");
                if self.setting.excuses(Excuse::ListenersBreak) && self.watch.of(number).is_none() {
                    deaf.insert(place, text);
                } else {
                    failures.push(text);
                }
            }
        }
        // A listener that accepts nobody has said so.
        if deaf.len() as u64 > self.watch.troubles("ListenerFailed") {
            failures.extend(deaf.into_values());
        }
        if failures.is_empty() {
            Ok(())
        } else {
            Err(failures)
        }
    }

    fn judge(&self, client: &Client) -> Option<String> {
        let scarce = self.common.borrow().scarce && !client.plot.verdict.strict;
        let told = self.watch.of(client.number);
        let Some(told) = told else {
            // It left before it was accepted, or was lost there.
            let excused = client.is_faulted() || scarce || !client.plot.verdict.all;
            return (!excused).then(|| "was never accepted".to_owned());
        };
        let Some((reason, closed)) = told.closed else {
            return (!scarce).then(|| "was not closed".to_owned());
        };
        let verdict = &client.plot.verdict;
        match reason {
            CloseReason::Stopped
                if !verdict.outlasts_drain && matches!(self.cast, Cast::Anybody { .. }) =>
            {
                return Some("was cut by a drain that had time for it".to_owned());
            }
            CloseReason::Evicted if told.heads > told.answered => {
                return Some("was evicted while it waited for its answer".to_owned());
            }
            // A reset says that something had come of it before, or that something was not sent.
            CloseReason::Evicted
                if client.ended == Some(PeerState::Reset)
                    && client.reset_at.is_none()
                    && client.last_byte.is_none_or(|at| at < closed)
                    && client.prompt
                    && !client.is_faulted()
                    && self.setting.net.latency.is_zero()
                    && self.setting.is_even() =>
            {
                return Some("was evicted although it was busy".to_owned());
            }
            _ => {}
        }
        // Whatever is short, what was asked is answered before an orderly end.
        let orderly = [
            CloseReason::WeAsked,
            CloseReason::PeerAsked,
            CloseReason::Idle,
        ];
        if told.heads > told.answered && orderly.contains(&reason) && !client.is_faulted() {
            return Some(format!("was not answered, and ended for {reason:?}"));
        }
        if client.is_faulted() || scarce {
            return None;
        }
        if let Some(each) = verdict.unread_each {
            let room = self.setting.net.send_room + self.setting.net.peer_receive_room;
            if told.answered as usize > room / each + 2 {
                return Some(format!("was given {} answers unread", told.answered));
            }
        }
        let files_fail = self.setting.excuses(Excuse::FilesFail);
        let failed = match reason {
            CloseReason::Failed => files_fail && client.takes_files(),
            // An error in place of a file may be the last answer.
            CloseReason::WeAsked => files_fail && client.excused,
            _ => false,
        };
        if let Some(missing) = client.lacks()
            && !(failed && client.lacks_file())
        {
            return Some(format!("never got {}", missing.what));
        }
        if !verdict.reasons.contains(&reason) && !failed {
            return Some(format!("ended for {reason:?}, not {:?}", verdict.reasons));
        }
        let timed = self.setting.excused.is_empty() && self.setting.net.latency.is_zero();
        let (since, time) = verdict.after.filter(|_| timed)?;
        let (from, late) = match since {
            Since::Accepted => (Some(told.accepted), true),
            Since::FirstByte => (client.first_byte, true),
            // The content of an answer may come long after its head.
            Since::LastAnswer => (client.last_got.max(Some(told.last_answer)), true),
            Since::LastByteAtLeast => (client.last_byte, false),
            // What was not accepted yet can't be ended.
            Since::Reset => (client.reset_at.map(|at| at.max(told.accepted)), true),
        };
        // An answer that says it is too late is what came in time; the end of the connection comes after it.
        let at = if matches!(since, Since::FirstByte) {
            told.last_answer
        } else {
            closed
        };
        let passed = at.since(from?);
        if passed + EARLY_BY < time {
            return Some(format!("was given {passed:?}, not {time:?} ({since:?})"));
        }
        if late && passed > time + LATE_BY {
            return Some(format!(
                "was given {passed:?}, more than {time:?} ({since:?})"
            ));
        }
        None
    }
}
