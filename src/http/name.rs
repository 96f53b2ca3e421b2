//! Names of fields that an application may write.

use core::convert::Infallible;

use super::encode::{FieldError, is_reserved};
use super::field::is_token_byte;

/// The name of a field that an application may write: a token, and none of those that are the server's to write. What takes
/// one takes a `&str` as well, and checks that when it is sent. Made by [`field_name!`](crate::field_name) it was checked when
/// the program was compiled, and a name that is none does not compile.
///
/// ```
/// use edgeloop::{Reply, Request, ResponseWriter, field_name};
///
/// fn ticket(_: &Request, res: ResponseWriter) -> Reply {
///     res.status(200).field(field_name!("X-Ticket"), "7").text("wait\n")
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldName<'n>(&'n str);

impl<'n> FieldName<'n> {
    /// Takes a name.
    ///
    /// # Panics
    /// When it is no token, and when the field is the server's to write ([`FieldError`]). In a constant that is an error of
    /// compilation. Names that are not known before are taken by `try_from`.
    pub const fn new(name: &'n str) -> FieldName<'n> {
        match FieldName::check(name) {
            Ok(name) => name,
            Err(FieldError::Reserved) => panic!("the field is the server's to write"),
            Err(_) => panic!("the field's name is no token"),
        }
    }

    const fn check(name: &'n str) -> Result<FieldName<'n>, FieldError> {
        let bytes = name.as_bytes();
        let (mut is_token, mut at) = (!bytes.is_empty(), 0);
        while at < bytes.len() {
            is_token &= is_token_byte(bytes[at]);
            at += 1;
        }
        if !is_token {
            return Err(FieldError::Name);
        }
        if is_reserved(bytes) {
            return Err(FieldError::Reserved);
        }
        Ok(FieldName(name))
    }

    /// The name as it is sent.
    #[inline]
    pub const fn as_str(self) -> &'n str {
        self.0
    }
}

/// A name that is not known before.
impl<'n> TryFrom<&'n str> for FieldName<'n> {
    type Error = FieldError;

    #[inline]
    fn try_from(name: &'n str) -> Result<FieldName<'n>, FieldError> {
        FieldName::check(name)
    }
}

/// What one has who goes through a slice of names.
impl<'n> TryFrom<&&'n str> for FieldName<'n> {
    type Error = FieldError;

    #[inline]
    fn try_from(name: &&'n str) -> Result<FieldName<'n>, FieldError> {
        FieldName::check(name)
    }
}

/// A name that was made.
impl<'n> TryFrom<&'n String> for FieldName<'n> {
    type Error = FieldError;

    #[inline]
    fn try_from(name: &'n String) -> Result<FieldName<'n>, FieldError> {
        FieldName::check(name)
    }
}

/// What is a [`FieldName`] already is never wrong.
impl From<Infallible> for FieldError {
    fn from(never: Infallible) -> FieldError {
        match never {}
    }
}

/// A [`FieldName`](crate::http::FieldName) of a literal.
///
/// ```
/// use edgeloop::{field_name, http::FieldName};
///
/// const TICKET: FieldName = field_name!("X-Ticket");
/// ```
///
/// ```compile_fail,E0080
/// let name = edgeloop::field_name!("X Ticket"); // no token
/// ```
///
/// ```compile_fail,E0080
/// let name = edgeloop::field_name!("Content-Length"); // the server's to write
/// ```
#[macro_export]
macro_rules! field_name {
    ($name:literal) => {
        const { $crate::http::FieldName::new($name) }
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::encode;

    /// Whatever it takes is what the encoder takes.
    #[test]
    fn names_are_what_the_encoder_takes() {
        for name in [
            "X-Ticket",
            "etag",
            "~",
            "",
            "a b",
            "a:",
            "a\r\nb",
            "é",
            "Date",
            "CONNECTION",
            "Content-Length",
            "Content-Lengths",
        ] {
            let taken = FieldName::try_from(name);
            let encoded = encode::field(&mut Vec::new(), name, b"value");
            assert_eq!(taken.map(|_| ()), encoded, "{name:?}");
            let constant = std::panic::catch_unwind(|| FieldName::new(name));
            assert_eq!(constant.ok(), taken.ok(), "{name:?}");
        }
    }
}
