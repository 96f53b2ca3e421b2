//! Fields that tell browsers to be strict.

use core::time::Duration;

use super::{Middleware, Next};
use crate::http::{FieldError, encode};
use crate::server::{Reply, Request, ResponseWriter};

/// Adds fields that tell browsers to be strict, each to the answers that have none of its name themselves.
///
/// | field | at first |
/// |---|---|
/// | `X-Content-Type-Options` | `nosniff`: types are what they are said to be |
/// | `X-Frame-Options` | `DENY`: pages stand in no frame |
/// | `Referrer-Policy` | `strict-origin-when-cross-origin`: others learn where somebody comes from, not what he read |
/// | `Cross-Origin-Opener-Policy` | `same-origin`: windows of others hold no handle |
///
/// What depends on the site is not said unless you say it: `Content-Security-Policy`, and `Strict-Transport-Security`.
///
/// ```
/// use edgeloop::web::{Routes, SecurityHeaders};
///
/// # fn main() -> Result<(), edgeloop::http::FieldError> {
/// let strict = SecurityHeaders::new()
///     .set("Content-Security-Policy", "default-src 'self'")?
///     .without("X-Frame-Options");
/// let routes = Routes::new().layer(strict);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SecurityHeaders {
    fields: Vec<(String, String)>,
}

impl SecurityHeaders {
    /// The fields of the table.
    pub fn new() -> SecurityHeaders {
        let fields = [
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
            ("Referrer-Policy", "strict-origin-when-cross-origin"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
        ];
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        SecurityHeaders {
            fields: fields.map(owned).to_vec(),
        }
    }

    /// Sets a field, instead of the one of this name if there is one. Errors: it can't be sent.
    pub fn set(self, name: &str, value: &str) -> Result<SecurityHeaders, FieldError> {
        encode::field(&mut Vec::new(), name, value.as_bytes())?;
        let mut set = self.without(name);
        set.fields.push((name.to_owned(), value.to_owned()));
        Ok(set)
    }

    /// Tells browsers to come by https only for so long, counted in seconds: for servers behind a proxy that speaks TLS.
    #[must_use]
    pub fn with_hsts(self, time: Duration) -> SecurityHeaders {
        let mut set = self.without("Strict-Transport-Security");
        let value = format!("max-age={}", time.as_secs());
        set.fields
            .push(("Strict-Transport-Security".to_owned(), value));
        set
    }

    /// Leaves a field out.
    #[must_use]
    pub fn without(mut self, name: &str) -> SecurityHeaders {
        self.fields
            .retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self
    }
}

impl Default for SecurityHeaders {
    fn default() -> SecurityHeaders {
        SecurityHeaders::new()
    }
}

impl Middleware for SecurityHeaders {
    fn on_request(&mut self, req: &Request<'_>, res: ResponseWriter<'_>, next: Next<'_>) -> Reply {
        let mut res = res;
        for (name, value) in &self.fields {
            res = res.with_default(name, value);
        }
        next.run(req, res)
    }
}
