//! Compression of files that have no coded sibling, while they are served (feature `compress`).
//!
//! What is too large is sent as it is: it would keep the loop. What is too small would hardly be smaller. It is done once for
//! what is remembered, and once for what is in memory; each time for everything else.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::super::content::{self, explain, with_validators};
use super::super::validator::Validators;
use super::answer::{Known, Varies, compressed_tag, describe};
use super::coding::Coding;
use super::entry::{Compressed, Content, Entry};
use crate::http::Head;
use crate::server::{Reply, ResponseWriter};
use crate::sys::{Fd, file};
use crate::{field_line, field_name};

/// Most of what is smaller fits one segment either way.
const LENGTH_MIN: u64 = 1 << 10;

/// What takes the loop less than a millisecond.
const LENGTH_MAX: u64 = 64 << 10;

/// 64 KiB of Rust in 0.6 ms to 17.7 KB; the usual level takes 0.9 ms and comes to 17.3.
const LEVEL: u32 = 4;

/// Whether content of this length is compressed.
pub(super) fn takes(length: u64) -> bool {
    (LENGTH_MIN..=LENGTH_MAX).contains(&length)
}

/// What is compressed.
pub(super) struct Made<'t> {
    pub(super) entry: &'t Entry,
    pub(super) content: Content<'t>,
    /// Where it is kept when that is done, and was perhaps.
    pub(super) kept: Option<&'t Compressed>,
}

/// Answers with the whole of a file, compressed; HEAD too has that done, for the length of it. Its tag is weak, for another version may compress it to other bytes
/// (RFC 9110 §8.8.1), and it has no ranges.
pub(super) fn send(
    head: &Head<'_>,
    made: Made<'_>,
    known: &Known,
    varies: Varies,
    res: ResponseWriter<'_>,
) -> Reply {
    let Made {
        entry,
        content,
        kept,
    } = made;
    let tag = compressed_tag(entry);
    let current = Validators {
        tag: Some(tag.tag()),
        modified: known.modified,
    };
    let described = |answer| describe(answer, entry, varies);
    let res = match content::admit(head, &current, res, described) {
        Ok(res) => res,
        Err(reply) => return reply,
    };
    let made;
    let bytes = if let Some(bytes) = kept.and_then(|kept| kept.bytes.get()) {
        bytes
    } else {
        made = match compressed(content, entry.length) {
            Ok(bytes) => bytes,
            Err(_) => return explain(res.status(500), "the file can't be read\n"),
        };
        if let Some(kept) = kept {
            let _ = kept.bytes.set(made.clone()); // another loop may have been first
        }
        &made
    };
    with_validators(described(res.status(200)), &current)
        .line(field_line!("X-Content-Type-Options", "nosniff"))
        .field(field_name!("Content-Encoding"), Coding::Gzip.name())
        .field_fmt(
            field_name!("Content-Type"),
            format_args!("{}", entry.media_type),
        )
        .body(bytes)
}

fn compressed(content: Content<'_>, length: u64) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(LEVEL));
    match content {
        Content::Opened(file) => copy(&file, length, &mut encoder)?,
        Content::Shared(file) => copy(file, length, &mut encoder)?,
        Content::Ahead(file, _) => copy(&file, length, &mut encoder)?,
        Content::Bytes(bytes) => encoder.write_all(bytes.as_ref())?,
    }
    encoder.finish()
}

/// Errors: also when the file is shorter.
fn copy(file: &Fd, length: u64, into: &mut impl Write) -> io::Result<()> {
    let mut bytes = vec![0; length as usize];
    Reader { file, at: 0 }.read_exact(&mut bytes)?;
    into.write_all(&bytes)
}

/// A file from some position on.
struct Reader<'f> {
    file: &'f Fd,
    at: u64,
}

impl Read for Reader<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = file::read_at(self.file, into, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}
