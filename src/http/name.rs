//! Names of fields that an application may write.

use super::encode::{FieldError, is_reserved};
use super::field::is_token_byte;

/// The name of a field that an application may write: a token, and none of those that are the server's to write. Made by
/// [`field_name!`](crate::field_name) it is checked when the program is compiled, and a name that is none does not compile.
/// Names that are not known before, of a setting or of a server that stands behind, are taken by `try_from`, which says what
/// is wrong with them.
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

    #[test]
    fn names_are_tokens_that_are_not_the_servers_to_write() {
        for name in ["X-Ticket", "etag", "~", "Content-Lengths"] {
            assert_eq!(FieldName::try_from(name).map(FieldName::as_str), Ok(name));
            assert_eq!(FieldName::new(name).as_str(), name);
        }
        let refused = [
            (FieldError::Name, ["", "a b", "a:", "a\r\nb", "é"]),
            (
                FieldError::Reserved,
                [
                    "DATE",
                    "Connection",
                    "content-length",
                    "Keep-Alive",
                    "transfer-encoding",
                ],
            ),
        ];
        for (fault, names) in refused {
            for name in names {
                assert_eq!(FieldName::try_from(name), Err(fault), "{name:?}");
                assert!(std::panic::catch_unwind(|| FieldName::new(name)).is_err());
            }
        }
    }
}
