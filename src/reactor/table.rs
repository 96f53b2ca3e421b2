//! Values by token.

use slab::Slab;

use super::token::Token;

/// Values that are found by tokens, and only by tokens that are not stale.
#[derive(Debug)]
pub struct Table<T> {
    slots: Slab<Slot<T>>,
    /// The generation of the next value. Counted over all slots, so it need not be kept in a free one.
    next: u32,
    /// The generation that comes after the last one.
    first: u32,
}

#[derive(Debug)]
struct Slot<T> {
    token: Token,
    value: T,
}

impl<T> Table<T> {
    /// An empty table.
    pub const fn new() -> Table<T> {
        Table {
            slots: Slab::new(),
            next: 1,
            first: 1,
        }
    }

    /// An empty table whose tokens are none of those that tables made in the other ways have: a driver with two tables
    /// can tell by a token ([`Token::is_apart`]) which one it is of.
    pub const fn apart() -> Table<T> {
        Table {
            slots: Slab::new(),
            next: Token::APART,
            first: Token::APART,
        }
    }

    /// An empty table that has room for so many values.
    pub fn with_capacity(values: usize) -> Table<T> {
        Table {
            slots: Slab::with_capacity(values),
            next: 1,
            first: 1,
        }
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Puts a value in. Its token is told apart from the stale ones of its slot, unless two thousand million values have
    /// come since.
    pub fn insert(&mut self, value: T) -> (Token, &mut T) {
        let generation = self.next;
        // Halfway through the numbers, and at their end.
        self.next = match generation.wrapping_add(1) {
            0 | Token::APART => self.first,
            next => next,
        };
        let entry = self.slots.vacant_entry();
        let token = Token::new(entry.key() as u32, generation);
        (token, &mut entry.insert(Slot { token, value }).value)
    }

    /// The value of this token, if it is not stale.
    #[inline]
    pub fn get(&self, token: Token) -> Option<&T> {
        match self.slots.get(token.index()) {
            Some(slot) if slot.token == token => Some(&slot.value),
            Some(_) | None => None,
        }
    }

    /// The value of this token, if it is not stale.
    #[inline]
    pub fn get_mut(&mut self, token: Token) -> Option<&mut T> {
        match self.slots.get_mut(token.index()) {
            Some(slot) if slot.token == token => Some(&mut slot.value),
            Some(_) | None => None,
        }
    }

    /// Takes the value out, which makes its token stale.
    pub fn remove(&mut self, token: Token) -> Option<T> {
        self.get(token)?;
        Some(self.slots.remove(token.index()).value)
    }

    /// All values.
    pub fn iter(&self) -> impl Iterator<Item = (Token, &T)> {
        self.slots.iter().map(|(_, slot)| (slot.token, &slot.value))
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Table::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_stale_once_its_value_is_gone_whoever_has_its_slot() {
        let mut table = Table::new();
        let (first, _) = table.insert("first");
        assert_eq!(table.remove(first), Some("first"));
        let (second, _) = table.insert("second");
        assert_eq!(first.index(), second.index());
        assert_eq!(table.get(first), None);
        assert_eq!(table.get_mut(first), None);
        assert_eq!(table.remove(first), None);
        assert_eq!(table.get(second), Some(&"second"));
        assert_eq!(Token::from_bits(second.to_bits()), second);
    }

    #[test]
    fn fixed_tokens_are_in_no_table() {
        let mut table = Table::new();
        let (token, ()) = table.insert(());
        assert_eq!(token.as_fixed(), None);
        assert_eq!(table.get(Token::fixed(0)), None);
        assert_eq!(Token::fixed(7).as_fixed(), Some(7));
        table.next = u32::MAX;
        table.insert(());
        assert_eq!(table.insert(()).0.as_fixed(), None, "zero is left out");
    }

    #[test]
    fn tokens_of_two_kinds_of_tables_are_told_apart_also_when_the_numbers_begin_again() {
        let (mut table, mut apart) = (Table::new(), Table::apart());
        for last in [0, Token::APART - 1, u32::MAX] {
            if last > 0 {
                (table.next, apart.next) = (Token::APART - 1, u32::MAX);
            }
            for _ in 0..3 {
                let (one, other) = (table.insert(()).0, apart.insert(()).0);
                assert!(!one.is_apart() && other.is_apart());
                assert_eq!((one.as_fixed(), other.as_fixed()), (None, None));
                assert_eq!((table.get(other), apart.get(one)), (None, None));
            }
        }
        assert!(!Token::fixed(0).is_apart());
    }
}
