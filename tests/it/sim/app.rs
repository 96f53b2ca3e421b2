//! The server under test: a handler whose answers follow from the request alone, so that clients know them.

use core::time::Duration;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};

use edgeloop::http::Length;
use edgeloop::server::pool::{Lane, LaneLimits, Pool, PoolLimits, PoolStats};
use edgeloop::server::{BodyWriter, Client, EventLoop, Pull, Source};
use edgeloop::sys::Fd;
use edgeloop::sys::file::{self, Failure};
use edgeloop::sys::sim::World;
use edgeloop::web::{CacheLimits, Files};
use edgeloop::{
    Completer, Handler, Intake, Limits, Reply, Request, ResponseWriter, Server, field_name,
};

use super::streams;

/// Where all content comes from: a piece of it is told by where it begins and how long it is.
static PATTERN: LazyLock<&'static [u8]> = LazyLock::new(|| {
    let bytes: Vec<u8> = (0..600_000u32)
        .map(|at| b'!' + (at.wrapping_mul(2_654_435_761) >> 25) as u8 % 90)
        .collect();
    Box::leak(bytes.into_boxed_slice())
});

/// The content of the request with this number.
pub(super) fn content(id: u32, length: usize) -> &'static [u8] {
    let begin = (id % 1009) as usize;
    &PATTERN[begin..begin + length]
}

/// The bodies that are buffered are at most this long.
pub(super) const BODY_MAX: usize = 4096;

/// Files of the world, by name and length.
pub(super) const FILES: [(&str, usize); 4] = [
    ("empty", 0),
    ("small", 1000),
    ("middle", 40_000),
    ("large", 300_000),
];

/// A file that shrinks to a part of itself at some moment.
pub(super) const SHRINKS: (&str, usize) = ("shrinks", 250_000);

const ROOT: &str = "/srv";

pub(super) fn add_files(world: &World) {
    for (name, length) in FILES {
        world.add_file(path_of(name), Rc::from(content(0, length)));
    }
    add_shrinking(world);
}

pub(super) fn add_shrinking(world: &World) {
    let (name, length) = SHRINKS;
    world.add_file(path_of(name), Rc::from(content(0, length)));
}

pub(super) fn path_of(name: &str) -> String {
    format!("{ROOT}/{name}")
}

pub(super) struct App {
    world: World,
    root: Fd,
    files: Files,
    /// Of answers that never come.
    kept: Vec<Completer>,
    jobs: Jobs,
    seen: Rc<Seen>,
}

/// What a run wants to know of its server.
#[derive(Default)]
pub(super) struct Seen {
    /// Answers that came when nobody waited for them any more.
    pub(super) late: Cell<u64>,
    /// Requests that have found no room for their jobs, by their paths.
    pub(super) full: RefCell<BTreeSet<String>>,
    /// Clients that were told that their jobs were not begun in time.
    pub(super) told_late: Cell<u64>,
    /// What became of jobs, and threads that could not be started: known when the server is gone.
    pub(super) jobs: Cell<(PoolStats, u64)>,
    /// Continuations that wait have one each.
    pub(super) waiting: Rc<()>,
}

/// Work for threads.
#[derive(Clone)]
struct Jobs {
    pool: Pool,
    lane: Lane,
    seen: Rc<Seen>,
}

/// More threads than clients at a time.
pub(super) fn wide() -> PoolLimits {
    PoolLimits::default()
}

/// One thread, so many jobs that wait for it, and not for long.
pub(super) fn narrow(queue_max: usize) -> PoolLimits {
    PoolLimits {
        threads_max: 1,
        queue_max,
        queue_time: Duration::from_millis(20),
        ..PoolLimits::default()
    }
}

impl App {
    pub(super) fn new(world: &World, seen: &Rc<Seen>, limits: PoolLimits) -> io::Result<App> {
        let lane_limits = LaneLimits {
            running_max: 1,
            queue_max: limits.queue_max,
        };
        let pool = Pool::new(limits);
        Ok(App {
            world: world.clone(),
            root: file::open_root(ROOT.as_ref())?,
            // What is not tiny goes by sendfile.
            files: Files::new(ROOT)?.with_listings().cache(CacheLimits {
                content_bytes_max: 32 << 10,
                ..CacheLimits::default()
            }),
            kept: Vec::new(),
            jobs: Jobs {
                lane: pool.lane(lane_limits),
                pool,
                seen: Rc::clone(seen),
            },
            seen: Rc::clone(seen),
        })
    }
}

/// A server of it on port 80, with plain limits.
pub(super) fn serve(world: &World) -> EventLoop<App, ()> {
    add_files(world);
    let app = App::new(world, &Rc::default(), wide()).expect("its files are there");
    let limits = Limits {
        body_bytes_max: BODY_MAX,
        ..Limits::default()
    };
    let server = Server::bind("127.0.0.1:80").expect("a free port");
    server.limits(limits).event_loop(app, ()).expect("listens")
}

/// `/kind/id/number/…`
pub(super) struct Asked<'p> {
    pub(super) kind: &'p str,
    pub(super) id: u32,
    pub(super) number: usize,
}

impl<'p> Asked<'p> {
    pub(super) fn new(path: &'p str) -> Asked<'p> {
        let mut parts = path.split('/').skip(1);
        Asked {
            kind: parts.next().unwrap_or_default(),
            id: parts.next().and_then(|it| it.parse().ok()).unwrap_or(0),
            number: parts.next().and_then(|it| it.parse().ok()).unwrap_or(0),
        }
    }
}

impl Handler for App {
    fn intake(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Intake {
        let asked = Asked::new(req.path());
        match asked.kind {
            "refuse" => Intake::Answer(res.status(403).text(asked.id.to_string())),
            "slow" => streams::slow_sink(&self.world, res),
            "back" => Intake::Answer(streams::back(res)),
            _ => Intake::Buffer(BODY_MAX),
        }
    }

    fn on_request(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
        let Asked { kind, id, number } = Asked::new(req.path());
        match kind {
            "text" => res.status(200).text(id.to_string()),
            "echo" => res
                .status(200)
                .field_fmt(field_name!("X-Id"), format_args!("{id}"))
                .body(req.body()),
            "body" => res.status(200).body(content(id, number)),
            "constant" => res.status(200).constant(content(id, number)),
            "shared" => res.status(200).shared(Arc::from(content(id, number))),
            "sized" => res.status(200).stream(
                Length::Known(number as u64),
                Pieces::new(content(id, number), number),
            ),
            "stream" => res
                .status(200)
                .stream(Length::Unknown, Pieces::new(content(id, number), number)),
            "ticks" => streams::ticks(&self.world, id, number, res),
            // Without a body.
            "slow" => res.status(200).empty(),
            "back" => streams::back(res),
            "fails" => res.status(200).stream(
                Length::Unknown,
                Pieces::new(content(id, number), number / 2),
            ),
            "file" => self.file(req, res),
            "www" => match req.path().rsplit_once('/') {
                Some((_, name)) => self.files.serve(req, name, res),
                None => res.no_route(req.method()),
            },
            "later" => {
                let (completer, reply) = res.defer();
                let seen = Rc::clone(&self.seen);
                self.world
                    .after(Duration::from_micros(number as u64), move |_| {
                        if completer.client() == Client::Gone {
                            seen.late.set(seen.late.get() + 1);
                        }
                        completer.finish(move |res| res.status(200).text(id.to_string()));
                    });
                reply
            }
            // The answer that comes late is a long one.
            "then" => {
                let (completer, reply) = res.defer();
                self.world.after(Duration::from_millis(3), move |_| {
                    completer.finish(move |res| res.status(200).constant(content(id, number)));
                });
                reply
            }
            "dropped" => {
                let (completer, reply) = res.defer();
                self.world
                    .after(Duration::from_millis(2), move |_| drop(completer));
                reply
            }
            "never" => {
                let (completer, reply) = res.defer();
                self.kept.push(completer);
                reply
            }
            // It has less time than others.
            "brief" => {
                let time = Duration::from_millis(number as u64);
                let (completer, reply) = res.deadline(time).defer();
                self.kept.push(completer);
                reply
            }
            "promise" => {
                let waiting = Rc::clone(&self.seen.waiting);
                let (promise, reply) = res.defer_with(move |id: u32, res| {
                    drop(waiting);
                    res.status(200).text(id.to_string())
                });
                let delay = Duration::from_micros(number as u64);
                self.world.after(delay, move |_| promise.finish(id));
                reply
            }
            "pool" | "lane" | "works" => self.jobs.run(req.path(), res, &self.world),
            "steps" => {
                let (jobs, world) = (self.jobs.clone(), self.world.clone());
                let path = req.path().to_owned();
                let waiting = Rc::clone(&self.seen.waiting);
                self.jobs.note_full(req.path());
                let job = move || path;
                self.jobs.pool.run(res, job, move |path, res| {
                    drop(waiting);
                    jobs.run(&path, res, &world)
                })
            }
            "panics" => {
                // Some of them when they have begun.
                let _begun =
                    (id % 2 == 0).then(|| res.status(200).field(field_name!("X-Begun"), "1"));
                panic!("a handler panics, as it should")
            }
            "bad" => res
                .status(200)
                .field(field_name!("X-Bad"), "a\r\nb: c")
                .body("nothing"),
            "none" => res.no_route(req.method()),
            _ => mirror(req, res),
        }
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let Jobs { pool, seen, .. } = &self.jobs;
        seen.jobs.set((pool.stats(), pool.failed_starts()));
    }
}

impl Jobs {
    /// Answers with the number in the path, from a thread.
    fn run(&self, path: &str, res: ResponseWriter<'_>, world: &World) -> Reply {
        self.note_full(path);
        let Asked { kind, id, .. } = Asked::new(path);
        let panics = kind == "works";
        let job = move || {
            assert!(!panics, "a job panics, as it should");
            id.to_string()
        };
        let (world, waiting) = (world.clone(), Rc::clone(&self.seen.waiting));
        let then = move |text: String, res: ResponseWriter<'_>| {
            drop(waiting);
            world.note(|| format!("       the job of {text} is done"));
            res.status(200).text(text)
        };
        if kind == "lane" {
            self.lane.run(res, job, then)
        } else {
            self.pool.run(res, job, then)
        }
    }

    /// Whether there is room, told by how many jobs there may be and are.
    fn note_full(&self, path: &str) {
        let (limits, all, lane) = (self.pool.limits(), self.pool.stats(), self.lane.stats());
        let in_lane = lane.running + lane.queued;
        let (jobs, threads) = if Asked::new(path).kind == "lane" {
            (in_lane, 1)
        } else {
            (all.running + all.queued - in_lane, limits.threads_max)
        };
        if jobs >= threads + limits.queue_max {
            self.seen.full.borrow_mut().insert(path.to_owned());
        }
    }
}

impl App {
    /// With sendfile, where it is long enough.
    fn file(&self, req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
        let name = req.path().rsplit('/').next().unwrap_or_default();
        let open = || {
            let file = file::open_beneath(&self.root, name.as_bytes())?;
            file::metadata(&file).map(|metadata| (file, metadata))
        };
        let again = |error: &io::Error| file::failure(error) == Failure::Again;
        match (0..4)
            .map(|_| open())
            .find(|it| !it.as_ref().is_err_and(again))
            .unwrap_or_else(open)
        {
            Ok((file, metadata)) => res.status(200).file(file, 0, metadata.length),
            Err(_) => res.status(503).text("the file can't be had"),
        }
    }
}

/// Says what the request was, or that its method is unknown.
fn mirror(req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
    if req.method().starts_with('X') {
        return res.no_route(req.method());
    }
    let [trailers, fields] = [req.trailers(), req.fields()].map(|fields| {
        let lines = fields
            .iter()
            .map(|(name, value)| format!("{name}={}", value.escape_ascii()));
        lines.collect::<Vec<_>>().join("&")
    });
    let about = format!(
        "{} {} {:?} of {} ({:?}), {fields}, {} bytes, {trailers}\n",
        req.method(),
        req.path(),
        req.query(),
        req.host(),
        req.field("x"),
        req.body().len()
    );
    res.status(200)
        .field_fmt(field_name!("X-Path"), format_args!("{}", req.path()))
        .text(about)
}

/// Gives content in uneven pieces, and fails after so much of it.
struct Pieces {
    content: &'static [u8],
    sound: usize,
    at: usize,
}

impl Pieces {
    fn new(content: &'static [u8], sound: usize) -> Pieces {
        Pieces {
            content,
            sound,
            at: 0,
        }
    }
}

impl Source for Pieces {
    fn pull(&mut self, body: &mut BodyWriter<'_>) -> Pull {
        let piece = 1 + (self.at * 7 + 1300) % 9000;
        let end = (self.at + piece.min(body.room().max(1))).min(self.sound);
        if end == self.at {
            return if self.sound == self.content.len() {
                Pull::End
            } else {
                Pull::Failed
            };
        }
        body.write(&self.content[self.at..end]);
        self.at = end;
        Pull::More
    }
}
