//! The arguments of a command: one table, from which they are read and the help is written.

use std::ffi::{OsStr, OsString};
use std::fmt::{Display, Write};

use lexopt::Arg;

use crate::Failure;

/// A row of the table.
pub(crate) struct Setting<S> {
    /// Of the flag, without its hyphens.
    pub(crate) name: &'static str,
    pub(crate) form: Form,
    /// What its value is called in the help.
    pub(crate) value: &'static str,
    /// In the form in which a value is given. Without one it is not set unless it is given.
    pub(crate) default: Option<&'static str>,
    pub(crate) help: &'static str,
    /// Takes one value. The error says what is wrong with it and what would be right.
    pub(crate) take: fn(&mut S, &OsStr) -> Result<(), String>,
}

// Not derived, for it holds whatever `S` is.
impl<S> Clone for Setting<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Setting<S> {}

/// One table behind the other.
pub(crate) const fn joined<S, const N: usize>(
    first: &[Setting<S>],
    second: &[Setting<S>],
) -> [Setting<S>; N] {
    assert!(N == first.len() + second.len(), "it has all rows");
    let mut rows = [first[0]; N];
    let mut at = 1;
    while at < N {
        rows[at] = if at < first.len() {
            first[at]
        } else {
            second[at - first.len()]
        };
        at += 1;
    }
    rows
}

/// How a setting stands among the arguments.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As a word of its own: the first such word is that of the first such row, and so on.
    Word,
    /// Behind its name.
    Flag,
    /// Behind its name and an equals sign; the name alone stands for this value.
    Switch(&'static str),
}

/// A command with a table of what can be set.
pub(crate) struct Command<S: 'static> {
    pub(crate) name: &'static str,
    /// What follows the name.
    pub(crate) words: &'static str,
    /// What it does.
    pub(crate) about: &'static str,
    pub(crate) table: &'static [Setting<S>],
    /// What its exit statuses mean.
    pub(crate) ends: &'static str,
}

/// What the arguments of a command ask for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked<S> {
    /// To be told what can be set.
    Help,
    /// To run.
    Run(S),
}

impl<S: Default> Command<S> {
    /// Reads the arguments that follow its name.
    pub(crate) fn parse(&self, words: &mut lexopt::Parser) -> Result<Asked<S>, Failure> {
        let usage = |why: &dyn Display| self.misused(why);
        let mut settings = S::default();
        let mut given = vec![false; self.table.len()];
        while let Some(word) = words.next().map_err(|error| usage(&error))? {
            let (found, value) = match word {
                Arg::Long("help") | Arg::Short('h') => return Ok(Asked::Help),
                Arg::Long(name) => {
                    let found = (self.table.iter())
                        .position(|row| row.form != Form::Word && row.name == name)
                        .ok_or_else(|| usage(&format_args!("unknown option '--{name}'")))?;
                    (found, None)
                }
                Arg::Short(name) => return Err(usage(&format_args!("unknown option '-{name}'"))),
                Arg::Value(value) => {
                    let found = (self.table.iter().zip(&given))
                        .position(|(row, given)| row.form == Form::Word && !given)
                        .ok_or_else(|| {
                            let value = value.to_string_lossy();
                            usage(&format_args!("'{value}' is one word too many"))
                        })?;
                    (found, Some(value))
                }
            };
            let row = &self.table[found];
            let value: OsString = match (value, row.form) {
                (Some(value), _) => value,
                (None, Form::Switch(alone)) => words.optional_value().unwrap_or(alone.into()),
                (None, Form::Word | Form::Flag) => words
                    .value()
                    .map_err(|_| usage(&format_args!("{} lacks its value", row.usage())))?,
            };
            (row.take)(&mut settings, &value).map_err(|why| usage(&why))?;
            given[found] = true;
        }
        for (row, given) in self.table.iter().zip(given) {
            if let Some(default) = row.default
                && !given
            {
                (row.take)(&mut settings, default.as_ref())
                    .unwrap_or_else(|why| panic!("the default of {}: {why}", row.name));
            }
        }
        Ok(Asked::Run(settings))
    }

    /// A fault of usage.
    pub(crate) fn misused(&self, why: &dyn Display) -> Failure {
        see_help(why, &format!(" {}", self.name))
    }

    /// What `--help` says.
    pub(crate) fn help(&self) -> String {
        let (name, words) = (self.name, self.words);
        let mut text = format!("{}\n\nUsage:\n  edgeloop {name} {words}\n\n", self.about);
        for row in self.table {
            let mut lead = row.usage();
            if lead.len() > 15 {
                let _ = writeln!(text, "  {lead}");
                lead.clear();
            }
            for line in row.help.lines() {
                // Writing to a String does not fail.
                let _ = writeln!(text, "  {lead:<15} {line}");
                lead.clear();
            }
            if let Some(default) = row.default {
                let _ = writeln!(text, "  {lead:<15} Default: {default}");
            }
        }
        let _ = writeln!(text, "  {:<15} Says this.", "--help");
        let _ = writeln!(text, "\nExit status: {}.", self.ends);
        text
    }
}

/// A fault of usage, and where to read on.
pub(crate) fn see_help(why: &dyn Display, command: &str) -> Failure {
    Failure::Usage(format!("{why}; see edgeloop{command} --help"))
}

impl<S> Setting<S> {
    /// As it stands among the arguments.
    pub(crate) fn usage(&self) -> String {
        match self.form {
            Form::Word => self.value.to_owned(),
            Form::Flag => format!("--{} {}", self.name, self.value),
            Form::Switch(_) => format!("--{}[={}]", self.name, self.value),
        }
    }
}

/// Whether it is so.
pub(crate) fn yes(value: &OsStr) -> Result<bool, String> {
    match value.to_str() {
        Some("yes") => Ok(true),
        Some("no") => Ok(false),
        Some(_) | None => {
            let text = value.to_string_lossy();
            Err(format!("'{text}' is neither 'yes' nor 'no'"))
        }
    }
}
