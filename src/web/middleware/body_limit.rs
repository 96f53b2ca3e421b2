//! How large bodies may be.

use super::{Middleware, Next};
use crate::server::{Reply, Request, ResponseWriter};

/// Bounds the bodies of a group, to more or less than the server's own limit: beyond it 413, before the body is read where
/// its length is declared. The innermost limit counts. A handler that says itself how much it takes, in
/// [`intake`](crate::Handler::intake), has the last word.
///
/// ```
/// use edgeloop::web::{BodyLimit, Routes};
///
/// let uploads = Routes::new()
///     .layer(BodyLimit(64 << 20))
///     .put("/{name}", |req, res| res.status(200).text(format!("{} bytes\n", req.body().len())));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyLimit(
    /// In bytes.
    pub usize,
);

impl Middleware for BodyLimit {
    fn on_request(&mut self, req: &Request<'_>, res: ResponseWriter<'_>, next: Next<'_>) -> Reply {
        next.run(req, res.with_body_max(self.0))
    }
}
