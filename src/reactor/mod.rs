//! An embeddable event loop: descriptors, tokens, deadlines, mail.
//!
//! This layer knows who is to be woken, and why. It has never heard of what the descriptors carry: a [`Driver`] does the
//! work, a [`Reactor`] calls it.
//!
//! # A turn
//!
//! ```text
//!   wait ──► on_turn ──► on_resume … ──► on_ready … ──► on_settled ──► on_deadline … ──► on_message … ──► on_end
//!            the clock   the run queue   descriptors    once: what     deadlines that    mail from
//!            was read    as it was       with events    comes after    are over          other threads
//!                        at the start                   the work
//! ```
//!
//! A driver keeps what it works on in a [`Table`]: that is the only way from a [`Token`] to a value, and it knows which
//! tokens are stale. So an event, a deadline or a message that comes too late finds nothing, and nothing has to be
//! unregistered or cancelled.
//!
//! # An echo server
//!
//! What `examples/echo_reactor.rs` is. Edge-triggered descriptors are read until they say `WouldBlock`.
//!
//! ```no_run
#![doc = include_str!("../../examples/echo_reactor.rs")]
//! ```
//!
//! # Nesting
//!
//! A [`Reactor`] is a descriptor itself ([`AsFd`](std::os::fd::AsFd)). A loop that watches it, level-triggered, and calls
//! [`turn`](Reactor::turn) with a time-out of zero when it is readable or when [`next_deadline`](Reactor::next_deadline)
//! has passed, hosts this one.

mod counters;
mod deadlines;
mod mailbox;
mod table;
mod token;
mod turn;

pub use counters::Counters;
pub use mailbox::{Mailbox, Stopped};
pub use table::Table;
pub use token::Token;
pub use turn::{Driver, Reactor, Registry, Turn};
