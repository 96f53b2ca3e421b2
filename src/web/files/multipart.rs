//! Several parts of a file in one answer: multipart/byteranges (RFC 9110 §14.6).

use core::hash::BuildHasher;
use core::ops::Range;
use std::collections::VecDeque;
use std::hash::RandomState;
use std::io;
use std::sync::{Arc, LazyLock};

use super::super::range::Part;
use super::super::validator::Tag;
use super::ahead::Ahead;
use super::entry::{Bytes, Content};
use super::media_type::MediaType;
use crate::field_name;
use crate::http::Length;
use crate::server::{BodyWriter, HeadWriter, Pull, ReadAhead, Reply, Source};
use crate::sys::{Fd, file};

/// Ends an answer with parts of content of this length and type, whose entity tag is `tag`.
pub(super) fn send(
    answer: HeadWriter<'_>,
    content: Content<'_>,
    parts: &[Part],
    length: u64,
    media_type: &MediaType,
    tag: &Tag<'_>,
) -> Reply {
    let boundary = boundary(tag);
    let pieces = pieces(parts, length, media_type, &boundary);
    let total = pieces.iter().map(Piece::length).sum();
    let answer = answer.field_fmt(
        field_name!("Content-Type"),
        format_args!("multipart/byteranges; boundary={boundary}"),
    );
    let held = match content {
        Content::Opened(file) => Held::File(Arc::new(file)),
        Content::Ahead(file, ahead) => Held::Ahead(file, ahead),
        Content::Shared(file) => Held::File(Arc::clone(file)),
        Content::Bytes(bytes) => Held::Bytes(bytes.clone()),
    };
    answer.stream(Length::Known(total), Multipart { pieces, held })
}

/// What of an answer is still to be written.
struct Multipart {
    /// None of them is empty.
    pieces: VecDeque<Piece>,
    held: Held,
}

enum Piece {
    /// What stands before, between and behind the parts.
    Text(String),
    /// Part of the content.
    Content(Range<u64>),
}

enum Held {
    File(Arc<Fd>),
    Ahead(Arc<Fd>, Box<Ahead>),
    Bytes(Bytes),
}

/// What stands between the parts: the same for the same content, and nobody can know it who writes that.
fn boundary(tag: &Tag<'_>) -> String {
    static SECRET: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    format!("{:016x}", SECRET.hash_one(tag.opaque))
}

/// RFC 2046 §5.1.1: each part has its boundary and its own head in front of it.
fn pieces(parts: &[Part], length: u64, media_type: &MediaType, boundary: &str) -> VecDeque<Piece> {
    let mut pieces = VecDeque::with_capacity(2 * parts.len() + 1);
    for Part { first, last } in parts {
        let text = format!(
            "\r\n--{boundary}\r\nContent-Type: {media_type}\r\nContent-Range: bytes {first}-{last}/{length}\r\n\r\n"
        );
        pieces.push_back(Piece::Text(text));
        pieces.push_back(Piece::Content(*first..last + 1));
    }
    pieces.push_back(Piece::Text(format!("\r\n--{boundary}--\r\n")));
    pieces
}

impl Piece {
    fn length(&self) -> u64 {
        match self {
            Piece::Text(text) => text.len() as u64,
            Piece::Content(part) => part.end - part.start,
        }
    }
}

impl Source for Multipart {
    fn pull(&mut self, body: &mut BodyWriter<'_>) -> Pull {
        while body.room() > 0 {
            match self.pieces.front_mut() {
                None => return Pull::End,
                Some(Piece::Text(text)) => {
                    body.write(text.as_bytes());
                    self.pieces.pop_front();
                }
                Some(Piece::Content(part)) => {
                    if !self.held.is_at_hand(part, body.room()) {
                        return Pull::Wait;
                    }
                    match self.held.write(part.clone(), body) {
                        Ok(written @ 1..) => part.start += written,
                        Ok(0) | Err(_) => return Pull::Failed, // it is shorter than it was
                    }
                    if part.is_empty() {
                        self.pieces.pop_front();
                    }
                }
            }
        }
        if self.pieces.is_empty() {
            Pull::End
        } else {
            Pull::More
        }
    }
}

impl Held {
    /// Whether the next piece of a part can be had without waiting. If not, it is said when it can.
    fn is_at_hand(&mut self, part: &Range<u64>, room: usize) -> bool {
        match self {
            Held::Ahead(_, ahead) => {
                let end = part.end.min(part.start + room as u64);
                ahead.is_at_hand(part.start..end)
            }
            Held::File(_) | Held::Bytes(_) => true,
        }
    }

    /// Writes the beginning of a part: how much of it.
    fn write(&self, part: Range<u64>, body: &mut BodyWriter<'_>) -> io::Result<u64> {
        let most = (part.end - part.start).min(body.room() as u64) as usize;
        match self {
            Held::File(file) | Held::Ahead(file, _) => {
                let mut piece = vec![0; most];
                let read = read(file, &mut piece, part.start)?;
                body.write(&piece[..read]);
                Ok(read as u64)
            }
            Held::Bytes(bytes) => {
                let begin = part.start as usize;
                body.write(&bytes.as_ref()[begin..begin + most]);
                Ok(most as u64)
            }
        }
    }
}

/// How often a read that signals interrupt is tried.
const TRIES: usize = 4;

fn read(file: &Fd, into: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut tries = 1;
    loop {
        match file::read_at(file, into, offset) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted && tries < TRIES => tries += 1,
            read => return read,
        }
    }
}
