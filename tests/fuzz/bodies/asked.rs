//! What a client has asked, as the plain reader understands it, and whether it gets that.

use edgeloop::http::{Limits, TrailerSlots, trailers};

use super::answers::Answer;
use super::plain::{self, Head};
use super::plain_fields::{Body, Form, form};

/// A request that the client plainly sends.
pub(crate) struct Asked {
    head: Head,
    /// `None`: it has not come whole, or is at fault.
    pub(crate) body: Option<Vec<u8>>,
    /// The section, with its empty line.
    trailer: Vec<u8>,
}

/// The requests up to the first fault or the end.
pub(crate) fn requests(limits: &Limits, mut input: &[u8]) -> Vec<Asked> {
    let mut asked = Vec::new();
    while let Ok(head) = plain::head(limits, input) {
        input = &input[head.skipped + head.length..];
        let mut trailer = Vec::new();
        let body = match head.framing.body {
            Body::None => Some((Vec::new(), 0)),
            Body::Length(length) => usize::try_from(length)
                .ok()
                .and_then(|length| Some((input.get(..length)?.to_vec(), length))),
            Body::Chunked => match plain::chunked(limits, input) {
                (body, Ok(())) => {
                    trailer = body.trailer;
                    Some((body.data, body.length))
                }
                (_, Err(_)) => None,
            },
        };
        let (body, length) = body.unzip();
        asked.push(Asked {
            head,
            body,
            trailer,
        });
        match length {
            Some(length) => input = &input[length..],
            None => break,
        }
    }
    asked
}

impl Asked {
    fn form(&self) -> Form<'_> {
        form(&self.head.method, &self.head.target).expect("it was taken")
    }

    pub(crate) fn path(&self) -> &str {
        self.form().path
    }

    pub(crate) fn is_head(&self) -> bool {
        self.head.method == "HEAD"
    }

    /// What the server says of a request that asks for nothing else.
    fn description(&self, body: &[u8]) -> Vec<u8> {
        let Form {
            authority,
            path,
            query,
            ..
        } = self.form();
        let fields = &self.head.fields;
        let host = fields.iter().find(|it| it.0.eq_ignore_ascii_case("host"));
        let host = host.map_or(&b""[..], |(_, value)| value);
        let host = authority.map_or(host, str::as_bytes);
        let query = query.map_or(String::new(), |query| format!(" query={query}"));
        let body = match body.len() {
            0 => Vec::new(),
            1..=40 => [b" body=", body].concat(),
            bytes => format!(" body={bytes} bytes").into_bytes(),
        };
        let line = format!("{} {path}{query} host=", self.head.method);
        let version = format!(" HTTP/1.{}", self.head.minor);
        let mut slots = TrailerSlots::new();
        let trailers = trailers(&self.trailer, &mut slots);
        let trailers = trailers
            .iter()
            .flat_map(|(name, value)| [b" ", name.as_bytes(), b"=", value].concat());
        let trailers: Vec<u8> = trailers.collect();
        [line.as_bytes(), host, version.as_bytes(), &body, &trailers].concat()
    }

    /// What the server has understood is what it was asked.
    pub(crate) fn check(&self, answer: &Answer) {
        if !self.head.framing.keeps_alive {
            assert_eq!(answer.field("connection"), Some(&b"close"[..]));
        }
        let Some(body) = &self.body else {
            return;
        };
        let path = self.path();
        match path {
            "/unwanted" => assert_eq!(answer.status, 404),
            "/echo" if !body.is_empty() && self.head.framing.body != Body::Chunked => {
                assert_eq!(answer.status, 200);
                assert!(answer.body == *body || self.is_head());
            }
            _ if path.starts_with("/limit/") => {
                let most = path["/limit/".len()..].parse::<usize>();
                let fits = most.map_or(true, |most| body.len() <= most);
                assert_eq!(answer.status, if fits { 200 } else { 413 });
            }
            _ if path.starts_with("/status/") => {}
            _ => {
                assert_eq!(answer.status, 200, "{:?}", self.head);
                let expected = self.description(body);
                let has_content = !self.is_head();
                assert!(!has_content || answer.body == expected);
            }
        }
        assert!(!self.is_head() || answer.body.is_empty());
    }
}
