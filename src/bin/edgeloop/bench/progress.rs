//! How far it is, on a terminal: one line that is written over.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use edgeloop::sys::Instant;

use super::book::Book;
use super::report::float;

/// The line, as long as somebody looks at it.
#[derive(Debug)]
pub(crate) struct Progress {
    begin: Instant,
    /// When it was told last, and how many answers there were.
    last: (Instant, u64),
}

impl Progress {
    pub(crate) const EVERY: Duration = Duration::from_secs(1);

    /// `None` if stderr is no terminal.
    pub(crate) fn on_terminal() -> Option<Progress> {
        let begin = Instant::now();
        let last = (begin, 0);
        std::io::stderr()
            .is_terminal()
            .then_some(Progress { begin, last })
    }

    pub(crate) fn tell(&mut self, book: &Book, now: Instant) {
        let (before, answers_before) = self.last;
        self.last = (now, book.tally.answers);
        let passed = now.since(self.begin).as_secs();
        if before < book.schedule.warm() {
            return write(&format!("{passed} s: warming up"));
        }
        let answers = book.tally.answers - answers_before;
        let rate = float(answers) / now.since(before).as_secs_f64();
        let failed = book.tally.failed_in_all();
        write(&format!(
            "{passed} s: {rate:.0} requests/s, {failed} failed"
        ));
    }
}

/// Takes the line away.
pub(crate) fn clear() {
    write("");
}

/// If stderr can't be written there is nobody to tell.
fn write(line: &str) {
    let _ = write!(std::io::stderr(), "\r\x1b[K{line}");
}
