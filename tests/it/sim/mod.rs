//! The whole server in a simulated world: seeds, faults, time.

mod app;
mod client;
mod parse;
mod plot;
mod run;
mod seeds;
mod watch;
