//! The simulated kernel, and what is tested in it.

mod model;
mod sites;
