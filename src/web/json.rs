//! Bodies in JSON (RFC 8259), by [serde](https://docs.rs/serde).

use serde::de::DeserializeOwned;

use super::content_type;
use super::refusal::Refusal;
use crate::server::Request;

/// Reads a request's body. Errors: 415 if it is of another type than `application/json` or `…+json`; 400 that says where it
/// is no JSON, or which part of it is no part of a `T`. A body beyond the limit has got its 413 before.
///
/// ```
/// use edgeloop::{Reply, Request, ResponseWriter, web};
///
/// #[derive(serde::Deserialize)]
/// struct Item {
///     name: String,
/// }
///
/// fn add(req: &Request, res: ResponseWriter) -> Reply {
///     match web::json::<Item>(req) {
///         Ok(item) => res.status(201).text(item.name),
///         Err(refusal) => refusal.answer(res),
///     }
/// }
/// ```
pub fn json<T: DeserializeOwned>(request: &Request<'_>) -> Result<T, Refusal> {
    if !content_type::value_of(request).is_some_and(is_json) {
        return Err(Refusal::new(415, "the body is to be application/json"));
    }
    serde_json::from_slice(request.body())
        .map_err(|error| Refusal::bad_request(format!("the body is not as it should be: {error}")))
}

fn is_json(value: &str) -> bool {
    let essence = content_type::essence(value);
    let suffix = essence.len().checked_sub("+json".len());
    let has_suffix = suffix
        .and_then(|at| essence.get(at..))
        .is_some_and(|suffix| suffix.eq_ignore_ascii_case("+json"));
    essence.eq_ignore_ascii_case("application/json") || (has_suffix && essence.contains('/'))
}
