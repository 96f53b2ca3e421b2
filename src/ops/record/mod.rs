//! Recording what clients send.
//!
//! `recorder` is told by the server what it receives, `redact` takes out of it what is nobody's business, `writer` is the
//! thread that writes files.

mod credentials;
mod recorder;
mod redact;
mod writer;

pub use recorder::Recorder;
pub use writer::{NotRecorded, Recorded, Writer};

/// What is recorded, and how much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordLimits {
    /// Bytes of clients in all (64 MiB). What comes beyond is not recorded.
    pub bytes_max: u64,
    /// Connections in all (1,000).
    pub connections_max: u64,
    /// Whether bodies are recorded as they came (no). If not, as many bytes of filler stand for their content.
    pub bodies: bool,
    /// Whether heads are recorded as they came (no). If not, filler stands for the values of all fields but those that are
    /// known to carry no credentials, for passwords in URLs, and for what a query calls `token`, `key`, `password` and so on.
    pub credentials: bool,
    /// Those of the server that is recorded: where it refuses a client, nothing more of it is understood.
    pub http: crate::http::Limits,
}

impl Default for RecordLimits {
    fn default() -> Self {
        RecordLimits {
            bytes_max: 64 << 20,
            connections_max: 1000,
            bodies: false,
            credentials: false,
            http: crate::http::Limits::default(),
        }
    }
}
