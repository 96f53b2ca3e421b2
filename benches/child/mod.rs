//! A server in a process of its own, which is this program once more: so what it uses can be told from what its clients use.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{ChildStdin, Command, Stdio};
use std::time::Duration;

use edgeloop::sys::Address;
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

/// The process. It ends when this is dropped, and when this process ends.
pub(crate) struct Child {
    process: std::process::Child,
    /// Its end is the child's.
    _stdin: Option<ChildStdin>,
    /// Where it listens.
    pub(crate) addresses: Vec<SocketAddr>,
}

impl Child {
    /// Starts this program with these words; it [announces](announce) so many addresses.
    pub(crate) fn start(words: &[impl AsRef<OsStr>], addresses: usize) -> Child {
        let program = std::env::current_exe().expect("this is one");
        let mut child = Command::new(program)
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let addresses: Vec<SocketAddr> = lines
            .map_while(Result::ok)
            .take(addresses)
            .map(|line| line.parse().expect("an address"))
            .collect();
        assert!(!addresses.is_empty(), "a server ended before it listened");
        Child {
            _stdin: child.stdin.take(),
            process: child,
            addresses,
        }
    }

    /// Processor time that all its threads have used.
    pub(crate) fn cpu(&self) -> Duration {
        let pid = Pid::from_raw(self.process.id().cast_signed());
        let clock = clock_getcpuclockid(pid).expect("it lives");
        clock_gettime(clock).expect("its clock").into()
    }

    /// Memory that it has in RAM, in KiB.
    pub(crate) fn resident(&self) -> i64 {
        // VmRSS of its status is out of date by what each processor has counted since.
        let rollup = std::fs::read_to_string(self.proc("smaps_rollup")).expect("it lives");
        let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:"));
        let number = line.and_then(|rest| rest.trim().strip_suffix(" kB"));
        number.expect("Rss").parse().expect("a number")
    }

    /// The path of what proc(5) tells of it.
    pub(crate) fn proc(&self, what: &str) -> String {
        format!("/proc/{}/{what}", self.process.id())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Both do nothing to a child that has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Says, in the child, where it listens. From now on it ends with the process that has started it.
pub(crate) fn announce<'a>(addresses: impl IntoIterator<Item = &'a Address>) {
    for address in addresses {
        let Address::Ip(address) = address else {
            unreachable!("TCP was asked for");
        };
        println!("{address}");
    }
    std::io::stdout().flush().expect("somebody reads");
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]); // nothing comes, and then it ends
        std::process::exit(0);
    });
}
