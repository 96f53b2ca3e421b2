//! Hostile peers over real sockets, and a client that behaves well beside them.
//!
//! `cargo bench --bench hostile [-- [--quick] [--rounds N] [WORD]]`: the scenarios with the word in their name, three
//! rounds of them. For each, one client asks every 2 ms, before the peers come and while they are there.
//!
//! | bound | |
//! |---|---|
//! | the client's 99th percentile | at most 3 × that without peers, or 10 ms; medians of the rounds |
//! | what peers see | as the protocol has it, and every answer to the client is right |
//! | descriptors afterwards | as before |
//! | processor time in an idle second afterwards | at most 10 ms; the median of the rounds |
//! | resident memory afterwards | less than 8 MiB more than when the server was warm |
//! | without descriptors, processor time meanwhile | at most a fifth of it |
//!
//! A bound that is broken ends it with status 1. `--quick` takes seconds and judges nothing that depends on time or size.

#[path = "../child/mod.rs"]
mod child;
mod client;
mod outcome;
mod peers;
mod scenarios;
mod server;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use child::Child;
use client::Client;
use edgeloop::sys::process;
use outcome::{Outcome, median, print_titles};
use scenarios::{ALL, Ground, MOST_PEERS, Scenario};
use server::{Setting, descriptors};

/// How much of each.
struct Effort {
    rounds: usize,
    quick: bool,
    /// Without peers, before each scenario, and of those that could go on for ever.
    time: Duration,
    /// Of the server: see [`Setting::patience`].
    patience: Duration,
    /// In which nothing happens, and the server's processor time is measured.
    idle: Duration,
    word: Option<String>,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some((server::ROLE, rest)) = words.split_first().map(|(a, b)| (a.as_str(), b)) {
        server::serve(rest);
        return ExitCode::SUCCESS;
    }
    let effort = effort(words);
    let most = process::raise_descriptors_max().expect("a limit");
    // As many on either side; the server keeps a sixteenth of its own for other things.
    let wanted = MOST_PEERS as u64 * 16 / 15 + 100;
    if !effort.quick && most < wanted {
        eprintln!(
            "{MOST_PEERS} connections take {wanted} descriptors, and the hard limit is {most}: raise it (ulimit -Hn)"
        );
        return ExitCode::FAILURE;
    }
    let chosen: Vec<&Scenario> = ALL
        .iter()
        .filter(|it| {
            effort
                .word
                .as_ref()
                .is_none_or(|word| it.name.contains(word))
        })
        .collect();
    if chosen.is_empty() {
        eprintln!("no scenario has that in its name");
        return ExitCode::FAILURE;
    }
    let setting = Setting {
        patience: effort.patience,
        descriptors: None,
        connections: None,
    };
    let server = server::start(&setting);
    let warm = warm_up(&server);
    let mut outcomes: Vec<Vec<Outcome>> = chosen.iter().map(|_| Vec::new()).collect();
    for round in 1..=effort.rounds {
        println!("round {round}");
        print_titles();
        for (scenario, outcomes) in chosen.iter().zip(&mut outcomes) {
            let outcome = match scenario.setting(setting) {
                None => play(scenario, &effort, &server, warm),
                Some(setting) => {
                    let server = server::start(&setting);
                    play(scenario, &effort, &server, warm_up(&server))
                }
            };
            outcome.print(scenario, effort.quick);
            outcomes.push(outcome);
        }
    }
    if effort.rounds > 1 {
        println!(
            "median of {} rounds; the worst of descriptors and memory, and what peers saw in all",
            effort.rounds
        );
        print_titles();
    }
    let mut broken = Vec::new();
    for (scenario, outcomes) in chosen.iter().zip(&outcomes) {
        let median = median(outcomes);
        if effort.rounds > 1 {
            median.print(scenario, effort.quick);
        }
        for what in median.broken(scenario, effort.quick) {
            broken.push(format!("{}: {what}", scenario.name));
        }
    }
    for what in &broken {
        println!("BROKEN  {what}");
    }
    if broken.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn effort(words: Vec<String>) -> Effort {
    let quick = words.iter().any(|word| word == "--quick");
    let (time, patience, idle) = if quick {
        (100, 500, 50)
    } else {
        (2000, 1000, 1000)
    };
    let mut effort = Effort {
        rounds: if quick { 1 } else { 3 },
        quick,
        time: Duration::from_millis(time),
        patience: Duration::from_millis(patience),
        idle: Duration::from_millis(idle),
        word: None,
    };
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--rounds" => {
                let rounds = words.next().and_then(|word| word.parse().ok());
                effort.rounds = rounds.filter(|rounds| *rounds > 0).expect("--rounds N");
            }
            "--quick" | "--bench" => {} // cargo says the latter to every bench
            _ => effort.word = Some(word),
        }
    }
    effort
}

/// Its memory in KiB when it has served.
fn warm_up(server: &Child) -> i64 {
    for address in &server.addresses {
        Client::connect(*address).beside(|| std::thread::sleep(Duration::from_millis(20)));
    }
    server.resident()
}

fn play(scenario: &Scenario, effort: &Effort, server: &Child, warm: i64) -> Outcome {
    let mut client = Client::connect(server.addresses[0]);
    let (without, ()) = client.beside(|| std::thread::sleep(effort.time / 2));
    let before = descriptors(server);
    let ground = Ground {
        addresses: &server.addresses,
        size: if effort.quick {
            scenario.size.1
        } else {
            scenario.size.0
        },
        time: effort.time,
        cut: 5 * effort.patience,
    };
    let (cpu, begun) = (server.cpu(), Instant::now());
    let (with, seen) = client.beside(|| (scenario.run)(&ground));
    let load = server.cpu().saturating_sub(cpu).as_nanos() * 100 / begun.elapsed().as_nanos();
    let descriptors = settled(server, before);
    let cpu = server.cpu();
    std::thread::sleep(effort.idle);
    let cpu = server.cpu().saturating_sub(cpu);
    // It is still the same connection.
    client.beside(|| ());
    Outcome {
        without: without.p99(),
        with: with.p99(),
        worst: with.worst(),
        load,
        descriptors,
        cpu,
        memory: server.resident() - warm,
        seen,
    }
}

/// How many descriptors there are more than before, when those that linger had time to go.
fn settled(server: &Child, before: usize) -> i64 {
    let begun = Instant::now();
    loop {
        let now = descriptors(server);
        if now == before || begun.elapsed() > Duration::from_secs(8) {
            return i64::try_from(now).unwrap_or(i64::MAX) - i64::try_from(before).unwrap_or(0);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
