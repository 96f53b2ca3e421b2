//! What applications use.
//!
//! This layer knows files, media types and what clients remember of an earlier answer. It stands on the public API of
//! the layers below, and has never heard of connections, readiness or framing.
//!
//! # Where to look
//!
//! [`Files`] in `files` serves what lies below a directory: `path` turns the path of a target into the path of a file, `validator` says what state the file is
//! in, `precondition` and `range` what of it the client needs, `media_type` what it is.

#![forbid(unsafe_code)]

mod content;
mod content_type;
mod cookies;
mod files;
#[cfg(feature = "json")]
mod json;
mod media_type;
mod multipart;
mod params;
mod path;
mod precondition;
mod proxies;
mod range;
mod refusal;
mod respond;
mod set_cookie;
mod validator;

pub use content::Content;
pub use cookies::{Cookies, cookies};
pub use files::Files;
#[cfg(feature = "json")]
pub use json::json;
pub use multipart::{
    Boundary, Multipart, MultipartError, MultipartEvent, MultipartLimits, Part, PartHead, PartSink,
    parts, stream_parts,
};
pub use params::{Params, form, path_value, percent_decode, query};
pub use proxies::{ForwardedBy, ProxyError, TrustedProxies};
pub use refusal::Refusal;
pub use respond::Respond;
pub use set_cookie::{CookieBuilder, CookieError, SameSite, SetCookie};
