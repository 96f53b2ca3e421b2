//! Answers that are put off, on a clock that stands still until it is waited for: when they are too late, to the moment.

use core::time::Duration;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use edgeloop::server::EventLoop;
use edgeloop::server::pool::{LaneLimits, Pool, PoolLimits, PoolStats};
use edgeloop::sys::sim::{Call, Peer, Plan, World};
use edgeloop::{Completer, Limits, Reply, Request, ResponseWriter, Server};

use super::parse::{self, Answer, Progress};

/// How long handlers have unless they say otherwise.
const HANDLER_TIME: Duration = Duration::from_secs(20);

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn serve<H: FnMut(&Request<'_>, ResponseWriter<'_>) -> Reply>(handler: H) -> EventLoop<H> {
    let limits = Limits {
        handler_time: HANDLER_TIME,
        ..Limits::default()
    };
    let server = Server::bind("127.0.0.1:80").expect("a free port");
    let server = server.limits(limits).event_loop(handler, ());
    server.expect("it listens")
}

fn ask(world: &World, path: &str) -> Peer {
    let client = world.connect(80).expect("it listens");
    client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
    client
}

/// Turns until there is an answer: what it is, and how long that took.
fn answer<H: FnMut(&Request<'_>, ResponseWriter<'_>) -> Reply>(
    world: &World,
    server: &mut EventLoop<H>,
    client: &Peer,
) -> (Answer, Duration) {
    let begun = world.now();
    let mut bytes = Vec::new();
    loop {
        client.receive(&mut bytes, usize::MAX);
        if let Progress::Whole(answer, _) = parse::read(&bytes, false, false) {
            return (answer, world.now().since(begun));
        }
        server.turn(Some(ms(60_000))).expect("a turn");
    }
}

/// Whether it was waited for so long: deadlines are rounded up to 100 ms, and calls take a little.
fn took(time: Duration, wanted: Duration) -> bool {
    (wanted..wanted + ms(110)).contains(&time)
}

pub(super) fn a_request_is_waited_for_as_long_as_it_says(world: &World) {
    let kept = RefCell::new(Vec::<Completer>::new());
    let mut server = serve(|req, res| {
        let res = match req.path().trim_start_matches('/').parse() {
            // The last word counts.
            Ok(time) => res.deadline(ms(1)).deadline(ms(time)),
            Err(_) => res,
        };
        let (completer, reply) = res.defer();
        kept.borrow_mut().push(completer);
        reply
    });
    for (path, wanted) in [
        ("/0", ms(0)),
        ("/1", ms(1)),
        ("/2500", ms(2_500)),
        ("/35000", ms(35_000)),
        ("/as-others", HANDLER_TIME),
    ] {
        let client = ask(world, path);
        let (answer, time) = answer(world, &mut server, &client);
        assert_eq!(answer.status, 503, "{path}");
        assert!(took(time, wanted), "{path}: {time:?}");
    }
}

/// Each of two answers that are put off in turn takes 600 ms of the second that there is.
pub(super) fn no_time_is_added_when_an_answer_is_put_off_again(world: &World) {
    let handler_world = world.clone();
    let mut server = serve(move |_, res| {
        let (promise, reply) = res.deadline(ms(1_000)).defer_with({
            let world = handler_world.clone();
            move |text: &str, res| {
                let (promise, reply) = res
                    .defer_with(move |more: &str, res| res.status(200).text([text, more].concat()));
                world.after(ms(600), move |_| promise.finish("second"));
                reply
            }
        });
        handler_world.after(ms(600), move |_| promise.finish("first"));
        reply
    });
    let client = ask(world, "/");
    let (answer, time) = answer(world, &mut server, &client);
    assert_eq!(answer.status, 503);
    assert!(took(time, ms(1_000)), "{time:?}");
}

/// A pool with one thread, in a world in which a job takes as long as its path says.
fn one_thread(
    world: &World,
    queue_time: Duration,
) -> (Pool, impl FnMut(&Request<'_>, ResponseWriter<'_>) -> Reply) {
    let pool = Pool::new(PoolLimits {
        threads_max: 1,
        queue_time,
        ..PoolLimits::default()
    });
    let (world, own) = (world.clone(), pool.clone());
    let handler = move |req: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
        let text = req.path().to_owned();
        let time = text.trim_start_matches('/').parse().unwrap_or(0);
        let world = world.clone();
        own.run(
            res,
            move || text,
            move |text, res| {
                // The value comes later than the job has begun.
                let (promise, reply) =
                    res.defer_with(move |text: String, res| res.status(200).text(text));
                world.after(ms(time), move |_| promise.finish(text));
                reply
            },
        )
    };
    (pool, handler)
}

#[test]
fn a_job_has_as_long_as_any_other_answer() {
    let world = &World::new(1);
    let _inside = world.enter();
    let (pool, handler) = one_thread(world, ms(300));
    let mut server = serve(handler);
    for (path, status, wanted) in [("/5000", 200, ms(5_000)), ("/30000", 503, HANDLER_TIME)] {
        let client = ask(world, path);
        let (answer, time) = answer(world, &mut server, &client);
        assert_eq!((answer.status, answer.field("retry-after")), (status, None));
        assert!(took(time, wanted), "{path}: {time:?}");
    }
    assert_eq!(pool.stats().expired, 0);
}

/// Whether its only job is begun in time is a matter of the seed: the time is over at the next tenth of a second.
#[test]
fn a_job_is_waited_for_in_the_queue_as_long_as_the_pool_says() {
    let (mut begun, mut expired) = (0, 0);
    for seed in 0..200 {
        let world = World::new(seed);
        let _inside = world.enter();
        let (pool, handler) = one_thread(&world, Duration::ZERO);
        let mut server = serve(handler);
        let client = ask(&world, "/0");
        let (answer, time) = answer(&world, &mut server, &client);
        world.advance(ms(1_000));
        let stats = pool.stats();
        if answer.status == 200 {
            begun += 1;
            assert_eq!((stats.ended, stats.expired), (1, 0));
        } else {
            expired += 1;
            assert_eq!(
                (answer.status, answer.field("retry-after")),
                (503, Some("1"))
            );
            assert_eq!((stats.ended, stats.expired), (0, 1));
        }
        assert!(took(time, ms(0)), "{time:?}");
    }
    assert!(begun > 0 && expired > 0, "{begun} and {expired}");
}

pub(super) fn without_a_thread_a_job_is_refused_and_the_next_one_tries_again(world: &World) {
    let (pool, handler) = one_thread(world, ms(1_000));
    let mut server = serve(handler);
    world.set_plan(Plan::At {
        call: Call::StartThread,
        errno: libc::EAGAIN,
        nth: 1,
        for_good: false,
    });
    let client = ask(world, "/0");
    let (refused, time) = answer(world, &mut server, &client);
    assert_eq!(
        (refused.status, refused.field("retry-after")),
        (503, Some("1"))
    );
    assert!(took(time, ms(0)), "{time:?}");
    let (stats, failed) = (pool.stats(), pool.failed_starts());
    assert_eq!(
        (stats.refused, stats.queued, failed, pool.threads()),
        (1, 0, 1, 0)
    );
    let client = ask(world, "/0");
    assert_eq!(answer(world, &mut server, &client).0.status, 200);
    assert_eq!(pool.stats().ended, 1);
}

pub(super) fn work_goes_on_with_the_threads_that_there_are(world: &World) {
    let pool = Pool::default();
    let own = pool.clone();
    let mut server = serve(move |req, res| {
        let text = req.path().to_owned();
        own.run(res, move || text, |text, res| res.status(200).text(text))
    });
    world.set_plan(Plan::At {
        call: Call::StartThread,
        errno: libc::EAGAIN,
        nth: 2,
        for_good: true,
    });
    let clients: Vec<_> = (0..5).map(|at| ask(world, &format!("/{at}"))).collect();
    for (at, client) in clients.iter().enumerate() {
        let (answer, _) = answer(world, &mut server, client);
        assert_eq!(answer.body, format!("/{at}").as_bytes());
    }
    assert!(pool.failed_starts() > 0 && pool.stats().ended == 5);
}

/// In a world all of it is a matter of the seed.
#[test]
fn the_same_seed_is_the_same_work() {
    let run = |seed| {
        let world = World::new(seed);
        let _inside = world.enter();
        let (pool, handler) = one_thread(&world, ms(10_000));
        let mut server = serve(handler);
        let clients: Vec<_> = (0..10).map(|at| ask(&world, &format!("/{at}"))).collect();
        let times = clients.iter().map(|client| {
            let (answer, time) = answer(&world, &mut server, client);
            assert_eq!(answer.status, 200);
            time
        });
        (times.collect::<Vec<_>>(), pool.stats())
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

pub(super) fn a_job_that_nobody_is_told_of_runs_if_there_is_room(world: &World) {
    let pool = Pool::new(PoolLimits {
        threads_max: 1,
        queue_max: 1,
        ..PoolLimits::default()
    });
    let ran = Arc::new(AtomicBool::new(false));
    let runs = Arc::clone(&ran);
    assert!(pool.spawn(move || runs.store(true, Ordering::Relaxed)));
    assert!(pool.spawn(|| panic!("a job panics, as it should")));
    assert!(!pool.spawn(|| ()), "one runs and one waits");
    world.advance(ms(1_000));
    let stats = pool.stats();
    assert!(ran.load(Ordering::Relaxed));
    assert_eq!((stats.ended, stats.panicked, stats.refused), (2, 1, 1));
    let lane = pool.lane(LaneLimits {
        running_max: 1,
        queue_max: 1,
    });
    assert!(
        format!("{lane:?}").starts_with("Lane { number: "),
        "{lane:?}"
    );
}

/// Nothing else would wake the loop for as long as a request may wait.
pub(super) fn what_a_turn_leaves_of_its_mail_waits_for_nothing(world: &World) {
    let limits = Limits {
        message_budget: 1,
        ..Limits::default()
    };
    let kept = Rc::new(RefCell::new(Vec::<Completer>::new()));
    let keeps = Rc::clone(&kept);
    let handler = move |_: &Request<'_>, res: ResponseWriter<'_>| {
        let (completer, reply) = res.defer();
        keeps.borrow_mut().push(completer);
        reply
    };
    let server = Server::bind("127.0.0.1:80").expect("a free port");
    let server = server.limits(limits).event_loop(handler, ());
    let mut server = server.expect("it listens");
    let clients: Vec<_> = (0..5).map(|_| ask(world, "/")).collect();
    while kept.borrow().len() < clients.len() {
        server.turn(None).expect("a turn");
    }
    for completer in kept.borrow_mut().drain(..) {
        completer.finish(|res| res.status(200).text("done"));
    }
    for client in &clients {
        let (answer, time) = answer(world, &mut server, client);
        assert_eq!(answer.status, 200);
        assert!(time < ms(100), "{time:?}");
    }
}

/// Whether the client or the thread is first is a matter of the seed.
#[test]
fn a_job_whose_client_has_gone_is_not_run() {
    let mut skipped = 0;
    for seed in 0..50 {
        let world = World::new(seed);
        let _inside = world.enter();
        let ran = Arc::new(AtomicBool::new(false));
        let (pool, flag) = (Pool::default(), Arc::clone(&ran));
        let own = pool.clone();
        let mut server = serve(move |_, res| {
            let flag = Arc::clone(&flag);
            let job = move || flag.store(true, Ordering::Relaxed);
            own.run(res, job, |(), res| res.status(200).empty())
        });
        let client = ask(&world, "/");
        while pool.stats() == PoolStats::default() {
            server.turn(Some(Duration::ZERO)).expect("a turn");
        }
        client.reset();
        while server.connections() > 0 {
            server.turn(Some(ms(1_000))).expect("a turn");
        }
        world.advance(ms(1_000));
        let stats = pool.stats();
        assert_eq!(stats.ended, u64::from(ran.load(Ordering::Relaxed)));
        assert_eq!(stats.ended + stats.skipped, 1);
        skipped += stats.skipped;
    }
    assert!(skipped > 0);
}
