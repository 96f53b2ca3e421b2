//! What is known of a request besides what its client has sent: the route that it takes, and what was attached on its way.

use core::any::Any;

use super::handler::Request;

/// The route that a request takes. Made by a router on its stack, and handed on with [`Request::routed`].
///
/// ```
/// use edgeloop::server::RouteMatch;
/// use edgeloop::{Handler, Reply, Request, ResponseWriter};
///
/// /// A router of one route.
/// struct Users<H>(H);
///
/// impl<H: Handler> Handler for Users<H> {
///     fn on_request(&mut self, req: &Request, res: ResponseWriter) -> Reply {
///         let Some(id) = req.path().strip_prefix("/users/") else {
///             return res.no_route(req.method());
///         };
///         let values = [("id", id)];
///         let route = RouteMatch::new(req, "/users/{id}", &values, None);
///         self.0.on_request(&req.routed(&route), res)
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RouteMatch<'r> {
    pattern: &'r str,
    values: &'r [(&'r str, &'r str)],
    rest: Option<&'r str>,
    outer: Option<&'r RouteMatch<'r>>,
}

impl<'r> RouteMatch<'r> {
    /// A route that `req` takes: its pattern, the name and the value of each of its wildcards, and the part of the path that
    /// its end has matched if it is one that takes whatever follows. The values as they came, percent-encoded.
    ///
    /// Of a request that was routed before, what the outer route knows is kept.
    pub fn new(
        req: &Request<'r>,
        pattern: &'r str,
        values: &'r [(&'r str, &'r str)],
        rest: Option<&'r str>,
    ) -> RouteMatch<'r> {
        RouteMatch {
            pattern,
            values,
            rest,
            outer: req.route,
        }
    }

    /// This route and those around it, from the inside out.
    fn chain(&'r self) -> impl Iterator<Item = &'r RouteMatch<'r>> {
        core::iter::successors(Some(self), |route| route.outer)
    }
}

/// A value that goes with a request to the handlers behind. Made on the stack, and handed on with [`Request::attach`].
#[derive(Clone, Copy)]
pub struct Attachment<'r> {
    value: &'r dyn Any,
    outer: Option<&'r Attachment<'r>>,
}

impl<'r> Attachment<'r> {
    /// Something to go with `req`, besides what goes with it already.
    pub fn new<T: 'static>(req: &Request<'r>, value: &'r T) -> Attachment<'r> {
        Attachment {
            value,
            outer: req.attached,
        }
    }
}

impl core::fmt::Debug for Attachment<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Attachment").finish_non_exhaustive()
    }
}

impl<'r> Request<'r> {
    /// The same request on its way to the handler of a route.
    #[must_use]
    pub fn routed<'s>(&self, route: &'s RouteMatch<'s>) -> Request<'s>
    where
        'r: 's,
    {
        let mut request: Request<'s> = *self;
        request.route = Some(route);
        request
    }

    /// The same request with something attached.
    ///
    /// ```
    /// use edgeloop::server::Attachment;
    /// use edgeloop::{Handler, Reply, Request, ResponseWriter};
    ///
    /// struct User {
    ///     name: String,
    /// }
    ///
    /// fn outer(req: &Request, res: ResponseWriter) -> Reply {
    ///     let user = User { name: "ada".to_owned() };
    ///     inner(&req.attach(&Attachment::new(req, &user)), res)
    /// }
    ///
    /// fn inner(req: &Request, res: ResponseWriter) -> Reply {
    ///     match req.attached::<User>() {
    ///         Some(user) => res.status(200).text(&user.name),
    ///         None => res.status(401).empty(),
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn attach<'s>(&self, attachment: &'s Attachment<'s>) -> Request<'s>
    where
        'r: 's,
    {
        let mut request: Request<'s> = *self;
        request.attached = Some(attachment);
        request
    }

    /// The value of this type that was attached last.
    pub fn attached<T: 'static>(&self) -> Option<&'r T> {
        core::iter::successors(self.attached, |attachment| attachment.outer)
            .find_map(|attachment| attachment.value.downcast_ref())
    }

    /// The pattern of the route that it takes, the innermost if a route leads to another router.
    pub fn pattern(&self) -> Option<&'r str> {
        self.route.map(|route| route.pattern)
    }

    /// What a wildcard of the pattern has matched, as it came: percent-encoded, so that `%2F` is none of the slashes that
    /// part segments. Empty only where `{name...}` has matched nothing.
    pub fn path_value(&self, name: &str) -> Option<&'r str> {
        let values = self.route?.chain().flat_map(|route| route.values);
        values
            .filter(|(other, _)| *other == name)
            .map(|(_, value)| *value)
            .next()
    }

    /// The part of the path below the route: what the end of a pattern that takes whatever follows (`/` or `{name...}`) has
    /// matched, without a slash in front. The whole path where no route has such an end, so that a handler which serves a
    /// tree can stand anywhere.
    pub fn path_below(&self) -> &'r str {
        match self.route {
            Some(route) => route.chain().find_map(|it| it.rest).unwrap_or(self.path()),
            None => self.path(),
        }
    }
}
