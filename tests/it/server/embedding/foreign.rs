//! The server inside loops of others. Each of them waits for what it watches or for the server's next deadline, so a wake-up
//! that is lost shows: a wait that is over by itself fails the test.

use core::time::Duration;
use std::io::{PipeReader, PipeWriter, Write, pipe};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::thread::JoinHandle;
use std::time::Instant;

use edgeloop::{EventLoop, Handler, Limits, Reply, Request, ResponseWriter, Server};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::super::client::Client;
use super::super::running::{ip, mirror};
use super::super::{PATIENCE, ms, patient};

const LARGE: usize = 5 << 20;

fn app(req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
    match req.path() {
        "/large" => res.status(200).body(vec![b'x'; LARGE]),
        "/timer" => {
            let local = res.local().clone();
            let (completer, reply) = res.defer();
            local.after(ms(20), move || {
                completer.finish(|res| res.status(200).text("at last"));
            });
            reply
        }
        "/thread" => {
            let (completer, reply) = res.defer();
            std::thread::spawn(move || completer.finish(|res| res.status(200).text("elsewhere")));
            reply
        }
        _ => mirror(req, res),
    }
}

fn server() -> (EventLoop<impl Handler, ()>, SocketAddr) {
    server_within(patient())
}

fn server_within(limits: Limits) -> (EventLoop<impl Handler, ()>, SocketAddr) {
    let server = Server::bind("127.0.0.1:0").expect("a free port");
    let address = ip(server.addresses().next().expect("one"));
    let event_loop = server.limits(limits).event_loop(app, ());
    (event_loop.expect("listens"), address)
}

/// Clients on a thread of their own, which says by the end of its pipe that they are done.
fn clients(addresses: Vec<SocketAddr>) -> (JoinHandle<()>, PipeReader) {
    let (done, end): (PipeReader, PipeWriter) = pipe().expect("a pipe");
    let thread = std::thread::spawn(move || {
        let _end = end;
        for address in addresses {
            let mut clients: Vec<_> = (0..3).map(|_| Client::connect(address)).collect();
            for path in ["/large", "/timer", "/thread", "/now"] {
                for client in &mut clients {
                    client.ask(path);
                }
                for client in &mut clients {
                    let answer = client.answer();
                    match path {
                        "/large" => assert_eq!(answer.body.len(), LARGE),
                        "/timer" => assert_eq!(answer.text(), "at last"),
                        "/thread" => assert_eq!(answer.text(), "elsewhere"),
                        _ => assert_eq!(answer.text(), "GET /now "),
                    }
                }
            }
            // Several in one packet, and a body in two.
            let client = &mut clients[0];
            client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n".repeat(100));
            for _ in 0..100 {
                assert_eq!(client.answer().text(), "GET /1 ");
            }
            client.send("POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab");
            std::thread::sleep(ms(5));
            client.send("cd");
            assert_eq!(client.answer().text(), "POST /2 abcd");
        }
    });
    (thread, done)
}

/// How long a host waits for this server.
fn until_due<H: Handler>(server: &EventLoop<H, ()>) -> Duration {
    server.next_deadline().unwrap_or(PATIENCE).min(PATIENCE)
}

fn finish(thread: JoinHandle<()>) {
    thread.join().expect("the clients got what they wanted");
}

/// Turns the server, and says whether it was quiet: it saw nothing and has left nothing.
fn turn<H: Handler>(server: &mut EventLoop<H, ()>) -> bool {
    let turn = server.turn(Some(Duration::ZERO)).expect("turns");
    turn.events == 0 && !turn.more
}

#[test]
fn in_an_epoll_loop_that_watches_it_level_triggered() {
    let (one, address) = server();
    hosted_by_epoll(vec![one], vec![address]);
}

#[test]
fn two_servers_in_one_loop_serve_side_by_side() {
    let (one, first) = server();
    let (other, second) = server();
    hosted_by_epoll(vec![one, other], vec![first, second, first]);
}

fn hosted_by_epoll<H: Handler>(mut servers: Vec<EventLoop<H, ()>>, addresses: Vec<SocketAddr>) {
    let (thread, done) = clients(addresses);
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).expect("an epoll");
    for (number, server) in (0..).zip(&servers) {
        let event = EpollEvent::new(EpollFlags::EPOLLIN, number);
        epoll.add(server, event).expect("it is watched");
    }
    let event = EpollEvent::new(EpollFlags::EPOLLIN, u64::MAX);
    epoll.add(&done, event).expect("it is watched");
    let mut events = [EpollEvent::empty(); 8];
    loop {
        let due = servers.iter().map(until_due).min().expect("one");
        let millis = u16::try_from(due.as_millis() + 1).expect("within the patience");
        let begun = Instant::now();
        let count = epoll
            .wait(&mut events, EpollTimeout::from(millis))
            .expect("waits");
        assert!(begun.elapsed() < PATIENCE, "nobody woke the host");
        for event in &events[..count] {
            match usize::try_from(event.data()) {
                Ok(number) if number < servers.len() => {
                    turn(&mut servers[number]);
                }
                _ => return finish(thread),
            }
        }
        for server in &mut servers {
            if until_due(server).is_zero() {
                turn(server);
            }
        }
    }
}

/// tokio's epoll is edge-triggered: readiness is taken back only after a turn that saw nothing and left nothing.
#[test]
fn in_a_tokio_program() {
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let (server, address) = server();
    let (thread, done) = clients(vec![address]);
    runtime.expect("a runtime").block_on(async {
        let done = tokio::net::unix::pipe::Receiver::from_owned_fd(done.into());
        let done = done.expect("a pipe");
        let host = async {
            // SAFETY: the descriptor of an event loop is open and the same one as long as the loop lives.
            let server = unsafe { AsyncFd::register_with_interest(server, Interest::READABLE) };
            let mut server = server.expect("watched");
            loop {
                let due = until_due(server.get_ref());
                if let Ok(ready) = tokio::time::timeout(due, server.readable_mut()).await {
                    let mut ready = ready.expect("tokio's loop lives");
                    if turn(ready.get_inner_mut()) {
                        ready.clear_ready();
                    }
                } else {
                    assert!(due < PATIENCE, "nobody woke the host");
                    turn(server.get_mut());
                }
                // Others on this thread get their turn whatever clients do.
                tokio::task::yield_now().await;
            }
        };
        let tasks = tokio::task::LocalSet::new();
        let host = tasks.run_until(async move {
            let host = tokio::task::spawn_local(host);
            done.readable().await.expect("its end can be read");
            host.abort();
            host.await
        });
        let ended = host.await.expect_err("it was to go on for ever");
        assert!(ended.is_cancelled(), "{ended}");
    });
    finish(thread);
}

#[test]
fn in_a_calloop_loop() {
    use calloop::generic::Generic;
    use calloop::{Interest, Mode, PostAction};

    struct Program<H> {
        server: EventLoop<H, ()>,
        done: bool,
    }
    fn run<H: Handler + 'static>(server: EventLoop<H, ()>, done: PipeReader) {
        let mut host = calloop::EventLoop::<Program<H>>::try_new().expect("a loop");
        // calloop owns what it watches; the server is the program's, so it gets a copy of the descriptor.
        let fd = server.as_fd().try_clone_to_owned().expect("a descriptor");
        let handle = host.handle();
        let ours = Generic::new(fd, Interest::READ, Mode::Level);
        handle
            .insert_source(ours, |_, _, program| {
                turn(&mut program.server);
                Ok(PostAction::Continue)
            })
            .expect("it is watched");
        let end = Generic::new(done, Interest::READ, Mode::Level);
        handle
            .insert_source(end, |_, _, program| {
                program.done = true;
                Ok(PostAction::Remove)
            })
            .expect("it is watched");
        let mut program = Program {
            server,
            done: false,
        };
        while !program.done {
            let due = until_due(&program.server);
            let begun = Instant::now();
            host.dispatch(Some(due), &mut program).expect("dispatches");
            assert!(begun.elapsed() < PATIENCE, "nobody woke the host");
            if until_due(&program.server).is_zero() {
                turn(&mut program.server);
            }
        }
    }
    let (server, address) = server();
    let (thread, done) = clients(vec![address]);
    run(server, done);
    finish(thread);
}

/// mio's registrations are edge-triggered, so the server is turned until it is quiet.
#[test]
fn in_a_mio_loop() {
    use mio::unix::SourceFd;
    use mio::{Events, Interest, Poll, Token};

    let (mut server, address) = server();
    let (thread, done) = clients(vec![address]);
    let (mut poll, mut events) = (Poll::new().expect("a poll"), Events::with_capacity(8));
    for (fd, number) in [(server.as_raw_fd(), 0), (done.as_raw_fd(), 1)] {
        let mut source = SourceFd(&fd);
        poll.registry()
            .register(&mut source, Token(number), Interest::READABLE)
            .expect("it is watched");
    }
    loop {
        let begun = Instant::now();
        poll.poll(&mut events, Some(until_due(&server)))
            .expect("polls");
        assert!(begun.elapsed() < PATIENCE, "nobody woke the host");
        if events.iter().any(|event| event.token() == Token(1)) {
            return finish(thread);
        }
        while !turn(&mut server) {}
    }
}

/// A drain goes on inside a loop of others, and is over when the server says so.
#[test]
fn a_nested_server_drains_and_says_that_it_has_stopped() {
    let (mut server, address) = server_within(patient());
    let mut client = Client::connect(address);
    client.ask("/timer");
    while !turn(&mut server) || server.connections() == 0 {}
    server.handle().drain();
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).expect("an epoll");
    let event = EpollEvent::new(EpollFlags::EPOLLIN, 0);
    epoll.add(&server, event).expect("it is watched");
    let mut events = [EpollEvent::empty(); 8];
    let begun = Instant::now();
    while !server.is_stopped() {
        assert!(begun.elapsed() < PATIENCE, "it does not stop");
        let millis = u16::try_from(until_due(&server).as_millis() + 1).expect("small");
        epoll
            .wait(&mut events, EpollTimeout::from(millis))
            .expect("waits");
        turn(&mut server);
        client.pump();
    }
    let answer = client.answer();
    assert_eq!((answer.text(), answer.closes()), ("at last", true));
}

/// What was registered between two turns wakes the host, and a timer that was set there is its next deadline.
#[test]
fn what_is_asked_of_a_loop_between_its_turns_is_not_forgotten() {
    let (mut server, _) = server();
    assert_eq!(server.next_deadline(), None);
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).expect("an epoll");
    let event = EpollEvent::new(EpollFlags::EPOLLIN, 0);
    epoll.add(&server, event).expect("it is watched");
    let (reader, mut writer) = pipe().expect("a pipe");
    let local = server.local().clone();
    let called = std::rc::Rc::new(core::cell::Cell::new(0));
    let calls = std::rc::Rc::clone(&called);
    let watched = local.watch(reader, edgeloop::sys::Interest::READ, move |_, _| {
        calls.set(calls.get() + 1);
        edgeloop::server::Watch::End
    });
    watched.expect("watched");
    writer.write_all(b"x").expect("room");
    let mut events = [EpollEvent::empty(); 8];
    let woken = epoll.wait(&mut events, EpollTimeout::from(5000u16));
    assert_eq!(woken.expect("waits"), 1);
    turn(&mut server);
    let calls = std::rc::Rc::clone(&called);
    local.after(ms(5), move || calls.set(calls.get() + 1));
    let due = server.next_deadline().expect("the timer's");
    assert!(due <= ms(5), "{due:?}");
    while called.get() < 2 {
        std::thread::sleep(until_due(&server));
        turn(&mut server);
    }
}
