//! What is opened is closed, and what is started ends.

use std::sync::mpsc;

use edgeloop::{Reply, Request, ResponseWriter, Server};

use super::alone::{alone, descriptors, threads};
use super::client::Client;
use super::patient;
use super::running::{mirror, run, serve, wait};

#[test]
fn ten_thousand_connections_leave_no_descriptor() {
    alone(
        "server::descriptors::ten_thousand_connections_leave_no_descriptor",
        || {
            let (to, _deferred) = mpsc::channel();
            let server = serve(
                patient(),
                move |req: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
                    if req.path() == "/later" {
                        let (completer, reply) = res.defer();
                        let _ = to.send(completer); // kept, and never used
                        return reply;
                    }
                    mirror(req, res)
                },
            );
            assert_eq!(server.client().get("/").status, 200);
            server.log.wait_closed(1);
            let before = descriptors();
            for number in 0..10_000 {
                let mut client = Client::connect(server.address);
                match number % 10 {
                    0 => {}
                    1 => client.send("GET / HT"),
                    2 => {
                        client.ask("/later");
                        client.reset();
                    }
                    3 => client.send("GET / HTTP/1.1\r\n\r\n"),
                    4 => client.ask("/unread"),
                    _ => {
                        client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
                        assert_eq!(client.answer().status, 200);
                    }
                }
            }
            server.log.wait_closed(10_001);
            assert_eq!(descriptors(), before);
        },
    );
}

#[test]
fn a_server_that_has_stopped_leaves_no_descriptor_and_no_thread() {
    alone(
        "server::descriptors::a_server_that_has_stopped_leaves_no_descriptor_and_no_thread",
        || {
            let (before, running) = (descriptors(), threads());
            for round in 0..20 {
                let server = Server::bind("127.0.0.1:0").expect("a free port");
                let server = run(server.cores(1 + round % 3).limits(patient()), |_| mirror);
                let mut kept = server.client();
                assert_eq!(kept.get("/").status, 200);
                assert!(threads() > running && descriptors().len() > before.len());
                if round % 2 == 0 {
                    server.handle.drain();
                } else {
                    server.handle.stop();
                }
                kept.end();
                drop(kept);
                server.join();
                assert_eq!(descriptors(), before);
                // A thread that was joined may be in the kernel's list for a moment.
                wait("threads end", || threads() == running);
            }
            // One that never ran, and one that never was to serve.
            let server = Server::bind("127.0.0.1:0").expect("a free port");
            drop(server.cores(2).serve_fn(mirror).expect("listens"));
            drop(Server::bind("127.0.0.1:0"));
            let server = Server::bind("127.0.0.1:0").expect("a free port");
            drop(server.event_loop(mirror, ()).expect("listens"));
            assert_eq!(descriptors(), before);
        },
    );
}

#[test]
fn a_port_can_be_served_again_at_once() {
    let mut server = serve(patient(), mirror);
    for _ in 0..5 {
        let mut kept = server.client();
        assert_eq!(kept.get("/").status, 200);
        let address = server.address.to_string();
        server.handle.drain();
        kept.end();
        drop(kept);
        server.join();
        let again = Server::bind(&address).expect("it is free again");
        server = run(again.limits(patient()), |_| mirror);
    }
}
