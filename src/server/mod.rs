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
//! `take_out` who leaves alive, `drain` how it stops; `session`, `answer`, `flush` and `closing` are one connection on its
//! `transport`; `patience` is its deadline; `handler`, `route`, `response`, `added`, `helpers`, `output`, `pace`, `stream`, `waker`,
//! `defer` and [`pool`] are what applications see, `limits` and `observer` what operators do; `local` and `sender` are what
//! else a program has on the loop; `inflow` is a body on its way to handlers; `states` is what they keep with a
//! connection; `moment` is what is known of when they have come; `contain` is where their panics end; `buffers`, `preamble`
//! and `shared` are what all sessions of a worker use; `counters` is what has happened, in numbers; `replay` drives sessions
//! without a kernel, with what is in a `recording`.
//!
//! # Phases
//!
//! What a request goes through are functions of these names in every build, so that profilers and probes find them:
//!
//! | phase | function | what |
//! |---|---|---|
//! | accept | `Worker::accept_ready` | connections that wait are taken |
//! | receive | `Transport::recv_ready` | recv(2) |
//! | parse | `http::request::parse_head` | a head is cut and judged |
//! | handle | `Session::handle` | the application's handler, with the next two within it |
//! | route | `Router::route` | which route takes the request, where there is a router |
//! | encode | `Conn::encode` | the head of the answer is ended |
//! | send | `Transport::send_ready` | send(2) |
//! | expire | `Session::expire` | a deadline is over |

mod accept;
mod added;
mod adopt;
mod answer;
mod awaits;
mod buffers;
mod closing;
mod contain;
mod counters;
mod defer;
mod drain;
mod event_loop;
mod flush;
mod handler;
mod hashing;
mod helpers;
mod inflow;
mod limits;
mod local;
mod moment;
mod observer;
mod output;
mod pace;
mod patience;
pub mod pool;
mod preamble;
mod recording;
mod replay;
mod response;
mod route;
mod sender;
mod serving;
mod session;
mod shared;
mod start;
mod states;
mod stream;
mod take_out;
mod transport;
mod waker;
mod worker;

pub use added::Answered;
pub use adopt::NotAdopted;
pub use counters::Counters;
pub use defer::{Client, Completer, Promise};
pub use event_loop::EventLoop;
pub use handler::{Handler, Intake, Request};
pub use hashing::Hashing;
pub use helpers::Redirect;
pub use limits::{Limits, Linger, Progress};
pub use local::{Local, LocalId, Watch};
pub use moment::Moment;
pub use observer::{CloseReason, Observer, Summary, Trouble};
pub use recording::{Recording, RecordingError, write as write_recording};
pub use replay::{Replay, ReplayError, Replayed};
pub use response::{HeadWriter, Reply, ResponseWriter, Upgrade};
pub use route::{Attachment, RouteMatch};
pub use sender::{NotSent, Sender};
pub use serving::{Handle, Report, Serving};
pub use start::{Server, StartError};
pub use stream::{BodyWriter, Duplex, Pull, ReadAhead, Sink, Source, Taken};
pub use take_out::TakenOut;
pub use waker::Waker;
