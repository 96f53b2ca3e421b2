//! What a router costs, by the number of its routes.
//!
//! The first table is as near to "in memory" as sockets let it: 64 pipelined requests on one connection. The second one is
//! the CPU time of a loop that serves 64 connections, with a router against without one: slices of both in turn, each pair of
//! which gives a ratio. The loops are turned by this thread, so that every turn finds all that was asked.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use common::Table;
use edgeloop::sys::Address;
use edgeloop::web::Routes;
use edgeloop::{EventLoop, Handler, Reply, Request, ResponseWriter, Server};
use nix::time::{ClockId, clock_gettime};

/// Requests that are sent at once, so that system calls are a small share.
const PIPELINED: usize = 64;
/// Connections that ask at the same time.
const CLIENTS: usize = 64;

fn plaintext(_: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
    res.status(200).text("Hello, World!")
}

/// A loop that answers when it is turned, and clients that have connected to it.
struct Rig<H> {
    event_loop: EventLoop<H>,
    clients: Vec<TcpStream>,
    /// What each of them sends at once.
    batch: Vec<u8>,
    /// Room for the answers.
    received: Vec<u8>,
}

impl<H: Handler> Rig<H> {
    fn new(handler: H, target: &str, clients: usize, depth: usize) -> Rig<H> {
        let server = Server::bind("127.0.0.1:0").expect("a free port");
        let Some(Address::Ip(address)) = server.addresses().next().cloned() else {
            panic!("an IP address")
        };
        let event_loop = server.event_loop(handler, ()).expect("listens");
        let connect = |_| {
            let stream = TcpStream::connect(address).expect("it listens");
            stream.set_nodelay(true).expect("TCP");
            stream.set_nonblocking(true).expect("a socket");
            stream
        };
        let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let mut rig = Rig {
            event_loop,
            clients: (0..clients).map(connect).collect(),
            batch: request.clone().into_bytes(),
            received: vec![0; 1],
        };
        let length = rig.length_of_an_answer();
        rig.batch = request.repeat(depth).into_bytes();
        rig.received = vec![0; depth * length];
        rig.round();
        let answers = String::from_utf8_lossy(&rig.received);
        assert_eq!(answers.matches("Hello, World!").count(), depth, "{target}");
        rig
    }

    fn length_of_an_answer(&mut self) -> usize {
        self.clients[0]
            .write_all(&self.batch)
            .expect("there is room");
        let mut answer = Vec::new();
        for _ in 0..100 {
            self.turn();
            let _ = self.clients[0].read_to_end(&mut answer); // until it would block
            if answer.ends_with(b"Hello, World!") {
                return answer.len();
            }
        }
        panic!("no answer")
    }

    /// Has every client ask and be answered: the CPU time of the loop.
    fn round(&mut self) -> Duration {
        for client in &mut self.clients {
            client.write_all(&self.batch).expect("there is room");
        }
        let mut spent = self.turn();
        for at in 0..self.clients.len() {
            let (mut received, mut patience) = (0, 100);
            while received < self.received.len() {
                match self.clients[at].read(&mut self.received[received..]) {
                    Ok(count @ 1..) => received += count,
                    Err(error) if error.kind() == ErrorKind::WouldBlock && patience > 0 => {
                        spent += self.turn();
                        patience -= 1;
                    }
                    other => panic!("{received} bytes, then {other:?}"),
                }
            }
        }
        spent
    }

    fn turn(&mut self) -> Duration {
        let before = cpu_time();
        self.event_loop
            .turn(Some(Duration::from_millis(1)))
            .expect("turns");
        cpu_time().saturating_sub(before)
    }
}

/// Of this thread.
fn cpu_time() -> Duration {
    let clock = ClockId::CLOCK_THREAD_CPUTIME_ID;
    clock_gettime(clock).expect("a clock").into()
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

fn in_memory() {
    let table = Table::new("one request");
    let ops = u32::try_from(PIPELINED).expect("few");
    let mut pipe = Rig::new(plaintext, "/plaintext", 1, PIPELINED);
    table.row("no router", ops, 0, || pipe.round());
    for count in [1, 5, 50, 250, 2500] {
        let total = 2 * count + 1;
        for (what, target) in [
            ("no wildcard", "/plaintext".to_owned()),
            ("2 wildcards", format!("/section{}/items/7/8", count / 2)),
        ] {
            let router = routes(count).build().expect("sound routes");
            let mut pipe = Rig::new(router, &target, 1, PIPELINED);
            table.row(&format!("{what}, among {total} routes"), ops, 0, || {
                pipe.round()
            });
        }
    }
    let layers = (0..4).fold(routes(250), |routes, _| {
        routes.layer_fn(|req, res, next| next.run(req, res))
    });
    let router = layers.build().expect("sound routes");
    let mut pipe = Rig::new(router, "/plaintext", 1, PIPELINED);
    table.row("no wildcard, among 501 routes, 4 layers", ops, 0, || {
        pipe.round()
    });
}

/// Pairs of slices at this depth of pipelining, and what they come to.
fn over_sockets(depth: usize, quick: bool) {
    let (pairs, rounds) = if quick { (3, 1) } else { (101, 96 / depth) };
    let mut unrouted = Rig::new(plaintext, "/plaintext", CLIENTS, depth);
    for (what, target) in [
        ("no wildcard", "/plaintext"),
        ("2 wildcards", "/section125/items/7/8"),
    ] {
        let among = routes(250).build().expect("sound routes");
        let mut routed = Rig::new(among, target, CLIENTS, depth);
        let mut ratios: Vec<f64> = (0..pairs)
            .map(|_| {
                let without: Duration = (0..rounds).map(|_| unrouted.round()).sum();
                let with: Duration = (0..rounds).map(|_| routed.round()).sum();
                with.as_secs_f64() / without.as_secs_f64()
            })
            .collect();
        ratios.sort_by(f64::total_cmp);
        let [lower, median, upper] = [1, 2, 3].map(|quarter| ratios[pairs * quarter / 4]);
        let name = format!("{what}, among 501 routes, depth {depth}");
        println!("{name:<44} {median:>10.3} {lower:>10.3} {upper:>10.3}");
    }
}

fn main() {
    in_memory();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|word| !word.starts_with("--")) {
        return; // rows of the first table were asked for
    }
    let quick = arguments.iter().any(|word| word == "--quick");
    println!(
        "\n{:<44} {:>10} {:>10} {:>10}",
        "CPU time against no router", "median", "quartile", "quartile"
    );
    for depth in [1, 16] {
        over_sockets(depth, quick);
    }
}
