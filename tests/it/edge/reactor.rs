//! The reactor by itself.
