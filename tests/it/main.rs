//! The integration tests: one binary, one module a theme.

mod alloc;
#[cfg(feature = "cli")]
mod bench;
#[cfg(feature = "cli")]
mod binary;
mod dependencies;
mod edge;
#[cfg(feature = "cli")]
mod examples;
#[cfg(feature = "web")]
mod files;
mod fuzz;
mod handover;
mod http;
mod layers;
#[cfg(feature = "web")]
mod probes;
#[cfg(feature = "cli")]
mod process;
#[cfg(feature = "cli")]
mod profile;
#[cfg(feature = "cli")]
mod replay;
#[cfg(feature = "cli")]
mod routes;
mod server;
#[cfg(all(feature = "sim", feature = "web"))]
mod sim;
mod source;
#[cfg(feature = "cli")]
mod stats;
mod trial;
#[cfg(feature = "web")]
mod web;
