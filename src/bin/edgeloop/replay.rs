//! `edgeloop replay`: what clients have sent goes through the server once more, without a network.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use edgeloop::server::{Recording, Replay, ReplayError};

use crate::Failure;
use crate::arguments::{Asked, Command, Form, Setting, joined, yes};
use crate::serve::files;
use crate::settings::{Served, Settings, number};

/// Files larger than this are not read into memory.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// `edgeloop replay`.
const REPLAY: Command<Orders> = Command {
    name: "replay",
    words: "FILE [DIR] [OPTION]...",
    about: "\
Plays what clients have sent to the files of a directory, as `edgeloop serve` would serve
them, and prints what came of it: requests, answers by status, bytes, a hash of the first
iteration's answers. No socket is opened, and no time passes: two runs are the same to
the instruction, for valgrind --tool=callgrind. It takes the options of `edgeloop serve`;
those that are about listening, threads, counters and recording change nothing here.",
    table: &joined::<_, { OWN.len() + SERVED.len() }>(OWN, SERVED),
    ends: "0 when it was played, 1 when it failed, 2 for wrong arguments",
};

/// What `edgeloop replay` is told.
#[derive(Debug, Default, PartialEq, Eq)]
struct Orders {
    file: Option<PathBuf>,
    iterations: u64,
    print: bool,
    serve: Settings,
}

impl AsMut<Settings> for Orders {
    fn as_mut(&mut self) -> &mut Settings {
        &mut self.serve
    }
}

const SERVED: &[Setting<Orders>] = Served::ROWS;

const OWN: &[Setting<Orders>] = &[
    Setting {
        name: "file",
        form: Form::Word,
        value: "FILE",
        default: None,
        help: "A recording of `edgeloop serve --record`, or the bytes that one client\n\
               sends. These are sent again on the same connection while it is kept.",
        take: |orders, value| {
            orders.file = Some(value.into());
            Ok(())
        },
    },
    Setting {
        name: "iterations",
        form: Form::Flag,
        value: "N",
        default: Some("1"),
        help: "How often it is played.",
        take: |orders, value| {
            orders.iterations = number(value, "iterations")?;
            Ok(())
        },
    },
    Setting {
        name: "print",
        form: Form::Switch("yes"),
        value: "yes|no",
        default: Some("no"),
        help: "Whether the answers are written to stdout, and everything else to\n\
               stderr.",
        take: |orders, value| {
            orders.print = yes(value)?;
            Ok(())
        },
    },
];

/// Reads the arguments that follow `replay`, and plays.
pub(crate) fn replay(mut words: lexopt::Parser) -> Result<(), Failure> {
    match REPLAY.parse(&mut words)? {
        Asked::Help => crate::print(&REPLAY.help()),
        Asked::Run(orders) => play(&orders),
    }
}

fn play(orders: &Orders) -> Result<(), Failure> {
    let file = (orders.file.as_ref())
        .ok_or_else(|| REPLAY.misused(&"no file; name one that holds what a client sent"))?;
    let recording = read(file)?;
    let files = files(&orders.serve)?;
    let failed = |error: ReplayError| Failure::Running(error.to_string());
    let mut replay = Replay::new(files).map_err(failed)?;
    if orders.print {
        let answers = replay.answers(&recording).map_err(failed)?;
        let mut out = io::stdout().lock();
        match out.write_all(&answers).and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                let why = format!("cannot write to stdout: {error}");
                return Err(Failure::Running(why));
            }
            Ok(()) | Err(_) => {}
        }
    }
    let replayed = replay.run(&recording, orders.iterations).map_err(failed)?;
    if orders.print {
        let _ = write!(io::stderr(), "{replayed}"); // if it can't be written there is nobody to tell
        Ok(())
    } else {
        crate::print(&replayed.to_string())
    }
}

fn read(path: &Path) -> Result<Recording, Failure> {
    let told =
        |why: &dyn Display| Failure::Running(format!("cannot replay '{}': {why}", path.display()));
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| told(&error))?;
    let read = file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|error| told(&error))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(told(&"it is larger than 1 GiB; record less"));
    }
    Recording::parse(&bytes).map_err(|error| told(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &str) -> Result<Asked<Orders>, String> {
        let words = words.split_whitespace();
        REPLAY
            .parse(&mut lexopt::Parser::from_args(words))
            .map_err(|failure| match failure {
                Failure::Usage(why) => why,
                Failure::Running(why) => panic!("nothing runs here: {why}"),
            })
    }

    fn given(words: &str) -> Orders {
        match parsed(words) {
            Ok(Asked::Run(orders)) => orders,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_file_comes_first_and_what_serve_takes_is_taken() {
        let orders = given("--iterations 7 a.rec --print --dotfiles site --index=x.html");
        assert_eq!((orders.file, orders.iterations), (Some("a.rec".into()), 7));
        assert!(orders.print && orders.serve.dotfiles);
        assert_eq!(orders.serve.dir, PathBuf::from("site"));
        assert_eq!(orders.serve.index, ["x.html"]);
        let orders = given("--index x.html a.rec");
        assert_eq!((orders.iterations, orders.print), (1, false));
        assert_eq!(orders.file, Some("a.rec".into()));
        assert_eq!(orders.serve.dir, PathBuf::from("."));
        assert_eq!(parsed("a --help"), Ok(Asked::Help));
    }

    #[test]
    fn what_is_not_understood_is_said() {
        for (words, why) in [
            ("a --iterations", "--iterations N lacks its value"),
            ("a --iterations=0", "'0' is no number of iterations"),
            ("a --iterations x", "'x' is no number of iterations"),
            ("a --print=x", "'x' is neither 'yes' nor 'no'"),
            ("a --foo", "unknown option '--foo'"),
            ("a --cores 0", "'0' is no number of cores"),
            ("a b c", "'c' is one word too many"),
        ] {
            let said = parsed(words).expect_err(why);
            assert!(said.starts_with(why), "{words}: {said}");
            assert!(said.ends_with("; see edgeloop replay --help"), "{said}");
        }
        match play(&given("")) {
            Err(Failure::Usage(why)) => assert!(why.starts_with("no file; "), "{why}"),
            other => panic!("{other:?}"),
        }
        let help = REPLAY.help();
        assert!(help.lines().all(|line| line.len() <= 90), "{help}");
        for row in REPLAY.table {
            assert!(help.contains(&row.usage()), "{}", row.name);
        }
    }
}
