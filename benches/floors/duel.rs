//! Two servers that are asked in turn, so that both have the same of a machine whose speed changes.

use std::path::Path;
use std::time::Duration;

use crate::SERVE;
use crate::child::Child;
use crate::load::{Ask, Load, Manner};

/// Who answers: the word that the process is started with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    Ours,
    Counted,
    Logged,
    Routed,
    FloorEcho,
    FloorPipeline,
}

impl Server {
    pub(crate) const ALL: [Server; 6] = [
        Server::Ours,
        Server::Counted,
        Server::Logged,
        Server::Routed,
        Server::FloorEcho,
        Server::FloorPipeline,
    ];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Server::Ours => "ours",
            Server::Counted => "ours-counted",
            Server::Logged => "ours-logged",
            Server::Routed => "ours-routed",
            Server::FloorEcho => "floor_echo",
            Server::FloorPipeline => "floor_pipeline",
        }
    }

    /// Starts it on this core: a floor with the answer that ours has, ours with the files of `root`.
    fn start(self, ask: &Ask, core: usize, root: &Path) -> Child {
        let core = core.to_string();
        let words = |last| [SERVE.as_ref(), self.word().as_ref(), core.as_ref(), last];
        match self {
            Server::Ours | Server::Counted | Server::Logged | Server::Routed => {
                Child::start(&words(root.as_os_str()), 1)
            }
            Server::FloorEcho | Server::FloorPipeline => {
                let ours = Server::Ours.start(ask, core.parse().expect("a number"), root);
                let answer = ask.answer_of(ours.addresses[0]);
                let answer = String::from_utf8(answer).expect("text");
                Child::start(&words(answer.as_ref()), 1)
            }
        }
    }
}

/// What is measured: a server, and how it is asked for what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Side {
    pub(crate) server: Server,
    pub(crate) ask: Ask,
    pub(crate) manner: Manner,
}

/// How long it goes on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Processes are started anew for each.
    pub(crate) rounds: usize,
    /// Pairs of slices in a round.
    pub(crate) pairs: usize,
    pub(crate) slice: Duration,
}

/// What came of it.
pub(crate) struct Outcome {
    /// One for each pair of slices: processor time for a request, of the first side against the second; in order.
    ratios: Vec<f64>,
    /// Microseconds of processor time for a request, of both sides, in order.
    micros: [Vec<f64>; 2],
}

impl Outcome {
    /// The lower quartile, the median and the upper quartile of the ratios.
    pub(crate) fn ratio(&self) -> [f64; 3] {
        [1, 2, 3].map(|quarter| at(&self.ratios, quarter))
    }

    /// The median of each side's microseconds.
    pub(crate) fn micros(&self) -> [f64; 2] {
        [0, 1].map(|side| at(&self.micros[side], 2))
    }
}

fn at(sorted: &[f64], quarter: usize) -> f64 {
    sorted[(sorted.len() - 1) * quarter / 4]
}

/// A side at work.
struct Running {
    child: Child,
    load: Load,
}

impl Running {
    fn start(side: &Side, core: usize, root: &Path) -> Running {
        let child = side.server.start(&side.ask, core, root);
        let address = child.addresses[0];
        let answer = side.ask.answer_of(address);
        let load = Load::new(address, &side.ask, &side.manner, answer.len());
        Running { child, load }
    }

    /// Microseconds of the server's processor time for each request of a slice.
    fn slice(&mut self, time: Duration) -> f64 {
        let before = self.child.cpu();
        let requests = self.load.slice(time);
        let spent = self.child.cpu().saturating_sub(before);
        assert!(requests > 0, "nobody asked");
        spent.as_secs_f64() * 1e6 / f64::from(requests)
    }
}

/// Has both sides work in turn, A B B A, with their servers on this core.
pub(crate) fn duel(sides: &[Side; 2], effort: &Effort, core: usize, root: &Path) -> Outcome {
    let (mut ratios, mut micros) = (Vec::new(), [Vec::new(), Vec::new()]);
    for _ in 0..effort.rounds {
        let [mut a, mut b] = [0, 1].map(|side| Running::start(&sides[side], core, root));
        // What is warm by now is not measured.
        a.slice(effort.slice);
        b.slice(effort.slice);
        for pair in 0..effort.pairs {
            let (of_a, of_b);
            if pair % 2 == 0 {
                of_a = a.slice(effort.slice);
                of_b = b.slice(effort.slice);
            } else {
                of_b = b.slice(effort.slice);
                of_a = a.slice(effort.slice);
            }
            micros[0].push(of_a);
            micros[1].push(of_b);
            ratios.push(of_a / of_b);
        }
    }
    ratios.sort_by(f64::total_cmp);
    for of_a_side in &mut micros {
        of_a_side.sort_by(f64::total_cmp);
    }
    Outcome { ratios, micros }
}
