use std::time::Duration;

use edgeloop::sys::Instant;
use serde_json::Value;

use super::super::answer::Answer;
use super::super::schedule::Begun;
use super::super::settings::BENCH;
use super::super::tally::Fault;
use super::*;
use crate::arguments::Asked;

fn settings(words: &[&str]) -> Settings {
    match BENCH.parse(&mut lexopt::Parser::from_args(words)) {
        Ok(Asked::Run(settings)) => settings,
        other => panic!("{words:?}: {other:?}"),
    }
}

/// A run in which each request took so many microseconds.
fn tally(micros: impl Iterator<Item = u64>, status: u16) -> Tally {
    let mut tally = Tally::new();
    let begun = Begun {
        at: Instant::from_nanos(0),
        counts: true,
    };
    for micros in micros {
        let answer = Answer {
            status,
            persists: true,
        };
        tally.answered(begun, answer, Instant::from_nanos(micros * 1000));
        tally.answers += 1;
    }
    tally
}

fn with_report<T>(words: &[&str], tally: &Tally, look: impl FnOnce(&Report) -> T) -> T {
    let settings = settings(words);
    look(&Report {
        settings: &settings,
        target: settings.target.as_ref().expect("a URL"),
        tally,
        slowness: Slowness::default(),
        measured: Duration::from_secs(2),
        busy: None,
    })
}

const URL: &str = "http://127.0.0.1/?a=1&b=<2>";

#[test]
fn a_report_says_what_was_counted() {
    let mut tally = tally(1..=1000, 200);
    let begun = Begun {
        at: Instant::from_nanos(0),
        counts: true,
    };
    tally.failed(begun, Fault::Bad, "why");
    tally.failed(begun, Fault::Bad, "another reason");
    with_report(&[URL, "--depth=2", "--rate=9"], &tally, |report| {
        let text = report.text();
        for line in [
            "GET, 64 connections, depth 2, open loop at 9 requests/s, 2 s after a warm-up of 1 s",
            "  requests/s    500.0",
            "  failed        2: 2 bad answer (why)",
            "        50 %       500 µs",
            "        99 %       990 µs",
            "        most         1 ms",
        ] {
            assert!(text.lines().any(|it| it == line), "{line}\n{text}");
        }
        assert!(!text.contains("99.99"), "a thousand times do not say that");
        let json: Value = serde_json::from_str(&report.json()).expect("JSON");
        assert_eq!(json["url"], URL);
        assert_eq!(json["answered"], 1000);
        assert_eq!(json["status_classes"]["2xx"], 1000);
        assert_eq!(json["faults"]["bad_answer"]["count"], 2);
        assert_eq!(json["settings"]["rate"], 9);
        assert_eq!(json["requests_per_s"], 500.0);
        let median = json["time_ns"]["percentiles"]["50"]
            .as_f64()
            .expect("a number");
        assert!((median / 500_000.0 - 1.0).abs() < 0.002, "{median}");
        assert_eq!(report.verdict(), Ok(()));
    });
}

#[test]
fn what_answered_nothing_says_why() {
    let mut tally = Tally::new();
    with_report(&[URL], &tally, |report| {
        let said = report.verdict().expect_err("nothing was answered");
        assert!(said.contains("nothing was asked"), "{said}");
        let json: Value = serde_json::from_str(&report.json()).expect("JSON");
        assert_eq!(json["time_ns"]["most"], Value::Null);
    });
    let begun = Begun {
        at: Instant::from_nanos(0),
        counts: true,
    };
    tally.failed(begun, Fault::Connect, "refused");
    with_report(&[URL], &tally, |report| {
        let said = report.verdict().expect_err("nothing was answered");
        assert!(said.contains("1 connect (refused)"), "{said}");
        assert!(report.svg().contains("Nothing was answered."));
    });
}

#[test]
fn pictures_are_whole_whatever_was_measured() {
    for tally in [
        tally(std::iter::empty(), 200),
        tally(std::iter::once(0), 200),
        tally(std::iter::repeat_n(7, 100_000), 200),
        tally((0..100_000).map(|at| at * at / 1000), 503),
        tally([1, 3_600_000_000].into_iter(), 200),
    ] {
        let svg = with_report(&[URL], &tally, |report| {
            serde_json::from_str::<Value>(&report.json()).expect("JSON");
            report.svg()
        });
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert!(svg.contains("?a=1&amp;b=&lt;2&gt;"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        for name in ["title", "style", "text"] {
            let (opened, closed) = (format!("<{name}"), format!("</{name}>"));
            let count = |tag: &str| svg.matches(tag).count();
            assert_eq!(count(&opened), count(&closed), "{name}");
        }
    }
}
