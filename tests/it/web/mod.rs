//! What applications use to read requests and to answer them, over sockets.

mod content;
mod cookies;
#[cfg(feature = "json")]
mod json;
mod multipart;
mod params;
mod proxies;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use edgeloop::http::{Head, Limits, Slots, reparse};
use edgeloop::sys::Address;
use edgeloop::{Handler, Request, Server};

/// How long anything may take. Only a test that fails takes so long.
const PATIENCE: Duration = Duration::from_secs(20);

/// An answer that ended with its connection.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    /// The values of a field.
    fn fields(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .filter(|(each, _)| each.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.fields(name).first().copied()
    }

    fn text(&self) -> &str {
        core::str::from_utf8(&self.body).expect("text")
    }
}

/// What a handler answers to one request.
fn ask(handler: impl Handler, line: &str, fields: &[&str], body: &[u8]) -> Answer {
    let length = format!("Content-Length: {}", body.len());
    let first = format!("{line} HTTP/1.1");
    let always = ["Host: a", "Connection: close"];
    let mut lines = [&[first.as_str()], &always[..], fields].concat();
    if !body.is_empty() {
        lines.push(&length);
    }
    let head = lines.join("\r\n") + "\r\n\r\n";
    let server = Server::bind("127.0.0.1:0").expect("a free port");
    let Some(Address::Ip(address)) = server.addresses().next().cloned() else {
        panic!("an IP address")
    };
    let mut event_loop = server.event_loop(handler, ()).expect("listens");
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_nonblocking(true).expect("a socket");
    let request = [head.as_bytes(), body].concat();
    let (mut sent, mut received, mut piece) = (0, Vec::new(), [0; 16 << 10]);
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < PATIENCE, "no answer");
        if sent < request.len()
            && let Ok(count) = stream.write(&request[sent..])
        {
            sent += count;
        }
        event_loop
            .turn(Some(Duration::from_millis(1)))
            .expect("turns");
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => received.extend_from_slice(&piece[..count]),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
        }
    }
    let end = received.windows(4).position(|four| four == b"\r\n\r\n");
    let body = received.split_off(end.expect("a head") + 4);
    let head = String::from_utf8(received).expect("UTF-8");
    let status = head[9..12].parse().expect("a status");
    Answer { status, head, body }
}

/// What is seen of one request, in words.
fn seen(
    line: &str,
    fields: &[&str],
    body: &[u8],
    mut see: impl FnMut(&Request<'_>) -> String,
) -> String {
    let handler = |req: &Request<'_>, res: edgeloop::ResponseWriter<'_>| {
        let seen = see(req);
        res.status(200).text(seen)
    };
    ask(handler, line, fields, body).text().to_owned()
}

/// What is seen of a head.
fn of_head<T>(line: &str, fields: &[&str], see: impl FnOnce(&Head<'_>) -> T) -> T {
    let first = format!("{line} HTTP/1.1");
    let lines = [&[first.as_str(), "Host: a"], fields].concat();
    let bytes = lines.join("\r\n") + "\r\n\r\n";
    let mut slots = Slots::new();
    see(&reparse(&Limits::default(), bytes.as_bytes(), &mut slots).expect("a head"))
}
