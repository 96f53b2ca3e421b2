//! The bodies of the fuzz targets: ordinary functions of bytes, which panic when a promise is broken.
//!
//! `tests/it` runs each a fixed number of times on inputs made from the corpus and a seed; `tests/fuzz` lets libFuzzer
//! look for new ones.

mod answers;
mod choices;
mod chunks;
mod connection;
mod head;
mod plain;
mod plain_fields;

pub use chunks::chunks;
pub use connection::connection;
pub use head::head;
