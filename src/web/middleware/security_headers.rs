//! Fields that tell browsers to be strict.

use core::time::Duration;

use super::{Middleware, Next};
use crate::http::{FieldError, FieldLines};
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
    /// Each with its line as it is sent.
    fields: Vec<(String, FieldLines)>,
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
        let none = SecurityHeaders { fields: Vec::new() };
        fields.into_iter().fold(none, |set, (name, value)| {
            set.set(name, value).expect(SENDABLE)
        })
    }

    /// Sets a field, instead of the one of this name if there is one. Errors: it can't be sent.
    pub fn set(self, name: &str, value: &str) -> Result<SecurityHeaders, FieldError> {
        let mut line = FieldLines::default();
        line.field(name, value)?;
        let mut set = self.without(name);
        set.fields.push((name.to_owned(), line));
        Ok(set)
    }

    /// Tells browsers to come by https only for so long, counted in seconds: for servers behind a proxy that speaks TLS.
    #[must_use]
    pub fn with_hsts(self, time: Duration) -> SecurityHeaders {
        let value = format!("max-age={}", time.as_secs());
        self.set("Strict-Transport-Security", &value)
            .expect(SENDABLE)
    }

    /// Leaves a field out.
    #[must_use]
    pub fn without(mut self, name: &str) -> SecurityHeaders {
        self.fields
            .retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self
    }
}

const SENDABLE: &str = "names and values that stand here can be sent";

impl Default for SecurityHeaders {
    fn default() -> SecurityHeaders {
        SecurityHeaders::new()
    }
}

impl Middleware for SecurityHeaders {
    fn on_request(&mut self, req: &Request<'_>, res: ResponseWriter<'_>, next: Next<'_>) -> Reply {
        let mut res = res;
        for (_, line) in &self.fields {
            res = res.with_default_lines(line);
        }
        next.run(req, res)
    }
}
