//! Reads `tests/corpus/http/*.txt`: what a client sends, and what has to come back.
//!
//! ```text
//! # A remark.
//! * the name of a case, which is the sentence it proves
//! > bytes that the client sends
//! < bytes that it gets
//! ! deadline
//! = PeerFinished
//! ```
//!
//! Lines of one kind are joined without what parts them, so line ends are written out: `\r`, `\n`, `\t`, `\0`, `\\`,
//! `\xff`. `\{300 ab}` is `ab` three hundred times; a closing brace of its own is `\x7d`. After its bytes the client finishes sending, or where the case says
//! so the deadline passes instead. `=` is why the connection was closed, or `open`.
//!
//! And `tests/corpus/fuzz/*.txt`: what a fuzz target begins with and what it has found, one input a line.

use std::fs;
use std::path::{Path, PathBuf};

/// What comes after the last byte of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It finishes sending.
    Fin,
    /// It sends nothing more, and the deadline passes.
    Deadline,
}

/// One input and what has to come of it.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) input: Vec<u8>,
    pub(crate) ending: Ending,
    pub(crate) output: Vec<u8>,
    pub(crate) end: String,
}

/// The cases of one file.
pub(crate) fn file(name: &str) -> Vec<Case> {
    let path = folder().join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut cases: Vec<Case> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let (kind, rest) = line.split_at_checked(2).unwrap_or((line, ""));
        if let "* " = kind {
            cases.push(Case {
                name: rest.to_owned(),
                input: Vec::new(),
                ending: Ending::Fin,
                output: Vec::new(),
                end: String::new(),
            });
            continue;
        }
        let case = cases.last_mut();
        match (kind, case) {
            ("" | "# " | "#", _) => {}
            ("> ", Some(case)) => line_of(rest, &mut case.input),
            ("< ", Some(case)) => line_of(rest, &mut case.output),
            ("! ", Some(case)) if rest == "deadline" => case.ending = Ending::Deadline,
            ("= ", Some(case)) => rest.clone_into(&mut case.end),
            _ => panic!("{name}:{}: {line}", at + 1),
        }
    }
    cases
}

/// The cases of all files.
pub(crate) fn all() -> Vec<Case> {
    names().iter().flat_map(|name| file(name)).collect()
}

/// The names of all files, in order.
pub(crate) fn names() -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder())
        .expect("the corpus")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("a plain name")
        })
        .collect();
    names.sort();
    names
}

fn folder() -> PathBuf {
    root().join("http")
}

/// `tests/corpus`, also for the fuzz targets, which are a package further down.
fn root() -> PathBuf {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let mut found = above.map(|it| it.join("tests/corpus"));
    found.find(|it| it.is_dir()).expect("the corpus")
}

/// The inputs of a fuzz target: each line of its file that is no remark, escaped as in the cases.
pub(crate) fn fuzz(target: &str) -> Vec<Vec<u8>> {
    let path = root().join(format!("fuzz/{target}.txt"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{target}: {error}"));
    let lines = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("# "));
    lines
        .map(|line| {
            let mut input = Vec::new();
            line_of(line, &mut input);
            input
        })
        .collect()
}

fn line_of(text: &str, into: &mut Vec<u8>) {
    assert_eq!(unescape(text, into), "", "a brace too many: {text}");
}

/// Appends what the text stands for, up to its end or to the brace that closes it. What is left after that.
fn unescape<'t>(text: &'t str, into: &mut Vec<u8>) -> &'t str {
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '}']) {
        into.extend(rest[..at].bytes());
        let (code, more) = rest[at..].split_at(if rest[at..].starts_with('\\') { 2 } else { 1 });
        rest = more;
        match code {
            "}" => return rest,
            r"\r" => into.push(b'\r'),
            r"\n" => into.push(b'\n'),
            r"\t" => into.push(b'\t'),
            r"\0" => into.push(0),
            r"\\" => into.push(b'\\'),
            r"\x" => {
                let (digits, more) = rest.split_at(2);
                into.push(u8::from_str_radix(digits, 16).expect("two hex digits"));
                rest = more;
            }
            r"\{" => {
                let (count, what) = rest.split_once(' ').expect("a count and what to repeat");
                let mut once = Vec::new();
                rest = unescape(what, &mut once);
                into.extend(once.repeat(count.parse().expect("a count")));
            }
            _ => panic!("no escape: {code} in {text}"),
        }
    }
    into.extend(rest.bytes());
    ""
}
