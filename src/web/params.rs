//! Parameters: of queries, of forms, and parts of paths.

use core::fmt;
use core::str::FromStr;
use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::content_type;
use super::refusal::Refusal;
use crate::http::Head;
use crate::server::Request;

/// Names and values, as [`application/x-www-form-urlencoded`](https://url.spec.whatwg.org/#urlencoded-parsing) has them:
/// `+` is a space, `%` begins a byte, and what is not UTF-8 becomes U+FFFD. A name may come several times.
///
/// Nothing is kept: each look goes through all of them, so a client that sends many names gains nothing by how they hash.
#[derive(Clone, Copy, Debug)]
pub struct Params<'r> {
    bytes: &'r [u8],
    place: Place,
}

/// Where parameters stand, for who is told of them.
#[derive(Clone, Copy, Debug)]
enum Place {
    Query,
    Form,
    Path,
}

/// The parameters of a request's query; none if it has no query.
///
/// ```
/// # use edgeloop::{Reply, Request, ResponseWriter, web};
/// fn search(req: &Request, res: ResponseWriter) -> Reply {
///     let query = web::query(req);
///     match query.get("q") {
///         Some(words) => res.status(200).text(format!("looking for {words}\n")),
///         None => res.status(400).text("the query has no `q`\n"),
///     }
/// }
/// ```
pub fn query<'r>(head: &Head<'r>) -> Params<'r> {
    Params {
        bytes: head.query().unwrap_or_default().as_bytes(),
        place: Place::Query,
    }
}

/// The parameters of a form that came as a request's body. Errors: 415 if the body is of another type than
/// `application/x-www-form-urlencoded`.
pub fn form<'r>(request: &Request<'r>) -> Result<Params<'r>, Refusal> {
    const TYPE: &str = "application/x-www-form-urlencoded";
    if !content_type::is(request, TYPE) {
        return Err(Refusal::new(415, format!("the body is to be {TYPE}")));
    }
    Ok(Params {
        bytes: request.body(),
        place: Place::Form,
    })
}

impl<'r> Params<'r> {
    /// All names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Cow<'r, str>, Cow<'r, str>)> {
        form_urlencoded::parse(self.bytes)
    }

    /// The first value of this name.
    pub fn get(&self, name: &str) -> Option<Cow<'r, str>> {
        self.get_all(name).next()
    }

    /// All values of this name, in order.
    pub fn get_all(&self, name: &str) -> impl Iterator<Item = Cow<'r, str>> {
        self.iter()
            .filter(move |(each, _)| each == name)
            .map(|(_, value)| value)
    }

    /// The first value of this name as a `T`. Errors: a 400 that says what is missing, or which value is wrong and why.
    pub fn parse<T: FromStr<Err: fmt::Display>>(&self, name: &str) -> Result<T, Refusal> {
        self.parse_if_any(name)?.ok_or_else(|| {
            let place = self.place;
            Refusal::bad_request(format!("`{name}` is missing in {place}"))
        })
    }

    /// The same of a parameter that need not be there.
    pub fn parse_if_any<T: FromStr<Err: fmt::Display>>(
        &self,
        name: &str,
    ) -> Result<Option<T>, Refusal> {
        let value = self.get(name);
        value
            .map(|value| read(self.place, name, &value))
            .transpose()
    }
}

/// A part of a path as a `T`: percent-decoded, then parsed. Errors: a 400 that says which part is wrong and why.
///
/// ```
/// # use edgeloop::{Reply, Request, ResponseWriter, web};
/// fn user(req: &Request, res: ResponseWriter) -> Reply {
///     let number = req.path().trim_start_matches("/users/");
///     match web::path_value::<u64>("number", number) {
///         Ok(number) => res.status(200).text(format!("user {number}\n")),
///         Err(refusal) => refusal.answer(res),
///     }
/// }
/// ```
pub fn path_value<T: FromStr<Err: fmt::Display>>(name: &str, text: &str) -> Result<T, Refusal> {
    let decoded = percent_decode(text).ok_or_else(|| {
        let place = Place::Path;
        Refusal::bad_request(format!("`{name}` in {place} is not UTF-8"))
    })?;
    read(Place::Path, name, &decoded)
}

/// Decodes `%` and two digits to a byte each; anything else stays as it is, `+` too. `None`: the result is not UTF-8.
pub fn percent_decode(text: &str) -> Option<Cow<'_, str>> {
    percent_decode_str(text).decode_utf8().ok()
}

fn read<T: FromStr<Err: fmt::Display>>(
    place: Place,
    name: &str,
    value: &str,
) -> Result<T, Refusal> {
    value.parse().map_err(|error| {
        Refusal::bad_request(format!("`{name}` in {place} is `{value:.80}`: {error}"))
    })
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Place::Query => "the query",
            Place::Form => "the form",
            Place::Path => "the path",
        })
    }
}
