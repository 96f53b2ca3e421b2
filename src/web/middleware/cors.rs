//! Which scripts of other origins may read answers (the CORS protocol of the Fetch standard).

use core::time::Duration;

use super::{Middleware, Next};
use crate::field_name;
use crate::http::is_token;
use crate::server::{Reply, Request, ResponseWriter};

/// Who may do what from another origin.
///
/// At first nobody may do anything; of methods GET, HEAD and POST are always allowed by browsers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CorsRules {
    /// Whose scripts.
    pub origins: Origins,
    /// Methods that they may use besides GET, HEAD and POST; `*` for all.
    pub methods: Vec<String>,
    /// Fields that they may set, besides those that every form can; `*` for all but Authorization.
    pub fields: Vec<String>,
    /// Fields of answers that they may read, besides the plainest; `*` for all.
    pub exposed: Vec<String>,
    /// Whether browsers send cookies and passwords along, and show the answers.
    pub credentials: bool,
    /// How long browsers keep in mind what a preflight has said. `None`: as long as they like, 5 seconds mostly.
    pub max_age: Option<Duration>,
}

/// Origins whose scripts may read answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// All of them.
    Any,
    /// These, each `scheme://host[:port]`.
    These(Vec<String>),
}

/// None.
impl Default for Origins {
    fn default() -> Origins {
        Origins::These(Vec::new())
    }
}

/// Rules that can't be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CorsError {
    /// That is no origin.
    Origin(String),
    /// That is no method and no field name.
    Token(String),
    /// `*`, and with credentials: whoever may use somebody's cookies has to be named, and for what.
    AnyWithCredentials,
}

impl core::fmt::Display for CorsError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            CorsError::Origin(origin) => {
                write!(f, "{origin:?} is no origin, which is scheme://host[:port]")
            }
            CorsError::Token(token) => write!(f, "{token:?} is no method and no field name"),
            CorsError::AnyWithCredentials => {
                f.write_str("with credentials nothing can be *: say which, by name")
            }
        }
    }
}

impl core::error::Error for CorsError {}

/// Lets scripts of other origins read answers, and answers preflights: the OPTIONS that browsers send before whatever a form
/// could not send.
///
/// It goes before what asks for passwords, because preflights come without. Where routes of some methods have a path, the
/// preflight of that path is theirs, unless OPTIONS has a route of its own.
///
/// ```
/// use edgeloop::web::{Cors, CorsRules, Origins, Routes};
///
/// # fn main() -> Result<(), edgeloop::web::CorsError> {
/// let rules = CorsRules {
///     origins: Origins::These(vec!["https://app.example.com".to_owned()]),
///     methods: vec!["PUT".to_owned()],
///     ..CorsRules::default()
/// };
/// let api = Routes::new()
///     .layer(Cors::new(rules)?)
///     .put("/items/{id}", |_, res| res.status(204).empty());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Cors {
    /// `None`: any.
    origins: Option<Vec<String>>,
    methods: String,
    fields: String,
    exposed: String,
    credentials: bool,
    max_age: Option<Duration>,
}

impl Cors {
    /// Keeps these rules. Errors: one that can't be.
    pub fn new(rules: CorsRules) -> Result<Cors, CorsError> {
        let CorsRules {
            origins,
            methods,
            fields,
            exposed,
            credentials,
            max_age,
        } = rules;
        for list in [&methods, &fields, &exposed] {
            if let Some(wrong) = list.iter().find(|it| !is_token(it.as_bytes())) {
                return Err(CorsError::Token(wrong.clone()));
            }
            if credentials && list.iter().any(|it| it == "*") {
                return Err(CorsError::AnyWithCredentials);
            }
        }
        let origins = match origins {
            Origins::Any if credentials => return Err(CorsError::AnyWithCredentials),
            Origins::Any => None,
            Origins::These(origins) => Some(
                origins
                    .iter()
                    .map(|origin| check_origin(origin))
                    .collect::<Result<_, _>>()?,
            ),
        };
        Ok(Cors {
            origins,
            methods: methods.join(", "),
            fields: fields.join(", "),
            exposed: exposed.join(", "),
            credentials,
            max_age,
        })
    }

    /// What is said of who is allowed, if the one who asks is.
    fn allowed<'o>(&self, origin: Option<&'o [u8]>) -> Option<&'o [u8]> {
        let origin = origin?;
        match &self.origins {
            None => Some(b"*"),
            Some(origins) => {
                let known = origins.iter().any(|it| it.as_bytes() == origin);
                known.then_some(origin)
            }
        }
    }
}

/// An origin as browsers write it: `scheme://host[:port]`, in lower case.
pub(super) fn check_origin(origin: &str) -> Result<String, CorsError> {
    let wrong = || CorsError::Origin(origin.to_owned());
    let (scheme, host) = origin.split_once("://").ok_or_else(wrong)?;
    let is_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    if scheme.is_empty() || host.is_empty() {
        return Err(wrong());
    }
    if !scheme.bytes().all(is_scheme) || !host.bytes().all(is_host) {
        return Err(wrong());
    }
    Ok(origin.to_ascii_lowercase())
}

impl Middleware for Cors {
    fn on_request(&mut self, req: &Request<'_>, res: ResponseWriter<'_>, next: Next<'_>) -> Reply {
        let origin = req.field("origin");
        let asked = req.field("access-control-request-method");
        let allowed = self.allowed(origin);
        // Caches must not give what one origin may read to another.
        let mut res = match self.origins {
            None => res,
            Some(_) => res.with_field(field_name!("Vary"), "Origin"),
        };
        if let Some(allowed) = allowed {
            res = res.with_field(field_name!("Access-Control-Allow-Origin"), allowed);
            if self.credentials {
                res = res.with_field(field_name!("Access-Control-Allow-Credentials"), "true");
            }
        }
        let is_preflight = req.method() == "OPTIONS" && origin.is_some() && asked.is_some();
        if !is_preflight {
            if allowed.is_some() && !self.exposed.is_empty() {
                res = res.with_field(field_name!("Access-Control-Expose-Headers"), &self.exposed);
            }
            return next.run(req, res);
        }
        let mut head = res.status(204);
        if allowed.is_some() {
            for (name, value) in [
                (field_name!("Access-Control-Allow-Methods"), &self.methods),
                (field_name!("Access-Control-Allow-Headers"), &self.fields),
            ] {
                if !value.is_empty() {
                    head = head.field(name, value);
                }
            }
            if let Some(max_age) = self.max_age {
                let seconds = format_args!("{}", max_age.as_secs());
                head = head.field_fmt(field_name!("Access-Control-Max-Age"), seconds);
            }
        }
        head.empty()
    }
}
