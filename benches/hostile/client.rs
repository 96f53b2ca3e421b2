//! The client that behaves well: one request after another on one connection, each answer compared byte by byte.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Between an answer and the next request.
const PAUSE: Duration = Duration::from_millis(2);

/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Client {
    stream: TcpStream,
    asked: u32,
}

/// How long it waited for its answers.
pub(crate) struct Waits(Vec<Duration>);

impl Waits {
    /// 99 of 100 were shorter, or as short.
    pub(crate) fn p99(&self) -> Duration {
        let last = self.0.len() - 1;
        self.0[last - last / 100]
    }

    pub(crate) fn worst(&self) -> Duration {
        self.0[self.0.len() - 1]
    }
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).expect("it listens");
        stream.set_nodelay(true).expect("TCP");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time");
        stream.set_write_timeout(Some(PATIENCE)).expect("a time");
        Client { stream, asked: 0 }
    }

    /// Asks again and again while `work` is done, and at least ten times.
    pub(crate) fn beside<T>(&mut self, work: impl FnOnce() -> T) -> (Waits, T) {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let asking = scope.spawn(|| {
                let mut waits = Vec::new();
                while !over.load(Ordering::Relaxed) || waits.len() < 10 {
                    waits.push(self.ask());
                    std::thread::sleep(PAUSE);
                }
                waits.sort_unstable();
                Waits(waits)
            });
            let ends = Ends(&over);
            let done = work();
            drop(ends);
            (asking.join().expect("it is served"), done)
        })
    }

    /// How long the answer took.
    fn ask(&mut self) -> Duration {
        self.asked += 1;
        let path = format!("/check/{}", self.asked);
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        let (mut received, mut buffer) = (Vec::new(), [0; 4096]);
        let begun = Instant::now();
        self.stream.write_all(request.as_bytes()).expect("it reads");
        while !received.ends_with(path.as_bytes()) {
            let count = self.stream.read(&mut buffer).expect("it answers");
            assert!(count > 0, "hung up after {}", received.escape_ascii());
            received.extend_from_slice(&buffer[..count]);
        }
        let took = begun.elapsed();
        check(&received, &path);
        took
    }
}

/// Says that it is over, also when that is because of a panic.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// All but the date is known before.
fn check(received: &[u8], path: &str) {
    let text = std::str::from_utf8(received).expect("ASCII");
    let (before, rest) = text.split_once("Date: ").expect("a date");
    let (date, behind) = rest.split_once("\r\n").expect("the end of a line");
    assert_eq!(date.len(), "Wed, 25 Nov 2026 12:00:00 GMT".len(), "{text}");
    let length = path.len();
    let expected = format!(
        "HTTP/1.1 200 OK\r\nServer: edgeloop\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\n\r\n{path}"
    );
    assert_eq!(format!("{before}{behind}"), expected);
}
