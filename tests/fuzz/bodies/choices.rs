//! What the first bytes of an input decide: limits, and how the rest is cut.

use edgeloop::http::Limits;

/// Takes bytes from the beginning of an input; behind its end there are zeros.
pub(crate) struct Choices<'d> {
    rest: &'d [u8],
}

impl<'d> Choices<'d> {
    pub(crate) fn new(data: &'d [u8]) -> Choices<'d> {
        Choices { rest: data }
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    pub(crate) fn take(&mut self, count: usize) -> &'d [u8] {
        let (taken, rest) = self.rest.split_at(count.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    pub(crate) fn rest(self) -> &'d [u8] {
        self.rest
    }

    /// The limits that a server has, or for an odd byte narrow ones.
    pub(crate) fn limits(&mut self) -> Limits {
        if self.byte() & 1 == 0 {
            return Limits::default();
        }
        narrow()
    }

    /// The lengths of the pieces that the rest comes in: up to seven, over and over again. None: it comes whole.
    pub(crate) fn cuts(&mut self) -> &'d [u8] {
        let count = self.byte() % 8;
        self.take(usize::from(count))
    }
}

/// Limits that short inputs reach.
pub(crate) fn narrow() -> Limits {
    Limits {
        head_bytes_max: 240,
        target_bytes_max: 48,
        fields_max: 4,
        trailer_bytes_max: 60,
        chunk_extension_bytes_max: 12,
        chunk_extensions_bytes_max: 30,
        discard_bytes_max: 40,
    }
}

/// Cuts `input` into pieces of these lengths, over and over again. Some may be empty.
pub(crate) fn pieces<'i>(input: &'i [u8], cuts: &[u8]) -> Vec<&'i [u8]> {
    if cuts.iter().all(|cut| *cut == 0) {
        return vec![input];
    }
    let (mut pieces, mut rest) = (Vec::new(), input);
    for cut in cuts.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, behind) = rest.split_at(rest.len().min(usize::from(*cut)));
        pieces.push(piece);
        rest = behind;
    }
    pieces
}
