//! Routes before they are built: groups of patterns with their handlers and middleware.

use core::panic::Location;

use super::Router;
use super::error::{RouteError, RouteErrors};
use super::pattern::Pattern;
use crate::server::{Handler, Reply, Request, ResponseWriter};
use crate::web::middleware::{Middleware, Next};

/// Routes, and the middleware that all of them share. [`build`](Routes::build) makes a [`Router`] of them.
///
/// ```
/// use edgeloop::web::Routes;
/// use edgeloop::{Reply, Request, ResponseWriter};
///
/// fn item(req: &Request, res: ResponseWriter) -> Reply {
///     res.status(200).text(req.path_value("id").unwrap_or_default())
/// }
///
/// # fn main() -> Result<(), edgeloop::web::RouteErrors> {
/// let api = Routes::new()
///     .get("/items/{id}", item)
///     .delete("/items/{id}", |_, res| res.status(204).empty());
/// let router = Routes::new()
///     .get("/{$}", |_, res| res.status(200).text("Hello, world!\n"))
///     .group("/api", api)
///     .build()?;
/// # Ok(())
/// # }
/// ```
///
/// # Patterns
///
/// They are those of Go's `ServeMux`: `[METHOD ][HOST]/[PATH]`.
///
/// | part | matches |
/// |---|---|
/// | no method | every method |
/// | `GET` | GET and HEAD |
/// | no host | every host; a pattern with the host goes first |
/// | `/name` | this segment, whichever of its octets came percent-encoded |
/// | `/{name}` | any segment that is not empty |
/// | `/` at the end | everything below, and the path with just the slash |
/// | `/{name...}` at the end | the same, with a name |
/// | `/{$}` at the end | just the slash |
///
/// Of the patterns that match a request the most specific one takes it, whatever the order in which they were registered:
/// the one that matches a part of what the other matches. Where neither is, they conflict, and can't be built.
#[derive(Default)]
pub struct Routes {
    middleware: Vec<Box<dyn Middleware>>,
    entries: Vec<Entry>,
    groups: Vec<Group>,
}

struct Entry {
    method: Option<&'static str>,
    pattern: String,
    place: &'static Location<'static>,
    handler: Box<dyn Handler>,
}

struct Group {
    host: Option<String>,
    prefix: String,
    place: &'static Location<'static>,
    routes: Routes,
}

impl Routes {
    /// No routes.
    pub fn new() -> Routes {
        Routes::default()
    }

    /// Adds a route for whatever is a handler: [`Files`](crate::web::Files), another [`Router`], a handler of your own.
    ///
    /// It sees the request as it came, with its whole path; a handler that serves a tree asks for what is
    /// [below the route](Request::path_below).
    #[must_use]
    #[track_caller]
    pub fn handle(self, pattern: impl Into<String>, handler: impl Handler + 'static) -> Routes {
        self.entry(None, pattern.into(), Box::new(handler))
    }

    /// Adds a route for a function. A closure needs no types here, as in the methods below.
    #[must_use]
    #[track_caller]
    pub fn handle_fn<F>(self, pattern: impl Into<String>, function: F) -> Routes
    where
        F: FnMut(&Request<'_>, ResponseWriter<'_>) -> Reply + 'static,
    {
        self.entry(None, pattern.into(), Box::new(function))
    }

    /// Adds a route of GET, and so of HEAD as well, for a function. The pattern is one without a method.
    #[must_use]
    #[track_caller]
    pub fn get<F>(self, pattern: impl Into<String>, function: F) -> Routes
    where
        F: FnMut(&Request<'_>, ResponseWriter<'_>) -> Reply + 'static,
    {
        self.entry(Some("GET"), pattern.into(), Box::new(function))
    }

    /// Adds a route of POST for a function. The pattern is one without a method.
    #[must_use]
    #[track_caller]
    pub fn post<F>(self, pattern: impl Into<String>, function: F) -> Routes
    where
        F: FnMut(&Request<'_>, ResponseWriter<'_>) -> Reply + 'static,
    {
        self.entry(Some("POST"), pattern.into(), Box::new(function))
    }

    /// Adds a route of PUT for a function. The pattern is one without a method.
    #[must_use]
    #[track_caller]
    pub fn put<F>(self, pattern: impl Into<String>, function: F) -> Routes
    where
        F: FnMut(&Request<'_>, ResponseWriter<'_>) -> Reply + 'static,
    {
        self.entry(Some("PUT"), pattern.into(), Box::new(function))
    }

    /// Adds a route of PATCH for a function. The pattern is one without a method.
    #[must_use]
    #[track_caller]
    pub fn patch<F>(self, pattern: impl Into<String>, function: F) -> Routes
    where
        F: FnMut(&Request<'_>, ResponseWriter<'_>) -> Reply + 'static,
    {
        self.entry(Some("PATCH"), pattern.into(), Box::new(function))
    }

    /// Adds a route of DELETE for a function. The pattern is one without a method.
    #[must_use]
    #[track_caller]
    pub fn delete<F>(self, pattern: impl Into<String>, function: F) -> Routes
    where
        F: FnMut(&Request<'_>, ResponseWriter<'_>) -> Reply + 'static,
    {
        self.entry(Some("DELETE"), pattern.into(), Box::new(function))
    }

    #[track_caller]
    fn entry(
        mut self,
        method: Option<&'static str>,
        pattern: String,
        handler: Box<dyn Handler>,
    ) -> Routes {
        self.entries.push(Entry {
            method,
            pattern,
            place: Location::caller(),
            handler,
        });
        self
    }

    /// Adds a group: its patterns get the prefix, and its middleware sees what the middleware here passes on. A prefix begins
    /// with a slash and ends without one, or is empty; it may have wildcards. A pattern with the path `""` is the prefix itself.
    #[must_use]
    #[track_caller]
    pub fn group(self, prefix: impl Into<String>, routes: Routes) -> Routes {
        self.nest(None, prefix.into(), routes)
    }

    /// Adds a group whose patterns are for one host, named without a port.
    #[must_use]
    #[track_caller]
    pub fn host(self, host: impl Into<String>, routes: Routes) -> Routes {
        self.nest(Some(host.into()), String::new(), routes)
    }

    #[track_caller]
    fn nest(mut self, host: Option<String>, prefix: String, routes: Routes) -> Routes {
        self.groups.push(Group {
            host,
            prefix,
            place: Location::caller(),
            routes,
        });
        self
    }

    /// Adds middleware, behind what was added before. All routes of the group pass it, those that were added before as well.
    #[must_use]
    pub fn layer(mut self, middleware: impl Middleware + 'static) -> Routes {
        self.middleware.push(Box::new(middleware));
        self
    }

    /// Adds a function as middleware. A closure needs no types here.
    #[must_use]
    pub fn layer_fn<F>(self, function: F) -> Routes
    where
        F: FnMut(&Request<'_>, ResponseWriter<'_>, Next<'_>) -> Reply + 'static,
    {
        self.layer(function)
    }

    /// Makes a handler of them. Errors: every pattern that is none, and every two that conflict.
    pub fn build(self) -> Result<Router, RouteErrors> {
        let mut built = Built::default();
        built.add_group(self, Scope::default());
        built.find_conflicts();
        if built.errors.is_empty() {
            Ok(built.router)
        } else {
            Err(RouteErrors(built.errors))
        }
    }
}

impl core::fmt::Debug for Routes {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let patterns = self.entries.iter().map(|entry| &entry.pattern);
        f.debug_list().entries(patterns).finish()
    }
}

/// What the groups around a route say of it.
#[derive(Default)]
struct Scope {
    host: String,
    prefix: String,
    /// The numbers of the middleware that it passes.
    chain: Vec<usize>,
}

/// A router that is being built.
#[derive(Default)]
struct Built {
    router: Router,
    places: Vec<&'static Location<'static>>,
    errors: Vec<RouteError>,
}

impl Built {
    /// Adds a group's middleware, then its routes, then its groups: so the numbers ascend along every chain.
    fn add_group(&mut self, group: Routes, mut scope: Scope) {
        for middleware in group.middleware {
            scope.chain.push(self.router.middleware.len());
            self.router.middleware.push(middleware);
        }
        let chain = self.router.chains.len();
        self.router.chains.push(scope.chain.clone());
        for entry in group.entries {
            self.add_route(entry, &scope, chain);
        }
        for inner in group.groups {
            let host = inner.host.unwrap_or_default();
            if let Some(why) = misplaced(&scope.host, &host, &inner.prefix) {
                self.errors.push(RouteError::Malformed {
                    pattern: [host, inner.prefix].concat(),
                    place: inner.place,
                    why,
                });
                continue;
            }
            let scope = Scope {
                host: [scope.host.as_str(), &host].concat(),
                prefix: [scope.prefix.as_str(), &inner.prefix].concat(),
                chain: scope.chain.clone(),
            };
            self.add_group(inner.routes, scope);
        }
    }

    fn add_route(&mut self, entry: Entry, scope: &Scope, chain: usize) {
        let Entry {
            method,
            pattern,
            place,
            handler,
        } = entry;
        match compose(method, &pattern, scope).and_then(Pattern::parse) {
            Ok(pattern) => {
                let number = self.router.routes.len();
                self.router.tree.insert(&pattern, number);
                self.router.routes.push(super::Route { pattern, chain });
                self.router.handlers.push(handler);
                self.places.push(place);
            }
            Err(why) => self.errors.push(RouteError::Malformed {
                pattern,
                place,
                why,
            }),
        }
    }

    /// Of each pattern the first that it conflicts with.
    fn find_conflicts(&mut self) {
        let routes = &self.router.routes;
        for (at, route) in routes.iter().enumerate() {
            let pattern = &route.pattern;
            let mut before = routes[..at].iter().zip(&self.places);
            let found = before.find(|(other, _)| pattern.conflicts_with(&other.pattern));
            if let Some((other, other_place)) = found {
                self.errors.push(RouteError::Conflict {
                    pattern: pattern.text.clone(),
                    place: self.places[at],
                    other: other.pattern.text.clone(),
                    other_place,
                    example: pattern.example(&other.pattern),
                });
            }
        }
    }
}

/// Whether a group can't be here.
fn misplaced(outer: &str, host: &str, prefix: &str) -> Option<&'static str> {
    if !prefix.is_empty() && (!prefix.starts_with('/') || prefix.ends_with('/')) {
        Some("the prefix of a group begins with a slash and ends without one")
    } else if !outer.is_empty() && !host.is_empty() {
        Some("a host within a host")
    } else if host.contains('/') {
        Some("a host has no slash")
    } else {
        None
    }
}

/// The pattern as it is met by requests.
fn compose(
    method: Option<&'static str>,
    pattern: &str,
    scope: &Scope,
) -> Result<String, &'static str> {
    let (method, target) = match (pattern.split_once(' '), method) {
        (None, method) => (method, pattern),
        (Some((method, target)), None) => (Some(method), target.trim_start_matches([' ', '\t'])),
        (Some(_), Some(_)) => return Err("it has a method of its own"),
    };
    let (host, path) = target.split_at(target.find('/').unwrap_or(target.len()));
    if !host.is_empty() && path.is_empty() {
        return Err("there is no slash, and so no path");
    }
    if !host.is_empty() && !scope.host.is_empty() {
        return Err("a host within a host");
    }
    let (method, space) = method.map_or(("", ""), |method| (method, " "));
    if pattern.starts_with(' ') {
        return Err("the method is no token");
    }
    Ok([method, space, &scope.host, host, &scope.prefix, path].concat())
}
