//! A whole connection: what comes of its bytes, whole and cut.

use edgeloop::http::Content;

use super::answers;
use super::asked::requests;
use super::choices::{Choices, pieces};
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
