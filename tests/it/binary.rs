//! The program as an operator meets it: lines, exit statuses, signals.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;

use super::process::{Ended, Process, Scratch, ask, clean, connect, connect_unix, within};

/// More than the kernel holds for a client that does not read.
const LARGE: usize = 16 << 20;

fn edgeloop<S: AsRef<std::ffi::OsStr>>(words: &[S]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_edgeloop"));
    command.args(words).stdin(Stdio::null());
    command
}

fn serve(dir: &Path, words: &[&str]) -> Command {
    let mut command = edgeloop(&["serve"]);
    command.arg(dir).args(words);
    command
}

/// Ends by itself with this status and one line on stderr.
fn complains(command: &mut Command, status: i32, why: &str) {
    let Ended {
        status: ended,
        out,
        err,
    } = Process::start(command).end();
    assert_eq!(
        (ended, out),
        (Some(status), vec![]),
        "{command:?} says {err:?}"
    );
    assert_eq!(err.len(), 1, "{command:?} says {err:?}");
    assert!(err[0].starts_with("edgeloop: "), "{command:?}: {}", err[0]);
    assert!(err[0].contains(why), "{command:?}: {}", err[0]);
}

/// Asks for a file that the client does not read, and waits for its first bytes.
fn begin_download(address: &str, path: &str) -> (TcpStream, Vec<u8>) {
    let mut client = connect(address);
    write!(client, "GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").expect("it reads");
    let mut begin = vec![0; 1024];
    client.read_exact(&mut begin).expect("it answers");
    (client, begin)
}

fn is_deaf(address: &str) {
    within(|| TcpStream::connect(address).is_err().then_some(()));
}

#[test]
fn each_listener_says_where_and_serves_files() {
    let dir = Scratch::new("files");
    dir.file("hello.txt", "Hello, file!\n");
    let words = ["--listen", "127.0.0.1:0", "--listen", "[::1]:0"];
    let server = Process::start(&mut serve(dir.path(), &words));
    for host in ["127.0.0.1:", "[::1]:"] {
        let address = server.address();
        assert!(address.starts_with(host), "{address}");
        let (head, content) = ask(connect(&address), "GET /hello.txt", "");
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert_eq!(content, "Hello, file!\n");
        let (head, content) = ask(connect(&address), "HEAD /hello.txt", "");
        assert!(head.contains("\r\nContent-Length: 13\r\n"), "{head}");
        assert_eq!(content, "");
        let (head, _) = ask(connect(&address), "GET /nothing", "");
        assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
        let (head, _) = ask(connect(&address), "POST /hello.txt", "x");
        assert!(head.starts_with("HTTP/1.1 405 "), "{head}");
    }
    assert_eq!(server.term(), clean());
}

#[test]
fn wrong_words_are_answered_by_status_2() {
    for (words, why) in [
        (&[] as &[&str], "no command; see edgeloop --help"),
        (&["frob"], "unknown command 'frob'"),
        (&["--foo"], "unknown option '--foo'; see edgeloop --help"),
        (
            &["serve", "--foo"],
            "unknown option '--foo'; see edgeloop serve --help",
        ),
        (&["serve", "-x"], "unknown option '-x'"),
        (
            &["serve", "a\nedgeloop: b", "c\nd"],
            "'c\\nd' is one word too many",
        ),
        (&["serve", "--listen"], "--listen ADDR lacks its value"),
        (
            &["serve", "--listen", "8080"],
            "it has no port; write host:port, :port, unix:/path or fd:N",
        ),
        (&["serve", "--listen", "fd:x"], "a descriptor is a number"),
        (&["serve", "--cores", "0"], "write one from 1 to 1024"),
        (
            &["serve", "/nowhere", "--cores=two"],
            "'two' is no number of cores",
        ),
    ] {
        complains(&mut edgeloop(words), 2, why);
    }
}

#[test]
fn what_can_not_be_is_answered_by_status_1() {
    let dir = Scratch::new("failures");
    let file = dir.file("file", "");
    let local = ["--listen", "127.0.0.1:0"];
    complains(
        &mut serve(&dir.path().join("no"), &local),
        1,
        "/no': No such file or directory",
    );
    complains(&mut serve(&file, &local), 1, "/file': Not a directory");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = taken
        .local_addr()
        .map(|it| (taken, it.to_string()))
        .expect("an address");
    for words in [
        &["--listen", &taken.1] as &[&str],
        &["--listen", &taken.1, "--cores", "2"],
        &["--listen", "127.0.0.1:0", "--listen", &taken.1],
    ] {
        complains(&mut serve(dir.path(), words), 1, "in use");
    }
    // Whatever descriptor is named, the line can be written.
    for number in ["fd:0", "fd:1", "fd:2", "fd:99"] {
        complains(&mut serve(dir.path(), &["--listen", number]), 1, number);
    }
    let inherited = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let mut twice = serve(dir.path(), &["--listen", "fd:0", "--listen", "fd:0"]);
    complains(twice.stdin(OwnedFd::from(inherited)), 1, "has it already");
    complains(
        &mut serve(dir.path(), &["--listen", "unix:/nowhere/socket"]),
        1,
        "unix:/nowhere/socket",
    );
    complains(
        &mut serve(dir.path(), &["--listen", "host.invalid:80"]),
        1,
        "not found",
    );
}

#[test]
fn help_and_version_are_printed_on_stdout() {
    for (words, line) in [
        (
            &["--version"] as &[&str],
            concat!("edgeloop ", env!("CARGO_PKG_VERSION")),
        ),
        (
            &["--help"],
            "  edgeloop serve [DIR] [OPTION]...    serves the files of a directory",
        ),
        (
            &["serve", "--help"],
            "  --listen ADDR   Where to listen; may be given more than once.",
        ),
    ] {
        let Ended { status, out, err } = Process::start(&mut edgeloop(words)).end();
        assert_eq!((status, err), (Some(0), vec![]));
        assert!(out.iter().any(|it| it == line), "{out:#?}");
    }
}

#[test]
fn int_term_and_quit_end_an_idle_server_well() {
    let dir = Scratch::new("idle");
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGQUIT] {
        let server = Process::start(&mut serve(dir.path(), &["--listen", "127.0.0.1:0"]));
        let _idle = connect(&server.address());
        server.signal(signal);
        assert_eq!(server.end(), clean(), "{signal}");
    }
}

#[test]
fn a_download_that_has_begun_is_finished_after_term() {
    let dir = Scratch::new("drain");
    dir.file("large", vec![b'x'; LARGE]);
    let server = Process::start(&mut serve(dir.path(), &["--listen", "127.0.0.1:0"]));
    let address = server.address();
    let (mut client, mut answer) = begin_download(&address, "/large");
    server.signal(Signal::SIGTERM);
    is_deaf(&address);
    client
        .read_to_end(&mut answer)
        .expect("the whole answer, then the end");
    let head = answer
        .windows(4)
        .position(|it| it == b"\r\n\r\n")
        .expect("a head")
        + 4;
    assert_eq!(answer.len() - head, LARGE);
    assert!(answer[head..].iter().all(|byte| *byte == b'x'));
    assert_eq!(server.end(), clean());
}

#[test]
fn a_second_signal_cuts_and_says_so() {
    let dir = Scratch::new("cut");
    dir.file("large", vec![b'x'; LARGE]);
    for cores in ["1", "2"] {
        let words = ["--listen", "127.0.0.1:0", "--cores", cores];
        let server = Process::start(&mut serve(dir.path(), &words));
        let address = server.address();
        let clients = [
            begin_download(&address, "/large"),
            begin_download(&address, "/large"),
        ];
        server.signal(Signal::SIGTERM);
        is_deaf(&address);
        server.signal(Signal::SIGINT);
        let ended = server.end();
        let said = vec!["edgeloop: stopped; 2 connections were cut".to_owned()];
        assert_eq!(
            ended,
            Ended {
                err: said,
                ..clean()
            }
        );
        for (mut client, mut answer) in clients {
            // Reset or ended, as the kernel has it.
            let _ = client.read_to_end(&mut answer);
            assert!(answer.len() < LARGE);
        }
    }
}

#[test]
fn a_unix_socket_is_served_and_removed() {
    let dir = Scratch::new("unix");
    dir.file("a", "b");
    let socket = dir.path().join("socket");
    let listen = format!("unix:{}", socket.display());
    let server = Process::start(&mut serve(dir.path(), &["--listen", &listen]));
    assert_eq!(server.line(), format!("listening on {listen}"));
    assert_eq!(ask(connect_unix(&socket), "GET /a", "").1, "b");
    assert_eq!(server.term(), clean());
    assert!(!socket.exists());
}

#[test]
fn an_inherited_listener_is_served() {
    let dir = Scratch::new("inherited");
    dir.file("a", "b");
    for cores in ["1", "2"] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        // Whoever started the program may keep the socket: what connects before, while and after it runs waits.
        let kept = listener.try_clone().expect("a descriptor");
        let early = connect(&address);
        let mut command = serve(dir.path(), &["--listen", "fd:0", "--cores", cores]);
        let server = Process::start(command.stdin(OwnedFd::from(listener)));
        assert_eq!(server.address(), address);
        assert_eq!(ask(early, "GET /a", "").1, "b");
        assert_eq!(ask(connect(&address), "GET /a", "").1, "b");
        assert_eq!(server.term(), clean());
        let late = connect(&address);
        let (accepted, peer) = kept.accept().expect("it still listens");
        assert_eq!(peer, late.local_addr().expect("an address"));
        drop(accepted);
    }
}

#[test]
fn two_cores_answer_and_drain() {
    let dir = Scratch::new("cores");
    dir.file("a", "b");
    let words = ["--listen", "127.0.0.1:0", "--cores", "2"];
    let server = Process::start(&mut serve(dir.path(), &words));
    let address = server.address();
    let idle: Vec<_> = (0..16).map(|_| connect(&address)).collect();
    for _ in 0..32 {
        assert_eq!(ask(connect(&address), "GET /a", "").1, "b");
    }
    assert_eq!(server.term(), clean());
    drop(idle);
}

#[test]
fn nobody_need_read_stdout() {
    let dir = Scratch::new("stdout");
    dir.file("a", "b");
    let socket = dir.path().join("socket");
    let listen = format!("unix:{}", socket.display());
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = serve(dir.path(), &["--listen", &listen]);
    let server = Process::start_with_stdout(&mut command, writer.into());
    assert_eq!(ask(connect_unix(&socket), "GET /a", "").1, "b");
    assert_eq!(server.term(), clean());

    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let help = Process::start_with_stdout(&mut edgeloop(&["--help"]), writer.into());
    assert_eq!(help.end(), clean());
}

#[test]
fn a_start_that_can_not_be_told_is_none() {
    let dir = Scratch::new("full");
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .expect("Linux has it");
    let mut command = serve(dir.path(), &["--listen", "127.0.0.1:0"]);
    let ended = Process::start_with_stdout(&mut command, full.into()).end();
    assert_eq!(ended.status, Some(1));
    assert!(
        ended.err[0].starts_with("edgeloop: cannot write to stdout: "),
        "{:?}",
        ended.err
    );
}

/// The program with other limits of open files than ours.
fn with_open_files(limit: &str, command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("{limit}; exec \"$0\" \"$@\""));
    shell
        .arg(command.get_program())
        .args(command.get_args())
        .stdin(Stdio::null());
    shell
}

#[test]
fn the_limit_of_open_files_is_raised() {
    let dir = Scratch::new("raised");
    let command = serve(dir.path(), &["--listen", "127.0.0.1:0"]);
    let server = Process::start(&mut with_open_files(
        "ulimit -S -n 64; ulimit -H -n 300",
        &command,
    ));
    server.line();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.id())).expect("it runs");
    let files = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))
        .expect("a limit");
    let numbers: Vec<_> = files.split_whitespace().skip(3).take(2).collect();
    assert_eq!(numbers, ["300", "300"]);
    assert_eq!(server.term(), clean());
}

#[test]
fn trouble_is_told_once_a_second_and_counted() {
    let dir = Scratch::new("trouble");
    let command = serve(dir.path(), &["--listen", "127.0.0.1:0"]);
    let server = Process::start(&mut with_open_files("ulimit -n 128", &command));
    let address = server.address();
    // 128 less the reserve of a quarter. Half a head is no idle connection, so it makes no room.
    let busy: Vec<_> = (0..96)
        .map(|_| {
            let mut client = connect(&address);
            client.write_all(b"GET / HT").expect("it reads");
            client
        })
        .collect();
    // The last of them may be accepted before its bytes are read; those who find all of them busy are refused.
    let mut refused = 0;
    for _ in 0..20 {
        let mut client = connect(&address);
        let mut answer = String::new();
        client
            .read_to_string(&mut answer)
            .expect("an answer and the end");
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        refused += 1;
    }
    drop(busy);
    let ended = server.term();
    assert_eq!(ended.status, Some(0));
    let mut told = 0;
    for line in &ended.err {
        let numbers: Vec<u32> = line
            .split(|it: char| !it.is_ascii_digit())
            .filter_map(|it| it.parse().ok())
            .collect();
        told += match line {
            line if line.ends_with(" more troubles were not told one by one") => numbers[0],
            line if line.starts_with("edgeloop: a connection was refused") => {
                1 + numbers.iter().sum::<u32>()
            }
            line => panic!("{line}"),
        };
    }
    let mut said = String::new();
    let _ = write!(said, "{:#?}", ended.err);
    assert_eq!(told, refused, "{said}");
    assert!(ended.err.len() < 20, "{said}");
}
