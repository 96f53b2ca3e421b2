//! The thread that writes a recording.

use core::fmt;
use core::time::Duration;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use super::RecordLimits;
use super::recorder::{Recorder, Shared};
use crate::server::write_recording as write;
use crate::sys::thread::{self, Thread, Work};

/// Buffers that wait for the writer.
const WAITING_MAX: usize = 16;

/// Writes what [`Recorder`]s of a server have gathered.
#[derive(Debug)]
pub struct Writer {
    thread: Thread,
    shared: Arc<Shared>,
    failed: Arc<Mutex<Option<io::Error>>>,
}

/// How much was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Connections.
    pub connections: u64,
    /// Bytes of their clients.
    pub bytes: u64,
    /// Connections of which not all that came is recorded: it was beyond a limit, was refused, or could be another protocol's.
    pub cut: u64,
}

/// Why there is no recording, or only the beginning of one.
#[derive(Debug)]
pub enum NotRecorded {
    /// There is no thread to be had.
    Thread(io::Error),
    /// It could not be written.
    Write(io::Error),
}

impl fmt::Display for NotRecorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotRecorded::Thread(error) => {
                write!(f, "cannot start the thread that records: {error}")
            }
            NotRecorded::Write(error) => write!(f, "the recording ends early: {error}"),
        }
    }
}

impl std::error::Error for NotRecorded {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            NotRecorded::Thread(error) | NotRecorded::Write(error) => Some(error),
        }
    }
}

impl Writer {
    /// Starts a thread that writes a recording, and gives the observer that records. Errors: no more threads.
    ///
    /// ```
    /// use edgeloop::ops::{RecordLimits, Writer};
    /// use edgeloop::{Reply, Request, ResponseWriter, Server};
    ///
    /// fn hello(_: &Request, res: ResponseWriter) -> Reply {
    ///     res.status(200).text("hello\n")
    /// }
    ///
    /// let (writer, recorder) = Writer::start(Vec::new(), RecordLimits::default())?;
    /// let server = Server::unbound().event_loop(hello, recorder)?;
    /// drop(server); // or once it has run
    /// assert_eq!(writer.finish()?.connections, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn start(
        out: impl Write + Send + 'static,
        limits: RecordLimits,
    ) -> Result<(Writer, Recorder), NotRecorded> {
        let (sender, receiver) = sync_channel(WAITING_MAX);
        let shared = Arc::new(Shared::new(limits));
        let failed = Arc::default();
        let work = Writing {
            out,
            next: None,
            receiver: Some(receiver),
            failed: Arc::clone(&failed),
        };
        let thread = thread::start("record", work).map_err(NotRecorded::Thread)?;
        begin(&sender);
        let recorder = Recorder::new(Arc::clone(&shared), sender);
        let writer = Writer {
            thread,
            shared,
            failed,
        };
        Ok((writer, recorder))
    }

    /// Waits until everything is written, once the last [`Recorder`] is dropped: how much it was. Errors: those of the file.
    pub fn finish(self) -> Result<Recorded, NotRecorded> {
        self.thread.join();
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        match failed.take() {
            Some(error) => Err(NotRecorded::Write(error)),
            None => Ok(Recorded {
                connections: self.shared.connections(),
                bytes: self.shared.bytes(),
                cut: self.shared.cut(),
            }),
        }
    }
}

fn begin(sender: &SyncSender<Vec<u8>>) {
    let mut head = Vec::new();
    write::begin(&mut head);
    let _ = sender.send(head); // there is room, and somebody who takes it
}

/// What the thread does.
struct Writing<W> {
    out: W,
    next: Option<Vec<u8>>,
    /// `None` once it can't be written.
    receiver: Option<Receiver<Vec<u8>>>,
    failed: Arc<Mutex<Option<io::Error>>>,
}

impl<W: Write + Send + 'static> Work for Writing<W> {
    fn work(&mut self) -> bool {
        let next = self.next.take();
        let Some(bytes) = next.or_else(|| self.receiver.as_ref()?.try_recv().ok()) else {
            return false;
        };
        if let Err(error) = self.out.write_all(&bytes) {
            *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            self.receiver = None;
        }
        true
    }

    fn rest(&mut self, _: Duration) -> bool {
        self.next = self.receiver.as_ref().and_then(|it| it.recv().ok());
        if self.next.is_none()
            && self.receiver.is_some()
            && let Err(error) = self.out.flush()
        {
            *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        }
        self.next.is_some()
    }
}
