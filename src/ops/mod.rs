//! What operators have beside a server: for now, what its clients send, as a file.
//!
//! It stands on the public API of the engine: an [`Observer`](crate::Observer) is told, and whoever wants nothing of it pays
//! nothing.

#![forbid(unsafe_code)]

mod record;

pub use record::{NotRecorded, RecordLimits, Recorded, Recorder, Writer};
