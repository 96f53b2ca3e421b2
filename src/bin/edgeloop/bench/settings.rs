//! What can be set of `edgeloop bench`.

use std::ffi::OsStr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use edgeloop::http::is_token;

use super::requests::field;
use super::schedule::{Pace, Stop};
use super::target::Target;
use crate::Failure;
use crate::arguments::{Command, Form, Setting, yes};

/// What `edgeloop bench` is told.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) target: Option<Target>,
    pub(crate) connections: usize,
    pub(crate) depth: usize,
    duration: Option<Duration>,
    requests: Option<u64>,
    rate: Option<u64>,
    warm_up: Option<Duration>,
    pub(crate) timeout: Duration,
    pub(crate) churn: bool,
    pub(crate) slow_readers: usize,
    pub(crate) split: Option<usize>,
    pub(crate) method: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body_file: Option<PathBuf>,
    pub(crate) json: bool,
    pub(crate) svg: Option<PathBuf>,
    /// How often it was said.
    not_loopback: u32,
}

/// `edgeloop bench`.
pub(crate) const BENCH: Command<Settings> = Command {
    name: "bench",
    words: "URL [OPTION]...",
    about: "\
Sends requests to a server and says how many are answered in a second, and how long each
takes. In a closed loop, which is the default, every connection asks again as soon as it
is answered. With --rate requests begin at fixed times, whatever the answers do, and each
one's time counts from when it should have begun: a stall counts for all that it delays.
One thread; give it and the server a core each (taskset). It ends early with INT or TERM
and says what it has.",
    table: TABLE,
    ends: "0 if anything was answered, 1 if not or it failed, 2 for wrong arguments",
};

const TABLE: &[Setting<Settings>] = &[
    Setting {
        name: "url",
        form: Form::Word,
        value: "URL",
        default: None,
        help: "Where and what to ask. The host is an IP address or 'localhost'; a Unix\n\
               socket is written 'unix:/run/app.sock:/path'.",
        take: |settings, value| {
            let text = value.to_str().ok_or("a URL is ASCII")?;
            settings.target = Some(Target::parse(text)?);
            Ok(())
        },
    },
    Setting {
        name: "connections",
        form: Form::Flag,
        value: "N",
        default: Some("64"),
        help: "How many connections ask.",
        take: |settings, value| {
            settings.connections = number(value, 1..=20_000, "connections")? as usize;
            Ok(())
        },
    },
    Setting {
        name: "depth",
        form: Form::Flag,
        value: "N",
        default: Some("1"),
        help: "How many requests a connection may have under way (pipelining).",
        take: |settings, value| {
            settings.depth = number(value, 1..=1024, "requests")? as usize;
            Ok(())
        },
    },
    Setting {
        name: "duration",
        form: Form::Flag,
        value: "TIME",
        default: None,
        help: "How long requests begin, such as '500ms', '10s' or '2m'. Those that have\n\
               begun are waited for. Default: 10s, unless --requests is given",
        take: |settings, value| {
            settings.duration = Some(time(value)?);
            Ok(())
        },
    },
    Setting {
        name: "requests",
        form: Form::Flag,
        value: "N",
        default: None,
        help: "How many requests there are in all, instead of a duration.",
        take: |settings, value| {
            settings.requests = Some(number(value, 1..=u64::MAX, "requests")?);
            Ok(())
        },
    },
    Setting {
        name: "rate",
        form: Form::Flag,
        value: "N",
        default: None,
        help: "How many requests begin in a second (open loop). It keeps its core busy\n\
               to be in time. One that finds all connections busy waits, and that\n\
               counts.",
        take: |settings, value| {
            settings.rate = Some(number(value, 1..=10_000_000, "requests a second")?);
            Ok(())
        },
    },
    Setting {
        name: "warm-up",
        form: Form::Flag,
        value: "TIME",
        default: None,
        help: "How long it runs before anything counts. Default: 1s, or none with\n\
               --requests",
        take: |settings, value| {
            settings.warm_up = Some(time(value)?);
            Ok(())
        },
    },
    Setting {
        name: "timeout",
        form: Form::Flag,
        value: "TIME",
        default: Some("10s"),
        help: "How long a request is waited for. Its connection is given up then.",
        take: |settings, value| {
            settings.timeout = time(value)?;
            if settings.timeout.is_zero() {
                return Err("a timeout of nothing leaves no time; write one such as '10s'".into());
            }
            Ok(())
        },
    },
    Setting {
        name: "churn",
        form: Form::Switch("yes"),
        value: "yes|no",
        default: Some("no"),
        help: "Whether every request has a connection of its own, which it asks the\n\
               server to close.",
        take: |settings, value| {
            settings.churn = yes(value)?;
            Ok(())
        },
    },
    Setting {
        name: "slow-readers",
        form: Form::Flag,
        value: "N",
        default: Some("0"),
        help: "How many more connections ask all the time and read 1 KiB of the answers\n\
               every 100 ms. They are not in the figures.",
        take: |settings, value| {
            settings.slow_readers = number(value, 0..=20_000, "slow readers")? as usize;
            Ok(())
        },
    },
    Setting {
        name: "split",
        form: Form::Flag,
        value: "BYTES",
        default: None,
        help: "Sends requests in pieces of so many bytes, one in a turn of the loop.",
        take: |settings, value| {
            settings.split = Some(number(value, 1..=1 << 20, "bytes")? as usize);
            Ok(())
        },
    },
    Setting {
        name: "method",
        form: Form::Flag,
        value: "NAME",
        default: Some("GET"),
        help: "The method.",
        take: |settings, value| {
            let text = value.to_str().filter(|name| is_token(name.as_bytes()));
            let name = text.filter(|name| *name != "CONNECT").ok_or_else(|| {
                let text = value.to_string_lossy();
                format!("'{text}' is no method that can be measured; write one such as 'GET'")
            })?;
            name.clone_into(&mut settings.method);
            Ok(())
        },
    },
    Setting {
        name: "header",
        form: Form::Flag,
        value: "FIELD",
        default: None,
        help: "A field of each request, such as 'Accept: */*'; may be given more than\n\
               once.",
        take: |settings, value| {
            let text = value.to_str().ok_or("a field is UTF-8")?;
            settings.headers.push(field(text)?);
            Ok(())
        },
    },
    Setting {
        name: "body-file",
        form: Form::Flag,
        value: "FILE",
        default: None,
        help: "What each request has as content, at most 64 MiB.",
        take: |settings, value| {
            settings.body_file = Some(value.into());
            Ok(())
        },
    },
    Setting {
        name: "json",
        form: Form::Switch("yes"),
        value: "yes|no",
        default: Some("no"),
        help: "Whether the report is JSON rather than text.",
        take: |settings, value| {
            settings.json = yes(value)?;
            Ok(())
        },
    },
    Setting {
        name: "svg",
        form: Form::Flag,
        value: "FILE",
        default: None,
        help: "Draws the times by percentile into this file.",
        take: |settings, value| {
            settings.svg = Some(value.into());
            Ok(())
        },
    },
    Setting {
        name: "not-loopback",
        form: Form::Switch("yes"),
        value: "yes|no",
        default: Some("no"),
        help: "Given twice, other machines may be asked. They have to be yours: this is\n\
               a load that can take a server down.",
        take: |settings, value| {
            let said = u32::from(yes(value)?);
            settings.not_loopback = (settings.not_loopback + said) * said;
            Ok(())
        },
    },
];

impl Settings {
    /// What is asked, if all settings go together.
    pub(crate) fn check(&self) -> Result<&Target, Failure> {
        let target = self
            .target
            .as_ref()
            .ok_or_else(|| BENCH.misused(&"no URL"))?;
        if self.duration.is_some() && self.requests.is_some() {
            let why = "--duration and --requests say both when it ends; leave one out";
            return Err(BENCH.misused(&why));
        }
        if self.churn && self.depth > 1 {
            let why = "--churn has one request on a connection; leave --depth out";
            return Err(BENCH.misused(&why));
        }
        if !target.is_loopback() && self.not_loopback < 2 {
            let why = format!(
                "'{}' is another machine, which this load may take down; if it is yours, give --not-loopback twice",
                target.url
            );
            return Err(BENCH.misused(&why));
        }
        Ok(target)
    }

    pub(crate) fn pace(&self) -> Pace {
        self.rate.map_or(Pace::Closed, |rate| Pace::Open { rate })
    }

    pub(crate) fn stop(&self) -> Stop {
        let duration = self.duration.unwrap_or(Duration::from_secs(10));
        self.requests.map_or(Stop::After(duration), Stop::Requests)
    }

    pub(crate) fn warm_up(&self) -> Duration {
        let unsaid = match self.stop() {
            Stop::After(_) => Duration::from_secs(1),
            Stop::Requests(_) => Duration::ZERO,
        };
        self.warm_up.unwrap_or(unsaid)
    }
}

/// A whole number within a range.
pub(crate) fn number(value: &OsStr, range: RangeInclusive<u64>, of: &str) -> Result<u64, String> {
    let text = value.to_string_lossy();
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| {
        let (least, most) = range.into_inner();
        format!("'{text}' is no number of {of}; write one from {least} to {most}")
    })
}

/// A number of seconds, or one with its unit: at most a day.
pub(crate) fn time(value: &OsStr) -> Result<Duration, String> {
    let text = value.to_string_lossy();
    let (digits, unit) = text.split_at(
        text.find(|char: char| char.is_alphabetic())
            .unwrap_or(text.len()),
    );
    let seconds = match unit {
        "" | "s" => 1.0,
        "ms" => 0.001,
        "m" => 60.0,
        "h" => 3600.0,
        _ => f64::NAN,
    };
    let number: f64 = digits.parse().unwrap_or(f64::NAN);
    Duration::try_from_secs_f64(number * seconds)
        .ok()
        .filter(|time| *time <= Duration::from_secs(86_400))
        .ok_or_else(|| {
            format!("'{text}' is no time up to a day; write one such as '500ms', '10s' or '2m'")
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::Asked;

    fn checked(words: &[&str]) -> Result<Settings, String> {
        let parsed = BENCH.parse(&mut lexopt::Parser::from_args(words));
        let checked = parsed.and_then(|asked| match asked {
            Asked::Run(settings) => settings.check().map(drop).map(|()| settings),
            Asked::Help => panic!("nobody asked for it"),
        });
        checked.map_err(|failure| match failure {
            Failure::Usage(why) => why,
            Failure::Running(why) => panic!("nothing runs here: {why}"),
        })
    }

    #[test]
    fn what_is_not_given_has_its_default() {
        let settings = checked(&["http://[::1]:1/"]).expect("a URL is enough");
        assert_eq!((settings.connections, settings.depth), (64, 1));
        assert_eq!(settings.pace(), Pace::Closed);
        assert_eq!(settings.stop(), Stop::After(Duration::from_secs(10)));
        assert_eq!(settings.warm_up(), Duration::from_secs(1));
        assert_eq!(settings.timeout, Duration::from_secs(10));
        let counted = checked(&["http://[::1]:1/", "--requests=5"]).expect("a count");
        assert_eq!(
            (counted.stop(), counted.warm_up()),
            (Stop::Requests(5), Duration::ZERO)
        );
    }

    #[test]
    fn times_have_units() {
        for (text, millis) in [
            ("2", 2000),
            ("1.5s", 1500),
            ("30ms", 30),
            ("2m", 120_000),
            ("1h", 3_600_000),
        ] {
            assert_eq!(
                time(text.as_ref()),
                Ok(Duration::from_millis(millis)),
                "{text}"
            );
        }
        for text in ["", "s", "-1s", "1d", "nan", "1e9h", "25h", "1 s"] {
            time(text.as_ref()).expect_err(text);
        }
    }

    #[test]
    fn another_machine_is_asked_only_if_that_is_said_twice() {
        let url = "http://192.0.2.1/";
        for words in [
            &[url] as &[_],
            &[url, "--not-loopback"],
            &[url, "--not-loopback", "--not-loopback=no"],
        ] {
            let said = checked(words).expect_err("another machine");
            assert!(said.contains("give --not-loopback twice"), "{said}");
        }
        checked(&[url, "--not-loopback", "--not-loopback"]).expect("it was said twice");
    }

    #[test]
    fn what_does_not_go_together_is_said() {
        for (words, why) in [
            ("", "no URL"),
            ("--requests 1 --duration 1s", "leave one out"),
            ("--churn --depth 2", "leave --depth out"),
            (
                "--connections 0",
                "'0' is no number of connections; write one from 1 to 20000",
            ),
            ("--depth 1025", "from 1 to 1024"),
            ("--rate 0", "'0' is no number of requests a second"),
            ("--timeout 0s", "leaves no time"),
            ("--method CONNECT", "is no method that can be measured"),
            ("--header Host", "'Host' is no field"),
            ("--header Content-Length:1", "can't be set"),
        ] {
            let mut words: Vec<_> = words.split_whitespace().collect();
            if !words.is_empty() {
                words.push("http://localhost/");
            }
            let said = checked(&words).expect_err(why);
            assert!(said.contains(why), "{words:?}: {said}");
            assert!(said.ends_with("; see edgeloop bench --help"), "{said}");
        }
    }

    #[test]
    fn help_names_every_setting_in_lines_of_a_terminal() {
        let help = BENCH.help();
        for row in TABLE {
            assert!(help.contains(&row.usage()), "{}", row.name);
        }
        assert!(help.lines().all(|line| line.len() <= 90), "{help}");
    }
}
