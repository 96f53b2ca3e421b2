//! What a connection gets depends on its bytes alone: every input of the corpus, however it is cut and whatever else goes
//! on, gets from a whole server what it gets there in one piece and in peace.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::LazyLock;

use core::time::Duration;

use edgeloop::server::Observer;
use edgeloop::sys::sim::{Net, Peer, PeerState, Random, World};
use edgeloop::{EventLoop, Handler};

use super::app;
use super::run::in_world;
use super::seeds::{keep_quiet, number};
use super::small::disturb;
use crate::http::corpus::{self, Case, Ending};

/// Worlds, each with a few clients. More with `SEEDS=n`.
const WORLDS: u64 = 1_000;
const CLIENTS: usize = 8;
/// Longer than any deadline: when all are done nobody wakes the loop.
const LONGEST: Duration = Duration::from_secs(200);

pub(super) static CASES: LazyLock<Vec<Case>> = LazyLock::new(corpus::all);

/// Sends an input in pieces and keeps all that it gets.
pub(super) struct Recorder {
    pub(super) peer: Peer,
    pub(super) got: RefCell<Vec<u8>>,
}

impl Recorder {
    pub(super) fn start(
        world: &World,
        pieces: Vec<(Duration, Vec<u8>)>,
        ending: Ending,
    ) -> Rc<Recorder> {
        let peer = world.connect(80).expect("it listens");
        let recorder = Rc::new(Recorder {
            peer,
            got: RefCell::default(),
        });
        let reader = Rc::downgrade(&recorder);
        recorder.peer.on_notice(move |_| {
            if let Some(it) = reader.upgrade() {
                it.peer.receive(&mut it.got.borrow_mut(), usize::MAX);
            }
        });
        let rest = pieces.into_iter().rev().collect();
        send(&recorder, world, rest, ending);
        recorder
    }

    /// Whether the server has said all that it says.
    fn is_done(&self) -> bool {
        self.peer.receive(&mut self.got.borrow_mut(), usize::MAX);
        self.peer.state() != PeerState::Open
    }
}

/// Sends the last of the pieces, and after its pause those before it.
fn send(it: &Rc<Recorder>, world: &World, mut rest: Vec<(Duration, Vec<u8>)>, ending: Ending) {
    let Some((mut pause, piece)) = rest.pop() else {
        if ending == Ending::Fin {
            it.peer.finish();
        }
        return;
    };
    let sent = it.peer.send(&piece);
    let unsent = piece[sent..].to_vec();
    if !unsent.is_empty() && it.peer.state() == PeerState::Open {
        pause = pause.max(Duration::from_micros(100)); // until there is room again
        rest.push((pause, unsent));
    }
    let it = Rc::clone(it);
    world.after(pause, move |world| send(&it, world, rest, ending));
}

/// Turns until all are done. Deadlines end what nothing else does.
pub(super) fn finish<H: Handler, O: Observer>(
    server: &mut EventLoop<H, O>,
    recorders: &[Rc<Recorder>],
) {
    while !recorders.iter().all(|it| it.is_done()) {
        server.turn(Some(LONGEST)).expect("the world goes on");
    }
}

/// What a case gets in one piece and in peace.
fn reference(case: &Case) -> Vec<u8> {
    in_one_piece(&case.input, case.ending)
}

/// What a client gets that sends this in one piece and in peace.
pub(super) fn in_one_piece(input: &[u8], ending: Ending) -> Vec<u8> {
    let world = World::new(0);
    let _inside = world.enter();
    let mut server = app::serve(&world);
    let whole = vec![(Duration::ZERO, input.to_vec())];
    let recorder = Recorder::start(&world, whole, ending);
    finish(&mut server, std::slice::from_ref(&recorder));
    without_dates(&recorder.got.borrow())
}

pub(super) fn without_dates(bytes: &[u8]) -> Vec<u8> {
    let mut kept = Vec::new();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if !line.starts_with(b"Date: ") {
            kept.extend_from_slice(line);
        }
    }
    kept
}

/// A few pieces, some of them soon after those before.
pub(super) fn cut(random: &mut Random, input: &[u8]) -> Vec<(Duration, Vec<u8>)> {
    let mut ends: Vec<_> = (0..random.below(9))
        .map(|_| random.index(input.len() + 1))
        .collect();
    ends.push(input.len());
    ends.sort_unstable();
    let mut begin = 0;
    ends.into_iter()
        .map(|end| {
            let pause = Duration::from_micros(random.below(3) * random.below(5_000));
            (
                pause,
                input[std::mem::replace(&mut begin, end)..end].to_vec(),
            )
        })
        .collect()
}

/// A network of any kind.
pub(super) fn any_net(random: &mut Random) -> Net {
    Net {
        send_room: [300, 4_000, 1 << 20][random.index(3)],
        receive_room: [70, 5_000, 1 << 17][random.index(3)],
        peer_receive_room: [100, 1 << 16][random.index(2)],
        latency: Duration::from_micros([0, 30, 900][random.index(3)]),
        piece: [9, 1_460, usize::MAX][random.index(3)],
    }
}

/// What each case gets in one piece and in peace.
static REFERENCES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| CASES.iter().map(reference).collect());

/// Some inputs at a time.
pub(super) fn some_inputs(world: &World, random: &mut Random) {
    let references = &*REFERENCES;
    world.set_net(any_net(random));
    let mut server = app::serve(world);
    let chosen: Vec<_> = (0..CLIENTS).map(|_| random.index(CASES.len())).collect();
    let recorders: Vec<_> = chosen
        .iter()
        .map(|at| {
            let pieces = cut(random, &CASES[*at].input);
            Recorder::start(world, pieces, CASES[*at].ending)
        })
        .collect();
    finish(&mut server, &recorders);
    for (at, recorder) in chosen.iter().zip(&recorders) {
        let raw = recorder.got.borrow();
        let mut got = without_dates(&raw);
        let (mut wanted, name) = (&references[*at][..], &CASES[*at].name);
        // Who goes on after it has asked for the end can lose the end of its answer: what it sends meets a socket that is
        // closed.
        if recorder.peer.state() == PeerState::Reset {
            // Of a line that was cut one can't tell whether it is a date.
            let whole = raw.iter().rposition(|byte| *byte == b'\n');
            got = without_dates(&raw[..whole.map_or(0, |at| at + 1)]);
            let common = got.len().min(wanted.len());
            wanted = &wanted[..common];
        }
        assert_eq!(
            got.escape_ascii().to_string(),
            wanted.escape_ascii().to_string(),
            "{name}"
        );
    }
}

#[test]
fn what_a_connection_gets_depends_on_its_bytes_alone() {
    keep_quiet();
    let first = number("FIRST_SEED").unwrap_or(1);
    let last = first + number("SEEDS").unwrap_or(WORLDS);
    for seed in first..last.min(first + 20 * WORLDS) {
        let played = in_world(seed, false, |world| {
            let mut random = Random::new(seed);
            if random.below(3) > 0 {
                disturb(world);
            }
            some_inputs(world, &mut random);
            world.forget_steps();
            Ok(())
        });
        if let Err(failure) = played {
            panic!("world {seed}: {}", failure.what.join("\n"));
        }
    }
}

/// The sequence of all that happens is the seed's.
#[test]
fn the_same_seed_is_the_same_run_to_the_last_call() {
    keep_quiet();
    for seed in 1..40 {
        let trace = |seed| match super::run::run(seed, true) {
            Ok(report) => report.trace,
            Err(failure) => panic!("seed {seed} fails: {:?}", failure.what),
        };
        let (first, second) = (trace(seed), trace(seed));
        assert!(first.len() > 100, "it was written down");
        assert_eq!(first, second, "seed {seed}");
    }
}
