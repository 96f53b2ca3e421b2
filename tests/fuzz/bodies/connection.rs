//! A whole connection: what comes of its bytes, whole and cut.

use edgeloop::http::{Content, Limits};

use super::answers::{self, Answer};
use super::choices::{Choices, pieces};
use super::plain::{self, Head};
use super::plain_fields::{Body, Form, form};
use crate::http::corpus::Ending;
use crate::http::transcript::transcript_within;

/// Input: a byte for the limits, one for what comes after the last byte, one for how many cuts, the cuts, then what a
/// client sends.
///
/// Cuts change nothing; what goes out is whole answers, as many as were given; the n-th of them is to the n-th request
/// that the plain reader sees, with its own body, and none is to what it does not see; what has come whole is answered.
pub fn connection(data: &[u8]) {
    let mut choices = Choices::new(data);
    let limits = choices.limits();
    let ending = [Ending::Fin, Ending::Deadline][usize::from(choices.byte() % 2)];
    let cuts = choices.cuts();
    let input = choices.rest();
    let whole = transcript_within(limits.clone(), [input], ending);
    for cuts in [cuts, &[1]] {
        let cut = transcript_within(limits.clone(), pieces(input, cuts), ending);
        assert_eq!(cut, whole, "cut as {cuts:?}");
    }

    let asked = requests(&limits, input);
    // What is at fault gets an answer too, and is no request.
    assert!(whole.answers.len() <= asked.len() + 1);
    let mut rest = &whole.output[..];
    let mut closes = false;
    for (at, content) in whole.answers.iter().enumerate() {
        assert!(!closes, "the answer before was the last");
        let omitted = *content == Content::Omitted;
        let (answer, behind) = answers::take_final(rest, omitted).expect("an answer of its own");
        rest = behind;
        match asked.get(at) {
            Some(asked) => asked.check(&answer),
            None => assert!(answer.status >= 400, "{answer:?} and nothing was asked"),
        }
        closes = answer.field("connection") == Some(b"close");
    }
    assert!(
        rest.is_empty(),
        "more than the answers: {}",
        rest.escape_ascii()
    );
    let whole_ones = asked.iter().filter(|asked| asked.body.is_some()).count();
    let gives_up = closes || asked.iter().any(|asked| asked.path() == "/unwanted");
    assert!(gives_up || whole.answers.len() >= whole_ones, "no answer");
}

/// A request that the client plainly sends.
struct Asked {
    head: Head,
    /// `None`: it has not come whole, or is at fault.
    body: Option<Vec<u8>>,
}

/// The requests up to the first fault or the end.
fn requests(limits: &Limits, mut input: &[u8]) -> Vec<Asked> {
    let mut asked = Vec::new();
    while let Ok(head) = plain::head(limits, input) {
        input = &input[head.skipped + head.length..];
        let body = match head.framing.body {
            Body::None => Some((Vec::new(), 0)),
            Body::Length(length) => usize::try_from(length)
                .ok()
                .and_then(|length| Some((input.get(..length)?.to_vec(), length))),
            Body::Chunked => match plain::chunked(limits, input) {
                (body, Ok(())) => Some((body.data, body.length)),
                (_, Err(_)) => None,
            },
        };
        let (body, length) = body.unzip();
        asked.push(Asked { head, body });
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

    fn path(&self) -> &str {
        self.form().path
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
        [line.as_bytes(), host, version.as_bytes(), &body].concat()
    }

    /// What the server has understood is what it was asked.
    fn check(&self, answer: &Answer) {
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
                assert!(answer.body == *body || self.head.method == "HEAD");
            }
            _ if path.starts_with("/limit/") => assert!([200, 413].contains(&answer.status)),
            _ if path.starts_with("/status/") => {}
            _ => {
                assert_eq!(answer.status, 200, "{:?}", self.head);
                let expected = self.description(body);
                let has_content = self.head.method != "HEAD";
                assert!(!has_content || answer.body.starts_with(&expected));
            }
        }
        assert!(self.head.method != "HEAD" || answer.body.is_empty());
    }
}
