//! Our server beside the least that a server can do, and beside itself doing something else.
//!
//! `cargo bench --bench floors [-- --quick] [-- --rounds N] [-- WORD…]`: rows whose name has one of the words, or all of them.
//! Each side of a row is a process on the first processor, asked from the second one; they take turns in slices of a tenth
//! of a second, A B B A, and each pair of slices gives a ratio of the servers' processor time for a request. The kernel's work
//! for a request is in it. A row has the median of all ratios and their quartiles, and the median of each side's microseconds,
//! which a busy machine makes meaningless. `--quick` shows that all are answered.
//!
//! `floor_echo` makes one recv and one send of constant bytes for each readable event, whatever it got; `floor_pipeline`
//! counts blank lines and sends that many answers at once. Their answers are byte for byte as long as ours.

#[path = "../child/mod.rs"]
mod child;
mod duel;
mod floor;
mod idle;
mod load;
mod subject;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use duel::{Effort, Server, Side, duel};
use edgeloop::sys::process;
use load::{Ask, Manner};
use subject::Watched;

/// The first word of a process that serves: then come which server it is, its core, and what it answers with.
const SERVE: &str = "--serve";

/// What is served below `/files/`.
const FILES: [(&str, u64); 4] = [
    ("1k.txt", 1 << 10),
    ("100k.txt", 100 << 10),
    ("1m.txt", 1 << 20),
    ("100m.txt", 100 << 20),
];

/// What a row compares.
struct Row {
    name: String,
    sides: [Side; 2],
}

const fn get(path: &'static str) -> Ask {
    Ask { path, body: None }
}

const fn post(path: &'static str, length: usize) -> Ask {
    let body = Some(length);
    Ask { path, body }
}

const fn side(server: Server, ask: Ask, clients: usize) -> Side {
    let manner = Manner {
        clients,
        depth: 1,
        idle: 0,
        anew: false,
    };
    Side {
        server,
        ask,
        manner,
    }
}

/// Ours beside the floor.
fn beside_floor(name: &str, ask: Ask, manner: Manner) -> Row {
    let floor = if manner.depth == 1 {
        Server::FloorEcho
    } else {
        Server::FloorPipeline
    };
    Row {
        name: name.to_owned(),
        sides: [Server::Ours, floor].map(|server| Side {
            server,
            ask,
            manner,
        }),
    }
}

fn rows(crowd: usize) -> Vec<Row> {
    let plaintext = get("/plaintext");
    let few = side(Server::Ours, plaintext, 64);
    let manner = few.manner;
    let many = Manner {
        clients: 512,
        ..manner
    };
    let deep = Manner {
        depth: 16,
        ..manner
    };
    let anew = Manner {
        anew: true,
        ..manner
    };
    let floor = side(Server::FloorEcho, plaintext, 64);
    let row = |name: &str, a: Side, b: Side| Row {
        name: name.to_owned(),
        sides: [a, b],
    };
    let ours = |path, clients| side(Server::Ours, get(path), clients);
    let watched = |server| Side { server, ..few };
    let idle = Manner {
        idle: crowd,
        ..manner
    };
    let active = Manner {
        clients: crowd,
        ..manner
    };
    vec![
        row("noise: a floor beside a second one", floor, floor),
        beside_floor("floor: 64 clients", plaintext, manner),
        beside_floor("floor: 512 clients", plaintext, many),
        beside_floor("floor: 64 clients, depth 16", plaintext, deep),
        beside_floor("floor: JSON", get("/json"), manner),
        beside_floor("floor: POST of 1 KiB", post("/echo", 1024), manner),
        beside_floor("floor: a new connection each", plaintext, anew),
        beside_floor("floor: file of 1 KiB", get("/files/1k.txt"), manner),
        row(
            "files: 1 KiB looked up / remembered",
            ours("/uncached/1k.txt", 64),
            ours("/files/1k.txt", 64),
        ),
        row(
            "files: 100 KiB looked up / remembered",
            ours("/uncached/100k.txt", 64),
            ours("/files/100k.txt", 64),
        ),
        row(
            "files: 1 MiB / constant",
            ours("/files/1m.txt", 16),
            ours("/constant", 16),
        ),
        row(
            "files: 100 MiB / a stream of known length",
            ours("/files/100m.txt", 4),
            ours("/known/104857600", 4),
        ),
        row(
            "streams: 1 MiB of known length / constant",
            ours("/known/1048576", 16),
            ours("/constant", 16),
        ),
        row(
            "streams: 1 MiB chunked / of known length",
            ours("/chunked/1048576", 16),
            ours("/known/1048576", 16),
        ),
        row(
            "streams: upload of 512 KiB, sink / buffered",
            side(Server::Ours, post("/sink", 512 << 10), 16),
            side(Server::Ours, post("/buffer", 512 << 10), 16),
        ),
        row(
            "watched: an observer / none",
            watched(Server::Counted),
            watched(Server::Ours),
        ),
        row(
            "watched: observer and access log / none",
            watched(Server::Logged),
            watched(Server::Routed),
        ),
        row(
            &format!("crowd: {crowd} active clients / 64"),
            Side {
                manner: active,
                ..few
            },
            few,
        ),
        row(
            &format!("crowd: {crowd} active clients / 64, of a floor"),
            Side {
                manner: active,
                ..floor
            },
            floor,
        ),
        row(
            &format!("crowd: 64 clients beside {crowd} idle / 64"),
            Side {
                manner: idle,
                ..few
            },
            few,
        ),
    ]
}

fn main() {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    match words.first() {
        Some(first) if first == SERVE => serve(&words[1..]),
        Some(_) | None => compare(&words),
    }
}

/// What the process that serves does.
fn serve(words: &[OsString]) {
    let [server, core, with] = words else {
        panic!("{SERVE} SERVER CORE ANSWER|ROOT");
    };
    let core = core.to_str().and_then(|core| core.parse().ok());
    process::pin(core.expect("a number")).expect("it may run there");
    process::raise_descriptors_max().expect("up to the hard limit");
    let named = |it: &Server| OsStr::new(it.word()) == server;
    match Server::ALL.into_iter().find(named).expect("one of ours") {
        Server::Ours => subject::serve(Watched::Not, Path::new(with)),
        Server::Counted => subject::serve(Watched::Counted, Path::new(with)),
        Server::Logged => subject::serve(Watched::Logged, Path::new(with)),
        Server::Routed => subject::serve(Watched::Routed, Path::new(with)),
        Server::FloorEcho => floor::serve(floor::Kind::Echo, with.as_bytes()),
        Server::FloorPipeline => floor::serve(floor::Kind::Pipeline, with.as_bytes()),
    }
}

/// What is asked for on the command line.
struct Orders {
    effort: Effort,
    /// Clients that are many.
    crowd: usize,
    names: Vec<String>,
}

fn orders(words: &[OsString]) -> Orders {
    let mut orders = Orders {
        effort: Effort {
            rounds: 3,
            pairs: 10,
            slice: Duration::from_millis(100),
        },
        crowd: 10_000,
        names: Vec::new(),
    };
    let mut words = words.iter().map(|word| word.to_string_lossy());
    while let Some(word) = words.next() {
        match &*word {
            "--bench" => {} // cargo says it to every bench
            "--quick" => {
                orders.effort = Effort {
                    rounds: 1,
                    pairs: 2,
                    slice: Duration::from_millis(5),
                };
                orders.crowd = 200;
            }
            "--rounds" => {
                let rounds = words.next().and_then(|word| word.parse().ok());
                orders.effort.rounds = rounds.filter(|it| *it > 0).expect("--rounds N");
            }
            name => orders.names.push(name.to_owned()),
        }
    }
    orders
}

fn compare(words: &[OsString]) {
    let Orders {
        effort,
        crowd,
        names,
    } = orders(words);
    let is_wanted = |name: &str| names.is_empty() || names.iter().any(|it| name.contains(it));
    process::raise_descriptors_max().expect("up to the hard limit");
    let processors = process::processors().expect("there is one");
    let core = processors[0];
    match processors.get(1) {
        Some(other) => process::pin(*other).expect("it may run there"),
        None => println!("one processor only: servers and clients take it from each other"),
    }
    let root = std::env::temp_dir().join(format!("edgeloop-floors-{}", std::process::id()));
    std::fs::create_dir(&root).expect("a new directory");
    for (name, length) in FILES {
        let mut file = File::create(root.join(name)).expect("ours");
        let mut content = std::io::repeat(b'x').take(length);
        std::io::copy(&mut content, &mut file).expect("there is room");
        // What has just been written has a weak validator, and another length of the head.
        let before = SystemTime::now() - Duration::from_secs(3600);
        file.set_modified(before).expect("ours");
    }
    println!(
        "{:<46} {:>7} {:>9} {:>9} {:>10} {:>10}",
        "CPU time for a request, against the other", "median", "quartile", "quartile", "us", "us"
    );
    for row in rows(crowd).iter().filter(|row| is_wanted(&row.name)) {
        let outcome = duel(&row.sides, &effort, core, &root);
        let ([lower, median, upper], [a, b]) = (outcome.ratio(), outcome.micros());
        let name = &row.name;
        println!("{name:<46} {median:>7.3} {lower:>9.3} {upper:>9.3} {a:>10.2} {b:>10.2}");
    }
    if is_wanted("idle") {
        idle::report(crowd, core, &root);
    }
    std::fs::remove_dir_all(&root).expect("ours");
}
