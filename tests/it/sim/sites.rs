//! Every call to the kernel has its simulated twin: what is held by reading the sources of `sys`.
//!
//! The seam is `simulated!`, and it stands first in a function. A function is known to enter the kernel by what it calls:
//! a function of libc or nix, something of the modules of std that do, or a method that is known to.

use std::collections::BTreeSet;
use std::path::Path;

use edgeloop::sys::sim::Call;

use crate::source::{Blank, blank, collect, split_tests, tokens, tree};

/// Modules of std whose functions enter the kernel.
const STD: [&str; 6] = ["fs", "net", "thread", "process", "env", "time"];

/// Methods of others that do.
const METHODS: [&str; 9] = [
    "thread_block",
    "thread_unblock",
    "thread_set_mask",
    "thread_swap_mask",
    "to_socket_addrs",
    "spawn",
    "spawn_scoped",
    "join",
    "wait",
];

/// Types of nix and std whose functions only make values.
const VALUES: [&str; 18] = [
    "Backlog",
    "CpuSet",
    "Errno",
    "FileTypeExt",
    "Ipv4Addr",
    "Ipv6Addr",
    "MsgFlags",
    "Mode",
    "OFlag",
    "OpenHow",
    "Pid",
    "ResolveFlag",
    "SFlag",
    "SigSet",
    "SockFlag",
    "SockaddrStorage",
    "SocketAddr",
    "UnixAddr",
];

/// Functions without the seam: the file, the function, what it calls, and why.
const EXEMPT: [(&str, &str, &[&str], &str); 5] = [
    (
        "fd.rs",
        "close",
        &["libc::close"],
        "the number says whether it is the world's, also once the thread has left it",
    ),
    (
        "socket.rs",
        "inherit",
        &["libc::fcntl", "nix::sys::socket::getsockopt"],
        "it refuses within a world, where nothing is inherited",
    ),
    (
        "clock.rs",
        "read",
        &["libc::clock_gettime"],
        "both of those that call it have the seam, each with its own clock",
    ),
    (
        "instructions.rs",
        "read",
        &["libc::read"],
        "a world opens no counter that could be read",
    ),
    (
        "thread.rs",
        "join",
        &["std::thread::current", ".join"],
        "of a world there is no thread to wait for",
    ),
];

/// The sources of `sys` but for the simulated kernel, without comments, literals and tests.
fn sources() -> Vec<(String, String)> {
    let mut files = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sys");
    collect(&root, "", &mut files);
    files.retain(|(path, _)| !path.starts_with("sim/"));
    for (_, source) in &mut files {
        let code = blank(source, Blank::CommentsAndLiterals);
        split_tests(&code).0.clone_into(source);
    }
    files
}

/// A function: its name and the tokens of its body.
type Function<'t> = (&'t str, &'t [&'t str]);

/// Every function that has a body, those within others as well.
fn functions<'t>(tokens: &'t [&'t str]) -> Vec<Function<'t>> {
    let mut found = Vec::new();
    for at in 0..tokens.len() {
        // `fn` without a name is a type.
        if tokens[at] != "fn"
            || tokens
                .get(at + 2)
                .is_none_or(|it| !matches!(*it, "(" | "<"))
        {
            continue;
        }
        let mut depth = 0;
        let begin = tokens[at..].iter().position(|token| {
            match *token {
                "(" | "[" => depth += 1,
                ")" | "]" => depth -= 1,
                _ => {}
            }
            depth == 0 && matches!(*token, "{" | ";")
        });
        let Some(begin) = begin.map(|begin| at + begin) else {
            continue;
        };
        if tokens[begin] == "{" {
            let length = block(&tokens[begin..]);
            found.push((tokens[at + 1], &tokens[begin + 1..begin + length - 1]));
        }
    }
    found
}

/// How many tokens the block has that begins here.
fn block(tokens: &[&str]) -> usize {
    let mut depth = 0;
    let end = tokens.iter().position(|token| {
        match *token {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    end.map_or(tokens.len(), |end| end + 1)
}

/// What the `use` lines bring in, as whole paths. None is renamed.
fn imports<'t>(tokens: &[&'t str]) -> Vec<Vec<&'t str>> {
    let mut found = Vec::new();
    for (at, _) in tokens.iter().enumerate().filter(|(_, it)| **it == "use") {
        tree(tokens, at + 1, &mut Vec::new(), &mut found);
    }
    for path in &mut found {
        if path.last() == Some(&"self") {
            path.pop();
        }
    }
    found
}

/// The paths of the calls in a body that enter the kernel, in their order.
fn kernel_calls(body: &[&str], imports: &[Vec<&str>]) -> Vec<String> {
    let is_name = |token: &str| token.starts_with(|it: char| it.is_alphabetic() || it == '_');
    let mut found = Vec::new();
    for at in 0..body.len() {
        if !is_name(body[at]) || !is_called(&body[at + 1..]) {
            continue;
        }
        let mut begin = at;
        while begin >= 2 && body[begin - 1] == "::" && is_name(body[begin - 2]) {
            begin -= 2;
        }
        let before = begin.checked_sub(1).map(|before| body[before]);
        if before == Some(".") {
            if METHODS.contains(&body[at]) {
                found.push(format!(".{}", body[at]));
            }
            continue;
        }
        if before == Some("fn") {
            continue;
        }
        let written: Vec<&str> = body[begin..=at].iter().copied().step_by(2).collect();
        let imported = imports.iter().find(|path| path.last() == Some(&written[0]));
        let path = match imported {
            Some(path) => [&path[..path.len() - 1], &written].concat(),
            None => written,
        };
        if enters(&path) {
            found.push(path.join("::"));
        }
    }
    found
}

/// Whether arguments follow, with or without types before them.
fn is_called(rest: &[&str]) -> bool {
    match rest {
        ["(", ..] => true,
        ["::", "<", ..] => {
            let end = rest.iter().position(|token| *token == ">");
            end.is_some_and(|end| rest.get(end + 1) == Some(&"("))
        }
        _ => false,
    }
}

fn enters(path: &[&str]) -> bool {
    let known = match path {
        ["libc" | "nix", _, ..] => true,
        ["std", module, _, ..] => STD.contains(module),
        _ => false,
    };
    let last = path.last().copied().unwrap_or_default();
    let makes_value = last.starts_with(char::is_uppercase)
        || path.len() > 1 && VALUES.contains(&path[path.len() - 2]);
    known && !makes_value
}

/// What is wrong in a file. The exemptions that it needs are noted.
fn check(path: &str, code: &str, used: &mut BTreeSet<(String, String)>) -> Vec<String> {
    let tokens = tokens(code);
    let imports = imports(&tokens);
    let mut faults = Vec::new();
    let mut statements = tokens.split(|it| *it == ";");
    if statements.any(|it| it.contains(&"use") && it.contains(&"as")) {
        faults.push("renames what it imports".to_owned());
    }
    for (name, body) in functions(&tokens) {
        let calls = kernel_calls(body, &imports);
        if calls.is_empty() || matches!(body, ["simulated", "!", "(", ..]) {
            continue;
        }
        let exempt = EXEMPT.iter().find(|it| (it.0, it.1) == (path, name));
        let allowed = exempt.map_or(&[] as &[&str], |it| it.2);
        for call in calls {
            if allowed.contains(&call.as_str()) {
                used.insert((path.to_owned(), name.to_owned()));
            } else {
                faults.push(format!("{name} calls {call} without the seam"));
            }
        }
    }
    faults
}

/// Names of the seam's sites in a source.
fn sites(code: &str) -> Vec<String> {
    let tokens = tokens(code);
    let found = tokens.windows(5).filter_map(|it| match it {
        ["simulated", "!", "(", name, "("] => Some((*name).to_owned()),
        _ => None,
    });
    found.collect()
}

#[test]
fn every_site_of_the_seam_is_a_call_of_the_world_and_the_other_way_round() {
    let mut found: BTreeSet<String> = sources().iter().flat_map(|(_, it)| sites(it)).collect();
    // Its seam is the number.
    found.insert("close".to_owned());
    let known: BTreeSet<String> = Call::ALL.iter().map(|it| it.site().to_owned()).collect();
    assert_eq!(found, known);
    assert_eq!(known.len(), Call::ALL.len(), "no name is given twice");
}

#[test]
fn every_function_that_enters_the_kernel_has_the_seam() {
    let (mut faults, mut used) = (Vec::new(), BTreeSet::new());
    let files = sources();
    for (path, code) in &files {
        let found = check(path, code, &mut used);
        faults.extend(found.into_iter().map(|it| format!("src/sys/{path}: {it}")));
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    assert!(files.len() >= 10, "only {} files were read", files.len());
    for (path, name, _, why) in EXEMPT {
        let key = (path.to_owned(), name.to_owned());
        assert!(
            used.contains(&key),
            "{path}: {name} needs no exemption ({why})"
        );
    }
}

/// A search that sees nothing where there is something would find no fault either.
#[test]
fn the_search_sees_what_stands_behind_every_seam() {
    let mut unseen = Vec::new();
    for (path, code) in sources() {
        let tokens = tokens(&code);
        let imports = imports(&tokens);
        for (name, body) in functions(&tokens) {
            let has_seam = matches!(body, ["simulated", "!", "(", ..]);
            if has_seam && kernel_calls(body, &imports).is_empty() {
                unseen.push(format!("{path} {name}"));
            }
        }
    }
    // Both clocks are read by another function.
    assert_eq!(unseen, ["clock.rs now", "clock.rs now"]);
}

#[test]
fn a_broken_rule_is_found() {
    for (source, wanted) in [
        (
            "fn a() { unsafe { libc::close(3) }; }",
            &["a calls libc::close without the seam"] as &[&str],
        ),
        (
            "fn a() { simulated!(a()); unsafe { libc::close(3) }; }",
            &[],
        ),
        (
            "fn a() { b(); simulated!(a()); unsafe { libc::close(3) }; }",
            &["a calls libc::close without the seam"],
        ),
        (
            "fn a() { simulated!(a()); } fn b() { libc::c(); }",
            &["b calls libc::c without the seam"],
        ),
        (
            "use nix::sys::socket::{self, listen}; fn a(x: [u8; 2]) -> bool { socket::bind(1); listen(2) }",
            &[
                "a calls nix::sys::socket::bind without the seam",
                "a calls nix::sys::socket::listen without the seam",
            ],
        ),
        (
            "use std::fs; fn a() { fs::read(p)?; }",
            &["a calls std::fs::read without the seam"],
        ),
        (
            "use std::fs::File; fn a() { File::open(p)?; }",
            &["a calls std::fs::File::open without the seam"],
        ),
        (
            "use std::thread::{self, Scope}; fn a() { thread::Builder::new().spawn_scoped(s, b) }",
            &[
                "a calls std::thread::Builder::new without the seam",
                "a calls .spawn_scoped without the seam",
            ],
        ),
        (
            "fn a() { ::std::process::id(); std::time::Instant::now(); }",
            &[
                "a calls std::process::id without the seam",
                "a calls std::time::Instant::now without the seam",
            ],
        ),
        (
            "fn a() { nix::unistd::write::<&[u8]>(1, b); }",
            &["a calls nix::unistd::write without the seam"],
        ),
        (
            "fn a() { set.thread_block(); }",
            &["a calls .thread_block without the seam"],
        ),
        (
            "impl A { pub fn a(&self) where B: C { let d = |e| libc::f(e); } }",
            &["a calls libc::f without the seam"],
        ),
        (
            "use nix::errno::Errno as E; fn a() {}",
            &["renames what it imports"],
        ),
        // No calls into the kernel.
        (
            "use nix::errno::Errno; fn a() { Errno::result(libc::EINTR); b::close(1); c.read(2); }",
            &[],
        ),
        (
            "use std::net::SocketAddr; fn a() { SocketAddr::V4(b); core::time::Duration::from_secs(1); }",
            &[],
        ),
        ("fn close() {} trait A { fn a(&self); }", &[]),
        ("type A = fn(u8) -> u8; fn a() { b(); }", &[]),
    ] {
        let code = blank(source, Blank::CommentsAndLiterals);
        let mut used = BTreeSet::new();
        assert_eq!(check("a.rs", &code, &mut used), wanted, "{source}");
        assert!(used.is_empty());
    }
    // An exemption is for what it names only.
    let mut used = BTreeSet::new();
    let close = "fn close() { libc::close(1); libc::open(2); }";
    let found = check("fd.rs", close, &mut used);
    assert_eq!(found, ["close calls libc::open without the seam"]);
    assert_eq!(used.len(), 1);
    assert_eq!(
        sites("fn a() { simulated!(b(c).map(D)); } simulated!(e());"),
        ["b", "e"]
    );
}
