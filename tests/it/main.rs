//! The integration tests: one binary, one module a theme.

mod alloc;
#[cfg(feature = "web")]
mod files;
mod http;
