//! `edgeloop serve --record` and `edgeloop replay`, as an operator meets them.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::process::{Ended, Process, Scratch, connect};

fn edgeloop<S: AsRef<OsStr>>(words: &[S]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_edgeloop"));
    command.args(words).stdin(Stdio::null());
    command
}

/// Ends by itself and well: what it says on stdout and stderr.
fn says(command: &mut Command) -> (Vec<String>, Vec<String>) {
    let Ended { status, out, err } = Process::start(command).end();
    assert_eq!(status, Some(0), "{command:?} says {err:?}");
    (out, err)
}

fn complains(command: &mut Command, status: i32, why: &str) {
    let ended = Process::start(command).end();
    assert_eq!(
        ended.status,
        Some(status),
        "{command:?} says {:?}",
        ended.err
    );
    assert_eq!(
        (ended.out.len(), ended.err.len()),
        (0, 1),
        "{:?}",
        ended.err
    );
    let line = &ended.err[0];
    assert!(
        line.starts_with("edgeloop: ") && line.contains(why),
        "{line}"
    );
}

fn replay(file: &Path, words: &[&str]) -> Command {
    let mut command = edgeloop(&["replay"]);
    command.arg(file).args(words);
    command
}

#[test]
fn what_is_served_and_recorded_is_replayed_with_the_same_statuses() {
    let dir = Scratch::new("record");
    dir.file("a.txt", "in a file\n");
    let scratch = Scratch::new("record-to");
    let file = scratch.path().join("it");
    let mut command = edgeloop(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--cores",
        "2",
        "--record",
    ]);
    let server = Process::start(command.arg(&file).arg(dir.path()));
    let address = server.address();
    for sent in [
        "GET /a.txt HTTP/1.1\r\nHost: a\r\nAuthorization: Basic c2VjcmV0\r\n\r\nGET /none HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a.txt HTTP/1.1\r\nHost: a\r\nIf-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT\r\nCookie: c2VjcmV0\r\n\r\n",
        "POST /a.txt HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nc2VjcmV0\r\n0\r\n\r\nGET /a.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1\r\n\r\n",
        "GET /c2VjcmV0\r\n\r\n",
    ] {
        let mut client = connect(&address);
        client.write_all(sent.as_bytes()).expect("it reads");
        client.shutdown(Shutdown::Write).expect("connected");
        let mut answers = Vec::new();
        client.read_to_end(&mut answers).expect("it answers");
        assert!(answers.starts_with(b"HTTP/1.1 "));
    }
    let ended = server.term();
    assert_eq!((ended.status, ended.out.len()), (Some(0), 0));
    let told = &ended.err[0];
    assert!(
        told.contains("bytes of 4 connections, of which 1 are not whole"),
        "{told}"
    );

    let bytes = std::fs::read(&file).expect("it is there");
    assert!(!String::from_utf8_lossy(&bytes).contains("c2V"));
    let mode = std::fs::metadata(&file)
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);

    let root = dir.path().to_str().expect("text");
    let (out, err) = says(&mut replay(&file, &[root, "--iterations", "3"]));
    assert!(err.is_empty());
    let statuses: Vec<&str> = out
        .iter()
        .filter_map(|line| line.strip_prefix("status "))
        .collect();
    assert_eq!(
        statuses,
        [
            "200   3", "206   3", "304   3", "400   3", "404   3", "405   3"
        ]
    );
    assert_eq!(out[0], "iterations   3");
    assert_eq!(
        says(&mut replay(&file, &[root, "--iterations", "3"])).0,
        out,
        "and again"
    );
}

#[test]
fn a_file_that_is_there_is_not_recorded_over() {
    let dir = Scratch::new("record-over");
    let file = dir.file("it", "something");
    let words = ["serve", "--listen", "127.0.0.1:0", "--record"];
    complains(
        edgeloop(&words).arg(&file).arg(dir.path()),
        1,
        "it is there already; name a new file",
    );
    assert_eq!(std::fs::read(&file).expect("it is there"), b"something");
    let none = dir.path().join("none/it");
    complains(
        edgeloop(&words).arg(&none).arg(dir.path()),
        1,
        "cannot record to '",
    );
}

#[test]
fn answers_are_printed_before_what_is_said_of_them() {
    let dir = Scratch::new("replay-print");
    dir.file("a.txt", "in a file\n");
    let file = dir.file("sent", "GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n");
    let root = dir.path().to_str().expect("text");
    let (out, err) = says(&mut replay(&file, &["--print", root]));
    assert_eq!(out[0].trim_end(), "HTTP/1.1 200 OK");
    assert!(
        out.iter()
            .any(|line| line.trim_end() == "Date: Sun, 06 Nov 1994 08:49:37 GMT")
    );
    assert_eq!(out.last().map(String::as_str), Some("in a file"));
    assert!(err.contains(&"status 200   1".to_owned()));
}

#[test]
fn what_cannot_be_replayed_is_said() {
    let dir = Scratch::new("replay-faults");
    let file = |name: &str, content: &str| dir.file(name, content);
    let none = dir.path().join("none");
    complains(&mut replay(&none, &[]), 1, "No such file");
    complains(&mut replay(dir.path(), &[]), 1, "directory");
    complains(
        &mut replay(&file("empty", ""), &[]),
        1,
        "there is nothing in it",
    );
    let broken = file(
        "broken",
        "edgeloop recording 1\nopen 1 0\ndata 1 0 5\nabc\n",
    );
    complains(
        &mut replay(&broken, &[]),
        1,
        "at byte 41: the file ends within these bytes",
    );
    let later = file("later", "edgeloop recording 9\n");
    complains(
        &mut replay(&later, &[]),
        1,
        "of a version that this program does not know",
    );
    let sound = file("sound", "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    complains(&mut replay(&sound, &["/none/none"]), 1, "name a directory");
    complains(
        &mut replay(&sound, &["--iterations", "x"]),
        2,
        "see edgeloop replay --help",
    );
    complains(&mut edgeloop(&["replay"]), 2, "no file");
    let (help, _) = says(&mut edgeloop(&["replay", "--help"]));
    assert!(help.iter().any(|line| line.contains("--iterations N")));
}
