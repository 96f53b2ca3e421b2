//! What the server has counted: at the end if that was asked for, and whenever `URG` comes (`kill -s URG PID`).
//!
//! Lines of JSON are one for a core, `{"core":0,"counters":{…}}`, and at the end one for all of them,
//! `{"cores":2,"counters":{…}}`.

use std::io::Write;
use std::sync::{Arc, OnceLock};

use edgeloop::server::Watch;
use edgeloop::sys::Interest;
use edgeloop::{Counters, Handle, Local, Signals};

use crate::Failure;
use crate::complain;

/// How it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Form {
    /// A table, with shares of a request.
    #[default]
    Text,
    /// A line of JSON.
    Json,
}

/// Answers those who ask while the server runs. Clones are for the same server.
#[derive(Clone)]
pub(crate) struct Stats {
    form: Form,
    signals: Arc<Signals>,
    handle: Arc<OnceLock<Handle>>,
}

impl Stats {
    /// To be made before any thread is started.
    pub(crate) fn new(form: Form) -> Result<Stats, Failure> {
        let signals = Signals::block_urgent()
            .map_err(|error| Failure::Running(format!("cannot take over URG: {error}")))?;
        Ok(Stats {
            form,
            signals: Arc::new(signals),
            handle: Arc::default(),
        })
    }

    /// The server that is asked about.
    pub(crate) fn attach(&self, handle: Handle) {
        let _ = self.handle.set(handle); // there is one server
    }

    /// Has the first core see who asks. All of them answer.
    pub(crate) fn watch_from(&self, local: &Local) {
        if local.core() != 0 {
            return;
        }
        let Stats { form, handle, .. } = self.clone();
        let asked = move |signals: &mut Arc<Signals>, _| match signals.next() {
            Ok(None) => Watch::Keep,
            Ok(Some(_)) => {
                if let Some(handle) = handle.get() {
                    handle.counters(move |core, counters| write(&form.of_core(core, &counters)));
                }
                Watch::Keep
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => Watch::Keep,
            Err(error) => {
                complain::say(&format!("URG is read no longer: {error}"));
                Watch::End
            }
        };
        if let Err(error) = local.watch(Arc::clone(&self.signals), Interest::READ, asked) {
            complain::say(&format!("URG is not read: {error}"));
        }
    }
}

impl Form {
    fn of_core(self, core: usize, counters: &Counters) -> String {
        match self {
            Form::Text => format!("core {core}\n{counters}"),
            Form::Json => {
                let counters = counters.to_json();
                format!("{{\"core\":{core},\"counters\":{counters}}}\n")
            }
        }
    }

    fn of_all(self, cores: usize, counters: &Counters) -> String {
        match self {
            Form::Text => counters.to_string(),
            Form::Json => {
                let counters = counters.to_json();
                format!("{{\"cores\":{cores},\"counters\":{counters}}}\n")
            }
        }
    }
}

/// Writes what all cores have done.
pub(crate) fn tell(form: Form, cores: usize, counters: &Counters) {
    write(&form.of_all(cores, counters));
}

/// At once, so that what several threads say does not mix. If stderr can't be written there is nobody to tell.
fn write(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}
