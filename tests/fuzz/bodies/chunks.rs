//! A chunked body: what comes out, and where it ends.

use edgeloop::http::{ChunkDecoder, Decoder, Limits, Piece, TrailerSlots, trailers};

use super::choices::{Choices, pieces};
use super::plain::{self, Stop};

/// What came out of a body, and what it gets if it has not ended well.
#[derive(Debug, Default, PartialEq, Eq)]
struct Decoded {
    data: Vec<u8>,
    trailer: Vec<u8>,
    used: usize,
    end: Option<Stop>,
}

/// Input: a byte for the limits, one for how many cuts, the cuts, then a chunked body and whatever follows it.
///
/// The plain reader finds the same data, trailers, end and status; cuts change nothing; where httparse reads a size, it is
/// the same; the trailers that are let through are fields of the section.
pub fn chunks(data: &[u8]) {
    let mut choices = Choices::new(data);
    let (limits, cuts) = (choices.limits(), choices.cuts());
    let input = choices.rest();
    let (plainly, end) = plain::chunked(&limits, input);
    let whole = decode(&limits, [input]);
    assert_eq!(whole.end, end.err());
    assert_eq!(whole.data, plainly.data);
    if whole.end.is_none() {
        assert_eq!(whole.used, plainly.length);
        assert_eq!(whole.trailer, plainly.trailer);
        assert_trailers(&whole.trailer);
    }
    for (begin, end, size) in plainly.sizes {
        // It takes no white space before an extension, and no 16 digits.
        if let Ok(httparse::Status::Complete((length, theirs))) =
            httparse::parse_chunk_size(&input[begin..end])
        {
            assert_eq!((length, theirs), (end - begin, size));
        }
    }
    for cut in [cuts, &[1]] {
        assert_eq!(decode(&limits, pieces(input, cut)), whole, "cut as {cut:?}");
    }
}

fn decode<'p>(limits: &Limits, pieces: impl IntoIterator<Item = &'p [u8]>) -> Decoded {
    let mut decoder = Decoder::Chunked(ChunkDecoder::default());
    let mut out = Decoded {
        end: Some(Stop::Unfinished),
        ..Decoded::default()
    };
    for mut piece in pieces {
        loop {
            let (used, event) = match decoder.decode(limits, piece) {
                Ok(step) => step,
                Err(reject) => {
                    out.end = Some(Stop::Fault(reject.status()));
                    return forget_unsound(out);
                }
            };
            out.used += used;
            piece = &piece[used..];
            match event {
                Piece::NeedInput => {
                    assert!(piece.is_empty(), "every byte is taken");
                    break;
                }
                Piece::Data(data) => {
                    assert!(!data.is_empty());
                    out.data.extend_from_slice(data);
                }
                Piece::Trailer(bytes) => out.trailer.extend_from_slice(bytes),
                Piece::End => {
                    out.end = None;
                    return out;
                }
            }
        }
    }
    out
}

/// How much of a faulty body was used, and what of its trailers was seen, depends on the cuts and matters to nobody.
fn forget_unsound(decoded: Decoded) -> Decoded {
    Decoded {
        trailer: Vec::new(),
        used: 0,
        ..decoded
    }
}

fn assert_trailers(section: &[u8]) {
    let text: Vec<_> = section.split(|byte| *byte == b'\n').collect();
    let mut lines = text.iter().filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = core::str::from_utf8(&line[..colon]).expect("a token");
        Some((name, line[colon + 1..].trim_ascii()))
    });
    let mut slots = TrailerSlots::new();
    for (name, value) in trailers(section, &mut slots).iter() {
        assert!(
            lines.any(|line| line == (name, value)),
            "{name} is in order"
        );
        for forbidden in [
            "transfer-encoding",
            "content-length",
            "host",
            "authorization",
        ] {
            assert!(
                !name.eq_ignore_ascii_case(forbidden),
                "{name} was let through"
            );
        }
    }
}
