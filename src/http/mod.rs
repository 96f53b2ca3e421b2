//! HTTP/1.1 without input or output.
//!
//! This layer knows what bytes mean and which bytes say something. It has never heard of descriptors, clocks, threads or
//! handlers: [`Conn`] is fed with slices and hands out events that borrow from them.
//!
//! # Theory of operation
//!
//! A connection is a [`Stage`]: waiting for a head, in an exchange, or closing. An [`Exchange`] is a request and its
//! answer, and its two directions are independent, so it is a product: what the client still owes us ([`Reading`]) ×
//! what we still owe the client ([`Writing`]). When both are done, one table says what comes next:
//!
//! | reading | writing | persist | next stage |
//! |---|---|---|---|
//! | any | `Head`, `Body` | any | the exchange goes on |
//! | `Done` | `Done` | `KeepAlive` | `Head`: the next request |
//! | `Done` | `Done` | `PeerCloses` | `Closing(PeerAsked)` |
//! | `Done`, `Body(UntilClose)` | `Done` | `WeClose` | `Closing(WeAsked)` |
//! | `Body` | `Done` | `KeepAlive` | the exchange goes on as `Discard`: a short rest is read over |
//! | `Discard` | `Done` | `KeepAlive` | the exchange goes on |
//! | `AwaitContinue` | `Done` | any | `Closing(BodyUnread)`: nobody can know whether a body comes |
//! | `Body`, `Discard` | `Done` | `PeerCloses`, `WeClose` | `Closing(BodyUnread)` |
//!
//! A change of protocol is no stage of its own: it is an exchange whose two directions have no framing and end with
//! themselves.
//!
//! Whether a body that nobody wants is too long to be read over is known when the head of the answer is written, which
//! then says `Connection: close`.
//!
//! # One exchange, in memory
//!
//! ```
//! use edgeloop::http::{encode, Conn, Event, Length, Limits, Slots};
//!
//! let (limits, mut conn, mut slots, mut out) = (Limits::default(), Conn::new(), Slots::new(), Vec::new());
//! let input = b"GET /hello HTTP/1.1\r\nHost: example.com\r\n\r\n";
//! let (used, event) = conn.next(&limits, input, &mut slots);
//! let Event::Request(head) = event else { panic!("a whole head") };
//! assert_eq!((used, head.path()), (input.len(), "/hello"));
//!
//! encode::status_line(&mut out, 200);
//! conn.finish_head(&limits, &mut out, 200, Length::Known(5));
//! conn.write_body(&limits, &mut out, b"hello");
//! assert_eq!(out, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
//! ```
//!
//! # Where to look
//!
//! [`Conn`] in `conn` is the machine, and `stage` is where it can be; `request` reads heads, which `cut` takes
//! apart; `framing` decides from their fields, `target` and `field` know their grammar; `judge` finds the fault in a bad
//! head; `decode` and `encode` are bodies in and answers out.

#![forbid(unsafe_code)]

mod conn;
mod cut;
pub mod date;
mod decode;
pub mod encode;
mod error;
mod field;
mod framing;
mod judge;
mod limits;
mod line;
mod name;
mod request;
mod stage;
mod status;
mod target;
mod trailers;

pub use conn::{Conn, Event};
pub use decode::{ChunkDecoder, Decoder, Piece};
pub use encode::{Encoder, FieldError, Length};
pub use error::Reject;
pub use field::{Fields, is_token, is_value};
pub use framing::{Body, Framing, Persist};
pub use limits::Limits;
pub use line::{FieldLine, FieldLines};
pub use name::FieldName;
pub use request::{Head, Places, Slots, Version, reparse};
pub use stage::{CloseReason, Content, Exchange, Reading, Stage, Writing};
pub use status::reason;
pub use target::{Form, Target};
pub use trailers::{TrailerSlots, trailers};
