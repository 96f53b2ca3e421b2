//! From a request's bytes to its handler and back to an answer's bytes, on a real connection to a loop in this thread: what
//! a router costs, by the number of its routes.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use common::Table;
use edgeloop::sys::Address;
use edgeloop::web::Routes;
use edgeloop::{EventLoop, Handler, Reply, Request, ResponseWriter, Server};

/// Requests that are sent at once, so that system calls are a small share.
const PIPELINED: usize = 64;

fn plaintext(_: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
    res.status(200).text("Hello, World!")
}

/// A connection to a loop that answers when it is turned.
struct Pipe<H> {
    event_loop: EventLoop<H>,
    stream: TcpStream,
    batch: Vec<u8>,
    received: Vec<u8>,
    length: usize,
}

impl<H: Handler> Pipe<H> {
    fn new(handler: H, target: &str) -> Pipe<H> {
        let server = Server::bind("127.0.0.1:0").expect("a free port");
        let Some(Address::Ip(address)) = server.addresses().next().cloned() else {
            panic!("an IP address")
        };
        let event_loop = server.event_loop(handler, ()).expect("listens");
        let stream = TcpStream::connect(address).expect("it listens");
        stream.set_nodelay(true).expect("TCP");
        stream.set_nonblocking(true).expect("a socket");
        let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let mut pipe = Pipe {
            event_loop,
            stream,
            batch: request.repeat(PIPELINED).into_bytes(),
            received: vec![0; 64 << 10],
            length: usize::MAX,
        };
        pipe.length = pipe.round();
        let received = String::from_utf8_lossy(&pipe.received[..pipe.length]);
        assert_eq!(
            received.matches("Hello, World!").count(),
            PIPELINED,
            "{target}"
        );
        pipe
    }

    /// Sends the batch and receives the answers: how many bytes.
    fn round(&mut self) -> usize {
        self.stream.write_all(&self.batch).expect("there is room");
        let mut at = 0;
        let mut idle = 0;
        while at < self.length && idle < 3 {
            let turn = self.event_loop.turn(Some(Duration::from_millis(1)));
            let before = at;
            while let Ok(count @ 1..) = self.stream.read(&mut self.received[at..]) {
                at += count;
            }
            let quiet = turn.expect("turns").events == 0 && at == before;
            idle = if quiet { idle + 1 } else { 0 };
        }
        at
    }
}

fn routes(count: usize) -> Routes {
    (0..count).fold(
        Routes::new().get("/plaintext", plaintext),
        |routes, number| {
            routes
                .get(format!("/section{number}/items"), plaintext)
                .get(
                    format!("/section{number}/items/{{item}}/{{part}}"),
                    plaintext,
                )
        },
    )
}

fn main() {
    let table = Table::new("one request");
    let ops = u32::try_from(PIPELINED).expect("few");
    let mut pipe = Pipe::new(plaintext, "/plaintext");
    table.row("no router", ops, 0, || pipe.round());
    for count in [1, 5, 50, 250, 2500] {
        let total = 2 * count + 1;
        for (what, target) in [
            ("no wildcard", "/plaintext".to_owned()),
            ("2 wildcards", format!("/section{}/items/7/8", count / 2)),
        ] {
            let router = routes(count).build().expect("sound routes");
            let mut pipe = Pipe::new(router, &target);
            table.row(&format!("{what}, among {total} routes"), ops, 0, || {
                pipe.round()
            });
        }
    }
    let layers = (0..4).fold(routes(250), |routes, _| {
        routes.layer_fn(|req, res, next| next.run(req, res))
    });
    let mut pipe = Pipe::new(layers.build().expect("sound routes"), "/plaintext");
    table.row("no wildcard, among 501 routes, 4 layers", ops, 0, || {
        pipe.round()
    });
}
