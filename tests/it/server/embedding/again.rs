//! A server leaves nothing behind, and touches nothing that belongs to the process.

use core::time::Duration;
use std::io::PipeReader;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use edgeloop::server::Watch;
use edgeloop::sys::Interest;
use edgeloop::{Handler, Local, Reply, Request, ResponseWriter, Server};

use super::super::alone::{alone, descriptors, threads};
use super::super::client::Client;
use super::super::hand::Hand;
use super::super::running::{mirror, wait};
use super::super::{ms, patient};

/// Something of everything, none of which ends by itself.
fn busy(local: &Local) -> impl Handler + use<> {
    let kept = Rc::new(local.clone());
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let held = (Rc::clone(&kept), writer);
    let watched = local.watch(reader, Interest::READ, move |_: &mut PipeReader, _| {
        let _held = &held;
        Watch::Keep
    });
    watched.expect("watched");
    let held = Rc::clone(&kept);
    local.every(ms(1), move || drop(Rc::clone(&held)));
    let sender = local.mailbox(|(): ()| ());
    local.after(Duration::from_secs(60), move || drop(sender));
    move |req: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
        let _kept = &kept;
        mirror(req, res)
    }
}

#[test]
fn fifty_servers_one_after_the_other_leave_no_descriptor_and_no_thread() {
    alone(
        "server::embedding::again::fifty_servers_one_after_the_other_leave_no_descriptor_and_no_thread",
        || {
            let (before, running) = (descriptors(), threads());
            for round in 0..50 {
                let server = Server::bind("127.0.0.1:0").expect("a free port");
                let server = server.limits(patient()).cores(1 + round % 2);
                let serving = server
                    .serve_local(|local| (busy(local), ()))
                    .expect("listens");
                let address = super::super::running::ip(&serving.addresses()[0]);
                let handle = serving.handle();
                let thread = std::thread::spawn(move || serving.run());
                let mut kept = Client::connect(address);
                assert_eq!(kept.get("/").status, 200);
                let (ours, theirs) = std::os::unix::net::UnixStream::pair().expect("a pair");
                handle.adopt(OwnedFd::from(ours), b"GET /").expect("taken");
                if round % 3 == 0 {
                    handle.stop();
                } else {
                    handle.drain();
                }
                drop(theirs);
                kept.end();
                drop(kept);
                thread.join().expect("no panic").expect("no error");
                drop(handle);
                assert_eq!(descriptors(), before, "round {round}");
                wait("threads end", || threads() == running);
            }
            // Dropped in the middle of its work.
            for _ in 0..50 {
                let mut hand = Hand::new(patient(), mirror, ());
                let busy = busy(hand.event_loop.local());
                let mut client = hand.client();
                assert_eq!(hand.get(&mut client, "/").status, 200);
                drop((hand, busy, client));
                assert_eq!(descriptors(), before);
            }
        },
    );
}

/// Which signals the process catches and ignores and this thread blocks, as the kernel has it.
fn signals() -> Vec<String> {
    let status = std::fs::read_to_string("/proc/thread-self/status").expect("procfs");
    let lines = status.lines().filter(|line| line.starts_with("Sig"));
    // What is pending is no setting.
    let lines = lines.filter(|line| !line.starts_with("SigQ") && !line.starts_with("SigPnd"));
    lines.map(str::to_owned).collect()
}

#[test]
fn a_server_catches_ignores_and_blocks_no_signal() {
    alone(
        "server::embedding::again::a_server_catches_ignores_and_blocks_no_signal",
        || {
            let before = signals();
            assert_eq!(before.len(), 3, "{before:?}");
            let mut hand = Hand::new(patient(), mirror, ());
            let busy = busy(hand.event_loop.local());
            let mut client = hand.client();
            assert_eq!(hand.get(&mut client, "/").status, 200);
            // A client that goes while it is sent to is where SIGPIPE would come.
            client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n");
            client.send(vec![b'x'; 900_000]);
            client.reset();
            hand.settle();
            assert_eq!(signals(), before);
            let server = Server::bind("127.0.0.1:0").expect("a free port");
            let running = super::super::running::run(server.cores(2), |_| mirror);
            assert_eq!(running.client().get("/").status, 200);
            assert_eq!(signals(), before);
            drop((running, hand, busy));
            assert_eq!(signals(), before);
        },
    );
}
