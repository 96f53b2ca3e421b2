//! What is remembered of files, and when requests come: a loop that is turned by hand, and files that change within a turn.

use std::cell::RefCell;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use edgeloop::sys::Address;
use edgeloop::web::Files;
use edgeloop::{EventLoop, Handler, Limits, Reply, Request, ResponseWriter, Server};

use super::{directory, head};

/// What happens when somebody asks for `/now`.
type Now = Rc<RefCell<Vec<Box<dyn FnMut()>>>>;

struct App {
    files: Files,
    now: Now,
}

impl Handler for App {
    fn on_request(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
        if req.path() != "/now" {
            return self.files.on_request(req, res);
        }
        for act in &mut *self.now.borrow_mut() {
            act();
        }
        res.status(200).body("now")
    }
}

struct Stage {
    root: PathBuf,
    event_loop: EventLoop<App>,
    clients: Vec<TcpStream>,
    now: Now,
}

impl Stage {
    fn new(clients: usize, limits: Limits) -> Stage {
        let root = directory(&[("a", b"old")]);
        let now = Now::default();
        let app = App {
            files: Files::new(&root).expect("a directory"),
            now: Rc::clone(&now),
        };
        let server = Server::bind("127.0.0.1:0").expect("a free port");
        let event_loop = server.limits(limits).event_loop(app, ()).expect("listens");
        let Address::Ip(address) = event_loop.addresses()[0] else {
            panic!("an IP address")
        };
        let connect = |_| {
            let stream = TcpStream::connect(address).expect("listens");
            stream.set_nodelay(true).expect("TCP");
            stream
        };
        let mut stage = Stage {
            root,
            event_loop,
            clients: (0..clients).map(connect).collect(),
            now,
        };
        // All are accepted, and have had the file: what is served next is remembered.
        for client in 0..clients {
            stage.send(client, &["/a"]);
            assert_eq!(stage.bodies(client, 1), ["old"]);
        }
        stage
    }

    fn send(&mut self, client: usize, paths: &[&str]) {
        send(&mut self.clients[client], paths);
    }

    fn turn(&mut self) {
        let turned = self.event_loop.turn(Some(Duration::from_millis(50)));
        turned.expect("turns");
    }

    /// Turns until so many answers have come.
    fn bodies(&mut self, client: usize, count: usize) -> Vec<String> {
        let mut received = Vec::new();
        for _ in 0..100 {
            self.turn();
            let stream = &mut self.clients[client];
            stream.set_nonblocking(true).expect("a socket");
            match stream.read_to_end(&mut received) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => panic!("{read:?}"),
            }
            let text = String::from_utf8_lossy(&received);
            let bodies: Vec<String> = text
                .split("HTTP/1.1 200 OK")
                .filter_map(|it| it.split_once("\r\n\r\n"))
                .map(|(_, body)| body.to_owned())
                .collect();
            if bodies.len() == count && bodies.iter().all(|it| it.len() == 3) {
                return bodies;
            }
        }
        panic!("no answers: {:?}", String::from_utf8_lossy(&received));
    }

    /// The next `/now` writes over the file and then has a client ask.
    fn change_and_ask(&mut self, client: usize, paths: &'static [&'static str]) {
        let path = self.root.join("a");
        let mut stream = self.clients[client].try_clone().expect("a descriptor");
        self.now.borrow_mut().push(Box::new(move || {
            fs::write(&path, "new").expect("ours");
            send(&mut stream, paths);
        }));
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

fn send(stream: &mut TcpStream, paths: &[&str]) {
    let heads = paths.iter().map(|path| head(&format!("GET {path}"), &[]));
    let heads: String = heads.collect();
    stream.write_all(heads.as_bytes()).expect("there is room");
}

/// The second request of the last client comes while the turn goes on, with the receive that brings the first.
#[test]
fn a_request_that_comes_behind_another_within_a_turn_is_answered_with_what_is_new() {
    let mut stage = Stage::new(3, Limits::default());
    // The first one has the cache look in this turn, the second one changes what it has seen.
    stage.change_and_ask(2, &["/a", "/a"]);
    stage.send(0, &["/a"]);
    stage.send(1, &["/now"]);
    stage.send(2, &["/a"]);
    assert_eq!(stage.bodies(0, 1), ["old"]);
    assert_eq!(stage.bodies(2, 3)[1..], ["new", "new"]);
}

/// The head begins before the change and ends behind it: either would do. The one behind it is new.
#[test]
fn a_request_behind_the_end_of_a_head_is_answered_with_what_is_new() {
    let mut stage = Stage::new(3, Limits::default());
    let part = &head("GET /a", &[])[..9];
    stage.clients[2].write_all(part.as_bytes()).expect("room");
    stage.turn();
    let path = stage.root.join("a");
    let mut stream = stage.clients[2].try_clone().expect("a descriptor");
    stage.now.borrow_mut().push(Box::new(move || {
        fs::write(&path, "new").expect("ours");
        let rest = &head("GET /a", &[])[10..];
        stream.write_all(rest.as_bytes()).expect("room");
        send(&mut stream, &["/a"]);
    }));
    stage.send(0, &["/a"]);
    stage.send(1, &["/now"]);
    let part = &head("GET /a", &[])[9..10];
    stage.clients[2].write_all(part.as_bytes()).expect("room");
    assert_eq!(stage.bodies(0, 1), ["old"]);
    assert_eq!(stage.bodies(2, 2)[1], "new");
}

/// What had come before the change is an empty line, which is no part of the request.
#[test]
fn a_request_behind_an_empty_line_is_answered_with_what_is_new() {
    let mut stage = Stage::new(3, Limits::default());
    stage.change_and_ask(2, &["/a"]);
    stage.send(0, &["/a"]);
    stage.send(1, &["/now"]);
    stage.clients[2].write_all(b"\r\n").expect("room");
    assert_eq!(stage.bodies(0, 1), ["old"]);
    assert_eq!(stage.bodies(2, 1), ["new"]);
}

/// With one request a turn the session goes on from the run queue, before the events of the turn: with what it holds, and
/// with what it receives in a turn that has an event of it as well.
#[test]
fn requests_of_the_run_queue_are_answered_with_what_is_new() {
    let limits = Limits {
        request_budget: 1,
        ..Limits::default()
    };
    let mut stage = Stage::new(2, limits);
    stage.change_and_ask(0, &["/a", "/a"]);
    // In the first turn the first of them, in the next ones the others; `/now` comes in between.
    stage.send(0, &["/a", "/a", "/now"]);
    assert_eq!(stage.bodies(0, 5)[3..], ["new", "new"]);
}

/// Both are of the same moment: what was looked up for the first is good for the second.
#[test]
fn a_change_before_the_turn_is_seen_by_all_of_it() {
    let mut stage = Stage::new(20, Limits::default());
    fs::write(stage.root.join("a"), "new").expect("ours");
    for client in 0..20 {
        stage.send(client, &["/a"]);
    }
    for client in 0..20 {
        assert_eq!(stage.bodies(client, 1), ["new"]);
    }
    let local = stage.event_loop.local().clone();
    let files = Files::new(&stage.root).expect("a directory");
    assert_eq!(files.cache_stats(&local), None, "it is another one's");
}
