//! Several workers: each with a handler of its own, started and stopped together.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::thread::ThreadId;

use edgeloop::sys::process;
use edgeloop::{Handler, Reply, Request, ResponseWriter, Server};

use super::client::Client;
use super::patient;
use super::running::{Running, mirror, run, wait};

/// What is not `Send`, and made once a core.
struct PerCore {
    core: usize,
    requests: Rc<Cell<u64>>,
}

impl Handler for PerCore {
    fn on_request(&mut self, _: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
        self.requests.set(self.requests.get() + 1);
        let thread: ThreadId = std::thread::current().id();
        let processors = process::processors().map_or(0, |all| all.len());
        let (core, requests) = (self.core, self.requests.get());
        res.status(200)
            .body(format!("{core} {requests} {processors} {thread:?}"))
    }
}

fn two_cores(pinned: bool) -> Running {
    let server = Server::bind("127.0.0.1:0").expect("a free port");
    let server = if pinned { server.pinned() } else { server };
    run(server.cores(2).limits(patient()), |core| PerCore {
        core,
        requests: Rc::default(),
    })
}

/// Connects until both cores have answered: a client of each, and its answer.
fn one_of_each(server: &Running) -> [(Client, String); 2] {
    let (mut first, mut second) = (None, None);
    for _ in 0..1000 {
        let mut client = server.client();
        let text = client.get("/").text().to_owned();
        match &text[..1] {
            "0" => first = Some((client, text)),
            _ => second = Some((client, text)),
        }
        if first.is_some() && second.is_some() {
            break;
        }
    }
    // The others have gone, and are forgotten before anybody counts.
    wait("two are left", || {
        server.log.accepted() == server.log.closed().len() + 2
    });
    [
        first.expect("core 0 answers"),
        second.expect("core 1 answers"),
    ]
}

#[test]
fn each_core_answers_on_its_own_thread_with_its_own_handler() {
    let server = two_cores(false);
    let mut threads = BTreeSet::new();
    for (mut client, text) in one_of_each(&server) {
        let before: Vec<_> = text.split(' ').collect();
        let again = client.get("/");
        let after: Vec<_> = again.text().split(' ').collect();
        assert_eq!(before[0], after[0], "a connection stays");
        assert_eq!(before[3], after[3]);
        let requests = |words: &[&str]| words[1].parse::<u64>().expect("a number");
        assert_eq!(requests(&after), requests(&before) + 1);
        threads.insert(after[3].to_owned());
    }
    assert_eq!(threads.len(), 2);
}

#[test]
fn a_drain_and_a_stop_end_all_cores() {
    for drain in [true, false] {
        let server = two_cores(false);
        let clients = one_of_each(&server);
        if drain {
            server.handle.drain();
        } else {
            server.handle.stop();
        }
        for (mut client, _) in clients {
            client.end();
        }
        let accepted = server.log.accepted() as u64;
        let report = server.join();
        assert_eq!(report.cut, if drain { 0 } else { 2 });
        // Each client has asked once, whichever core it came to.
        let (opened, requests) = (report.counters.opened, report.counters.requests);
        assert_eq!((opened, requests), (accepted, accepted));
    }
}

#[test]
fn pinned_workers_have_a_processor_each() {
    let server = two_cores(true);
    for (_, text) in one_of_each(&server) {
        assert_eq!(text.split(' ').nth(2), Some("1"), "{text}");
    }
}

#[test]
fn a_factory_that_panics_on_any_core_stops_them_all() {
    for panics in [0, 1] {
        let server = Server::bind("127.0.0.1:0").expect("a free port");
        let serving = server.cores(2).limits(patient()).serve(move |core| {
            assert_ne!(core, panics, "for a test");
            mirror
        });
        let serving = serving.expect("listens");
        let running = std::thread::spawn(move || serving.run());
        wait("all cores have ended", || running.is_finished());
        match running.join() {
            Err(_) => assert_eq!(panics, 0, "it goes on unwinding on the caller's thread"),
            Ok(ended) => assert!(ended.is_err() && panics == 1, "{ended:?}"),
        }
    }
}

#[test]
fn an_address_in_use_is_an_error_with_any_number_of_cores() {
    let server = two_cores(false);
    let error = Server::bind(&server.address.to_string()).expect_err("it is in use");
    assert!(error.to_string().contains("cannot listen on"), "{error}");
}
