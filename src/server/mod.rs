//! The bridge: from readable descriptors to answered requests.
//!
//! This layer knows connections, handlers and limits. It calls no system call by itself, and it neither parses nor writes
//! a framing field: [`sys`](crate::sys) does the one, [`http`](crate::http) the other, and [`reactor`](crate::reactor)
//! says when.
//!
//! ```text
//!   Server ── listens, starts threads ──► EventLoop ── Reactor turns ──► Worker, its Driver
//!                                                                          │ Table: Token ► Session
//!                                                                          ▼
//!                 kernel ◄── send ◄── flush ◄── ResponseWriter ◄── Handler ◄── Conn ◄── recv ◄── kernel
//! ```
//!
//! `start`, `serving` and `event_loop` start; `worker` is what happens in a turn, `accept` and `adopt` who gets in,
//! `take_out` who leaves alive, `drain` how it stops; `local` and `sender` are what else the program has on the loop; `session`, `answer`, `flush` and `closing` are one connection on its `transport`; `patience` is its deadline;
//! `handler`, `response`, `output` and `defer` are what applications see, `limits` and `observer` what operators do;
//! `buffers`, `preamble` and `shared` are what all sessions of a worker use.

mod accept;
mod adopt;
mod answer;
mod buffers;
mod closing;
mod defer;
mod drain;
mod event_loop;
mod flush;
mod handler;
mod limits;
mod local;
mod observer;
mod output;
mod patience;
mod preamble;
mod response;
mod sender;
mod serving;
mod session;
mod shared;
mod start;
mod take_out;
mod transport;
mod worker;

pub use adopt::NotAdopted;
pub use defer::{Client, Completer};
pub use event_loop::EventLoop;
pub use handler::{Handler, Intake, Request};
pub use limits::{Limits, Linger, Progress};
pub use local::{Local, LocalId, Watch};
pub use observer::{CloseReason, Observer, Summary, Trouble};
pub use output::{BodyWriter, Pull, Source};
pub use response::{HeadWriter, Reply, ResponseWriter};
pub use sender::Sender;
pub use serving::{Handle, Report, Serving};
pub use start::{Server, StartError};
pub use take_out::Taken;
