//! The router and its middleware, over sockets.

mod go;
mod middleware;
mod serving;
mod shipped;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use edgeloop::sys::Address;
use edgeloop::web::Routes;
use edgeloop::{EventLoop, Handler, Server};

/// How long anything may take. Only a test that fails takes so long.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server whose loop the test turns while it waits for an answer.
struct Site<H> {
    event_loop: EventLoop<H>,
    address: SocketAddr,
}

/// An answer that ended with its connection.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    /// The values of all fields of this name.
    fn all(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .filter(|(each, _)| each.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }

    /// The value of the only field of this name.
    fn field(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() <= 1, "{}", self.head);
        all.first().copied()
    }
}

fn site(routes: Routes) -> Site<edgeloop::web::Router> {
    Site::new(routes.build().expect("sound routes"))
}

impl<H: Handler> Site<H> {
    fn new(handler: H) -> Site<H> {
        let server = Server::bind("127.0.0.1:0").expect("a free port");
        let Some(Address::Ip(address)) = server.addresses().next().cloned() else {
            panic!("an IP address")
        };
        let event_loop = server.event_loop(handler, ()).expect("listens");
        Site {
            event_loop,
            address,
        }
    }

    /// Asks without a body.
    fn ask(&mut self, line: &str, fields: &[&str]) -> Answer {
        self.send(line, fields, "")
    }

    /// Asks with a body whose length is declared.
    fn post(&mut self, line: &str, fields: &[&str], body: &str) -> Answer {
        let length = format!("Content-Length: {}", body.len());
        self.send(line, &[fields, &[length.as_str()]].concat(), body)
    }

    /// Sends a request, and reads to the end of the connection.
    fn send(&mut self, line: &str, fields: &[&str], body: &str) -> Answer {
        let mut lines = vec![format!("{line} HTTP/1.1"), "Connection: close".to_owned()];
        let has_host = |field: &&str| field.starts_with("Host:");
        lines.extend((!fields.iter().any(has_host)).then(|| "Host: a".to_owned()));
        lines.extend(fields.iter().map(|field| (*field).to_owned()));
        let mut stream = TcpStream::connect(self.address).expect("it listens");
        let request = [&lines.join("\r\n"), "\r\n\r\n", body].concat();
        stream.set_nonblocking(true).expect("a socket");
        let mut unsent = request.as_bytes();
        let (mut received, mut piece) = (Vec::new(), [0; 16 << 10]);
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < PATIENCE, "no answer to {line}");
            if !unsent.is_empty()
                && let Ok(count) = stream.write(unsent)
            {
                unsent = &unsent[count..];
            }
            let turned = self.event_loop.turn(Some(Duration::from_millis(1)));
            turned.expect("turns");
            match stream.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => received.extend_from_slice(&piece[..count]),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
            }
        }
        let text = String::from_utf8(received).expect("UTF-8");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        Answer {
            status: head[9..12].parse().expect("a status"),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }
}
