//! Clients of one server: each asks again when it has its answers, until a slice of time is over.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use edgeloop::reactor::{Driver, Reactor, Table, Token};
use edgeloop::sys::{Address, Fd, Instant, Interest, Ready, socket};

/// What is received at once.
const ROOM_BYTES: usize = 256 << 10;
/// A server that says nothing for so long is given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    /// Its path.
    pub(crate) path: &'static str,
    /// The length of the body that is posted; without one it is a GET.
    pub(crate) body: Option<usize>,
}

/// How it is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// Clients that ask at the same time.
    pub(crate) clients: usize,
    /// Requests that each sends at once.
    pub(crate) depth: u32,
    /// Clients that have been answered once, and stay.
    pub(crate) idle: usize,
    /// A new connection for every request.
    pub(crate) anew: bool,
}

impl Ask {
    fn request(&self) -> Vec<u8> {
        let (path, host) = (self.path, "Host: 127.0.0.1");
        let Some(length) = self.body else {
            return format!("GET {path} HTTP/1.1\r\n{host}\r\n\r\n").into();
        };
        let head = format!("POST {path} HTTP/1.1\r\n{host}\r\nContent-Length: {length}\r\n\r\n");
        [head.into_bytes(), vec![b'x'; length]].concat()
    }

    /// What a server says to it: the whole answer, of status 200.
    pub(crate) fn answer_of(&self, server: SocketAddr) -> Vec<u8> {
        let mut peer = TcpStream::connect(server).expect("it listens");
        peer.set_read_timeout(Some(PATIENCE)).expect("a socket");
        peer.write_all(&self.request()).expect("it reads");
        let (mut answer, mut room) = (Vec::new(), vec![0; ROOM_BYTES]);
        while !is_whole(&answer) {
            let count = peer.read(&mut room).expect("it answers");
            assert!(count > 0, "{}: the answer is cut", self.path);
            answer.extend_from_slice(&room[..count]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", self.path);
        answer
    }
}

/// Whether an answer has come to its end.
fn is_whole(answer: &[u8]) -> bool {
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut fields);
    let Ok(httparse::Status::Complete(head_bytes)) = head.parse(answer) else {
        return false;
    };
    let length = head.headers.iter().find(|it| it.name == "Content-Length");
    match length {
        None => answer.ends_with(b"\r\n0\r\n\r\n"),
        Some(field) => {
            let digits = std::str::from_utf8(field.value).expect("digits");
            answer.len() == head_bytes + digits.parse::<usize>().expect("a length")
        }
    }
}

/// The clients, and the loop that they are on.
pub(crate) struct Load {
    reactor: Reactor<()>,
    clients: Clients,
    /// They only stay.
    _idle: Vec<TcpStream>,
}

struct Clients {
    server: Address,
    anew: bool,
    depth: u32,
    /// What each sends at once.
    batch: Vec<u8>,
    /// How long the answers to that are.
    answers_bytes: usize,
    peers: Table<Peer>,
    /// How many of them wait for answers.
    waiting: usize,
    /// When nobody asks again.
    until: Instant,
    answered: u32,
    room: Vec<u8>,
}

struct Peer {
    fd: Fd,
    /// Of the batch.
    sent: usize,
    /// Of the answers. It rests when it has them all.
    missing: usize,
}

impl Load {
    /// Clients of a server whose answers all have this length.
    pub(crate) fn new(server: SocketAddr, ask: &Ask, manner: &Manner, answer_bytes: usize) -> Load {
        let mut load = Load {
            reactor: Reactor::new().expect("a loop"),
            clients: Clients {
                server: Address::Ip(server),
                anew: manner.anew,
                depth: manner.depth,
                batch: ask.request().repeat(manner.depth as usize),
                answers_bytes: answer_bytes * manner.depth as usize,
                peers: Table::new(),
                waiting: 0,
                until: Instant::NEVER,
                answered: 0,
                room: vec![0; ROOM_BYTES],
            },
            _idle: idle(server, ask, manner.idle, answer_bytes),
        };
        for _ in 0..manner.clients {
            load.clients.connect(&load.reactor);
        }
        load
    }

    /// Has them ask for so long, and waits until all are answered: how many requests that were.
    pub(crate) fn slice(&mut self, time: Duration) -> u32 {
        let Load {
            reactor, clients, ..
        } = self;
        clients.answered = 0;
        clients.until = Instant::now() + time;
        let tokens: Vec<Token> = clients.peers.iter().map(|(token, _)| token).collect();
        for token in tokens {
            clients.ask(token);
        }
        while clients.waiting > 0 {
            let turn = reactor.turn(clients, Some(PATIENCE)).expect("turns");
            assert!(turn.events > 0, "a server has stopped answering");
        }
        clients.answered
    }
}

/// Clients that have been answered once, and stay.
fn idle(server: SocketAddr, ask: &Ask, count: usize, answer_bytes: usize) -> Vec<TcpStream> {
    let request = ask.request();
    let mut answer = vec![0; answer_bytes];
    let open = |_| {
        let mut peer = TcpStream::connect(server).expect("it listens");
        peer.set_read_timeout(Some(PATIENCE)).expect("a socket");
        peer.write_all(&request).expect("it reads");
        peer.read_exact(&mut answer).expect("it answers");
        peer
    };
    (0..count).map(open).collect()
}

impl Driver for Clients {
    type Message = ();

    fn on_ready(&mut self, reactor: &mut Reactor<()>, token: Token, _: Ready) {
        let Some(peer) = self.peers.get_mut(token) else {
            return;
        };
        if peer.missing == 0 {
            return; // it has room to send, and nothing to say
        }
        peer.send(&self.batch);
        peer.receive(&mut self.room, self.answers_bytes);
        if peer.missing > 0 {
            return;
        }
        self.waiting -= 1;
        self.answered += self.depth;
        let token = if self.anew {
            self.peers.remove(token);
            self.connect(reactor)
        } else {
            token
        };
        if reactor.now() < self.until {
            self.ask(token);
        }
    }
}

impl Clients {
    fn connect(&mut self, reactor: &Reactor<()>) -> Token {
        let fd = socket::connect(&self.server).expect("there are ports");
        let (sent, missing) = (0, 0);
        let (token, peer) = self.peers.insert(Peer { fd, sent, missing });
        let interest = Interest::STREAM | Interest::WRITE;
        reactor
            .register(&peer.fd, token, interest)
            .expect("there is memory");
        token
    }

    fn ask(&mut self, token: Token) {
        let peer = self.peers.get_mut(token).expect("it was connected");
        (peer.sent, peer.missing) = (0, self.answers_bytes);
        peer.send(&self.batch);
        self.waiting += 1;
    }
}

impl Peer {
    /// Sends of the batch what there is room for.
    fn send(&mut self, batch: &[u8]) {
        while self.sent < batch.len() {
            match socket::send(&self.fd, &batch[self.sent..], socket::More::No) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("a request is not taken: {error}"),
            }
        }
    }

    /// Receives what has come of the answers.
    fn receive(&mut self, room: &mut [u8], answers_bytes: usize) {
        while self.missing > 0 {
            match socket::recv(&self.fd, room) {
                Ok(0) => panic!("a server hung up"),
                Ok(count) => {
                    let is_begin = self.missing == answers_bytes;
                    let fits = !is_begin || room.starts_with(b"HTTP/1.1 200 ");
                    assert!(fits, "another answer than before");
                    self.missing = (self.missing.checked_sub(count)).expect("one answer for each");
                    if count < room.len() {
                        return; // more is told of
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("an answer breaks: {error}"),
            }
        }
    }
}
