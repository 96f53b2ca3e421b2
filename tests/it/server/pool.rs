//! Work that blocks, on a pool of threads.

use std::cell::Cell;
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread::{self, ThreadId};

use edgeloop::server::pool::{Lane, LaneLimits, Pool, PoolLimits};
use edgeloop::{Limits, Reply, Request, ResponseWriter, Server};

use super::alone::{alone, descriptors, threads};
use super::running::{Running, run, serve_with, take, wait};
use super::{ms, patient};

/// Where jobs wait for the test.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn pass(&self) {
        let (open, news) = &*self.0;
        let mut is_open = open.lock().expect("no panic");
        while !*is_open {
            is_open = news.wait(is_open).expect("no panic");
        }
    }

    fn open(&self) {
        *self.0.0.lock().expect("no panic") = true;
        self.0.1.notify_all();
    }
}

/// Opens the gate at the end of a test, however that comes: a pool waits for its jobs.
struct Opens(Gate);

impl Drop for Opens {
    fn drop(&mut self) {
        self.0.open();
    }
}

/// A server on a pool, and what it takes to see what the pool does.
struct Fixture {
    _opens: Opens,
    server: Running,
    pool: Pool,
    lane: Lane,
    gate: Gate,
    /// Of jobs that have begun: their paths and threads.
    begun: mpsc::Receiver<(String, ThreadId)>,
}

/// `/wait…` are jobs that wait at the gate, `/lane…` the same in a lane, `/panic` panics, `/two` is two jobs in a row, all
/// others are jobs that wait for nothing. Each answer counts with what is not `Send`.
fn fixture(limits: Limits, pool_limits: PoolLimits, lane_limits: LaneLimits) -> Fixture {
    let pool = Pool::new(pool_limits);
    let lane = pool.lane(lane_limits);
    let gate = Gate::default();
    let (to, begun) = mpsc::channel();
    let server = {
        let (pool, lane, gate) = (pool.clone(), lane.clone(), gate.clone());
        serve_with(limits, move |_| {
            let count = Rc::new(Cell::new(0));
            let (pool, lane, gate, to) = (pool.clone(), lane.clone(), gate.clone(), to.clone());
            move |req: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
                let (path, gate, to) = (req.path().to_owned(), gate.clone(), to.clone());
                let job = move || {
                    let _ = to.send((path.clone(), thread::current().id()));
                    if path.starts_with("/wait") || path.starts_with("/lane") {
                        gate.pass();
                    }
                    assert_ne!(path, "/panic", "a panic that belongs to a test");
                    path
                };
                let (count, again) = (Rc::clone(&count), pool.clone());
                let then = move |path: String, res: ResponseWriter<'_>| {
                    count.set(count.get() + 1);
                    if path == "/two" {
                        let job = move || format!("{path} again");
                        return again.run(res, job, |text, res| res.status(200).body(text));
                    }
                    res.status(200).body(path)
                };
                let res = if req.query() == Some("hurry") {
                    res.deadline(ms(200))
                } else {
                    res
                };
                if req.path().starts_with("/lane") {
                    lane.run(res, job, then)
                } else {
                    pool.run(res, job, then)
                }
            }
        })
    };
    Fixture {
        _opens: Opens(gate.clone()),
        server,
        pool,
        lane,
        gate,
        begun,
    }
}

/// With so many threads, and room for so many jobs that wait.
fn narrow(threads_max: usize, queue_max: usize) -> Fixture {
    let limits = PoolLimits {
        threads_max,
        queue_max,
        queue_time: ms(60_000),
        ..PoolLimits::default()
    };
    let lane_limits = LaneLimits {
        running_max: 1,
        queue_max: 1,
    };
    fixture(patient(), limits, lane_limits)
}

#[test]
fn a_job_runs_elsewhere_and_its_value_comes_back() {
    let it = narrow(4, 10);
    assert_eq!(it.pool.threads(), 0, "none before there is work");
    let mut client = it.server.client();
    for path in ["/a", "/b", "/two"] {
        client.ask(path);
        let (begun, worker) = take(&it.begun);
        assert_eq!(begun, path);
        assert_ne!(worker, thread::current().id());
        let text = client.answer().text().to_owned();
        assert!(text.starts_with(path), "{text}");
    }
    let stats = it.pool.stats();
    assert_eq!((stats.ended, stats.panicked), (4, 0));
    assert_eq!((stats.running, stats.queued), (0, 0));
    assert!(stats.delay_sum >= stats.delay_max && !stats.delay_max.is_zero());
    assert_eq!(it.pool.threads(), 1, "one after the other");
}

#[test]
fn a_full_queue_answers_503_and_says_when_to_come_again() {
    let it = narrow(1, 1);
    let mut clients: Vec<_> = (0..3).map(|_| it.server.client()).collect();
    clients[0].ask("/wait/1");
    assert_eq!(take(&it.begun).0, "/wait/1");
    clients[1].ask("/wait/2");
    wait("one waits", || it.pool.stats().queued == 1);
    let refused = clients[2].get("/wait/3");
    assert_eq!(refused.status, 503);
    assert_eq!(refused.field("retry-after"), Some("1"));
    assert!(!refused.closes());
    assert_eq!(it.pool.stats().refused, 1);
    it.gate.open();
    for (client, path) in clients.iter_mut().zip(["/wait/1", "/wait/2"]) {
        assert_eq!(client.answer().text(), path);
    }
    // There is room again.
    assert_eq!(clients[2].get("/4").text(), "/4");
}

#[test]
fn a_job_whose_client_has_gone_is_not_run() {
    let it = narrow(1, 2);
    let (mut first, mut gone, mut last) =
        (it.server.client(), it.server.client(), it.server.client());
    first.ask("/wait/first");
    assert_eq!(take(&it.begun).0, "/wait/first");
    gone.ask("/gone");
    wait("it waits", || it.pool.stats().queued == 1);
    gone.reset();
    it.server.log.wait_closed(1);
    last.ask("/last");
    wait("another waits", || it.pool.stats().queued == 2);
    it.gate.open();
    assert_eq!(first.answer().text(), "/wait/first");
    assert_eq!(last.answer().text(), "/last");
    assert_eq!(take(&it.begun).0, "/last");
    assert_eq!((it.pool.stats().skipped, it.pool.stats().ended), (1, 2));
}

#[test]
fn jobs_whose_clients_have_gone_make_room() {
    let it = narrow(1, 2);
    let mut first = it.server.client();
    first.ask("/wait");
    take(&it.begun);
    for count in 1..3 {
        let mut gone = it.server.client();
        gone.ask("/gone");
        wait("it waits", || it.pool.stats().queued == count);
        gone.reset();
        it.server.log.wait_closed(count);
    }
    let mut next = it.server.client();
    next.ask("/next");
    wait("they make room", || it.pool.stats().queued == 1);
    assert_eq!((it.pool.stats().skipped, it.pool.stats().refused), (2, 0));
    it.gate.open();
    assert_eq!(next.answer().text(), "/next");
}

#[test]
fn a_job_that_panics_is_500_and_its_thread_goes_on() {
    let it = narrow(1, 2);
    let mut client = it.server.client();
    client.ask("/panic");
    let answer = client.answer();
    assert_eq!((answer.status, answer.closes()), (500, false));
    assert_eq!(it.server.log.troubles(), ["JobPanicked"]);
    assert_eq!(client.get("/a").text(), "/a");
    let [panicked, other] = [take(&it.begun).1, take(&it.begun).1];
    assert_eq!(panicked, other);
    assert_eq!((it.pool.stats().panicked, it.pool.stats().ended), (1, 2));
}

#[test]
fn a_job_that_waits_too_long_for_a_thread_is_503_and_one_that_has_begun_is_waited_for() {
    let limits = PoolLimits {
        threads_max: 1,
        queue_time: ms(100),
        retry_after: ms(1_200),
        ..PoolLimits::default()
    };
    let lane_limits = LaneLimits {
        running_max: 1,
        queue_max: 1,
    };
    let it = fixture(patient(), limits, lane_limits);
    let (mut first, mut second) = (it.server.client(), it.server.client());
    first.ask("/wait");
    take(&it.begun);
    let answer = second.get("/second");
    assert_eq!(answer.status, 503);
    assert_eq!(answer.field("retry-after"), Some("2"));
    // The first one has waited longer by now.
    it.gate.open();
    assert_eq!(first.answer().text(), "/wait");
    assert_eq!(second.get("/third").text(), "/third");
    assert_eq!(take(&it.begun).0, "/third");
    assert_eq!((it.pool.stats().expired, it.pool.stats().ended), (1, 2));
}

#[test]
fn a_job_that_has_begun_is_waited_for_until_the_deadline_of_its_request() {
    let it = narrow(1, 2);
    let mut client = it.server.client();
    client.ask("/wait?hurry");
    take(&it.begun);
    let answer = client.answer();
    assert_eq!((answer.status, answer.field("retry-after")), (503, None));
    // Its value is for nobody, and not for the next request.
    client.ask("/next");
    it.gate.open();
    assert_eq!(client.answer().text(), "/next");
}

#[test]
fn a_lane_leaves_threads_for_others() {
    let it = narrow(2, 10);
    let mut clients: Vec<_> = (0..4).map(|_| it.server.client()).collect();
    clients[0].ask("/lane/1");
    assert_eq!(take(&it.begun).0, "/lane/1");
    clients[1].ask("/lane/2");
    wait("it waits", || it.lane.stats().queued == 1);
    assert_eq!(clients[2].get("/lane/3").status, 503);
    for path in ["/a", "/b"] {
        assert_eq!(clients[3].get(path).text(), path);
        assert_eq!(take(&it.begun).0, path);
    }
    let (lane, all) = (it.lane.stats(), it.pool.stats());
    assert_eq!((lane.running, lane.queued, lane.refused), (1, 1, 1));
    assert_eq!((all.running, all.queued, all.ended), (1, 1, 2));
    it.gate.open();
    for (client, path) in clients.iter_mut().zip(["/lane/1", "/lane/2"]) {
        assert_eq!(client.answer().text(), path);
    }
}

#[test]
fn as_many_jobs_run_at_a_time_as_there_may_be_threads() {
    let it = narrow(3, 10);
    let mut clients: Vec<_> = (0..5).map(|_| it.server.client()).collect();
    for client in &mut clients {
        client.ask("/wait");
    }
    let workers: HashSet<_> = (0..3).map(|_| take(&it.begun).1).collect();
    wait("two wait", || it.pool.stats().queued == 2);
    assert_eq!((it.pool.stats().running, it.pool.threads()), (3, 3));
    assert_eq!(workers.len(), 3);
    it.gate.open();
    for client in &mut clients {
        assert_eq!(client.answer().text(), "/wait");
    }
}

/// One of its threads has no signal to take, and is named.
#[test]
fn a_thread_of_the_pool_takes_no_signals() {
    let server = serve_with(patient(), |_| {
        let pool = Pool::default();
        move |_: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
            let status = || std::fs::read_to_string("/proc/thread-self/status");
            let own = status().expect("procfs");
            pool.run(res, status, move |status, res| {
                let status = status.expect("procfs");
                res.status(200)
                    .body(format!("{status}and the worker\n{own}"))
            })
        }
    });
    let answer = server.client().get("/");
    let (status, own) = answer.text().split_once("and the worker\n").expect("two");
    assert_eq!(line(status, "Name"), "edgeloop-pool");
    let blocked = |status| u64::from_str_radix(line(status, "SigBlk"), 16).expect("a mask");
    let bit = |signal: i32| 1_u64 << (signal - 1);
    let faults = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL];
    // Two can't be blocked, and two are the C library's own.
    let never = [libc::SIGKILL, libc::SIGSTOP, 32, 33];
    let open = faults
        .iter()
        .chain(&never)
        .fold(0, |set, it| set | bit(*it));
    assert_eq!(blocked(status) | open, u64::MAX);
    assert_eq!(
        blocked(status) & faults.iter().fold(0, |set, it| set | bit(*it)),
        0
    );
    assert_eq!(
        blocked(own) & bit(libc::SIGTERM),
        0,
        "its mask is as before"
    );
}

fn line<'s>(status: &'s str, name: &str) -> &'s str {
    let mut lines = status.lines().filter_map(|line| line.split_once(":\t"));
    let found = lines.find(|(known, _)| *known == name);
    found.expect("it is there").1
}

#[test]
fn threads_without_work_go() {
    let test = "server::pool::threads_without_work_go";
    alone(test, || {
        let limits = PoolLimits {
            idle_time: ms(10),
            ..PoolLimits::default()
        };
        let lane_limits = LaneLimits {
            running_max: 1,
            queue_max: 1,
        };
        let it = fixture(patient(), limits, lane_limits);
        let mut client = it.server.client();
        assert_eq!(client.get("/warm").text(), "/warm");
        for _ in 0..3 {
            wait("they go", || it.pool.threads() == 0);
            assert_eq!(client.get("/a").text(), "/a");
        }
    });
}

#[test]
fn a_pool_that_is_dropped_leaves_no_thread_and_no_descriptor() {
    let test = "server::pool::a_pool_that_is_dropped_leaves_no_thread_and_no_descriptor";
    alone(test, || {
        let (before, running) = (descriptors(), threads());
        for _ in 0..10 {
            let it = narrow(3, 10);
            let mut clients: Vec<_> = (0..6).map(|_| it.server.client()).collect();
            for client in &mut clients[..5] {
                client.ask("/wait");
            }
            wait("three run", || it.pool.stats().running == 3);
            wait("two wait", || it.pool.stats().queued == 2);
            assert!(threads() > running + 3);
            it.gate.open();
            drop(it);
            for client in &mut clients {
                client.rest();
            }
            drop(clients);
            assert_eq!(descriptors(), before);
            // A thread that was joined may be in the kernel's list for a moment.
            wait("threads end", || threads() == running);
        }
    });
}

/// What waits is dropped: its clients, who are still served, get 500.
#[test]
fn a_pool_that_is_dropped_first_answers_500_for_what_waits() {
    let gate = Gate::default();
    let (to, begun) = mpsc::channel();
    let pool = Pool::new(PoolLimits {
        threads_max: 1,
        ..PoolLimits::default()
    });
    let kept = Arc::new(Mutex::new(Some(pool)));
    let server = {
        let (kept, gate) = (Arc::clone(&kept), gate.clone());
        serve_with(patient(), move |_| {
            let (kept, gate, to) = (Arc::clone(&kept), gate.clone(), to.clone());
            move |_: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
                let (gate, to) = (gate.clone(), to.clone());
                let job = move || {
                    let _ = to.send(());
                    gate.pass();
                };
                match &*kept.lock().expect("no panic") {
                    Some(pool) => pool.run(res, job, |(), res| res.status(200).empty()),
                    None => res.status(404).empty(),
                }
            }
        })
    };
    let _opens = Opens(gate.clone());
    let (mut runs, mut waits) = (server.client(), server.client());
    runs.ask("/");
    take(&begun);
    waits.ask("/");
    let stats = || kept.lock().expect("no panic").as_ref().map(Pool::stats);
    wait("it waits", || stats().is_some_and(|it| it.queued == 1));
    let pool = kept.lock().expect("no panic").take();
    let ends = thread::spawn(move || drop(pool));
    assert_eq!(waits.answer().status, 500);
    gate.open();
    assert_eq!(runs.answer().status, 200);
    ends.join().expect("no panic");
}

#[test]
fn a_job_may_hold_the_last_of_its_pool() {
    let test = "server::pool::a_job_may_hold_the_last_of_its_pool";
    alone(test, || {
        let running = threads();
        let gate = Gate::default();
        let (to, begun) = mpsc::channel();
        let server = {
            let gate = gate.clone();
            serve_with(patient(), move |_| {
                let (pool, gate, to) = (Pool::default(), gate.clone(), to.clone());
                move |_: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
                    let (held, gate, to) = (pool.clone(), gate.clone(), to.clone());
                    let job = move || {
                        let _ = to.send(());
                        gate.pass();
                        drop(held);
                    };
                    pool.run(res, job, |(), res| res.status(200).empty())
                }
            })
        };
        let opens = Opens(gate);
        let mut client = server.client();
        client.ask("/");
        take(&begun);
        server.handle.stop();
        client.end();
        server.join();
        drop(opens);
        wait("threads end", || threads() == running);
    });
}

#[test]
fn workers_may_share_a_pool() {
    let pool = Pool::default();
    let ran = Arc::new(AtomicUsize::new(0));
    let server = Server::bind("127.0.0.1:0").expect("a free port");
    let server = run(server.cores(3).limits(patient()), {
        let (pool, ran) = (pool.clone(), Arc::clone(&ran));
        move |core| {
            let (pool, ran, core) = (pool.clone(), Arc::clone(&ran), Rc::new(core));
            move |_: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
                let (ran, core) = (Arc::clone(&ran), Rc::clone(&core));
                let job = move || ran.fetch_add(1, Ordering::Relaxed);
                pool.run(res, job, move |_, res| {
                    res.status(200).body(core.to_string())
                })
            }
        }
    });
    let mut clients: Vec<_> = (0..30).map(|_| server.client()).collect();
    for client in &mut clients {
        client.ask("/");
    }
    let mut cores: Vec<_> = clients
        .iter_mut()
        .map(|client| client.answer().text().to_owned())
        .collect();
    cores.sort();
    cores.dedup();
    assert!(cores.len() > 1, "the kernel spreads connections: {cores:?}");
    assert_eq!((ran.load(Ordering::Relaxed), pool.stats().ended), (30, 30));
}
