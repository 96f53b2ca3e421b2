//! Names of requests, to be found again in logs.

use core::hash::{BuildHasher, Hasher};
use std::hash::RandomState;
use std::io::Write as _;

use super::{Middleware, Next};
use crate::http::{Body, FieldName};
use crate::server::{Attachment, Reply, Request, ResponseWriter};

const FIELD: FieldName<'_> = FieldName::new("X-Request-Id");

/// The longest name that is accepted from a client.
const ID_BYTES: usize = 64;

/// Gives each request a name, which its answer has in `X-Request-Id`, and its handler as an attached [`Id`].
///
/// A name is a number that was random when the worker began, and a count: no two requests of any worker have the same, and
/// none costs a system call or an allocation, but for the first with a body on a connection.
///
/// ```
/// use edgeloop::web::{Id, RequestId, Routes};
///
/// let routes = Routes::new().layer(RequestId::new()).get("/", |req, res| {
///     let id = req.attached::<Id>().map_or("", Id::as_str);
///     res.status(200).text(id)
/// });
/// ```
#[derive(Debug)]
pub struct RequestId {
    worker: u64,
    count: u64,
    accepts: bool,
}

/// The name of a request.
#[derive(Clone, Copy, Debug)]
pub struct Id {
    bytes: [u8; ID_BYTES],
    length: usize,
}

impl Id {
    /// The name: letters, digits and `-._~+/=:`, at most 64.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }

    fn new(name: &[u8]) -> Id {
        let mut bytes = [0; ID_BYTES];
        bytes[..name.len()].copy_from_slice(name);
        Id {
            bytes,
            length: name.len(),
        }
    }
}

impl RequestId {
    /// Names every request itself.
    pub fn new() -> RequestId {
        RequestId {
            worker: RandomState::new().build_hasher().finish(),
            count: 0,
            accepts: false,
        }
    }

    /// Keeps the name that a request comes with if it has one of at most 64 letters, digits and `-._~+/=:`: for servers
    /// behind a proxy that names requests. Whoever can reach such a server can choose names.
    #[must_use]
    pub fn accept_incoming(self) -> RequestId {
        RequestId {
            accepts: true,
            ..self
        }
    }

    fn name(&mut self, req: &Request<'_>) -> Id {
        if self.accepts
            && let Some(name) = req.field(FIELD.as_str())
            && is_sane(name)
        {
            return Id::new(name);
        }
        self.count += 1;
        let mut name = [0; ID_BYTES];
        let mut rest = &mut name[..];
        let written = write!(rest, "{:016x}-{:x}", self.worker, self.count);
        debug_assert!(written.is_ok(), "two numbers have at most 33 digits");
        let length = ID_BYTES - rest.len();
        Id::new(&name[..length])
    }
}

impl Default for RequestId {
    fn default() -> RequestId {
        RequestId::new()
    }
}

fn is_sane(name: &[u8]) -> bool {
    let sane = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=:".contains(byte);
    (1..=ID_BYTES).contains(&name.len()) && name.iter().all(sane)
}

/// The name of the request whose body comes on a connection: it was given when the head had come.
struct Given(Id);

impl Middleware for RequestId {
    fn on_request(
        &mut self,
        req: &Request<'_>,
        mut res: ResponseWriter<'_>,
        next: Next<'_>,
    ) -> Reply {
        let id = match res.connection_state::<Given>() {
            Some(Given(id)) if next.is_whole() && req.framing().body != Body::None => *id,
            Some(_) | None => self.name(req),
        };
        if !next.is_whole() {
            *res.connection_state_or(|| Given(id)) = Given(id);
        }
        let res = res.with_field(FIELD, id.as_str());
        next.run(&req.attach(&Attachment::new(req, &id)), res)
    }
}
