//! Counted instructions: perf_event_open(2), as much of it as that takes.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use nix::errno::Errno;

use super::Fd;

/// The instructions that a thread, and those that it starts from now on, execute in user mode.
#[derive(Debug)]
pub struct Instructions(Fd);

impl Instructions {
    /// Counts from now on, as long as it is kept. Errors: those of perf_event_open(2). `ENOENT` says that this machine has
    /// no such counter, as most virtual ones; `EACCES` and `EPERM` that the system lets nobody count
    /// (`/proc/sys/kernel/perf_event_paranoid`).
    pub fn of_thread(id: u32) -> io::Result<Instructions> {
        open(HARDWARE, HARDWARE_INSTRUCTIONS, id).map(Instructions)
    }

    /// How many there were. Where others count as well, and there are not enough counters, the kernel counts for a share of
    /// the time only, and this is what it would have been in all of it. Errors: those of read(2).
    pub fn count(&self) -> io::Result<u64> {
        read(&self.0)
    }
}

const HARDWARE: u32 = 0; // PERF_TYPE_HARDWARE
const HARDWARE_INSTRUCTIONS: u64 = 1; // PERF_COUNT_HW_INSTRUCTIONS

/// `struct perf_event_attr` as it was at first, which every kernel takes (`PERF_ATTR_SIZE_VER0`).
#[repr(C)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    breakpoint_type: u32,
    breakpoint_address: u64,
}

/// Bits of `flags`.
const INHERIT: u64 = 1 << 1;
const EXCLUDE_KERNEL: u64 = 1 << 5;
const EXCLUDE_HYPERVISOR: u64 = 1 << 6;

/// Bits of `read_format`: how long it was to be counted, and how long it was, follow the count.
const TOTAL_TIME_ENABLED: u64 = 1 << 0;
const TOTAL_TIME_RUNNING: u64 = 1 << 1;

/// For `open`: the descriptor is closed by exec (`PERF_FLAG_FD_CLOEXEC`).
const CLOSE_ON_EXEC: libc::c_ulong = 1 << 3;

fn open(kind: u32, config: u64, thread: u32) -> io::Result<Fd> {
    simulated!(perf_event_open());
    let attributes = Attributes {
        kind,
        size: size_of::<Attributes>() as u32, // 64
        config,
        sample_period: 0,
        sample_type: 0,
        read_format: TOTAL_TIME_ENABLED | TOTAL_TIME_RUNNING,
        flags: INHERIT | EXCLUDE_KERNEL | EXCLUDE_HYPERVISOR,
        wakeup_events: 0,
        breakpoint_type: 0,
        breakpoint_address: 0,
    };
    // Any number that is no thread's; 0 would be this one.
    let thread = libc::pid_t::try_from(thread).unwrap_or(libc::pid_t::MAX);
    let (any_processor, no_group): (libc::c_int, libc::c_int) = (-1, -1);
    // SAFETY: the call reads `attributes`, which has the size that it says, and makes a new descriptor.
    let number = Errno::result(unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            &raw const attributes,
            thread,
            any_processor,
            no_group,
            CLOSE_ON_EXEC,
        )
    })?;
    // SAFETY: the call has made this descriptor, which is an int, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(number as libc::c_int) }.into())
}

fn read(fd: &Fd) -> io::Result<u64> {
    let mut read = [0_u64; 3];
    // SAFETY: the call writes at most `size_of_val(&read)` bytes, and any are integers.
    Errno::result(unsafe { libc::read(fd.raw(), read.as_mut_ptr().cast(), size_of_val(&read)) })?;
    Ok(scaled(read))
}

/// The count for all of the time.
fn scaled([count, enabled, running]: [u64; 3]) -> u64 {
    if running == 0 || running >= enabled {
        return count;
    }
    let all = u128::from(count) * u128::from(enabled) / u128::from(running);
    u64::try_from(all).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOFTWARE: u32 = 1;
    const SOFTWARE_TASK_CLOCK: u64 = 1; // nanoseconds

    /// Every machine has this one, unless it lets nobody count.
    #[test]
    fn what_is_counted_grows() {
        let clock = match open(SOFTWARE, SOFTWARE_TASK_CLOCK, 0) {
            Ok(clock) => clock,
            Err(error) => {
                let refused = [libc::EACCES, libc::EPERM, libc::ENOSYS];
                assert!(
                    refused.contains(&error.raw_os_error().unwrap_or(0)),
                    "{error}"
                );
                return;
            }
        };
        let first = read(&clock).expect("a count");
        let mut last = first;
        for _ in 0..1_000_000 {
            if last > first {
                break;
            }
            last = read(&clock).expect("a count");
        }
        assert!(last > first, "{first} {last}");
    }

    #[test]
    fn a_share_of_the_time_stands_for_all_of_it() {
        assert_eq!(scaled([7, 100, 100]), 7);
        assert_eq!(scaled([7, 100, 50]), 14);
        assert_eq!(scaled([0, 100, 0]), 0);
        assert_eq!(scaled([u64::MAX, 3, 1]), u64::MAX);
    }

    #[test]
    fn who_is_not_there_is_not_counted() {
        let said = open(SOFTWARE, SOFTWARE_TASK_CLOCK, u32::MAX).expect_err("no such thread");
        assert_ne!(said.raw_os_error(), None);
    }
}
