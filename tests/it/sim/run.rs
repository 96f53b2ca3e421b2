//! One run: a world, a server, clients one after the other in several lanes; and what has to be true of it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use core::time::Duration;

use edgeloop::Server;
use edgeloop::server::EventLoop;
use edgeloop::sys::signal::Signals;
use edgeloop::sys::sim::{Peer, Plan, Random, World};
use edgeloop::sys::{Instant, UnixTime};

use super::app::{self, App, Seen};
use super::client::{self, Client, Common, Shared};
use super::plot::Plot;
use super::plots;
use super::progress::Vain;
use super::report::{Failure, Report};
use super::setting::{Excuse, Setting};
use super::watch::Watch;

/// Client actions that a run with a cast of anybody has at least.
const ACTIONS: u64 = 200;
/// By when every client is done: one that waits for an answer that never comes, and then idles, takes 140 s.
const DONE_WITHIN: Duration = Duration::from_secs(900);
/// How long faults go on after the first one.
const FAULTS_LAST: Duration = Duration::from_secs(20);
/// How long clients of a server that has stopped take to see it.
const AFTERWARDS: Duration = Duration::from_secs(30);
/// By when nobody lingers who had anything to do with those that are gone.
const QUIET: Duration = Duration::from_secs(40);

/// Who comes.
pub(super) enum Cast {
    /// Anybody, until they have done enough.
    Anybody { random: Random, next_id: u32 },
    /// These.
    These(VecDeque<Plot>),
}

impl Cast {
    fn next(&mut self, actions: u64) -> Option<Plot> {
        match self {
            Cast::Anybody { random, next_id } => {
                (actions < ACTIONS).then(|| plots::any(random, next_id))
            }
            Cast::These(plots) => plots.pop_front(),
        }
    }

    /// Who comes when all others have gone.
    fn last(&mut self) -> Plot {
        match self {
            Cast::Anybody { random, next_id } => plots::last(random, next_id),
            Cast::These(_) => plots::fresh(),
        }
    }
}

/// Runs the seed.
pub(super) fn run(seed: u64, trace: bool) -> Result<Report, Failure> {
    let mut random = Random::new(seed ^ 0x5eed);
    let setting = Setting::any(&mut random);
    let cast = Cast::Anybody { random, next_id: 0 };
    play(seed, setting, cast, trace)
}

/// Runs a server with this cast.
pub(super) fn play(
    seed: u64,
    setting: Setting,
    cast: Cast,
    trace: bool,
) -> Result<Report, Failure> {
    in_world(seed, trace, |world| {
        world.note(|| format!("seed {seed}: {setting:?}"));
        match Run::new(world, setting, cast)? {
            Ok(mut run) => {
                let ran = catch_unwind(AssertUnwindSafe(|| run.finish()));
                // What was running is dropped in a world that lets it: one that spins would end the process.
                world.set_calls_max(u64::MAX);
                ran.unwrap_or_else(|panic| Err(vec![format!("a panic: {}", text_of(&*panic))]))
            }
            Err(why) => Ok(Report {
                error: Some(why),
                ..Report::of(world)
            }),
        }
    })
}

/// Does something in a world of its own. A panic is a failure like others.
pub(super) fn in_world<T>(
    seed: u64,
    trace: bool,
    body: impl FnOnce(&World) -> Said<T>,
) -> Result<T, Failure> {
    let world = World::new(seed);
    if trace {
        world.start_trace();
    }
    let _inside = world.enter();
    let ran = catch_unwind(AssertUnwindSafe(|| body(&world)));
    let what = match ran {
        Ok(Ok(report)) => return Ok(report),
        Ok(Err(what)) => what,
        Err(panic) => vec![format!("a panic: {}", text_of(&*panic))],
    };
    Err(Failure {
        what,
        trace: world.trace(),
    })
}

/// Nanoseconds that the world's wall clock is ahead of the other one.
fn wall_ahead(world: &World) -> u64 {
    let wall = UnixTime::now();
    wall.secs * 1_000_000_000 + u64::from(wall.nanos) - world.now().as_nanos()
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("of another kind").to_owned()
}

/// Begins a connection to an address, if anybody listens there.
pub(super) fn connect(world: &World, address: &str) -> Option<Peer> {
    if let Some(path) = address.strip_prefix("unix:") {
        return world.connect_path(path.as_ref());
    }
    let (_, port) = address.rsplit_once(':').expect("an address");
    world.connect(port.parse().expect("a port"))
}

/// What nobody needs any more is gone.
pub(super) fn check_nothing_left(world: &World) -> Said<()> {
    match world.open_descriptors() {
        0 => Ok(()),
        open => Err(vec![format!("{open} descriptors are left")]),
    }
}

pub(super) struct Run {
    pub(super) world: World,
    pub(super) setting: Setting,
    pub(super) cast: Cast,
    pub(super) server: Option<EventLoop<App, Watch>>,
    pub(super) watch: Watch,
    pub(super) common: Rc<RefCell<Common>>,
    pub(super) begun: Instant,
    pub(super) phase: Phase,
    /// Whether it is settled when faults stop.
    pub(super) faults_end: bool,
    pub(super) lanes: Vec<Option<Guest>>,
    pub(super) left: Vec<Guest>,
    pub(super) clients: usize,
    pub(super) error: Option<String>,
    pub(super) seen: Rc<Seen>,
    /// Turns in a row in which nothing was done.
    pub(super) vain: Vain,
}

/// A client, and which address it came to.
pub(super) type Guest = (usize, Shared);

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The cast comes and goes.
    Cast,
    /// They have gone; by this time nobody lingers any more.
    Quiet(Instant),
    /// One more client for each address, who comes after the faults.
    Last,
    /// The server stops.
    Stopping,
}

/// What is wrong.
pub(super) type Said<T> = Result<T, Vec<String>>;

impl Run {
    /// The inner error is the server's, which has not started.
    fn new(world: &World, setting: Setting, cast: Cast) -> Said<Result<Run, String>> {
        app::add_files(world);
        world.set_net(setting.net);
        world.set_calls_max(setting.calls_max);
        world.set_sigpipe_is_default(!setting.has_sendfile);
        world.set_has_openat2(setting.has_openat2);
        for path in paths(&setting) {
            world.add_stale_socket(path);
        }
        let stale: Vec<_> = paths(&setting)
            .map(|path| (path, world.socket_file(path)))
            .collect();
        if setting.start_may_fail {
            world.set_plan(setting.plan.clone());
        }
        let requests = setting.is_even().then_some(setting.limits.request_budget);
        let watch = Watch::new(world, requests);
        let seen = Rc::default();
        let server = match start(world, &setting, &watch, &seen) {
            Ok(server) => server,
            Err(why) if setting.start_may_fail => {
                check_nothing_left(world)?;
                for (path, number) in stale {
                    let now = world.socket_file(path);
                    if now.is_some() && now != number && !setting.excuses(Excuse::SocketFileStays) {
                        return Err(vec![format!("{why}; but its socket's file is there")]);
                    }
                }
                return Ok(Err(why));
            }
            Err(why) => return Err(vec![why]),
        };
        world.set_plan(setting.plan.clone());
        world.set_descriptors_max(setting.descriptors);
        if let Some(at) = setting.more_descriptors_at {
            world.after(at, |world| world.set_descriptors_max(1000));
        }
        let (name, length) = app::SHRINKS;
        for round in 0..8 {
            // Another file in its place, which shrinks as well.
            let at = setting
                .shrink_at
                .map(|at| at + round * Duration::from_millis(9));
            let Some(at) = at else {
                continue;
            };
            world.after(at, app::add_shrinking);
            world.after(at + Duration::from_millis(6), move |world| {
                world.resize_file(app::path_of(name), length as u64 / 2);
            });
        }
        let common = Common {
            files_fail: setting.excuses(Excuse::FilesFail),
            mail_is_late: setting.excuses(Excuse::MailIsLate),
            threads_fail: setting.excuses(Excuse::ThreadsFail),
            pool_is_narrow: setting.pool_is_narrow(),
            seen: Rc::clone(&seen),
            turns: 0,
            turn_bytes: setting.turn_bytes(),
            wall_ahead: setting.excused.is_empty().then(|| wall_ahead(world)),
            scarce: setting.is_scarce(),
            actions: 0,
            answers: 0,
            failures: Vec::new(),
        };
        let run = Run {
            lanes: (0..setting.lanes).map(|_| None).collect(),
            world: world.clone(),
            cast,
            server: Some(server),
            watch,
            common: Rc::new(RefCell::new(common)),
            begun: world.now(),
            phase: Phase::Cast,
            faults_end: false,
            left: Vec::new(),
            clients: 0,
            error: None,
            seen,
            vain: Vain::default(),
            setting,
        };
        if let Some(at) = run.setting.drain_at {
            let stop = run.stopper();
            world.after(at, move |_| stop());
        }
        Ok(Ok(run))
    }

    fn finish(&mut self) -> Said<Report> {
        while self.server.as_ref().is_some_and(|it| !it.is_stopped()) {
            self.end_faults();
            if !self.renew_clients() {
                self.go_on();
            }
            if self.world.now().since(self.begun) > DONE_WITHIN {
                return Err(self.stuck("in bounded time"));
            }
            self.turn()?;
            let failures = std::mem::take(&mut self.common.borrow_mut().failures);
            if !failures.is_empty() {
                return Err(failures);
            }
        }
        self.check_counters()?;
        // Clients of a server that has stopped see its end without it.
        self.server = None;
        self.world.advance(AFTERWARDS);
        // Behind what was not read is the end.
        for (_, client) in self.lanes.iter().flatten() {
            client::read_on(client, &self.world);
        }
        self.world.advance(AFTERWARDS);
        if self.renew_clients() {
            return Err(self.stuck("although the server has ended"));
        }
        self.check_clients()?;
        self.check_ends()
    }

    /// Faults that have begun stop after a while.
    fn end_faults(&mut self) {
        if !self.faults_end && !self.world.faults().is_empty() {
            self.faults_end = true;
            self.world
                .after(FAULTS_LAST, |world| world.set_plan(Plan::Sound));
        }
    }

    /// Nobody is left, or those who are wait for nothing that would come.
    pub(super) fn go_on(&mut self) {
        // Somebody who comes while the server stops may be turned away.
        let stops = self.setting.drain_at.is_some();
        match self.phase {
            Phase::Cast => {
                if self.faults_end {
                    self.world.set_plan(Plan::Sound);
                }
                self.phase = Phase::Quiet(self.world.now() + QUIET);
            }
            Phase::Quiet(until) if self.world.now() < until && !stops => {}
            Phase::Quiet(_) => {
                self.phase = Phase::Last;
                let addresses = if stops {
                    0
                } else {
                    self.setting.addresses.len()
                };
                for _ in 0..addresses {
                    let plot = self.cast.last();
                    let client = self.begin(plot);
                    self.lanes.push(client);
                }
            }
            Phase::Last => {
                self.phase = Phase::Stopping;
                self.stopper()();
            }
            Phase::Stopping => {}
        }
    }

    /// How it is stopped.
    fn stopper(&self) -> Box<dyn Fn()> {
        let world = self.world.clone();
        let handle = self.server.as_ref().map(EventLoop::handle);
        if self.setting.has_signals {
            return Box::new(move || world.raise(libc::SIGTERM));
        }
        Box::new(move || handle.iter().for_each(edgeloop::Handle::drain))
    }

    /// Whoever is done makes room for the next one. Whether anybody is left.
    fn renew_clients(&mut self) -> bool {
        let mut busy = false;
        for lane in 0..self.lanes.len() {
            if self.lanes[lane]
                .as_ref()
                .is_some_and(|(_, client)| client.borrow().done)
            {
                self.left.extend(self.lanes[lane].take());
            }
            let stopped = self.server.as_ref().is_none_or(EventLoop::is_stopped);
            if self.lanes[lane].is_none() && self.phase == Phase::Cast && !stopped {
                let actions = self.common.borrow().actions;
                if let Some(plot) = self.cast.next(actions) {
                    self.lanes[lane] = self.begin(plot);
                }
            }
            busy |= self.lanes[lane].is_some();
        }
        busy
    }

    fn begin(&mut self, plot: Plot) -> Option<Guest> {
        // One that finds nobody listening has acted as well.
        self.common.borrow_mut().actions += 1;
        let place = self.clients % self.setting.addresses.len();
        self.clients += 1;
        let peer = connect(&self.world, self.setting.addresses[place])?;
        Some((place, Client::start(&self.world, &self.common, peer, plot)))
    }

    /// Who was told that a job was not begun in time has one that was not.
    fn check_jobs(&self) -> Said<()> {
        let (told, (jobs, _)) = (self.seen.told_late.get(), self.seen.jobs.get());
        if told > jobs.expired + jobs.queued as u64 {
            return Err(vec![format!("{told} clients were told so, of {jobs:?}")]);
        }
        Ok(())
    }

    /// Nothing is left behind.
    fn check_ends(&mut self) -> Said<Report> {
        // Answers that would come too late hold the loop's mailbox.
        self.world.forget_steps();
        if self.error.is_none() {
            self.watch.check_all_ended();
        }
        check_nothing_left(&self.world)?;
        self.check_jobs()?;
        for path in paths(&self.setting) {
            let is_there = self.world.socket_file(path).is_some();
            if is_there && !self.setting.excuses(Excuse::SocketFileStays) {
                return Err(vec![format!("{path} is left")]);
            }
        }
        let mut report = Report {
            error: self.error.take(),
            clients: self.left.len() as u64,
            actions: self.common.borrow().actions,
            answers: self.common.borrow().answers,
            virtual_secs: self.world.now().since(self.begun).as_secs(),
            reasons: self.watch.reasons(),
            late: self.seen.late.get(),
            jobs: self.seen.jobs.get(),
            ..Report::of(&self.world)
        };
        for (_, client) in &self.left {
            *report.plots.entry(client.borrow().plot.name).or_default() += 1;
        }
        Ok(report)
    }
}

/// The paths of the Unix sockets that it listens on.
fn paths(setting: &Setting) -> impl Iterator<Item = &'static str> + use<> {
    let addresses = setting.addresses.iter();
    addresses.filter_map(|address| address.strip_prefix("unix:"))
}

fn start(
    world: &World,
    setting: &Setting,
    watch: &Watch,
    seen: &Rc<Seen>,
) -> Result<EventLoop<App, Watch>, String> {
    let app = App::new(world, seen, setting.pool.clone())
        .map_err(|error| format!("cannot open the files: {error}"))?;
    let mut addresses = setting.addresses.iter();
    let first = addresses.next().expect("one at least");
    let server = Server::bind(first)
        .and_then(|server| addresses.try_fold(server, |server, address| server.and_bind(address)));
    let mut server = server
        .map_err(|error| error.to_string())?
        .limits(setting.limits.clone());
    if setting.has_signals {
        let signals = Signals::block();
        let signals = signals.map_err(|error| format!("cannot read signals: {error}"))?;
        server = server.drain_on(signals);
    }
    let server = server.event_loop(app, watch.clone());
    server.map_err(|error| error.to_string())
}
