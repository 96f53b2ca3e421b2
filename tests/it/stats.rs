//! What the program tells of what it has counted.

use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use serde_json::Value;

use super::process::{Process, Scratch, ask, clean, connect};

/// A server of a directory with a file, that has answered three requests for it.
fn asked_thrice(dir: &Path, words: &[&str]) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_edgeloop"));
    command.arg("serve").arg(dir).args(words);
    command.args(["--listen", "127.0.0.1:0"]);
    let server = Process::start(command.stdin(Stdio::null()));
    let address = server.address();
    for _ in 0..3 {
        let (head, _) = ask(connect(&address), "GET /file", "");
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    }
    server
}

fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

#[test]
fn at_the_end_all_cores_are_told_together() {
    let dir = Scratch::new("stats-end");
    dir.file("file", "content");
    for (cores, words) in [
        (1, ["--stats=json", "--cores=1"]),
        (2, ["--stats=json", "--cores=2"]),
    ] {
        let ended = asked_thrice(dir.path(), &words).term();
        assert_eq!(ended.status, Some(0));
        assert_eq!(ended.err.len(), 1, "{:?}", ended.err);
        let told = json(&ended.err[0]);
        assert_eq!(told["cores"], cores);
        for name in ["requests", "answers", "opened", "closed", "sends"] {
            assert_eq!(told["counters"][name], 3, "{name}: {told}");
        }
        assert!(
            told["counters"]["allocations"].as_u64() > Some(0),
            "files are remembered"
        );
    }
}

#[test]
fn text_is_a_table_with_shares_of_a_request() {
    let dir = Scratch::new("stats-text");
    dir.file("file", "content");
    let ended = asked_thrice(dir.path(), &["--stats"]).term();
    assert_eq!(ended.status, Some(0));
    let words: Vec<Vec<_>> = (ended.err.iter())
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert!(
        words.contains(&vec!["requests", "3", "1.0000"]),
        "{words:?}"
    );
    assert!(words.contains(&vec!["sends", "3", "1.0000"]), "{words:?}");
}

#[test]
fn whoever_sends_urg_is_told_meanwhile_and_nothing_else_changes() {
    let dir = Scratch::new("stats-urg");
    dir.file("file", "content");
    let server = asked_thrice(dir.path(), &[]);
    server.signal(Signal::SIGURG);
    assert_eq!(server.err_line(), "core 0");
    loop {
        let line = server.err_line();
        let words: Vec<_> = line.split_whitespace().collect();
        if words[0] == "requests" {
            assert_eq!(words[1..], ["3", "1.0000"]);
        }
        if words[0] == "allocations" {
            break;
        }
    }
    assert_eq!(server.term(), clean(), "it was not asked for more");
}

#[test]
fn every_core_tells_its_own() {
    let dir = Scratch::new("stats-cores");
    dir.file("file", "content");
    let server = asked_thrice(dir.path(), &["--cores=2", "--stats=json"]);
    server.signal(Signal::SIGURG);
    let mut told = [json(&server.err_line()), json(&server.err_line())];
    told.sort_by_key(|line| line["core"].as_u64());
    assert_eq!((&told[0]["core"], &told[1]["core"]), (&0.into(), &1.into()));
    let requests = told.map(|line| line["counters"]["requests"].as_u64().expect("a number"));
    assert_eq!(requests[0] + requests[1], 3);
    let ended = server.term();
    assert_eq!((ended.status, ended.err.len()), (Some(0), 1));
}
