//! Random scripts.

use std::ops::Range;

use edgeloop::sys::sim::Random;

use super::ops::{Ask, CONNECTIONS, Op, What};
use super::script::FILE_LENGTH;
use super::{compare, on_one_processor};

const SCRIPTS: u64 = 2000;
const STEPS: usize = 30;
/// All that a script sends fits into the buffers of any kernel, unless it fills them.
const BYTES: usize = 1500;

/// One step, so that most of them can be taken.
fn step(random: &mut Random) -> Op {
    let at = random.index(CONNECTIONS);
    let bytes = random.index(BYTES);
    // Small ones and large ones, in the order of their size.
    match random.below(1000) {
        0..120 => Op::Connect(at),
        120..230 => Op::Accept,
        230..330 => Op::ClientSends(at, bytes),
        330..360 => Op::ClientReceives(at),
        360..390 => Op::ClientFinishes(at),
        390..410 => Op::ClientCloses(at),
        410..430 => Op::ClientResets(at),
        430..500 => Op::Recv(at, bytes),
        500..530 => Op::RecvAll(at),
        530..580 => Op::Send(at, bytes),
        580..590 => Op::Fill(at),
        590..600 => Op::SendFile(at, random.below(FILE_LENGTH as u64 + 100), bytes),
        600..625 => Op::Shutdown(at),
        625..630 => Op::Linger(at),
        630..635 => Op::Adopt(at),
        635..640 => Op::Unread(at),
        640..650 => Op::Unacknowledged(at),
        650..680 => Op::Close(at),
        680..685 => Op::Backlog(random.below(3) as u16),
        685..690 => Op::Duplicate,
        690..692 => Op::DropNew,
        692..695 => Op::CloseListener,
        695..700 => Op::CloseDuplicate,
        700..800 => Op::Add(what(random), ask(random)),
        800..830 => Op::Modify(what(random), ask(random)),
        830..840 => Op::Delete(what(random)),
        840..850 => Op::AddInner(what(random), ask(random)),
        850..860 => Op::WaitInner(1 + random.index(4)),
        860..880 => Op::Notify,
        880..885 => Op::Resize(random.below(2 * FILE_LENGTH as u64)),
        885..890 => Op::ReadAt(random.below(2 * FILE_LENGTH as u64), bytes),
        890..940 => Op::Wait(1 + random.index(4)),
        _ => Op::Wait(16),
    }
}

fn what(random: &mut Random) -> What {
    match random.below(20) {
        0..14 => What::Connection(random.index(CONNECTIONS)),
        14..16 => What::Listener,
        16 => What::Duplicate,
        17 | 18 => What::Event,
        _ => What::Inner,
    }
}

fn ask(random: &mut Random) -> Ask {
    const ALL: [Ask; 8] = [
        Ask::In,
        Ask::Out,
        Ask::InEdge,
        Ask::OutEdge,
        Ask::EndEdge,
        Ask::NothingEdge,
        Ask::Stream,
        Ask::StreamOut,
    ];
    ALL[random.index(ALL.len())]
}

fn both_kernels_say_the_same(seeds: Range<u64>) {
    for seed in seeds {
        let mut random = Random::new(seed);
        let script: Vec<Op> = (0..STEPS).map(|_| step(&mut random)).collect();
        if let Err(fault) = compare(&script) {
            panic!("seed {seed}: {fault}");
        }
    }
}

#[test]
fn both_kernels_say_the_same_to_random_scripts() {
    on_one_processor(|| both_kernels_say_the_same(0..SCRIPTS));
}

#[test]
#[ignore = "takes minutes"]
fn both_kernels_say_the_same_to_many_random_scripts() {
    on_one_processor(|| both_kernels_say_the_same(SCRIPTS..20 * SCRIPTS));
}
