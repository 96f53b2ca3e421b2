//! Many peers that do wrong, all at once: each gets its answer, somebody else is served meanwhile, and nothing is left
//! behind. How long somebody else waits is measured by `cargo bench --bench hostile`.

use std::io::Write;

use edgeloop::Limits;
use edgeloop::server::{CloseReason, Progress};
use edgeloop::{Reply, Request, ResponseWriter};

use super::alone::{alone, descriptors};
use super::client::{Client, End};
use super::running::{Running, mirror, serve, wait};
use super::{ms, patient};

/// Deadlines that pass while a test waits, and a rate that nobody here keeps.
fn short(milliseconds: u64) -> Limits {
    Limits {
        head_time: ms(milliseconds),
        progress: Progress {
            start: ms(milliseconds),
            bytes_per_second: 1 << 20,
            most: ms(milliseconds),
        },
        ..patient()
    }
}

/// A way to do wrong.
struct Kind {
    name: &'static str,
    begin: Vec<u8>,
    /// What follows again and again until there is an answer.
    more: Vec<u8>,
    finishes: bool,
    /// The answers before the connection ends.
    statuses: &'static [u16],
}

fn kind(
    name: &'static str,
    begin: impl Into<Vec<u8>>,
    more: impl Into<Vec<u8>>,
    statuses: &'static [u16],
) -> Kind {
    Kind {
        name,
        begin: begin.into(),
        more: more.into(),
        finishes: false,
        statuses,
    }
}

/// `part` without end: the first 20 KiB come at once, so that no deadline can pass before a limit does.
fn endless(name: &'static str, begin: &str, part: &str, statuses: &'static [u16]) -> Kind {
    let flood = part.repeat((20 << 10) / part.len());
    kind(name, begin.to_owned() + &flood, flood, statuses)
}

fn half_closed(name: &'static str, begin: &str, statuses: &'static [u16]) -> Kind {
    Kind {
        finishes: true,
        ..kind(name, begin, "", statuses)
    }
}

fn kinds() -> Vec<Kind> {
    const GET: &str = "GET /a HTTP/1.1\r\nHost: a\r\n";
    const POST: &str = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n";
    const CHUNKED: &str = "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let hello = b"\x16\x03\x01\x00\x2d\x01\x00\x00\x29\x03\x03 32 bytes that would be random...";
    vec![
        kind("silent", "", "", &[]),
        kind("slow head", format!("{GET}X: "), "x", &[408]),
        kind("slow body", format!("{POST}\r\n"), "x", &[408]),
        kind(
            "a body that was expected",
            format!("{POST}Expect: 100-continue\r\n\r\n"),
            "",
            &[100, 408],
        ),
        kind("garbage", *b"\x80\x00\xff\x1b[2J\x7f\r\n\r\n", "", &[400]),
        kind("TLS", *hello, "", &[400]),
        endless("empty lines", "", "\r\n", &[400]),
        endless("a target", "GET /", "path/", &[414]),
        endless("a field", &format!("{GET}X: "), "long", &[431]),
        endless("fields", GET, "X: y\r\n", &[431]),
        endless("an extension", &format!("{CHUNKED}1;"), "e=x;", &[400]),
        endless("trailers", &format!("{CHUNKED}0\r\n"), "X: y\r\n", &[431]),
        endless("chunks", CHUNKED, "4\r\nbody\r\n", &[413]),
        half_closed("whole and half-closed", &format!("{GET}\r\n"), &[200]),
        half_closed("partial and half-closed", GET, &[400]),
        half_closed("half-closed", "", &[]),
    ]
}

struct Peer<'a> {
    client: Client,
    kind: &'a Kind,
    statuses: Vec<u16>,
    end: Option<End>,
}

impl Peer<'_> {
    fn begin<'a>(server: &Running, kind: &'a Kind) -> Peer<'a> {
        let mut client = server.client();
        client.send(&kind.begin);
        if kind.finishes {
            client.finish();
        }
        Peer {
            client,
            kind,
            statuses: Vec::new(),
            end: None,
        }
    }

    /// Takes what has come, and goes on when that was nothing. Whether the connection has ended.
    fn go_on(&mut self) -> bool {
        while let Some(answer) = self.client.poll() {
            self.statuses.push(answer.status);
        }
        self.end = self.client.poll_end();
        if self.end.is_none() && self.statuses.is_empty() {
            self.client.try_send(&self.kind.more);
        }
        // What came with the end is taken next time.
        self.end.is_some() && self.client.text().is_empty()
    }
}

/// Somebody who does nothing wrong asks once more.
fn is_served(client: &mut Client, asked: &mut usize) {
    *asked += 1;
    let answer = client.get(&format!("/{asked}"));
    assert_eq!(
        (answer.status, answer.text()),
        (200, format!("GET /{asked} ").as_str())
    );
}

#[test]
fn peers_that_do_all_that_is_wrong_at_once_get_their_answers_and_leave_nothing() {
    alone(
        "server::hostile::peers_that_do_all_that_is_wrong_at_once_get_their_answers_and_leave_nothing",
        || {
            let server = serve(short(1000), mirror);
            let (mut other, mut asked) = (server.client(), 0);
            is_served(&mut other, &mut asked);
            let before = descriptors();
            let kinds = kinds();
            let mut peers = Vec::new();
            for kind in kinds.iter().cycle().take(4 * kinds.len()) {
                peers.push(Peer::begin(&server, kind));
                is_served(&mut other, &mut asked);
            }
            wait("all connections end", || {
                is_served(&mut other, &mut asked);
                // Each of them, also behind one that has not ended.
                let ended: Vec<bool> = peers.iter_mut().map(Peer::go_on).collect();
                !ended.contains(&false)
            });
            for peer in &peers {
                let (seen, name) = ((&*peer.statuses, peer.end), peer.kind.name);
                assert_eq!(seen, (peer.kind.statuses, Some(End::Finished)), "{name}");
            }
            drop(peers);
            server.log.wait_closed(4 * kinds.len());
            assert_eq!(descriptors(), before);
            is_served(&mut other, &mut asked);
        },
    );
}

static LARGE_BODY: [u8; 16 << 20] = [b'x'; 16 << 20];

fn large_or_mirror(req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
    if req.path() == "/large" {
        return res.status(200).constant(&LARGE_BODY);
    }
    mirror(req, res)
}

#[test]
fn peers_that_do_not_read_are_cut_and_leave_nothing() {
    const EACH: usize = 5;
    alone(
        "server::hostile::peers_that_do_not_read_are_cut_and_leave_nothing",
        || {
            let server = serve(short(1000), large_or_mirror);
            let (mut other, mut asked) = (server.client(), 0);
            is_served(&mut other, &mut asked);
            let before = descriptors();
            for _ in 0..EACH {
                let mut client = server.client();
                client.ask("/large");
                client.receive();
                client.reset(); // in the middle of the answer
                is_served(&mut other, &mut asked);
            }
            let begin = |bytes: &str| {
                let mut client = server.client();
                client.send(bytes);
                client
            };
            let requests = "GET /again HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1000);
            let pipelining: Vec<Client> = (0..EACH).map(|_| begin(&requests)).collect();
            let large = "GET /large HTTP/1.1\r\nHost: a\r\n\r\n";
            let reading_nothing: Vec<Client> = (0..EACH).map(|_| begin(large)).collect();
            for client in &pipelining {
                client.stream.set_nonblocking(true).expect("a socket");
            }
            wait("all connections end", || {
                is_served(&mut other, &mut asked);
                for client in &pipelining {
                    // The way to the server is full, or there is none any more.
                    let _ = (&client.stream).write(requests.as_bytes());
                }
                server.log.closed().len() == 3 * EACH
            });
            let closed = server.log.closed();
            let count = |reason| closed.iter().filter(|it| **it == reason).count();
            let (cut, reset) = (count(CloseReason::ReaderTooSlow), count(CloseReason::Reset));
            // On a busy machine somebody who is about to reset may be too late.
            assert!(cut >= 2 * EACH && cut + reset == 3 * EACH, "{closed:?}");
            for mut client in reading_nothing {
                let (bytes, end) = client.rest();
                assert_eq!(end, End::Reset);
                assert!(bytes.starts_with(b"HTTP/1.1 200 ") && bytes.len() < LARGE_BODY.len());
            }
            drop(pipelining);
            assert_eq!(descriptors(), before);
            is_served(&mut other, &mut asked);
        },
    );
}
