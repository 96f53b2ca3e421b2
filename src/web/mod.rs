//! What applications use.
//!
//! This layer knows routes, files, forms, cookies, media types and what clients remember of an earlier answer. It stands on
//! the public API of the layers below, and has never heard of connections, readiness or framing.
//!
//! # Where to look
//!
//! [`Routes`] and [`Router`] in `router` find the handler of a request, and `middleware` is what it passes on its way.
//!
//! Of requests: `params` reads queries, forms and parts of paths, `cookies` what clients were told to remember, `multipart`
//! forms with files, whole or as they come, `json` what programs send; `proxies` says where they come from. What can't be
//! read is a [`Refusal`], which is an answer too.
//!
//! Of answers: [`Respond`] is what a head can have more, `set_cookie` what is told to be remembered, `event_stream` what is told by and by. [`Content`] in `content`
//! is judged by `precondition` and `range`, and `validator` says what state it is in. [`Files`] in `files` is such content from
//! a tree of files.

#![forbid(unsafe_code)]

mod content;
mod content_type;
mod cookies;
mod event_stream;
mod files;
#[cfg(feature = "json")]
mod json;

mod middleware;
mod multipart;
mod params;

mod precondition;
mod proxies;
mod range;
mod refusal;
mod respond;
mod router;
mod set_cookie;
mod validator;

pub use content::Content;
pub use cookies::{Cookies, cookies};
pub use event_stream::{ServerEvent, ServerEventError, event_stream, event_stream_comment};
pub use files::{
    CacheControlError, CacheLimits, CacheStats, FileBytes, FileNameError, Files, MediaTypesError,
    PageError, embed_directory,
};
#[cfg(feature = "json")]
pub use json::json;
pub use middleware::{
    Access, AccessEntry, BasicAuth, BasicAuthError, BodyLimit, Cors, CorsError, CorsRules,
    CrossOrigin, Deadline, Id, Middleware, Next, Origins, RequestId, SecurityHeaders, User,
};
pub use multipart::{
    Boundary, Multipart, MultipartError, MultipartEvent, MultipartLimits, Part, PartHead, PartSink,
    parts, stream_parts,
};
pub use params::{Params, form, path_value, percent_decode, query};
pub use proxies::{ForwardedBy, ProxyError, TrustedProxies};
pub use refusal::Refusal;
pub use respond::Respond;
pub use router::{RouteError, RouteErrors, RouteInfo, Router, Routes, Unclean};
pub use set_cookie::{CookieBuilder, CookieError, SameSite, SetCookie};
