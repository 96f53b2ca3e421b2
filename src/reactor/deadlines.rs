//! When whom to wake.
//!
//! Every slot has one deadline, which is moved by a store. Behind it stands a heap whose entries may be too early: one
//! that comes up looks at the slot's deadline and goes back if that was moved. So a deadline that is moved again and
//! again costs the heap one entry now and then. What an entry knows belongs to the slot, not to who is in it: a
//! connection that comes and goes leaves no entry behind, the next one in its slot uses it.

use core::cmp::Reverse;
use std::collections::BinaryHeap;

use super::token::Token;
use crate::sys::Instant;

#[derive(Debug, Default)]
pub(super) struct Deadlines {
    heap: BinaryHeap<Reverse<(Instant, u32)>>,
    /// By index of the token; the fixed ones apart.
    slots: Vec<Slot>,
    fixed: Vec<Slot>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    /// Whose deadline it is.
    token: Token,
    at: Instant,
    /// The earliest heap entry of this slot; the others are of no use. Never later than `at`.
    armed: Instant,
}

/// Marks a heap entry as one of a fixed token.
const FIXED: u32 = 1 << 31;

impl Deadlines {
    /// Sets the deadline of a token, or of whoever had its slot before.
    #[inline]
    pub(super) fn set(&mut self, token: Token, at: Instant) {
        let (slots, mark) = match token.as_fixed() {
            None => (&mut self.slots, 0),
            Some(_) => (&mut self.fixed, FIXED),
        };
        if slots.len() <= token.index() {
            grow(slots, token);
        }
        let slot = &mut slots[token.index()];
        slot.token = token;
        slot.at = at;
        if at < slot.armed {
            slot.armed = at;
            self.heap.push(Reverse((at, token.index() as u32 | mark)));
        }
    }

    /// Takes the deadline of a token away, if it has one.
    pub(super) fn clear(&mut self, token: Token) {
        let slots = match token.as_fixed() {
            None => &mut self.slots,
            Some(_) => &mut self.fixed,
        };
        if let Some(slot) = slots.get_mut(token.index())
            && slot.token == token
        {
            slot.at = Instant::NEVER;
        }
    }

    /// An upper bound on the deadlines that are set: entries, stale ones included.
    #[inline]
    pub(super) fn entries(&self) -> usize {
        self.heap.len()
    }

    /// No deadline is over before this moment.
    #[inline]
    pub(super) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// The next token whose deadline is over; it has none from now on.
    #[inline]
    pub(super) fn expired(&mut self, now: Instant) -> Option<Token> {
        while self.next().is_some_and(|at| at <= now) {
            let Some(Reverse((entry, index))) = self.heap.pop() else {
                break;
            };
            let slots = if index & FIXED == 0 {
                &mut self.slots
            } else {
                &mut self.fixed
            };
            let slot = &mut slots[(index & !FIXED) as usize];
            if entry != slot.armed {
                continue;
            }
            slot.armed = Instant::NEVER;
            if slot.at <= now {
                slot.at = Instant::NEVER;
                return Some(slot.token);
            }
            if slot.at < Instant::NEVER {
                slot.armed = slot.at;
                self.heap.push(Reverse((slot.at, index)));
            }
        }
        None
    }
}

#[cold]
fn grow(slots: &mut Vec<Slot>, token: Token) {
    let empty = Slot {
        token,
        at: Instant::NEVER,
        armed: Instant::NEVER,
    };
    slots.resize(token.index() + 1, empty);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanos: u64) -> Instant {
        Instant::from_nanos(nanos)
    }

    fn expired(deadlines: &mut Deadlines, now: u64) -> Vec<Token> {
        std::iter::from_fn(|| deadlines.expired(at(now))).collect()
    }

    #[test]
    fn a_deadline_moved_later_costs_no_entry_and_is_met_in_time() {
        let (mut deadlines, token) = (Deadlines::default(), Token::new(0, 1));
        for moment in 0..1000 {
            deadlines.set(token, at(moment + 10));
        }
        assert_eq!(deadlines.heap.len(), 1);
        assert_eq!(expired(&mut deadlines, 1008), []);
        assert_eq!(deadlines.next(), Some(at(1009)));
        assert_eq!(expired(&mut deadlines, 1009), [token]);
        assert_eq!(expired(&mut deadlines, u64::MAX - 1), []);
        assert_eq!(deadlines.next(), None);
    }

    #[test]
    fn a_deadline_moved_earlier_is_met_once() {
        let (mut deadlines, token) = (Deadlines::default(), Token::new(0, 1));
        deadlines.set(token, at(100));
        deadlines.set(token, at(50));
        assert_eq!(expired(&mut deadlines, 60), [token]);
        deadlines.set(token, at(200));
        assert_eq!(expired(&mut deadlines, 150), []);
        assert_eq!(expired(&mut deadlines, 200), [token]);
    }

    #[test]
    fn who_comes_into_a_slot_uses_its_entry() {
        let mut deadlines = Deadlines::default();
        for generation in 1..1000 {
            deadlines.set(Token::new(3, generation), at(u64::from(generation) + 10));
            deadlines.clear(Token::new(3, generation));
        }
        deadlines.set(Token::new(3, 1000), at(1010));
        deadlines.clear(Token::new(3, 999));
        assert!(deadlines.heap.len() <= 1);
        assert_eq!(expired(&mut deadlines, 1010), [Token::new(3, 1000)]);
    }

    #[test]
    fn fixed_tokens_have_deadlines_of_their_own() {
        let mut deadlines = Deadlines::default();
        deadlines.set(Token::fixed(0), at(5));
        deadlines.set(Token::new(0, 1), at(5));
        let both = expired(&mut deadlines, 5);
        assert!(both.contains(&Token::fixed(0)) && both.contains(&Token::new(0, 1)));
    }

    /// Against the plainest thing that could do the same.
    #[test]
    fn it_agrees_with_a_sorted_map() {
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        let mut draw = |below: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below
        };
        let (mut deadlines, mut model) = (Deadlines::default(), std::collections::BTreeMap::new());
        for now in 0..20_000u64 {
            let token = Token::new(draw(8) as u32, 1);
            if draw(4) == 0 {
                deadlines.clear(token);
                model.remove(&token.index());
            } else {
                let when = now + 1 + draw(50);
                deadlines.set(token, at(when));
                model.insert(token.index(), when);
            }
            let mut got: Vec<_> = expired(&mut deadlines, now)
                .iter()
                .map(|t| t.index())
                .collect();
            let mut wanted: Vec<_> = model
                .iter()
                .filter(|(_, when)| **when <= now)
                .map(|(index, _)| *index)
                .collect();
            model.retain(|_, when| *when > now);
            got.sort_unstable();
            wanted.sort_unstable();
            assert_eq!(got, wanted);
        }
        assert!(deadlines.heap.len() < 200, "stale entries do not pile up");
    }
}
