//! The simulated kernel says what the real one says: the same scripts on both, and the same observations.
//!
//! The server's end is the same code in both, the functions of `edgeloop::sys`. Clients are TCP sockets on loopback in one,
//! peers of the world in the other. After each step of a client, and each call that makes packets, everything under way
//! arrives before the script goes on. What depends on the sizes of buffers is not looked at.

mod connects;
mod exhausted;
mod notices;
mod ops;
mod peers;
mod pieces;
mod places;
mod random;
mod rules;
mod script;
mod streams;
mod unix;

use std::fmt::Write;
use std::panic::resume_unwind;
use std::thread;

use edgeloop::sys::process;
use edgeloop::sys::sim::Call;

use ops::Op;
use places::{Real, Simulated};
use script::observe;

/// What the real kernel says, or where the simulated one says something else.
fn compare(script: &[Op]) -> Result<Vec<String>, String> {
    let real = observe(&mut Real::new(), script);
    check("at once", Simulated::at_once(), script, &real)?;
    check("with latency", Simulated::with_latency(), script, &real)?;
    Ok(real)
}

fn check(kind: &str, mut place: Simulated, script: &[Op], real: &[String]) -> Result<(), String> {
    let _inside = place.enter();
    let simulated = observe(&mut place, script);
    if simulated == real {
        return Ok(());
    }
    let both = side_by_side(script, real, &simulated);
    Err(format!(
        "{kind}, the real kernel and the simulated one:{both}"
    ))
}

#[test]
fn a_kernel_that_says_something_else_is_found() {
    on_one_processor(finds_a_difference);
}

fn finds_a_difference() {
    let script = [
        Op::Connect(0),
        Op::Accept,
        Op::ClientSends(0, 5),
        Op::Recv(0, 5),
    ];
    let real = compare(&script).expect("the same");
    assert_eq!(real, ["connected", "0", "5", "5"]);
    let place = Simulated::at_once();
    place.fail(Call::Recv, libc::EINTR);
    let fault = check("with a fault", place, &script, &real).expect_err("EINTR is no 5");
    let last = fault.lines().last().expect("a line for each step");
    assert!(last.starts_with('*') && last.ends_with("EINTR"), "{fault}");
}

fn side_by_side(script: &[Op], one: &[impl AsRef<str>], other: &[impl AsRef<str>]) -> String {
    let mut text = String::new();
    for ((op, one), other) in script.iter().zip(one).zip(other) {
        let (one, other) = (one.as_ref(), other.as_ref());
        let mark = if one == other { ' ' } else { '*' };
        let op = format!("{op:?}");
        let _ = write!(text, "\n{mark} {op:40} {one:36} {other}"); // a String takes everything
    }
    text
}

/// Runs it in a thread of its own on one processor: there, packets of loopback are handled in the order in which they were
/// sent. What it does to its signals is gone with it.
fn on_one_processor(body: impl FnOnce() + Send) {
    let pinned = || {
        let processors = process::processors().expect("there are some");
        process::pin(processors[0]).expect("it is one of ours");
        body();
    };
    if let Err(panic) = thread::scope(|scope| scope.spawn(pinned).join()) {
        resume_unwind(panic);
    }
}
