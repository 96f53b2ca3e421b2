//! Requests that a page of another origin has its reader's browser send.

use super::cors::{CorsError, check_origin};
use super::{Middleware, Next};
use crate::server::{Reply, Request, ResponseWriter};

/// Refuses what could change something and comes from a page of another origin: 403, before a body is read. So a page
/// can't use the cookies of its readers against this site (cross-site request forgery), and no token in any form is needed.
///
/// GET, HEAD and OPTIONS pass: they must not change anything. Of the others
///
/// | request | |
/// |---|---|
/// | `Sec-Fetch-Site: same-origin` or `none` | passes |
/// | another `Sec-Fetch-Site` | is refused |
/// | none, and no `Origin`: no browser sends that | passes |
/// | none, and the host of `Origin` is the one that the request is for | passes |
/// | none, and another `Origin` | is refused |
///
/// and an `Origin` that is trusted passes. These are the rules of Go's `CrossOriginProtection`.
///
/// ```
/// use edgeloop::web::{CrossOrigin, Routes};
///
/// # fn main() -> Result<(), edgeloop::web::CorsError> {
/// let routes = Routes::new()
///     .layer(CrossOrigin::new().trust("https://accounts.example.com")?)
///     .post("/transfers", |_, res| res.status(200).text("done\n"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct CrossOrigin {
    trusted: Vec<String>,
}

impl CrossOrigin {
    /// Trusts no origin but its own.
    pub fn new() -> CrossOrigin {
        CrossOrigin::default()
    }

    /// Trusts another origin, `scheme://host[:port]`. Errors: it is none.
    pub fn trust(mut self, origin: &str) -> Result<CrossOrigin, CorsError> {
        self.trusted.push(check_origin(origin)?);
        Ok(self)
    }

    fn passes(&self, req: &Request<'_>) -> bool {
        if matches!(req.method(), "GET" | "HEAD" | "OPTIONS") {
            return true;
        }
        let origin = req.field("origin");
        let is_trusted = || {
            let mut trusted = self.trusted.iter();
            origin.is_some_and(|origin| trusted.any(|it| it.as_bytes() == origin))
        };
        match (req.field("sec-fetch-site"), origin) {
            (Some(b"same-origin" | b"none"), _) | (None | Some(b""), None | Some(b"")) => true,
            (None | Some(b""), Some(origin)) => is_of(origin, req.host()) || is_trusted(),
            (Some(_), _) => is_trusted(),
        }
    }
}

/// Whether the origin has this host. Of its scheme the request says nothing.
fn is_of(origin: &[u8], host: &str) -> bool {
    let rest = origin
        .strip_prefix(b"http://")
        .or_else(|| origin.strip_prefix(b"https://"));
    rest.is_some_and(|rest| !host.is_empty() && rest.eq_ignore_ascii_case(host.as_bytes()))
}

impl Middleware for CrossOrigin {
    fn on_request(&mut self, req: &Request<'_>, res: ResponseWriter<'_>, next: Next<'_>) -> Reply {
        if self.passes(req) {
            next.run(req, res)
        } else {
            res.status(403)
                .text("this comes from a page of another origin\n")
        }
    }
}
