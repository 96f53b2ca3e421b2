//! The simulated kernel says what the real one says: the same scripts on both, and the same observations.
//!
//! The server's end is the same code in both, the functions of `edgeloop::sys`. Clients are TCP sockets on loopback in one,
//! peers of the world in the other. After each step of a client, and each call that makes packets, everything under way
//! arrives before the script goes on. What depends on the sizes of buffers is not looked at.

mod places;
mod random;
mod rules;
mod script;
mod streams;

use std::fmt::Write;

use edgeloop::sys::process;

use places::{Real, Simulated};
use script::{Op, observe};

/// What the real kernel says, or where the simulated one says something else.
fn compare(script: &[Op]) -> Result<Vec<String>, String> {
    let real = observe(&mut Real::new(), script);
    for (kind, mut place) in [
        ("at once", Simulated::at_once()),
        ("with latency", Simulated::with_latency()),
    ] {
        let inside = place.enter();
        let simulated = observe(&mut place, script);
        drop(inside);
        if real != simulated {
            let both = side_by_side(script, &real, &simulated);
            return Err(format!(
                "{kind}, the real kernel and the simulated one:{both}"
            ));
        }
    }
    Ok(real)
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

/// Packets of loopback are handled in the order in which they were sent, as long as one processor does it.
fn stay_on_one_processor() {
    let processors = process::processors().expect("there are some");
    process::pin(processors[0]).expect("it is one of ours");
}
