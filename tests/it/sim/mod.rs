//! The simulated kernel, checked against the real one; and the whole server in it: seeds, faults, time.

mod accepting;
mod apart;
mod app;
mod child;
mod client;
mod model;
mod parse;
mod plot;
mod run;
mod seeds;
mod sites;
mod watch;
