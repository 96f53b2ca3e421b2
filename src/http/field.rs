//! Fields: names, values, and lists in values (RFC 9110 §5).

use super::cut::Place;

/// The fields of a head or of a trailer section, in the order in which they came.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fields<'r> {
    section: &'r [u8],
    places: &'r [Place],
}

impl<'r> Fields<'r> {
    #[inline]
    pub(super) fn new(section: &'r [u8], places: &'r [Place]) -> Self {
        Fields { section, places }
    }

    /// Name and value of each field; the value without the white space around it, and not always UTF-8.
    pub fn iter(self) -> impl Iterator<Item = (&'r str, &'r [u8])> {
        self.places.iter().map(move |place| {
            // A token is ASCII.
            let name = core::str::from_utf8(place.name(self.section)).unwrap_or_default();
            (name, place.value(self.section))
        })
    }

    /// The value of the first field of this name, whatever the case of either.
    pub fn get(self, name: &str) -> Option<&'r [u8]> {
        self.get_all(name).next()
    }

    /// The values of all fields of this name, in order.
    pub fn get_all(self, name: &str) -> impl Iterator<Item = &'r [u8]> {
        self.places
            .iter()
            .filter(move |it| it.name(self.section).eq_ignore_ascii_case(name.as_bytes()))
            .map(move |it| it.value(self.section))
    }

    /// How many fields there are.
    pub fn len(self) -> usize {
        self.places.len()
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.places.is_empty()
    }
}

/// The members of a comma-separated list without the white space around them; empty members are left out (RFC 9110
/// §5.6.1.2). Commas in quoted strings part members too: none of the lists read here may have them.
pub(super) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|member| !member.is_empty())
}

/// Whether the byte may be part of a token (RFC 9110 §5.6.2).
#[inline]
pub(super) const fn is_token_byte(byte: u8) -> bool {
    CLASSES[byte as usize] & TOKEN != 0
}

/// Whether the bytes are a token: field names and methods are.
#[inline]
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && all_are(TOKEN, bytes)
}

/// Whether the byte may be part of a field value: HTAB, SP, visible ASCII, and anything above (RFC 9110 §5.5).
#[inline]
pub(super) const fn is_value_byte(byte: u8) -> bool {
    CLASSES[byte as usize] & VALUE != 0
}

/// Whether the bytes may be a field value.
#[inline]
pub fn is_value(bytes: &[u8]) -> bool {
    all_are(VALUE, bytes)
}

/// Whether all bytes are of this class. Nearly always they are, so no byte is worth a branch.
#[inline]
fn all_are(class: u8, bytes: &[u8]) -> bool {
    bytes
        .iter()
        .fold(class, |all, byte| all & CLASSES[*byte as usize])
        != 0
}

const TOKEN: u8 = 1;
const VALUE: u8 = 2;

static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let it = byte as u8;
        if it.is_ascii_alphanumeric()
            || matches!(
                it,
                b'!' | b'#'
                    | b'$'
                    | b'%'
                    | b'&'
                    | b'\''
                    | b'*'
                    | b'+'
                    | b'-'
                    | b'.'
                    | b'^'
                    | b'_'
                    | b'`'
                    | b'|'
                    | b'~'
            )
        {
            classes[byte] |= TOKEN;
        }
        if it == b'\t' || (it >= b' ' && it != 0x7f) {
            classes[byte] |= VALUE;
        }
        byte += 1;
    }
    classes
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_leaves_out_what_is_empty() {
        let members: Vec<_> = list(b" a,, b\t,c d ,").collect();
        assert_eq!(members, [b"a" as &[u8], b"b", b"c d"]);
    }

    #[test]
    fn tokens_are_what_httparse_takes_as_field_names() {
        for byte in 0..=255u8 {
            let line = [byte, b':', b'\r', b'\n', b'\r', b'\n'];
            let mut slots = [httparse::EMPTY_HEADER; 1];
            let taken = matches!(
                httparse::parse_headers(&line, &mut slots),
                Ok(httparse::Status::Complete((6, [_])))
            );
            assert_eq!(is_token_byte(byte), taken, "{byte:#x}");
        }
    }
}
