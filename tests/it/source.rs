//! Rust sources, read: comments and literals blanked, tokens, and the paths that they name.

use std::fs;
use std::path::Path;

/// All Rust files below a directory, by their path in it.
pub(crate) fn collect(dir: &Path, prefix: &str, into: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(dir).expect("a directory") {
        let entry = entry.expect("is read");
        let name = entry.file_name().into_string().expect("UTF-8");
        let path = format!("{prefix}{name}");
        if entry.file_type().expect("is known").is_dir() {
            collect(&entry.path(), &format!("{path}/"), into);
        } else if entry.path().extension().is_some_and(|it| it == "rs") {
            into.push((path, fs::read_to_string(entry.path()).expect("UTF-8")));
        }
    }
}

/// The module that a file is: `http/conn.rs` is `crate::http::conn`.
pub(crate) fn module(path: &str) -> Vec<&str> {
    let mut names = vec!["crate"];
    names.extend(
        path.trim_end_matches(".rs")
            .split('/')
            .filter(|name| *name != "mod"),
    );
    names
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blank {
    Comments,
    CommentsAndLiterals,
}

/// The source with spaces for its comments, and for what is inside its string and character literals.
pub(crate) fn blank(source: &str, what: Blank) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    while at < chars.len() {
        let rest = &chars[at..];
        let (length, keep) = match rest {
            ['/', '/', ..] => (until(rest, 2, &['\n']), false),
            ['/', '*', ..] => (block_comment(rest), false),
            ['r', '"' | '#', ..] | ['b', 'r', '"' | '#', ..] if !follows_name(&chars[..at]) => {
                (raw_string(rest), what == Blank::Comments)
            }
            ['"', ..] => (quoted(rest, '"'), what == Blank::Comments),
            // A lifetime has no second quotation mark, or not there.
            ['\'', '\\', ..] | ['\'', _, '\'', ..] => (quoted(rest, '\''), what == Blank::Comments),
            _ => (1, true),
        };
        for char in &rest[..length] {
            out.push(if keep || *char == '\n' { *char } else { ' ' });
        }
        at += length;
    }
    out
}

fn follows_name(before: &[char]) -> bool {
    before
        .last()
        .is_some_and(|char| char.is_alphanumeric() || *char == '_')
}

/// How many characters there are before one of `ends`, from the one at `from` on.
fn until(rest: &[char], from: usize, ends: &[char]) -> usize {
    let found = rest[from..].iter().position(|char| ends.contains(char));
    found.map_or(rest.len(), |found| from + found)
}

fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at.min(rest.len())
}

/// A string of the form r#"…"#; or only the letters before something that is none.
fn raw_string(rest: &[char]) -> usize {
    let begin = rest
        .iter()
        .position(|char| *char == 'r')
        .map_or(0, |at| at + 1);
    let hashes = rest[begin..]
        .iter()
        .take_while(|char| **char == '#')
        .count();
    if rest.get(begin + hashes) != Some(&'"') {
        return begin; // r#name
    }
    let mut at = begin + hashes + 1;
    while at < rest.len() {
        at = until(rest, at, &['"']) + 1;
        let after = &rest[at.min(rest.len())..];
        if after
            .iter()
            .take(hashes)
            .filter(|char| **char == '#')
            .count()
            == hashes
        {
            return (at + hashes).min(rest.len());
        }
    }
    rest.len()
}

fn quoted(rest: &[char], mark: char) -> usize {
    let mut at = 1;
    loop {
        at = until(rest, at, &['\\', mark]);
        match rest.get(at) {
            None => return rest.len(),
            Some('\\') => at = (at + 2).min(rest.len()),
            Some(_) => return at + 1,
        }
    }
}

/// Names, `::`, and every other character that is no space.
pub(crate) fn tokens(code: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(char) = code[at..].chars().next() {
        let is_name = |char: char| char.is_alphanumeric() || char == '_';
        let length = if is_name(char) {
            code[at..]
                .find(|char| !is_name(char))
                .unwrap_or(code.len() - at)
        } else if code[at..].starts_with("::") {
            2
        } else {
            char.len_utf8()
        };
        if !char.is_whitespace() {
            tokens.push(&code[at..at + length]);
        }
        at += length;
    }
    tokens
}

/// The code before a file's unit tests, and those. They come last.
pub(crate) fn split_tests(code: &str) -> (&str, &str) {
    code.split_once("#[cfg(test)]\nmod ").unwrap_or((code, ""))
}

/// Every path in the code, use trees unfolded, `self` and `super` resolved from `module`. A single name counts where it
/// is imported.
pub(crate) fn paths(tokens: &[&str], module: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let imports = matches!(tokens[at], "use" | "extern");
        if imports {
            at += 1;
            if tokens.get(at) == Some(&"crate") && tokens.get(at + 1) != Some(&"::") {
                at += 1; // extern crate name
            }
        }
        let rooted = at > 0 && tokens[at - 1] == "::" && !imports;
        if at < tokens.len() && is_path_start(tokens[at]) && !rooted {
            let before = found.len();
            at = tree(tokens, at, &mut Vec::new(), &mut found);
            if !imports {
                // A name alone may be anything.
                let paths = found.split_off(before);
                found.extend(paths.into_iter().filter(|path| path.len() > 1));
            }
        } else if imports {
            // `use {…}` or `use ::name`
            at = tree(tokens, at, &mut Vec::new(), &mut found);
        } else {
            at += 1;
        }
    }
    found
        .into_iter()
        .map(|path| resolve(&path, module))
        .collect()
}

fn is_path_start(token: &str) -> bool {
    token.starts_with(|char: char| char.is_alphabetic() || char == '_')
}

/// One path or tree of paths that begins at `at`. Where it ends.
pub(crate) fn tree<'t>(
    tokens: &[&'t str],
    mut at: usize,
    prefix: &mut Vec<&'t str>,
    found: &mut Vec<Vec<&'t str>>,
) -> usize {
    let depth = prefix.len();
    while at < tokens.len() {
        match tokens[at] {
            "::" => at += 1,
            "{" => {
                at += 1;
                while at < tokens.len() && tokens[at] != "}" {
                    at = tree(tokens, at, prefix, found);
                    while at < tokens.len() && !matches!(tokens[at], "," | "}") {
                        at += 1; // as name
                    }
                    if tokens.get(at) == Some(&",") {
                        at += 1;
                    }
                }
                prefix.truncate(depth);
                return at + 1;
            }
            name => {
                prefix.push(name);
                at += 1;
                if tokens.get(at) != Some(&"::") {
                    break;
                }
                if !tokens
                    .get(at + 1)
                    .is_some_and(|next| is_path_start(next) || matches!(*next, "{" | "*"))
                {
                    break; // a generic argument
                }
            }
        }
    }
    found.push(prefix.clone());
    prefix.truncate(depth);
    at
}

/// From the root of the crate, if it leads there.
fn resolve(path: &[&str], module: &[&str]) -> String {
    let up = path.iter().take_while(|name| **name == "super").count();
    let (begin, rest) = match path.first() {
        Some(&"super") => (&module[..module.len().saturating_sub(up)], &path[up..]),
        Some(&"self") if path.len() > 1 => (module, &path[1..]),
        _ => (&module[..0], path),
    };
    [begin, rest].concat().join("::")
}
