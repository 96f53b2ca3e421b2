//! A server and its clients on one thread, over a Unix socket: what a request gets, all the way through.

use core::time::Duration;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use edgeloop::{EventLoop, Handler, Limits, Server};

const PATIENCE: Duration = Duration::from_secs(20);

/// A request that comes behind another one, and whose answer nothing else looks like.
pub(crate) const MARKER: &[u8] = b"GET /marker HTTP/1.1\r\nHost: a\r\n\r\n";

/// A new folder, which is gone when this is dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Folder {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("edgeloop-fuzz-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a new folder");
        Folder(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) struct Wire<H> {
    event_loop: EventLoop<H>,
    folder: Folder,
}

impl<H: Handler> Wire<H> {
    /// Listens on a socket in the folder.
    pub(crate) fn new(folder: Folder, handler: H) -> Wire<H> {
        Wire::within(Limits::default(), folder, handler)
    }

    pub(crate) fn within(limits: Limits, folder: Folder, handler: H) -> Wire<H> {
        let socket = folder.path().join("socket");
        // Neither a clock nor a name: nothing is in an answer that was not put there.
        let server = Server::bind(&format!("unix:{}", socket.display()))
            .expect("a new path")
            .limits(limits)
            .without_date()
            .name(None);
        let event_loop = server.event_loop(handler, ()).expect("a loop");
        Wire { event_loop, folder }
    }

    /// Everything that a client gets that sends these bytes and then finishes sending.
    pub(crate) fn exchange(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.exchange_pieces([bytes])
    }

    /// The same for bytes that come in pieces, each of which is dealt with before the next one comes.
    pub(crate) fn exchange_pieces<'p>(
        &mut self,
        pieces: impl IntoIterator<Item = &'p [u8]>,
    ) -> Vec<u8> {
        let mut client = UnixStream::connect(self.folder.path().join("socket")).expect("listens");
        let mut pieces = pieces.into_iter().peekable();
        while let Some(piece) = pieces.next() {
            // A server that has enough of this client may have closed already.
            let _ = client.write_all(piece);
            if pieces.peek().is_some() {
                self.settle();
            }
        }
        let _ = client.shutdown(Shutdown::Write);
        client.set_nonblocking(true).expect("a socket");
        let (mut got, begin) = (Vec::new(), Instant::now());
        loop {
            self.settle();
            match client.read_to_end(&mut got) {
                Ok(_) => return got,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return got,
                Err(error) => panic!("{error} after {}", got.escape_ascii()),
            }
            assert!(begin.elapsed() < PATIENCE, "no end: {}", got.escape_ascii());
        }
    }

    fn settle(&mut self) {
        loop {
            let turn = self.event_loop.turn(Some(Duration::ZERO));
            let turn = turn.expect("epoll works");
            if turn.events == 0 && !turn.more {
                return;
            }
        }
    }
}
