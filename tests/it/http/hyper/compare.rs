//! What two servers made of the same bytes, held against each other.

use edgeloop::http::Reject;

use super::seen::{Fault, Request, Seen};

/// Something on which they do not agree.
#[derive(Debug)]
pub(super) struct Difference<'s> {
    pub(super) part: Part,
    /// Of ours, the request that it is about; the last one before where the connection ended, or ours did not take it.
    pub(super) ours: Option<&'s Request>,
    pub(super) theirs: Option<&'s Request>,
    /// What ours had no use for in the end.
    pub(super) rest: &'s [u8],
}

/// What they do not agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Method,
    Version,
    Authority,
    Path,
    Query,
    Fields,
    Framing,
    Body,
    Trailers,
    /// Whether `100 Continue` was said.
    Continued,
    /// Ours takes what hyper refuses.
    Taken,
    /// Ours goes on, and hyper has ended the connection cleanly.
    Kept,
    /// Ours has ended the connection cleanly, and hyper goes on.
    Ended,
    /// Ours refuses what hyper takes.
    Refused(Reject),
}

/// What came of a comparison.
pub(super) struct Compared<'s> {
    pub(super) differences: Vec<Difference<'s>>,
    /// How many requests both took whole.
    pub(super) both: usize,
}

/// Goes through the requests in order. Behind one that only one of them took there is nothing left to compare.
pub(super) fn compare<'s>(ours: &'s Seen, theirs: &'s Seen) -> Compared<'s> {
    let rest = &ours.rest[..];
    let mut compared = Compared {
        differences: Vec::new(),
        both: 0,
    };
    for (at, one) in ours.requests.iter().enumerate() {
        let Some(other) = theirs.requests.get(at) else {
            let before = at.checked_sub(1).map(|at| &ours.requests[at]);
            let (part, ours) = match theirs.refused {
                Some(_) => (Part::Taken, Some(one)),
                None => (Part::Kept, before),
            };
            compared.differences.push(Difference {
                part,
                ours,
                theirs: None,
                rest,
            });
            return compared;
        };
        let mut note = |differs: bool, part: Part| {
            if differs {
                let (ours, theirs) = (Some(one), Some(other));
                compared.differences.push(Difference {
                    part,
                    ours,
                    theirs,
                    rest,
                });
            }
        };
        heads(one, other, &mut note);
        match (one.whole, other.whole) {
            (true, true) => {
                note(one.body != other.body, Part::Body);
                note(one.trailers != other.trailers, Part::Trailers);
                note(one.continued != other.continued, Part::Continued);
                compared.both += 1;
            }
            // The stricter of the two stops earlier.
            (false, false) => {
                note(!other.body.starts_with(&one.body), Part::Body);
                return compared;
            }
            (true, false) => {
                note(true, Part::Taken);
                return compared;
            }
            (false, true) => {
                note(true, refused(ours).expect("a reason"));
                return compared;
            }
        }
    }
    let next = theirs.requests.get(ours.requests.len());
    let part = match (refused(ours), next, &theirs.refused) {
        (None, None, None) | (Some(_), None, Some(_)) => return compared,
        (None, None, Some(_)) if !ours.ended => Part::Taken,
        (None, _, _) => Part::Ended,
        // Empty lines, and half ones, are all that hyper passes over without a word.
        (Some(_), None, None) if !rest.iter().all(|byte| b"\r\n".contains(byte)) => Part::Kept,
        (Some(refused), _, _) => refused,
    };
    compared.differences.push(Difference {
        part,
        ours: ours.requests.last(),
        theirs: next,
        rest,
    });
    compared
}

fn refused(ours: &Seen) -> Option<Part> {
    match ours.refused {
        Some(Fault::Ours(reject)) => Some(Part::Refused(reject)),
        Some(Fault::Theirs(_)) | None => None,
    }
}

fn heads(one: &Request, other: &Request, note: &mut impl FnMut(bool, Part)) {
    note(one.method != other.method, Part::Method);
    note(one.version != other.version, Part::Version);
    note(one.authority != other.authority, Part::Authority);
    note(one.path != other.path, Part::Path);
    note(one.query != other.query, Part::Query);
    note(one.fields != other.fields, Part::Fields);
    note(one.framing != other.framing, Part::Framing);
}
