//! The calls that wait, wake and look at clocks, and those that are about the process.

use core::time::Duration;
use std::io;
use std::os::fd::RawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};

use nix::errno::Errno;
use nix::sys::signal::Signal;

use super::Call;
use super::kernel::Object;
use super::link::IN;
use super::poll::EpollState;
use super::world::{Step, World, said};
use crate::sys::epoll::Interest;
use crate::sys::thread::{Thread, Work};
use crate::sys::{Fd, Instant, UnixTime};

/// A piece of a thread's work takes at most so many nanoseconds, as a power of two: 268 ms. Most take far less.
const WORK_NANOS_BITS: u64 = 28;

impl World {
    pub(in crate::sys) fn epoll_create(&self) -> io::Result<Fd> {
        said(
            self.begin(Call::EpollCreate)
                .and_then(|()| self.open(Object::Epoll(EpollState::default()))),
        )
    }

    pub(in crate::sys) fn epoll_control(
        &self,
        epoll: &Fd,
        op: i32,
        number: RawFd,
        interest: Interest,
        data: u64,
    ) -> io::Result<()> {
        let fault = self.begin(Call::EpollControl);
        let stream = self.kernel().stream(number);
        if let (Err(errno), Ok((link, side))) = (fault, stream) {
            self.blame(Call::EpollControl, link, side, errno);
        }
        let done = fault.and_then(|()| {
            self.kernel()
                .watch(epoll.raw(), op, number, interest.bits(), data)
        });
        self.note(|| {
            format!(
                "epoll_ctl({op}, {number}, {:#x}) = {done:?}",
                interest.bits()
            )
        });
        said(done)
    }

    /// While nothing is ready, the world goes on.
    pub(in crate::sys) fn epoll_wait(
        &self,
        epoll: &Fd,
        events: &mut [libc::epoll_event],
        millis: i32,
    ) -> io::Result<usize> {
        said(self.begin(Call::EpollWait))?;
        let until = u64::try_from(millis)
            .ok()
            .map(|millis| self.now().as_nanos() + millis * 1_000_000);
        loop {
            self.run_due();
            let count = self.wait_once(epoll.raw(), events)?;
            let now = self.now().as_nanos();
            if count > 0 || until.is_some_and(|until| until <= now) {
                self.note(|| format!("epoll_wait({millis}) = {count}"));
                return Ok(count);
            }
            match (self.next_step(), until) {
                (Some(step), Some(until)) => self.leap_to(step.min(until)),
                (Some(step), None) => self.leap_to(step),
                (None, Some(until)) => self.leap_to(until),
                // Nobody will ever do anything again.
                (None, None) => return Err(Errno::EDEADLK.into()),
            }
        }
    }

    fn wait_once(&self, epoll: RawFd, events: &mut [libc::epoll_event]) -> io::Result<usize> {
        let rates = self.rates();
        let room = if self.hits(rates.short) {
            events.len().min(2)
        } else {
            events.len()
        };
        let mut count = said(self.kernel().collect(epoll, &mut events[..room]))?;
        for (rate, kind) in [(rates.spurious, "spurious"), (rates.stale, "stale")] {
            if count < events.len() && self.hits(rate) {
                let mut kernel = self.kernel();
                let random = &mut self.random();
                let event = if kind == "stale" {
                    kernel.stale(epoll, random)
                } else {
                    kernel.spurious(epoll, random)
                };
                if let Some(event) = event {
                    events[count] = event;
                    count += 1;
                    self.count_fault(Call::EpollWait, kind);
                }
            }
        }
        Ok(count)
    }

    pub(in crate::sys) fn eventfd(&self) -> io::Result<Fd> {
        said(
            self.begin(Call::EventFd)
                .and_then(|()| self.open(Object::Event(0))),
        )
    }

    pub(in crate::sys) fn write_event(&self, fd: &Fd) -> io::Result<()> {
        said(self.begin(Call::WriteEvent).and_then(|()| {
            let mut kernel = self.kernel();
            match kernel.object(fd.raw())? {
                Object::Event(count) => *count = count.saturating_add(1),
                _ => return Err(Errno::EINVAL),
            }
            let description = kernel.description(fd.raw())?;
            kernel.wake(description, IN);
            Ok(())
        }))
    }

    // Signals, clocks, the process.

    pub(in crate::sys) fn block_signals(&self) -> io::Result<()> {
        said(self.begin(Call::BlockSignals))
    }

    pub(in crate::sys) fn signalfd(&self, signals: impl Iterator<Item = Signal>) -> io::Result<Fd> {
        let signals = signals.map(|signal| signal as u32).collect();
        said(
            self.begin(Call::SignalFd)
                .and_then(|()| self.open(Object::Signals(signals))),
        )
    }

    pub(in crate::sys) fn read_signal(&self, fd: &Fd) -> io::Result<u32> {
        said(self.begin(Call::ReadSignal).and_then(|()| {
            let mut kernel = self.kernel();
            let asked = match kernel.object(fd.raw())? {
                Object::Signals(asked) => asked.clone(),
                _ => return Err(Errno::EINVAL),
            };
            let first = asked.intersection(&kernel.signals).next().copied();
            let first = first.ok_or(Errno::EAGAIN)?;
            kernel.signals.remove(&first);
            Ok(first)
        }))
    }

    pub(in crate::sys) fn sigpipe_is_default(&self) -> bool {
        // Who can't ask takes it for what Rust's programs have.
        let _ = self.begin(Call::SigpipeIsDefault);
        self.kernel().sigpipe_is_default
    }

    pub(in crate::sys) fn monotonic(&self) -> Instant {
        let _ = self.begin(Call::Monotonic); // it can't fail
        self.now()
    }

    pub(in crate::sys) fn realtime(&self) -> UnixTime {
        let _ = self.begin(Call::Realtime); // it can't fail
        let nanos = self.wall_nanos();
        UnixTime::new(
            nanos.div_euclid(1_000_000_000),
            nanos.rem_euclid(1_000_000_000),
        )
    }

    pub(in crate::sys) fn descriptors_max(&self) -> io::Result<u64> {
        said(self.begin(Call::DescriptorsMax))?;
        Ok(self.kernel().descriptors_max as u64)
    }

    pub(in crate::sys) fn processors(&self) -> io::Result<Vec<usize>> {
        said(self.begin(Call::Processors))?;
        Ok(vec![0])
    }

    pub(in crate::sys) fn pin(&self, processor: usize) -> io::Result<()> {
        said(self.begin(Call::Pin))?;
        said(if processor == 0 {
            Ok(())
        } else {
            Err(Errno::EINVAL)
        })
    }

    /// There is no other process.
    pub(in crate::sys) fn kill(&self) -> io::Result<()> {
        said(self.begin(Call::Kill))?;
        said(Err(Errno::ESRCH))
    }

    /// There are no counters.
    pub(in crate::sys) fn perf_event_open(&self) -> io::Result<Fd> {
        said(self.begin(Call::PerfEventOpen))?;
        said(Err(Errno::ENOENT))
    }

    pub(in crate::sys) fn spawn<T>(&self) -> io::Result<T> {
        said(self.begin(Call::Spawn))?;
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "a simulated world has one thread",
        ))
    }

    pub(in crate::sys) fn start_thread(&self, work: impl Work) -> io::Result<Thread> {
        said(self.begin(Call::StartThread))?;
        self.work_later(Box::new(work));
        Ok(Thread(None))
    }

    /// What a thread does is a step for each piece, after some time. Nobody is woken who rests: it ends then, and another
    /// one is started when there is work again.
    fn work_later(&self, mut work: Box<dyn Work>) {
        let nanos = {
            let mut random = self.random();
            let most = 1 << random.between(0, WORK_NANOS_BITS);
            random.below(most)
        };
        let step = move |world: &World| {
            let worked = || work.work() || work.rest(Duration::ZERO);
            world.kernel().thread_works = true;
            let goes_on = catch_unwind(AssertUnwindSafe(worked)).unwrap_or(false);
            world.kernel().thread_works = false;
            if goes_on {
                world.work_later(work);
            }
        };
        self.schedule(nanos, Step::Other(Box::new(step)));
    }
}
