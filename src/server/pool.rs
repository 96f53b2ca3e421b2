//! Work that blocks, on a bounded pool of threads.
//!
//! ```text
//!   loop of a worker                                   threads of the pool
//!   Handler ──► Pool::run ──► queue of a lane ───────► job() ─┐
//!                  │ full: 503                                │ T, which is Send
//!   continuation(T, ResponseWriter) ◄──── mail ◄──────────────┘
//! ```
//!
//! A handler must not wait: while it does, nobody else on its loop is served. What can't be had without waiting, a row of a
//! database or a name's address, is a *job* here: it runs on another thread, and its value comes back to the loop, where a
//! continuation answers with it. The continuation is as in [`ResponseWriter::defer_with`]: it never leaves its thread, need
//! not be `Send`, and is dropped as soon as its request is over.
//!
//! Everything is bounded. Jobs beyond a limit are refused at once, and one that has waited too long for a thread is not
//! waited for any more; both clients get 503 with `Retry-After`. A job whose client has gone while it was queued is not run.
//! What a thread has begun it finishes, for nobody can stop it: a job that may take long sets time-outs of its own.
//!
//! ```no_run
//! use edgeloop::server::pool::{LaneLimits, Pool, PoolLimits};
//! use edgeloop::{Reply, Request, ResponseWriter, Server};
//!
//! # fn row(id: u64) -> String { id.to_string() }
//! # fn report() -> String { String::new() }
//! let pool = Pool::new(PoolLimits::default());
//! // No more than two of these at a time, however many there are of the others.
//! let reports = pool.lane(LaneLimits { running_max: 2, queue_max: 20 });
//!
//! let handler = move |req: &Request, res: ResponseWriter| -> Reply {
//!     match req.path() {
//!         "/row" => pool.run(res, || row(7), |row, res| res.status(200).text(row)),
//!         "/report" => reports.run(res, report, |report, res| res.status(200).text(report)),
//!         _ => res.no_route(req.method()),
//!     }
//! };
//! Server::bind("[::]:8080")?.cores(2).serve_fn(handler)?.run()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod queue;

use core::fmt;
use core::mem;
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use queue::{Ended, Job, Need, Queue, Task};

use super::contain::{Contained, contain};
use super::defer::{Client, Finish, Promise};
use super::response::{Reply, ResponseWriter};
use crate::sys::Instant;
use crate::sys::thread::{self, Thread, Work};

/// What threads of the pool are called.
const NAME: &str = "edgeloop-pool";

/// The bounds of a [`Pool`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolLimits {
    /// Threads, of which each is started when there is work for it (16). Zero is one.
    pub threads_max: usize,
    /// Jobs that wait beyond those that run (256), outside of [lanes](Pool::lane). More get 503.
    pub queue_max: usize,
    /// How long a job waits for a thread (10 s, rounded up to 100 ms): 503. Within it, as within all of its work,
    /// [`ResponseWriter::deadline`] counts as well.
    pub queue_time: Duration,
    /// How long a thread without work stays (10 s).
    pub idle_time: Duration,
    /// What clients who get 503 are told to wait before they ask again (1 s), in whole seconds.
    pub retry_after: Duration,
}

impl Default for PoolLimits {
    fn default() -> Self {
        PoolLimits {
            threads_max: 16,
            queue_max: 256,
            queue_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(10),
            retry_after: Duration::from_secs(1),
        }
    }
}

/// The bounds of a [`Lane`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneLimits {
    /// Its jobs that run at a time. Zero is one.
    pub running_max: usize,
    /// Its jobs that wait beyond those that run. More get 503.
    pub queue_max: usize,
}

/// What has become of jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolStats {
    /// That wait at present.
    pub queued: usize,
    /// That run at present.
    pub running: usize,
    /// That have come to their end.
    pub ended: u64,
    /// Of these, those that panicked: 500.
    pub panicked: u64,
    /// For which there was no room, or no thread: 503.
    pub refused: u64,
    /// That were not begun in time: 503.
    pub expired: u64,
    /// That were not begun because nobody waited for them any more.
    pub skipped: u64,
    /// How long those that have ended had waited for a thread, together.
    pub delay_sum: Duration,
    /// And the one that had waited longest.
    pub delay_max: Duration,
}

/// A bounded pool of threads for work that blocks. Clones are the same pool, and may be used by several workers.
///
/// The last clone that is dropped ends it: jobs that wait are dropped, whose clients get 500, and those that run are waited
/// for. No thread is left then; but if it was dropped by a job, that job's thread goes when it has ended.
#[derive(Clone, Debug)]
pub struct Pool(Lane);

/// A part of a [`Pool`] with bounds of its own: it shares the threads, and its queue is its own. Made by [`Pool::lane`].
/// Clones are the same lane, which lasts as long as its pool.
#[derive(Clone)]
pub struct Lane {
    owner: Arc<Owner>,
    number: usize,
}

/// What is gone with the last clone.
struct Owner {
    shared: Arc<Shared>,
    /// Some of them may be over.
    threads: Mutex<Vec<Thread>>,
}

/// What threads and handlers share.
struct Shared {
    limits: PoolLimits,
    queue: Mutex<Queue>,
    /// There is something in the queue, or the pool has come to its end.
    news: Condvar,
}

impl Pool {
    /// A pool that has no thread yet.
    pub fn new(limits: PoolLimits) -> Pool {
        let queue = Queue::new(limits.threads_max.max(1), limits.queue_max);
        Pool(Lane {
            owner: Arc::new(Owner {
                shared: Arc::new(Shared {
                    limits,
                    queue: Mutex::new(queue),
                    news: Condvar::new(),
                }),
                threads: Mutex::default(),
            }),
            number: 0,
        })
    }

    /// Runs `job` on a thread of the pool, and answers with what `continuation` makes of its value on the worker's thread.
    /// When there is no room, it answers 503 at once, and neither of them is called.
    ///
    /// # Panics
    /// One in the job is 500 for its client, and its thread goes on; one in the continuation is one in a handler.
    ///
    /// ```
    /// use edgeloop::server::pool::Pool;
    /// use edgeloop::{Reply, ResponseWriter};
    ///
    /// fn hostname(pool: &Pool, res: ResponseWriter) -> Reply {
    ///     let job = || std::fs::read("/etc/hostname");
    ///     pool.run(res, job, |name, res| match name {
    ///         Ok(name) => res.status(200).text(name),
    ///         Err(_) => res.status(500).text("it has no name\n"),
    ///     })
    /// }
    /// ```
    pub fn run<T: Send + 'static>(
        &self,
        res: ResponseWriter<'_>,
        job: impl FnOnce() -> T + Send + 'static,
        continuation: impl FnOnce(T, ResponseWriter<'_>) -> Reply + 'static,
    ) -> Reply {
        self.0.run(res, job, continuation)
    }

    /// Runs `job` on a thread of the pool for nobody in particular. Whether there was room; if not, it is dropped. It is dropped
    /// too when the pool ends before it has begun, or has no thread at all. A panic in it costs nothing.
    pub fn spawn(&self, job: impl FnOnce() + Send + 'static) -> bool {
        self.0.spawn(job)
    }

    /// A new lane, for a route that must not have all threads.
    pub fn lane(&self, limits: LaneLimits) -> Lane {
        let running_max = limits.running_max.max(1);
        Lane {
            owner: Arc::clone(&self.0.owner),
            number: self
                .0
                .shared()
                .lock()
                .add_lane(running_max, limits.queue_max),
        }
    }

    /// What has become of all jobs, those of lanes as well.
    pub fn stats(&self) -> PoolStats {
        self.0.shared().lock().total()
    }

    /// How many threads it has at present.
    pub fn threads(&self) -> usize {
        self.0.shared().lock().threads()
    }

    /// How often a thread could not be started.
    pub fn failed_starts(&self) -> u64 {
        self.0.shared().lock().failed_starts()
    }

    /// Its limits.
    pub fn limits(&self) -> &PoolLimits {
        &self.0.shared().limits
    }
}

impl Default for Pool {
    fn default() -> Self {
        Pool::new(PoolLimits::default())
    }
}

impl Lane {
    /// Runs a job as [`Pool::run`] does.
    pub fn run<T: Send + 'static>(
        &self,
        res: ResponseWriter<'_>,
        job: impl FnOnce() -> T + Send + 'static,
        continuation: impl FnOnce(T, ResponseWriter<'_>) -> Reply + 'static,
    ) -> Reply {
        if res.is_unsendable() {
            // It is 500 already, and what is dropped with it is the application's.
            return res.status(500).empty();
        }
        let (shared, asked) = (self.shared(), Instant::now());
        // Nothing of others is called or dropped under the lock, and no system call is made.
        let mut gone = VecDeque::new();
        let mut queue = shared.lock();
        if !queue.has_room(self.number) {
            gone = queue.take_gone(self.number);
        }
        if !queue.has_room(self.number) {
            queue.refuse(self.number);
            drop(queue);
            drop(gone);
            return res.busy(shared.limits.retry_after);
        }
        let limits = &shared.limits;
        let (promise, client, reply) =
            res.defer_job(continuation, limits.queue_time, limits.retry_after);
        let task = Box::new(Typed { job, promise });
        let need = queue.push(self.number, asked, client, task);
        drop(queue);
        drop(gone);
        self.tell(need);
        reply
    }

    /// Runs a job as [`Pool::spawn`] does.
    pub fn spawn(&self, job: impl FnOnce() + Send + 'static) -> bool {
        let (shared, asked) = (self.shared(), Instant::now());
        let mut queue = shared.lock();
        if !queue.has_room(self.number) {
            queue.refuse(self.number);
            drop(queue);
            drop(Contained::new(job));
            return false;
        }
        let need = queue.push(
            self.number,
            asked,
            Arc::default(),
            Box::new(Untold(Contained::new(job))),
        );
        drop(queue);
        self.tell(need);
        true
    }

    fn tell(&self, need: Need) {
        match need {
            Need::Nobody => {}
            Need::Sleeper => self.shared().news.notify_one(),
            Need::Thread => self.owner.start_thread(),
        }
    }

    /// What has become of its jobs.
    pub fn stats(&self) -> PoolStats {
        self.shared().lock().stats(self.number)
    }

    fn shared(&self) -> &Shared {
        &self.owner.shared
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane")
            .field("number", &self.number)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl Owner {
    /// Starts a thread that has its place already. If it can't be, the work goes on with those that there are; if there are
    /// none, all that wait are refused.
    fn start_thread(&self) {
        if let Ok(started) = thread::start(NAME, Runner(Arc::clone(&self.shared))) {
            let mut threads = unpoisoned(self.threads.lock());
            threads.retain(|thread| !thread.is_over());
            threads.push(started);
        } else {
            let refused = self.shared.lock().not_started();
            for job in refused {
                contain(|| job.task.into_inner().refuse());
            }
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let waiting = self.shared.lock().close();
        self.shared.news.notify_all();
        drop(waiting);
        let threads = mem::take(&mut *unpoisoned(self.threads.lock()));
        for thread in threads {
            thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        unpoisoned(self.queue.lock())
    }
}

/// No code of others runs under a lock, so a poisoned one has sound content all the same.
fn unpoisoned<T>(locked: Result<T, PoisonError<T>>) -> T {
    locked.unwrap_or_else(PoisonError::into_inner)
}

/// What a thread of the pool does.
struct Runner(Arc<Shared>);

impl Work for Runner {
    fn work(&mut self) -> bool {
        let taken = self.0.lock().take();
        let Some((job, more)) = taken else {
            return false;
        };
        if more {
            self.0.news.notify_one();
        }
        self.run(job);
        true
    }

    fn rest(&mut self, time: Duration) -> bool {
        let time = time.min(self.0.limits.idle_time);
        let mut queue = self.0.lock();
        let mut awaited = time.is_zero();
        loop {
            if queue.has_work() {
                return true;
            }
            if awaited || queue.is_closed() {
                queue.leave();
                return false;
            }
            let (locked, waited) = unpoisoned(self.0.news.wait_timeout(queue, time));
            queue = locked;
            awaited = waited.timed_out();
        }
    }
}

impl Runner {
    /// Whatever a job, its value or its remains do, this thread goes on.
    fn run(&self, job: Job) {
        let Job {
            lane,
            asked,
            client,
            task,
            ..
        } = job;
        let delay = Instant::now().since(asked);
        let end = |ended| self.0.lock().end(lane, ended);
        let waits = client.get() != Client::Gone;
        contain(|| match (client.settle(), waits) {
            (true, true) => {
                let end = |panicked| end(Ended::Ran { delay, panicked });
                task.into_inner().run(&end);
            }
            (true, false) => {
                end(Ended::Skipped);
                drop(task);
            }
            (false, _) => {
                end(Ended::Expired);
                drop(task);
            }
        });
    }
}

/// A job and where its value goes.
struct Typed<J, T> {
    job: J,
    promise: Promise<T>,
}

impl<T: Send + 'static, J: FnOnce() -> T + Send> Task for Typed<J, T> {
    fn run(self: Box<Self>, end: &dyn Fn(bool)) {
        let Typed { job, promise } = *self;
        let ran = contain(job);
        end(ran.is_none());
        match ran {
            Some(value) => promise.finish(value),
            None => promise.fail(Finish::Panicked),
        }
    }

    fn refuse(self: Box<Self>) {
        self.promise.fail(Finish::Refused);
    }
}

/// A job that nobody is told of.
struct Untold<J>(Contained<J>);

impl<J: FnOnce() + Send> Task for Untold<J> {
    fn run(self: Box<Self>, end: &dyn Fn(bool)) {
        let ran = contain(self.0.into_inner());
        end(ran.is_none());
    }

    fn refuse(self: Box<Self>) {}
}
