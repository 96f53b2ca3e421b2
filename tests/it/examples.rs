//! The examples do what they say.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use super::process::{Process, Scratch, ask, clean, connect, connect_unix};

/// Builds an example as these tests are built, and so mostly finds it built.
fn example(name: &str) -> Command {
    let test = std::env::current_exe().expect("a path");
    let built = test.ancestors().nth(2).expect("target/PROFILE/deps/it");
    let profile = match built.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "test",
        Some(name) => name,
    };
    let output = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--locked", "--offline", "--example", name])
        .args(["--profile", profile, "--target-dir"])
        .arg(built.parent().expect("target"))
        .output()
        .expect("cargo runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let mut command = Command::new(built.join("examples").join(name));
    command.stdin(Stdio::null());
    command
}

#[test]
fn echo_reactor_echoes() {
    let dir = Scratch::new("echo");
    let socket = dir.path().join("socket");
    let mut command = example("echo_reactor");
    let _server = Process::start(command.arg(format!("unix:{}", socket.display())));
    let mut clients: Vec<_> = (0..3).map(|_| connect_unix(&socket)).collect();
    for round in 0..3 {
        for (number, client) in clients.iter_mut().enumerate() {
            let sent = format!("{number} in round {round}\n").repeat(300);
            client.write_all(sent.as_bytes()).expect("it reads");
            let mut echo = vec![0; sent.len()];
            client.read_exact(&mut echo).expect("it echoes");
            assert_eq!(echo, sent.as_bytes());
        }
    }
    let last = clients.pop().expect("one of three");
    last.shutdown(std::net::Shutdown::Write).expect("open");
    assert_eq!((&last).read(&mut [0]).expect("the end"), 0);
}

#[test]
fn endpoints_answers_each_of_its_endpoints() {
    let dir = Scratch::new("endpoints");
    dir.file("a.txt", "in a file\n");
    let words = ["--listen", "127.0.0.1:0", "--cores", "2", "--root"];
    let server = Process::start(example("endpoints").args(words).arg(dir.path()));
    let address = server.address();
    let large = "x".repeat(3 << 20);
    for (line, sent, status, content) in [
        ("GET /plaintext", "", "200 OK", "Hello, World!"),
        ("HEAD /plaintext", "", "200 OK", ""),
        ("GET /json", "", "200 OK", r#"{"message":"Hello, World!"}"#),
        ("POST /echo", "a\nb", "200 OK", "a\nb"),
        ("GET /bytes/0", "", "200 OK", ""),
        ("GET /bytes/10", "", "200 OK", "xxxxxxxxxx"),
        ("GET /bytes/3145728", "", "200 OK", &large),
        ("GET /bytes/x", "", "404 Not Found", "not found\n"),
        (
            "BREW /coffee",
            "",
            "501 Not Implemented",
            "unknown method\n",
        ),
        ("GET /users/7", "", "200 OK", "7"),
        ("GET /users/7/8", "", "404 Not Found", "not found\n"),
        (
            "GET /echo",
            "",
            "405 Method Not Allowed",
            "method not allowed\n",
        ),
        (
            "DELETE /plaintext",
            "",
            "405 Method Not Allowed",
            "method not allowed\n",
        ),
        ("OPTIONS /json", "", "204 No Content", ""),
        ("GET /", "", "404 Not Found", "not found\n"),
        ("GET /static/a.txt", "", "200 OK", "in a file\n"),
        ("GET /static/b.txt", "", "404 Not Found", "not found\n"),
    ] {
        let (head, answer) = ask(connect(&address), line, sent);
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status}\r\n")),
            "{line}: {head}"
        );
        assert!(answer == content, "{line}: {} bytes", answer.len());
    }
    assert_eq!(server.term(), clean());
}

#[test]
fn slow_query_answers_others_meanwhile() {
    let server = Process::start(example("slow_query").arg("127.0.0.1:0"));
    let address = server.address();
    // It goes on for longer than this test.
    let mut slow = connect(&address);
    let end = u64::MAX;
    write!(slow, "GET /primes/{end} HTTP/1.1\r\nHost: a\r\n\r\n").expect("it reads");
    for (line, status, content) in [
        ("GET /", "200 OK", "ask for /primes/200000\n"),
        (
            "GET /primes/100",
            "200 OK",
            "25 primes below 100, answer 1\n",
        ),
        ("GET /primes/x", "400 Bad Request", "below which number?\n"),
        ("GET /primes/8", "200 OK", "4 primes below 8, answer 2\n"),
    ] {
        let (head, answer) = ask(connect(&address), line, "");
        let wanted = format!("HTTP/1.1 {status}\r\n");
        assert!(head.starts_with(&wanted), "{line}: {head}");
        assert_eq!(answer, content, "{line}");
    }
}
