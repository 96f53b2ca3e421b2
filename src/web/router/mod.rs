//! From requests to handlers, by method, host and path.
//!
//! `routes` is what applications write, `pattern` what it means, `tree` how a request finds its route, `clean` what becomes
//! of paths that are written in a roundabout way, `error` what can be wrong.

mod clean;
mod error;
mod pattern;
mod routes;
mod tree;

pub use error::{RouteError, RouteErrors};
pub use routes::Routes;

use arrayvec::ArrayVec;
use pattern::{Pattern, WILDCARDS};
use tree::{Asked, Tree, Values};

use super::middleware::{Middleware, Next, Stage};
use crate::field_name;
use crate::server::{Handler, Intake, Reply, Request, ResponseWriter, RouteMatch};
use crate::sys::probes;

/// A handler that passes requests on to the handlers of its routes. Made of [`Routes`].
///
/// | request | answer |
/// |---|---|
/// | a route matches | its handler's |
/// | `/tree`, where only `/tree/` has a route, or that is more specific | 308 to the same with a slash |
/// | a path with empty segments or dot segments | 308 to the path without, if that has routes ([`Unclean`]) |
/// | routes match but for the method | 405 with Allow |
/// | the same of OPTIONS, also where a route for every method is less specific | 204 with Allow |
/// | nothing matches | 404; 501 if the method is unknown as well |
///
/// A redirect keeps the query, and never leads to another host. Answers of the router pass the middleware too: 405 and 204
/// that of the most specific route, the others that of the outermost group.
///
/// Routing reads the head only, and allocates nothing. For a request with a body it is done when the head has come: refusals
/// do not wait for the body, and the handler of the route decides what becomes of it.
pub struct Router {
    routes: Vec<Route>,
    /// Those of the routes, in their order.
    handlers: Vec<Box<dyn Handler>>,
    middleware: Vec<Box<dyn Middleware>>,
    /// For each group the numbers of the middleware that its requests pass, in ascending order. The outermost group is the
    /// first.
    chains: Vec<Vec<usize>>,
    tree: Tree,
    unclean: Unclean,
}

struct Route {
    pattern: Pattern,
    /// The number of its group.
    chain: usize,
}

/// What becomes of paths with empty segments and dot segments, such as `//a`, `/a/./b` and `/a/../b`.
///
/// Dots that came percent-encoded are octets like others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unclean {
    /// The client is sent to the path without them, if that has routes.
    #[default]
    Redirect,
    /// They are matched as they are: an empty segment by the end of a pattern only, a dot segment by wildcards as well.
    Serve,
    /// 404
    NotFound,
}

/// A route as it was registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteInfo<'a> {
    /// Its method; `None` for all of them.
    pub method: Option<&'a str>,
    /// Its host, in lower case; `None` for all of them.
    pub host: Option<&'a str>,
    /// Its path, with the prefixes of its groups.
    pub path: &'a str,
    /// All of it, as [`Request::pattern`] has it.
    pub pattern: &'a str,
}

/// What is to be done with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Decision {
    /// This route takes it.
    Route(usize),
    /// The client is to ask for this path.
    Redirect {
        path: String,
        chain: usize,
    },
    /// Its path has routes, but not of its method. The methods are in order.
    Methods {
        allowed: Vec<String>,
        chain: usize,
    },
    Nothing,
}

impl Router {
    /// The routes, in the order of registration, those of a group before those of the groups in it.
    pub fn routes(&self) -> impl Iterator<Item = RouteInfo<'_>> {
        self.routes.iter().map(|Route { pattern, .. }| RouteInfo {
            method: pattern.method.as_deref(),
            host: pattern.host.as_deref(),
            path: pattern.path(),
            pattern: &pattern.text,
        })
    }

    /// Decides what becomes of paths that are not clean.
    #[must_use]
    pub fn with_unclean(self, unclean: Unclean) -> Router {
        Router { unclean, ..self }
    }

    fn pass(&mut self, req: &Request<'_>, res: ResponseWriter<'_>, stage: Stage<'_>) -> Reply {
        let mut values = Values::default();
        let (mut handler, chain) = match self.route(req, &mut values) {
            Decision::Route(number) => return self.take(number, req, &values, res, stage),
            Decision::Redirect { path, chain } => (Instead::Redirect(path), chain),
            Decision::Methods { allowed, chain } => (Instead::Methods(allowed.join(", ")), chain),
            Decision::Nothing => (Instead::Nothing, 0),
        };
        let chain = self
            .chains
            .get(chain)
            .map_or(&[] as &[usize], Vec::as_slice);
        Next::new(&mut self.middleware, chain, &mut handler, stage).run(req, res)
    }

    /// Has a route take the request.
    fn take(
        &mut self,
        number: usize,
        req: &Request<'_>,
        values: &Values<'_>,
        res: ResponseWriter<'_>,
        stage: Stage<'_>,
    ) -> Reply {
        let Route { pattern, chain } = &self.routes[number];
        probes::route(res.connection().to_bits(), number as u64);
        let mut pairs = ArrayVec::<_, WILDCARDS>::new();
        pairs.extend(pattern.names().zip(values.iter()));
        let route = RouteMatch::new(req, &pattern.text, &pairs, values.rest);
        let handler = &mut *self.handlers[number];
        Next::new(&mut self.middleware, &self.chains[*chain], handler, stage)
            .run(&req.routed(&route), res)
    }

    /// Who takes it.
    #[inline(never)] // a phase
    fn route<'p>(&self, req: &Request<'p>, values: &mut Values<'p>) -> Decision {
        let path = req.path();
        if !path.starts_with('/') {
            return Decision::Nothing; // nothing that a server passes to its handler
        }
        let host = if self.tree.knows_hosts() {
            pattern::without_port(req.host())
        } else {
            ""
        };
        if self.unclean == Unclean::Serve || clean::is_clean(path) {
            return self.decide_clean(req.method(), host, path, values);
        }
        if self.unclean == Unclean::NotFound {
            return Decision::Nothing;
        }
        let cleaned = clean::clean(path);
        let decision = self.decide_clean(req.method(), host, &cleaned, &mut Values::default());
        match decision {
            Decision::Route(_) | Decision::Methods { .. } => Decision::Redirect {
                path: cleaned,
                chain: 0,
            },
            Decision::Redirect { path, .. } => Decision::Redirect { path, chain: 0 },
            Decision::Nothing => Decision::Nothing,
        }
    }

    fn decide_clean<'p>(
        &self,
        method: &str,
        host: &str,
        path: &'p str,
        values: &mut Values<'p>,
    ) -> Decision {
        let found = self.find(method, host, path, Asked::AsItIs, values);
        match found {
            Some(Found::Route(number)) if values.is_exact() || path.ends_with('/') => {
                return Decision::Route(number);
            }
            Some(Found::Options) => return self.methods(host, path),
            Some(Found::Route(_)) | None => {}
        }
        if !path.ends_with('/') {
            let mut values = Values::default();
            let slash = self.find(method, host, path, Asked::WithSlash, &mut values);
            if let Some(Found::Route(number)) = slash
                && values.is_exact()
            {
                // A path that is served as it is may begin with two slashes, which would be another host.
                let mut path = clean::clean(path);
                if !path.ends_with('/') {
                    path.push('/');
                }
                return Decision::Redirect {
                    path,
                    chain: self.routes[number].chain,
                };
            }
        }
        match found {
            Some(Found::Route(number)) => Decision::Route(number),
            Some(Found::Options) | None => self.methods(host, path),
        }
    }

    fn find<'p>(
        &self,
        method: &str,
        host: &str,
        path: &'p str,
        asked: Asked,
        values: &mut Values<'p>,
    ) -> Option<Found> {
        if method != "OPTIONS" {
            let pick = &mut |leaf: &tree::Leaf| leaf.pick(method);
            return (self.tree.walk(host, path, asked, values, pick)).map(Found::Route);
        }
        // Where a path has routes of some methods, OPTIONS is theirs, unless a route says that it is its own.
        let mut implied = false;
        let taken = self.tree.walk(host, path, asked, values, &mut |leaf| {
            let taken = leaf.pick(method);
            implied |= taken.is_none() && leaf.iter().next().is_some();
            taken
        });
        match taken {
            Some(number) if !implied || self.routes[number].pattern.method.is_some() => {
                Some(Found::Route(number))
            }
            Some(_) | None if implied => Some(Found::Options),
            Some(_) | None => None,
        }
    }

    /// What a path has routes for, or would have if a slash stood behind it.
    fn methods(&self, host: &str, path: &str) -> Decision {
        let mut allowed: Vec<String> = Vec::new();
        let mut first = None;
        let mut note = |leaf: &tree::Leaf| -> Option<()> {
            for (method, number) in leaf.iter() {
                first = first.or(Some(number));
                allowed.extend(method.map(str::to_owned));
            }
            None
        };
        let mut values = Values::default();
        self.tree
            .walk(host, path, Asked::AsItIs, &mut values, &mut note);
        if !path.ends_with('/') {
            self.tree
                .walk(host, path, Asked::WithSlash, &mut values, &mut note);
        }
        let Some(first) = first else {
            return Decision::Nothing;
        };
        if allowed.iter().any(|method| method == "GET") {
            allowed.push("HEAD".to_owned());
        }
        allowed.push("OPTIONS".to_owned());
        allowed.sort_unstable();
        allowed.dedup();
        Decision::Methods {
            allowed,
            chain: self.routes[first].chain,
        }
    }
}

/// What was found for a method and a path.
enum Found {
    Route(usize),
    /// OPTIONS of routes that do not answer it themselves.
    Options,
}

impl Default for Router {
    /// A router without routes.
    fn default() -> Router {
        Router {
            routes: Vec::new(),
            handlers: Vec::new(),
            middleware: Vec::new(),
            chains: Vec::new(),
            tree: Tree::default(),
            unclean: Unclean::default(),
        }
    }
}

impl Handler for Router {
    fn on_request(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
        self.pass(req, res, Stage::Whole)
    }

    fn intake(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Intake {
        let mut aside = None;
        let reply = self.pass(req, res, Stage::Head(&mut aside));
        aside.unwrap_or(Intake::Answer(reply))
    }
}

impl core::fmt::Debug for Router {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let patterns = self.routes().map(|route| route.pattern);
        f.debug_list().entries(patterns).finish()
    }
}

/// Answers in the place of a route.
enum Instead {
    Redirect(String),
    Methods(String),
    Nothing,
}

impl Handler for Instead {
    fn on_request(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
        match self {
            Instead::Redirect(path) => {
                let (mark, query) = match req.query() {
                    Some(query) => ("?", query),
                    None => ("", ""),
                };
                res.status(308)
                    .field_fmt(field_name!("Location"), format_args!("{path}{mark}{query}"))
                    .empty()
            }
            Instead::Methods(allowed) if req.method() == "OPTIONS" => {
                res.status(204).field(field_name!("Allow"), allowed).empty()
            }
            Instead::Methods(allowed) => {
                let head = res.status(405).field(field_name!("Allow"), allowed);
                head.text("method not allowed\n")
            }
            Instead::Nothing => res.no_route(req.method()),
        }
    }

    /// No body changes the answer.
    fn intake(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Intake {
        Intake::Answer(self.on_request(req, res))
    }
}

#[cfg(test)]
mod tests;
