//! Split invariance of the whole server: a sample of the corpus, cut at every byte position, over real sockets.

use core::time::Duration;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Instant;

use edgeloop::http::Version;
use edgeloop::sys::Address;
use edgeloop::{EventLoop, Handler, Reply, Request, ResponseWriter, Server};

use super::corpus::{self, Ending};

/// Every so manieth case is in the sample, if it is not too long.
const STEP: usize = 5;
const INPUT_BYTES_MAX: usize = 300;
const PATIENCE: Duration = Duration::from_secs(5);

/// Says what it has understood.
fn echo(req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
    let version = match req.version() {
        Version::Http10 => "1.0",
        Version::Http11 => "1.1",
    };
    let trailers: Vec<_> = req.trailers().iter().collect();
    let (method, path, query, host) = (req.method(), req.path(), req.query(), req.host());
    let body = req.body().escape_ascii();
    let content = format!("{method} {path} {query:?} {host} {version} {body} {trailers:?}");
    res.status(200).body(content)
}

struct Wire<H> {
    event_loop: EventLoop<H>,
    address: SocketAddr,
}

fn wire() -> Wire<impl Handler> {
    // Neither a clock nor a name in the answers: the same bytes each time.
    let server = Server::bind("127.0.0.1:0")
        .expect("a free port")
        .without_date()
        .name(None);
    let address = match server.addresses().next() {
        Some(Address::Ip(address)) => *address,
        other => panic!("{other:?}"),
    };
    let event_loop = server.event_loop(echo, ()).expect("starts");
    Wire {
        event_loop,
        address,
    }
}

impl<H: Handler> Wire<H> {
    /// Everything that a client gets that sends these pieces, each of which is dealt with before the next one comes.
    fn answers<'p>(&mut self, pieces: impl IntoIterator<Item = &'p [u8]>) -> Vec<u8> {
        let mut client = TcpStream::connect(self.address).expect("somebody listens");
        client.set_nodelay(true).expect("TCP");
        client.set_nonblocking(true).expect("a socket");
        for piece in pieces {
            // A server that has enough of this client may have closed already.
            let _ = client.write_all(piece);
            self.settle();
        }
        let _ = client.shutdown(Shutdown::Write);
        let (mut got, begin) = (Vec::new(), Instant::now());
        loop {
            self.settle();
            match client.read_to_end(&mut got) {
                Ok(_) => return got,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
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

#[test]
fn what_a_client_gets_does_not_depend_on_how_the_network_cuts_what_it_sends() {
    let (mut wire, mut cuts) = (wire(), 0);
    let cases = corpus::all();
    let sample = cases.iter().step_by(STEP).filter(|case| {
        case.ending == Ending::Fin && (2..INPUT_BYTES_MAX).contains(&case.input.len())
    });
    for case in sample {
        let input = &case.input[..];
        let whole = wire.answers([input]);
        assert_eq!(wire.answers(input.chunks(1)), whole, "{}", case.name);
        for at in 1..input.len() {
            let cut = wire.answers([&input[..at], &input[at..]]);
            assert_eq!(cut, whole, "{}: cut at {at}", case.name);
            cuts += 1;
        }
    }
    assert!(cuts > 3000, "a sample of {cuts} cuts");
}
