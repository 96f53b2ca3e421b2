//! A server as a child: started on a port of its own, asked what it has counted, and ended whatever happens.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use edgeloop::sys::{Instant, Instructions, signal};

use super::cpu::{self, Cpu};
use super::totals::{Counts, Reading};
use crate::{Failure, complain};

/// How long anything may take that takes milliseconds where all is well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// How often it is looked whether a child has ended.
const LOOK: Duration = Duration::from_millis(5);

/// A server that runs. It is killed when this is dropped.
pub(crate) struct Server {
    child: Running,
    pub(crate) url: String,
    /// Its lines on stderr.
    said: Receiver<String>,
    cores: usize,
    /// One for each thread. The error says why there are none.
    instructions: io::Result<Vec<Instructions>>,
}

impl Server {
    /// Runs `executable serve` with some options, on a free port of the loopback. The error says why that can't be.
    pub(crate) fn start(
        executable: &Path,
        options: &[OsString],
        cores: usize,
    ) -> Result<Server, Failure> {
        let failure = |why: &str| {
            let path = executable.display();
            Failure::Running(format!("cannot start '{path} serve': {why}"))
        };
        let mut command = Command::new(executable);
        command
            .arg("serve")
            .args(options)
            .args(["--listen=127.0.0.1:0", "--stats=json"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child =
            Running::start(&mut command).map_err(|error| failure(&error.to_string()))?;
        let out = child.0.stdout.take().map(lines);
        let said = child.0.stderr.take().map(lines);
        let (out, said) = out.zip(said).ok_or_else(|| failure("it has no pipes"))?;
        let line = out.recv_timeout(PATIENCE).map_err(|_| {
            let why = said.recv_timeout(PATIENCE);
            let why = why.as_deref().unwrap_or("it says no address");
            failure(why.trim_start_matches("edgeloop: "))
        })?;
        let url = line
            .strip_prefix("listening on ")
            .ok_or_else(|| failure(&format!("it says '{line}'")))?
            .to_owned();
        let threads = cpu::threads(child.id()).map_err(|error| failure(&error.to_string()))?;
        let counters = threads.into_iter().map(Instructions::of_thread);
        Ok(Server {
            instructions: counters.collect(),
            child,
            url,
            said,
            cores,
        })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Why instructions are not counted, if they are not.
    pub(crate) fn uncounted(&self) -> Option<&io::Error> {
        self.instructions.as_ref().err()
    }

    /// Stops it, and waits until it has ended.
    pub(crate) fn stop(self) -> Result<(), Failure> {
        let failure = |why: &str| Failure::Running(format!("cannot stop the server: {why}"));
        signal::terminate(self.id()).map_err(|error| failure(&error.to_string()))?;
        if self.child.end() {
            return Ok(());
        }
        Err(failure("it does not end"))
    }

    /// What it has done so far. It is to be at rest: what it has not finished may be in this or not.
    pub(crate) fn read(&self) -> Result<Reading, Failure> {
        let failure =
            |why: &str| Failure::Running(format!("cannot read what the server has counted: {why}"));
        signal::urge(self.id()).map_err(|error| failure(&error.to_string()))?;
        let (mut counts, mut told) = (Counts::default(), 0);
        let deadline = Instant::now() + PATIENCE;
        while told < self.cores {
            let left = deadline.since(Instant::now());
            match self.said.recv_timeout(left) {
                Ok(line) => match Counts::of_line(&line) {
                    Some(core) => {
                        counts += core;
                        told += 1;
                    }
                    None => complain::say(&format!("the server says: {line}")),
                },
                Err(RecvTimeoutError::Timeout) => return Err(failure("it does not answer")),
                Err(RecvTimeoutError::Disconnected) => return Err(failure("it has ended")),
            }
        }
        let cpu = Cpu::of(self.id()).map_err(|error| failure(&error.to_string()))?;
        let instructions = match &self.instructions {
            Ok(counters) => {
                let counts = counters.iter().map(Instructions::count);
                let sum = counts.sum::<io::Result<u64>>();
                Some(sum.map_err(|error| failure(&error.to_string()))?)
            }
            Err(_) => None,
        };
        Ok(Reading {
            counts,
            cpu,
            instructions,
        })
    }
}

/// A child that is killed and waited for when this is dropped.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    /// Errors: those of starting a program; of kind `NotFound` if it is not there.
    pub(crate) fn start(command: &mut Command) -> io::Result<Running> {
        command.spawn().map(Running)
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Waits until it has ended by itself. False if it had to be killed.
    pub(crate) fn end(mut self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            match self.0.try_wait() {
                Ok(None) => thread::sleep(LOOK),
                Ok(Some(_)) => return true,
                Err(_) => return false,
            }
        }
        false
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both do nothing to a child that has been waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The lines of a pipe, read by a thread that ends with it.
pub(crate) fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
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
