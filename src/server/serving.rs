//! Running: a thread for each core, and how to stop them.

use core::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::adopt::{NotAdopted, adopt};
use super::contain::Contained;
use super::counters::Counters;
use super::defer::{Message, Told};
use super::handler::Handler;
use super::local::Local;
use super::observer::Observer;
use super::start::Parts;
use crate::reactor::Mailbox;
use crate::sys::{Address, Fd, process};

/// A server that listens: clients can connect, and are served once it [runs](Serving::run).
pub struct Serving<F> {
    pub(super) parts: Vec<Parts>,
    pub(super) factory: F,
    pub(super) handle: Handle,
    pub(super) addresses: Vec<Address>,
    pub(super) pinned: bool,
}

impl<F> Serving<F> {
    /// Stops it, from any thread.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// The addresses that it listens on.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }
}

impl<H, O, F> Serving<F>
where
    H: Handler,
    O: Observer,
    F: Fn(&Local) -> (H, O) + Send + Sync,
{
    /// Serves until it is stopped: on this thread, and on as many more as there are cores beyond one. This thread stays
    /// [pinned](super::Server::pinned) afterwards, if it was to be. Errors: a thread
    /// that can't be started, a processor that can't be pinned to, and what epoll_wait(2) has. Panics: as the factory does,
    /// once all other threads have stopped.
    pub fn run(self) -> io::Result<Report> {
        let Serving {
            parts,
            factory,
            handle,
            addresses: _,
            pinned,
        } = self;
        let processors = if pinned {
            process::processors().map_err(cannot("ask for the processors"))?
        } else {
            Vec::new()
        };
        let mut parts = parts.into_iter().enumerate();
        let (_, first) = parts.next().expect("at least one core");
        let leader = first.reactor.mailbox();
        let work = |core: usize, parts: Parts| {
            if !processors.is_empty() {
                process::pin(processors[core % processors.len()])
                    .map_err(cannot("pin a thread to a processor"))?;
            }
            let event_loop = parts.build(core, &factory);
            event_loop.map_err(cannot("watch the listener"))?.run()
        };
        let work = &work;
        std::thread::scope(|scope| {
            // The scope waits for its threads, also for an unwinding one: whatever ends this thread ends them.
            let stop_all = StopAll(&handle);
            let mut threads = Vec::new();
            for (core, parts) in parts {
                let last_word = LastWord(leader.clone());
                let body = move || {
                    let _last_word = last_word;
                    work(core, parts)
                };
                let thread = process::spawn(scope, format!("edgeloop-{core}"), body);
                threads.push(thread.map_err(cannot("start a thread"))?);
            }
            let mut total = work(0, first);
            drop(stop_all);
            for thread in threads {
                let panicked = |_| io::Error::other("a worker's thread panicked");
                let other = thread.join().map_err(panicked).and_then(|ended| ended);
                total = total.and_then(|mut sum| {
                    let other = other?;
                    sum.cut += other.cut;
                    sum.counters += other.counters;
                    Ok(sum)
                });
            }
            total
        })
    }
}

/// An error that says what could not be done.
fn cannot(what: &'static str) -> impl Fn(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("cannot {what}: {error}"))
}

/// Stops all workers when the leading thread is done, however it ends.
struct StopAll<'h>(&'h Handle);

impl Drop for StopAll<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Tells the leading worker that this thread is over, however it ends.
struct LastWord(Mailbox<Message>);

impl Drop for LastWord {
    fn drop(&mut self) {
        // A leader that has stopped waits for nobody.
        let _ = self.0.post(Message::PeerStopped);
    }
}

impl<F> fmt::Debug for Serving<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serving")
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}

/// What is to be said of a server that has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Connections that were cut, because the drain took too long or was told to end.
    pub cut: usize,
    /// What was done, by all loops together.
    pub counters: Counters,
}

/// Stops a server, from any thread. It can be cloned, and does nothing to one that has stopped.
#[derive(Clone, Debug)]
pub struct Handle {
    workers: Vec<Mailbox<Message>>,
    /// Who gets the next connection that is adopted.
    next: Arc<AtomicUsize>,
}

impl Handle {
    pub(super) fn new(workers: Vec<Mailbox<Message>>) -> Handle {
        Handle {
            workers,
            next: Arc::default(),
        }
    }

    /// Serves a connection that somebody else has accepted: a stream socket, of which `read`, at most 64 KiB, was read
    /// already. It is given away with this call; the workers of a server get them in turn.
    ///
    /// It is made non-blocking and close-on-exec, and a TCP connection gets the options that those of a listener have. It
    /// counts among the connections of the server, has its limits, and is closed as they are; if the caller has kept a
    /// duplicate of the descriptor, that stays open. A server that drains answers what was asked on it; one that has no room
    /// answers 503.
    ///
    /// Errors: what is no stream socket, listens or is not connected, more bytes than that, and a server that has stopped; the
    /// descriptor comes back.
    ///
    /// ```no_run
    /// # use edgeloop::{Reply, Request, ResponseWriter, Server};
    /// # fn hello(_: &Request, res: ResponseWriter) -> Reply { res.status(200).text("hello\n") }
    /// use std::os::fd::OwnedFd;
    ///
    /// let server = Server::bind("127.0.0.1:8080")?.cores(2).serve_fn(hello)?;
    /// let (handle, theirs) = (server.handle(), std::net::TcpListener::bind("127.0.0.1:8081")?);
    /// std::thread::spawn(move || {
    ///     for stream in theirs.incoming().flatten() {
    ///         if let Err(refused) = handle.adopt(OwnedFd::from(stream), b"") {
    ///             eprintln!("{refused}");
    ///         }
    ///     }
    /// });
    /// server.run()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// It can't be given away twice, nor used by who has given it away:
    ///
    /// ```compile_fail,E0382
    /// # use std::os::fd::OwnedFd;
    /// # fn give(handle: &edgeloop::Handle, stream: std::net::TcpStream) -> Result<(), Box<dyn std::error::Error>> {
    /// let fd = OwnedFd::from(stream);
    /// handle.adopt(fd, b"")?;
    /// handle.adopt(fd, b"")?; // use of moved value: `fd`
    /// # Ok(())
    /// # }
    /// ```
    pub fn adopt(&self, fd: impl Into<Fd>, read: impl Into<Vec<u8>>) -> Result<(), NotAdopted> {
        let first = self.next.fetch_add(1, Ordering::Relaxed) % self.workers.len().max(1);
        let (before, rest) = self.workers.split_at(first);
        adopt(rest.iter().chain(before), fd.into(), read.into())
    }

    /// Stops gracefully: no connection begins any more, those that have begun are taken, what was asked is answered, idle connections get a short grace.
    /// Ends after [`Limits::drain_time`](super::Limits::drain_time) at the latest.
    pub fn drain(&self) {
        for worker in &self.workers {
            let _ = worker.post(Message::Drain); // one that has stopped is drained
        }
    }

    /// Asks what has been done so far: `told` is called once for each loop that runs, on the loop's own thread, with the
    /// number of its core. It should not block. Of a loop that stops before it has read this, nothing is heard. How many were asked.
    ///
    /// ```no_run
    /// # use edgeloop::{Reply, Request, ResponseWriter, Server};
    /// # fn hello(_: &Request, res: ResponseWriter) -> Reply { res.status(200).text("hello\n") }
    /// let server = Server::bind("127.0.0.1:8080")?.cores(2).serve_fn(hello)?;
    /// let handle = server.handle();
    /// std::thread::spawn(move || {
    ///     std::thread::sleep(std::time::Duration::from_secs(10));
    ///     handle.counters(|core, counters| eprint!("core {core}:\n{counters}"));
    /// });
    /// server.run()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn counters(&self, told: impl Fn(usize, Counters) + Clone + Send + 'static) -> usize {
        let ask = |worker: &&Mailbox<Message>| {
            let told: Told = Box::new(told.clone());
            worker.post(Message::Count(Contained::new(told))).is_ok()
        };
        self.workers.iter().filter(ask).count()
    }

    /// Stops at once: connections are cut.
    pub fn stop(&self) {
        for worker in &self.workers {
            let _ = worker.post(Message::Stop); // one that has stopped is stopped
        }
    }
}
