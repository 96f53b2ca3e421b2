//! Answers that many handlers give: pages, redirects, trailers, hints.

use core::fmt::Write as _;

use super::response::{HeadWriter, Kind, Reply, ResponseWriter};
use crate::http::{FieldError, FieldLine, FieldName, Length, encode};

const HTML: FieldLine = FieldLine::new("Content-Type: text/html; charset=utf-8\r\n");

/// The ways to send a client elsewhere (RFC 9110 §15.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redirect {
    /// 301: for good; a POST may become a GET.
    MovedPermanently = 301,
    /// 302: for now; a POST may become a GET.
    Found = 302,
    /// 303: the answer to this request is to be had there, by GET. What follows a form.
    SeeOther = 303,
    /// 307: for now, with the same method and body.
    Temporary = 307,
    /// 308: for good, with the same method and body.
    Permanent = 308,
}

impl<'a> ResponseWriter<'a> {
    /// Sends the client to a [location](HeadWriter::location), without content. With other fields too:
    /// `res.status(303).location("/").field(…).empty()`.
    ///
    /// ```
    /// use edgeloop::{Redirect, Reply, Request, ResponseWriter};
    ///
    /// fn saved(_: &Request, res: ResponseWriter) -> Reply {
    ///     res.redirect(Redirect::SeeOther, "/items/7")
    /// }
    /// ```
    pub fn redirect(self, how: Redirect, location: &str) -> Reply {
        self.status(how as u16).location(location).empty()
    }

    /// Sends 103 with these values of Link before the answer (RFC 8297), so that the client can fetch them while the answer
    /// is made: worth it before a [`defer`](ResponseWriter::defer). A client of HTTP/1.0 gets nothing. A value that can't be
    /// sent makes the answer a 500.
    ///
    /// What is written in [`intake`](super::Handler::intake) goes out only if that gives the answer.
    ///
    /// ```
    /// # use edgeloop::{Completer, Reply, Request, ResponseWriter};
    /// # fn render(_: Completer) {}
    /// fn page(_: &Request, res: ResponseWriter) -> Reply {
    ///     let res = res.early_hints(&["</style.css>; rel=preload; as=style"]);
    ///     let (completer, reply) = res.defer();
    ///     render(completer);
    ///     reply
    /// }
    /// ```
    #[must_use]
    pub fn early_hints(mut self, links: &[&str]) -> ResponseWriter<'a> {
        if let Err(fault) = self.conn.early_hints(&mut self.shared.out, links) {
            self.fault = self.fault.or(Some(fault));
        }
        self
    }
}

impl HeadWriter<'_> {
    /// Ends the answer with a page.
    pub fn html(self, content: impl AsRef<[u8]>) -> Reply {
        self.line(HTML).body(content)
    }

    /// Ends the answer with content of this media type.
    pub fn bytes(self, media_type: &str, content: impl AsRef<[u8]>) -> Reply {
        self.field(const { FieldName::new("Content-Type") }, media_type)
            .body(content)
    }

    /// Takes the answer back, fields and all: its content can't be made. The client gets 500.
    pub fn fail(self) -> Reply {
        self.finish(Length::Unknown, |_, _, _| Kind::Broken)
    }

    /// Adds Location: a URI, or a path on this host.
    ///
    /// Spaces, backslashes, octets beyond ASCII and what else is in no URI are percent-encoded. A location that begins with
    /// two slashes is another host however much it looks like a path, and so it makes the whole answer a 500, like an empty
    /// one and one with a control character. To send a client to where a request says, take it only if it begins with one
    /// slash: whatever follows then stays on this host.
    #[must_use]
    pub fn location(self, location: &str) -> Self {
        if location.is_empty() || location.starts_with("//") {
            return self.with_fault(FieldError::Location);
        }
        if location.bytes().any(|byte| byte.is_ascii_control()) {
            return self.with_fault(FieldError::Value);
        }
        let mut value = core::mem::take(&mut self.shared.scratch);
        value.clear();
        for byte in location.bytes() {
            if is_of_a_uri(byte) {
                value.push(char::from(byte));
            } else {
                let _ = write!(value, "%{byte:02X}"); // a String takes everything
            }
        }
        let with_location = self.field(const { FieldName::new("Location") }, &value);
        with_location.shared.scratch = value;
        with_location
    }

    /// Ends the answer with content and, behind it, these fields, which Trailer announces (RFC 9110 §6.5). Where there are no
    /// chunks, which is in answers to HTTP/1.0 and where there is no content, they are left out.
    ///
    /// A field that can't be sent there makes the whole answer a 500: besides those of [`field`](HeadWriter::field), what
    /// frames, routes or authenticates, and what says how the content is read.
    pub fn body_with_trailers(
        mut self,
        content: impl AsRef<[u8]>,
        trailers: &[(FieldName<'_>, &str)],
    ) -> Reply {
        for (name, value) in trailers {
            if let Err(fault) = encode::check_trailer(*name, value.as_bytes()) {
                return self.with_fault(fault).empty();
            }
        }
        if self.conn.takes_chunks() && !trailers.is_empty() {
            let names: Vec<&str> = trailers.iter().map(|(name, _)| name.as_str()).collect();
            self = self.field(const { FieldName::new("Trailer") }, names.join(", "));
        }
        self.followed_by(Length::Unknown, |conn, shared| {
            let (limits, out) = (&shared.limits.http, &mut shared.out);
            conn.write_body(limits, out, content.as_ref());
            let lines: Vec<_> = trailers
                .iter()
                .map(|(name, value)| (*name, value.as_bytes()))
                .collect();
            conn.end_body(limits, out, &lines);
            Kind::Whole
        })
    }
}

/// Whether the byte may stand in a URI reference (RFC 3986 §2). A percent sign begins what is encoded already.
fn is_of_a_uri(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte)
}
