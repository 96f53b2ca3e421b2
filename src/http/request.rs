//! Request heads: from bytes to slices of those bytes.
//!
//! What is sound is [cut](super::cut) and looked at once. Whenever something is off, [`judge`](super::judge) goes through the
//! head again and says what: so the verdict is one function of the bytes.

use super::cut::{self, Place, Uncut};
use super::error::Reject;
use super::field::{Fields, list};
use super::framing::{Framing, Said};
use super::judge::{self, Verdict};
use super::limits::Limits;
use super::target::{KnownAuthority, Target};

/// How many fields there is room for.
pub(super) const SLOTS: usize = 128;

/// A method of this length or longer is none.
pub(super) const METHOD_BYTES: usize = 64;

/// What of [`Slots`] lives longer than the input that a head is read from: 4 KiB for where its fields are, and an authority that
/// need not be judged again.
#[derive(Debug)]
pub struct Places {
    fields: [Place; SLOTS],
    known: KnownAuthority,
}

impl Default for Places {
    fn default() -> Self {
        Places {
            fields: [Place::default(); SLOTS],
            known: KnownAuthority::new(),
        }
    }
}

/// Room for one head. It is made once and used again for the next, and a head that was found is written into it once,
/// however often it is handed on.
#[derive(Debug)]
pub struct Slots<'i> {
    facts: Option<Facts<'i>>,
    places: Box<Places>,
}

impl Slots<'_> {
    /// Empty slots. Allocates once.
    pub fn new() -> Self {
        Slots::over(Box::default())
    }

    /// Empty slots over what others have left. Allocates nothing.
    #[inline]
    pub fn over(places: Box<Places>) -> Self {
        Slots {
            facts: None,
            places,
        }
    }

    /// What they leave.
    #[inline]
    pub fn into_places(self) -> Box<Places> {
        self.places
    }
}

impl Default for Slots<'_> {
    fn default() -> Self {
        Self::new()
    }
}

/// The minor version that counts: a later HTTP/1.x is read as 1.1 (RFC 9110 §2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
}

/// A request head that is sound, framing included.
#[derive(Clone, Copy, Debug)]
pub struct Head<'r> {
    facts: &'r Facts<'r>,
    places: &'r [Place],
}

/// What a head says beside its fields.
#[derive(Debug)]
struct Facts<'i> {
    bytes: &'i [u8],
    method: &'i str,
    target: Target<'i>,
    version: Version,
    framing: Framing,
}

impl<'r> Head<'r> {
    /// All its bytes, from the request line to the blank line, as [`reparse`] wants them.
    pub fn bytes(&self) -> &'r [u8] {
        self.facts.bytes
    }

    /// The method, as it came: methods are case-sensitive (RFC 9110 §9.1).
    pub fn method(&self) -> &'r str {
        self.facts.method
    }

    /// The target.
    pub fn target(&self) -> &Target<'r> {
        &self.facts.target
    }

    /// The target's path, still percent-encoded.
    pub fn path(&self) -> &'r str {
        self.facts.target.path()
    }

    /// The target's query, still percent-encoded.
    pub fn query(&self) -> Option<&'r str> {
        self.facts.target.query()
    }

    /// The version that the request is read as.
    pub fn version(&self) -> Version {
        self.facts.version
    }

    /// Whom the request is for, `host[:port]`: the authority of the target if it has one, else Host, else empty.
    pub fn host(&self) -> &'r str {
        self.facts.target.authority().unwrap_or_else(|| {
            let host = self.fields().get("host").unwrap_or_default();
            core::str::from_utf8(host).unwrap_or_default()
        })
    }

    /// All fields.
    pub fn fields(&self) -> Fields<'r> {
        Fields::new(self.facts.bytes, self.places)
    }

    /// The value of the first field of this name, whatever the case of either.
    pub fn field(&self, name: &str) -> Option<&'r [u8]> {
        self.fields().get(name)
    }

    /// Whether the client asks to go on with this protocol: it is named in `Upgrade`, and `Connection` names that field
    /// (RFC 9110 §7.8). Names are compared without regard to case.
    pub fn asks_for(&self, protocol: &str) -> bool {
        let names = |field, name: &str| {
            let values = self.fields().get_all(field);
            let mut names = values.flat_map(list);
            names.any(|it| it.eq_ignore_ascii_case(name.as_bytes()))
        };
        self.facts.version == Version::Http11
            && names("connection", "upgrade")
            && names("upgrade", protocol)
    }

    /// What the head says of the body, of the connection and of expectations.
    pub fn framing(&self) -> Framing {
        self.facts.framing
    }
}

/// What came of bytes at which a head should begin.
pub(super) enum Parsed<'h> {
    Complete(Head<'h>),
    /// Sound or not, it does not end here.
    Partial,
    Rejected(Reject),
}

/// Reads a head from the first bytes of `input`, which do not begin with an empty line.
#[inline(never)] // a phase
pub(super) fn parse_head<'h, 'i: 'h>(
    limits: &Limits,
    input: &'i [u8],
    slots: &'h mut Slots<'i>,
) -> Parsed<'h> {
    // What lies beyond the limit is not looked at, so that the verdict does not depend on how much of it is here.
    let window = &input[..input.len().min(limits.head_bytes_max)];
    match read(limits, window, slots) {
        Ok(parsed) => parsed,
        Err(Uncut::Unfinished) if window.len() < limits.head_bytes_max => Parsed::Partial,
        Err(Uncut::Unfinished | Uncut::Doubtful) => parse_doubtful(limits, window),
    }
}

/// Reads a head with which nothing is wrong but, perhaps, what it says of its body.
#[inline]
fn read<'h, 'i: 'h>(
    limits: &Limits,
    window: &'i [u8],
    slots: &'h mut Slots<'i>,
) -> Result<Parsed<'h>, Uncut> {
    let line = cut::request_line(window)?;
    if line.method.len() >= METHOD_BYTES || line.target.len() > limits.target_bytes_max {
        return Err(Uncut::Doubtful);
    }
    let target = Target::of(line.method, line.target, line.question);
    let target = target.map_err(|_| Uncut::Doubtful)?;
    let Places { fields, known } = &mut *slots.places;
    let mut said = Said::nothing(known);
    let places = &mut fields[..limits.fields()];
    let (count, bytes) = cut::fields(window, line.bytes, places, |name, value| {
        said.field(name, value);
    })?;
    Ok(match said.framing(&target, line.version) {
        Ok(framing) => Parsed::Complete(Head {
            facts: slots.facts.insert(Facts {
                bytes: &window[..bytes],
                method: line.method,
                target,
                version: line.version,
                framing,
            }),
            places: &fields[..count],
        }),
        Err(reject) => Parsed::Rejected(reject),
    })
}

#[cold]
fn parse_doubtful<'h>(limits: &Limits, window: &[u8]) -> Parsed<'h> {
    match judge::judge(limits, window) {
        Verdict::Fault(reject) => Parsed::Rejected(reject),
        Verdict::Unfinished => Parsed::Partial,
        Verdict::Sound => {
            debug_assert!(false, "what is sound is cut");
            Parsed::Rejected(Reject::FieldValue) // in doubt it is refused
        }
    }
}

/// Reads a head again that was sound before: its bytes were kept while its body came.
///
/// `None` if the bytes are not exactly one whole head.
pub fn reparse<'h, 'i: 'h>(
    limits: &Limits,
    head: &'i [u8],
    slots: &'h mut Slots<'i>,
) -> Option<Head<'h>> {
    match parse_head(limits, head, slots) {
        Parsed::Complete(parsed) if parsed.bytes().len() == head.len() => Some(parsed),
        Parsed::Complete(_) | Parsed::Partial | Parsed::Rejected(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_head_is_read_again() {
        let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        assert!(reparse(&Limits::default(), head, &mut Slots::new()).is_some());
        assert!(
            reparse(
                &Limits::default(),
                &head[..head.len() - 1],
                &mut Slots::new()
            )
            .is_none()
        );
        assert!(
            reparse(
                &Limits::default(),
                &[head, b"x" as &[u8]].concat(),
                &mut Slots::new()
            )
            .is_none()
        );
    }
}
