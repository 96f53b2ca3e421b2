//! What a program has on the server's loop, in a world: its own listener, whose connections it gives to the server, a pipe,
//! timers, and connections that it takes back.

use core::cell::{Cell, RefCell};
use core::time::Duration;
use std::rc::Rc;

use edgeloop::server::{Observer, Trouble, Watch};
use edgeloop::sys::sim::{Peer, PeerState, Plan, World};
use edgeloop::sys::socket::{self, AcceptError, More};
use edgeloop::sys::{Address, Fd, Instant, Interest};
use edgeloop::{EventLoop, Handler, Local, Reply, Request, ResponseWriter, Server};

use super::run::Said;
use super::scenes::Fault;

const SECOND: Duration = Duration::from_secs(1);

fn hello(req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
    if req.path() == "/later" {
        let local = res.local().clone();
        let (completer, reply) = res.defer();
        local.after(SECOND, move || {
            completer.finish(|res| res.status(200).text("late\n"));
        });
        return reply;
    }
    if req.path() == "/out" {
        return res.status(200).take_out("out\n", |taken| {
            // It speaks on, and hangs up.
            let _ = socket::send(&taken.fd, b"spoken outside", More::No);
        });
    }
    res.status(200).text("hello\n")
}

/// Gives every connection of this listener to the loop that watches it.
fn give_away(local: &Local, listener: Fd) -> std::io::Result<()> {
    let (adopts, mut failed) = (local.clone(), 0);
    let watched = local.watch(listener, Interest::READ, move |listener: &mut Fd, _| {
        match socket::accept(listener) {
            Ok(fd) => {
                failed = 0;
                let _ = adopts.adopt(fd, b""); // what can't be served is closed
                Watch::Keep
            }
            Err(AcceptError::NobodyWaits | AcceptError::OneLost(_)) if failed < 10 => {
                failed += 1;
                Watch::Keep
            }
            // It would be told for ever that somebody waits.
            Err(_) => Watch::End,
        }
    });
    watched.map(drop)
}

/// Reads what comes through it.
fn read_pipe(local: &Local, read: &Rc<RefCell<Vec<u8>>>) -> std::io::Result<Fd> {
    let (ours, theirs) = socket::pair()?;
    let read = Rc::clone(read);
    let watched = local.watch(ours, Interest::STREAM, move |ours: &mut Fd, _| {
        let mut bytes = [0; 64];
        loop {
            match socket::recv(ours, &mut bytes) {
                Ok(0) => return Watch::End,
                Ok(count) => read.borrow_mut().extend_from_slice(&bytes[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Watch::Keep,
                Err(_) => return Watch::End,
            }
        }
    });
    watched.map(|_| theirs)
}

fn text(client: &Peer) -> String {
    let mut bytes = Vec::new();
    client.receive(&mut bytes, usize::MAX);
    String::from_utf8(bytes).expect("text")
}

fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes()
}

/// With a fault, what is promised is that it ends, has left nothing, and says why if it could not begin.
pub(super) fn program(world: &World, fault: &Fault) -> Said<Option<String>> {
    let cannot =
        |what: &str, error: &dyn std::fmt::Display| Ok(Some(format!("cannot {what}: {error}")));
    let server = Server::bind("127.0.0.1:80").and_then(|it| it.event_loop(hello, ()));
    let mut server = match server {
        Ok(server) => server,
        Err(error) => return Ok(Some(error.to_string())),
    };
    let address: Address = "127.0.0.1:81".parse().expect("an address");
    let listener = match socket::listen_on(&address) {
        Ok(listener) => listener,
        Err(error) => return cannot("listen", &error),
    };
    let local = server.local().clone();
    if let Err(error) = give_away(&local, listener) {
        return cannot("watch the listener", &error);
    }
    let read = Rc::default();
    let pipe = match read_pipe(&local, &read) {
        Ok(pipe) => pipe,
        Err(error) => return cannot("watch a pipe", &error),
    };
    let ticks = Rc::new(Cell::new(0));
    let counts = Rc::clone(&ticks);
    local.every(SECOND, move || counts.set(counts.get() + 1));
    world.after(3 * SECOND, move |_| {
        let _ = socket::send(&pipe, b"through a pipe", More::No);
    });
    let clients: Vec<Option<Peer>> = [80, 81, 81, 81].map(|port| world.connect(port)).into();
    for (client, path) in clients.iter().zip(["/", "/", "/later", "/out"]) {
        if let Some(client) = client {
            client.send(&get(path));
        }
    }
    let begun = world.now();
    while world.now().since(begun) < 9 * SECOND / 2 {
        if let Err(error) = server.turn(Some(SECOND)) {
            return Ok(Some(error.to_string()));
        }
    }
    let mut failures = Vec::new();
    if fault.plan_is_sound() {
        let wanted = ["hello\n", "hello\n", "late\n", "spoken outside"];
        for (client, wanted) in clients.iter().zip(wanted) {
            let got = client.as_ref().map(text).unwrap_or_default();
            if !got.ends_with(wanted) {
                failures.push(format!("{got:?}, not {wanted:?}"));
            }
        }
        if (ticks.get(), &read.borrow()[..]) != (5, b"through a pipe") {
            failures.push(format!("{} ticks, {:?}", ticks.get(), read.borrow()));
        }
    }
    drop((server, clients));
    if failures.is_empty() {
        Ok(None)
    } else {
        Err(failures)
    }
}

pub(super) fn a_program_around_a_server(world: &World) {
    let fault = Fault::none();
    assert_eq!(program(world, &fault), Ok(None));
}

impl Fault {
    fn plan_is_sound(&self) -> bool {
        matches!(self.plan, Plan::Sound)
    }
}

/// A server in a world, turned by the test.
fn server() -> (EventLoop<impl Handler, ()>, Local) {
    let server = Server::bind("127.0.0.1:80").expect("free");
    let server = server.event_loop(hello, ()).expect("listens");
    let local = server.local().clone();
    (server, local)
}

pub(super) fn timers_come_at_their_time_to_the_millisecond(world: &World) {
    let (mut server, local) = server();
    let begun = world.now();
    let called: Rc<RefCell<Vec<(u64, Instant)>>> = Rc::default();
    let millis = [0, 1, 999, 60_000, 86_400_000];
    for time in millis.into_iter().rev() {
        let called = Rc::clone(&called);
        local.after(Duration::from_millis(time), move || {
            called.borrow_mut().push((time, Instant::now()));
        });
    }
    while called.borrow().len() < millis.len() {
        server.turn(None).expect("turns");
    }
    for ((time, at), wanted) in called.borrow().iter().zip(millis) {
        assert_eq!(*time, wanted, "in the order of their times");
        let late = at.since(begun).checked_sub(Duration::from_millis(wanted));
        assert!(late < Some(Duration::from_millis(2)), "{wanted}: {late:?}");
    }
}

pub(super) fn a_timer_that_repeats_keeps_its_beat_and_leaves_out_what_was_missed(world: &World) {
    let (mut server, local) = server();
    let begun = world.now();
    let called: Rc<RefCell<Vec<u64>>> = Rc::default();
    let calls = Rc::clone(&called);
    let id = local.every(SECOND, move || {
        let tenths = Instant::now().since(begun).as_millis() / 100;
        calls
            .borrow_mut()
            .push(u64::try_from(tenths).expect("small"));
    });
    let until = |server: &mut EventLoop<_, ()>, count: usize| {
        while called.borrow().len() < count {
            server.turn(None).expect("turns");
        }
    };
    until(&mut server, 3);
    world.advance(Duration::from_millis(5_500));
    until(&mut server, 6);
    // At 8.5 s it is called once for all that it has missed, and from then on a second apart.
    assert_eq!(*called.borrow(), [10, 20, 30, 85, 95, 105]);
    assert!(local.cancel(id));
    world.advance(10 * SECOND);
    server.turn(Some(10 * SECOND)).expect("turns");
    assert_eq!(called.borrow().len(), 6);
}

/// In a world whose epoll takes no changes any more.
pub(super) fn a_watch_that_cannot_be_changed_ends_and_is_told(world: &World) {
    struct Told(Rc<RefCell<Vec<String>>>);
    impl Observer for Told {
        fn trouble(&mut self, trouble: &Trouble) {
            self.0.borrow_mut().push(trouble.to_string());
        }
    }
    let told = Rc::default();
    let server = Server::bind("127.0.0.1:80").expect("free");
    let observer = Told(Rc::clone(&told));
    let mut server = server.event_loop(hello, observer).expect("listens");
    let (ours, theirs) = socket::pair().expect("a pair");
    let watched = server
        .local()
        .watch(ours, Interest::WRITE, |_, _| Watch::Change(Interest::READ));
    let id = watched.expect("watched");
    world.set_plan(Plan::At {
        call: edgeloop::sys::sim::Call::EpollControl,
        errno: libc::ENOMEM,
        nth: 1 + world.calls(edgeloop::sys::sim::Call::EpollControl),
        for_good: false,
    });
    server.turn(Some(Duration::ZERO)).expect("turns");
    assert_eq!(told.borrow().len(), 1);
    assert!(told.borrow()[0].contains("no longer"), "{told:?}");
    assert!(!server.local().cancel(id));
    let end = socket::recv(&theirs, &mut [0]);
    assert_eq!(end.expect("it was dropped"), 0);
}

/// Nothing of a connection that was given away is known to the loop, whatever its client does.
pub(super) fn what_was_taken_out_makes_no_event(world: &World) {
    let kept: Rc<RefCell<Vec<Fd>>> = Rc::default();
    let keeps = Rc::clone(&kept);
    let handler = move |_: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
        let keeps = Rc::clone(&keeps);
        res.take_out(move |taken| keeps.borrow_mut().push(taken.fd))
    };
    let server = Server::bind("127.0.0.1:80").expect("free");
    let mut server = server.event_loop(handler, ()).expect("listens");
    let client = world.connect(80).expect("it listens");
    client.send(&get("/"));
    while kept.borrow().is_empty() {
        server.turn(None).expect("turns");
    }
    client.send(b"more");
    client.finish();
    let turn = server.turn(Some(SECOND)).expect("turns");
    assert_eq!(
        (turn.events, turn.more, server.connections()),
        (0, false, 0)
    );
    let mut bytes = [0; 8];
    let read = socket::recv(&kept.borrow()[0], &mut bytes).expect("it is open");
    assert_eq!(&bytes[..read], b"more");
    kept.borrow_mut().clear();
    assert_eq!(client.state(), PeerState::Finished);
}
