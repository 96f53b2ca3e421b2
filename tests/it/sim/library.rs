//! What applications call, in worlds: each of it once in order, and on worlds where calls are short, late and disturbed.

use core::cell::{Cell, RefCell};
use core::time::Duration;
use std::collections::VecDeque;
use std::os::fd::{AsFd, AsRawFd};
use std::rc::Rc;
use std::sync::Arc;

use edgeloop::http::{Fields, Length};
use edgeloop::server::{
    Answered, Attachment, BodyWriter, CloseReason, Duplex, Limits, Pull, RouteMatch, Sink, Taken,
    Trouble, Waker, Watch,
};
use edgeloop::sys::sim::{Call, Net, PeerState, Random, World};
use edgeloop::sys::{Interest, socket};
use edgeloop::{
    EventLoop, Handle, Handler, Intake, Observer, Redirect, Reply, Request, ResponseWriter, Server,
    field_line, field_name,
};

use super::bytes::{self, Recorder};
use crate::http::corpus::Ending;

/// What was seen besides the answers.
#[derive(Clone, Default)]
struct Seen {
    answered: Rc<RefCell<Vec<Answered>>>,
    closed: Rc<RefCell<Vec<CloseReason>>>,
    troubles: Rc<RefCell<Vec<String>>>,
    wakers: Rc<RefCell<Vec<Waker>>>,
    letters: Rc<Cell<u32>>,
}

impl Observer for Seen {
    fn closed(&mut self, _: edgeloop::reactor::Token, reason: CloseReason) {
        self.closed.borrow_mut().push(reason);
    }

    fn trouble(&mut self, trouble: &Trouble) {
        self.troubles
            .borrow_mut()
            .push(format!("{trouble}, {trouble:?}"));
    }
}

struct Library(Seen);

impl Library {
    fn wake_by(&self, res: &mut ResponseWriter<'_>) {
        let waker = res.waker();
        assert!(format!("{waker:?}").contains("exchange"));
        self.0.wakers.borrow_mut().push(waker);
    }
}

impl Handler for Library {
    fn intake(&mut self, req: &Request<'_>, mut res: ResponseWriter<'_>) -> Intake {
        let sink = |most, refuses, panics| Collect {
            got: Vec::new(),
            most,
            refuses,
            panics,
        };
        let mut aside = None;
        match req.path() {
            "/sink" => {
                let answered = Rc::clone(&self.0.answered);
                let res = res
                    .with_field(field_name!("X-Said"), "before")
                    .with_default(field_name!("X-Kind"), "sink")
                    .on_answered(move |it| answered.borrow_mut().push(*it));
                let _ = res; // what was said stays with the worker
                let intake = Intake::stream(100, sink(usize::MAX, false, false));
                // As a router hands it on.
                let _reply = intake.put_aside(&mut aside);
                aside.take().expect("it was put aside")
            }
            "/stalls" => {
                self.wake_by(&mut res);
                drop(res.deadline(Duration::from_secs(5)));
                Intake::stream(100, sink(0, false, false))
            }
            "/stalls-alone" => Intake::stream(100, sink(0, false, false)),
            "/refuses" => Intake::stream(100, sink(usize::MAX, true, false)),
            "/panics" => Intake::stream(100, sink(usize::MAX, false, true)),
            "/back" => Intake::Answer(res.status(200).duplex(Length::Unknown, Back::default())),
            "/back-panics" => {
                let back = Back {
                    panics: true,
                    ..Back::default()
                };
                Intake::Answer(res.status(200).duplex(Length::Unknown, back))
            }
            "/back-refuses" => {
                let back = Back {
                    refuses: true,
                    ..Back::default()
                };
                Intake::Answer(res.status(200).duplex(Length::Unknown, back))
            }
            _ => Intake::Buffer(res.with_body_max(50).body_bytes_max()),
        }
    }

    fn on_request(&mut self, req: &Request<'_>, mut res: ResponseWriter<'_>) -> Reply {
        match req.path() {
            "/redirect" => res.redirect(Redirect::SeeOther, "/a b"),
            "/redirect-bad" => res.redirect(Redirect::Permanent, "//evil"),
            "/html" => res.status(200).html("<p>"),
            "/bytes" => res.status(200).bytes("image/x", "x"),
            "/location" => res.status(201).location("/made/é").empty(),
            "/hints" => res
                .early_hints(&["</a.css>; rel=preload"])
                .status(200)
                .text("hinted"),
            "/hints-bad" => res.early_hints(&["a\nb"]).defer().1,
            "/trailers" => res
                .status(200)
                .body_with_trailers("content", &[(field_name!("X-Sum"), "7")]),
            "/trailer-bad" => res
                .status(200)
                .body_with_trailers("content", &[(field_name!("Content-Type"), "a/b")]),
            "/pulled" => res.status(200).stream(Length::Unknown, pulled),
            "/states" => {
                *res.connection_state_or(|| 0_u32) += 1;
                let count = res.connection_state::<u32>().copied().unwrap_or_default();
                let none = res.connection_state::<u8>().is_none();
                res.status(200)
                    .text(format!("{count} {none} {}", req.peer()))
            }
            "/added" => {
                let answered = Rc::clone(&self.0.answered);
                let res = res
                    .with_field(field_name!("X-One"), "1")
                    .with_line(field_line!("X-Two", "2"))
                    .with_default(field_name!("X-Three"), "3")
                    .with_default(field_name!("X-One"), "never")
                    .on_answered(move |it| answered.borrow_mut().push(*it))
                    .on_answered(|_| panic!("a hook panics, as it should"));
                let (completer, reply) = res.defer();
                assert!(format!("{completer:?}").contains("exchange"));
                completer.finish(|res| res.status(200).text("added"));
                reply
            }
            "/added-bad" => res
                .with_field(field_name!("X-Bad"), "a\nb")
                .status(200)
                .text("never"),
            "/routed" => {
                let values = [("name", "value")];
                let outer = RouteMatch::new(req, "/{name}", &values, Some("rest"));
                let outer = req.routed(&outer);
                let inner = RouteMatch::new(&outer, "/inner", &[], None);
                let inner = outer.routed(&inner);
                let number = 7_u32;
                let attachment = Attachment::new(&inner, &number);
                let it = inner.attach(&attachment);
                let said = format!(
                    "{:?} {:?} {:?} {} {:?} {:?} {}",
                    it.pattern(),
                    it.path_value("name"),
                    it.path_value("none"),
                    outer.path_below(),
                    it.attached::<u32>(),
                    it.attached::<u8>(),
                    req.path_below()
                );
                res.status(200).text(said)
            }
            "/letters" => {
                let local = res.local().clone();
                let letters = Rc::clone(&self.0.letters);
                let sender = local.mailbox(move |letter: u32| letters.set(letters.get() + letter));
                let other = sender.clone();
                let sent = sender.send(3).is_ok() && other.send(4).is_ok();
                let never = local.after(Duration::from_secs(9), || panic!("it was cancelled"));
                let cancelled = local.cancel(never) && !local.cancel(never);
                let core = local.core();
                local.after(Duration::ZERO, || panic!("a timer panics, as it should"));
                res.status(200).text(format!("{sent} {cancelled} {core}"))
            }
            "/promise" => {
                let (promise, reply) = res.defer_with(|(), res| res.status(200).empty());
                assert!(format!("{promise:?}").contains("Promise"));
                assert_eq!(promise.client(), edgeloop::Client::Open);
                drop(promise);
                reply
            }
            "/sleeps" => {
                self.wake_by(&mut res);
                res.status(200)
                    .stream(Length::Unknown, |_: &mut BodyWriter<'_>| Pull::Wait)
            }
            "/nobody" => res
                .status(200)
                .stream(Length::Unknown, |_: &mut BodyWriter<'_>| Pull::Wait),
            "/upgrade" => match res.upgrade(req, "echo") {
                Ok(upgrade) => upgrade
                    .field(field_name!("X-Up"), "yes")
                    .duplex(Back::default()),
                Err(reply) => reply,
            },
            "/out" => res.take_out(drop),
            "/out-panics" => res.take_out(|_| panic!("who takes it panics, as it should")),
            "/back" => res.status(200).duplex(Length::Unknown, Back::default()),
            "/fails" => res.status(200).fail(),
            path => res.status(200).text(format!("{path} {}", req.body().len())),
        }
    }
}

fn pulled(body: &mut BodyWriter<'_>) -> Pull {
    assert!(body.trailer(field_name!("Host"), "no").is_err());
    body.write(b"pulled");
    body.trailer(field_name!("X-Sum"), "8")
        .expect("a sound one");
    Pull::End
}

struct Collect {
    got: Vec<u8>,
    most: usize,
    refuses: bool,
    panics: bool,
}

impl Sink for Collect {
    fn on_data(&mut self, data: &[u8]) -> Taken {
        assert!(!self.panics, "a sink panics, as it should");
        if self.refuses {
            return Taken::Refused;
        }
        let part = data.len().min(self.most);
        self.got.extend_from_slice(&data[..part]);
        Taken::Part(part)
    }

    fn on_end(self: Box<Self>, trailers: Fields<'_>, res: ResponseWriter<'_>) -> Reply {
        let status = if self.refuses { 403 } else { 200 };
        let sum = trailers.get("x-sum").unwrap_or_default().escape_ascii();
        let got = self.got.escape_ascii();
        res.status(status).text(format!("{got} {sum}"))
    }
}

#[derive(Default)]
struct Back {
    kept: VecDeque<u8>,
    ended: bool,
    panics: bool,
    refuses: bool,
}

impl Duplex for Back {
    fn on_data(&mut self, data: &[u8]) -> Taken {
        if self.refuses {
            return Taken::Refused;
        }
        assert!(!self.panics, "a duplex panics, as it should");
        self.kept.extend(data);
        Taken::All
    }

    fn on_end(&mut self) {
        assert!(!self.panics, "a duplex panics, as it should");
        self.ended = true;
    }

    fn pull(&mut self, body: &mut BodyWriter<'_>) -> Pull {
        body.write(self.kept.make_contiguous());
        self.kept.clear();
        if self.ended { Pull::End } else { Pull::Wait }
    }
}

fn serve(seen: &Seen) -> EventLoop<Library, Seen> {
    super::seeds::keep_quiet();
    let server = Server::bind("127.0.0.1:80").expect("a free port");
    let server = server.name(None).without_date().limits(Limits::default());
    server
        .event_loop(Library(seen.clone()), seen.clone())
        .expect("it listens")
}

/// What a client gets that sends these bytes and finishes, and how its connection ends.
fn ask(world: &World, server: &mut EventLoop<Library, Seen>, bytes: &str) -> (String, PeerState) {
    let client = world.connect(80).expect("it listens");
    let (mut sent, mut got) = (0, Vec::new());
    for _ in 0..2_000 {
        sent += client.send(&bytes.as_bytes()[sent..]);
        if sent == bytes.len() {
            client.finish();
        }
        server
            .turn(Some(Duration::from_millis(20)))
            .expect("a turn");
        client.receive(&mut got, usize::MAX);
        if client.has_end() {
            break;
        }
    }
    client.receive(&mut got, usize::MAX);
    (String::from_utf8(got).expect("text"), client.state())
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

fn post(path: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}")
}

fn chunks(path: &str, rest: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{rest}")
}

/// What is asked, what the answer begins with, what it has, and how the connection ends.
fn cases() -> Vec<(String, &'static str, &'static str, PeerState)> {
    use PeerState::{Finished, Reset};
    let whole = "3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n";
    let expects = |path: &str| {
        post(path, "abc").replace("\r\n\r\nabc", "\r\nExpect: 100-continue\r\n\r\nabc")
    };
    let asks = "Connection: upgrade\r\nUpgrade: x, echo\r\n\r\nbytes";
    vec![
        (
            get("/redirect"),
            "HTTP/1.1 303 ",
            "Location: /a%20b\r\n",
            Finished,
        ),
        (get("/redirect-bad"), "HTTP/1.1 500 ", "", Finished),
        (get("/html"), "HTTP/1.1 200 ", "<p>", Finished),
        (
            get("/bytes"),
            "HTTP/1.1 200 ",
            "Content-Type: image/x\r\n",
            Finished,
        ),
        (
            get("/location"),
            "HTTP/1.1 201 ",
            "Location: /made/%C3%A9\r\n",
            Finished,
        ),
        (
            get("/hints"),
            "HTTP/1.1 103 ",
            "HTTP/1.1 200 OK\r\n",
            Finished,
        ),
        (
            get("/hints").replace("/1.1", "/1.0"),
            "HTTP/1.1 200 ",
            "hinted",
            Finished,
        ),
        (get("/hints-bad"), "HTTP/1.1 500 ", "", Finished),
        (
            get("/trailers"),
            "HTTP/1.1 200 ",
            "0\r\nX-Sum: 7\r\n\r\n",
            Finished,
        ),
        (
            get("/trailers").replace("/1.1", "/1.0"),
            "HTTP/1.1 200 ",
            "content",
            Finished,
        ),
        (get("/trailer-bad"), "HTTP/1.1 500 ", "", Finished),
        (
            get("/pulled"),
            "HTTP/1.1 200 ",
            "0\r\nX-Sum: 8\r\n\r\n",
            Finished,
        ),
        (get("/states"), "HTTP/1.1 200 ", "1 true ", Finished),
        (get("/added"), "HTTP/1.1 200 ", "X-Three: 3\r\n", Finished),
        (get("/added-bad"), "HTTP/1.1 500 ", "", Finished),
        (
            get("/routed"),
            "HTTP/1.1 200 ",
            "Some(\"value\") None rest Some(7) None /routed",
            Finished,
        ),
        (get("/letters"), "HTTP/1.1 200 ", "true true 0", Finished),
        (get("/promise"), "HTTP/1.1 500 ", "dropped", Finished),
        (get("/nobody"), "HTTP/1.1 200 ", "", Reset),
        (get("/out"), "", "", Finished),
        (get("/back"), "HTTP/1.1 200 ", "0\r\n\r\n", Finished),
        (get("/fails"), "HTTP/1.1 500 ", "", Finished),
        (
            post("/sink", "abc"),
            "HTTP/1.1 200 ",
            "X-Said: before\r\n",
            Finished,
        ),
        (chunks("/sink", whole), "HTTP/1.1 200 ", "abc 7", Finished),
        (expects("/sink"), "HTTP/1.1 100 ", "abc ", Finished),
        (
            post("/sink", &"x".repeat(200)),
            "HTTP/1.1 413 ",
            "",
            Finished,
        ),
        (
            chunks("/sink", &format!("c8\r\n{}\r\n0\r\n\r\n", "x".repeat(200))),
            "HTTP/1.1 413 ",
            "",
            Finished,
        ),
        (
            post("/sink", "abc").replace("Length: 3", "Length: 4"),
            "HTTP/1.1 400 ",
            "",
            Finished,
        ),
        (post("/stalls", "abc"), "HTTP/1.1 503 ", "", Finished),
        (post("/stalls-alone", "abc"), "HTTP/1.1 500 ", "", Finished),
        (post("/refuses", "abc"), "HTTP/1.1 403 ", "", Finished),
        (post("/panics", "abc"), "HTTP/1.1 500 ", "", Finished),
        (
            chunks("/back", whole),
            "HTTP/1.1 200 ",
            "c\r\n0\r\n\r\n",
            Finished,
        ),
        (
            expects("/back"),
            "HTTP/1.1 100 ",
            "c\r\n0\r\n\r\n",
            Finished,
        ),
        (post("/back-panics", "abc"), "", "", Reset),
        (
            chunks(
                "/back-panics",
                "0

",
            ),
            "",
            "",
            Reset,
        ),
        (post("/back-refuses", "abc"), "", "", Reset),
        (
            post("/buffered", "abc"),
            "HTTP/1.1 200 ",
            "/buffered 3",
            Finished,
        ),
        (
            post("/buffered", &"x".repeat(60)),
            "HTTP/1.1 413 ",
            "",
            Finished,
        ),
        (
            get("/upgrade"),
            "HTTP/1.1 426 ",
            "Upgrade: echo\r\n",
            Finished,
        ),
        (
            get("/upgrade").replace("\r\n\r\n", &format!("\r\n{asks}")),
            "HTTP/1.1 101 ",
            "X-Up: yes\r\nConnection: Upgrade\r\n\r\nbytes",
            Finished,
        ),
    ]
}

pub(super) fn applications_get_what_they_are_promised(world: &World) {
    let seen = Seen::default();
    let mut server = serve(&seen);
    for (asked, begins, has, end) in cases() {
        let (got, ended) = ask(world, &mut server, &asked);
        assert!(
            got.starts_with(begins) && got.contains(has),
            "{asked}: {got}"
        );
        assert_eq!(ended, end, "{asked}: {got}");
    }
    assert_eq!(seen.letters.get(), 7);
    assert!(
        seen.answered
            .borrow()
            .iter()
            .any(|it| it.content_bytes == Some(5))
    );
    let troubles = seen.troubles.borrow();
    for told in [
        "panicked",
        "LocalPanicked",
        "ContentFailed",
        "Field",
        "NoAnswer",
    ] {
        assert!(
            troubles.iter().any(|it| it.contains(told)),
            "{told}: {troubles:#?}"
        );
    }
    assert!(seen.closed.borrow().contains(&CloseReason::TakenOut));
}

/// Several of them at a time, in pieces.
pub(super) fn some_are_served_at_once(world: &World, random: &mut Random) {
    let seen = Seen::default();
    world.set_net(bytes::any_net(random));
    let mut server = serve(&seen);
    let all = cases();
    let chosen: Vec<_> = (0..10).map(|_| &all[random.index(all.len())]).collect();
    let recorders: Vec<_> = chosen
        .iter()
        .map(|(asked, ..)| {
            let pieces = bytes::cut(random, asked.as_bytes());
            Recorder::start(world, pieces, Ending::Fin)
        })
        .collect();
    bytes::finish(&mut server, &recorders);
    for ((asked, begins, has, end), recorder) in chosen.iter().zip(&recorders) {
        let got = String::from_utf8_lossy(&recorder.got.borrow()).into_owned();
        // A reset can overtake what was sent before it.
        let is_cut = *end == PeerState::Reset && got.len() < begins.len();
        assert!(
            is_cut && begins.starts_with(&got) || got.starts_with(begins) && got.contains(has),
            "{asked}: {got}"
        );
        assert_eq!(recorder.peer.state(), *end, "{asked}: {got}");
    }
}

pub(super) fn a_stream_ends_with_its_last_waker_and_with_its_client(world: &World) {
    let seen = Seen::default();
    let mut server = serve(&seen);
    for ends in ["its waker", "its client", "a wake in vain"] {
        let client = world.connect(80).expect("it listens");
        client.send(get("/sleeps").as_bytes());
        while client.unread() == 0 {
            server.turn(Some(Duration::from_secs(1))).expect("a turn");
        }
        let waker = seen.wakers.borrow_mut().pop().expect("one of it");
        assert!(!waker.is_over());
        match ends {
            "its waker" => drop(waker),
            "its client" => {
                client.reset();
                while !waker.is_over() {
                    server.turn(Some(Duration::from_secs(1))).expect("a turn");
                }
                continue;
            }
            _ => {
                waker.wake();
                waker.wake();
                server.turn(Some(Duration::from_secs(1))).expect("a turn");
                assert!(!waker.is_over() && !client.has_end());
                drop(waker);
            }
        }
        while !client.has_end() {
            server.turn(Some(Duration::from_secs(1))).expect("a turn");
        }
    }
    let closed = seen.closed.borrow();
    assert_eq!(
        closed[..],
        [CloseReason::Failed, CloseReason::Reset, CloseReason::Failed]
    );
}

/// Whatever is given away comes back when it can't be had, with the reason.
pub(super) fn who_can_not_be_served_comes_back(world: &World) {
    let seen = Seen::default();
    let mut server = serve(&seen);
    assert_eq!(server.addresses().len(), 1);
    assert_eq!(server.as_raw_fd(), server.as_fd().as_raw_fd());
    let (client, connection) = socket::pair().expect("a pair");
    let too_much = server.adopt(connection, vec![b'x'; 100 << 10]);
    let back = too_much.expect_err("that is too much");
    assert!(back.to_string().contains("64 KiB"), "{back}");
    assert!(std::error::Error::source(&back).is_some());
    let handle = server.handle();
    let read = get("/states").into_bytes();
    handle.adopt(back.fd, read).expect("it serves");
    let (mut answer, mut got) = ([0; 1000], 0);
    while got < 13 {
        server.turn(Some(Duration::from_secs(1))).expect("a turn");
        got += socket::recv(&client, &mut answer[got..]).unwrap_or(0);
    }
    assert!(answer.starts_with(b"HTTP/1.1 200 "));
    let panics = get("/out-panics");
    assert_eq!(ask(world, &mut server, &panics).1, PeerState::Finished);
    assert!(
        seen.troubles
            .borrow()
            .iter()
            .any(|it| it.contains("LocalPanicked"))
    );
    let local = server.local().clone();
    let sender = local.mailbox(|()| ());
    let said = format!("{local:?} {sender:?} {server:?} {handle:?} {client:?}");
    assert!(said.contains("Local") && said.contains("Sender"), "{said}");
    drop(server);
    assert!(sender.send(()).is_err());
    let (_other, connection) = socket::pair().expect("a pair");
    let stopped = handle.adopt(connection, b"").expect_err("it has gone");
    assert!(stopped.to_string().contains("stopped"), "{stopped}");
    assert!(
        local
            .watch(stopped.fd, Interest::READ, |_, _| Watch::End)
            .is_err()
    );
}

/// What there is no room for comes back, and so does what nobody takes any more.
pub(super) fn a_mailbox_gives_back_what_it_has_no_room_for(_: &World) {
    let limits = Limits {
        mailbox_messages_max: 2,
        ..Limits::default()
    };
    let hello = |_: &Request<'_>, res: ResponseWriter<'_>| res.status(200).text("hello");
    let server = Server::bind("127.0.0.1:80").expect("a free port");
    let server = server.limits(limits).event_loop(hello, ());
    let mut server = server.expect("it listens");
    let got = Rc::new(Cell::new(0));
    let gets = Rc::clone(&got);
    let sender = server
        .local()
        .mailbox(move |letter: u32| gets.set(gets.get() + letter));
    assert_eq!((sender.send(1), sender.send(2)), (Ok(()), Ok(())));
    let full = sender.send(4).expect_err("two wait");
    assert!(format!("{full} {full:?}").ends_with("as may Full(..)"));
    while got.get() < 3 {
        server.turn(Some(Duration::from_secs(1))).expect("a turn");
    }
    sender.send(full.into_message()).expect("there is room");
    drop(server);
    let stopped = sender.send(8).expect_err("it has gone");
    assert!(format!("{stopped} {stopped:?}").ends_with("has ended Stopped(..)"));
    assert_eq!((stopped.into_message(), got.get()), (8, 3));
}

/// The kernel may hold more of it as long as it is read fast, and then little again.
pub(super) fn a_long_answer_that_is_read_fast_is_given_more_at_a_time(world: &World) {
    const LENGTH: usize = 24 << 20;
    world.set_net(Net {
        send_room: 1 << 20,
        peer_receive_room: 8 << 20,
        ..Net::default()
    });
    let content: Arc<[u8]> = vec![b'x'; LENGTH].into();
    let handler = move |_: &Request<'_>, res: ResponseWriter<'_>| {
        res.status(200).shared(Arc::clone(&content))
    };
    let server = Server::bind("127.0.0.1:80").expect("a free port");
    let mut server = server.event_loop(handler, ()).expect("it listens");
    let client = world.connect(80).expect("it listens");
    let before = world.calls(Call::SetOption);
    client.send(get("/").as_bytes());
    client.finish();
    let (mut got, mut part) = (0, Vec::new());
    while !client.has_end() {
        server.turn(Some(Duration::from_secs(1))).expect("a turn");
        part.clear();
        got += client.receive(&mut part, usize::MAX);
    }
    assert!(got > LENGTH);
    // More when it is known to be fast, less when it is over.
    assert_eq!(world.calls(Call::SetOption) - before, 2);
}

/// A server that runs on this thread until it is told to stop.
pub(super) fn a_server_runs_until_it_has_drained(world: &World) {
    let hello = |_: &Request<'_>, res: ResponseWriter<'_>| res.status(200).text("hello");
    for way in ["serve", "serve_with"] {
        let server = Server::bind("127.0.0.1:80").expect("a free port");
        let handle = Rc::new(RefCell::new(None));
        let stops = Rc::clone(&handle);
        let client = Rc::new(RefCell::new(None));
        let comes = Rc::clone(&client);
        world.after(Duration::from_millis(10), move |world| {
            let client = world.connect(80).expect("it listens");
            client.send(get("/").as_bytes());
            *comes.borrow_mut() = Some(client);
        });
        world.after(Duration::from_millis(500), move |_| {
            let handle: Option<Handle> = stops.borrow_mut().take();
            handle.expect("it is there").drain();
        });
        let report = if way == "serve" {
            let serving = server.serve(move |core| {
                assert_eq!(core, 0);
                hello
            });
            let serving = serving.expect("it listens");
            *handle.borrow_mut() = Some(serving.handle());
            serving.run()
        } else {
            let serving = server.serve_with(move |_| (hello, ())).expect("it listens");
            *handle.borrow_mut() = Some(serving.handle());
            serving.run()
        };
        assert_eq!(report.expect("it ends well").cut, 0, "{way}");
        let client = client.borrow_mut().take().expect("it came");
        let mut answer = Vec::new();
        client.receive(&mut answer, usize::MAX);
        assert!(answer.ends_with(b"hello"), "{way}");
    }
}

pub(super) fn every_trouble_says_what_to_do(_: &World) {
    let error = || std::io::Error::other("an error");
    for trouble in [
        Trouble::AcceptPaused(error(), 3),
        Trouble::AcceptFails(error()),
        Trouble::ConnectionLost(error()),
        Trouble::ListenerFailed(error()),
        Trouble::Refused,
        Trouble::Dropped,
        Trouble::HandlerPanicked,
        Trouble::JobPanicked,
        Trouble::LocalPanicked,
        Trouble::ContentFailed,
        Trouble::NoAnswer,
    ] {
        let said = trouble.to_string();
        assert!(said.len() > 20 && said.is_ascii(), "{said}");
    }
}
