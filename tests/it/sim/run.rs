//! One run: a world, a server, clients one after the other in several lanes; and what has to be true of it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use core::time::Duration;

use edgeloop::reactor::Turn;
use edgeloop::server::{CloseReason, EventLoop};
use edgeloop::sys::sim::{Call, Net, PeerState, Plan, Random, Rates, World};
use edgeloop::sys::{Instant, UnixTime};
use edgeloop::{Limits, Server};

use super::app::{self, App};
use super::client::{Client, Common, Shared};
use super::plot::{self, Plot, Since};
use super::watch::Watch;

const PORT: u16 = 80;
/// Client actions that a run has at least.
const ACTIONS: u64 = 200;
/// By when every client is done: one that waits for an answer that never comes, and then idles, takes 140 s.
const DONE_WITHIN: Duration = Duration::from_secs(900);
/// After which a loop that waits is looked at: longer than any deadline, so that nobody's wake comes of it.
const LONGEST_WAIT: Duration = Duration::from_secs(200);
/// By when nobody lingers who had anything to do with those that are gone.
const QUIET: Duration = Duration::from_secs(40);
/// Calls of a run, of which the longest known has a fifth.
const CALLS_MAX: u64 = 2_000_000;
/// Turns in a row in which nothing is done: a few deadlines that were moved may be looked at in turns of their own.
const VAIN_TURNS: u32 = 50;
/// Deadlines are rounded up to 100 ms; the rest is what pieces and odd moments take.
const LATE_BY: Duration = Duration::from_millis(150);
const EARLY_BY: Duration = Duration::from_millis(1);

/// What the seed has chosen.
#[derive(Debug)]
struct Setting {
    plan: Plan,
    net: Net,
    limits: Limits,
    lanes: usize,
    descriptors: usize,
    /// When it is told to drain while clients are still busy.
    drain_at: Option<Duration>,
    shrink_at: Duration,
    sendfile: bool,
}

impl Setting {
    fn new(random: &mut Random) -> Setting {
        let plan = match random.below(3) {
            0 => Plan::Sound,
            1 => Plan::Random(Rates::UNEVEN),
            _ => Plan::Random(Rates::ROUGH),
        };
        let pick = |random: &mut Random, from: &[u64]| from[random.index(from.len())];
        let mut net = Net {
            send_room: pick(random, &[2_000, 16_000, 128 << 10, 1 << 20]) as usize,
            receive_room: pick(random, &[500, 8_000, 128 << 10]) as usize,
            peer_receive_room: pick(random, &[1_000, 16_000, 64 << 10]) as usize,
            latency: Duration::from_micros(pick(random, &[0, 0, 40, 3_000])),
            piece: pick(random, &[20, 1_460, 1_460, u64::MAX]) as usize,
        };
        // A slower line would have answers under way for longer than idle connections are kept.
        if net.piece < 100 {
            net.latency = net.latency.min(Duration::from_micros(40));
        }
        let mut limits = Limits {
            body_bytes_max: app::BODY_MAX,
            ..Limits::default()
        };
        if random.below(3) == 0 {
            limits.receive_budget = pick(random, &[100, 5_000]) as usize;
            limits.send_budget = pick(random, &[1_000, 20_000]) as usize;
            limits.request_budget = pick(random, &[1, 3]) as usize;
            limits.turn_send_budget = pick(random, &[2_000, 60_000, 1 << 20]) as usize;
            limits.accept_budget = pick(random, &[1, 2]) as usize;
        }
        let mut descriptors = 1000;
        match random.below(12) {
            0 => limits.connections_max = Some(random.between(1, 5) as usize),
            1 => limits.buffers_bytes_max = pick(random, &[20_000, 150_000]) as usize,
            // Those of the loop, the listener and the files are five.
            2 => descriptors = random.between(7, 12) as usize,
            _ => {}
        }
        Setting {
            plan,
            net,
            limits,
            lanes: random.between(2, 9) as usize,
            descriptors,
            drain_at: (random.below(8) == 0).then(|| Duration::from_millis(random.below(4_000))),
            shrink_at: Duration::from_millis(random.below(40)),
            sendfile: random.below(8) > 0,
        }
    }

    fn is_scarce(&self) -> bool {
        let limits = &self.limits;
        let default = Limits::default();
        limits.connections_max.is_some()
            || limits.buffers_bytes_max != default.buffers_bytes_max
            || self.descriptors < 1000
            || self.drain_at.is_some()
    }

    /// Nothing happens within a turn but what the server does.
    fn is_even(&self) -> bool {
        matches!(self.plan, Plan::Sound)
    }

    /// What a client can be sent in a turn: that of its budgets, for it may be driven by the run queue, by an event and by
    /// mail, and what is encoded at once. `None`: what comes of a turn comes later.
    fn turn_bytes(&self) -> Option<usize> {
        let at_once = self.is_even() && self.net.latency.is_zero();
        at_once.then_some(3 * self.limits.send_budget + (96 << 10))
    }

    fn is_rough(&self) -> bool {
        matches!(&self.plan, Plan::Random(rates) if rates.fail > 0)
    }
}

/// What a run came to.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) runs: u64,
    pub(super) clients: u64,
    pub(super) actions: u64,
    pub(super) answers: u64,
    pub(super) calls: u64,
    pub(super) virtual_secs: u64,
    pub(super) faults: BTreeMap<(Call, &'static str), u64>,
    pub(super) plots: BTreeMap<&'static str, u64>,
    pub(super) reasons: BTreeMap<String, u64>,
}

impl Report {
    pub(super) fn add(&mut self, other: Report) {
        self.runs += other.runs;
        self.clients += other.clients;
        self.actions += other.actions;
        self.answers += other.answers;
        self.calls += other.calls;
        self.virtual_secs += other.virtual_secs;
        for (key, count) in other.faults {
            *self.faults.entry(key).or_default() += count;
        }
        for (key, count) in other.plots {
            *self.plots.entry(key).or_default() += count;
        }
        for (key, count) in other.reasons {
            *self.reasons.entry(key).or_default() += count;
        }
    }
}

/// A run that went wrong: what was seen, and what had happened.
pub(super) struct Failure {
    pub(super) what: Vec<String>,
    pub(super) trace: Vec<String>,
}

/// Runs the seed.
pub(super) fn run(seed: u64, trace: bool) -> Result<Report, Failure> {
    let world = World::new(seed);
    if trace {
        world.start_trace();
    }
    let _inside = world.enter();
    let ran = match Run::new(seed, &world) {
        Ok(mut run) => {
            let ran = catch_unwind(AssertUnwindSafe(|| run.finish()));
            // What was running is dropped in a world that lets it: one that spins would end the process.
            world.set_calls_max(u64::MAX);
            ran
        }
        Err(what) => Ok(Err(what)),
    };
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

struct Run {
    world: World,
    random: Random,
    setting: Setting,
    server: Option<EventLoop<App, Watch>>,
    watch: Watch,
    common: Rc<RefCell<Common>>,
    lanes: Vec<Option<Shared>>,
    left: Vec<Shared>,
    next_id: u32,
    drained: bool,
    /// When everybody has been gone for so long that the last one comes, and whether it has.
    quiet_until: Option<Instant>,
    last_came: bool,
    /// Turns in a row in which nothing was done, and the calls that were made before them.
    vain: (u32, u64),
}

type Said<T> = Result<T, Vec<String>>;

impl Run {
    fn new(seed: u64, world: &World) -> Said<Run> {
        let mut random = Random::new(seed ^ 0x5eed);
        let setting = Setting::new(&mut random);
        world.note(|| format!("seed {seed}: {setting:?}"));
        app::add_files(world);
        world.set_net(setting.net);
        world.set_calls_max(CALLS_MAX);
        world.set_sigpipe_is_default(!setting.sendfile);
        let requests = setting.is_even().then_some(setting.limits.request_budget);
        let watch = Watch::new(world, requests);
        let failed = |error: &dyn std::fmt::Display| vec![format!("can't start: {error}")];
        let app = App::new(world).map_err(|error| failed(&error))?;
        let server = Server::bind(&format!("127.0.0.1:{PORT}"))
            .and_then(|server| {
                let server = server.limits(setting.limits.clone());
                server.event_loop(app, watch.clone())
            })
            .map_err(|error| failed(&error))?;
        world.set_plan(setting.plan.clone());
        world.set_descriptors_max(setting.descriptors);
        // Faults stop, and then everybody is done after a while.
        world.after(Duration::from_secs(20), |world| world.set_plan(Plan::Sound));
        let (name, length) = app::SHRINKS;
        world.after(setting.shrink_at, move |world| {
            world.resize_file(app::path_of(name), length as u64 / 2);
        });
        let common = Common {
            port: PORT,
            turns: 0,
            turn_bytes: setting.turn_bytes(),
            wall_ahead: (!setting.is_rough()).then(|| wall_ahead(world)),
            rough: setting.is_rough(),
            scarce: setting.is_scarce(),
            actions: 0,
            answers: 0,
            failures: Vec::new(),
        };
        Ok(Run {
            lanes: (0..setting.lanes).map(|_| None).collect(),
            world: world.clone(),
            random,
            setting,
            server: Some(server),
            watch,
            common: Rc::new(RefCell::new(common)),
            left: Vec::new(),
            next_id: 0,
            drained: false,
            quiet_until: None,
            last_came: false,
            vain: (0, 0),
        })
    }

    fn finish(&mut self) -> Said<Report> {
        let begun = self.world.now();
        if let Some(at) = self.setting.drain_at
            && let Some(server) = &self.server
        {
            let handle = server.handle();
            self.world.after(at, move |_| handle.drain());
        }
        loop {
            let busy = self.renew_clients() || self.awaits_the_last();
            if !busy && !self.drained {
                self.drained = true;
                if let Some(server) = &self.server {
                    server.handle().drain();
                }
            }
            if self.server.as_ref().is_none_or(EventLoop::is_stopped) && !self.wait_for_clients() {
                break;
            }
            if self.world.now().since(begun) > DONE_WITHIN {
                return Err(self.stuck());
            }
            self.turn()?;
            let failures = std::mem::take(&mut self.common.borrow_mut().failures);
            if !failures.is_empty() {
                return Err(failures);
            }
        }
        self.check_clients()?;
        self.check_ends(begun)
    }

    /// After the others the last one comes, when nobody lingers any more and nothing fails. Whether it is still to come.
    fn awaits_the_last(&mut self) -> bool {
        let draining = self.setting.drain_at.is_some() || self.drained;
        match self.quiet_until {
            None => {
                self.world.set_plan(Plan::Sound);
                let until = self.world.now() + QUIET;
                self.quiet_until = Some(until);
                !draining
            }
            Some(until) if self.world.now() < until => !draining,
            Some(_) if self.last_came || draining => false,
            Some(_) => {
                self.last_came = true;
                let plot = plot::last(&mut self.random, &mut self.next_id);
                self.lanes[0] = Client::start(&self.world, &self.common, plot);
                self.lanes[0].is_some()
            }
        }
    }

    /// Clients of a server that has stopped see its end without it.
    fn wait_for_clients(&mut self) -> bool {
        self.server = None;
        for _ in 0..3 {
            self.world.advance(Duration::from_secs(2));
        }
        self.renew_clients();
        false
    }

    fn turn(&mut self) -> Said<()> {
        let Some(server) = &mut self.server else {
            return Ok(());
        };
        self.common.borrow_mut().turns += 1;
        self.watch.begin_turn();
        // Somebody who looks again and again whether something has come would keep a loop waiting for ever.
        match server.turn(Some(LONGEST_WAIT)) {
            Ok(turn) => self.check_progress(turn),
            Err(error) => Err(vec![format!("the loop ends: {error}")]),
        }
    }

    /// A loop that wakes without an event has something to do: more calls than those that wait and look at clocks.
    fn check_progress(&mut self, turn: Turn) -> Said<()> {
        let waits = [Call::EpollWait, Call::Monotonic, Call::Realtime];
        let others = Call::ALL.iter().filter(|call| !waits.contains(call));
        let calls = others.map(|call| self.world.calls(*call)).sum();
        self.vain = match self.vain {
            (turns, before) if before == calls && turn.events == 0 => (turns + 1, calls),
            _ => (0, calls),
        };
        if self.vain.0 > VAIN_TURNS {
            return Err(vec!["the loop turns, and nothing comes of it".to_owned()]);
        }
        Ok(())
    }

    fn stuck(&self) -> Vec<String> {
        let busy = self.lanes.iter().flatten();
        let busy = busy.filter(|client| !client.borrow().done);
        let who = busy.map(|client| {
            let client = client.borrow();
            let (number, name) = (client.number, client.plot.name);
            let next = client.plot.acts.front();
            format!("client {number} ({name}) is not done in bounded time; it is at {next:?}")
        });
        let mut who: Vec<String> = who.collect();
        if who.is_empty() {
            who.push("everybody is done, but the server does not stop".to_owned());
        }
        who
    }

    /// Whoever is done makes room for the next one. Whether anybody is left.
    fn renew_clients(&mut self) -> bool {
        let mut busy = false;
        for lane in 0..self.lanes.len() {
            if let Some(client) = &self.lanes[lane]
                && client.borrow().done
            {
                self.left.extend(self.lanes[lane].take());
            }
            let enough = self.common.borrow().actions >= ACTIONS || self.quiet_until.is_some();
            let stopped = self.server.as_ref().is_none_or(EventLoop::is_stopped);
            if self.lanes[lane].is_none() && !enough && !stopped {
                let plot = Plot::any(&mut self.random, &mut self.next_id);
                let client = Client::start(&self.world, &self.common, plot);
                // One that finds nobody listening has acted as well.
                self.common.borrow_mut().actions += 1;
                self.lanes[lane] = client;
            }
            busy |= self.lanes[lane].is_some();
        }
        busy
    }

    /// Each connection has come to the end that its client deserves, at its time.
    fn check_clients(&mut self) -> Said<()> {
        let mut failures = std::mem::take(&mut self.common.borrow_mut().failures);
        for client in &self.left {
            let client = client.borrow();
            if let Some(fault) = self.judge(&client) {
                let (number, name) = (client.number, client.plot.name);
                failures.push(format!("client {number} ({name}): {fault}"));
            }
        }
        if failures.is_empty() {
            Ok(())
        } else {
            Err(failures)
        }
    }

    fn judge(&self, client: &Client) -> Option<String> {
        let told = self.watch.of(client.number);
        let Some(told) = told else {
            // It left before it was accepted, or was lost there.
            let excused =
                client.is_faulted() || self.is_scarce_for(client) || !client.plot.verdict.all;
            return (!excused).then(|| "was never accepted".to_owned());
        };
        let Some((reason, closed)) = told.closed else {
            return Some("was not closed".to_owned());
        };
        let verdict = &client.plot.verdict;
        match reason {
            CloseReason::Stopped if !verdict.outlasts_drain => {
                return Some("was cut by a drain that had time for it".to_owned());
            }
            CloseReason::Evicted if told.heads > told.answered => {
                return Some("was evicted while it waited for its answer".to_owned());
            }
            // A reset says that something had come of it, or that something was not sent.
            CloseReason::Evicted
                if client.ended == Some(PeerState::Reset)
                    && client.reset_at.is_none()
                    && client.prompt
                    && !client.is_faulted()
                    && self.setting.net.latency.is_zero() =>
            {
                return Some("was evicted although it was busy".to_owned());
            }
            _ => {}
        }
        if client.is_faulted() || self.is_scarce_for(client) {
            return None;
        }
        if let Some(each) = verdict.unread_each {
            let room = self.setting.net.send_room + self.setting.net.peer_receive_room;
            if told.answered as usize > room / each + 2 {
                return Some(format!("was given {} answers unread", told.answered));
            }
        }
        // A file that can't be read is an error, and the end.
        let failed = match reason {
            CloseReason::Failed => self.setting.is_rough(),
            CloseReason::WeAsked => client.excused,
            _ => false,
        };
        if !verdict.reasons.contains(&reason) && !failed {
            return Some(format!("ended for {reason:?}, not {:?}", verdict.reasons));
        }
        let timed = !self.setting.is_rough() && self.setting.net.latency.is_zero();
        let (since, time) = verdict.after.filter(|_| timed)?;
        let (from, late) = match since {
            Since::Accepted => (Some(told.accepted), true),
            Since::FirstByte => (client.first_byte, true),
            Since::LastAnswer => (Some(told.last_answer), true),
            Since::LastByteAtLeast => (client.last_byte, false),
            // What was not accepted yet can't be ended.
            Since::Reset => (client.reset_at.map(|at| at.max(told.accepted)), true),
        };
        // An answer that says it is too late is what came in time; the end of the connection comes after it.
        let at = if matches!(since, Since::FirstByte) {
            told.last_answer
        } else {
            closed
        };
        let passed = at.since(from?);
        if passed + EARLY_BY < time {
            return Some(format!("was given {passed:?}, not {time:?} ({since:?})"));
        }
        if late && passed > time + LATE_BY {
            return Some(format!(
                "was given {passed:?}, more than {time:?} ({since:?})"
            ));
        }
        None
    }

    fn is_scarce_for(&self, client: &Client) -> bool {
        self.setting.is_scarce() && !client.plot.verdict.strict
    }

    /// Nothing is left behind.
    fn check_ends(&mut self, begun: Instant) -> Said<Report> {
        self.server = None;
        // Answers that would come too late hold the loop's mailbox.
        self.world.forget_steps();
        self.watch.check_all_ended();
        let open = self.world.open_descriptors();
        if open > 0 {
            return Err(vec![format!("{open} descriptors are left")]);
        }
        let mut report = Report {
            runs: 1,
            clients: self.left.len() as u64,
            actions: self.common.borrow().actions,
            answers: self.common.borrow().answers,
            calls: Call::ALL.iter().map(|call| self.world.calls(*call)).sum(),
            virtual_secs: self.world.now().since(begun).as_secs(),
            reasons: self.watch.reasons(),
            ..Report::default()
        };
        for (call, kind, count) in self.world.faults() {
            report.faults.insert((call, kind), count);
        }
        for client in &self.left {
            *report.plots.entry(client.borrow().plot.name).or_default() += 1;
        }
        Ok(report)
    }
}
