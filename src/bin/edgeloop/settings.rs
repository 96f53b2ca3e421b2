//! What can be set of `edgeloop serve`.

use std::ffi::OsStr;
use std::marker::PhantomData;
use std::path::PathBuf;

use edgeloop::sys::Address;

use crate::arguments::{Command, Form, Setting, yes};
use crate::stats;

/// `edgeloop serve`.
pub(crate) const SERVE: Command<Settings> = Command {
    name: "serve",
    words: "[DIR] [OPTION]...",
    about: "\
Serves the files of a directory, until INT, TERM or QUIT comes: then what was asked is
answered, and a second signal ends it at once. When it accepts connections it prints one
line for each address on stdout, such as `listening on http://127.0.0.1:8080/`.",
    table: Served::ROWS,
    ends: "0 after a clean end or a drain, 1 when it failed, 2 for wrong arguments",
};

/// What `edgeloop serve` is told.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) dir: PathBuf,
    pub(crate) listen: Vec<String>,
    pub(crate) cores: usize,
    pub(crate) index: Vec<String>,
    pub(crate) dotfiles: bool,
    pub(crate) list: bool,
    #[cfg(feature = "compress")]
    pub(crate) compress: bool,
    pub(crate) mime_types: Vec<PathBuf>,
    /// Patterns and values.
    pub(crate) cache_control: Vec<(String, String)>,
    /// Statuses and paths.
    pub(crate) error_pages: Vec<(u16, String)>,
    pub(crate) spa: Option<String>,
    pub(crate) record: Option<PathBuf>,
    pub(crate) record_bytes: u64,
    pub(crate) record_connections: u64,
    pub(crate) record_bodies: bool,
    pub(crate) record_credentials: bool,
    pub(crate) stats: Option<stats::Form>,
}

impl AsMut<Settings> for Settings {
    fn as_mut(&mut self) -> &mut Settings {
        self
    }
}

/// The rows of `edgeloop serve`, of whatever command has its settings among its own.
pub(crate) struct Served<S>(PhantomData<S>);

impl<S: AsMut<Settings> + 'static> Served<S> {
    pub(crate) const ROWS: &'static [Setting<S>] = &[
        Setting {
            name: "dir",
            form: Form::Word,
            value: "DIR",
            default: Some("."),
            help: "The directory whose files are served.",
            take: |settings, value| {
                if value.is_empty() {
                    return Err("'' is no directory".to_owned());
                }
                settings.as_mut().dir = value.into();
                Ok(())
            },
        },
        Setting {
            name: "listen",
            form: Form::Flag,
            value: "ADDR",
            default: Some("127.0.0.1:8080"),
            help: "Where to listen; may be given more than once.\n\
               host:port    a name or an IP address; port 0 is any free one\n\
               :port        all addresses of the machine, IPv6 and IPv4\n\
               unix:/path   a Unix socket\n\
               fd:N         a listening socket that was inherited",
            take: |settings, value| {
                let text = value.to_str().ok_or("an address is UTF-8")?;
                if let Err(error) = text.parse::<Address>() {
                    return Err(error.to_string());
                }
                settings.as_mut().listen.push(text.to_owned());
                Ok(())
            },
        },
        Setting {
            name: "cores",
            form: Form::Flag,
            value: "N",
            default: Some("1"),
            help: "How many threads serve, each with a loop of its own.",
            take: |settings, value| {
                let text = value.to_string_lossy();
                let number = text.parse().ok().filter(|n| (1..=1024).contains(n));
                settings.as_mut().cores = number.ok_or_else(|| {
                    format!("'{text}' is no number of cores; write one from 1 to 1024")
                })?;
                Ok(())
            },
        },
        Setting {
            name: "index",
            form: Form::Flag,
            value: "NAME",
            default: Some("index.html"),
            help: "What a directory is answered with; may be given more than once: the\n\
               first that is there.",
            take: |settings, value| {
                let text = value
                    .to_str()
                    .filter(|text| !text.is_empty() && !text.contains('/'));
                let name = text.ok_or_else(|| {
                    let text = value.to_string_lossy();
                    format!("'{text}' is no name of a file in a directory")
                })?;
                settings.as_mut().index.push(name.to_owned());
                Ok(())
            },
        },
        Setting {
            name: "dotfiles",
            form: Form::Switch("yes"),
            value: "yes|no",
            default: Some("no"),
            help: "Whether names are served that begin with a dot. '.well-known' always is.",
            take: |settings, value| {
                settings.as_mut().dotfiles = yes(value)?;
                Ok(())
            },
        },
        #[cfg(feature = "compress")]
        Setting {
            name: "compress",
            form: Form::Switch("yes"),
            value: "yes|no",
            default: Some("no"),
            help: "Whether texts of 1 to 64 KiB that have no coded sibling are compressed\n\
               for who takes gzip.",
            take: |settings, value| {
                settings.as_mut().compress = yes(value)?;
                Ok(())
            },
        },
        Setting {
            name: "list",
            form: Form::Switch("yes"),
            value: "yes|no",
            default: Some("no"),
            help: "Whether what is in a directory without an index is listed, as a page or\n\
               in JSON, which Accept decides.",
            take: |settings, value| {
                settings.as_mut().list = yes(value)?;
                Ok(())
            },
        },
        Setting {
            name: "mime-types",
            form: Form::Flag,
            value: "FILE",
            default: None,
            help: "Media types of your own, as in mime.types of Apache or nginx; may be\n\
               given more than once.",
            take: |settings, value| {
                settings.as_mut().mime_types.push(value.into());
                Ok(())
            },
        },
        Setting {
            name: "cache-control",
            form: Form::Flag,
            value: "GLOB=VALUE",
            default: None,
            help: "Cache-Control of the files that match, such as '*.html=no-cache' or\n\
               '/assets/**=max-age=3600'; may be given more than once: the first\n\
               that matches.",
            take: |settings, value| {
                let (glob, value) = pair(value, "/assets/**=max-age=3600")?;
                settings.as_mut().cache_control.push((glob, value));
                Ok(())
            },
        },
        Setting {
            name: "error-page",
            form: Form::Flag,
            value: "STATUS=PATH",
            default: None,
            help: "What a refusal is sent with, such as '404=/404.html'; may be given\n\
               more than once.",
            take: |settings, value| {
                let (status, path) = pair(value, "404=/404.html")?;
                let number = status
                    .parse()
                    .map_err(|_| format!("'{status}' is no status; write '404=/404.html'"))?;
                settings.as_mut().error_pages.push((number, path));
                Ok(())
            },
        },
        Setting {
            name: "spa",
            form: Form::Switch("/index.html"),
            value: "PATH",
            default: None,
            help: "What is sent, with 200, to a browser that opens a page where there\n\
               is none and whose name has no extension: for applications of one\n\
               page. Alone it stands for '/index.html'.",
            take: |settings, value| {
                settings.as_mut().spa = Some(value.to_str().ok_or("a path is UTF-8")?.to_owned());
                Ok(())
            },
        },
        Setting {
            name: "stats",
            form: Form::Switch("text"),
            value: "text|json",
            default: None,
            help: "Tells at the end, on stderr, what was counted: system calls, events,\n\
               bytes, requests and so on. `kill -s URG PID` asks for it meanwhile,\n\
               set or not, and has a line or a table of each core.",
            take: |settings, value| {
                settings.as_mut().stats = Some(match value.to_str() {
                    Some("text") => stats::Form::Text,
                    Some("json") => stats::Form::Json,
                    Some(_) | None => {
                        let text = value.to_string_lossy();
                        return Err(format!("'{text}' is neither 'text' nor 'json'"));
                    }
                });
                Ok(())
            },
        },
        Setting {
            name: "record",
            form: Form::Flag,
            value: "FILE",
            default: None,
            help: "A new file that what clients send is written to, for `edgeloop replay`.\n\
               Filler takes the place of bodies, of the values of fields that may be\n\
               credentials, and of passwords, keys and tokens in URLs; paths stay.",
            take: |settings, value| {
                if value.is_empty() {
                    return Err("'' is no name of a file".to_owned());
                }
                settings.as_mut().record = Some(value.into());
                Ok(())
            },
        },
        Setting {
            name: "record-bytes",
            form: Form::Flag,
            value: "N",
            default: Some("67108864"),
            help: "How many bytes of clients are recorded.",
            take: |settings, value| {
                settings.as_mut().record_bytes = number(value, "bytes")?;
                Ok(())
            },
        },
        Setting {
            name: "record-connections",
            form: Form::Flag,
            value: "N",
            default: Some("1000"),
            help: "How many connections are recorded.",
            take: |settings, value| {
                settings.as_mut().record_connections = number(value, "connections")?;
                Ok(())
            },
        },
        Setting {
            name: "record-bodies",
            form: Form::Switch("yes"),
            value: "yes|no",
            default: Some("no"),
            help: "Whether bodies are recorded as they came.",
            take: |settings, value| {
                settings.as_mut().record_bodies = yes(value)?;
                Ok(())
            },
        },
        Setting {
            name: "record-credentials",
            form: Form::Switch("yes"),
            value: "yes|no",
            default: Some("no"),
            help: "Whether heads are recorded as they came, with what opens doors.",
            take: |settings, value| {
                settings.as_mut().record_credentials = yes(value)?;
                Ok(())
            },
        },
    ];
}

/// How many of something, and one at least.
pub(crate) fn number(value: &OsStr, what: &str) -> Result<u64, String> {
    let text = value.to_string_lossy();
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| format!("'{text}' is no number of {what}; write one from 1 on"))
}

/// What stands before and behind the first equals sign.
fn pair(value: &OsStr, example: &str) -> Result<(String, String), String> {
    let pair = value.to_str().and_then(|text| text.split_once('='));
    let (before, behind) = pair.ok_or_else(|| {
        let text = value.to_string_lossy();
        format!("'{text}' has no '='; write one such as '{example}'")
    })?;
    Ok((before.to_owned(), behind.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Failure;
    use crate::arguments::Asked;

    fn parsed(words: &[&str]) -> Result<Asked<Settings>, String> {
        SERVE
            .parse(&mut lexopt::Parser::from_args(words))
            .map_err(|failure| match failure {
                Failure::Usage(why) => why,
                Failure::Running(why) => panic!("nothing runs here: {why}"),
            })
    }

    fn settings(dir: &str, listen: &[&str], cores: usize) -> Asked<Settings> {
        Asked::Run(Settings {
            dir: dir.into(),
            listen: listen.iter().map(ToString::to_string).collect(),
            cores,
            ..Settings {
                index: vec!["index.html".to_owned()],
                record_bytes: 64 << 20,
                record_connections: 1000,
                ..Settings::default()
            }
        })
    }

    fn given(words: &[&str]) -> Settings {
        match parsed(words) {
            Ok(Asked::Run(settings)) => settings,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn how_files_are_served_is_said_by_flags() {
        let settings = given(&[
            "--index=a.html",
            "--index",
            "b.html",
            "--cache-control",
            "*.css=max-age=1",
            "--error-page=404=/404.html",
            "--dotfiles",
            "--list",
            "--spa",
            "site",
        ]);
        assert_eq!(settings.dir, PathBuf::from("site"));
        assert_eq!(settings.index, ["a.html", "b.html"]);
        let rule = ("*.css".to_owned(), "max-age=1".to_owned());
        assert_eq!(settings.cache_control, [rule]);
        assert_eq!(settings.error_pages, [(404, "/404.html".to_owned())]);
        assert!(settings.dotfiles && settings.list);
        assert_eq!(settings.spa.as_deref(), Some("/index.html"));
        assert!(!given(&["--dotfiles=no"]).dotfiles);
        assert_eq!(given(&["--spa=/a.html"]).spa.as_deref(), Some("/a.html"));
        assert_eq!(settings.stats, None);
        assert_eq!(given(&["--stats"]).stats, Some(stats::Form::Text));
        assert_eq!(given(&["--stats=json"]).stats, Some(stats::Form::Json));
    }

    #[test]
    fn what_is_not_given_has_its_default() {
        assert_eq!(parsed(&[]), Ok(settings(".", &["127.0.0.1:8080"], 1)));
        assert_eq!(
            parsed(&["--cores=2", "site"]),
            Ok(settings("site", &["127.0.0.1:8080"], 2))
        );
    }

    #[test]
    fn addresses_add_up_and_the_last_number_of_cores_counts() {
        let words = "--listen [::1]:0 --cores 1 a --listen=unix:/b --cores 8";
        let words: Vec<_> = words.split(' ').collect();
        assert_eq!(
            parsed(&words),
            Ok(settings("a", &["[::1]:0", "unix:/b"], 8))
        );
        assert_eq!(
            parsed(&["--", "--cores"]),
            Ok(settings("--cores", &["127.0.0.1:8080"], 1))
        );
    }

    #[test]
    fn what_is_not_understood_is_said() {
        for (words, why) in [
            (
                &["--foo"] as &[&str],
                "unknown option '--foo'; see edgeloop serve --help",
            ),
            (&["--dir", "a"], "unknown option '--dir'"),
            (&["-x"], "unknown option '-x'"),
            (&["a", "b"], "'b' is one word too many"),
            (&[""], "'' is no directory"),
            (&["--listen"], "--listen ADDR lacks its value"),
            (&["--listen", "8080"], "it has no port"),
            (
                &["--cores", "0"],
                "'0' is no number of cores; write one from 1 to 1024",
            ),
            (&["--cores", "-1"], "'-1' is no number of cores"),
            (&["--cores", "1025"], "'1025' is no"),
            (&["--index", "a/b"], "'a/b' is no name of a file"),
            (&["--dotfiles=maybe"], "'maybe' is neither 'yes' nor 'no'"),
            (&["--cache-control", "no-cache"], "'no-cache' has no '='"),
            (&["--error-page", "x=/a"], "'x' is no status"),
            (&["--record", ""], "'' is no name of a file"),
            (&["--record-bytes", "0"], "'0' is no number of bytes"),
            (
                &["--record-connections=x"],
                "'x' is no number of connections",
            ),
            (&["--stats=xml"], "'xml' is neither 'text' nor 'json'"),
        ] {
            let said = parsed(words).expect_err(why);
            assert!(said.contains(why), "{words:?}: {said}");
            assert!(said.ends_with("; see edgeloop serve --help"), "{said}");
        }
    }

    #[test]
    fn help_names_every_setting_and_its_default_in_lines_of_a_terminal() {
        let help = SERVE.help();
        for row in SERVE.table {
            assert!(help.contains(&row.usage()), "{}", row.name);
            let default = row.default.map(|it| format!("Default: {it}\n"));
            assert!(help.contains(&default.unwrap_or_default()), "{}", row.name);
        }
        assert!(help.lines().all(|line| line.len() <= 90), "{help}");
        assert_eq!(parsed(&["--help", "--foo"]), Ok(Asked::Help));
    }
}
