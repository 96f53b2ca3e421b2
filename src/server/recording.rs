//! What clients have sent, as a file: to be replayed without them.
//!
//! ```text
//! edgeloop recording 1
//! open 1 0                  connection 1 was accepted, 0 µs after the recording began
//! data 1 153 38             38 bytes of it were received at once, after 153 µs; they follow, and then an LF
//! GET / HTTP/1.1
//! Host: localhost
//!
//!
//! close 1 2041              it ended
//! ```
//!
//! Every line ends with an LF and its words are parted by one space. A connection's number is its own in the file; what is
//! told of several may be mixed, and what is told of one is in its order. `cut` stands in place of `close` where more came
//! than was recorded.

use core::fmt;
use core::num::NonZeroU64;
use std::sync::Arc;

/// What a recording begins with: a file that begins otherwise is the bytes of one client.
const MAGIC: &[u8] = b"edgeloop recording ";
/// The one version that there is.
const VERSION: &str = "1";
/// A line is no longer than this, so that bytes that are none are not searched for its end.
const LINE_BYTES_MAX: usize = 128;

/// What clients have sent: the bytes, and in which pieces they came. See [`Replay`](super::Replay).
///
/// ```
/// use edgeloop::server::Recording;
///
/// let file = b"edgeloop recording 1\nopen 7 0\ndata 7 20 5\nGET /\nclose 7 90\n";
/// let recording = Recording::parse(file)?;
/// assert_eq!((recording.connections(), recording.bytes()), (1, 5));
///
/// let recording = Recording::parse(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")?; // what one client sent
/// assert_eq!((recording.connections(), recording.bytes()), (1, 27));
/// # Ok::<(), edgeloop::server::RecordingError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    pub(super) clients: Vec<Client>,
}

/// One connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Client {
    /// What was received at once. Shared, so that who receives it again and again need not copy it first.
    pub(super) pieces: Vec<Arc<[u8]>>,
    pub(super) end: End,
}

/// What comes behind the last piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The same again, if the connection is kept.
    Again,
    /// The client's FIN.
    Fin,
}

/// Why a file is no recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingError {
    /// Where, in bytes from the beginning.
    pub at: usize,
    what: &'static str,
}

impl fmt::Display for RecordingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: {}", self.at, self.what)
    }
}

impl std::error::Error for RecordingError {}

impl Recording {
    /// The bytes that one client sends on a connection that is kept, received 64 KiB at once.
    pub fn of_bytes(bytes: &[u8]) -> Recording {
        let client = Client {
            pieces: vec![Arc::from(bytes)],
            end: End::Again,
        };
        Recording {
            clients: vec![client],
        }
    }

    /// Reads a recording; what does not begin as one is taken for the [bytes of one client](Recording::of_bytes). Errors: one
    /// of another version, one that does not say what it should, and nothing at all.
    pub fn parse(file: &[u8]) -> Result<Recording, RecordingError> {
        if file.is_empty() {
            let what = "there is nothing in it";
            return Err(RecordingError { at: 0, what });
        }
        if !file.starts_with(MAGIC) {
            return Ok(Recording::of_bytes(file));
        }
        let mut reader = Reader { file, at: 0 };
        if reader.line()? != format!("edgeloop recording {VERSION}") {
            let what = "it is of a version that this program does not know";
            return Err(RecordingError { at: 0, what });
        }
        let (mut clients, mut open): (Vec<Client>, Vec<(NonZeroU64, usize)>) = Default::default();
        while !reader.is_over() {
            match reader.entry()? {
                Entry::Open { connection } => {
                    if open.iter().any(|(known, _)| *known == connection) {
                        return Err(reader.fault("this connection is open already"));
                    }
                    open.push((connection, clients.len()));
                    let (pieces, end) = (Vec::new(), End::Fin);
                    clients.push(Client { pieces, end });
                }
                Entry::Data { connection, bytes } => {
                    let found = open.iter().find(|(known, _)| *known == connection);
                    let (_, index) = found.ok_or_else(|| reader.fault("no such connection"))?;
                    clients[*index].pieces.push(Arc::from(bytes));
                }
                Entry::Close { connection } => {
                    let found = open.iter().position(|(known, _)| *known == connection);
                    open.swap_remove(found.ok_or_else(|| reader.fault("no such connection"))?);
                }
            }
        }
        if clients.is_empty() {
            return Err(reader.fault("it has no connection"));
        }
        Ok(Recording { clients })
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.clients.len()
    }

    /// How many bytes they have sent.
    pub fn bytes(&self) -> u64 {
        let pieces = self.clients.iter().flat_map(|client| &client.pieces);
        pieces.map(|piece| piece.len() as u64).sum()
    }

    /// Each connection's bytes, piece by piece as they were received.
    pub fn pieces(&self) -> impl Iterator<Item = impl Iterator<Item = &[u8]>> {
        let clients = self.clients.iter();
        clients.map(|client| client.pieces.iter().map(|piece| &**piece))
    }
}

/// What a file is written of.
pub mod write {
    use super::VERSION;

    /// How a file begins.
    pub fn begin(out: &mut Vec<u8>) {
        line(out, format_args!("edgeloop recording {VERSION}"));
    }

    /// A connection was accepted.
    pub fn open(out: &mut Vec<u8>, connection: u64, micros: u64) {
        line(out, format_args!("open {connection} {micros}"));
    }

    /// So much was received of it at once.
    pub fn data(out: &mut Vec<u8>, connection: u64, micros: u64, bytes: &[u8]) {
        let length = bytes.len();
        line(out, format_args!("data {connection} {micros} {length}"));
        out.extend_from_slice(bytes);
        out.push(b'\n');
    }

    /// It has ended.
    pub fn close(out: &mut Vec<u8>, connection: u64, micros: u64) {
        line(out, format_args!("close {connection} {micros}"));
    }

    /// Nothing more is recorded of it.
    pub fn cut(out: &mut Vec<u8>, connection: u64, micros: u64) {
        line(out, format_args!("cut {connection} {micros}"));
    }

    fn line(out: &mut Vec<u8>, words: core::fmt::Arguments<'_>) {
        use std::io::Write;
        let _ = writeln!(out, "{words}"); // a Vec takes everything
    }
}

/// What a line says. When it was is for people who read it.
enum Entry<'f> {
    Open {
        connection: NonZeroU64,
    },
    Data {
        connection: NonZeroU64,
        bytes: &'f [u8],
    },
    Close {
        connection: NonZeroU64,
    },
}

struct Reader<'f> {
    file: &'f [u8],
    at: usize,
}

impl<'f> Reader<'f> {
    fn is_over(&self) -> bool {
        self.at == self.file.len()
    }

    fn fault(&self, what: &'static str) -> RecordingError {
        RecordingError { at: self.at, what }
    }

    /// The next line, without its end.
    fn line(&mut self) -> Result<&'f str, RecordingError> {
        let rest = &self.file[self.at..];
        let near = &rest[..rest.len().min(LINE_BYTES_MAX)];
        let end = near.iter().position(|byte| *byte == b'\n');
        let end = end.ok_or_else(|| self.fault("here should be a line, and none ends"))?;
        let line = core::str::from_utf8(&rest[..end]);
        let line = line.map_err(|_| self.fault("here should be a line of text"))?;
        self.at += end + 1;
        Ok(line)
    }

    fn entry(&mut self) -> Result<Entry<'f>, RecordingError> {
        let begin = RecordingError {
            at: self.at,
            what: "here should be 'open', 'data', 'close' or 'cut', a connection's number and a time",
        };
        let mut words = self.line()?.split(' ');
        let kind = words.next();
        let mut number = || words.next().and_then(|word| word.parse::<u64>().ok());
        let (Some(connection), Some(_micros)) = (number().and_then(NonZeroU64::new), number())
        else {
            return Err(begin);
        };
        let entry = match kind {
            Some("open") => Entry::Open { connection },
            Some("close" | "cut") => Entry::Close { connection },
            Some("data") => {
                let length = number().and_then(|length| usize::try_from(length).ok());
                let bytes = self.piece(length.ok_or(begin.clone())?)?;
                Entry::Data { connection, bytes }
            }
            Some(_) | None => return Err(begin),
        };
        match words.next() {
            None => Ok(entry),
            Some(_) => Err(begin),
        }
    }

    /// So many bytes, and the LF behind them.
    fn piece(&mut self, length: usize) -> Result<&'f [u8], RecordingError> {
        let rest = &self.file[self.at..];
        match length.checked_add(1).and_then(|end| rest.get(..end)) {
            Some([bytes @ .., b'\n']) => {
                self.at += length + 1;
                Ok(bytes)
            }
            Some(_) => Err(self.fault("these bytes are more than their line says")),
            None => {
                Err(self.fault("the file ends within these bytes; what is before them is sound"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(file: &[u8]) -> String {
        Recording::parse(file)
            .expect_err("no recording")
            .to_string()
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let mut file = Vec::new();
        write::begin(&mut file);
        write::open(&mut file, 1, 0);
        write::open(&mut file, 2, 10);
        write::data(&mut file, 1, 11, b"a\n\nopen 3 0\n");
        write::data(&mut file, 2, 12, b"");
        write::data(&mut file, 2, 13, b"\xff\0");
        write::close(&mut file, 1, 14);
        write::data(&mut file, 2, 15, b"b");
        write::cut(&mut file, 2, 16);
        write::open(&mut file, 1, 17); // a number that is free again
        let recording = Recording::parse(&file).expect("a recording");
        let seen: Vec<Vec<&[u8]>> = recording.pieces().map(Iterator::collect).collect();
        let second: &[&[u8]] = &[b"", b"\xff\0", b"b"];
        assert_eq!(seen[0], [b"a\n\nopen 3 0\n"]);
        assert_eq!(seen[1], second);
        assert!(seen[2].is_empty());
        assert_eq!((recording.connections(), recording.bytes()), (3, 15));
    }

    #[test]
    fn whatever_is_no_recording_is_what_one_client_sent() {
        for bytes in [b"GET / HTTP/1.1\r\n".as_slice(), b"edgeloop", b"\0"] {
            let recording = Recording::parse(bytes).expect("bytes");
            assert_eq!(recording, Recording::of_bytes(bytes));
        }
        assert_eq!(fault(b""), "at byte 0: there is nothing in it");
    }

    #[test]
    fn what_is_wrong_is_said_and_where() {
        for (rest, at, why) in [
            ("", 0, "it has no connection"),
            ("open 1\n", 0, "here should be 'open'"),
            ("open 0 0\n", 0, "here should be 'open'"),
            ("open x 0\n", 0, "here should be 'open'"),
            ("open 1 0 0\n", 0, "here should be 'open'"),
            ("shut 1 0\n", 0, "here should be 'open'"),
            ("open 1 0", 0, "here should be a line, and none ends"),
            (
                "open 1 0\nopen 1 0\n",
                18,
                "this connection is open already",
            ),
            ("data 1 0 0\n\n", 12, "no such connection"),
            ("close 1 0\n", 10, "no such connection"),
            ("open 1 0\ndata 1 0\n", 9, "here should be 'open'"),
            (
                "open 1 0\ndata 1 0 5\nabc\n",
                20,
                "the file ends within these bytes",
            ),
            (
                "open 1 0\ndata 1 0 2\nabc\n",
                20,
                "these bytes are more than their line says",
            ),
            (
                "open 1 0\ndata 1 0 99999999999999999999\n",
                9,
                "here should be 'open'",
            ),
            (
                "open 1 0\ndata 1 0 18446744073709551615\n",
                39,
                "the file ends within",
            ),
        ] {
            let file = format!("edgeloop recording 1\n{rest}");
            let said = fault(file.as_bytes());
            assert!(said.contains(why), "{rest:?}: {said}");
            assert!(
                said.starts_with(&format!("at byte {}:", at + 21)),
                "{rest:?}: {said}"
            );
        }
        assert!(fault(b"edgeloop recording 2\nopen 1 0\n").contains("version"));
        assert!(fault(b"edgeloop recording 1").contains("none ends"));
        assert!(fault(&[MAGIC, &[b'x'; 1000]].concat()).contains("none ends"));
    }

    /// A file that is cut, or has one byte changed, is read or refused; nothing else happens.
    #[test]
    fn spoiled_files_are_values() {
        let mut file = Vec::new();
        write::begin(&mut file);
        write::open(&mut file, 1, 0);
        write::data(&mut file, 1, 11, b"GET / HTTP/1.1\r\n\r\n");
        write::close(&mut file, 1, 14);
        for at in 0..file.len() {
            let _ = Recording::parse(&file[..at]);
            for byte in [0, b'\n', b' ', b'9', 0xff] {
                let mut spoiled = file.clone();
                spoiled[at] = byte;
                let _ = Recording::parse(&spoiled);
            }
        }
    }
}
