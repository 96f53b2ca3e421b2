//! What can be set of `edgeloop profile`.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use crate::Failure;
use crate::arguments::{Asked, Command, Form, Setting, yes};
use crate::bench::settings::{number, time};
use crate::bench::{self, BENCH};
use crate::settings::{self, SERVE};

/// What `edgeloop profile` is told.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) path: String,
    /// Options of `edgeloop bench`.
    load: Vec<String>,
    pub(crate) rounds: usize,
    pub(crate) slice: Duration,
    pub(crate) tolerance_percent: u64,
    pub(crate) json: Option<PathBuf>,
    pub(crate) against: Option<PathBuf>,
    pub(crate) base: Option<PathBuf>,
    pub(crate) perf: bool,
    pub(crate) strace: bool,
    pub(crate) pin: bool,
}

/// All that the arguments say.
#[derive(Debug)]
pub(crate) struct Orders {
    pub(crate) settings: Settings,
    /// The options of the server, as they were given and as they are meant.
    pub(crate) words: Vec<OsString>,
    pub(crate) serve: settings::Settings,
}

/// `edgeloop profile`.
pub(crate) const PROFILE: Command<Settings> = Command {
    name: "profile",
    words: "[OPTION]... -- [DIR] [OPTION OF SERVE]...",
    about: "\
Says where the time of a request goes: starts `edgeloop serve` on a port of its own, asks
it as `edgeloop bench` does, and prints what a request takes: processor time, system
calls, instructions where the machine counts them, and by samples of perf, if that is
installed, the time in each phase. All of it in rounds, with the spread over them.",
    table: TABLE,
    ends: "0 if all is well, 1 if it failed or something is worse than the base, 2 for\nwrong arguments",
};

/// Rows whose value goes to `edgeloop bench`.
macro_rules! load {
    ($name:literal, $value:literal, $default:expr, $help:literal) => {
        Setting {
            name: $name,
            form: Form::Flag,
            value: $value,
            default: $default,
            help: $help,
            take: |settings, value| {
                let value = value.to_str().ok_or("it is UTF-8")?;
                settings.load.push(format!("--{}={value}", $name));
                Ok(())
            },
        }
    };
}

const TABLE: &[Setting<Settings>] = &[
    Setting {
        name: "path",
        form: Form::Flag,
        value: "PATH",
        default: Some("/"),
        help: "What is asked for.",
        take: |settings, value| {
            let text = value.to_string_lossy();
            if !text.starts_with('/') {
                return Err(format!("'{text}' is no path; write one such as '/a.html'"));
            }
            settings.path = text.into_owned();
            Ok(())
        },
    },
    load!(
        "connections",
        "N",
        Some("64"),
        "How many connections ask; this and what follows as in `edgeloop bench`."
    ),
    load!(
        "depth",
        "N",
        Some("1"),
        "How many requests a connection may have under way (pipelining)."
    ),
    load!(
        "churn",
        "yes|no",
        Some("no"),
        "Whether every request has a connection of its own."
    ),
    load!("method", "NAME", Some("GET"), "The method."),
    load!("header", "FIELD", None, "A field of each request."),
    load!(
        "body-file",
        "FILE",
        None,
        "What each request has as content."
    ),
    Setting {
        name: "rounds",
        form: Form::Flag,
        value: "N",
        default: Some("5"),
        help: "How often it is measured, after one time that does not count.",
        take: |settings, value| {
            settings.rounds = number(value, 1..=1000, "rounds")? as usize;
            Ok(())
        },
    },
    Setting {
        name: "slice",
        form: Form::Flag,
        value: "TIME",
        default: Some("1s"),
        help: "How long each round asks, from '50ms' to '1m'.",
        take: |settings, value| {
            settings.slice = time(value)?;
            let fits = Duration::from_millis(50)..=Duration::from_secs(60);
            if !fits.contains(&settings.slice) {
                return Err("a slice is '50ms' at least and '1m' at most".into());
            }
            Ok(())
        },
    },
    Setting {
        name: "base",
        form: Form::Flag,
        value: "EXE",
        default: None,
        help: "Another build of edgeloop to compare with. Both run, and are asked in\n\
               turn: this one, that one, that one, this one in each round.",
        take: |settings, value| {
            settings.base = Some(value.into());
            Ok(())
        },
    },
    Setting {
        name: "against",
        form: Form::Flag,
        value: "FILE",
        default: None,
        help: "A report to compare with, that --json has written on this machine with\n\
               the same options. Processor time of another hour says less than --base.",
        take: |settings, value| {
            settings.against = Some(value.into());
            Ok(())
        },
    },
    Setting {
        name: "tolerance",
        form: Form::Flag,
        value: "PERCENT",
        default: Some("5"),
        help: "How much worse than the base is not worse. What is beyond it in the\n\
               median, and worse in every round, is a regression.",
        take: |settings, value| {
            settings.tolerance_percent = number(value, 0..=1000, "percent")?;
            Ok(())
        },
    },
    Setting {
        name: "json",
        form: Form::Flag,
        value: "FILE",
        default: None,
        help: "Writes the report to this file as well, for programs and --against.",
        take: |settings, value| {
            settings.json = Some(value.into());
            Ok(())
        },
    },
    Setting {
        name: "perf",
        form: Form::Switch("yes"),
        value: "yes|no",
        default: Some("yes"),
        help: "Whether perf samples the server in one more slice, if it is installed.",
        take: |settings, value| {
            settings.perf = yes(value)?;
            Ok(())
        },
    },
    Setting {
        name: "strace",
        form: Form::Switch("yes"),
        value: "yes|no",
        default: Some("no"),
        help: "Whether strace counts all system calls in one more slice.",
        take: |settings, value| {
            settings.strace = yes(value)?;
            Ok(())
        },
    },
    Setting {
        name: "pin",
        form: Form::Switch("yes"),
        value: "yes|no",
        default: Some("yes"),
        help: "Whether a server of one core has a processor of its own, and what asks\n\
               another, where there are two.",
        take: |settings, value| {
            settings.pin = yes(value)?;
            Ok(())
        },
    },
];

/// Options of the server that are set here.
const OURS: [&str; 3] = ["--listen", "--stats", "--record"];

impl Orders {
    /// Reads the arguments. `None`: help was asked for.
    pub(crate) fn parse(words: &[OsString]) -> Result<Option<Orders>, Failure> {
        let dashes = words.iter().position(|word| word == "--");
        let at = dashes.unwrap_or(words.len());
        let (ours, theirs) = (&words[..at], words.get(at + 1..).unwrap_or_default());
        let settings = match PROFILE.parse(&mut lexopt::Parser::from_args(ours))? {
            Asked::Help => return Ok(None),
            Asked::Run(settings) => settings,
        };
        let is_ours = |word: &&OsString| {
            let text = word.to_string_lossy();
            OURS.iter().any(|name| text.starts_with(name))
        };
        if let Some(word) = theirs.iter().find(is_ours) {
            let why = format!("'{}' is set by profile itself", word.to_string_lossy());
            return Err(PROFILE.misused(&why));
        }
        let serve = match SERVE.parse(&mut lexopt::Parser::from_args(theirs))? {
            Asked::Help => return Ok(None),
            Asked::Run(serve) => serve,
        };
        settings.load("http://127.0.0.1:1/")?.check()?;
        Ok(Some(Orders {
            settings,
            words: theirs.to_vec(),
            serve,
        }))
    }
}

impl Settings {
    /// How a server at a URL is asked in one slice.
    pub(crate) fn load(&self, url: &str) -> Result<bench::Settings, Failure> {
        let url = format!("{}{}", url.trim_end_matches('/'), self.path);
        let slice = format!("--duration={}ms", self.slice.as_millis());
        let words = [&url, "--warm-up=0s", &slice].map(OsStr::new);
        let words = words.into_iter().chain(self.load.iter().map(OsStr::new));
        match BENCH.parse(&mut lexopt::Parser::from_args(words))? {
            Asked::Run(load) => Ok(load),
            Asked::Help => Err(PROFILE.misused(&"help is no value")),
        }
    }

    /// How it is asked, in the words of `edgeloop bench` and in one order.
    pub(crate) fn asked(&self) -> Vec<String> {
        let mut words = self.load.clone();
        words.sort();
        words.insert(0, self.path.clone());
        words
    }

    /// By which factor something may be worse.
    pub(crate) fn tolerance(&self) -> f64 {
        1.0 + super::totals::float(self.tolerance_percent) / 100.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &str) -> Result<Option<Orders>, String> {
        let words: Vec<_> = words.split_whitespace().map(OsString::from).collect();
        Orders::parse(&words).map_err(|failure| match failure {
            Failure::Usage(why) => why,
            Failure::Running(why) => panic!("nothing runs here: {why}"),
        })
    }

    #[test]
    fn what_stands_behind_the_dashes_is_the_servers() {
        let orders = parsed("--rounds 2 --depth=16 --path /a -- site --dotfiles --cores 2");
        let orders = orders.expect("sound").expect("orders");
        assert_eq!(orders.settings.rounds, 2);
        assert_eq!(orders.serve.cores, 2);
        assert!(orders.serve.dotfiles);
        assert_eq!(orders.words, ["site", "--dotfiles", "--cores", "2"]);
        let load = orders.settings.load("http://127.0.0.1:7/").expect("sound");
        assert_eq!((load.connections, load.depth), (64, 16));
        let target = load.check().expect("sound");
        assert_eq!(target.url, "http://127.0.0.1:7/a");
        let words = [
            "/a",
            "--churn=no",
            "--connections=64",
            "--depth=16",
            "--method=GET",
        ];
        assert_eq!(orders.settings.asked(), words);
        assert!(parsed("").expect("sound").is_some());
        assert!(parsed("--help").expect("sound").is_none());
    }

    #[test]
    fn what_can_not_be_meant_is_said() {
        for (words, why) in [
            ("site", "'site' is one word too many"),
            ("-- --listen=:80", "'--listen=:80' is set by profile itself"),
            ("-- --stats", "'--stats' is set by profile itself"),
            ("-- a b", "'b' is one word too many"),
            ("--path a", "'a' is no path"),
            ("--depth 0", "'0' is no number of requests"),
            ("--depth 2 --churn=yes", "leave --depth out"),
            ("--slice 1ms", "a slice is '50ms' at least"),
            ("--rounds 0", "'0' is no number of rounds"),
        ] {
            let said = parsed(words).map(drop).expect_err(why);
            assert!(said.contains(why), "{words}: {said}");
            assert!(said.contains("; see edgeloop "), "{said}");
        }
    }

    #[test]
    fn help_names_every_setting_in_lines_of_a_terminal() {
        let help = PROFILE.help();
        for row in TABLE {
            assert!(help.contains(&row.usage()), "{}", row.name);
        }
        assert!(help.lines().all(|line| line.len() <= 90), "{help}");
    }
}
