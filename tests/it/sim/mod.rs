//! The simulated kernel, checked against the real one; and the whole server in it: seeds, faults, time.

mod accepting;
mod alone;
mod apart;
mod app;
mod bytes;
mod child;
mod client;
mod corners;
mod crowds;
mod cuts;
mod faults;
mod finds;
mod fresh;
mod judge;

mod later;
mod library;
mod local;
mod model;
mod parse;
mod plot;
mod plots;
mod progress;
mod report;
mod requests;
mod run;
mod scenes;
mod seeds;
mod setting;
mod sites;
mod streams;
mod watch;
