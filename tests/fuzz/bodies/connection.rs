//! A whole connection: what comes of its bytes, whole and cut.

use edgeloop::http::{Content, Limits};

use super::answers::{self, Answer};
use super::choices::{Choices, pieces};
use super::plain::{self, Head};
use super::plain_fields::{Body, form};
use crate::http::corpus::Ending;
use crate::http::transcript::transcript_within;

/// Input: a byte for the limits, one for what comes after the last byte, one for how many cuts, the cuts, then what a
/// client sends.
///
/// Cuts change nothing; what goes out is whole answers, as many as were given; the n-th of them is to the n-th request
/// that the plain reader sees, and none is to what it does not see.
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
    for (at, content) in whole.answers.iter().enumerate() {
        let omitted = *content == Content::Omitted;
        let (answer, behind) = answers::take_final(rest, omitted).expect("an answer of its own");
        rest = behind;
        match asked.get(at) {
            Some(head) => assert_answers(&answer, head),
            None => assert!(answer.status >= 400, "{answer:?} and nothing was asked"),
        }
        let is_last = at + 1 == whole.answers.len();
        assert!(is_last || answer.field("connection") != Some(b"close"));
    }
    assert!(
        rest.is_empty(),
        "more than the answers: {}",
        rest.escape_ascii()
    );
}

/// The requests that the client plainly sends, up to the first fault or the end.
fn requests(limits: &Limits, mut input: &[u8]) -> Vec<Head> {
    let mut heads = Vec::new();
    while let Ok(head) = plain::head(limits, input) {
        input = &input[head.skipped + head.length..];
        let length = match head.framing.body {
            Body::None => Some(0),
            Body::Length(length) => usize::try_from(length).ok(),
            Body::Chunked => match plain::chunked(limits, input) {
                (body, Ok(())) => Some(body.length),
                (_, Err(_)) => None,
            },
        };
        heads.push(head);
        match length.and_then(|length| input.get(length..)) {
            Some(behind) => input = behind,
            None => break,
        }
    }
    heads
}

/// What the server has understood is what it was asked, unless it was asked for something else than that.
fn assert_answers(answer: &Answer, head: &Head) {
    let form = form(&head.method, &head.target).expect("it was taken");
    let describes = answer.status == 200 && form.path != "/echo" && !answer.body.is_empty();
    if describes {
        let begin = format!("{} {}", head.method, form.path);
        assert!(
            answer.body.starts_with(begin.as_bytes()),
            "{answer:?} to {head:?}"
        );
    }
    if !head.framing.keeps_alive {
        assert_eq!(answer.field("connection"), Some(&b"close"[..]));
    }
    assert!(head.method != "HEAD" || answer.body.is_empty());
}
