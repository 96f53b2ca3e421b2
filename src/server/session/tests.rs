//! Sessions on a client in memory: what they cost in system calls, and what they hold.

use super::super::handler::Request;
use super::super::limits::Limits;
use super::super::preamble::Settings;
use super::super::response::{Reply, ResponseWriter};
use super::*;
use crate::reactor::Reactor;
use crate::sys::Fd;
use crate::sys::socket::{More, Unsent};

/// A client in memory that counts the system calls that it would have cost.
#[derive(Default)]
struct Client {
    sends: Vec<u8>,
    reads: Vec<u8>,
    calls: Vec<&'static str>,
}

impl Transport for Client {
    fn recv_ready(&mut self, into: &mut [u8], _: &mut Counters) -> io::Result<usize> {
        self.calls.push("recv");
        let count = self.sends.len().min(into.len());
        into[..count].copy_from_slice(&self.sends[..count]);
        self.sends.drain(..count);
        match count {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            _ => Ok(count),
        }
    }

    fn send_ready(&mut self, bytes: &[u8], _: More, _: &mut Counters) -> io::Result<usize> {
        self.calls.push("send");
        self.reads.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn send_file(&mut self, _: &Fd, _: u64, _: usize, _: &mut Counters) -> io::Result<usize> {
        self.calls.push("sendfile");
        Err(io::ErrorKind::Unsupported.into())
    }

    fn set_unsent(&mut self, _: Unsent) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.calls.push("shutdown");
        Ok(())
    }

    fn reset(&mut self) -> io::Result<()> {
        self.calls.push("setsockopt");
        Ok(())
    }

    fn unacknowledged(&self) -> io::Result<usize> {
        panic!("an ioctl")
    }

    fn unread(&self) -> io::Result<usize> {
        panic!("an ioctl")
    }
}

fn hello(_: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
    res.status(200).text("hello")
}

/// A session and what it borrows.
struct Bench {
    shared: Shared,
    session: Session<Client>,
}

impl Bench {
    fn new() -> Bench {
        let reactor = Reactor::new().expect("an epoll");
        let settings = Settings {
            server: None,
            date: false,
        };
        let mut shared = Shared::new(Limits::default(), settings, reactor.mailbox());
        shared.begin_turn(reactor.now());
        let session = Session::new(Client::default(), PeerAddress::UNIX, &shared);
        Bench { shared, session }
    }

    /// Deals with a piece of what the client sends, after which nothing is left to do: the calls that it took.
    fn drive(&mut self, piece: &[u8]) -> Vec<&'static str> {
        let mut cx = Cx {
            handler: &mut hello,
            observer: &mut (),
            shared: &mut self.shared,
        };
        self.session.transport.sends.extend_from_slice(piece);
        assert_eq!(self.session.drive(&mut cx, Ready::READ), Next::Wait);
        std::mem::take(&mut self.session.transport.calls)
    }
}

/// The calls that it takes to deal with each of these pieces.
fn check(pieces: &[Vec<u8>], calls: &[&[&str]], answers: usize) {
    let mut bench = Bench::new();
    for (piece, calls) in pieces.iter().zip(calls) {
        assert_eq!(bench.drive(piece), *calls);
    }
    let text = String::from_utf8(bench.session.transport.reads).expect("ASCII");
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), answers);
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn a_keep_alive_request_costs_one_receive_and_one_send() {
    let calls: [&[&str]; 2] = [&["recv", "send"]; 2];
    check(&[GET.to_vec(), GET.to_vec()], &calls, 2);
}

#[test]
fn sixteen_pipelined_requests_cost_one_receive_and_one_send() {
    check(&[GET.repeat(16)], &[&["recv", "send"]], 16);
}

#[test]
fn a_body_that_comes_with_its_head_costs_nothing_more() {
    let post = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
    check(&[post.to_vec()], &[&["recv", "send"]], 1);
}

#[test]
fn a_head_in_two_pieces_costs_one_receive_more() {
    let (begin, rest) = GET.split_at(10);
    let calls: [&[&str]; 2] = [&["recv"], &["recv", "send"]];
    check(&[begin.to_vec(), rest.to_vec()], &calls, 1);
}

#[test]
fn a_connection_at_rest_holds_no_buffer() {
    let mut bench = Bench::new();
    let post =
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    for message in [GET, post] {
        for piece in message.chunks(7) {
            bench.drive(piece);
        }
        assert!(matches!(bench.session.held, Held::Nothing));
        assert!(matches!(bench.session.pending, Pending::Nothing));
        assert_eq!(bench.shared.pool.lent_bytes(), 0);
        assert_eq!(bench.session.waiting(), Some(Waiting::Idle));
    }
    let size = size_of::<Session<super::super::transport::Socket>>();
    assert!(size <= 200, "{size} bytes for a connection");
}
