//! Names of what a loop works on.

use core::fmt;

/// The name of an entry of a [`Table`](super::Table), or a fixed one. It may be stale, which only the table can tell.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token {
    index: u32,
    /// Tells apart the entries that have had one index. Zero: a fixed token.
    generation: u32,
}

impl Token {
    /// A name for what lives as long as its driver, such as a listener. It is in no table. Panics for `u16::MAX`, which is
    /// the reactor's own.
    pub const fn fixed(number: u16) -> Token {
        assert!(number < u16::MAX, "that token is the reactor's own");
        Token {
            index: number as u32,
            generation: 0,
        }
    }

    /// The number of a fixed token; `None` for an entry of a table.
    #[inline]
    pub const fn as_fixed(self) -> Option<u16> {
        match self.generation {
            0 => Some(self.index as u16),
            _ => None,
        }
    }

    /// Whether it is of a table that was made by [`Table::apart`](super::Table::apart).
    #[inline]
    pub const fn is_apart(self) -> bool {
        self.generation >= Token::APART
    }

    /// The first generation of tables apart.
    pub(super) const APART: u32 = 1 << 31;

    /// The reactor's eventfd.
    pub(super) const MAIL: Token = Token::new(u16::MAX as u32, 0);

    pub(super) const fn new(index: u32, generation: u32) -> Token {
        Token { index, generation }
    }

    #[inline]
    pub(super) const fn index(self) -> usize {
        self.index as usize
    }

    /// As a number: the data of its events, and what [probes](crate::sys::probes) say of it.
    #[inline]
    pub const fn to_bits(self) -> u64 {
        (self.generation as u64) << 32 | self.index as u64
    }

    #[inline]
    pub(super) const fn from_bits(bits: u64) -> Token {
        Token {
            index: bits as u32,
            generation: (bits >> 32) as u32,
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_fixed() {
            Some(number) => write!(f, "Token(fixed {number})"),
            None => write!(f, "Token({}.{})", self.index, self.generation),
        }
    }
}
