//! The house rules that are about which part may know which, held by reading the sources.
//!
//! | layer | may use | must never |
//! |---|---|---|
//! | `sys` | libc, nix, std, probe | use anything else of the crate |
//! | `reactor` | `sys`, slab, std | know `http` or `server`, or speak of requests and headers |
//! | `http` | httparse, core/alloc/std without net, io, time, thread | import another layer; use unsafe |
//! | `server` | the three above | call libc or nix, or name std's net and fs |
//! | `web`, `ops`, `testing` | the public API of the layers above, chosen crates | call libc or nix |
//! | the binary | the public API | call libc or nix |
//!
//! Unsafe code is in `sys` alone. The four layers of the engine are the same whatever features are on, but for the seam
//! `sim` in `sys` and the probes of `usdt` in one file of it; and nothing in them is public for the crate only, so what `web` can reach is what everybody can.

use std::fs;
use std::path::Path;

use crate::source::{Blank, blank, collect, module, paths, split_tests, tokens};

/// What a layer may use, by the first two names of a path.
struct Layer {
    name: &'static str,
    /// Of this crate. `None`: whatever the compiler lets it see.
    layers: Option<&'static [&'static str]>,
    /// Of the crates that Cargo.toml names, outside of its tests. `None`: all of them but libc and nix.
    crates: Option<&'static [&'static str]>,
    /// Modules of std, core and alloc that it must not use outside of its tests.
    not_std: &'static [&'static str],
    /// Words that it must not say, singular or plural, in code and comments.
    not_words: &'static [&'static str],
}

const LAYERS: [Layer; 8] = [
    Layer {
        name: "sys",
        layers: Some(&["sys"]),
        crates: Some(&["libc", "nix", "probe"]),
        not_std: &[],
        not_words: &[],
    },
    Layer {
        name: "reactor",
        layers: Some(&["sys", "reactor"]),
        crates: Some(&["slab"]),
        not_std: &["net", "fs"],
        not_words: &["request", "header"],
    },
    Layer {
        name: "http",
        layers: Some(&["http"]),
        crates: Some(&["httparse"]),
        not_std: &["net", "io", "time", "thread", "fs", "process", "env", "os"],
        not_words: &[],
    },
    Layer {
        name: "server",
        layers: Some(&["sys", "reactor", "http", "server"]),
        crates: Some(&[]),
        not_std: &["net", "fs"],
        not_words: &[],
    },
    above("web"),
    above("ops"),
    above("testing"),
    above("bin"),
];

/// A layer that stands on the engine.
const fn above(name: &'static str) -> Layer {
    Layer {
        name,
        layers: None,
        crates: None,
        not_std: &[],
        not_words: &[],
    }
}

const ENGINE: [&str; 4] = ["sys", "reactor", "http", "server"];

#[test]
fn every_layer_uses_what_it_may_and_nothing_else() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let crates = dependencies(&fs::read_to_string(root.join("Cargo.toml")).expect("is there"));
    let mut files = Vec::new();
    collect(&root.join("src"), "", &mut files);
    let mut faults = Vec::new();
    for (path, source) in &files {
        faults.extend(
            check(path, source, &crates)
                .into_iter()
                .map(|fault| format!("src/{path}: {fault}")),
        );
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    // What was looked at is what there is.
    for layer in ENGINE {
        let mod_rs = format!("{layer}/mod.rs");
        assert!(
            files.iter().any(|(path, _)| *path == mod_rs),
            "{mod_rs} was not read"
        );
    }
    assert!(files.len() > 30, "only {} files were read", files.len());
    let names = ["libc", "nix", "httparse", "slab", "lexopt"];
    assert!(
        names
            .iter()
            .all(|name| crates.iter().any(|known| known == name)),
        "{crates:?}"
    );
}

#[test]
fn http_is_forbidden_to_be_unsafe() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/mod.rs");
    let source = fs::read_to_string(path).expect("is there");
    assert!(source.lines().any(|line| line == "#![forbid(unsafe_code)]"));
}

/// The names that the manifest's tables of dependencies have, as they stand in code.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut within = false;
    let mut names = Vec::new();
    for line in manifest.lines() {
        if let Some(table) = line.strip_prefix('[') {
            within = table.trim_end_matches(']').ends_with("dependencies");
        } else if within && let Some((name, _)) = line.split_once(" = ") {
            names.push(name.replace('-', "_"));
        }
    }
    names
}

/// Every rule that a file breaks. The path is the one below src/.
fn check(path: &str, source: &str, crates: &[String]) -> Vec<String> {
    let mut faults = Vec::new();
    let layer = match path.split_once('/') {
        Some((first, _)) => LAYERS.iter().find(|layer| layer.name == first),
        None if path == "lib.rs" => None,
        None => return vec!["the only file beside the layers is lib.rs".to_owned()],
    };
    let Some(layer) = layer else {
        if path != "lib.rs" {
            faults.push("belongs to no layer that the table knows".to_owned());
        }
        return faults;
    };
    let text = blank(source, Blank::Comments);
    let code = blank(source, Blank::CommentsAndLiterals);
    let tokens = tokens(&code);

    if layer.name != "sys" && tokens.contains(&"unsafe") {
        faults.push("has unsafe code".to_owned());
    }
    if ENGINE.contains(&layer.name) {
        // `pub(crate)` is a seam that only this crate's own upper layers would see.
        if tokens
            .windows(3)
            .any(|it| matches!(it, ["pub", "(", "crate"]))
        {
            faults.push("has something that is public for the crate only".to_owned());
        }
        let squeezed: String = text.split_whitespace().collect();
        for (at, found) in squeezed.match_indices("feature=\"") {
            let name = squeezed[at + found.len()..]
                .split('"')
                .next()
                .unwrap_or_default();
            let is_probes = path == "sys/probes.rs" && name == "usdt";
            if !is_probes && (layer.name, name) != ("sys", "sim") {
                faults.push(format!("depends on the feature {name}"));
            }
        }
    }
    // Tests have oracles and clients around them.
    let (outside, tests) = split_tests(&code);
    let module = module(path);
    let outside = paths(&self::tokens(outside), &module);
    let inside = paths(&self::tokens(tests), &[&module[..], &["tests"]].concat());
    for used in outside.iter().chain(&inside) {
        if let Some(name) = used.strip_prefix("crate::")
            && let Some(layers) = layer.layers
            && !layers.contains(&first(name))
        {
            faults.push(format!("uses {used}"));
        }
    }
    for used in &outside {
        let root = first(used);
        if crates.iter().any(|name| name == root) {
            let known = match layer.crates {
                Some(crates) => crates.contains(&root),
                None => !matches!(root, "libc" | "nix"),
            };
            if !known {
                faults.push(format!("uses {used}"));
            }
        } else if matches!(root, "std" | "core" | "alloc") {
            let module = used.split("::").nth(1).unwrap_or_default();
            if layer.not_std.contains(&module) {
                faults.push(format!("uses {root}::{module}"));
            }
        }
    }
    for word in source.split(|char: char| !char.is_ascii_alphanumeric()) {
        let word = word.to_ascii_lowercase();
        let one = word.strip_suffix('s').unwrap_or(&word);
        if layer.not_words.contains(&one) {
            faults.push(format!("says {word}"));
        }
    }
    faults.sort();
    faults.dedup();
    faults
}

fn first(path: &str) -> &str {
    path.split("::").next().unwrap_or_default()
}

#[test]
fn a_broken_rule_is_found() {
    let crates = ["libc", "nix", "httparse", "slab", "lexopt"].map(str::to_owned);
    for (path, source, wanted) in [
        // sys
        (
            "sys/mod.rs",
            "fn a() {}\n#[cfg(test)]\nmod tests { use super::*; }",
            &[] as &[&str],
        ),
        (
            "sys/a.rs",
            "use crate::sys::Fd; use super::Fd; use nix::errno::Errno;",
            &[] as &[&str],
        ),
        (
            "sys/a.rs",
            "fn a() { unsafe { libc::close(3) }; std::net::lookup(); }",
            &[],
        ),
        (
            "sys/a.rs",
            "use crate::reactor::Token;",
            &["uses crate::reactor::Token"],
        ),
        ("sys/a.rs", "use super::super::http;", &["uses crate::http"]),
        (
            "sys/mod.rs",
            "use super::{server, sys};",
            &["uses crate::server"],
        ),
        ("sys/a.rs", "use slab::Slab;", &["uses slab::Slab"]),
        ("sys/a.rs", "#[cfg(feature = \"sim\")] mod sim;", &[]),
        ("sys/probes.rs", "#[cfg(feature = \"usdt\")] mod b;", &[]),
        (
            "sys/a.rs",
            "#[cfg(feature = \"usdt\")] mod b;",
            &["depends on the feature usdt"],
        ),
        (
            "sys/a.rs",
            "#[cfg(not(feature=\"web\"))] mod b;",
            &["depends on the feature web"],
        ),
        // reactor
        (
            "reactor/a.rs",
            "use crate::sys::{Fd, epoll::Epoll}; use slab::Slab;",
            &[],
        ),
        (
            "reactor/a.rs",
            "use crate::{sys::Fd, http::{Conn, Event as E}};",
            &["uses crate::http::Conn", "uses crate::http::Event"],
        ),
        (
            "reactor/a.rs",
            "fn a() { crate::server::run::<u8>() }",
            &["uses crate::server::run"],
        ),
        (
            "reactor/a.rs",
            "use crate::Limits;",
            &["uses crate::Limits"],
        ),
        (
            "reactor/a.rs",
            "use std::{io, net::TcpStream};",
            &["uses std::net"],
        ),
        (
            "reactor/a.rs",
            "// the Request of a client",
            &["says request"],
        ),
        (
            "reactor/a.rs",
            "const S: &str = \"headers\";",
            &["says headers"],
        ),
        ("reactor/a.rs", "// requested, subheader", &[]),
        // http
        (
            "http/a.rs",
            "use core::mem; use httparse::Header; use super::conn::Conn;",
            &[],
        ),
        (
            "http/a.rs",
            "fn a() -> std::io::Result<()>",
            &["uses std::io"],
        ),
        (
            "http/a.rs",
            "use core::time::Duration; use std::{collections, time::*};",
            &["uses core::time", "uses std::time"],
        ),
        (
            "http/a.rs",
            "fn a() {}\n#[cfg(test)]\nmod tests { use std::time::Instant; }",
            &[],
        ),
        (
            "http/a.rs",
            "fn a() {}\n#[cfg(test)]\nmod tests { use crate::sys::Fd; }",
            &["uses crate::sys::Fd"],
        ),
        ("http/a.rs", "use crate::sys;", &["uses crate::sys"]),
        (
            "http/a.rs",
            "fn a() { unsafe { b() } }",
            &["has unsafe code"],
        ),
        ("http/a.rs", "// unsafe, /* crate::sys::a */ libc::b", &[]),
        (
            "http/a.rs",
            "/* /* unsafe */ crate::sys::a */ const A: &str = \"unsafe \\\" std::io::a\";",
            &[],
        ),
        (
            "http/a.rs",
            "const A: &str = r#\"\"unsafe\"#; const B: char = '\"'; fn b<'a>() { unsafe {} }",
            &["has unsafe code"],
        ),
        (
            "http/a.rs",
            "pub(crate) fn a() {}",
            &["has something that is public for the crate only"],
        ),
        // server
        (
            "server/a.rs",
            "use crate::http::Conn; use crate::reactor::Token; use std::io; use std::os::fd::AsFd;",
            &[],
        ),
        (
            "server/a.rs",
            "use nix::errno::Errno; fn a() { libc::close(1); }",
            &["uses libc::close", "uses nix::errno::Errno"],
        ),
        (
            "server/a.rs",
            "extern crate libc; use nix;",
            &["uses libc", "uses nix"],
        ),
        ("server/a.rs", "use ::libc::c_int;", &["uses libc::c_int"]),
        (
            "server/a.rs",
            "use {crate::sys::Fd, nix::unistd};",
            &["uses nix::unistd"],
        ),
        (
            "server/a.rs",
            "use httparse::Header;",
            &["uses httparse::Header"],
        ),
        (
            "server/a.rs",
            "fn a() { std::fs::read(b); std :: net :: c(); }",
            &["uses std::fs", "uses std::net"],
        ),
        (
            "server/a.rs",
            "use crate::web::Files;",
            &["uses crate::web::Files"],
        ),
        (
            "server/a.rs",
            "fn a() { if cfg!(feature = \"sim\") {} }",
            &["depends on the feature sim"],
        ),
        // above
        (
            "web/a.rs",
            "use crate::server::Handler; use crate::Limits; use std::fs; use lexopt::Arg;",
            &[],
        ),
        (
            "web/a.rs",
            "use nix::fcntl::OFlag; unsafe impl A for B {}",
            &["has unsafe code", "uses nix::fcntl::OFlag"],
        ),
        (
            "bin/edgeloop/a.rs",
            "use edgeloop::Server; use crate::settings; use lexopt::Arg; use std::fs;",
            &[],
        ),
        (
            "bin/edgeloop/a.rs",
            "fn a() { libc::exit(0) }",
            &["uses libc::exit"],
        ),
        // elsewhere
        ("lib.rs", "pub mod sys;", &[]),
        (
            "util.rs",
            "",
            &["the only file beside the layers is lib.rs"],
        ),
        (
            "util/mod.rs",
            "",
            &["belongs to no layer that the table knows"],
        ),
    ] {
        assert_eq!(check(path, source, &crates), wanted, "{path}: {source}");
    }
}
