//! In a simulated world nothing reaches the real kernel: the world runs in a process that ends at any call but those that a
//! thread makes for its memory.

use std::cell::RefCell;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use edgeloop::sys::sim::{Peer, PeerState, World};
use edgeloop::sys::{Epoll, file};
use edgeloop::{Completer, Pool, Request, ResponseWriter, Server};

use super::child::child;

/// Whatever else this thread asks of the kernel from now on ends the process (seccomp(2)).
fn allow_memory_only() {
    const ALLOWED: [i64; 15] = [
        libc::SYS_brk,
        libc::SYS_mmap,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_mprotect,
        libc::SYS_madvise,
        libc::SYS_futex,
        libc::SYS_sched_yield,
        // The seeds of std's hash maps.
        libc::SYS_getrandom,
        // A thread that ends.
        libc::SYS_rt_sigprocmask,
        libc::SYS_sigaltstack,
        libc::SYS_exit,
        libc::SYS_gettid,
        libc::SYS_rseq,
        libc::SYS_set_robust_list,
    ];
    let op = |code: u32, jt: u8, jf: u8, k: u32| libc::sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    let (load, equals) = (
        libc::BPF_LD | libc::BPF_W | libc::BPF_ABS,
        libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
    );
    // The number of the system call is what seccomp_data begins with.
    let mut program = vec![op(load, 0, 0, 0)];
    for number in ALLOWED {
        let number = u32::try_from(number).expect("a small number");
        program.push(op(equals, 0, 1, number));
        program.push(op(
            libc::BPF_RET | libc::BPF_K,
            0,
            0,
            libc::SECCOMP_RET_ALLOW,
        ));
    }
    program.push(op(
        libc::BPF_RET | libc::BPF_K,
        0,
        0,
        libc::SECCOMP_RET_KILL_PROCESS,
    ));
    let filter = libc::sock_fprog {
        len: u16::try_from(program.len()).expect("a short program"),
        filter: program.as_mut_ptr(),
    };
    nix::sys::prctl::set_no_new_privs().expect("it is always allowed");
    // SAFETY: the call reads the filter and its program, which outlive it.
    let set = unsafe {
        libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER,
            &raw const filter,
        )
    };
    assert_eq!(set, 0, "the kernel has filters");
}

/// Runs it in a thread that has its memory and nothing else.
fn apart(body: fn()) {
    let thread = thread::spawn(move || {
        allow_memory_only();
        body();
    });
    thread.join().expect("it did not panic");
}

fn receive(client: &Peer) -> String {
    let mut bytes = Vec::new();
    client.receive(&mut bytes, usize::MAX);
    String::from_utf8(bytes).expect("text")
}

/// Much of what a server does: it answers at once and later, from a thread and with a file, waits for a slow client, is told of one that
/// breaks off, runs out of descriptors, drains, and ends.
fn serve() {
    let world = World::new(1);
    let inside = world.enter();
    world.add_file("/www/file", Rc::from(vec![b'f'; 300_000]));
    let later: Rc<RefCell<Vec<Completer>>> = Rc::default();
    let completers = Rc::clone(&later);
    let pool = Pool::default();
    let handler = move |req: &Request<'_>, res: ResponseWriter<'_>| match req.path() {
        "/file" => {
            let root = file::open_root(Path::new("/www")).expect("it is there");
            let file = file::open_beneath(&root, b"file").expect("it is there");
            res.status(200).file(file, 0, 300_000)
        }
        "/later" => {
            let (completer, reply) = res.defer();
            completers.borrow_mut().push(completer);
            reply
        }
        "/work" => pool.run(res, || "worked\n", |text, res| res.status(200).text(text)),
        _ => res.status(200).text("hello\n"),
    };
    let server = Server::bind("127.0.0.1:80").expect("a free port");
    let mut server = server.event_loop(handler, ()).expect("it starts");
    let mut turns = |count: usize| {
        for _ in 0..count {
            server.turn(Some(Duration::ZERO)).expect("epoll works");
        }
    };
    let connect = || world.connect(80).expect("it listens");
    let (client, slow, broken) = (connect(), connect(), connect());
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    slow.send(b"GET /file HTTP/1.1\r\nHost: a\r\n\r\n");
    broken.send(b"GET /file HTTP/1.1\r\nHost: a\r\n\r\n");
    turns(5);
    assert!(receive(&client).ends_with("hello\n"));
    let completer = later.borrow_mut().pop().expect("it is asked");
    completer.finish(|res| res.status(200).text("late\n"));
    broken.reset();
    let mut file = String::new();
    while file.len() < 300_000 {
        turns(1);
        file += &receive(&slow);
    }
    assert!(receive(&client).ends_with("late\n"));
    client.send(b"GET /work HTTP/1.1\r\nHost: a\r\n\r\n");
    turns(2);
    world.advance(Duration::from_secs(1));
    turns(2);
    assert!(receive(&client).ends_with("worked\n"));
    world.set_descriptors_max(world.open_descriptors());
    let waiting = connect();
    turns(5);
    slow.finish();
    client.finish();
    turns(5);
    world.after(Duration::from_secs(1), |world| {
        world.set_descriptors_max(100);
    });
    for _ in 0..10 {
        server
            .turn(Some(Duration::from_secs(1)))
            .expect("epoll works");
    }
    assert_eq!(
        (slow.state(), client.state()),
        (PeerState::Finished, PeerState::Finished)
    );
    assert_eq!(server.connections(), 1);
    server.handle().drain();
    while !server.is_stopped() {
        server.turn(None).expect("epoll works");
    }
    drop((server, waiting, slow, client));
    assert_eq!(world.open_descriptors(), 0);
    drop(inside);
}

#[test]
#[ignore = "a process of its own, started by another test"]
fn a_server_in_a_world() {
    apart(serve);
}

#[test]
#[ignore = "a process of its own, started by another test"]
fn a_server_outside() {
    apart(|| {
        let _ = Server::bind("127.0.0.1:0");
    });
}

#[test]
#[ignore = "a process of its own, started by another test"]
fn one_call_after_the_world_was_left() {
    apart(|| {
        serve();
        let _ = Epoll::new();
    });
}

#[test]
fn a_server_in_a_world_makes_no_system_call() {
    let ended = child("sim::apart::a_server_in_a_world");
    assert!(ended.success(), "{ended}");
}

#[test]
fn a_system_call_would_be_noticed() {
    for test in ["a_server_outside", "one_call_after_the_world_was_left"] {
        let ended = child(&format!("sim::apart::{test}"));
        assert_eq!(ended.signal(), Some(libc::SIGSYS), "{test}: {ended}");
    }
}
