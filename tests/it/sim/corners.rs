//! What few programs do: loops without a server, loops in loops, late answers that ask who waits, answers that can't be sent,
//! servers that can't start, and what all of these say of themselves.

use core::time::Duration;
use std::cell::RefCell;
use std::error::Error;
use std::rc::Rc;

use edgeloop::http::{FieldLine, Length};
use edgeloop::reactor::{Driver, Reactor, Table, Token};
use edgeloop::server::{BodyWriter, Client, Intake, Observer, Pull, Trouble};
use edgeloop::sys::sim::{Peer, World};
use edgeloop::sys::socket::{self, More};
use edgeloop::sys::{Fd, Interest, Ready};
use edgeloop::{
    Completer, EventLoop, Handler, Limits, Reply, Request, ResponseWriter, Server, field_name,
};

use super::seeds::keep_quiet;

/// Reads what has come, says when its time is over, and keeps its mail.
struct Echo {
    ends: Table<Fd>,
    mail: Vec<u32>,
    times: u32,
}

impl Driver for Echo {
    type Message = u32;

    fn on_ready(&mut self, reactor: &mut Reactor<u32>, token: Token, _: Ready) {
        let Some(end) = self.ends.get(token) else {
            return;
        };
        let mut bytes = [0; 16];
        let read = socket::recv(end, &mut bytes).expect("bytes");
        socket::send(end, &bytes[..read], More::No).expect("room");
        reactor.set_deadline(token, reactor.now() + Duration::from_secs(3));
        reactor.run_later(token);
    }

    fn on_deadline(&mut self, reactor: &mut Reactor<u32>, token: Token) {
        self.times += 1;
        if token == Token::fixed(7) {
            reactor.stop();
        }
    }

    fn on_message(&mut self, _: &mut Reactor<u32>, message: u32) {
        self.mail.push(message);
    }
}

pub(super) fn a_loop_has_descriptors_deadlines_and_mail_without_a_server(world: &World) {
    let mut reactor = Reactor::new().expect("an epoll");
    let (ours, theirs) = socket::pair().expect("a pair");
    let mut echo = Echo {
        ends: Table::default(),
        mail: Vec::new(),
        times: 0,
    };
    let (token, end) = echo.ends.insert(ours);
    reactor
        .register(&*end, token, Interest::STREAM)
        .expect("watched");
    assert_eq!(reactor.next_deadline(), None);
    reactor.set_deadline(Token::fixed(7), reactor.now() + Duration::from_secs(60));
    assert!(reactor.next_deadline() > Some(Duration::from_secs(59)));
    let mailbox = reactor.mailbox();
    let again = mailbox.clone();
    world.after(Duration::from_secs(1), move |_| {
        again.post(5).expect("it runs");
    });
    world.after(Duration::from_secs(2), move |_| {
        socket::send(&theirs, b"hello", More::No).expect("room");
        world_keeps(theirs);
    });
    reactor.run(&mut echo).expect("it runs");
    assert_eq!((echo.times, &echo.mail[..]), (2, &[5][..]));
    assert!(reactor.is_stopped());
    assert!(format!("{reactor:?}").contains("Reactor"), "{reactor:?}");
    let names = format!("{token:?} {:?} {mailbox:?}", Token::fixed(7));
    assert!(
        names.starts_with("Token(0.1) Token(fixed 7) Mailbox"),
        "{names}"
    );
    drop(reactor);
    let stopped = mailbox.post(6).expect_err("it is gone");
    assert_eq!(stopped.0, 6);
    assert!(format!("{stopped} {stopped:?}").contains("has stopped"));
}

/// The other end stays open.
fn world_keeps(end: Fd) {
    thread_local! {
        static KEPT: RefCell<Vec<Fd>> = const { RefCell::new(Vec::new()) };
    }
    KEPT.with_borrow_mut(|kept| kept.push(end));
}

/// A loop that hosts another one.
struct Host<H, O>(EventLoop<H, O>);

impl<H: Handler, O: Observer> Driver for Host<H, O> {
    type Message = ();

    fn on_ready(&mut self, _: &mut Reactor<()>, _: Token, _: Ready) {
        self.0.turn(Some(Duration::ZERO)).expect("a turn");
    }
}

pub(super) fn a_server_nests_in_a_loop_that_watches_its_descriptor(world: &World) {
    let hello = |_: &Request<'_>, res: ResponseWriter<'_>| res.status(200).text("hello");
    let server = Server::bind("127.0.0.1:80").expect("free");
    let server = server.event_loop(hello, ()).expect("listens");
    let mut host = Host(server);
    let mut reactor = Reactor::new().expect("an epoll");
    reactor
        .register(&host.0, Token::fixed(1), Interest::READ)
        .expect("watched");
    let client = ask(world, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(host.0.next_deadline().is_none());
    client.finish();
    while !client.has_end() {
        let until = host.0.next_deadline().unwrap_or(Duration::MAX);
        reactor.turn(&mut host, Some(until)).expect("a turn");
        // What is left over and what is due wait for no event.
        host.0.turn(Some(Duration::ZERO)).expect("a turn");
    }
    assert!(text(&client).ends_with("hello"));
    assert_eq!(
        (host.0.connections(), host.0.limits()),
        (0, &Limits::default())
    );
    assert!(format!("{:?}", host.0).contains("EventLoop"));
}

fn ask(world: &World, request: &str) -> Peer {
    let client = world.connect(80).expect("it listens");
    client.send(request.as_bytes());
    client
}

fn text(client: &Peer) -> String {
    let mut answer = Vec::new();
    client.receive(&mut answer, usize::MAX);
    String::from_utf8(answer).expect("UTF-8")
}

#[derive(Clone, Default)]
struct Troubles(Rc<RefCell<Vec<String>>>);

impl Observer for Troubles {
    fn trouble(&mut self, trouble: &Trouble) {
        self.0.borrow_mut().push(trouble.to_string());
    }
}

/// Answers in ways that few answers have.
struct Odd {
    kept: Option<Reply>,
    later: Rc<RefCell<Option<Completer>>>,
}

impl Handler for Odd {
    fn on_request(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
        let source = |_: &mut BodyWriter<'_>| Pull::End;
        match req.path() {
            "/later" => {
                let (completer, reply) = res.defer();
                *self.later.borrow_mut() = Some(completer);
                reply
            }
            "/empty" => res.status(204).empty(),
            "/299" => res.status(299).text("of a class that is known"),
            "/1000" => res.status(1000).text("no status"),
            "/line" => res
                .status(200)
                .line(FieldLine::new("X-Line: yes\r\n"))
                .text("a"),
            "/value" => res
                .status(200)
                .field(field_name!("X-Bad"), "a\nb")
                .text("a"),
            "/less" => res.status(200).stream(Length::Known(3), Once(source)),
            "/more" => {
                let source = |body: &mut BodyWriter<'_>| {
                    assert!(body.left() == Some(3) && body.room() > 3);
                    body.write(b"");
                    body.write(b"four");
                    Pull::More
                };
                res.status(200).stream(Length::Known(3), Once(source))
            }
            "/nothing" => res
                .status(200)
                .stream(Length::Unknown, Once(|_: &mut BodyWriter<'_>| Pull::More)),
            "/kept" => {
                // The first one is kept from its request; it is no answer to the next.
                if let Some(other) = self.kept.take() {
                    return other;
                }
                self.kept = Some(res.status(200).text("kept"));
                panic!("it panics, as it should");
            }
            _ => {
                let bytes = res.limits().body_bytes_max;
                let known = (
                    req.fields().len(),
                    req.fields().is_empty(),
                    req.field("none"),
                );
                res.status(200).text(format!("{known:?} {bytes}"))
            }
        }
    }

    fn intake(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Intake {
        // What is written and not returned is no answer.
        let bytes = res.limits().body_bytes_max;
        if req.path() == "/drops" {
            let _dropped = res.status(200).text("dropped");
        }
        Intake::Buffer(bytes)
    }
}

struct Once<F>(F);

impl<F: FnMut(&mut BodyWriter<'_>) -> Pull> edgeloop::server::Source for Once<F> {
    fn pull(&mut self, body: &mut BodyWriter<'_>) -> Pull {
        (self.0)(body)
    }
}

fn odd(
    world: &World,
    check: impl FnOnce(&mut EventLoop<Odd, (Troubles, ())>, &Rc<RefCell<Option<Completer>>>),
) -> Vec<String> {
    let later = Rc::default();
    let handler = Odd {
        kept: None,
        later: Rc::clone(&later),
    };
    let troubles = Troubles::default();
    let server = Server::bind("127.0.0.1:80")
        .expect("free")
        .name(None)
        .without_date();
    let mut server = server
        .event_loop(handler, (troubles.clone(), ()))
        .expect("listens");
    check(&mut server, &later);
    drop(server);
    later.borrow_mut().take();
    assert_eq!(world.open_descriptors(), 0);
    troubles.0.take()
}

/// Turns until the client, who asks for nothing more, has its answer and its connection has ended.
fn turn<H: Handler, O: Observer>(server: &mut EventLoop<H, O>, client: &Peer) {
    client.finish();
    while !client.has_end() {
        server.turn(Some(Duration::from_secs(200))).expect("a turn");
    }
}

pub(super) fn answers_that_can_not_be_sent_are_500_and_odd_ones_are_what_they_are(world: &World) {
    keep_quiet();
    let troubles = odd(world, |server, _| {
        for (path, begins, ends) in [
            ("/empty", "HTTP/1.1 204 No Content\r\n", "\r\n\r\n"),
            ("/299", "HTTP/1.1 299 \r\n", "known"),
            ("/1000", "HTTP/1.1 500 ", "no status"),
            ("/line", "HTTP/1.1 200 OK\r\nX-Line: yes\r\n", "a"),
            ("/value", "HTTP/1.1 500 ", "answer\n"),
            ("/less", "", ""),
            ("/more", "", ""),
            ("/nothing", "", ""),
            ("/kept", "HTTP/1.1 500 ", ""),
            ("/kept", "HTTP/1.1 500 ", "answer\n"),
            ("/", "HTTP/1.1 200 OK\r\n", "(1, false, None) 1048576"),
        ] {
            let client = ask(world, &format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
            turn(server, &client);
            let answer = text(&client);
            assert!(
                answer.starts_with(begins) && answer.ends_with(ends),
                "{path}: {answer}"
            );
        }
        let client = ask(
            world,
            "PUT /drops HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx",
        );
        turn(server, &client);
        assert!(text(&client).starts_with("HTTP/1.1 500 "));
    });
    for (told, times) in [
        ("the field's value has a control character", 1),
        ("content ended early", 3),
        ("a handler panicked", 1),
        ("gave no answer", 2),
    ] {
        let found = troubles.iter().filter(|trouble| trouble.contains(told));
        assert_eq!(found.count(), times, "{told}: {troubles:#?}");
    }
}

pub(super) fn who_answers_later_can_ask_whether_anybody_waits(world: &World) {
    odd(world, |server, later| {
        let client = ask(world, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
        let state = || later.borrow().as_ref().map(Completer::client);
        while state().is_none() {
            server.turn(Some(Duration::ZERO)).expect("a turn");
        }
        assert_eq!(state(), Some(Client::Open));
        let name = format!("{:?}", later.borrow());
        assert!(name.contains("exchange: 1"), "{name}");
        client.finish();
        server.turn(Some(Duration::ZERO)).expect("a turn");
        assert_eq!(state(), Some(Client::HalfClosed));
        client.reset();
        server.turn(Some(Duration::ZERO)).expect("a turn");
        assert_eq!(state(), Some(Client::Gone));
        // A plain stop ends the loop without a grace.
        server.handle().stop();
        let report = server.run().expect("it ends");
        assert_eq!((report.cut, server.is_stopped()), (0, true));
    });
}

pub(super) fn what_keeps_a_server_from_starting_is_said(_: &World) {
    let why = |error: &dyn Error| format!("{error}; {:?}", error.source().map(ToString::to_string));
    let failed = Server::bind("80").expect_err("no address");
    assert!(why(&failed).contains("`80` is no address"), "{failed}");
    let failed = Server::bind("fd:3").expect_err("nothing is inherited");
    assert!(why(&failed).contains("cannot listen on fd:3"), "{failed}");
    let one = Server::bind("127.0.0.1:80").expect("free");
    let failed = Server::bind("127.0.0.1:80").expect_err("taken");
    assert!(why(&failed).contains("stop who listens there"), "{failed}");
    assert_eq!(one.addresses().count(), 1);
    let hello = |_: &Request<'_>, res: ResponseWriter<'_>| res.status(200).text("hello");
    let failed = one.name(Some("a\nb")).serve_fn(hello).expect_err("no name");
    assert!(why(&failed).contains("is no name of a server"), "{failed}");
    let serving = Server::bind("127.0.0.1:80").expect("free").serve_fn(hello);
    let serving = serving.expect("listens");
    assert_eq!(serving.addresses().len(), 1);
    assert!(
        format!("{serving:?}").contains("127.0.0.1:80"),
        "{serving:?}"
    );
    serving.handle().stop();
    assert_eq!(serving.run().expect("it ends").cut, 0);
}

#[test]
fn a_server_has_at_most_a_thousand_addresses() {
    let world = World::new(6);
    let _inside = world.enter();
    world.set_descriptors_max(5000);
    let mut many = Server::bind("127.0.0.1:0").expect("free");
    for _ in 1..1000 {
        many = many.and_bind("127.0.0.1:0").expect("free");
    }
    let failed = many.and_bind("127.0.0.1:0").expect_err("too many");
    assert!(failed.to_string().contains("1000 addresses"), "{failed}");
}
