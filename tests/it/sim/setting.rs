//! What a run is like: the network, the limits, the faults, and what they excuse.

use core::time::Duration;

use edgeloop::Limits;
use edgeloop::server::pool::PoolLimits;
use edgeloop::sys::sim::{Call, Net, Plan, Random, Rates};

use super::app;

/// What a run is like.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    /// Faults: some 20 s after the first one there are none any more.
    pub(super) plan: Plan,
    /// Whether they may hit the start as well.
    pub(super) start_may_fail: bool,
    /// What they excuse.
    pub(super) excused: Vec<Excuse>,
    pub(super) net: Net,
    pub(super) limits: Limits,
    pub(super) pool: PoolLimits,
    /// Where it listens: one client after the other takes the next one.
    pub(super) addresses: &'static [&'static str],
    /// Clients at a time.
    pub(super) lanes: usize,
    pub(super) descriptors: usize,
    /// When there are enough of them.
    pub(super) more_descriptors_at: Option<Duration>,
    pub(super) calls_max: u64,
    /// When it is told to drain while clients are still busy.
    pub(super) drain_at: Option<Duration>,
    /// When the file that shrinks does.
    pub(super) shrink_at: Option<Duration>,
    pub(super) has_sendfile: bool,
    pub(super) has_openat2: bool,
    /// It is told to stop by a signal, not by its handle.
    pub(super) has_signals: bool,
}

/// What faults may do beyond the connections that they hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Excuse {
    /// Answers that take files may be errors, or break off.
    FilesFail,
    /// Answers that take mail may be too late.
    MailIsLate,
    /// Answers that take threads may be errors.
    ThreadsFail,
    /// The loop ends with the error.
    LoopEnds,
    /// Listeners are broken for good, and say so.
    ListenersBreak,
    /// The file of the Unix socket stays.
    SocketFileStays,
}

/// Calls of a run from a seed, of which the longest known has a fifth.
const CALLS_MAX: u64 = 2_000_000;

impl Setting {
    /// Nothing fails, nothing is scarce.
    pub(super) fn plain() -> Setting {
        Setting {
            plan: Plan::Sound,
            start_may_fail: false,
            excused: Vec::new(),
            net: Net::default(),
            limits: Limits {
                body_bytes_max: app::BODY_MAX,
                ..Limits::default()
            },
            pool: app::wide(),
            addresses: &["127.0.0.1:80"],
            lanes: 1,
            descriptors: 1000,
            more_descriptors_at: None,
            calls_max: CALLS_MAX,
            drain_at: None,
            shrink_at: None,
            has_sendfile: true,
            has_openat2: true,
            has_signals: false,
        }
    }

    /// One of all there are.
    pub(super) fn any(random: &mut Random) -> Setting {
        let mut setting = Setting::plain();
        setting.plan = match random.below(3) {
            0 => Plan::Sound,
            1 => Plan::Random(Rates::UNEVEN),
            _ => Plan::Random(Rates::ROUGH),
        };
        if matches!(&setting.plan, Plan::Random(rates) if rates.fail > 0) {
            setting.excused = vec![
                Excuse::FilesFail,
                Excuse::MailIsLate,
                Excuse::ThreadsFail,
                Excuse::SocketFileStays,
            ];
        }
        let pick = |random: &mut Random, from: &[u64]| from[random.index(from.len())];
        let net = &mut setting.net;
        *net = Net {
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
        let limits = &mut setting.limits;
        if random.below(3) == 0 {
            limits.receive_budget = pick(random, &[100, 5_000]) as usize;
            limits.send_budget = pick(random, &[1_000, 20_000]) as usize;
            limits.request_budget = pick(random, &[1, 3]) as usize;
            limits.turn_send_budget = pick(random, &[2_000, 60_000, 1 << 20]) as usize;
            limits.accept_budget = pick(random, &[1, 2]) as usize;
            limits.message_budget = pick(random, &[1, 3]) as usize;
        }
        match random.below(12) {
            0 => limits.connections_max = Some(random.between(1, 5) as usize),
            1 => limits.buffers_bytes_max = pick(random, &[20_000, 150_000]) as usize,
            // Those of the loop, the listener and the files are five.
            2 => setting.descriptors = random.between(7, 12) as usize,
            _ => {}
        }
        if random.below(3) == 0 {
            setting.pool = app::narrow(random.index(2));
        }
        setting.lanes = random.between(2, 9) as usize;
        setting.drain_at =
            (random.below(8) == 0).then(|| Duration::from_millis(random.below(4_000)));
        setting.shrink_at = Some(Duration::from_millis(random.below(40)));
        setting.has_sendfile = random.below(8) > 0;
        setting.has_openat2 = random.below(8) > 0;
        setting.has_signals = random.below(6) == 0;
        if random.below(6) == 0 {
            setting.addresses = &["127.0.0.1:80", "unix:/run/a.sock"];
            // The last ones come together, one to each.
            let connections = &mut setting.limits.connections_max;
            *connections = connections.map(|most| most.max(2));
            // With the second listener's.
            setting.descriptors = setting.descriptors.max(9);
        }
        setting
    }

    /// Whether connections may end before their time, with or without a 503.
    pub(super) fn is_scarce(&self) -> bool {
        let (limits, default) = (&self.limits, Limits::default());
        limits.connections_max.is_some()
            || limits.buffers_bytes_max != default.buffers_bytes_max
            || self.descriptors < 1000
            || self.drain_at.is_some()
    }

    /// Nothing happens within a turn but what the server does.
    pub(super) fn is_even(&self) -> bool {
        matches!(self.plan, Plan::Sound)
    }

    /// Turns may be in vain.
    pub(super) fn waits_fail(&self) -> bool {
        let call = Call::EpollWait;
        matches!(self.plan, Plan::At { call: fails, .. } if fails == call)
    }

    /// What a client can be sent in a turn: that of its budgets, for it may be driven by the run queue, by an event and by
    /// mail, and what is encoded at once. `None`: what comes of a turn comes later.
    pub(super) fn turn_bytes(&self) -> Option<usize> {
        let at_once = self.is_even() && self.net.latency.is_zero();
        at_once.then_some(3 * self.limits.send_budget + (96 << 10))
    }

    pub(super) fn pool_is_narrow(&self) -> bool {
        self.pool != app::wide()
    }

    pub(super) fn excuses(&self, excuse: Excuse) -> bool {
        self.excused.contains(&excuse)
    }
}
