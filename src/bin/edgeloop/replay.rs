//! `edgeloop replay`: what clients have sent goes through the server once more, without a network.

use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use edgeloop::server::{Recording, Replay, ReplayError};

use crate::Failure;
use crate::arguments::{Asked, see_help};
use crate::serve::files;
use crate::settings::{SERVE, Settings};

/// Files larger than this are not read into memory.
const FILE_BYTES_MAX: u64 = 1 << 30;

const HELP: &str = "\
Plays what clients have sent to the files of a directory, as `edgeloop serve` would serve
them, and prints what came of it: requests, answers by status, bytes, a hash of the first
iteration's answers. No socket is opened, and no time passes: two runs are the same to
the instruction, for valgrind --tool=callgrind.

Usage:
  edgeloop replay FILE [DIR] [OPTION]...

  FILE            A recording of `edgeloop serve --record`, or the bytes that one client
                  sends. These are sent again on the same connection while it is kept.
  DIR             The directory whose files are served.
                  Default: .
  --iterations N  How often it is played.
                  Default: 1
  --print         Writes the answers to stdout, before everything else, and the rest to
                  stderr.
  --help          Says this.

How the files are served is said by the options of `edgeloop serve`.

Exit status: 0 when it was played, 1 when it failed, 2 for wrong arguments.
";

/// What `edgeloop replay` is told.
#[derive(Debug, PartialEq, Eq)]
struct Orders {
    file: PathBuf,
    iterations: u64,
    print: bool,
    serve: Settings,
}

/// Reads the arguments that follow `replay`, and plays.
pub(crate) fn replay(mut words: lexopt::Parser) -> Result<(), Failure> {
    let words = words.raw_args().map_err(|error| usage(&error))?;
    match parse(words)? {
        None => crate::print(HELP),
        Some(orders) => play(&orders),
    }
}

fn play(orders: &Orders) -> Result<(), Failure> {
    let recording = read(&orders.file)?;
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

fn usage(why: &dyn Display) -> Failure {
    see_help(why, " replay")
}

/// `None`: help was asked for.
fn parse(words: impl Iterator<Item = OsString>) -> Result<Option<Orders>, Failure> {
    let (mut file, mut iterations, mut print) = (None, 1, false);
    let mut rest = Vec::new();
    let mut words = words;
    while let Some(word) = words.next() {
        match word.to_str() {
            Some("--help" | "-h") => return Ok(None),
            Some("--print") => print = true,
            Some("--iterations") => {
                let value = words.next();
                let value = value.ok_or_else(|| usage(&"--iterations N lacks its value"))?;
                iterations = number(&value)?;
            }
            Some(text) if text.starts_with("--iterations=") => {
                iterations = number(text.trim_start_matches("--iterations=").as_ref())?;
            }
            _ if file.is_none() && !word.as_encoded_bytes().starts_with(b"-") => {
                file = Some(PathBuf::from(word));
            }
            _ => rest.push(word),
        }
    }
    let file = file.ok_or_else(|| usage(&"no file; name one that holds what a client sent"))?;
    match SERVE.parse(&mut lexopt::Parser::from_args(rest))? {
        Asked::Help => Ok(None),
        Asked::Run(serve) => Ok(Some(Orders {
            file,
            iterations,
            print,
            serve,
        })),
    }
}

fn number(word: &OsStr) -> Result<u64, Failure> {
    let text = word.to_string_lossy();
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| {
        let why = format!("'{text}' is no number of iterations; write one from 1 on");
        usage(&why)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &str) -> Result<Option<Orders>, String> {
        let words: Vec<_> = words.split_whitespace().map(OsString::from).collect();
        parse(words.into_iter()).map_err(|failure| match failure {
            Failure::Usage(why) => why,
            Failure::Running(why) => panic!("nothing runs here: {why}"),
        })
    }

    #[test]
    fn the_file_comes_first_and_what_serve_takes_is_taken() {
        let words = "--iterations 7 a.rec --print --dotfiles site --index=x.html";
        let orders = parsed(words).expect("sound").expect("orders");
        assert_eq!(
            (orders.file, orders.iterations),
            (PathBuf::from("a.rec"), 7)
        );
        assert!(orders.print && orders.serve.dotfiles);
        assert_eq!(orders.serve.dir, PathBuf::from("site"));
        assert_eq!(orders.serve.index, ["x.html"]);
        let orders = parsed("a.rec").expect("sound").expect("orders");
        assert_eq!((orders.iterations, orders.print), (1, false));
        assert_eq!(orders.serve.dir, PathBuf::from("."));
        assert_eq!(parsed("a --help"), Ok(None));
    }

    #[test]
    fn what_is_not_understood_is_said() {
        for (words, why) in [
            ("", "no file; name one that holds what a client sent"),
            ("a --iterations", "--iterations N lacks its value"),
            ("a --iterations=0", "'0' is no number of iterations"),
            ("a --iterations x", "'x' is no number of iterations"),
            ("a --foo", "unknown option '--foo'"),
            ("a b c", "'c' is one word too many"),
        ] {
            let said = parsed(words).expect_err(why);
            assert!(said.starts_with(why), "{words}: {said}");
            assert!(said.contains("; see edgeloop "), "{said}");
        }
        assert!(HELP.lines().all(|line| line.len() <= 90));
    }
}
