//! The integration tests: one binary, one module a theme.

mod alloc;
mod dependencies;
#[cfg(feature = "web")]
mod files;
mod http;
mod layers;
