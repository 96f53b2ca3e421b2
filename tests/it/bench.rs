//! `edgeloop bench` as it is met: beside servers that do what it counts on, and beside some that do not.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use edgeloop::{Handle, Reply, Request, ResponseWriter, Server};
use nix::sys::signal::Signal;
use serde_json::Value;

use super::process::{Ended, Process, Scratch, within};

fn bench(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_edgeloop"));
    command.arg("bench").args(words).stdin(Stdio::null());
    command
}

/// Runs to the end: the exit status, what the report says, and the lines on stderr.
fn report(words: &[&str]) -> (Option<i32>, Value, Vec<String>) {
    read(Process::start(bench(words).arg("--json")).end())
}

fn read(Ended { status, out, err }: Ended) -> (Option<i32>, Value, Vec<String>) {
    let text = out.join("\n");
    let json = serde_json::from_str(&text).unwrap_or_else(|why| panic!("{why}: {text} {err:?}"));
    (status, json, err)
}

/// A run that goes well.
fn good(words: &[&str]) -> Value {
    let (status, json, err) = report(words);
    assert_eq!((status, err), (Some(0), vec![]), "{words:?}: {json:#}");
    json
}

/// One of our servers, on a thread of its own.
struct Beside {
    url: String,
    requests: Arc<AtomicU64>,
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

impl Beside {
    fn start(
        mut answer: impl FnMut(u64, &Request<'_>, ResponseWriter<'_>) -> Reply + Send + 'static,
    ) -> Beside {
        let requests = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&requests);
        let (tell, told) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            let handler = move |req: &Request<'_>, res: ResponseWriter<'_>| {
                answer(count.fetch_add(1, Ordering::Relaxed), req, res)
            };
            let server = Server::bind("127.0.0.1:0").expect("an address");
            let mut server = server.event_loop(handler, ()).expect("a free port");
            let address = server.addresses()[0].to_string();
            tell.send((address, server.handle())).expect("a listener");
            while !server.is_stopped() {
                server.turn(None).expect("a loop in order");
            }
        });
        let (url, handle) = told.recv().expect("it starts");
        let thread = Some(thread);
        Beside {
            url,
            requests,
            handle,
            thread,
        }
    }

    fn hello() -> Beside {
        Beside::start(|_, _, res| res.status(200).text("hello\n"))
    }

    fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.handle.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A server that does to every connection what it is told. It is gone with the test's process.
fn raw(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let serve = Arc::clone(&serve);
            thread::spawn(move || serve(client));
        }
    });
    format!("http://{address}/")
}

/// Reads to the end of a head; false at the end of the stream.
fn read_head(client: &mut TcpStream) -> bool {
    let mut last = [0; 4];
    let mut byte = [0];
    while last != *b"\r\n\r\n" {
        if !client.read(&mut byte).is_ok_and(|count| count > 0) {
            return false;
        }
        last = [last[1], last[2], last[3], byte[0]];
    }
    true
}

#[test]
fn a_count_is_exact_in_every_way_of_asking() {
    for words in [
        &[] as &[&str],
        &["--connections=1"],
        &["--depth=16", "--connections=5"],
        &["--depth=1024", "--connections=3"],
        &["--split=7", "--connections=4", "--depth=3"],
        &["--churn", "--connections=8"],
        &["--rate=5000"],
        &["--rate=5000", "--depth=4", "--connections=2"],
        &["--rate=2000", "--churn"],
    ] {
        let server = Beside::hello();
        let json = good(&[&[&server.url, "--requests=1000"], words].concat());
        assert_eq!(json["answered"], 1000, "{words:?}");
        assert_eq!(json["failed"], 0, "{words:?}");
        assert_eq!(json["statuses"]["200"], 1000, "{words:?}");
        assert_eq!(server.requests(), 1000, "{words:?}");
        if words.contains(&"--churn") {
            assert_eq!(json["connections_opened"], 1000);
        }
    }
}

#[test]
fn a_rate_is_kept_and_the_warm_up_left_out() {
    let server = Beside::hello();
    let words = ["--rate=200", "--duration=1s", "--warm-up=500ms"];
    let json = good(&[&[&*server.url], &words as &[_]].concat());
    assert_eq!(json["answered"], 200);
    assert_eq!(json["measured_s"], 1.0);
    assert_eq!(server.requests(), 300);
}

/// In a closed loop one request of the hundred would have seen it.
#[test]
fn a_stall_counts_for_every_request_that_it_delays() {
    let server = Beside::start(|number, _, res| {
        if number == 0 {
            thread::sleep(Duration::from_millis(900));
        }
        res.status(200).text("")
    });
    let words = ["--rate=100", "--duration=1s", "--warm-up=0s"];
    for connections in ["--connections=1", "--connections=200"] {
        server.requests.store(0, Ordering::Relaxed);
        let json = good(&[&[&*server.url, connections], &words as &[_]].concat());
        assert_eq!(json["answered"], 100);
        // What should have begun in the first 600 ms waited for 300 at the least.
        let median = json["time_ns"]["percentiles"]["50"].as_u64();
        assert!(median >= Some(300_000_000), "{json:#}");
    }
}

#[test]
fn what_is_sent_is_what_was_asked_for() {
    let dir = Scratch::new("bench-body");
    let body = dir.file("body", vec![b'x'; 100_000]);
    let server = Beside::start(|_, req, res| {
        let fits = req.method() == "PUT"
            && req.path() == "/a"
            && req.field("x-a") == Some(b"b c")
            && req.field("host") == Some(b"example.org")
            && req.body().len() == 100_000
            && req.body().iter().all(|byte| *byte == b'x');
        res.status(if fits { 201 } else { 400 }).text("")
    });
    let url = format!("{}a?b", server.url);
    for split in ["--split=1048576", "--split=5000"] {
        let words = [
            &url,
            "--method=PUT",
            "--header=X-A:  b c",
            "--header=Host: example.org",
            "--body-file",
            body.to_str().expect("UTF-8"),
            "--requests=20",
            "--connections=3",
            "--depth=2",
            split,
        ];
        assert_eq!(good(&words)["statuses"]["201"], 20);
    }
    let json = good(&[&server.url, "--method=HEAD", "--requests=50", "--depth=4"]);
    assert_eq!(json["statuses"]["400"], 50);
}

#[test]
fn a_unix_socket_can_be_asked() {
    let dir = Scratch::new("bench-unix");
    dir.file("a", "b");
    let socket = dir.path().join("socket");
    let listen = format!("unix:{}", socket.display());
    let mut command = Command::new(env!("CARGO_BIN_EXE_edgeloop"));
    command
        .arg("serve")
        .arg(dir.path())
        .args(["--listen", &listen]);
    let server = Process::start(command.stdin(Stdio::null()));
    server.line();
    let json = good(&[&format!("{listen}:/a"), "--requests=100"]);
    assert_eq!(json["statuses"]["200"], 100);
}

#[test]
fn statuses_are_told_apart_and_are_answers() {
    let server = Beside::start(|number, _, res| {
        let status = [200, 404, 500, 503][number as usize % 4];
        res.status(status).text("")
    });
    let json = good(&[&server.url, "--requests=400"]);
    assert_eq!(json["status_classes"]["2xx"], 100);
    assert_eq!(json["status_classes"]["5xx"], 200);
    assert_eq!(json["statuses"]["503"], 100);
    let Ended { status, out, .. } =
        Process::start(&mut bench(&[&server.url, "--requests=4"])).end();
    assert_eq!(status, Some(0));
    assert!(
        out.iter().any(|line| line.contains("1 with 404")),
        "{out:#?}"
    );
}

#[test]
fn faults_are_told_apart() {
    let cases: [(&str, String, &str); 7] = [
        (
            "bad_answer",
            raw(|mut client| {
                read_head(&mut client);
                let _ = client.write_all(b"hello\r\n\r\n");
            }),
            "does not begin with a status line",
        ),
        (
            "closed_early",
            raw(|mut client| {
                read_head(&mut client);
            }),
            "ended before the answer",
        ),
        (
            "closed_early",
            raw(|mut client| {
                read_head(&mut client);
                let _ = client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx");
            }),
            "ended within a body",
        ),
        (
            "timeout",
            raw(|mut client| while read_head(&mut client) {}),
            "no answer came in time",
        ),
        (
            "timeout",
            raw(|mut client| {
                read_head(&mut client);
                let _ = client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx");
                while read_head(&mut client) {}
            }),
            "no answer came in time",
        ),
        // Closing with unread bytes is a reset.
        (
            "reset",
            raw(|mut client| {
                let _ = client.read(&mut [0]);
            }),
            "reset",
        ),
        (
            "connect",
            {
                let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
                let address = listener.local_addr().expect("an address");
                drop(listener);
                format!("http://{address}/")
            },
            "refused",
        ),
    ];
    for (fault, url, why) in cases {
        let (status, json, err) =
            report(&[&url, "--requests=5", "--connections=2", "--timeout=300ms"]);
        assert_eq!(status, Some(1), "{fault}: {json:#}");
        assert_eq!(json["answered"], 0, "{fault}");
        assert_eq!(json["failed"], 5, "{fault}");
        assert_eq!(json["faults"][fault]["count"], 5, "{json:#}");
        assert_eq!(err.len(), 1, "{err:?}");
        let begin = format!("edgeloop: '{url}' has answered nothing: 5 ");
        assert!(
            err[0].starts_with(&begin) && err[0].contains(why),
            "{err:?}"
        );
    }
}

/// RFC 9112 §9.3.2: what was behind the last answer is asked again.
#[test]
fn requests_behind_the_last_answer_of_a_connection_are_asked_again() {
    let url = raw(|mut client| {
        for left in (0..3).rev() {
            if !read_head(&mut client) {
                return;
            }
            let close = if left == 0 {
                "Connection: close\r\n"
            } else {
                ""
            };
            let _ = write!(
                client,
                "HTTP/1.1 200 OK\r\n{close}Content-Length: 1\r\n\r\nx"
            );
        }
        let _ = client.shutdown(std::net::Shutdown::Write);
        while read_head(&mut client) {}
    });
    let json = good(&[&url, "--requests=100", "--depth=8", "--connections=2"]);
    assert_eq!(
        (&json["answered"], &json["failed"]),
        (&100.into(), &0.into())
    );
}

#[test]
fn answers_may_end_with_their_connection() {
    let url = raw(|mut client| {
        read_head(&mut client);
        let _ = client.write_all(b"HTTP/1.0 200 OK\r\n\r\nuntil it ends");
    });
    let json = good(&[&url, "--requests=50", "--connections=2"]);
    assert_eq!(
        (&json["answered"], &json["failed"]),
        (&50.into(), &0.into())
    );
    assert_eq!(json["connections_opened"], 50);
}

#[test]
fn what_nobody_asked_for_is_told() {
    let url = raw(|mut client| {
        while read_head(&mut client) {
            let _ = client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxyz");
        }
    });
    let json = good(&[&url, "--requests=10", "--connections=1"]);
    assert_eq!(json["answered"], 10);
    assert_eq!(json["unasked"], 10);
}

#[test]
fn slow_readers_are_not_in_the_figures() {
    let server = Beside::start(|_, _, res| res.status(200).body(vec![b'x'; 100_000]));
    let words = [
        "--slow-readers=5",
        "--duration=1s",
        "--warm-up=0s",
        "--rate=50",
    ];
    let json = good(&[&[&*server.url], &words as &[_]].concat());
    assert_eq!(json["answered"], 50);
    assert!(server.requests() > 50);
    assert!(
        json["slow_readers"]["bytes"].as_u64() > Some(5 * 1024),
        "{json:#}"
    );
}

#[test]
fn a_signal_ends_it_with_what_it_has() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let server = Beside::hello();
        let words = [&*server.url, "--duration=1h", "--warm-up=0s", "--json"];
        let process = Process::start(&mut bench(&words));
        within(|| (server.requests() > 1000).then_some(()));
        process.signal(signal);
        let (status, json, err) = read(process.end());
        assert_eq!((status, err), (Some(0), vec![]));
        assert!(json["answered"].as_u64() >= Some(900), "{json:#}");
    }
}

#[test]
fn the_picture_is_written_or_the_run_is_none() {
    let dir = Scratch::new("bench-svg");
    let server = Beside::hello();
    let path = dir.path().join("times.svg");
    good(&[
        &server.url,
        "--requests=1000",
        "--svg",
        path.to_str().expect("UTF-8"),
    ]);
    let svg = std::fs::read_to_string(path).expect("it was written");
    assert!(svg.starts_with("<svg ") && svg.contains("1000 answered, 0 failed"));
    let before = server.requests();
    let Ended { status, out, err } =
        Process::start(&mut bench(&[&server.url, "--svg=/nowhere/a.svg"])).end();
    assert_eq!((status, out), (Some(1), vec![]));
    assert!(err[0].contains("cannot write '/nowhere/a.svg'"), "{err:?}");
    assert_eq!(server.requests(), before);
}

#[test]
fn other_machines_are_left_alone() {
    let elsewhere: SocketAddr = "192.0.2.1:80".parse().expect("RFC 5737 §3");
    for words in [
        vec![format!("http://{elsewhere}/")],
        vec![format!("http://{elsewhere}/"), "--not-loopback".to_owned()],
        vec!["http://example.org/".to_owned()],
        vec!["https://127.0.0.1/".to_owned()],
        vec![],
    ] {
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let Ended { status, out, err } = Process::start(&mut bench(&words)).end();
        assert_eq!((status, out), (Some(2), vec![]), "{words:?}");
        assert_eq!(err.len(), 1, "{err:?}");
        assert!(err[0].ends_with("; see edgeloop bench --help"), "{err:?}");
    }
}
