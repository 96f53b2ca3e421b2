//! The simulated kernel, and what is tested in it.

mod apart;
mod child;
mod model;
mod sites;
