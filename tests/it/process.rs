//! Programs under test: started, read line by line, signalled, and ended whatever happens. Nothing waits without end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

/// How long anything may take. Only a test that fails takes so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A child process. It is killed when the test is over.
pub(crate) struct Process {
    child: Child,
    out: Receiver<String>,
    err: Receiver<String>,
}

/// How a process has ended, and what it said that nobody had read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// `None`: by a signal.
    pub(crate) status: Option<i32>,
    pub(crate) out: Vec<String>,
    pub(crate) err: Vec<String>,
}

impl Process {
    /// Starts a program that says all it has to say on stdout and stderr.
    pub(crate) fn start(command: &mut Command) -> Process {
        Process::start_with_stdout(command, Stdio::piped())
    }

    pub(crate) fn start_with_stdout(command: &mut Command, stdout: Stdio) -> Process {
        command.stdout(stdout).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program is there");
        let out = child.stdout.take().map_or_else(|| mpsc::channel().1, lines);
        let err = lines(child.stderr.take().expect("a pipe"));
        Process { child, out, err }
    }

    /// The next line on stdout, without its end.
    pub(crate) fn line(&self) -> String {
        self.out
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|_| panic!("no line on stdout; on stderr {:?}", rest(&self.err)))
    }

    /// The next line on stderr, without its end.
    pub(crate) fn err_line(&self) -> String {
        self.err
            .recv_timeout(PATIENCE)
            .expect("a line on stderr in time")
    }

    /// The host and port that the next line on stdout says it listens on.
    pub(crate) fn address(&self) -> String {
        let line = self.line();
        line.strip_prefix("listening on http://")
            .and_then(|rest| rest.strip_suffix('/'))
            .unwrap_or_else(|| panic!("{line:?} says no address"))
            .to_owned()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a pid");
        signal::kill(Pid::from_raw(pid), signal).expect("it is our child");
    }

    /// Waits until it has ended by itself.
    pub(crate) fn end(mut self) -> Ended {
        let status = within(|| self.child.try_wait().expect("it is our child"));
        // The pipes end with it, unless it has left them to others.
        let (out, err) = (rest(&self.out), rest(&self.err));
        let status = status.code();
        Ended { status, out, err }
    }

    /// Sends TERM and waits for the end.
    pub(crate) fn term(self) -> Ended {
        self.signal(Signal::SIGTERM);
        self.end()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both do nothing to a child that has been waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An end without a complaint.
pub(crate) fn clean() -> Ended {
    Ended {
        status: Some(0),
        out: Vec::new(),
        err: Vec::new(),
    }
}

fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

fn rest(lines: &Receiver<String>) -> Vec<String> {
    std::iter::from_fn(|| lines.recv_timeout(PATIENCE).ok()).collect()
}

/// Asks again and again until there is an answer.
pub(crate) fn within<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "it did not happen in time");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A connection that fails rather than waits without end.
pub(crate) fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time");
    stream.set_write_timeout(Some(PATIENCE)).expect("a time");
    stream
}

/// A connection to a Unix socket as soon as there is one.
pub(crate) fn connect_unix(path: &Path) -> UnixStream {
    let stream = within(|| UnixStream::connect(path).ok());
    stream.set_read_timeout(Some(PATIENCE)).expect("a time");
    stream.set_write_timeout(Some(PATIENCE)).expect("a time");
    stream
}

/// Sends a request that asks for the end of the connection, and returns the answer's head and content.
pub(crate) fn ask(mut stream: impl Read + Write, line: &str, body: &str) -> (String, String) {
    let length = body.len();
    write!(
        stream,
        "{line} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let (head, content) = answer.split_once("\r\n\r\n").expect("a head");
    (head.to_owned(), content.to_owned())
}

/// A directory for one test, removed with what is in it.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("edgeloop-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a place for files");
        Scratch(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file, and returns its path.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, content).expect("room for it");
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
