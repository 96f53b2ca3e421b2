//! Request heads: from bytes to slices of those bytes.
//!
//! httparse cuts the head; what it takes more kindly than [RFC 9112] is checked here, without a second look at every
//! byte. Whenever something is off, [`judge`](super::judge) goes through the head again and says what: so the verdict is
//! one function of the bytes, and this file only has to be right about whether there is a fault.
//!
//! [RFC 9112]: https://www.rfc-editor.org/rfc/rfc9112

use core::mem::MaybeUninit;

use super::error::Reject;
use super::field::{Fields, list};
use super::framing::Framing;
use super::judge::{self, Verdict};
use super::limits::Limits;
use super::target::Target;

/// How many fields there is room for.
pub(super) const SLOTS: usize = 128;

/// A method of this length or longer is none.
pub(super) const METHOD_BYTES: usize = 64;

/// Room for the fields of one head: 4 KiB on the stack that nobody fills in advance.
pub struct Slots<'i> {
    fields: [MaybeUninit<httparse::Header<'i>>; SLOTS],
    /// For HTTP/1.2 and later, whose request line httparse does not read. Nobody sends it, so it may allocate.
    newer: Vec<httparse::Header<'i>>,
}

impl Slots<'_> {
    /// Empty slots; costs nothing.
    #[inline]
    pub fn new() -> Self {
        Slots {
            fields: [const { MaybeUninit::uninit() }; SLOTS],
            newer: Vec::new(),
        }
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
    bytes: &'r [u8],
    method: &'r str,
    target: Target<'r>,
    version: Version,
    fields: Fields<'r>,
    framing: Framing,
}

impl<'r> Head<'r> {
    /// All its bytes, from the request line to the blank line, as [`reparse`] wants them.
    pub fn bytes(&self) -> &'r [u8] {
        self.bytes
    }

    /// The method, as it came: methods are case-sensitive (RFC 9110 §9.1).
    pub fn method(&self) -> &'r str {
        self.method
    }

    /// The target.
    pub fn target(&self) -> &Target<'r> {
        &self.target
    }

    /// The target's path, still percent-encoded.
    pub fn path(&self) -> &'r str {
        self.target.path()
    }

    /// The target's query, still percent-encoded.
    pub fn query(&self) -> Option<&'r str> {
        self.target.query()
    }

    /// The version that the request is read as.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Whom the request is for, `host[:port]`: the authority of the target if it has one, else Host, else empty.
    pub fn host(&self) -> &'r str {
        self.target.authority().unwrap_or_else(|| {
            let host = self.fields.get("host").unwrap_or_default();
            core::str::from_utf8(host).unwrap_or_default()
        })
    }

    /// All fields.
    pub fn fields(&self) -> Fields<'r> {
        self.fields
    }

    /// The value of the first field of this name, whatever the case of either.
    pub fn field(&self, name: &str) -> Option<&'r [u8]> {
        self.fields.get(name)
    }

    /// Whether the client asks to go on with this protocol: it is named in `Upgrade`, and `Connection` names that field
    /// (RFC 9110 §7.8). Names are compared without regard to case.
    pub fn asks_for(&self, protocol: &str) -> bool {
        let names = |field, name: &str| {
            let values = self.fields.get_all(field);
            let mut names = values.flat_map(list);
            names.any(|it| it.eq_ignore_ascii_case(name.as_bytes()))
        };
        self.version == Version::Http11
            && names("connection", "upgrade")
            && names("upgrade", protocol)
    }

    /// What the head says of the body, of the connection and of expectations.
    pub fn framing(&self) -> Framing {
        self.framing
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
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(window, &mut slots.fields[..limits.fields()]) {
        Ok(httparse::Status::Complete(used)) => {
            if let (Some(method), Some(target), Some(minor)) =
                (request.method, request.path, request.version)
                && method.len() < METHOD_BYTES
                && target.len() <= limits.target_bytes_max
                && lines_end_in_crlf(window, used, request.headers)
                && let Ok(target) = Target::parse(method, target)
            {
                let version = if minor == 0 {
                    Version::Http10
                } else {
                    Version::Http11
                };
                return finish(
                    &window[..used],
                    method,
                    target,
                    version,
                    Fields(request.headers),
                );
            }
            Parsed::Rejected(judge::fault(limits, window))
        }
        Ok(httparse::Status::Partial) if window.len() < limits.head_bytes_max => Parsed::Partial,
        Ok(httparse::Status::Partial) => Parsed::Rejected(judge::fault(limits, window)),
        Err(_) => parse_doubtful(limits, window, &mut slots.newer),
    }
}

/// httparse guarantees an LF before each name and at the end: this looks at the byte before each LF.
#[inline]
fn lines_end_in_crlf(input: &[u8], used: usize, fields: &[httparse::Header<'_>]) -> bool {
    let begin = input.as_ptr() as usize;
    let end_of_head = used >= 4 && input[used - 2] == b'\r' && input[used - 4] == b'\r';
    end_of_head
        && fields.iter().all(|field| {
            let at = field.name.as_ptr() as usize - begin;
            at >= 2 && input[at - 2] == b'\r'
        })
}

/// What httparse refuses: mostly a fault, but HTTP/1.2 is none.
#[cold]
fn parse_doubtful<'h, 'i: 'h>(
    limits: &Limits,
    window: &'i [u8],
    slots: &'h mut Vec<httparse::Header<'i>>,
) -> Parsed<'h> {
    let line_end = match judge::judge(limits, window) {
        Verdict::Fault(reject) => return Parsed::Rejected(reject),
        Verdict::Unfinished => return Parsed::Partial,
        Verdict::Sound { line_end } => line_end,
    };
    slots.clear();
    slots.resize(limits.fields(), httparse::EMPTY_HEADER);
    let line = core::str::from_utf8(&window[..line_end]).unwrap_or_default();
    let mut words = line.split(' ');
    let (method, target) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    match (
        Target::parse(method, target),
        httparse::parse_headers(&window[line_end..], slots),
    ) {
        (Ok(target), Ok(httparse::Status::Complete((used, fields)))) => finish(
            &window[..line_end + used],
            method,
            target,
            Version::Http11,
            Fields(fields),
        ),
        // The judge found nothing where httparse does: in doubt the request is refused.
        (Err(reject), _) => Parsed::Rejected(reject),
        (Ok(_), Ok(httparse::Status::Partial) | Err(_)) => Parsed::Rejected(Reject::FieldValue),
    }
}

#[inline]
fn finish<'h>(
    bytes: &'h [u8],
    method: &'h str,
    target: Target<'h>,
    version: Version,
    fields: Fields<'h>,
) -> Parsed<'h> {
    match Framing::of(&target, version, fields) {
        Ok(framing) => Parsed::Complete(Head {
            bytes,
            method,
            target,
            version,
            fields,
            framing,
        }),
        Err(reject) => Parsed::Rejected(reject),
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
        Parsed::Complete(parsed) if parsed.bytes.len() == head.len() => Some(parsed),
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
