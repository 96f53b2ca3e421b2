//! The HTTP layer, from bytes to bytes: no socket, no clock.

mod conn;
mod corpus;
mod spec;
mod split;
mod transcript;
