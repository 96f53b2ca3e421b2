//! What is known of a file as it is served, and where its content is.

use core::ops::Range;
use std::sync::Arc;
#[cfg(feature = "compress")]
use std::sync::OnceLock;

use super::ahead::{Ahead, is_at_hand};
use super::coding::Coding;
use super::media_type::MediaType;
use super::settings::Settings;
use crate::server::pool::Pool;
use crate::server::{HeadWriter, Reply, ResponseWriter};
use crate::sys::{Fd, UnixTime};

/// What is known of a file, or of a coded sibling that is sent in its place. It holds no descriptor: what is remembered
/// here costs only memory.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// In bytes, as it is sent.
    pub(super) length: u64,
    /// Which state its content is in.
    pub(super) state: State,
    /// How it is coded, if it is.
    pub(super) coding: Option<Coding>,
    /// Of the file itself, however it is coded.
    pub(super) media_type: MediaType,
    /// Whether it is compressed for who takes that.
    pub(super) is_compressed: bool,
    /// The value of Cache-Control, if the settings have one for its path.
    pub(super) cache_control: Option<Arc<str>>,
}

/// What tells one state of content from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The time at which it was changed.
    Modified(UnixTime),
    /// A digest of it: it does not change, and nobody knows since when.
    Digest(u64),
}

impl Entry {
    /// What the settings say of the file at `path`, whose content has this length and is in this state.
    pub(super) fn new(
        path: &[u8],
        length: u64,
        state: State,
        coding: Option<Coding>,
        settings: &Settings,
    ) -> Entry {
        let media_type = settings.media_type(path);
        Entry {
            length,
            state,
            coding,
            is_compressed: coding.is_none() && settings.compresses(length, &media_type),
            media_type,
            cache_control: settings.cache_control(path),
        }
    }
}

/// What becomes of content by compression, kept for the next one who takes that.
#[derive(Debug, Default)]
pub(super) struct Compressed {
    #[cfg(feature = "compress")]
    pub(super) bytes: OnceLock<Vec<u8>>,
}

/// Where the content of a file is.
#[derive(Debug)]
pub(super) enum Content<'t> {
    /// In a file that was opened for this request.
    Opened(Fd),
    /// In a file that is kept open.
    Shared(&'t Arc<Fd>),
    /// In a file of which somebody sees to it that what is sent is in memory.
    Ahead(Arc<Fd>, Box<Ahead>),
    /// In memory.
    Bytes(&'t Bytes),
}

/// Content in memory.
#[derive(Clone, Debug)]
pub(super) enum Bytes {
    /// It is part of the program.
    Constant(&'static [u8]),
    /// It was given.
    Shared(Arc<[u8]>),
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        match self {
            Bytes::Constant(bytes) => bytes,
            Bytes::Shared(bytes) => bytes,
        }
    }
}

/// Bytes this few are copied behind the head and go with it in one send; more are sent from where they are.
const COPIED_BYTES: u64 = 32 << 10;

impl Content<'_> {
    /// With threads of a pool that wait for the disk before this part of it is sent.
    pub(super) fn read_ahead(
        self,
        part: &Range<u64>,
        pool: Option<&Pool>,
        res: &mut ResponseWriter<'_>,
    ) -> Self {
        let Some(pool) = pool else { return self };
        let goes_at_once = part.end - part.start <= COPIED_BYTES;
        let file = match self {
            // It was seen to be in memory when it was looked up, as far as files go at once.
            Content::Opened(file) if part.end <= COPIED_BYTES => return Content::Opened(file),
            Content::Opened(file) => Arc::new(file),
            Content::Shared(file) if goes_at_once && is_at_hand(file, part) => return self,
            Content::Shared(file) => Arc::clone(file),
            Content::Ahead(..) | Content::Bytes(_) => return self,
        };
        let ahead = Ahead::new(Arc::clone(&file), part.end, pool.clone(), res);
        Content::Ahead(file, Box::new(ahead))
    }

    /// Ends an answer with a part of it, which lies within its length.
    pub(super) fn send(self, answer: HeadWriter<'_>, part: Range<u64>) -> Reply {
        let length = part.end - part.start;
        match self {
            Content::Opened(file) => answer.file(file, part.start, length),
            Content::Shared(file) => answer.file(Arc::clone(file), part.start, length),
            Content::Ahead(file, ahead) => answer.file_ahead(file, part.start, length, Some(ahead)),
            Content::Bytes(bytes) => {
                let part = part.start as usize..part.end as usize;
                match bytes {
                    bytes if length <= COPIED_BYTES => answer.body(&bytes.as_ref()[part]),
                    Bytes::Constant(bytes) => answer.constant(&bytes[part]),
                    Bytes::Shared(bytes) => answer.shared_part(Arc::clone(bytes), part),
                }
            }
        }
    }
}
