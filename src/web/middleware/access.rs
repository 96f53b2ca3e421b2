//! What became of each request.

use core::time::Duration;
use std::cell::RefCell;
use std::rc::Rc;

use super::{Middleware, Next};
use crate::server::{Reply, Request, ResponseWriter};

/// Tells a function of each answer, those that come late included. Costs a few allocations a request.
///
/// It tells of what is answered behind it. What the server answers by itself (heads that are at fault, bodies that are too
/// large or too slow) an [`Observer`](crate::Observer) sees.
///
/// ```
/// use edgeloop::web::{Access, Routes};
///
/// let routes = Routes::new()
///     .layer(Access::new(|it| println!("{} {} {}", it.method, it.target, it.status)))
///     .get("/", |_, res| res.status(200).text("Hello, world!\n"));
/// ```
pub struct Access<F> {
    tell: Rc<RefCell<F>>,
}

/// A request that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessEntry {
    /// Its method.
    pub method: String,
    /// Its target as it came.
    pub target: String,
    /// The pattern of its route, if it has one.
    pub pattern: Option<String>,
    /// The status of its answer.
    pub status: u16,
    /// How many bytes the content has, or would have if the request were no HEAD. `None` when that is not known yet.
    pub content_bytes: Option<u64>,
    /// From here to the answer, by the clock that the loop reads once a turn.
    pub time: Duration,
}

impl<F: FnMut(&AccessEntry) + 'static> Access<F> {
    /// Tells `tell`.
    pub fn new(tell: F) -> Access<F> {
        Access {
            tell: Rc::new(RefCell::new(tell)),
        }
    }
}

impl<F: FnMut(&AccessEntry) + 'static> Middleware for Access<F> {
    fn on_request(&mut self, req: &Request<'_>, res: ResponseWriter<'_>, next: Next<'_>) -> Reply {
        let tell = Rc::clone(&self.tell);
        let mut entry = AccessEntry {
            method: req.method().to_owned(),
            target: req.target().as_str().to_owned(),
            pattern: req.pattern().map(str::to_owned),
            status: 0,
            content_bytes: None,
            time: Duration::ZERO,
        };
        let res = res.on_answered(move |answered| {
            entry.status = answered.status;
            entry.content_bytes = answered.content_bytes;
            entry.time = answered.time;
            (tell.borrow_mut())(&entry);
        });
        next.run(req, res)
    }
}

impl<F> core::fmt::Debug for Access<F> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Access").finish_non_exhaustive()
    }
}
