//! A client that never blocks.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

/// A connection, and what came on it.
pub(super) struct Client {
    pub(super) stream: TcpStream,
    pub(super) received: Vec<u8>,
    pub(super) end: Option<End>,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Finished,
    Reset,
}

impl Client {
    pub(super) fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).expect("somebody listens");
        stream.set_nodelay(true).expect("TCP");
        Client::of(stream)
    }

    pub(super) fn of(stream: TcpStream) -> Client {
        stream.set_nonblocking(true).expect("a socket");
        Client {
            stream,
            received: Vec::new(),
            end: None,
        }
    }

    /// Sends what fits into the kernel's buffers, which these tests stay below.
    pub(super) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("room");
    }

    pub(super) fn get(&mut self, path: &str) {
        self.send(get(path));
    }

    pub(super) fn finish(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("open");
    }

    /// Closes with a reset. It has to have received nothing else, for unread bytes are what makes a close one.
    pub(super) fn reset(self) {
        nix::sys::socket::setsockopt(
            &self.stream,
            nix::sys::socket::sockopt::Linger,
            &libc::linger {
                l_onoff: 1,
                l_linger: 0,
            },
        )
        .expect("a socket");
    }

    /// Receives what is there: how much.
    pub(super) fn receive(&mut self) -> usize {
        self.receive_most(usize::MAX)
    }

    /// Receives what is there, up to so many bytes: how much.
    pub(super) fn receive_most(&mut self, most: usize) -> usize {
        let (mut buffer, mut sum) = ([0; 16 << 10], 0);
        while sum < most && self.end.is_none() {
            let part = buffer.len().min(most - sum);
            match self.stream.read(&mut buffer[..part]) {
                Ok(0) => self.end = Some(End::Finished),
                Ok(count) => {
                    self.received.extend_from_slice(&buffer[..count]);
                    sum += count;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                    self.end = Some(End::Reset);
                }
                Err(error) => panic!("{error}"),
            }
        }
        sum
    }

    /// Status and content of each whole answer so far.
    pub(super) fn answers(&self) -> Vec<(u16, &[u8])> {
        let (mut rest, mut answers) = (self.received.as_slice(), Vec::new());
        while let Some((status, content, behind)) = split_answer(rest) {
            answers.push((status, content));
            rest = behind;
        }
        answers
    }

    pub(super) fn statuses(&self) -> Vec<u16> {
        self.answers().iter().map(|(status, _)| *status).collect()
    }
}

pub(super) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n")
}

pub(super) fn post(path: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

pub(super) fn post_chunked(path: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("POST {path} HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n");
    let size = format!("{:x}\r\n", body.len());
    [head.as_bytes(), size.as_bytes(), body, b"\r\n0\r\n\r\n"].concat()
}

/// Status and content of the first answer, and what is behind it, once it is whole. Its length has to be said.
fn split_answer(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..end]).expect("a head is text");
    let status = head
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3)?.parse().ok())
        .unwrap_or_else(|| panic!("no status line: {head}"));
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "))
        .map_or(0, |length| length.parse().expect("a length"));
    let content = bytes.get(end..end + length)?;
    Some((status, content, &bytes[end + length..]))
}
