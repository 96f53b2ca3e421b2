//! Lines on stderr.

use std::io::Write;
use std::mem::{Discriminant, discriminant};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use edgeloop::Observer;
use edgeloop::server::Trouble;
use edgeloop::sys::Instant;

/// How long the same kind of trouble is not told again.
const PAUSE: Duration = Duration::from_secs(1);

/// Writes one line, whatever is in `text`. If stderr can't be written there is nobody to tell.
pub(crate) fn say(text: &str) {
    let _ = std::io::stderr().write_all(line(text).as_bytes());
}

/// A line as it is written, at once, so that lines of several threads do not mix.
fn line(text: &str) -> String {
    let mut line = String::from("edgeloop: ");
    for char in text.chars() {
        if char.is_control() {
            line.extend(char.escape_default());
        } else {
            line.push(char);
        }
    }
    line.push('\n');
    line
}

/// Tells the operator of trouble, one line a second of each kind at most. Clones for several workers count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Complaints(Arc<Mutex<Told>>);

impl Complaints {
    /// How many troubles were counted since their kind was told last.
    pub(crate) fn untold(&self) -> u64 {
        self.with(|told| told.0.iter().map(|kind| kind.untold).sum())
    }

    fn with<T>(&self, look: impl FnOnce(&mut Told) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Observer for Complaints {
    fn trouble(&mut self, trouble: &Trouble) {
        let (kind, now) = (discriminant(trouble), Instant::now());
        match self.with(|told| told.admit(kind, now)) {
            None => {}
            Some(0) => say(&trouble.to_string()),
            Some(untold) => say(&format!(
                "{trouble} ({untold} more since the last such line)"
            )),
        }
    }
}

/// When each kind of trouble was told last. There are a few kinds, and most never come.
#[derive(Debug, Default)]
struct Told(Vec<Kind>);

#[derive(Debug)]
struct Kind {
    what: Discriminant<Trouble>,
    at: Instant,
    untold: u64,
}

impl Told {
    /// Whether to tell of it now, and if so, how many there were meanwhile.
    fn admit(&mut self, what: Discriminant<Trouble>, now: Instant) -> Option<u64> {
        let Some(kind) = self.0.iter_mut().find(|kind| kind.what == what) else {
            let (at, untold) = (now, 0);
            self.0.push(Kind { what, at, untold });
            return Some(0);
        };
        if now.since(kind.at) < PAUSE {
            kind.untold += 1;
            return None;
        }
        kind.at = now;
        Some(std::mem::take(&mut kind.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_said_is_one_line() {
        assert_eq!(
            line("no file 'a\nedgeloop: b\u{1b}[2J'"),
            "edgeloop: no file 'a\\nedgeloop: b\\u{1b}[2J'\n"
        );
    }

    #[test]
    fn each_kind_of_trouble_is_told_once_a_second_with_a_count_of_the_others() {
        let (refused, panicked) = (
            discriminant(&Trouble::Refused),
            discriminant(&Trouble::HandlerPanicked),
        );
        let mut told = Told::default();
        for (milliseconds, kind, wanted) in [
            (0, refused, Some(0)),
            (1, refused, None),
            (2, panicked, Some(0)),
            (999, refused, None),
            (1000, refused, Some(2)),
            (1001, panicked, None),
            (1999, refused, None),
            (5000, refused, Some(1)),
            (9000, refused, Some(0)),
        ] {
            let now = Instant::from_nanos((milliseconds + 77) * 1_000_000);
            assert_eq!(told.admit(kind, now), wanted, "at {milliseconds} ms");
        }
        assert_eq!(Complaints(Arc::new(Mutex::new(told))).untold(), 1);
    }
}
