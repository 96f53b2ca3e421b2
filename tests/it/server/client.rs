//! A client that reads one answer after another, and how the connection ends.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;

use edgeloop::sys::{Fd, socket};

use super::PATIENCE;

pub(super) struct Client {
    pub(super) stream: TcpStream,
    /// Received, and not part of an answer that was taken.
    received: Vec<u8>,
    ended: Option<End>,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Finished,
    Reset,
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) fields: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let mut found = self.fields.iter();
        found
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub(super) fn text(&self) -> &str {
        core::str::from_utf8(&self.body).expect("text")
    }

    /// Whether it says that the connection ends with it.
    pub(super) fn closes(&self) -> bool {
        self.field("connection") == Some("close")
    }
}

/// What there is of an answer.
enum Parsed {
    Whole(Answer, usize),
    Partial,
    /// Its content ends where the connection does.
    UntilClose(Answer, usize),
}

impl Client {
    pub(super) fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).expect("the server listens");
        Client::new(stream)
    }

    pub(super) fn new(stream: TcpStream) -> Client {
        stream.set_read_timeout(Some(PATIENCE)).expect("a time");
        stream.set_write_timeout(Some(PATIENCE)).expect("a time");
        stream.set_nodelay(true).expect("TCP");
        Client {
            stream,
            received: Vec::new(),
            ended: None,
        }
    }

    pub(super) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("it is read");
    }

    /// Sends what the server may refuse to read: whether it was taken.
    pub(super) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    /// Sends a request without a body.
    pub(super) fn ask(&mut self, path: &str) {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
    }

    pub(super) fn get(&mut self, path: &str) -> Answer {
        self.ask(path);
        self.answer()
    }

    pub(super) fn answer(&mut self) -> Answer {
        self.answer_of("GET")
    }

    /// The next answer, to a request with this method.
    pub(super) fn answer_of(&mut self, method: &str) -> Answer {
        loop {
            if let Some(answer) = self.take(method) {
                return answer;
            }
            assert_eq!(self.ended, None, "no answer but {:?}", self.text());
            self.receive();
        }
    }

    /// The next answer, if all of it is here. Waits for nothing.
    pub(super) fn poll(&mut self) -> Option<Answer> {
        self.pump();
        self.take("GET")
    }

    /// Receives what there is, and waits for nothing.
    pub(super) fn pump(&mut self) {
        self.stream.set_nonblocking(true).expect("a socket");
        let mut piece = [0; 16 << 10];
        while self.ended.is_none() {
            match self.stream.read(&mut piece) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                other => self.note(&piece, other),
            }
        }
        self.stream.set_nonblocking(false).expect("a socket");
    }

    fn take(&mut self, method: &str) -> Option<Answer> {
        match parse(&self.received, method) {
            Parsed::Whole(answer, used) => {
                self.received.drain(..used);
                Some(answer)
            }
            Parsed::UntilClose(mut answer, head) if self.ended == Some(End::Finished) => {
                answer.body = self.received.split_off(head);
                self.received.clear();
                Some(answer)
            }
            Parsed::Partial | Parsed::UntilClose(..) => None,
        }
    }

    /// Waits for bytes or the end.
    pub(super) fn receive(&mut self) {
        let mut piece = [0; 16 << 10];
        let received = self.stream.read(&mut piece);
        self.note(&piece, received);
    }

    fn note(&mut self, piece: &[u8], received: std::io::Result<usize>) {
        match received {
            Ok(0) => self.ended = Some(End::Finished),
            Ok(count) => self.received.extend_from_slice(&piece[..count]),
            Err(error) => match error.kind() {
                ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
                    self.ended = Some(End::Reset);
                }
                ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                    panic!("nothing came, after {:?}", self.text())
                }
                _ => panic!("{error}"),
            },
        }
    }

    /// Reads until the connection ends, which it does without another answer: how.
    pub(super) fn end(&mut self) -> End {
        let (rest, end) = self.rest();
        assert!(rest.is_empty(), "{:?}", String::from_utf8_lossy(&rest));
        end
    }

    /// Everything up to the end of the connection.
    pub(super) fn rest(&mut self) -> (Vec<u8>, End) {
        loop {
            if let Some(end) = self.ended {
                return (std::mem::take(&mut self.received), end);
            }
            self.receive();
        }
    }

    /// The end, if it has come. Waits for nothing.
    pub(super) fn poll_end(&mut self) -> Option<End> {
        self.pump();
        self.ended
    }

    /// Finishes sending.
    pub(super) fn finish(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("connected");
    }

    /// Breaks the connection.
    pub(super) fn reset(self) {
        let fd = Fd::from(OwnedFd::from(self.stream));
        socket::set_linger_reset(&fd).expect("a socket");
    }

    /// What was received and not taken.
    pub(super) fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.received[..self.received.len().min(1000)])
    }
}

fn parse(bytes: &[u8], method: &str) -> Parsed {
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Response::new(&mut fields);
    let used = match head.parse(bytes).expect("an answer") {
        httparse::Status::Partial => return Parsed::Partial,
        httparse::Status::Complete(used) => used,
    };
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("ASCII");
    let mut answer = Answer {
        status: head.code.expect("complete"),
        fields: head
            .headers
            .iter()
            .map(|field| (field.name.to_owned(), text(field.value)))
            .collect(),
        body: Vec::new(),
    };
    assert_eq!(head.version, Some(1), "the status line says HTTP/1.1");
    let rest = &bytes[used..];
    if method == "HEAD" || matches!(answer.status, 100..200 | 204 | 304) {
        return Parsed::Whole(answer, used);
    }
    if let Some(length) = answer.field("content-length") {
        let length: usize = length.parse().expect("a number");
        return match rest.get(..length) {
            None => Parsed::Partial,
            Some(body) => {
                answer.body = body.to_vec();
                Parsed::Whole(answer, used + length)
            }
        };
    }
    if answer.field("transfer-encoding") == Some("chunked") {
        return match unchunk(rest) {
            None => Parsed::Partial,
            Some((body, length)) => {
                answer.body = body;
                Parsed::Whole(answer, used + length)
            }
        };
    }
    Parsed::UntilClose(answer, used)
}

/// The content of a chunked body without trailers, and how many bytes it took.
fn unchunk(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        match httparse::parse_chunk_size(&bytes[at..]).expect("a chunk") {
            httparse::Status::Partial => return None,
            httparse::Status::Complete((line, size)) => {
                let begin = at + line;
                let end = begin + usize::try_from(size).expect("small");
                body.extend_from_slice(bytes.get(begin..end)?);
                assert_eq!(bytes.get(end..end + 2)?, b"\r\n");
                at = end + 2;
                if size == 0 {
                    return Some((body, at));
                }
            }
        }
    }
}
