//! What waits for a thread, and which of it may run. No thread, no lock and no clock: the pool brings them.

use core::mem;
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;

use super::PoolStats;
use crate::server::contain::Contained;
use crate::server::defer::{Client, ClientState};
use crate::sys::Instant;

/// Jobs of all lanes, and how many threads there are for them.
pub(super) struct Queue {
    lanes: Vec<LaneState>,
    threads: usize,
    threads_max: usize,
    failed_starts: u64,
    /// The number of the next job.
    next: u64,
    closed: bool,
}

struct LaneState {
    running_max: usize,
    queue_max: usize,
    jobs: VecDeque<Job>,
    /// `queued` is not kept here.
    stats: PoolStats,
}

/// A job that waits, or is about to run.
pub(super) struct Job {
    number: u64,
    pub(super) lane: usize,
    pub(super) asked: Instant,
    pub(super) client: Arc<ClientState>,
    pub(super) task: Contained<Box<dyn Task>>,
}

/// What a job is, whatever its value.
pub(super) trait Task: Send {
    /// Runs it. Before its client is told, `end` is: whether it panicked.
    fn run(self: Box<Self>, end: &dyn Fn(bool));

    /// Tells its client that there is no thread.
    fn refuse(self: Box<Self>);
}

/// How it ended for a job that a thread has taken.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ended {
    Ran {
        delay: Duration,
        panicked: bool,
    },
    /// Its client had gone.
    Skipped,
    /// Its client had been told that it took too long.
    Expired,
}

/// Who has to be told of a new job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Nobody: a thread that works looks when it is done.
    Nobody,
    /// One of those that sleep.
    Sleeper,
    /// A new thread, which is counted already.
    Thread,
}

impl Queue {
    /// With one lane, which may have all threads.
    pub(super) fn new(threads_max: usize, queue_max: usize) -> Queue {
        let mut queue = Queue {
            lanes: Vec::new(),
            threads: 0,
            threads_max,
            failed_starts: 0,
            next: 0,
            closed: false,
        };
        queue.add_lane(threads_max, queue_max);
        queue
    }

    /// The number of a new lane.
    pub(super) fn add_lane(&mut self, running_max: usize, queue_max: usize) -> usize {
        self.lanes.push(LaneState {
            running_max: running_max.min(self.threads_max),
            queue_max,
            jobs: VecDeque::new(),
            stats: PoolStats::default(),
        });
        self.lanes.len() - 1
    }

    /// Whether one more job may come. As many as may run and wait may wait, while no thread is free for the lane.
    pub(super) fn has_room(&self, lane: usize) -> bool {
        let lane = &self.lanes[lane];
        let jobs = lane.jobs.len() + lane.stats.running;
        jobs < lane.running_max.saturating_add(lane.queue_max)
    }

    /// Takes out the jobs that nobody waits for.
    pub(super) fn take_gone(&mut self, lane: usize) -> VecDeque<Job> {
        let lane = &mut self.lanes[lane];
        let is_gone = |job: &Job| job.client.get() == Client::Gone;
        if !lane.jobs.iter().any(is_gone) {
            return VecDeque::new();
        }
        let jobs = mem::take(&mut lane.jobs).into_iter();
        let gone;
        (gone, lane.jobs) = jobs.partition(is_gone);
        for job in &gone {
            if job.client.settle() {
                lane.stats.skipped += 1;
            } else {
                lane.stats.expired += 1;
            }
        }
        gone
    }

    /// Counts one for which there was no room.
    pub(super) fn refuse(&mut self, lane: usize) {
        self.lanes[lane].stats.refused += 1;
    }

    /// Adds a job, for which there has to be room.
    pub(super) fn push(
        &mut self,
        lane: usize,
        asked: Instant,
        client: Arc<ClientState>,
        task: Box<dyn Task>,
    ) -> Need {
        let number = self.next;
        self.next += 1;
        self.lanes[lane].jobs.push_back(Job {
            number,
            lane,
            asked,
            client,
            task: Contained::new(task),
        });
        let (may_run, free) = (self.may_run(), self.free());
        if may_run > free && self.threads < self.threads_max {
            self.threads += 1;
            Need::Thread
        } else if may_run > 0 && free > 0 {
            Need::Sleeper
        } else {
            Need::Nobody
        }
    }

    /// Threads that sleep, or will look for work before they do.
    fn free(&self) -> usize {
        let running = self.lanes.iter().map(|lane| lane.stats.running);
        self.threads - running.sum::<usize>()
    }

    /// How many jobs could begin, were there threads.
    fn may_run(&self) -> usize {
        self.lanes.iter().map(LaneState::may_run).sum()
    }

    pub(super) fn has_work(&self) -> bool {
        self.lanes.iter().any(|lane| lane.may_run() > 0)
    }

    /// Takes the job that has waited longest of those that may run, and whether there is one for another thread.
    pub(super) fn take(&mut self) -> Option<(Job, bool)> {
        let lanes = self.lanes.iter_mut().filter(|lane| lane.may_run() > 0);
        let lane = lanes.min_by_key(|lane| lane.jobs.front().map(|job| job.number))?;
        let job = lane.jobs.pop_front()?;
        lane.stats.running += 1;
        Some((job, self.has_work() && self.free() > 0))
    }

    /// A job that was taken has come to its end.
    pub(super) fn end(&mut self, lane: usize, ended: Ended) {
        let stats = &mut self.lanes[lane].stats;
        stats.running -= 1;
        match ended {
            Ended::Ran { delay, panicked } => {
                stats.ended += 1;
                stats.panicked += u64::from(panicked);
                stats.delay_sum = stats.delay_sum.saturating_add(delay);
                stats.delay_max = stats.delay_max.max(delay);
            }
            Ended::Skipped => stats.skipped += 1,
            Ended::Expired => stats.expired += 1,
        }
    }

    /// A thread ends.
    pub(super) fn leave(&mut self) {
        self.threads -= 1;
    }

    /// A thread that was counted could not be started. With none at all, nobody will run what waits.
    pub(super) fn not_started(&mut self) -> Vec<Job> {
        self.leave();
        self.failed_starts += 1;
        let mut jobs = Vec::new();
        if self.threads == 0 {
            for lane in &mut self.lanes {
                lane.stats.refused += lane.jobs.len() as u64;
                jobs.extend(lane.jobs.drain(..));
            }
        }
        jobs
    }

    /// No job comes any more. Those that wait are the caller's to drop.
    pub(super) fn close(&mut self) -> Vec<Job> {
        self.closed = true;
        let jobs = self.lanes.iter_mut().map(|lane| mem::take(&mut lane.jobs));
        jobs.flatten().collect()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(super) fn threads(&self) -> usize {
        self.threads
    }

    pub(super) fn failed_starts(&self) -> u64 {
        self.failed_starts
    }

    pub(super) fn stats(&self, lane: usize) -> PoolStats {
        let lane = &self.lanes[lane];
        PoolStats {
            queued: lane.jobs.len(),
            ..lane.stats
        }
    }

    /// Of all lanes together.
    pub(super) fn total(&self) -> PoolStats {
        let each = (0..self.lanes.len()).map(|lane| self.stats(lane));
        each.fold(PoolStats::default(), |sum, lane| PoolStats {
            queued: sum.queued + lane.queued,
            running: sum.running + lane.running,
            ended: sum.ended + lane.ended,
            panicked: sum.panicked + lane.panicked,
            refused: sum.refused + lane.refused,
            expired: sum.expired + lane.expired,
            skipped: sum.skipped + lane.skipped,
            delay_sum: sum.delay_sum.saturating_add(lane.delay_sum),
            delay_max: sum.delay_max.max(lane.delay_max),
        })
    }
}

impl LaneState {
    fn may_run(&self) -> usize {
        self.jobs.len().min(self.running_max - self.stats.running)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;

    impl Task for Nothing {
        fn run(self: Box<Self>, end: &dyn Fn(bool)) {
            end(false);
        }

        fn refuse(self: Box<Self>) {}
    }

    fn push(queue: &mut Queue, lane: usize) -> (Need, Arc<ClientState>) {
        let client = Arc::<ClientState>::default();
        assert!(queue.has_room(lane));
        let asked = Instant::from_nanos(0);
        let need = queue.push(lane, asked, Arc::clone(&client), Box::new(Nothing));
        (need, client)
    }

    fn take(queue: &mut Queue) -> Option<u64> {
        queue.take().map(|(job, _)| job.number)
    }

    const RAN: Ended = Ended::Ran {
        delay: Duration::from_secs(1),
        panicked: false,
    };

    #[test]
    fn a_thread_is_started_for_each_job_that_no_other_is_free_for() {
        let mut queue = Queue::new(2, 10);
        assert_eq!(push(&mut queue, 0).0, Need::Thread);
        // The first one has not looked yet.
        assert_eq!(push(&mut queue, 0).0, Need::Thread);
        assert_eq!(push(&mut queue, 0).0, Need::Sleeper);
        assert_eq!([take(&mut queue), take(&mut queue)], [Some(0), Some(1)]);
        assert_eq!(push(&mut queue, 0).0, Need::Nobody);
        queue.end(0, RAN);
        assert_eq!([take(&mut queue), take(&mut queue)], [Some(2), None]);
        queue.end(0, RAN);
        queue.end(0, RAN);
        assert_eq!(take(&mut queue), Some(3));
        queue.end(0, RAN);
        assert_eq!(push(&mut queue, 0).0, Need::Sleeper);
        queue.leave();
        queue.leave();
        assert_eq!(push(&mut queue, 0).0, Need::Thread);
    }

    #[test]
    fn as_many_are_taken_as_may_run_and_wait() {
        let mut queue = Queue::new(2, 1);
        for _ in 0..3 {
            push(&mut queue, 0);
        }
        assert!(!queue.has_room(0));
        take(&mut queue);
        assert!(!queue.has_room(0));
        queue.end(0, RAN);
        assert!(queue.has_room(0));
    }

    #[test]
    fn a_lane_has_no_more_threads_than_it_may_and_the_oldest_that_may_run_is_next() {
        let mut queue = Queue::new(3, 10);
        let narrow = queue.add_lane(1, 1);
        push(&mut queue, narrow);
        push(&mut queue, narrow);
        push(&mut queue, 0);
        assert!(!queue.has_room(narrow) && queue.has_room(0));
        let (first, more) = queue.take().expect("one may run");
        assert_eq!((first.number, more), (0, true));
        assert_eq!([take(&mut queue), take(&mut queue)], [Some(2), None]);
        assert!(!queue.has_work());
        queue.end(narrow, RAN);
        assert_eq!(take(&mut queue), Some(1));
        let stats = queue.total();
        assert_eq!((stats.running, stats.queued, stats.ended), (2, 0, 1));
    }

    #[test]
    fn those_that_nobody_waits_for_make_room() {
        let mut queue = Queue::new(1, 3);
        let clients: Vec<_> = (0..4).map(|_| push(&mut queue, 0).1).collect();
        assert_eq!(queue.take_gone(0).len(), 0);
        clients[1].set(Client::Gone);
        clients[3].set(Client::Gone);
        assert!(clients[3].settle(), "its client was told");
        assert_eq!(queue.take_gone(0).len(), 2);
        let stats = queue.stats(0);
        assert_eq!((stats.skipped, stats.expired, stats.queued), (1, 1, 2));
        assert_eq!([take(&mut queue), take(&mut queue)], [Some(0), None]);
    }

    #[test]
    fn what_waits_is_refused_when_there_is_no_thread_at_all() {
        let mut queue = Queue::new(2, 9);
        push(&mut queue, 0);
        push(&mut queue, 0);
        assert_eq!(queue.not_started().len(), 0, "one is left");
        assert_eq!(queue.not_started().len(), 2);
        assert_eq!((queue.threads(), queue.failed_starts()), (0, 2));
        assert_eq!(queue.stats(0).refused, 2);
    }
}
