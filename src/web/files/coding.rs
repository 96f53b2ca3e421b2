//! Content codings: which ones a client takes (RFC 9110 §12.5.3), and in which order.

use crate::http::Fields;

/// A coding in which a file can lie beside itself, under its own name and a suffix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstandard,
    /// RFC 1952.
    Gzip,
}

impl Coding {
    /// Those that usually make it smaller first.
    pub(super) const ALL: [Coding; 3] = [Coding::Brotli, Coding::Zstandard, Coding::Gzip];

    /// The value of Content-Encoding.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Coding::Brotli => "br",
            Coding::Zstandard => "zstd",
            Coding::Gzip => "gzip",
        }
    }

    /// Where it stands in [`ALL`](Self::ALL).
    pub(super) const fn place(self) -> usize {
        match self {
            Coding::Brotli => 0,
            Coding::Zstandard => 1,
            Coding::Gzip => 2,
        }
    }

    const fn suffix(self) -> &'static [u8] {
        match self {
            Coding::Brotli => b".br",
            Coding::Zstandard => b".zst",
            Coding::Gzip => b".gz",
        }
    }

    /// The path of the file that this one would be a sibling of.
    pub(super) fn without_suffix(path: &[u8]) -> Option<&[u8]> {
        let mut all = Coding::ALL.iter();
        all.find_map(|coding| path.strip_suffix(coding.suffix()))
    }

    /// Writes the path of the sibling that a file has in this coding into `into`, instead of what was there.
    pub(super) fn sibling_of(self, path: &[u8], into: &mut Vec<u8>) {
        into.clear();
        into.extend_from_slice(path);
        into.extend_from_slice(self.suffix());
    }
}

/// A weight in thousandths; zero is "not acceptable".
type Weight = u16;

/// Which codings a client takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Accepted {
    /// In the order of [`Coding::ALL`].
    codings: [Weight; 3],
    identity: Identity,
}

/// What is said of content without a coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Identity {
    /// Nothing: it is acceptable, and anything that is asked for comes before it.
    Unsaid,
    /// It has a weight.
    Weighed(Weight),
}

impl Accepted {
    /// Reads Accept-Encoding. Without the field any coding would do; content as it is does so best, for who says nothing
    /// often knows none. A member that can't be read counts for nothing.
    pub(super) fn read(fields: Fields<'_>) -> Accepted {
        let mut codings = [None; 3];
        let (mut identity, mut others) = (None, None);
        for value in fields.get_all("accept-encoding") {
            for member in value.split(|byte| *byte == b',') {
                let Some((name, weight)) = member_of(member.trim_ascii()) else {
                    continue;
                };
                let place = match name {
                    b"*" => &mut others,
                    name if name.eq_ignore_ascii_case(b"identity") => &mut identity,
                    name => match Coding::ALL.iter().position(|coding| coding.is(name)) {
                        Some(at) => &mut codings[at],
                        None => continue,
                    },
                };
                *place = Some(weight);
            }
        }
        // `*` is whatever is not named; of identity only its refusal matters (RFC 9110 §12.5.3, rule 2).
        let identity = match (identity, others) {
            (Some(weight), _) => Identity::Weighed(weight),
            (None, Some(0)) => Identity::Weighed(0),
            (None, _) => Identity::Unsaid,
        };
        Accepted {
            codings: codings.map(|weight| weight.or(others).unwrap_or(0)),
            identity,
        }
    }

    /// All codings, those that the client likes best first. It [wants](Self::wants) a first few of them, or none.
    pub(super) fn by_preference(&self) -> [Coding; 3] {
        let mut order = Coding::ALL;
        order.sort_by_key(|coding| core::cmp::Reverse(self.weight(*coding))); // stable: the best of equals is first
        order
    }

    /// Whether content in this coding comes before content as it is.
    pub(super) fn wants(&self, coding: Coding) -> bool {
        let least = match self.identity {
            Identity::Unsaid => 1,
            Identity::Weighed(weight) => weight.max(1),
        };
        self.weight(coding) >= least
    }

    fn weight(&self, coding: Coding) -> Weight {
        match coding {
            Coding::Brotli => self.codings[0],
            Coding::Zstandard => self.codings[1],
            Coding::Gzip => self.codings[2],
        }
    }

    /// Whether content as it is will do.
    pub(super) fn takes_identity(&self) -> bool {
        self.identity != Identity::Weighed(0)
    }
}

impl Coding {
    fn is(self, name: &[u8]) -> bool {
        // RFC 9110 §8.4.1.3: "x-gzip" is "gzip".
        name.eq_ignore_ascii_case(self.name().as_bytes())
            || self == Coding::Gzip && name.eq_ignore_ascii_case(b"x-gzip")
    }
}

/// A coding and its weight.
fn member_of(member: &[u8]) -> Option<(&[u8], Weight)> {
    let Some(semicolon) = member.iter().position(|byte| *byte == b';') else {
        return (!member.is_empty()).then_some((member, 1000));
    };
    let name = member[..semicolon].trim_ascii_end();
    let weight = match member[semicolon + 1..].trim_ascii_start() {
        [b'q' | b'Q', b'=', value @ ..] => weight(value)?,
        _ => return None,
    };
    Some((name, weight))
}

/// RFC 9110 §12.4.2: `0` or `1` and up to three digits.
pub(super) fn weight(value: &[u8]) -> Option<Weight> {
    let (whole, digits) = match value {
        [whole @ (b'0' | b'1')] => (whole, &[] as &[u8]),
        [whole @ (b'0' | b'1'), b'.', digits @ ..] => (whole, digits),
        _ => return None,
    };
    if digits.len() > 3 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let thousandths = (0..3).fold(0, |sum, at| {
        sum * 10 + digits.get(at).map_or(0, |digit| Weight::from(digit - b'0'))
    });
    let weight = Weight::from(whole - b'0') * 1000 + thousandths;
    (weight <= 1000).then_some(weight)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Limits, Slots, reparse};

    /// The codings that are preferred, and `identity` at the end if that is taken.
    fn check(lines: &[&str], expected: &str) {
        let mut head = "GET / HTTP/1.1\r\nHost: a\r\n".to_owned();
        for line in lines {
            head = head + "Accept-Encoding: " + line + "\r\n";
        }
        head += "\r\n";
        let mut slots = Slots::new();
        let head = reparse(&Limits::default(), head.as_bytes(), &mut slots).expect("a head");
        let accepted = Accepted::read(head.fields());
        let order = accepted.by_preference();
        let wanted = order.iter().filter(|coding| accepted.wants(**coding));
        let mut names: Vec<_> = wanted.map(|coding| coding.name()).collect();
        let are_wanted = order.map(|coding| accepted.wants(coding));
        assert!(are_wanted.is_sorted_by(|before, after| before >= after));
        names.extend(accepted.takes_identity().then_some("identity"));
        assert_eq!(names.join(" "), expected, "{lines:?}");
    }

    #[test]
    fn what_is_named_is_preferred_by_weight_then_by_what_is_smaller() {
        check(&[], "identity");
        check(&[""], "identity");
        check(&["gzip"], "gzip identity");
        check(&["gzip, deflate, br, zstd"], "br zstd gzip identity");
        check(&["gzip", "br"], "br gzip identity");
        check(&["br;q=0.5, gzip"], "gzip br identity");
        check(&["br;q=0.5 , gzip ; q=0.501"], "gzip br identity");
        check(&["GZIP, X-Unknown"], "gzip identity");
        check(&["x-gzip"], "gzip identity");
        check(&["gzip;q=0, br"], "br identity");
        check(&["gzip;q=0.000"], "identity");
    }

    #[test]
    fn a_star_is_whatever_is_not_named() {
        check(&["*"], "br zstd gzip identity");
        check(&["*;q=0.5, gzip"], "gzip br zstd identity");
        check(&["br;q=0, *"], "zstd gzip identity");
        check(&["*;q=0"], "");
        check(&["*;q=0, identity"], "identity");
        check(&["gzip, *;q=0"], "gzip");
    }

    #[test]
    fn identity_has_its_place_where_it_has_a_weight() {
        check(&["identity"], "identity");
        check(&["identity, gzip"], "gzip identity");
        check(&["identity, gzip;q=0.9"], "identity");
        check(&["identity;q=0.5, gzip;q=0.4, br;q=0.6"], "br identity");
        check(&["identity;q=0"], "");
        check(&["identity;q=0, gzip;q=0.001"], "gzip");
    }

    #[test]
    fn what_cannot_be_read_counts_for_nothing() {
        for value in [
            "gzip;q=2",
            "gzip;q=1.001",
            "gzip;q=0.1234",
            "gzip;q=",
            "gzip;q=a",
            "gzip;x=1",
            "gzip;q=.5",
            ";q=1",
            ",,",
        ] {
            check(&[value], "identity");
        }
        check(&["gzip;q=1."], "gzip identity");
        check(&["gzip;Q=1.000"], "gzip identity");
    }
}
