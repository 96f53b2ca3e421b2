//! What handlers know of a connection: where it comes from, and what they keep with it.

use std::cell::Cell;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use edgeloop::{Handler, Intake, Reply, Request, ResponseWriter, Server};

use super::client::Client;
use super::hand::Hand;
use super::patient;

/// Says where the connection comes from: to a POST before its body is here, to others when it answers or later.
struct Whence;

impl Handler for Whence {
    fn on_request(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
        let peer = req.peer();
        assert_eq!(peer, res.peer());
        if req.path() == "/later" {
            let (completer, reply) = res.defer();
            completer.finish(|res| {
                let peer = res.peer();
                res.status(200).text(peer.to_string())
            });
            return reply;
        }
        res.status(200).text(peer.to_string())
    }

    fn intake(&mut self, _: &Request<'_>, res: ResponseWriter<'_>) -> Intake {
        let peer = res.peer();
        Intake::Answer(res.status(200).text(peer.to_string()))
    }
}

fn check(listen: &str, connect: &str) {
    let server = match Server::bind(listen) {
        Ok(server) => server.limits(patient()),
        Err(error) => panic!("{listen}: {error}"),
    };
    let mut hand = Hand::of(server, Whence, ());
    let stream = TcpStream::connect((connect, hand.address.port())).expect("it listens");
    let ours = stream.local_addr().expect("connected").to_string();
    let mut client = Client::new(stream);
    assert_eq!(hand.get(&mut client, "/").text(), ours);
    assert_eq!(hand.get(&mut client, "/later").text(), ours);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
    assert_eq!(hand.answer(&mut client).text(), ours);
}

#[test]
fn handlers_know_the_address_of_the_peer() {
    check("127.0.0.1:0", "127.0.0.1");
}

#[test]
fn an_ipv4_client_of_an_ipv6_socket_has_its_ipv4_address() {
    check("[::]:0", "127.0.0.1");
    check("[::]:0", "::1");
}

#[test]
fn a_client_of_a_unix_socket_has_no_address() {
    let name = format!("edgeloop-it-{}-peer.sock", std::process::id());
    let path = std::env::temp_dir().join(name);
    let server = Server::bind(&format!("unix:{}", path.display())).expect("a free path");
    let mut event_loop = server.event_loop(Whence, ()).expect("listens");
    let mut stream = UnixStream::connect(&path).expect("it listens");
    let request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    std::io::Write::write_all(&mut stream, request).expect("there is room");
    stream.set_nonblocking(true).expect("a socket");
    let (mut answer, begun) = (Vec::new(), std::time::Instant::now());
    while std::io::Read::read_to_end(&mut stream, &mut answer).is_err() {
        assert!(begun.elapsed() < super::PATIENCE, "no answer");
        event_loop.turn(Some(super::ms(1))).expect("turns");
    }
    assert!(answer.ends_with(b"\r\n\r\nunix"));
}

/// Counts how many live.
struct Lives(Rc<Cell<u32>>);

impl Lives {
    fn new(count: &Rc<Cell<u32>>) -> Lives {
        count.set(count.get() + 1);
        Lives(Rc::clone(count))
    }
}

impl Drop for Lives {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

#[test]
fn what_is_kept_with_a_connection_lives_as_long_as_it() {
    let lives = Rc::new(Cell::new(0));
    let count = Rc::clone(&lives);
    // The handler's own: it need be neither Send nor locked.
    let mut requests = 0;
    let handler = move |_: &Request<'_>, mut res: ResponseWriter<'_>| {
        requests += 1;
        assert!(requests == 1 || res.connection_state::<String>().is_none());
        res.connection_state_or(|| Lives::new(&count));
        let asked = res.connection_state_or(|| 0u32);
        *asked += 1;
        let asked = *asked;
        res.status(200).text(format!("{asked} of {requests}"))
    };
    let mut hand = Hand::new(patient(), handler, ());
    let (mut one, mut other) = (hand.client(), hand.client());
    assert_eq!(hand.get(&mut one, "/").text(), "1 of 1");
    assert_eq!(hand.get(&mut one, "/").text(), "2 of 2");
    assert_eq!(hand.get(&mut other, "/").text(), "1 of 3");
    assert_eq!(hand.get(&mut one, "/").text(), "3 of 4");
    assert_eq!(lives.get(), 2);
    drop(one);
    hand.until("it is gone", |hand| hand.event_loop.connections() == 1);
    assert_eq!(lives.get(), 1);
    assert_eq!(hand.get(&mut other, "/").text(), "2 of 5");
    drop(hand);
    assert_eq!(lives.get(), 0);
}
