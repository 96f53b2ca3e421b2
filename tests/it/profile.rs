//! `edgeloop profile` as it is met: a server is started, asked and looked at, and nothing of it stays.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use serde_json::Value;

use super::process::{Ended, Process, Scratch, within};

/// A short run, without the help of other programs.
fn profile(words: &[&str], dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_edgeloop"));
    command
        .args(["profile", "--slice=100ms", "--rounds=3", "--perf=no"])
        .args(["--connections=4", "--path=/file"])
        .args(words)
        .arg("--")
        .arg(dir)
        .stdin(Stdio::null());
    command
}

/// A directory with a file to ask for.
fn site(name: &str) -> Scratch {
    let dir = Scratch::new(name);
    dir.file("file", "content");
    dir
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).expect("it was written");
    serde_json::from_str(&text).expect("JSON")
}

/// The children that a process has.
fn children(process: u32) -> Vec<u32> {
    let path = format!("/proc/{process}/task/{process}/children");
    let told = std::fs::read_to_string(path).unwrap_or_default();
    let numbers = told.split_whitespace().map(str::parse);
    numbers.collect::<Result<_, _>>().expect("numbers")
}

fn is_gone(process: u32) -> bool {
    !Path::new(&format!("/proc/{process}")).exists()
}

#[test]
fn a_request_of_a_kept_connection_is_one_recv_and_one_send() {
    let dir = site("profile-figures");
    let json = dir.path().join("report.json");
    let Ended { status, out, err } =
        Process::start(&mut profile(&["--json", text(&json)], dir.path())).end();
    assert_eq!((status, err), (Some(0), vec![]), "{out:#?}");
    let report = read(&json);
    let figures = &report["figures"];
    let median = |key: &str| figures[key]["median"].as_f64().expect("a figure");
    assert!((median("send") - 1.0).abs() < 1e-9, "{figures:#}");
    // One more for each connection sees its end, and each has one request at least.
    assert!((1.0..=2.0).contains(&median("recv")), "{figures:#}");
    let system_calls: f64 = [
        "epoll_wait",
        "recv",
        "send",
        "sendfile",
        "accept4",
        "epoll_ctl",
        "close",
    ]
    .into_iter()
    .map(median)
    .sum();
    assert!((median("system_calls") - system_calls).abs() < 0.05);
    assert!(median("cpu_ns") > 0.0 && median("requests_per_s") > 0.0);
    assert_eq!(
        figures["cpu_ns"]["rounds"].as_array().map(Vec::len),
        Some(3)
    );
    let statuses = report["answers"].as_object().expect("by status");
    assert_eq!(statuses.keys().collect::<Vec<_>>(), ["200"]);
    assert_eq!(
        (&report["failed"], &report["phases"]),
        (&0.into(), &Value::Null)
    );
    for name in ["CPU", "user", "system calls", "recv", "send"] {
        let told = |line: &String| line.trim_start().starts_with(name);
        assert!(out.iter().any(told), "{name}: {out:#?}");
    }
    assert!(
        out.iter().skip(1).all(|line| line.chars().count() <= 80),
        "{out:#?}"
    );
}

#[test]
fn a_saved_report_is_compared_with_and_what_is_worse_ends_otherwise() {
    let dir = site("profile-against");
    let path = dir.path().join("base.json");
    let ended = Process::start(&mut profile(&["--json", text(&path)], dir.path())).end();
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let mut base = read(&path);
    // Far above what it is, and far below: no noise reaches as far.
    for (system_calls, worse) in [(100.0, false), (0.1, true)] {
        for figure in ["cpu_ns", "allocations", "system_calls"] {
            let number = if figure == "system_calls" {
                system_calls
            } else {
                1e9
            };
            for key in ["least", "median", "most"] {
                base["figures"][figure][key] = number.into();
            }
        }
        let file = dir.file("changed.json", base.to_string());
        let words = ["--against", text(&file), "--json", text(&path)];
        let Ended { status, out, err } = Process::start(&mut profile(&words, dir.path())).end();
        let row = &read(&path)["comparisons"][0]["figures"]["system_calls"];
        assert_eq!(row["worse"], worse, "{row:#}");
        if worse {
            assert_eq!((status, err.len()), (Some(1), 1), "{err:?}");
            assert!(
                err[0].starts_with("edgeloop: worse than before: system calls "),
                "{err:?}"
            );
            assert!(out.iter().any(|line| line.ends_with("WORSE")), "{out:#?}");
        } else {
            assert_eq!((status, err), (Some(0), vec![]));
            assert!(out.iter().any(|line| line.ends_with("better")), "{out:#?}");
        }
    }
}

#[test]
fn a_report_that_was_taken_in_another_way_is_not_compared() {
    let dir = site("profile-other");
    let path = dir.path().join("base.json");
    let ended = Process::start(&mut profile(&["--json", text(&path)], dir.path())).end();
    assert_eq!(ended.status, Some(0), "{ended:?}");
    for (words, why) in [
        (
            &["--against", text(&path), "--depth=2"] as &[&str],
            "only what is alike is compared",
        ),
        (
            &["--against=/nowhere/a.json"],
            "cannot compare with '/nowhere/a.json': ",
        ),
    ] {
        let Ended { status, out, err } = Process::start(&mut profile(words, dir.path())).end();
        assert_eq!((status, out), (Some(1), vec![]));
        assert!(err.len() == 1 && err[0].contains(why), "{err:?}");
    }
}

/// The other build is this one behind a script that says that it was run.
#[test]
fn another_build_is_asked_in_turn() {
    let dir = site("profile-base");
    let (told, json) = (dir.path().join("told"), dir.path().join("report.json"));
    let program = env!("CARGO_BIN_EXE_edgeloop");
    let script = format!(
        "#!/bin/sh\necho \"$@\" >{}\nexec {program} \"$@\"\n",
        text(&told)
    );
    let script = dir.file("other", script);
    let mode = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(&script, mode).expect("it is ours");
    // Whatever the noise: a tolerance of ten times.
    let words = [
        "--base",
        text(&script),
        "--json",
        text(&json),
        "--tolerance=900",
    ];
    let Ended { status, err, .. } = Process::start(&mut profile(&words, dir.path())).end();
    assert_eq!((status, err), (Some(0), vec![]));
    let told = std::fs::read_to_string(&told).expect("it was run");
    let wanted = format!(
        "serve {} --listen=127.0.0.1:0 --stats=json\n",
        text(dir.path())
    );
    assert_eq!(told, wanted);
    let report = read(&json);
    let row = &report["comparisons"][0]["figures"]["send"];
    for of in [&row["now"], &row["base"], &row["ratio"]["median"]] {
        assert!(
            of.as_f64().is_some_and(|it| (0.8..1.2).contains(&it)),
            "{row:#}"
        );
    }
}

#[test]
fn a_signal_ends_it_and_its_server() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let dir = site("profile-signal");
        let process = Process::start(&mut profile(&["--slice=1m"], dir.path()));
        let server = within(|| children(process.id()).first().copied());
        process.signal(signal);
        let Ended { status, out, err } = process.end();
        assert_eq!((status, out), (Some(1), vec![]));
        assert!(
            err.len() == 1 && err[0].contains("a signal came"),
            "{err:?}"
        );
        assert!(is_gone(server), "{server} is left");
    }
}

#[test]
fn what_can_not_be_started_or_asked_says_why() {
    let dir = site("profile-wrong");
    let nowhere = Path::new("/nowhere");
    for (words, dir, why) in [
        (&[] as &[&str], nowhere, "cannot serve '/nowhere'"),
        (
            &["--base=/nowhere"],
            dir.path(),
            "cannot start '/nowhere serve'",
        ),
        (
            &["--base=/bin/true"],
            dir.path(),
            "cannot start '/bin/true serve': it says no address",
        ),
        (
            &["--json=/nowhere/a"],
            dir.path(),
            "cannot write '/nowhere/a'",
        ),
    ] {
        let Ended { status, out, err } = Process::start(&mut profile(words, dir)).end();
        assert_eq!((status, out), (Some(1), vec![]), "{why}");
        assert!(err.len() == 1 && err[0].contains(why), "{err:?}");
    }
    let words = ["--", "a", "--listen=:80"];
    let Ended { status, .. } = Process::start(&mut profile(&words, dir.path())).end();
    assert_eq!(status, Some(2));
}
