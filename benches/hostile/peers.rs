//! Connections of the hostile side: they never block, and remember how they were answered and how they ended.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use edgeloop::sys::{Fd, socket};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, setsockopt, socket as open, sockopt,
};

/// How long anything that has to come is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// More of what comes is counted, and not kept.
const KEPT_BYTES: usize = 4 << 10;

pub(crate) struct Peer {
    stream: TcpStream,
    /// The beginning of what came.
    received: Vec<u8>,
    /// Sending has failed. That is told once, and receiving only says that there is no more.
    broken: bool,
    end: Option<End>,
}

/// How the server ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Closed,
    Reset,
}

impl Peer {
    pub(crate) fn connect(address: SocketAddr) -> Peer {
        Peer::of(TcpStream::connect(address).expect("it listens"))
    }

    /// One into whose own buffers little fits.
    pub(crate) fn connect_narrow(address: SocketAddr) -> Peer {
        let fd = open(
            AddressFamily::Inet,
            SockType::Stream,
            SockFlag::SOCK_CLOEXEC,
            None,
        );
        let fd = fd.expect("a descriptor");
        setsockopt(&fd, sockopt::RcvBuf, &4096).expect("a socket");
        nix::sys::socket::connect(fd.as_raw_fd(), &SockaddrStorage::from(address))
            .expect("it listens");
        Peer::of(TcpStream::from(fd))
    }

    fn of(stream: TcpStream) -> Peer {
        stream.set_nonblocking(true).expect("a socket");
        stream.set_nodelay(true).expect("TCP");
        Peer {
            stream,
            received: Vec::new(),
            broken: false,
            end: None,
        }
    }

    /// Sends what the kernel takes.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        match self.stream.write(bytes) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.broken = true,
        }
    }

    /// Receives what is there.
    pub(crate) fn look(&mut self) {
        while self.end.is_none() && self.receive(16 << 10) {}
    }

    /// Receives once, at most so many bytes: whether there were some.
    pub(crate) fn receive(&mut self, most: usize) -> bool {
        let mut buffer = [0; 16 << 10];
        match self.stream.read(&mut buffer[..most]) {
            Ok(0) if self.broken => self.end = Some(End::Reset),
            Ok(0) => self.end = Some(End::Closed),
            Ok(count) => {
                let kept = count.min(KEPT_BYTES.saturating_sub(self.received.len()));
                self.received.extend_from_slice(&buffer[..kept]);
                return true;
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::Interrupted => {}
                ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => self.end = Some(End::Reset),
                _ => panic!("{error}"),
            },
        }
        false
    }

    pub(crate) fn has_answer(&self) -> bool {
        !self.received.is_empty()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    /// Finishes sending.
    pub(crate) fn finish(&self) {
        let _ = self.stream.shutdown(Shutdown::Write); // the server may have been faster
    }

    /// Breaks the connection.
    pub(crate) fn reset(self) {
        let fd = Fd::from(OwnedFd::from(self.stream));
        socket::set_linger_reset(&fd).expect("a socket");
    }

    /// The statuses that came, each once in a row of equal ones, and the end: `100 408 closed`.
    pub(crate) fn seen(&self) -> String {
        let mut seen = String::new();
        let (mut rest, mut last) = (self.received.as_slice(), None);
        while let Some((status, behind)) = split_answer(rest) {
            if last != Some(status) {
                let _ = write!(seen, "{status} "); // a String takes everything
            }
            (rest, last) = (behind, Some(status));
        }
        if last.is_none() && !self.received.is_empty() {
            seen.push_str("no answer but bytes, ");
        }
        seen.push_str(match self.end {
            None => "open",
            Some(End::Closed) => "closed",
            Some(End::Reset) => "reset",
        });
        seen
    }
}

/// The status of the first answer, and what is behind it as far as it was kept.
fn split_answer(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "));
    let length: usize = length.map_or(Ok(0), str::parse).ok()?;
    Some((status, bytes.get(end + length..).unwrap_or_default()))
}

/// Looks at all of them, and does something with those that are not `done` yet, every `pause` until all are.
pub(crate) fn settle(
    peers: &mut [Peer],
    pause: Duration,
    done: impl Fn(&Peer) -> bool,
    mut step: impl FnMut(&mut Peer),
) {
    let begun = Instant::now();
    loop {
        let mut waiting = 0;
        for peer in peers.iter_mut().filter(|peer| !done(peer)) {
            peer.look();
            if !done(peer) {
                waiting += 1;
                step(peer);
            }
        }
        if waiting == 0 {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{waiting} wait in vain");
        std::thread::sleep(pause);
    }
}

/// What peers saw, and how many of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen(BTreeMap<String, usize>);

impl Seen {
    pub(crate) fn of(peers: &[Peer]) -> Seen {
        let mut seen = Seen::default();
        seen.note(peers);
        seen
    }

    pub(crate) fn note(&mut self, peers: &[Peer]) {
        for peer in peers {
            self.count(peer.seen());
        }
    }

    pub(crate) fn count(&mut self, what: String) {
        *self.0.entry(what).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: &Seen) {
        for (what, count) in &other.0 {
            *self.0.entry(what.clone()).or_default() += count;
        }
    }

    /// How many there are in all.
    pub(crate) fn sum(&self) -> usize {
        self.0.values().sum()
    }

    /// Whether each of these was seen, and nothing else.
    pub(crate) fn is(&self, expected: &[&str]) -> bool {
        self.0.len() == expected.len() && expected.iter().all(|what| self.0.contains_key(*what))
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (what, count)) in self.0.iter().enumerate() {
            let comma = if number > 0 { ", " } else { "" };
            write!(f, "{comma}{count} × {what}")?;
        }
        Ok(())
    }
}
