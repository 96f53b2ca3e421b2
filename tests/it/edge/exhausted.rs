//! What accepting does when something is wrong: rule 5. Descriptors run out in processes of their own.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, IntoRawFd};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use edgeloop::reactor::Token;
use edgeloop::server::Trouble;
use edgeloop::{Limits, Observer, Server};
use nix::sys::resource::{Resource, setrlimit};

use super::client::{Client, End};
use super::serve::{Hand, Happened, PATIENCE, Watch, app, ip};

const DESCRIPTORS: u64 = 64;
const CLIENTS: usize = 200;
/// For all clients together, on a machine that has other things to do.
const ALL: Duration = Duration::from_secs(20);

/// This test binary once more, to run one test that is otherwise ignored.
pub(super) fn child(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("it has a path"));
    command.args(["--exact", "--ignored", "--nocapture", test]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// A server in a process of its own with few descriptors, and what it has to say.
struct Poor {
    process: Child,
    address: SocketAddr,
    lines: mpsc::Receiver<String>,
}

/// With as many connections as it thinks it can have, or with as many as it can never have.
fn poor(test: &str) -> Poor {
    let mut process = child(test)
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let output = BufReader::new(process.stdout.take().expect("piped"));
    let (tell, lines) = mpsc::channel();
    thread::spawn(move || {
        // Until the process ends; nobody may listen any more.
        for line in output.lines().map_while(Result::ok) {
            let _ = tell.send(line);
        }
    });
    let address = loop {
        let line = lines.recv_timeout(PATIENCE).expect("it says where");
        if let Some((_, address)) = line.split_once("serves at ") {
            break address.parse().expect("an address");
        }
    };
    Poor {
        process,
        address,
        lines,
    }
}

impl Poor {
    /// Processor time that it has used (proc_pid_stat(5)), in hundredths of a second.
    fn ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id()));
        let stat = stat.expect("it lives");
        let (_, fields) = stat.rsplit_once(')').expect("its name is in brackets");
        let field = |number: usize| fields.split_whitespace().nth(number - 3);
        let number = |text: Option<&str>| text.and_then(|text| text.parse::<u64>().ok());
        number(field(14)).expect("utime") + number(field(15)).expect("stime")
    }

    /// How often it has said that accepting pauses.
    fn pauses(&self) -> usize {
        let lines = self.lines.try_iter();
        lines
            .filter(|line| line.contains("accepting pauses"))
            .count()
    }
}

impl Drop for Poor {
    fn drop(&mut self) {
        // It may have ended by itself, which is another failure.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

struct Tells;

impl Observer for Tells {
    fn accepted(&mut self, _: Token) {}

    fn trouble(&mut self, trouble: &Trouble) {
        if matches!(trouble, Trouble::AcceptPaused(..)) {
            println!("{trouble}");
        }
    }
}

fn serve_with_few_descriptors(connections_max: Option<usize>) {
    setrlimit(Resource::RLIMIT_NOFILE, DESCRIPTORS, DESCRIPTORS).expect("less is allowed");
    let limits = Limits {
        connections_max,
        ..Limits::default()
    };
    let server = Server::bind("127.0.0.1:0").expect("a free port");
    let address = ip(server.addresses().next());
    let event_loop = server.limits(limits).event_loop(app, Tells);
    println!("\nserves at {address}");
    event_loop.expect("starts").run().expect("epoll works");
}

#[test]
#[ignore = "a process of its own, started by another test"]
fn with_more_connections_than_descriptors() {
    serve_with_few_descriptors(Some(1000));
}

#[test]
#[ignore = "a process of its own, started by another test"]
fn with_the_connections_that_its_descriptors_allow() {
    serve_with_few_descriptors(None);
}

const LAST_REQUEST: &str = "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";

#[test]
fn rule_5_without_descriptors_accepting_pauses_does_not_spin_and_goes_on() {
    let poor = poor("edge::exhausted::with_more_connections_than_descriptors");
    let mut clients: Vec<Client> = (0..CLIENTS)
        .map(|_| Client::connect(poor.address))
        .collect();
    // More than there are descriptors are connected and say nothing: those behind them wait in the queue.
    let before = (poor.ticks(), Instant::now());
    let mut pauses = 0;
    while before.1.elapsed() < Duration::from_millis(1200) {
        pauses += poor.pauses();
        thread::sleep(Duration::from_millis(20)); // it is the time that is measured
    }
    assert!((1..=10).contains(&pauses), "{pauses} pauses in a second");
    let used = poor.ticks() - before.0;
    assert!(used < 40, "{used} hundredths of a second in one second");

    for client in &mut clients {
        client.send(LAST_REQUEST);
    }
    let begin = Instant::now();
    let mut waiting = clients;
    while !waiting.is_empty() {
        assert!(begin.elapsed() < ALL, "{} are not served", waiting.len());
        waiting.retain_mut(|client| {
            client.receive();
            client.end.is_none() || {
                assert_eq!(
                    (client.statuses(), client.end),
                    (vec![200], Some(End::Finished))
                );
                false
            }
        });
        thread::sleep(Duration::from_millis(1)); // between two looks
    }
    // It hears new ones as before.
    let mut client = Client::connect(poor.address);
    client.send(LAST_REQUEST);
    super::serve::wait_until("an answer", || {
        client.receive();
        client.end.is_some()
    });
    assert_eq!(client.statuses(), [200]);
    let pauses = poor.pauses();
    assert!(pauses <= 2 * CLIENTS, "{pauses} pauses");
}

#[test]
fn rule_5_with_the_limit_that_follows_from_the_descriptors_all_clients_are_served_in_the_end() {
    let poor = poor("edge::exhausted::with_the_connections_that_its_descriptors_allow");
    let connect = || {
        let mut client = Client::connect(poor.address);
        client.send(LAST_REQUEST);
        client
    };
    let mut waiting: Vec<Client> = (0..CLIENTS).map(|_| connect()).collect();
    let (begin, mut tries) = (Instant::now(), CLIENTS);
    while !waiting.is_empty() {
        assert!(begin.elapsed() < ALL, "{} are not served", waiting.len());
        // Whoever had no room tries again.
        waiting.retain_mut(|client| {
            client.receive();
            if client.end.is_some() && client.statuses() != [200] {
                *client = connect();
                tries += 1;
            }
            client.end.is_none()
        });
        thread::sleep(Duration::from_millis(1)); // between two looks
    }
    // Nobody holds a connection now, and it is at rest.
    let before = poor.ticks();
    thread::sleep(Duration::from_millis(500)); // it is the time that is measured
    let used = poor.ticks() - before;
    assert!(used < 20, "{used} hundredths of a second in half a one");
    assert!(poor.pauses() <= 2 * tries, "{tries} tries");
}

/// Shutting a listener down makes accept(2) fail for good.
#[test]
fn rule_5_a_listener_that_breaks_is_given_up_and_the_connections_go_on() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it has one");
    let copy = listener.as_fd().try_clone_to_owned().expect("a descriptor");
    let server = Server::bind(&format!("fd:{}", copy.into_raw_fd())).expect("it listens");
    let watch = Watch::default();
    let mut hand = Hand::of(server, app, watch.clone());
    assert_eq!(hand.address, address);
    let mut client = hand.connect();
    nix::sys::socket::shutdown(
        std::os::fd::AsRawFd::as_raw_fd(&listener),
        nix::sys::socket::Shutdown::Read,
    )
    .expect("a socket");
    hand.settle();
    let troubles = || {
        let log = watch.0.borrow();
        let troubles = log.iter().filter(|it| matches!(it, Happened::Trouble(_)));
        troubles.count()
    };
    assert_eq!(troubles(), 1, "{:?}", watch.0.borrow());
    for _ in 0..10 {
        assert_eq!(hand.turn().events, 0, "it does not spin");
    }
    client.get("/");
    hand.answers(&mut client, 1);
    assert_eq!(troubles(), 1);
}
