//! How long answers may take.

use core::time::Duration;

use super::{Middleware, Next};
use crate::server::{Reply, Request, ResponseWriter};

/// Bounds the time of a group's answers, instead of [`Limits::handler_time`](crate::Limits::handler_time): a handler that has
/// put its answer off and is later than that has its client answered 503. The innermost deadline counts.
///
/// ```
/// use core::time::Duration;
/// use edgeloop::web::{Deadline, Routes};
///
/// let reports = Routes::new()
///     .layer(Deadline(Duration::from_secs(300)))
///     .get("/yearly", |_, res| {
///         let (completer, reply) = res.defer();
///         std::thread::spawn(move || completer.finish(|res| res.status(200).text("42\n")));
///         reply
///     });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(
    /// From the whole request, or from its head where its body is streamed.
    pub Duration,
);

impl Middleware for Deadline {
    fn on_request(&mut self, req: &Request<'_>, res: ResponseWriter<'_>, next: Next<'_>) -> Reply {
        next.run(req, res.deadline(self.0))
    }
}
