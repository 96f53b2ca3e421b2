//! The bodies of the fuzz targets: ordinary functions of bytes, which panic when a promise is broken.
//!
//! `tests/it` runs each a fixed number of times on inputs made from the corpus and a seed; `tests/fuzz` lets libFuzzer
//! look for new ones.

mod answers;
mod asked;
mod choices;
mod chunks;
#[cfg(feature = "web")]
mod conditions;
mod connection;
mod head;
#[cfg(feature = "web")]
mod multipart;
#[cfg(feature = "web")]
mod path;
mod plain;
mod plain_fields;
mod response;
mod session;
mod wire;

pub use chunks::chunks;
#[cfg(feature = "web")]
pub use conditions::conditions;
pub use connection::connection;
pub use head::head;
#[cfg(feature = "web")]
pub use multipart::multipart;
#[cfg(feature = "web")]
pub use path::path;
pub use response::response;
pub use session::session;
