//! Cookies that clients send (RFC 6265 §4.2, §5.4).

use crate::http::{Fields, Head, is_token};

/// The cookies of a request, in the order in which they came: the one with the longest path first.
#[derive(Clone, Copy, Debug)]
pub struct Cookies<'r>(Fields<'r>);

/// The cookies of a request.
///
/// ```
/// # use edgeloop::{Reply, Request, ResponseWriter, web};
/// fn greet(req: &Request, res: ResponseWriter) -> Reply {
///     let name = web::cookies(req).get("name").unwrap_or("stranger");
///     res.status(200).text(format!("Hello, {name}!\n"))
/// }
/// ```
pub fn cookies<'r>(head: &Head<'r>) -> Cookies<'r> {
    Cookies(head.fields())
}

impl<'r> Cookies<'r> {
    /// All names and values. A value comes without the quotes around it, and is not decoded any further. What has no name,
    /// or a name that is no token, and what is not UTF-8 is left out.
    pub fn iter(self) -> impl Iterator<Item = (&'r str, &'r str)> {
        self.0
            .get_all("cookie")
            .flat_map(|value| value.split(|byte| *byte == b';'))
            .filter_map(|pair| {
                let (name, value) = core::str::from_utf8(pair).ok()?.split_once('=')?;
                let name = name.trim_matches([' ', '\t']);
                is_token(name.as_bytes()).then(|| (name, unquoted(value.trim_matches([' ', '\t']))))
            })
    }

    /// The value of the first cookie of this name. Names are case-sensitive.
    pub fn get(self, name: &str) -> Option<&'r str> {
        let mut found = self.iter();
        found
            .find(|(each, _)| *each == name)
            .map(|(_, value)| value)
    }
}

fn unquoted(value: &str) -> &str {
    let inside = value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    inside.unwrap_or(value)
}
