//! The HTTP layer, from bytes to bytes: no socket, no clock.

mod allocation;
mod conn;
mod corpus;
mod hyper;
mod oracle;
mod property;
mod random;
mod spec;
mod split;
mod transcript;
mod wire;
