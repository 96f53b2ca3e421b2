//! The time that a process has had a processor: in nanoseconds as the scheduler knows it (`/proc/PID/task/TID/schedstat`),
//! and in ticks for what was the process's own and what the kernel did for it (`/proc/PID/stat`).

use std::fs;
use std::io;
use std::ops::AddAssign;

/// `USER_HZ`, the same on every architecture that Rust knows (time(7)).
pub(crate) const TICKS_PER_SECOND: u64 = 100;

/// The time that a process has had so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cpu {
    /// Of all threads that live. What a thread did is lost when it ends.
    nanos: u64,
    pub(crate) user_ticks: u64,
    pub(crate) system_ticks: u64,
}

impl Cpu {
    /// Errors: those of the files, and of lines that can't be read.
    pub(crate) fn of(process: u32) -> io::Result<Cpu> {
        let threads = threads(process)?.into_iter().map(|thread| {
            let path = format!("/proc/{process}/task/{thread}/schedstat");
            read(&path, schedstat)
        });
        let nanos: Vec<u64> = threads.collect::<io::Result<_>>()?;
        let (user, system) = read(&format!("/proc/{process}/stat"), stat)?;
        Ok(Cpu::sum(nanos, user, system))
    }

    pub(crate) fn sum(nanos: impl IntoIterator<Item = u64>, user: u64, system: u64) -> Cpu {
        Cpu {
            nanos: nanos.into_iter().sum(),
            user_ticks: user,
            system_ticks: system,
        }
    }

    pub(crate) fn nanos(&self) -> u64 {
        self.nanos
    }

    pub(crate) fn since(&self, earlier: &Cpu) -> Cpu {
        Cpu {
            nanos: self.nanos.saturating_sub(earlier.nanos),
            user_ticks: self.user_ticks.saturating_sub(earlier.user_ticks),
            system_ticks: self.system_ticks.saturating_sub(earlier.system_ticks),
        }
    }
}

impl AddAssign for Cpu {
    fn add_assign(&mut self, other: Cpu) {
        self.nanos += other.nanos;
        self.user_ticks += other.user_ticks;
        self.system_ticks += other.system_ticks;
    }
}

/// The threads of a process. Errors: those of its directory.
pub(crate) fn threads(process: u32) -> io::Result<Vec<u32>> {
    let entries = fs::read_dir(format!("/proc/{process}/task"))?;
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().parse().ok()));
    let known: Vec<Option<u32>> = names.collect::<io::Result<_>>()?;
    Ok(known.into_iter().flatten().collect())
}

fn read<T>(path: &str, parse: fn(&str) -> Option<T>) -> io::Result<T> {
    let text = fs::read_to_string(path)?;
    parse(&text).ok_or_else(|| io::Error::other(format!("{path} says '{}'", text.trim_end())))
}

/// The first number: nanoseconds with a processor (Documentation/scheduler/sched-stats.rst).
fn schedstat(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

/// `utime` and `stime`, fields 14 and 15 (proc(5)). The second field is a name in parentheses, which may have any in it.
fn stat(text: &str) -> Option<(u64, u64)> {
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_the_kernel_are_read() {
        assert_eq!(schedstat("201904 9811 17\n"), Some(201_904));
        assert_eq!(schedstat(""), None);
        let line = "12 (a) b) R 1 12 12 0 -1 4194304 100 0 0 0 37 501 0 0 20 0 3 0 99\n";
        assert_eq!(stat(line), Some((37, 501)));
        assert_eq!(stat("12 (a) R 1"), None);
        assert_eq!(stat("12"), None);
    }

    #[test]
    fn this_process_is_known_to_the_kernel() {
        let id = std::process::id();
        let first = Cpu::of(id).expect("the kernel tells");
        assert!(first.nanos > 0);
        assert!(threads(id).expect("threads").contains(&id));
        let later = Cpu::of(id).expect("the kernel tells");
        assert!(later.user_ticks >= first.user_ticks);
        Cpu::of(u32::MAX).expect_err("no such process");
    }
}
