//! The least that a server on this loop can do: what it costs nobody can save who makes the same system calls.

use edgeloop::reactor::{Driver, Reactor, Table, Token};
use edgeloop::sys::{Fd, Interest, Ready, socket};

use crate::child::announce;

/// More answers than this are not owed at once.
const ANSWERS_MAX: usize = 1024;
const INPUT_BYTES: usize = 64 << 10;
/// How a head ends (RFC 9112 §2.1).
const BLANK_LINE: &[u8] = b"\r\n\r\n";

/// How many answers are worth what was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One, whatever it was.
    Echo,
    /// One for each blank line.
    Pipeline,
}

struct Floor {
    kind: Kind,
    listener: Fd,
    peers: Table<Peer>,
    /// As many as can be owed, one behind the other.
    answers: Vec<u8>,
    /// The length of one.
    answer_bytes: usize,
    /// Behind the room for a peer's tail.
    input: Box<[u8]>,
}

struct Peer {
    fd: Fd,
    /// What it sent last: a blank line can be cut by a read.
    tail: [u8; BLANK_LINE.len() - 1],
}

impl Driver for Floor {
    type Message = ();

    fn on_ready(&mut self, reactor: &mut Reactor<()>, token: Token, ready: Ready) {
        if self.peers.get(token).is_none() {
            self.accept(reactor);
        } else if ready.contains(Ready::READ) && !self.serve(token) {
            self.peers.remove(token);
        }
    }
}

impl Floor {
    fn accept(&mut self, reactor: &Reactor<()>) {
        while let Ok(fd) = socket::accept(&self.listener) {
            let tail = [0; BLANK_LINE.len() - 1];
            let (token, peer) = self.peers.insert(Peer { fd, tail });
            // Who may wait for room has to say so: a server that can do less than that is none.
            let interest = Interest::STREAM | Interest::WRITE;
            if reactor.register(&peer.fd, token, interest).is_err() {
                self.peers.remove(token);
            }
        }
    }

    /// One recv, one send. Whether the peer is kept: one that does not take what it asked for is not.
    fn serve(&mut self, token: Token) -> bool {
        let Some(peer) = self.peers.get_mut(token) else {
            return false;
        };
        let (tail, new) = self.input.split_at_mut(peer.tail.len());
        let Ok(count @ 1..) = socket::recv(&peer.fd, new) else {
            return false;
        };
        let owed = match self.kind {
            Kind::Echo => 1,
            Kind::Pipeline => {
                tail.copy_from_slice(&peer.tail);
                let seen = &self.input[..peer.tail.len() + count];
                peer.tail.copy_from_slice(&seen[count..]);
                let lines = seen.windows(BLANK_LINE.len());
                lines.filter(|it| *it == BLANK_LINE).count()
            }
        };
        let answers = &self.answers[..owed.min(ANSWERS_MAX) * self.answer_bytes];
        answers.is_empty()
            || socket::send(&peer.fd, answers, socket::More::No).ok() == Some(answers.len())
    }
}

/// Answers whatever comes with `answer`, until the process ends.
pub(crate) fn serve(kind: Kind, answer: &[u8]) {
    let any = "127.0.0.1:0".parse().expect("an address");
    let listener = socket::listen_on(&any).expect("a free port");
    let address = socket::local_address(&listener).expect("it is bound");
    let mut reactor = Reactor::new().expect("a loop");
    let interest = Interest::READ | Interest::EDGE;
    reactor
        .register(&listener, Token::fixed(0), interest)
        .expect("it listens");
    announce([&address]);
    let mut floor = Floor {
        kind,
        listener,
        peers: Table::new(),
        answers: answer.repeat(ANSWERS_MAX),
        answer_bytes: answer.len(),
        input: vec![0; INPUT_BYTES].into(),
    };
    reactor.run(&mut floor).expect("it runs");
}
