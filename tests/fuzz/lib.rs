//! What the fuzz targets run, and what they begin with.

pub mod bodies;
pub mod inputs;

/// What the bodies share with the integration tests.
#[path = "../it/http"]
#[expect(dead_code, reason = "the integration tests use more of it")]
mod http {
    pub(crate) mod corpus;
    pub(crate) mod transcript;
}
