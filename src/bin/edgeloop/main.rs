//! The edgeloop program: what it can be told to do, and how it ends.
//!
//! | exit status | meaning |
//! |---|---|
//! | 0 | it did what was asked; also after a drain |
//! | 1 | it failed: an address is taken, a directory is not there |
//! | 2 | the arguments make no sense |
//!
//! Whenever the status is not 0 there is exactly one line on stderr that says why and what to do. It begins with
//! `edgeloop: `.
//!
//! `arguments` reads what a command is told, by a table such as that in `settings`; `serve` serves, `stats` tells what was
//! counted, `bench` asks, `profile` looks at a server that is asked, `replay` plays what clients have sent, `complain` writes to stderr.

mod arguments;
mod bench;
mod complain;
mod profile;
mod replay;
mod serve;
mod settings;
mod stats;

use std::io::{self, Write};
use std::process::ExitCode;

use edgeloop::Signals;
use edgeloop::sys::CountingAllocator;

use arguments::{Asked, see_help};
use bench::BENCH;
use settings::SERVE;

/// Allocations are among what the server counts.
#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const USAGE: &str = "\
An HTTP/1.1 server for Linux: one thread, one edge-triggered epoll loop.

Usage:
  edgeloop serve [DIR] [OPTION]...    serves the files of a directory
  edgeloop bench URL [OPTION]...      asks a server again and again, and says how fast it is
  edgeloop profile [OPTION]... -- [DIR] [OPTION OF SERVE]...
                                      says where the time of a request goes
  edgeloop replay FILE [OPTION]...    plays what clients have sent, without a network
  edgeloop COMMAND --help             says what can be set
  edgeloop --version
  edgeloop --help
";

/// Why it ends otherwise than well, in one line.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nothing was begun: what was asked for can't be meant.
    Usage(String),
    /// It was begun, or tried.
    Running(String),
}

fn main() -> ExitCode {
    // Before anything else: a signal that comes now is not lost, and any thread that is started later inherits the mask.
    let signals = Signals::block();
    match run(signals) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Running(why)) => {
            complain::say(&why);
            ExitCode::from(1)
        }
        Err(Failure::Usage(why)) => {
            complain::say(&why);
            ExitCode::from(2)
        }
    }
}

fn run(signals: io::Result<Signals>) -> Result<(), Failure> {
    let mut words = lexopt::Parser::from_env();
    let unknown = match words.next().map_err(|error| see_help(&error, ""))? {
        Some(lexopt::Arg::Value(command)) if command == "serve" => {
            return match SERVE.parse(&mut words)? {
                Asked::Help => print(&SERVE.help()),
                Asked::Run(settings) => serve::serve(&settings, taken_over(signals)?),
            };
        }
        Some(lexopt::Arg::Value(command)) if command == "bench" => {
            return match BENCH.parse(&mut words)? {
                Asked::Help => print(&BENCH.help()),
                Asked::Run(settings) => bench::bench(&settings, &taken_over(signals)?),
            };
        }
        Some(lexopt::Arg::Value(command)) if command == "profile" => {
            return profile::profile(words, &taken_over(signals)?);
        }
        Some(lexopt::Arg::Value(command)) if command == "replay" => {
            return replay::replay(words);
        }
        Some(lexopt::Arg::Long("version") | lexopt::Arg::Short('V')) => {
            return print(concat!("edgeloop ", env!("CARGO_PKG_VERSION"), "\n"));
        }
        Some(lexopt::Arg::Long("help") | lexopt::Arg::Short('h')) => return print(USAGE),
        Some(lexopt::Arg::Value(command)) => {
            format!("unknown command '{}'", command.to_string_lossy())
        }
        Some(lexopt::Arg::Long(name)) => format!("unknown option '--{name}'"),
        Some(lexopt::Arg::Short(name)) => format!("unknown option '-{name}'"),
        None => "no command".to_owned(),
    };
    Err(see_help(&unknown, ""))
}

fn taken_over(signals: io::Result<Signals>) -> Result<Signals, Failure> {
    signals.map_err(|error| Failure::Running(format!("cannot take over the signals: {error}")))
}

/// Writes what was asked for. Whoever stops reading early has read enough.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Running(format!("cannot write to stdout: {error}")))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
