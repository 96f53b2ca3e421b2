//! Clients that ask for much and hardly read, and how long another client waits beside them.
//!
//! `cargo bench --bench slow_readers [-- --quick]`: 250 clients ask for 24 MiB each and read 4 KiB ten times a second;
//! meanwhile one client asks for a few bytes again and again. Reported: its worst wait, and what the kernel holds for each
//! slow one on the server's side (the send queue of /proc/net/tcp, bytes that were not acknowledged).

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use edgeloop::http::Length;
use edgeloop::server::{BodyWriter, Pull, Source};
use edgeloop::sys::Address;
use edgeloop::{Reply, Request, ResponseWriter, Server};

static PIECE: [u8; 64 << 10] = [b'x'; 64 << 10];

struct Much(u64);

impl Source for Much {
    fn pull(&mut self, body: &mut BodyWriter<'_>) -> Pull {
        let piece = PIECE
            .len()
            .min(usize::try_from(self.0).unwrap_or(usize::MAX));
        body.write(&PIECE[..piece]);
        self.0 -= piece as u64;
        if self.0 == 0 { Pull::End } else { Pull::More }
    }
}

fn answer(req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
    match req.path().strip_prefix("/bytes/").map(str::parse) {
        Some(Ok(length)) => res.status(200).stream(Length::Known(length), Much(length)),
        _ => res.status(200).text("quick\n"),
    }
}

struct Size {
    clients: usize,
    bytes: u64,
    time: Duration,
    rounds: usize,
}

fn main() {
    let quick = std::env::args().any(|word| word == "--quick");
    let size = if quick {
        Size {
            clients: 8,
            bytes: 4 << 20,
            time: Duration::from_millis(300),
            rounds: 1,
        }
    } else {
        Size {
            clients: 250,
            bytes: 24 << 20,
            time: Duration::from_secs(5),
            rounds: 3,
        }
    };
    let mut worst: Vec<Duration> = (0..size.rounds).map(|_| round(&size)).collect();
    worst.sort_unstable();
    println!(
        "worst wait beside {} slow readers of {} MiB: {:?} (median of {} rounds)",
        size.clients,
        size.bytes >> 20,
        worst[worst.len() / 2],
        worst.len()
    );
}

/// The quiet client's worst wait.
fn round(size: &Size) -> Duration {
    let serving = Server::bind("127.0.0.1:0")
        .and_then(|server| server.serve_fn(answer))
        .expect("a free port");
    let Address::Ip(address) = serving.addresses()[0] else {
        unreachable!("TCP was asked for");
    };
    let (handle, over) = (serving.handle(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let server = scope.spawn(|| serving.run());
        scope.spawn(|| read_slowly(address, size, &over));
        let mut waits = wait_beside(address, size.time);
        let held = send_queues(address.port());
        over.store(true, Ordering::Relaxed);
        handle.stop();
        server.join().expect("no panic").expect("serves");
        waits.sort_unstable();
        let most = held.iter().max().copied().unwrap_or(0);
        println!(
            "  {} requests beside them: median {:?}, worst {:?}; the kernel holds for {} slow ones {} KiB at most, {} KiB on average",
            waits.len(),
            waits[waits.len() / 2],
            waits[waits.len() - 1],
            held.len(),
            most >> 10,
            (held.iter().sum::<usize>() / held.len().max(1)) >> 10
        );
        waits[waits.len() - 1]
    })
}

fn read_slowly(address: SocketAddr, size: &Size, over: &AtomicBool) {
    let mut peers: Vec<TcpStream> = (0..size.clients)
        .map(|_| {
            let mut peer = TcpStream::connect(address).expect("is accepted");
            write!(
                peer,
                "GET /bytes/{} HTTP/1.1\r\nHost: a\r\n\r\n",
                size.bytes
            )
            .expect("is sent");
            peer.set_nonblocking(true).expect("a socket");
            peer
        })
        .collect();
    let mut buffer = [0; 4096];
    while !over.load(Ordering::Relaxed) {
        for peer in &mut peers {
            let _ = peer.read(&mut buffer); // nothing there is fine
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn wait_beside(address: SocketAddr, time: Duration) -> Vec<Duration> {
    let mut peer = TcpStream::connect(address).expect("is accepted");
    peer.set_nodelay(true).expect("TCP");
    let (begin, mut waits, mut buffer) = (Instant::now(), Vec::new(), [0; 4096]);
    while begin.elapsed() < time {
        let asked = Instant::now();
        peer.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .expect("is sent");
        let mut got = 0;
        while !buffer[..got].ends_with(b"quick\n") {
            let more = peer.read(&mut buffer[got..]).expect("is answered");
            assert!(more > 0, "the server hung up");
            got += more;
        }
        waits.push(asked.elapsed());
        std::thread::sleep(Duration::from_millis(1));
    }
    waits
}

/// Bytes in the send queues of the server's connections that have some.
fn send_queues(port: u16) -> Vec<usize> {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("Linux");
    let local = format!(":{port:04X}");
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let (from, queues) = (words.nth(1)?, words.nth(2)?);
            let (sending, _) = queues.split_once(':')?;
            let bytes = usize::from_str_radix(sending, 16).ok()?;
            (from.ends_with(&local) && bytes > 0).then_some(bytes)
        })
        .collect()
}
