//! Which calls fail.

use nix::errno::Errno;

use super::Call;
use super::random::Random;

/// How many times in a row a call fails for good: longer than anybody waits for it.
const FOR_GOOD: u64 = 2_000;

/// Which calls fail, and how.
#[derive(Clone, Debug, Default)]
pub enum Plan {
    /// None that the world has no reason for.
    #[default]
    Sound,
    /// Any of them, now and then.
    Random(Rates),
    /// The `nth` one of its kind, from 1, and if it is `for_good` all of the next 2,000: longer than anybody waits.
    At {
        /// Which kind.
        call: Call,
        /// What it says.
        errno: i32,
        /// Which one.
        nth: u64,
        /// Whether it goes on.
        for_good: bool,
    },
    /// On every connection the call ends before the byte at `offset`, and the next one moves that byte alone.
    Cut {
        /// Which of receive, send and sendfile.
        call: Call,
        /// Bytes of a connection that pass before.
        offset: u64,
    },
}

/// How often in a million times.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rates {
    /// A call fails with one of its errors.
    pub fail: u32,
    /// Accepting finds no descriptors or no memory: `EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM`.
    pub exhausted: u32,
    /// The connection is broken: `EPIPE` for who sends, `ECONNRESET` for who receives.
    pub broken: u32,
    /// A file that is sent has become shorter: there is nothing more of it.
    pub ended: u32,
    /// A file can't be opened or read: `EIO`.
    pub unreadable: u32,
    /// A thread can't be started: `EAGAIN`.
    pub unstarted: u32,
    /// `EINTR` where the call knows it.
    pub interrupted: u32,
    /// `EAGAIN` although there is something: it came just after.
    pub not_yet: u32,
    /// Fewer bytes than there are, or than there is room for.
    pub short: u32,
    /// An event that nothing has caused.
    pub spurious: u32,
    /// An event of a descriptor that is closed by now.
    pub stale: u32,
    /// A clock leaps: the monotonic one ahead, the wall clock anywhere.
    pub leap: u32,
    /// Other things happen between two calls.
    pub meanwhile: u32,
}

impl Rates {
    /// A bad day: everything happens, and most requests are answered all the same.
    pub const ROUGH: Rates = Rates {
        fail: 2_000,
        exhausted: 60_000,
        broken: 700,
        ended: 5_000,
        unreadable: 20_000,
        unstarted: 40_000,
        interrupted: 20_000,
        not_yet: 30_000,
        short: 100_000,
        spurious: 20_000,
        stale: 20_000,
        leap: 1_000,
        meanwhile: 200_000,
    };

    /// Nothing fails, but everything comes in pieces and at odd times.
    pub const UNEVEN: Rates = Rates {
        fail: 0,
        exhausted: 0,
        broken: 0,
        ended: 0,
        unreadable: 0,
        unstarted: 0,
        interrupted: 20_000,
        not_yet: 30_000,
        short: 150_000,
        spurious: 20_000,
        stale: 20_000,
        leap: 0,
        meanwhile: 200_000,
    };
}

impl Plan {
    /// What this call says in place of an answer. It is the `nth` of its kind.
    pub(super) fn error(&self, random: &mut Random, call: Call, nth: u64) -> Option<Errno> {
        let errno = match self {
            Plan::Sound | Plan::Cut { .. } => return None,
            Plan::At {
                call: which,
                errno,
                nth: when,
                for_good,
            } => {
                let due = nth == *when || (*for_good && (*when..*when + FOR_GOOD).contains(&nth));
                (*which == call && due).then_some(*errno)?
            }
            Plan::Random(rates) => {
                let errnos = call.errnos();
                if call == Call::Accept && random.hits(rates.exhausted) {
                    [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM][random.index(4)]
                } else if matches!(call, Call::Send | Call::SendFile) && random.hits(rates.broken) {
                    libc::EPIPE
                } else if call == Call::Recv && random.hits(rates.broken) {
                    libc::ECONNRESET
                } else if call.is_about_files() && random.hits(rates.unreadable) {
                    libc::EIO
                } else if call == Call::StartThread && random.hits(rates.unstarted) {
                    libc::EAGAIN
                } else if errnos.contains(&libc::EINTR) && random.hits(rates.interrupted) {
                    libc::EINTR
                } else if call.waits() && random.hits(rates.not_yet) {
                    libc::EAGAIN
                } else if random.hits(rates.fail) {
                    let errno = errnos.get(random.index(errnos.len())).copied();
                    errno.filter(|errno| !is_for_good(*errno))?
                } else {
                    return None;
                }
            }
        };
        Some(Errno::from_raw(errno))
    }

    /// How many of `bytes` bytes pass in one call, when `passed` have passed on this connection before.
    pub(super) fn cut(&self, random: &mut Random, call: Call, passed: u64, bytes: usize) -> usize {
        match self {
            Plan::Random(rates) if bytes > 1 && random.hits(rates.short) => {
                // Half of them tiny: what is cut off is what is interesting.
                let most = if random.hits(500_000) {
                    bytes
                } else {
                    bytes.min(8)
                };
                1 + random.index(most - 1)
            }
            Plan::Cut {
                call: which,
                offset,
            } if *which == call => match offset.checked_sub(passed) {
                // The byte at the offset comes alone.
                Some(0) => bytes.min(1),
                Some(before) => bytes.min(usize::try_from(before).unwrap_or(usize::MAX)),
                None => bytes,
            },
            Plan::Sound | Plan::Random(_) | Plan::At { .. } | Plan::Cut { .. } => bytes,
        }
    }

    /// The rates, all zero unless it is random.
    pub(super) fn rates(&self) -> Rates {
        match self {
            Plan::Random(rates) => *rates,
            Plan::Sound | Plan::At { .. } | Plan::Cut { .. } => Rates::default(),
        }
    }
}

/// What is only said of descriptors and memory that are not what they were taken for: it would be said again, and the
/// program is as good as over.
const fn is_for_good(errno: i32) -> bool {
    matches!(
        errno,
        libc::EBADF | libc::EFAULT | libc::EINVAL | libc::ENOTSOCK | libc::EOPNOTSUPP
    )
}
