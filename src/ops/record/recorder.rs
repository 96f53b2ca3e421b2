//! Who is told by the server, and what it makes of it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};

use super::RecordLimits;
use super::redact::Redactor;
use crate::Observer;
use crate::reactor::Token;
use crate::server::{CloseReason, write_recording as write};
use crate::sys::Instant;

/// What is gathered before the writer gets it.
const HAND_OVER_BYTES: usize = 64 << 10;
/// What is gathered at most while the writer is busy. Connections that send more meanwhile are cut.
const GATHERED_BYTES_MAX: usize = 4 << 20;

/// Records what clients send, as an [`Observer`] of the server that they send it to. A clone is for another worker of the
/// same server. Made by [`Writer::start`](super::Writer::start).
///
/// The loop never waits for the file: a thread writes it. When the disk is slower than the clients, what they send beyond
/// some MiB is not recorded.
pub struct Recorder {
    shared: Arc<Shared>,
    writer: SyncSender<Vec<u8>>,
    connections: HashMap<Token, Connection>,
    gathered: Vec<u8>,
    /// Where bytes are on their way from a redactor.
    scratch: Vec<u8>,
}

/// What all recorders of a server count together.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) limits: RecordLimits,
    begin: Instant,
    connections: AtomicU64,
    bytes: AtomicU64,
    /// Connections of which not all that came is recorded.
    cut: AtomicU64,
}

/// One that is recorded.
struct Connection {
    number: u64,
    redactor: Redactor,
    /// When what came that has not been decided, and how much of it.
    coming: VecDeque<(u64, usize)>,
    /// What of it was decided.
    decided: Vec<u8>,
}

impl Shared {
    pub(super) fn new(limits: RecordLimits) -> Shared {
        Shared {
            limits,
            begin: Instant::now(),
            connections: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            cut: AtomicU64::new(0),
        }
    }

    pub(super) fn connections(&self) -> u64 {
        let counted = self.connections.load(Ordering::Relaxed);
        counted.min(self.limits.connections_max)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(super) fn cut(&self) -> u64 {
        self.cut.load(Ordering::Relaxed)
    }

    fn micros(&self) -> u64 {
        u64::try_from(Instant::now().since(self.begin).as_micros()).unwrap_or(u64::MAX)
    }

    /// Whether so many bytes more are within the limit. If so they count.
    fn has_room(&self, bytes: usize) -> bool {
        let within = |taken: u64| {
            taken
                .checked_add(bytes as u64)
                .filter(|sum| *sum <= self.limits.bytes_max)
        };
        let relaxed = Ordering::Relaxed; // a count, nothing more
        self.bytes.fetch_update(relaxed, relaxed, within).is_ok()
    }
}

impl Recorder {
    pub(super) fn new(shared: Arc<Shared>, writer: SyncSender<Vec<u8>>) -> Recorder {
        Recorder {
            shared,
            writer,
            connections: HashMap::new(),
            gathered: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Gives the writer what was gathered, unless it is busy.
    fn hand_over(&mut self) {
        if self.gathered.is_empty() {
            return;
        }
        match self.writer.try_send(std::mem::take(&mut self.gathered)) {
            Ok(()) => {}
            Err(TrySendError::Full(gathered)) => self.gathered = gathered,
            // It could not write: it says why at its end.
            Err(TrySendError::Disconnected(_)) => self.connections.clear(),
        }
    }

    /// Nothing more is recorded of this connection.
    fn end(&mut self, token: Token, is_cut: bool) {
        let Some(mut connection) = self.connections.remove(&token) else {
            return;
        };
        let shared = &self.shared;
        connection
            .redactor
            .finish(&shared.limits, &mut self.scratch);
        connection.decided.append(&mut self.scratch);
        connection.put_decided(&mut self.gathered);
        connection.put_rest(&mut self.gathered);
        if is_cut {
            shared.cut.fetch_add(1, Ordering::Relaxed);
            write::cut(&mut self.gathered, connection.number, shared.micros());
        } else {
            write::close(&mut self.gathered, connection.number, shared.micros());
        }
    }
}

impl Connection {
    /// Puts out the pieces that are decided.
    fn put_decided(&mut self, out: &mut Vec<u8>) {
        let mut at = 0;
        while let Some((micros, length)) = self.coming.front().copied()
            && let Some(piece) = self.decided.get(at..at + length)
        {
            write::data(out, self.number, micros, piece);
            at += length;
            self.coming.pop_front();
        }
        self.decided.drain(..at);
    }

    /// Puts out the beginning of a piece whose rest is not recorded.
    fn put_rest(&mut self, out: &mut Vec<u8>) {
        if let Some((micros, _)) = self.coming.front()
            && !self.decided.is_empty()
        {
            write::data(out, self.number, *micros, &self.decided);
        }
    }
}

impl Observer for Recorder {
    fn accepted(&mut self, token: Token) {
        let shared = &self.shared;
        let before = shared.connections.fetch_add(1, Ordering::Relaxed);
        if before >= shared.limits.connections_max || shared.bytes() >= shared.limits.bytes_max {
            return;
        }
        let number = before + 1;
        write::open(&mut self.gathered, number, shared.micros());
        let connection = Connection {
            number,
            redactor: Redactor::new(),
            coming: VecDeque::new(),
            decided: Vec::new(),
        };
        self.connections.insert(token, connection);
    }

    fn received(&mut self, token: Token, bytes: &[u8]) {
        let Some(connection) = self.connections.get_mut(&token) else {
            return;
        };
        let shared = &self.shared;
        if self.gathered.len() > GATHERED_BYTES_MAX || !shared.has_room(bytes.len()) {
            return self.end(token, true);
        }
        connection.coming.push_back((shared.micros(), bytes.len()));
        let redactor = &mut connection.redactor;
        redactor.take(&shared.limits, bytes, &mut connection.decided);
        let is_over = redactor.is_over();
        connection.put_decided(&mut self.gathered);
        if is_over {
            self.end(token, true);
        }
        if self.gathered.len() >= HAND_OVER_BYTES {
            self.hand_over();
        }
    }

    fn closed(&mut self, token: Token, _: CloseReason) {
        self.end(token, false);
        self.hand_over();
    }
}

/// For another worker: what this one has gathered is its own.
impl Clone for Recorder {
    fn clone(&self) -> Recorder {
        Recorder::new(Arc::clone(&self.shared), self.writer.clone())
    }
}

/// What it has gathered is written. Here, at the end, the writer is waited for.
impl Drop for Recorder {
    fn drop(&mut self) {
        let open: Vec<Token> = self.connections.keys().copied().collect();
        for token in open {
            self.end(token, false);
        }
        let _ = self.writer.send(std::mem::take(&mut self.gathered)); // one that has failed says so
    }
}

impl core::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}
