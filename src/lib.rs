//! An HTTP/1.1 server for Linux that is one thread and one edge-triggered epoll loop.
//!
//! Bytes become events in [`http`], readiness becomes turns in [`reactor`], and [`server`] is the short bridge between
//! them; [`sys`] is the only place that touches the kernel.
//!
//! ```text
//!            readable                                                 written
//!               │                                                        ▲
//!  kernel ──────┼────────────────────────────────────────────────────────┼───────
//!  sys          │ epoll_wait          recv ─► the worker's buffer        │ send, once
//!  reactor    turn ─► token, what is ready     │                         │
//!  server       └───► Session::drive ──────────┤                    the worker's buffer
//!  http                                        ▼                         ▲
//!                                          Conn::next ─► Request ─► Handler, ResponseWriter
//! ```
//!
//! A connection is an entry of a slab and a state machine that parses requests as their bytes come. One that waits for its
//! next request holds no buffer; one whose client reads slowly holds what the kernel does not take, and is not read from.
//! With more cores the loop is replicated, one per core, and nothing is shared.
//!
//! # Hello, world
//!
//! ```no_run
//! use edgeloop::{Reply, Request, ResponseWriter, Server};
//!
//! fn hello(req: &Request, res: ResponseWriter) -> Reply {
//!     match (req.method(), req.path()) {
//!         ("GET", "/") => res.status(200).text("Hello, world!\n"),
//!         ("POST", "/echo") => res.status(200).body(req.body()),
//!         _ => res.status(404).text("not found\n"),
//!     }
//! }
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     Server::bind("[::]:8080")?.cores(4).serve_fn(hello)?.run()?;
//!     Ok(())
//! }
//! ```
//!
//! A [`Reply`] can only be had from the [`ResponseWriter`], which makes one and is gone: a handler that forgets to answer,
//! or answers twice, does not compile. One that can't answer yet calls [`defer`](ResponseWriter::defer), gives the
//! [`Completer`] to whoever will know, on any thread, and returns; with [`defer_with`](ResponseWriter::defer_with) only a value
//! crosses threads, and what answers with it stays here. Work that blocks goes to a bounded [`Pool`] of threads.
//!
//! # What a request costs
//!
//! One receive and one send, or a share of them when requests are pipelined; a share of one epoll_wait(2). No allocation,
//! no lock, no other system call; the clock is read once per turn of the loop. [`Counters`] say so of each loop, always, and
//! tests hold them to it.
//!
//! # In a loop of your own
//!
//! [`Server::event_loop`] gives an [`EventLoop`], which is a descriptor to watch and a [`turn`](EventLoop::turn) to call.
//! The other way round, a program has descriptors, timers and mail of its own on the server's loop ([`Local`]), gives it
//! connections that others have accepted ([`Handle::adopt`]), and takes connections out
//! ([`ResponseWriter::take_out`]).
//! The library installs no signal handler, reads no environment, prints nothing, starts no thread unless asked for more
//! than one core or for a [`Pool`], and never exits.
//!
//! # Where to go on
//!
//! Whoever comes from `net/http` or Gin finds each of their jobs in [`from_go`]. Handlers are tested with a [`Trial`], and
//! `examples/` has one lesson in each file. What clients send can be [recorded](ops), and [played](Replay) without a kernel to
//! whoever counts instructions.
//!
//! # Features
//!
//! Without any it is the engine, on libc, nix, httparse and slab. `web` adds what applications use: static files,
//! queries, forms, cookies and so on; `json` adds bodies in JSON to that, `compress` gzip of small texts while they are
//! served. `cli` (the default, with `web`) adds the `edgeloop` program. `usdt` puts static
//! [probes](sys::probes) where the [phases](server#phases) of a request are. `sim` puts a [simulated kernel](sys::sim) behind
//! `sys`, for tests.

#[cfg(not(target_os = "linux"))]
compile_error!("edgeloop is built on epoll(7), and so it runs on Linux only");

#[cfg(target_os = "linux")]
pub mod http;
#[cfg(target_os = "linux")]
pub mod ops;
#[cfg(target_os = "linux")]
pub mod reactor;
#[cfg(target_os = "linux")]
pub mod server;
#[cfg(target_os = "linux")]
pub mod sys;
#[cfg(target_os = "linux")]
pub mod testing;
#[cfg(all(target_os = "linux", feature = "web"))]
pub mod web;

#[cfg(target_os = "linux")]
pub use server::pool::Pool;
#[cfg(target_os = "linux")]
pub use server::{
    Client, Completer, Counters, EventLoop, Handle, Handler, HeadWriter, Intake, Limits, Local,
    Observer, Promise, Redirect, Replay, Reply, Request, ResponseWriter, Server, Serving,
};
#[cfg(target_os = "linux")]
pub use sys::signal::Signals;
#[cfg(target_os = "linux")]
pub use testing::Trial;

#[doc = include_str!("from_go.md")]
#[cfg(all(doc, target_os = "linux", feature = "web"))]
pub mod from_go {}

/// What README.md shows compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
