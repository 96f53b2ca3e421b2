//! What stands between the router and handlers: functions that see requests first and pass them on.
//!
//! | here | does |
//! |---|---|
//! | [`Access`] | tells a function what became of each request |
//! | [`BasicAuth`] | lets nobody in without a name and a password |
//! | [`BodyLimit`] | bounds bodies |
//! | [`Cors`] | lets scripts of other origins read answers |
//! | [`CrossOrigin`] | keeps scripts and forms of other origins from changing anything |
//! | [`Deadline`] | bounds the time of answers |
//! | [`RequestId`] | gives each request a name |
//! | [`SecurityHeaders`] | tells browsers to be strict |
//!
//! One of your own is a function, or a [`Middleware`]:
//!
//! ```
//! use edgeloop::web::{Next, Routes};
//! use edgeloop::{Reply, Request, ResponseWriter, field_line};
//!
//! fn members_only(req: &Request, res: ResponseWriter, next: Next) -> Reply {
//!     match req.field("x-member") {
//!         Some(_) => next.run(req, res.with_line(field_line!("X-Welcome", "back"))),
//!         None => res.status(403).text("members only\n"),
//!     }
//! }
//!
//! let routes = Routes::new()
//!     .layer(members_only)
//!     .get("/secrets", |_, res| res.status(200).text("42\n"));
//! # routes.build().unwrap();
//! ```

mod access;
mod basic_auth;
mod body_limit;
mod cors;
mod cross_origin;
mod deadline;
mod request_id;
mod security_headers;

pub use access::{Access, AccessEntry};
pub use basic_auth::{BasicAuth, BasicAuthError, User};
pub use body_limit::BodyLimit;
pub use cors::{Cors, CorsError, CorsRules, Origins};
pub use cross_origin::CrossOrigin;
pub use deadline::Deadline;
pub use request_id::{Id, RequestId};
pub use security_headers::SecurityHeaders;

use crate::server::{Handler, Intake, Reply, Request, ResponseWriter};

/// Sees the requests of a group before its routes do, and those answers as well that the router gives in their place.
///
/// A request without a body passes once, and so does one whose body is streamed. One whose body is buffered passes twice:
/// when its head has come, so that it can be refused before its body is read, and when it has come whole
/// ([`Next::is_whole`]). What is decided of the answer before it has
/// begun (fields, hooks) has to be said both times, and does not add up. So most are the same function both times; one that
/// counts, or does what can be done once only, asks.
///
/// Functions and closures of the shape of [`on_request`](Middleware::on_request) are middleware.
pub trait Middleware {
    /// Answers, or passes the request on by [`next.run`](Next::run).
    fn on_request(&mut self, req: &Request<'_>, res: ResponseWriter<'_>, next: Next<'_>) -> Reply;
}

impl<F: FnMut(&Request<'_>, ResponseWriter<'_>, Next<'_>) -> Reply> Middleware for F {
    fn on_request(&mut self, req: &Request<'_>, res: ResponseWriter<'_>, next: Next<'_>) -> Reply {
        self(req, res, next)
    }
}

/// The way on: the rest of the middleware, then the handler.
pub struct Next<'n> {
    /// From that of number `first` on.
    middleware: &'n mut [Box<dyn Middleware>],
    first: usize,
    /// The numbers of those that are still to be passed, in ascending order.
    chain: &'n [usize],
    handler: &'n mut dyn Handler,
    stage: Stage<'n>,
}

/// What there is of the request.
pub(super) enum Stage<'n> {
    /// Its head. What the handler says of its body is put there.
    Head(&'n mut Option<Intake>),
    Whole,
}

impl<'n> Next<'n> {
    pub(super) fn new(
        middleware: &'n mut [Box<dyn Middleware>],
        chain: &'n [usize],
        handler: &'n mut dyn Handler,
        stage: Stage<'n>,
    ) -> Next<'n> {
        Next {
            middleware,
            first: 0,
            chain,
            handler,
            stage,
        }
    }

    /// Whether the request has come whole; else only its head has, and its body will follow if nobody answers.
    pub fn is_whole(&self) -> bool {
        match self.stage {
            Stage::Head(_) => false,
            Stage::Whole => true,
        }
    }

    /// Passes the request on. The reply stands for an answer, or for the wish to have the body first.
    pub fn run(self, req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
        let Some((&number, chain)) = self.chain.split_first() else {
            return match self.stage {
                Stage::Head(aside) => self.handler.intake(req, res).put_aside(aside),
                Stage::Whole => self.handler.on_request(req, res),
            };
        };
        let behind = number + 1 - self.first;
        let (passed, middleware) = self.middleware.split_at_mut(behind);
        let next = Next {
            middleware,
            first: number + 1,
            chain,
            ..self
        };
        passed[behind - 1].on_request(req, res, next)
    }
}

impl core::fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Next").finish_non_exhaustive()
    }
}
