//! What is remembered of files is never older than the request: clients that know what was written before they asked.
//!
//! Contents are numbers. Whoever asks takes the number that was written last, then sends its request, and must not be
//! answered with a smaller one.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::{Site, head};

/// Rewrites of each of three kinds, and some more: 4,000, or as many as the environment's `REWRITES` says.
fn rewrites() -> u64 {
    let given = std::env::var("REWRITES");
    given.map_or(4_000, |given| given.parse().expect("a number of rewrites"))
}

/// Who asks all the time meanwhile.
const OTHERS: usize = 3;
/// A number is written so often, so that half a file is told from a whole one.
const TIMES: usize = 40;

fn content(number: u64) -> Vec<u8> {
    format!("{number:09}\n").repeat(TIMES).into_bytes()
}

/// The number that a content is of; `None` of one that is being written.
fn number(content: &[u8]) -> Option<u64> {
    let line = content.get(..10)?;
    if content.len() != 10 * TIMES || content.chunks(10).any(|it| it != line) {
        return None;
    }
    Some(String::from_utf8_lossy(&line[..9]).parse().expect("digits"))
}

/// How a file gets new content.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    /// It is written over: while that goes on it has part of its content.
    InPlace,
    /// Another one is renamed to its name.
    Renamed,
}

impl Change {
    fn apply(self, path: &Path, beside: &Path, number: u64) {
        match self {
            Change::InPlace => fs::write(path, content(number)).expect("ours"),
            Change::Renamed => {
                fs::write(beside, content(number)).expect("ours");
                fs::rename(beside, path).expect("one file system");
            }
        }
    }
}

/// A connection that is kept.
struct Kept {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Kept {
    fn new(site: &Site) -> Kept {
        let stream = site.connect();
        stream.set_nodelay(true).expect("TCP");
        Kept {
            stream,
            received: Vec::new(),
        }
    }

    fn send(&mut self, path: &str) {
        let head = head(&format!("GET {path}"), &[]);
        self.stream.write_all(head.as_bytes()).expect("open");
    }

    /// The body of the next answer.
    fn answer(&mut self) -> Vec<u8> {
        loop {
            if let Some((head, length)) = self.head() {
                let end = head + length;
                if self.received.len() >= end {
                    let body = self.received[head..end].to_vec();
                    self.received.drain(..end);
                    return body;
                }
            }
            let mut piece = [0; 4096];
            let read = self.stream.read(&mut piece).expect("an answer");
            assert!(read > 0, "closed");
            self.received.extend_from_slice(&piece[..read]);
        }
    }

    /// The length of the head, and of the body behind it.
    fn head(&self) -> Option<(usize, usize)> {
        let end = self.received.windows(4).position(|it| it == b"\r\n\r\n")? + 4;
        let head = String::from_utf8_lossy(&self.received[..end]).into_owned();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        let (_, length) = head.split_once("Content-Length: ").expect("it has one");
        let (length, _) = length.split_once('\r').expect("a line");
        Some((end, length.parse().expect("digits")))
    }

    fn get(&mut self, path: &str) -> Option<u64> {
        self.send(path);
        number(&self.answer())
    }
}

/// A site, the file that is rewritten, and the last number that was written whole.
struct Fresh {
    site: Site,
    path: PathBuf,
    beside: PathBuf,
    written: AtomicU64,
    over: AtomicBool,
}

impl Fresh {
    fn new() -> Fresh {
        let site = Site::new(&[("d/a", &content(0)), ("beside", b"")]);
        Fresh {
            path: site.root.join("d/a"),
            beside: site.root.join("beside"),
            site,
            written: AtomicU64::new(0),
            over: AtomicBool::new(false),
        }
    }

    fn change(&self, change: Change, number: u64) {
        change.apply(&self.path, &self.beside, number);
        self.written.store(number, Ordering::SeqCst);
    }

    /// Asks until it is over.
    fn ask_on(&self, change: Change) {
        let mut client = Kept::new(&self.site);
        while !self.over.load(Ordering::Relaxed) {
            let before = self.written.load(Ordering::SeqCst);
            match client.get("/d/a") {
                Some(number) => assert!(number >= before, "{number} after {before} was written"),
                None => assert!(change == Change::InPlace, "half a file was never there"),
            }
        }
    }

    /// Changes the file again and again, while others ask for it all the time.
    fn under_load(&self, change: Change, mut each: impl FnMut(u64)) {
        thread::scope(|scope| {
            let others: Vec<_> = (0..OTHERS)
                .map(|_| scope.spawn(|| self.ask_on(change)))
                .collect();
            for number in 1..=rewrites() {
                self.change(change, number);
                each(number);
                if others.iter().any(thread::ScopedJoinHandle::is_finished) {
                    break; // it has failed
                }
            }
            self.over.store(true, Ordering::Relaxed);
        });
    }
}

#[test]
fn a_file_that_was_written_over_is_served_as_it_is() {
    let fresh = Fresh::new();
    let mut client = Kept::new(&fresh.site);
    fresh.under_load(Change::InPlace, |number| {
        assert_eq!(client.get("/d/a"), Some(number));
    });
}

#[test]
fn a_file_that_another_one_was_renamed_to_is_served_as_it_is() {
    let fresh = Fresh::new();
    let mut client = Kept::new(&fresh.site);
    fresh.under_load(Change::Renamed, |number| {
        assert_eq!(client.get("/d/a"), Some(number));
    });
}

/// The second request may come with the receive that brings the first one, which was sent before the change.
#[test]
fn a_request_behind_an_older_one_is_answered_with_what_is_new() {
    let fresh = Fresh::new();
    let mut client = Kept::new(&fresh.site);
    fresh.under_load(Change::Renamed, |number| {
        client.send("/d/a");
        fresh.change(Change::Renamed, number);
        client.send("/d/a");
        let first = super::fresh::number(&client.answer());
        assert!(first >= Some(number - 1), "{first:?} {number}");
        assert_eq!(super::fresh::number(&client.answer()), Some(number));
    });
}

/// Many connections have events in the same turn, some from before the change and some from after.
#[test]
fn requests_on_many_connections_are_answered_with_what_is_new() {
    let fresh = Fresh::new();
    let mut clients: Vec<Kept> = (0..24).map(|_| Kept::new(&fresh.site)).collect();
    let (early, late) = clients.split_at_mut(12);
    for number in 1..=rewrites() / 8 {
        for client in early.iter_mut() {
            client.send("/d/a");
        }
        fresh.change(Change::Renamed, number);
        for client in late.iter_mut() {
            client.send("/d/a");
        }
        for client in early.iter_mut() {
            assert!(super::fresh::number(&client.answer()) >= Some(number - 1));
        }
        for client in late.iter_mut() {
            assert_eq!(super::fresh::number(&client.answer()), Some(number));
        }
    }
}

/// All that can happen to a name: what is served is what is there.
#[test]
fn names_that_come_and_go_are_served_as_they_are() {
    let site = Site::new(&[("a", b"a0"), ("d/e/f", b"f0")]);
    let mut client = Kept::new(&site);
    let root = &site.root;
    let at = |name: &str| root.join(name);
    let mut check = |path: &str, expected: &str| {
        for _ in 0..2 {
            let head = head(&format!("GET {path}"), &[]);
            client.stream.write_all(head.as_bytes()).expect("open");
            let (status, body) = whole_answer(&mut client);
            let said = match status {
                200 => String::from_utf8(body).expect("text"),
                status => status.to_string(),
            };
            assert_eq!(said, expected, "{path}");
        }
    };
    check("/a", "a0");
    check("/d/e/f", "f0");
    check("/d/e", "308");
    check("/none", "404");
    check("/x/y/z", "404");
    fs::write(at("none"), "n1").expect("ours");
    check("/none", "n1");
    fs::remove_file(at("none")).expect("ours");
    check("/none", "404");
    fs::create_dir_all(at("x/y")).expect("ours");
    check("/x/y/z", "404");
    check("/x/y", "308");
    fs::write(at("x/y/z"), "z1").expect("ours");
    check("/x/y/z", "z1");
    // A directory on the way.
    fs::rename(at("d"), at("moved")).expect("ours");
    check("/d/e/f", "404");
    check("/moved/e/f", "f0");
    fs::create_dir_all(at("d/e")).expect("ours");
    fs::write(at("d/e/f"), "f1").expect("ours");
    check("/d/e/f", "f1");
    fs::rename(at("moved/e"), at("x/e")).expect("ours");
    check("/moved/e/f", "404");
    check("/x/e/f", "f0");
    // A file where a directory was, and the other way round.
    fs::remove_dir_all(at("d")).expect("ours");
    fs::write(at("d"), "d1").expect("ours");
    check("/d/e/f", "404");
    check("/d", "d1");
    fs::remove_file(at("d")).expect("ours");
    fs::create_dir(at("d")).expect("ours");
    check("/d", "308");
    // Another name of the same file.
    fs::hard_link(at("a"), at("link")).expect("one file system");
    check("/a", "a0");
    fs::write(at("link"), "a1").expect("ours");
    check("/a", "a1");
    check("/link", "a1");
    fs::write(at("a"), "a2").expect("ours");
    check("/link", "a2");
    // Links are followed, and what they lead to may change.
    std::os::unix::fs::symlink("a", at("symlink")).expect("ours");
    check("/symlink", "a2");
    fs::write(at("a"), "a3").expect("ours");
    check("/symlink", "a3");
    std::os::unix::fs::symlink("x", at("way")).expect("ours");
    check("/way/e/f", "f0");
    fs::write(at("x/e/f"), "f2").expect("ours");
    check("/way/e/f", "f2");
    fs::remove_file(at("way")).expect("ours");
    check("/way/e/f", "404");
    // Only its length, and only its time.
    let file = fs::File::options().write(true).open(at("a")).expect("ours");
    file.set_len(1).expect("ours");
    check("/a", "a");
}

fn whole_answer(client: &mut Kept) -> (u16, Vec<u8>) {
    loop {
        let received = &client.received;
        if let Some(end) = received.windows(4).position(|it| it == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&received[..end]).into_owned();
            let length = head.split_once("Content-Length: ").map_or(0, |(_, rest)| {
                let digits = rest.split('\r').next().expect("a line");
                digits.parse().expect("digits")
            });
            if received.len() >= end + 4 + length {
                let body = received[end + 4..end + 4 + length].to_vec();
                client.received.drain(..end + 4 + length);
                return (head[9..12].parse().expect("a status"), body);
            }
        }
        let mut piece = [0; 4096];
        let read = client.stream.read(&mut piece).expect("an answer");
        assert!(read > 0, "closed");
        client.received.extend_from_slice(&piece[..read]);
    }
}
