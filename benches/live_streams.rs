//! Thousands of streams that stay open on one loop: what each costs while it waits, how long it takes to reach all of them,
//! and whether readers that are slow hurt anybody.
//!
//! `cargo bench --bench live_streams [-- --quick]`: 5,000 clients open a stream that says a number now and then; 100 more
//! ask for content without end and read nothing of it. Reported: resident memory per stream, for both ends in this process;
//! the time from a tick to the last client that has it; the worst wait of a client that asks for a few bytes, with and
//! without the others.

use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use edgeloop::http::Length;
use edgeloop::server::{BodyWriter, Handle, Pull, Waker};
use edgeloop::sys::Address;
use edgeloop::{Reply, Request, ResponseWriter, Server};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

const EVERY: Duration = Duration::from_millis(500);

struct Size {
    streams: usize,
    slow: usize,
    ticks: usize,
    asks: usize,
}

fn main() {
    let quick = std::env::args().any(|word| word == "--quick");
    let size = if quick {
        Size {
            streams: 100,
            slow: 5,
            ticks: 1,
            asks: 20,
        }
    } else {
        Size {
            streams: 5_000,
            slow: 100,
            ticks: 10,
            asks: 1_000,
        }
    };
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    let wanted = 2 * (size.streams + size.slow) as u64 + 200;
    assert!(
        hard >= wanted,
        "{wanted} open files are needed, {hard} allowed"
    );
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("up to the hard limit");

    let (address, handle, server) = start();
    let quiet = worst_wait(address, size.asks);
    let before = resident_bytes();
    let mut streams: Vec<TcpStream> = (0..size.streams).map(|_| open(address, "/ticks")).collect();
    for stream in &mut streams {
        receive_some(stream);
    }
    // Two ticks later everybody waits.
    for _ in 0..2 {
        time_of_a_tick(&mut streams);
    }
    let held = resident_bytes().saturating_sub(before);
    let each = held / size.streams;
    println!(
        "{} streams open, {each} bytes of memory for each",
        size.streams
    );

    let mut times: Vec<Duration> = (0..size.ticks)
        .map(|_| time_of_a_tick(&mut streams))
        .collect();
    times.sort();
    println!(
        "from the first client that has a tick to the last: {:.1} ms (median of {})",
        times[times.len() / 2].as_secs_f64() * 1e3,
        times.len()
    );
    let slow: Vec<TcpStream> = (0..size.slow).map(|_| open(address, "/endless")).collect();
    let beside = worst_wait(address, size.asks);
    println!(
        "a few bytes, p99 of {} requests: {:.2} ms alone, {:.2} ms beside {} streams and {} clients that read nothing",
        size.asks,
        quiet.as_secs_f64() * 1e3,
        beside.as_secs_f64() * 1e3,
        size.streams,
        slow.len()
    );
    handle.stop();
    server.join().expect("no panic");
}

#[derive(Default)]
struct Ticker {
    now: Cell<u64>,
    listeners: RefCell<Vec<Waker>>,
}

fn start() -> (SocketAddr, Handle, thread::JoinHandle<()>) {
    let (tell, told) = mpsc::channel();
    let thread = thread::spawn(move || {
        let ticker = Rc::new(Ticker::default());
        let for_answers = Rc::clone(&ticker);
        let answer =
            move |req: &Request<'_>, res: ResponseWriter<'_>| answer(&for_answers, req, res);
        let server = Server::bind("127.0.0.1:0").expect("a free port");
        let address = server.addresses().next().cloned();
        let mut server = server.event_loop(answer, ()).expect("it listens");
        server.local().every(EVERY, move || {
            ticker.now.set(ticker.now.get() + 1);
            for listener in ticker.listeners.borrow().iter() {
                listener.wake();
            }
        });
        let Some(Address::Ip(address)) = address else {
            panic!("an IP address");
        };
        tell.send((address, server.handle()))
            .expect("it is waited for");
        server.run().expect("it runs");
    });
    let (address, handle) = told.recv().expect("it starts");
    (address, handle, thread)
}

fn answer(ticker: &Rc<Ticker>, req: &Request<'_>, mut res: ResponseWriter<'_>) -> Reply {
    match req.path() {
        "/ticks" => {
            ticker.listeners.borrow_mut().push(res.waker());
            let (ticker, mut last) = (Rc::clone(ticker), None);
            let source = move |body: &mut BodyWriter<'_>| {
                let now = ticker.now.get();
                if last.replace(now) != Some(now) {
                    body.write(format!("{now}\n").as_bytes());
                }
                Pull::Wait
            };
            res.status(200).stream(Length::Unknown, source)
        }
        "/endless" => {
            let source = |body: &mut BodyWriter<'_>| {
                body.write(&[b'x'; 16 << 10]);
                Pull::More
            };
            res.status(200).stream(Length::Unknown, source)
        }
        _ => res.status(200).text("quick\n"),
    }
}

fn open(address: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").expect("it reads");
    stream
}

/// Waits for bytes, and takes what there is.
fn receive_some(stream: &mut TcpStream) {
    stream.set_nonblocking(false).expect("a socket");
    let count = stream.read(&mut [0; 4096]).expect("it goes on");
    assert!(count > 0, "a stream has ended");
    stream.set_nonblocking(true).expect("a socket");
    while has_some(stream) {}
}

fn has_some(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 4096]) {
        Ok(count) => count > 0,
        Err(error) if error.kind() == ErrorKind::WouldBlock => false,
        Err(error) => panic!("a stream breaks: {error}"),
    }
}

/// Waits for the next tick: the time from the first stream that has it to the last.
fn time_of_a_tick(streams: &mut [TcpStream]) -> Duration {
    receive_some(&mut streams[0]);
    let begun = Instant::now();
    for stream in &mut streams[1..] {
        receive_some(stream);
    }
    begun.elapsed()
}

/// The 99th of a hundred waits for a few bytes.
fn worst_wait(address: SocketAddr, asks: usize) -> Duration {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_nodelay(true).expect("TCP");
    let mut waits: Vec<Duration> = (0..asks)
        .map(|_| {
            let begun = Instant::now();
            stream
                .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                .expect("it reads");
            let mut answer = Vec::new();
            while !answer.ends_with(b"quick\n") {
                let mut piece = [0; 512];
                let count = stream.read(&mut piece).expect("it answers");
                assert!(count > 0, "it has ended");
                answer.extend_from_slice(&piece[..count]);
            }
            begun.elapsed()
        })
        .collect();
    waits.sort();
    waits[asks * 99 / 100]
}

fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("a status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kib.and_then(|kib| kib.trim().parse::<usize>().ok())
        .expect("a size")
        * 1024
}
