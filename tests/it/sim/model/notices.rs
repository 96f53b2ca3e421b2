//! What is told of files that change.

use edgeloop::sys::inotify::{Notice, Notices, Subject, WatchId};
use edgeloop::sys::{Fd, Inotify};

use super::ops::Told;
use super::places::Client;
use super::script::{Cast, said};

/// A queue, and who has which watch.
pub(super) struct Watching {
    pub(super) queue: Inotify,
    watches: Vec<(Told, WatchId)>,
}

impl Watching {
    pub(super) fn new() -> Watching {
        Watching {
            queue: Inotify::new().expect("one more"),
            watches: Vec::new(),
        }
    }

    fn watch(&mut self, told: Told, fd: &Fd, subject: Subject) -> String {
        let watched = self.queue.watch(fd, subject);
        said(watched.map(|watch| {
            let known = self.watches.iter().position(|it| it.1 == watch);
            if known.is_none() {
                self.watches.push((told, watch));
            }
            known.is_some()
        }))
    }

    /// The watch that was made last for it, also if it has ended.
    pub(super) fn forget(&mut self, told: Told) -> Option<String> {
        let known = self.watches.iter().rev().find(|it| it.0 == told)?;
        Some(said(self.queue.forget(known.1)))
    }

    pub(super) fn notices(&self) -> String {
        let name_of = |watch: WatchId| {
            let known = self.watches.iter().find(|it| it.1 == watch);
            known.map_or_else(|| format!("{watch:?}"), |it| format!("{:?}", it.0))
        };
        let (mut notices, mut words) = (Notices::new(), Vec::new());
        let end = loop {
            match self.queue.read(&mut notices) {
                Ok(()) => words.extend(notices.iter().map(|notice| match notice {
                    Notice::Name { watch, name } => {
                        format!("{} {}", name_of(watch), name.escape_ascii())
                    }
                    Notice::Changed(watch) => format!("{} changed", name_of(watch)),
                    Notice::Ended(watch) => format!("{} ended", name_of(watch)),
                    Notice::Lost => "lost".to_owned(),
                })),
                Err(error) => break said::<()>(Err(error)),
            }
        };
        words.dedup();
        words.push(end);
        words.join(", ")
    }
}

impl<C: Client> Cast<C> {
    pub(super) fn watch(&mut self, told: Told) -> Option<String> {
        let (fd, subject) = match told {
            Told::Root => (&self.root, Subject::Names),
            Told::Directory => (&self.directory, Subject::Names),
            Told::File => (self.file.as_ref()?, Subject::Content),
            Told::Nonsense => (self.file.as_ref()?, Subject::Names),
        };
        Some(self.watching.watch(told, fd, subject))
    }
}
