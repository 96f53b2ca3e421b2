//! Every call that fails, with every error that its man page lists, at its first, second, … time, once and for good.

use core::fmt::Write as _;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use edgeloop::sys::sim::{Call, Plan};
use nix::errno::Errno;

use super::report::{Failure, Report};
use super::scenes::{Fault, SCENES, Scene};
use super::seeds::keep_quiet;
use super::setting::Excuse;

/// What errors may do beyond the connection that they hit: the calls, the errors if not all of them, and why.
const EXCUSES: &[(&[Call], &[i32], Excuse, &str)] = &[
    (
        &[
            Call::OpenResolved,
            Call::OpenPlain,
            Call::OpenIn,
            Call::Metadata,
            Call::Names,
            Call::ReadAt,
            Call::ReadAtHand,
            Call::SendFile,
        ],
        &[],
        Excuse::FilesFail,
        "who asks for a file is told that it can't be had, or sees it broken off",
    ),
    (
        &[Call::WriteEvent],
        &[],
        Excuse::MailIsLate,
        "a loop that can't be woken sees its mail in its next turn, and one signal does not keep it from that",
    ),
    (
        &[Call::StartThread],
        &[],
        Excuse::ThreadsFail,
        "with no thread at all there is none for its job: its client is told to come again",
    ),
    (
        &[Call::EpollWait],
        &[libc::EBADF, libc::EFAULT, libc::EINVAL],
        Excuse::LoopEnds,
        "a loop that can't wait would spin: run() ends with the error",
    ),
    (
        &[Call::Accept],
        &[
            libc::EBADF,
            libc::EFAULT,
            libc::EINVAL,
            libc::ENOTSOCK,
            libc::EOPNOTSUPP,
        ],
        Excuse::ListenersBreak,
        "what is no listener accepts nobody, ever: the operator is told, the others serve on",
    ),
    (
        &[Call::Look, Call::Remove],
        &[],
        Excuse::SocketFileStays,
        "what can't be looked at may be somebody else's; what can't be removed stays",
    ),
];

/// Calls that are made again and again when they fail for good: each is interrupted by another signal, or the kernel says
/// each time that now is the time.
const TRIED_AGAIN: [i32; 2] = [libc::EINTR, libc::EAGAIN];

fn excused(call: Call, errno: i32, for_good: bool) -> Vec<Excuse> {
    if (call, errno, for_good) == (Call::WriteEvent, libc::EINTR, false) {
        return Vec::new(); // it is written again
    }
    EXCUSES
        .iter()
        .filter(|(calls, errnos, ..)| {
            calls.contains(&call) && (errnos.is_empty() || errnos.contains(&errno))
        })
        .map(|(_, _, excuse, _)| *excuse)
        .collect()
}

/// A call and what it says; how often it was tried at one call only, and from one call on.
type Cell = ((Call, i32), [u64; 2]);

#[test]
fn every_call_may_fail_in_every_way_at_any_time() {
    keep_quiet();
    let sound: Vec<Report> = SCENES.iter().map(|scene| play_soundly(*scene)).collect();
    let cells = Call::ALL
        .iter()
        .flat_map(|call| call.errnos().iter().map(|errno| (*call, *errno)));
    let cells: Vec<(Call, i32)> = cells.collect();
    for call in Call::ALL {
        let made = sound.iter().any(|report| report.made.contains_key(call));
        assert!(made, "no scene makes {call:?}");
    }
    let tried = on_all_processors(&cells, |(call, errno)| try_cell(&sound, *call, *errno));
    let table: Vec<Cell> = cells.iter().copied().zip(tried).collect();
    println!("{}", render(&table));
    let empty: Vec<_> = table
        .iter()
        .filter(|(_, tried)| tried.contains(&0))
        .collect();
    assert!(empty.is_empty(), "never tried: {empty:?}");
}

fn play_soundly(scene: Scene) -> Report {
    match (scene.play)(&Fault::none()) {
        Ok(report) if report.error.is_none() => report,
        Ok(report) => panic!("{}: {:?}", scene.name, report.error),
        Err(failure) => panic!("{}: {}", scene.name, failure.what.join("\n")),
    }
}

/// Tries an error at each call of its kind, in each scene, until a run ends without it.
fn try_cell(sound: &[Report], call: Call, errno: i32) -> Result<[u64; 2], String> {
    let mut tried = [0; 2];
    for (scene, sound) in SCENES.iter().zip(sound) {
        if !sound.made.contains_key(&call) {
            continue;
        }
        for for_good in [false, true] {
            if for_good && call == Call::EpollControl && scene.pauses {
                continue; // see `Scene::pauses`
            }
            for nth in 1.. {
                let again = TRIED_AGAIN.contains(&errno);
                let plan = Plan::At {
                    call,
                    errno,
                    nth,
                    for_good,
                };
                let fault = Fault {
                    plan,
                    excused: excused(call, errno, for_good),
                    calls_max: 2 * sound.calls + if again { 20_000 } else { 1_000 },
                    trace: false,
                };
                if !strike(*scene, fault, call, errno)? {
                    break;
                }
                tried[usize::from(for_good)] += 1;
            }
        }
    }
    Ok(tried)
}

/// Whether an error of starting says what could not be done and why.
fn says_why(error: &str, call: Call, errno: i32) -> bool {
    let says = |errno: i32| error.contains(&format!("(os error {errno})"));
    let says_what = error.starts_with("cannot ") || call == Call::EpollWait;
    let says_why = says(errno)
        || match (call, errno) {
            // Who can't be asked whether he listens is taken for one who does.
            (Call::ConnectUnix, _) => says(libc::EADDRINUSE),
            // What was in the way is there no more.
            (Call::BindUnix, libc::EADDRINUSE) => says(libc::ENOENT),
            _ => false,
        };
    says_what && says_why
}

/// Plays a scene with a fault: whether it was hit.
fn strike(scene: Scene, fault: Fault, call: Call, errno: i32) -> Result<bool, String> {
    let failed = match (scene.play)(&fault) {
        Ok(report) if report.faults.is_empty() => return Ok(false),
        Ok(report) => match report.error {
            Some(error) if !says_why(&error, call, errno) => {
                format!("it does not say what or why: {error}")
            }
            Some(_) | None => return Ok(true),
        },
        Err(failure) => failure.what.join("\n    "),
    };
    let again = Fault {
        trace: true,
        ..fault
    };
    let trace = match (scene.play)(&again) {
        Err(Failure { trace, .. }) => trace.join("\n"),
        Ok(_) => String::new(),
    };
    let plan = &again.plan;
    let name = Errno::from_raw(errno);
    Err(format!(
        "{trace}\n{}: {plan:?}, {name:?}:\n    {failed}",
        scene.name
    ))
}

/// Does all of the work, on all processors, and fails if any of it does.
pub(super) fn on_all_processors<T: Sync, R: Send + Default + Clone>(
    work: &[T],
    one: impl Fn(&T) -> Result<R, String> + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new((vec![R::default(); work.len()], Vec::new()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let index = next.fetch_add(1, Ordering::Relaxed)
                    && let Some(piece) = work.get(index)
                {
                    let result = one(piece);
                    let mut done = done.lock().expect("no panic");
                    match result {
                        Ok(result) => done.0[index] = result,
                        Err(failure) => done.1.push(failure),
                    }
                }
            });
        }
    });
    let (results, failures) = done.into_inner().expect("no panic");
    for failure in failures.iter().skip(1) {
        let lines: Vec<_> = failure.lines().rev().take(4).collect();
        println!("{}", lines.join("\n"));
    }
    if let Some(first) = failures.first() {
        panic!("{} fail; the first one:\n{first}", failures.len());
    }
    results
}

/// One line a call: its errors, each with how often it was tried once and for good.
fn render(table: &[Cell]) -> String {
    let mut lines: BTreeMap<Call, String> = BTreeMap::new();
    for ((call, errno), [once, for_good]) in table {
        let line = lines.entry(*call).or_default();
        let name = Errno::from_raw(*errno);
        write!(line, " {name:?} {once}/{for_good}").expect("memory");
    }
    let lines = lines
        .iter()
        .map(|(call, line)| format!("{:<18}{line}", call.site()));
    lines.collect::<Vec<_>>().join("\n")
}
