//! Reading bodies: in chunks of several sizes, and by length, which is the floor. Content is not copied, so what a chunk
//! costs does not depend on its size.

mod common;

use std::hint::black_box;

use common::Table;
use edgeloop::http::{ChunkDecoder, Decoder, Limits, Piece};

const BODY: usize = 64 << 10;

fn chunked(size: usize, extension: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..BODY / size {
        bytes.extend_from_slice(format!("{size:x}{extension}\r\n").as_bytes());
        bytes.resize(bytes.len() + size, b'x');
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

/// Bytes of content that came out of the input, offered in reads of at most `read` bytes.
fn decode(limits: &Limits, mut decoder: Decoder, input: &[u8], read: usize) -> usize {
    let (mut content, mut at, mut end) = (0, 0, 0);
    loop {
        let (used, piece) = decoder
            .decode(limits, black_box(&input[at..end]))
            .expect("sound");
        at += used;
        match piece {
            Piece::NeedInput => end = (end + read).min(input.len()),
            Piece::Data(data) => content += data.len(),
            Piece::Trailer(_) => {}
            Piece::End => break,
        }
    }
    assert_eq!((content, at), (BODY, input.len()));
    content
}

fn main() {
    let limits = Limits {
        chunk_extensions_bytes_max: usize::MAX,
        ..Limits::default()
    };
    let table = Table::new("one chunk, of 64 KiB in all");
    let plain = vec![b'x'; BODY];
    let length = Decoder::Length(BODY as u64);
    table.row("none: by length", 1, 0, || {
        decode(&limits, length, &plain, BODY)
    });
    let begin = Decoder::Chunked(ChunkDecoder::default());
    for (size, extension, read) in [
        (65536, "", usize::MAX),
        (4096, "", usize::MAX),
        (4096, "", 100),
        (256, "", usize::MAX),
        (256, ";name=value", usize::MAX),
        (16, "", usize::MAX),
    ] {
        let bytes = chunked(size, extension);
        let read = read.min(bytes.len());
        let name = match read {
            100 => format!("{size}{extension}, in reads of {read}"),
            _ => format!("{size}{extension}"),
        };
        table.row(&name, (BODY / size) as u32, 0, || {
            decode(&limits, begin, &bytes, read)
        });
    }
}
