//! For tests of applications: handlers are called without a network.
//!
//! It stands on the public API of the engine.

#![forbid(unsafe_code)]

use core::time::Duration;
use std::io;

use crate::http::{ChunkDecoder, Decoder, Piece};
use crate::server::{EventLoop, Handler, Limits, Server, StartError};
use crate::sys::socket::{self, More};
use crate::sys::{Fd, Instant};

/// How long an answer is waited for: longer than a handler may take by default.
const PATIENCE: Duration = Duration::from_secs(120);
/// So that a loop that has nothing to do is looked after now and then.
const TURN: Duration = Duration::from_secs(1);

/// A handler that is called in a test, with no address, no network and no thread.
///
/// It is served by a whole [`EventLoop`] over a pair of sockets within the process, on this thread: what its users would
/// see is what the test sees, answers that are put off, streams and limits included. Connections are kept alive from one
/// call to the next as the answers say.
///
/// ```
/// use edgeloop::{Reply, Request, ResponseWriter, Trial};
///
/// fn hello(req: &Request, res: ResponseWriter) -> Reply {
///     res.status(200).text(format!("Hello, {}\n", req.path()))
/// }
///
/// # fn main() -> Result<(), edgeloop::server::StartError> {
/// let mut trial = Trial::new(hello)?;
/// let answer = trial.get("/world");
/// assert_eq!((answer.status, answer.text()), (200, "Hello, /world\n"));
/// # Ok(())
/// # }
/// ```
///
/// With the feature `sim` it runs on the simulated kernel as well, where a seed decides what is short, late or broken, and
/// where time only passes when everybody waits:
///
#[cfg_attr(feature = "sim", doc = "```")]
#[cfg_attr(not(feature = "sim"), doc = "```ignore")]
/// use core::time::Duration;
/// use edgeloop::sys::{Instant, sim::World};
/// use edgeloop::{Reply, Request, ResponseWriter, Trial};
///
/// /// Forgets to answer.
/// fn forgets(_: &Request, res: ResponseWriter) -> Reply {
///     let (completer, reply) = res.deadline(Duration::from_secs(3600)).defer();
///     std::mem::forget(completer);
///     reply
/// }
///
/// # fn main() -> Result<(), edgeloop::server::StartError> {
/// let world = World::new(7);
/// let _inside = world.enter();
/// let mut trial = Trial::new(forgets)?.patience(Duration::from_secs(7200));
/// let begun = Instant::now();
/// assert_eq!(trial.get("/").status, 503);
/// assert!(Instant::now().since(begun) >= Duration::from_secs(3600)); // in no time
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Trial<H> {
    server: EventLoop<H>,
    client: Option<Fd>,
    received: Vec<u8>,
    patience: Duration,
}

/// What a [`Trial`] has got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Names and values, in their order.
    pub fields: Vec<(String, Vec<u8>)>,
    /// The content, without chunks.
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of the first field of this name, whatever the case of either.
    ///
    /// # Panics
    /// When it is no UTF-8.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        let found = fields.find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| core::str::from_utf8(value).expect("the value is UTF-8"))
    }

    /// The content as text.
    ///
    /// # Panics
    /// When it is no UTF-8.
    pub fn text(&self) -> &str {
        core::str::from_utf8(&self.body).expect("the content is UTF-8")
    }
}

impl<H: Handler> Trial<H> {
    /// Gets a handler ready, with [limits](Limits) as by default. Errors: no more descriptors.
    pub fn new(handler: H) -> Result<Trial<H>, StartError> {
        Trial::with_limits(handler, Limits::default())
    }

    /// Gets a handler ready with these limits. Errors: no more descriptors.
    pub fn with_limits(handler: H, limits: Limits) -> Result<Trial<H>, StartError> {
        Ok(Trial {
            server: Server::unbound().limits(limits).event_loop(handler, ())?,
            client: None,
            received: Vec::new(),
            patience: PATIENCE,
        })
    }

    /// Sets how long an answer is waited for; two minutes unless said otherwise.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Trial<H> {
        self.patience = patience;
        self
    }

    /// The loop that serves it: for timers, descriptors and mail of one's own.
    pub fn event_loop(&mut self) -> &mut EventLoop<H> {
        &mut self.server
    }

    /// What GET gets.
    ///
    /// # Panics
    /// As [`exchange`](Trial::exchange).
    pub fn get(&mut self, target: &str) -> Answer {
        self.call("GET", target, &[], b"")
    }

    /// What a request gets. Host is `localhost`, and Content-Length is said where there is a body.
    ///
    /// # Panics
    /// As [`exchange`](Trial::exchange).
    pub fn call(
        &mut self,
        method: &str,
        target: &str,
        fields: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut bytes = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n").into_bytes();
        for (name, value) in fields {
            bytes.extend(format!("{name}: {value}\r\n").bytes());
        }
        if !body.is_empty() {
            bytes.extend(format!("Content-Length: {}\r\n", body.len()).bytes());
        }
        bytes.extend(b"\r\n");
        bytes.extend(body);
        self.exchange(&bytes)
    }

    /// What these bytes get: the next final answer, or 101.
    ///
    /// # Panics
    /// When the connection ends without one, when none comes within the [patience](Trial::patience), and when what comes is
    /// no answer.
    pub fn exchange(&mut self, bytes: &[u8]) -> Answer {
        let head_only = bytes.starts_with(b"HEAD ");
        let until = Instant::now() + self.patience;
        let mut unsent = bytes;
        self.look_whether_it_is_kept();
        loop {
            let client = self.client.take().unwrap_or_else(|| self.connect());
            unsent = &unsent[send(&client, unsent)..];
            let ended = receive(&client, &mut self.received);
            if let Some((answer, length)) = parse(&self.received, head_only, ended) {
                self.received.drain(..length);
                let interim = (100..200).contains(&answer.status) && answer.status != 101;
                if !ended {
                    self.client = Some(client);
                }
                if interim {
                    continue;
                }
                return answer;
            }
            assert!(
                !ended,
                "the connection has ended without an answer, after {:?}",
                String::from_utf8_lossy(&self.received)
            );
            assert!(
                Instant::now() < until,
                "no answer within {:?}",
                self.patience
            );
            self.client = Some(client);
            self.turn();
        }
    }

    /// A connection may have ended since its last answer.
    fn look_whether_it_is_kept(&mut self) {
        if let Some(client) = self.client.take() {
            let turned = self.server.turn(Some(Duration::ZERO));
            turned.expect("the loop turns");
            if !receive(&client, &mut self.received) {
                self.client = Some(client);
            }
        }
    }

    fn turn(&mut self) {
        self.server.turn(Some(TURN)).expect("the loop turns");
    }

    fn connect(&mut self) -> Fd {
        self.received.clear();
        let (client, server) = socket::pair().expect("a pair of sockets");
        self.server
            .adopt(server, b"")
            .expect("a loop that serves takes connections");
        client
    }
}

/// Sends what there is room for: how much it was.
fn send(client: &Fd, bytes: &[u8]) -> usize {
    if bytes.is_empty() {
        return 0;
    }
    // A connection that has ended says so when it is read.
    socket::send(client, bytes, More::No).unwrap_or(0)
}

/// Receives what has come: whether it was the end.
fn receive(client: &Fd, into: &mut Vec<u8>) -> bool {
    let mut piece = vec![0; 64 << 10];
    loop {
        match socket::recv(client, &mut piece) {
            Ok(0) => return true,
            Ok(count) => into.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
        }
    }
}

/// The answer at the beginning of some bytes, and how many it is of them. `None`: it is not whole.
fn parse(bytes: &[u8], head_only: bool, ended: bool) -> Option<(Answer, usize)> {
    let mut fields = [httparse::EMPTY_HEADER; 128];
    let mut head = httparse::Response::new(&mut fields);
    let begin = match head.parse(bytes).expect("an answer") {
        httparse::Status::Partial => return None,
        httparse::Status::Complete(begin) => begin,
    };
    let mut answer = Answer {
        status: head.code.unwrap_or_default(),
        fields: head
            .headers
            .iter()
            .map(|field| (field.name.to_owned(), field.value.to_owned()))
            .collect(),
        body: Vec::new(),
    };
    let rest = &bytes[begin..];
    if head_only || matches!(answer.status, 100..200 | 204 | 304) {
        return Some((answer, begin));
    }
    let length = if answer.field("Transfer-Encoding").is_some() {
        unchunk(rest, &mut answer.body)?
    } else if let Some(length) = answer.field("Content-Length") {
        let length = length.parse().expect("Content-Length is a number");
        answer.body.extend_from_slice(rest.get(..length)?);
        length
    } else if ended {
        answer.body.extend_from_slice(rest);
        rest.len()
    } else {
        return None;
    };
    Some((answer, begin + length))
}

/// Decodes chunks: how many bytes they are with all that frames them. `None`: the last one has not come.
fn unchunk(bytes: &[u8], into: &mut Vec<u8>) -> Option<usize> {
    let (mut decoder, limits) = (
        Decoder::Chunked(ChunkDecoder::default()),
        crate::http::Limits::default(),
    );
    let mut at = 0;
    loop {
        let (used, piece) = decoder.decode(&limits, &bytes[at..]).expect("chunks");
        at += used;
        match piece {
            Piece::NeedInput => return None,
            Piece::Data(data) => into.extend_from_slice(data),
            Piece::Trailer(_) => {}
            Piece::End => return Some(at),
        }
    }
}
