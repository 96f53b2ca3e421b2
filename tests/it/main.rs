//! The integration tests: one binary, one module a theme.

mod alloc;
#[cfg(feature = "cli")]
mod binary;
mod dependencies;
#[cfg(feature = "cli")]
mod examples;
mod edge;
#[cfg(feature = "web")]
mod files;
mod handover;
mod http;
mod layers;
#[cfg(feature = "cli")]
mod process;
