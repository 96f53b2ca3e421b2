//! Names and passwords (RFC 7617).

use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::{ConditionallySelectable as _, ConstantTimeEq as _};

use super::{Middleware, Next};
use crate::field_name;
use crate::server::{Attachment, Reply, Request, ResponseWriter};

/// How long a name and its password may be, with the colon between them.
const CREDENTIALS_BYTES: usize = 256;

/// Lets nobody in without a name and a password: 401, before a body is read. The handler finds the name as an attached
/// [`User`].
///
/// All pairs are compared, each as a whole and in constant time, so the time that it takes tells nothing of them. They come
/// as good as in the clear: this is for servers behind TLS.
///
/// ```
/// use edgeloop::web::{BasicAuth, Routes, User};
///
/// # fn main() -> Result<(), edgeloop::web::BasicAuthError> {
/// let admin = Routes::new()
///     .layer(BasicAuth::new("the engine room", [("ada", "countess")])?)
///     .get("/", |req, res| {
///         let name = req.attached::<User>().map_or("", User::name);
///         res.status(200).text(name)
///     });
/// # Ok(())
/// # }
/// ```
pub struct BasicAuth {
    challenge: String,
    users: Vec<(User, Credentials)>,
}

/// Who has been let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User(Rc<str>);

impl User {
    /// The name.
    pub fn name(&self) -> &str {
        &self.0
    }
}

/// Why nobody could be let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BasicAuthError {
    /// The realm has something else than visible ASCII and spaces.
    Realm,
    /// There is no user.
    NoUser,
    /// A name has a colon or a control character: it could not be told from its password.
    Name,
    /// A password has a control character.
    Password,
    /// A name and its password have more than 255 bytes.
    Length,
}

impl core::fmt::Display for BasicAuthError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            BasicAuthError::Realm => "a realm is visible ASCII and spaces",
            BasicAuthError::NoUser => "without a user nobody could be let in",
            BasicAuthError::Name => "a user's name has a colon or a control character",
            BasicAuthError::Password => "a password has a control character",
            BasicAuthError::Length => "a user's name and password have more than 255 bytes",
        })
    }
}

impl core::error::Error for BasicAuthError {}

/// `name:password`, as long as any other.
struct Credentials {
    bytes: [u8; CREDENTIALS_BYTES],
    length: u64,
}

impl Credentials {
    fn new(text: &[u8]) -> Option<Credentials> {
        let mut bytes = [0; CREDENTIALS_BYTES];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        Some(Credentials {
            bytes,
            length: text.len() as u64,
        })
    }

    /// Those that a request comes with, if it comes with one pair.
    fn of(req: &Request<'_>) -> Option<Credentials> {
        let mut fields = req.fields().get_all("authorization");
        let (Some(value), None) = (fields.next(), fields.next()) else {
            return None;
        };
        let (scheme, text) = value.split_at_checked(6)?;
        if !scheme.eq_ignore_ascii_case(b"basic ") {
            return None;
        }
        // Three bytes for four digits: more than fit are too many.
        let mut decoded = [0; CREDENTIALS_BYTES + 3];
        let length = STANDARD
            .decode_slice(text.trim_ascii(), &mut decoded)
            .ok()?;
        Credentials::new(&decoded[..length])
    }
}

impl BasicAuth {
    /// Lets in whoever has one of these pairs of name and password. Errors: a pair that could not be told, or none.
    pub fn new<'u>(
        realm: &str,
        users: impl IntoIterator<Item = (&'u str, &'u str)>,
    ) -> Result<BasicAuth, BasicAuthError> {
        if !realm.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return Err(BasicAuthError::Realm);
        }
        let quoted = realm.replace('\\', r"\\").replace('"', "\\\"");
        let users: Vec<_> = users
            .into_iter()
            .map(|(name, password)| {
                if name.contains(|it: char| it == ':' || it.is_control()) {
                    return Err(BasicAuthError::Name);
                }
                if password.contains(char::is_control) {
                    return Err(BasicAuthError::Password);
                }
                let text = [name, ":", password].concat();
                let credentials = Credentials::new(text.as_bytes());
                Ok((
                    User(name.into()),
                    credentials.ok_or(BasicAuthError::Length)?,
                ))
            })
            .collect::<Result<_, _>>()?;
        if users.is_empty() {
            return Err(BasicAuthError::NoUser);
        }
        Ok(BasicAuth {
            challenge: format!("Basic realm=\"{quoted}\", charset=\"UTF-8\""),
            users,
        })
    }

    fn user(&self, given: &Credentials) -> Option<&User> {
        let mut found = u64::MAX;
        for (number, (_, own)) in (0..).zip(&self.users) {
            let same = own.bytes.ct_eq(&given.bytes) & own.length.ct_eq(&given.length);
            found.conditional_assign(&number, same);
        }
        let number = usize::try_from(found).ok()?;
        self.users.get(number).map(|(user, _)| user)
    }
}

impl Middleware for BasicAuth {
    fn on_request(&mut self, req: &Request<'_>, res: ResponseWriter<'_>, next: Next<'_>) -> Reply {
        let given = Credentials::of(req);
        match given.and_then(|given| self.user(&given)) {
            Some(user) => next.run(&req.attach(&Attachment::new(req, user)), res),
            None => res
                .status(401)
                .field(field_name!("WWW-Authenticate"), &self.challenge)
                .text("a name and a password are wanted\n"),
        }
    }
}

/// Without the passwords.
impl core::fmt::Debug for BasicAuth {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let users = self.users.iter().map(|(user, _)| user.name());
        f.debug_list().entries(users).finish()
    }
}
