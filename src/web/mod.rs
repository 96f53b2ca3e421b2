//! What applications use.
//!
//! This layer knows routes, files, media types and what clients remember of an earlier answer. It stands on the public API of
//! the layers below, and has never heard of connections, readiness or framing.
//!
//! # Where to look
//!
//! [`Routes`] and [`Router`] in `router` find the handler of a request, and `middleware` is what it passes on its way.
//!
//! [`Files`] in `files` serves what lies below a directory: `path` turns the path of a target into the path of a file, `validator` says what state the file is
//! in, `precondition` and `range` what of it the client needs, `media_type` what it is.

#![forbid(unsafe_code)]

mod files;
mod media_type;
mod middleware;
mod path;
mod precondition;
mod range;
mod router;
mod validator;

pub use files::Files;
pub use middleware::{
    Access, AccessEntry, BasicAuth, BasicAuthError, BodyLimit, Cors, CorsError, CorsRules,
    CrossOrigin, Deadline, Id, Middleware, Next, Origins, RequestId, SecurityHeaders, User,
};
pub use router::{RouteError, RouteErrors, RouteInfo, Router, Routes, Unclean};
