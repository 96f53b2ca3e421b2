//! What an answer's head can have besides plain fields.

use super::set_cookie::SetCookie;
use crate::field_name;
use crate::server::HeadWriter;
#[cfg(feature = "json")]
use crate::server::Reply;

/// More that an answer can have.
pub trait Respond: Sized {
    /// Sets a cookie.
    ///
    /// ```
    /// use edgeloop::web::{Respond, SetCookie};
    /// use edgeloop::{Reply, Request, ResponseWriter};
    ///
    /// fn remember(_: &Request, res: ResponseWriter) -> Reply {
    ///     match SetCookie::named("seen", "yes").path("/").http_only().build() {
    ///         Ok(cookie) => res.status(303).location("/").cookie(&cookie).empty(),
    ///         Err(error) => res.status(500).text(error.to_string()),
    ///     }
    /// }
    /// ```
    #[must_use]
    fn cookie(self, cookie: &SetCookie) -> Self;

    /// Ends the answer with a value in JSON. One that can't be written, because a map has keys that are no strings or because
    /// its `Serialize` fails, makes the answer a 500.
    ///
    /// ```
    /// use edgeloop::web::Respond;
    /// use edgeloop::{Reply, Request, ResponseWriter};
    ///
    /// fn numbers(_: &Request, res: ResponseWriter) -> Reply {
    ///     res.status(200).json(&[1, 2, 3])
    /// }
    /// ```
    #[cfg(feature = "json")]
    fn json<T: serde::Serialize + ?Sized>(self, value: &T) -> Reply;
}

impl Respond for HeadWriter<'_> {
    fn cookie(self, cookie: &SetCookie) -> Self {
        self.field(field_name!("Set-Cookie"), cookie.as_str())
    }

    #[cfg(feature = "json")]
    fn json<T: serde::Serialize + ?Sized>(self, value: &T) -> Reply {
        match serde_json::to_vec(value) {
            Ok(bytes) => self
                .line(crate::field_line!("Content-Type", "application/json"))
                .body(bytes),
            Err(_) => self.fail(),
        }
    }
}
