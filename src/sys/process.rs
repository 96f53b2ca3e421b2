//! The process: limits, cores, threads.

use std::io;
use std::thread::{self, Scope, ScopedJoinHandle};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::Pid;

/// The number of descriptors that the process may have open (`RLIMIT_NOFILE`, the soft limit). Errors: those of
/// getrlimit(2).
pub fn descriptors_max() -> io::Result<u64> {
    simulated!(descriptors_max());
    Ok(getrlimit(Resource::RLIMIT_NOFILE)?.0)
}

/// Raises the soft limit of open descriptors to the hard one. What it is then. Errors: those of setrlimit(2).
pub fn raise_descriptors_max() -> io::Result<u64> {
    simulated!(descriptors_max());
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    Ok(hard)
}

/// The processors that this thread may run on, in order. Errors: those of sched_getaffinity(2).
pub fn processors() -> io::Result<Vec<usize>> {
    simulated!(processors());
    let set = sched_getaffinity(Pid::from_raw(0))?;
    Ok((0..CpuSet::count())
        .filter(|processor| set.is_set(*processor) == Ok(true))
        .collect())
}

/// Has this thread run on one processor only. Errors: those of sched_setaffinity(2).
pub fn pin(processor: usize) -> io::Result<()> {
    simulated!(pin(processor));
    let mut set = CpuSet::new();
    set.set(processor)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &set)?)
}

/// Starts a thread with a name, which ends before `scope` does. Errors: those of pthread_create(3); a simulated world has
/// one thread only.
pub fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: String,
    body: impl FnOnce() -> T + Send + 'scope,
) -> io::Result<ScopedJoinHandle<'scope, T>> {
    simulated!(spawn());
    thread::Builder::new().name(name).spawn_scoped(scope, body)
}
