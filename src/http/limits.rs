//! What one connection may ask of the parser.

use super::request::SLOTS;

/// Bounds on what a peer may send, in bytes unless said otherwise. All of them are on by default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Request line and fields up to and with the blank line (16 KiB): beyond it 431.
    pub head_bytes_max: usize,
    /// The request target (8 KiB): beyond it 414.
    pub target_bytes_max: usize,
    /// Number of fields in a head, and in a trailer section (128, which is also the most): beyond it 431.
    pub fields_max: usize,
    /// A trailer section up to and with its blank line (8 KiB): beyond it 431.
    pub trailer_bytes_max: usize,
    /// The extension of one chunk (256): beyond it 400.
    pub chunk_extension_bytes_max: usize,
    /// The extensions of all chunks of a body (4 KiB): beyond it 400.
    pub chunk_extensions_bytes_max: usize,
    /// The rest of a body that nobody wants and that is read all the same, to keep the connection (64 KiB).
    pub discard_bytes_max: u64,
}

impl Limits {
    /// How many fields are taken: there is no room for more, whatever the limit says.
    #[inline]
    pub(super) fn fields(&self) -> usize {
        self.fields_max.min(SLOTS)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            head_bytes_max: 16 << 10,
            target_bytes_max: 8 << 10,
            fields_max: SLOTS,
            trailer_bytes_max: 8 << 10,
            chunk_extension_bytes_max: 256,
            chunk_extensions_bytes_max: 4 << 10,
            discard_bytes_max: 64 << 10,
        }
    }
}
