//! The HTTP layer, from bytes to bytes: no socket, no clock.

mod allocation;
mod conn;
pub(crate) mod corpus;
mod hyper;
mod oracle;
mod property;
pub(crate) mod random;
mod spec;
mod split;
pub(crate) mod transcript;
mod wire;
