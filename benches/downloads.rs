//! Clients that download a large file slowly, and how long another client waits beside them.
//!
//! `cargo bench --bench downloads [-- --quick]`: 2,000 clients download a file of 100 MiB and read 16 KiB ten times a second
//! each; meanwhile one client asks for a few bytes a thousand times a second. Reported for each of three rounds: the p99 of
//! its waits before the downloads have begun and beside them; then the median of the rounds, which is to stay below twice
//! the quiet one or 5 ms, whichever is more. It ends with status 1 if it does not.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use edgeloop::server::pool::Pool;
use edgeloop::sys::{Address, process};
use edgeloop::web::Files;
use edgeloop::{Handler, Reply, Request, ResponseWriter, Server};

const FILE_BYTES: u64 = 100 << 20;
const BOUND: Duration = Duration::from_millis(5);

#[derive(Clone)]
struct App(Files);

impl Handler for App {
    fn on_request(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
        match req.path() {
            "/plaintext" => res.status(200).text("quick\n"),
            _ => self.0.on_request(req, res),
        }
    }
}

struct Size {
    clients: usize,
    time: Duration,
    rounds: usize,
}

fn main() -> ExitCode {
    let quick = std::env::args().any(|word| word == "--quick");
    let size = if quick {
        Size {
            clients: 100,
            time: Duration::from_millis(300),
            rounds: 1,
        }
    } else {
        Size {
            clients: 2_000,
            time: Duration::from_secs(5),
            rounds: 3,
        }
    };
    process::raise_descriptors_max().expect("it may have as many as it may");
    let root = std::env::temp_dir().join(format!("edgeloop-downloads-{}", std::process::id()));
    std::fs::create_dir(&root).expect("a new directory");
    let file = File::create(root.join("large")).expect("ours");
    file.set_len(FILE_BYTES).expect("sparse");
    let mut rounds: Vec<(Duration, Duration)> =
        (0..size.rounds).map(|_| round(&root, &size)).collect();
    std::fs::remove_dir_all(&root).expect("ours");
    rounds.sort_unstable_by_key(|(_, beside)| *beside);
    let (quiet, beside) = rounds[rounds.len() / 2];
    let bound = BOUND.max(2 * quiet);
    println!(
        "p99 beside {} downloads of {} MiB: {beside:?}, quiet {quiet:?}, bound {bound:?} (median of {} rounds)",
        size.clients,
        FILE_BYTES >> 20,
        rounds.len()
    );
    if beside <= bound || quick {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The p99 of the other client's waits: quiet, and beside the downloads.
fn round(root: &Path, size: &Size) -> (Duration, Duration) {
    let files = Files::new(root)
        .expect("a directory")
        .with_pool(Pool::default());
    let serving = Server::bind("127.0.0.1:0")
        .and_then(|server| server.serve_fn(App(files)))
        .expect("a free port");
    let Address::Ip(address) = serving.addresses()[0] else {
        unreachable!("TCP was asked for");
    };
    let (handle, over, read) = (serving.handle(), AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let server = scope.spawn(|| serving.run());
        let quiet = wait_beside(address, size.time);
        scope.spawn(|| download(address, size, &over, &read));
        // Until all of them have begun.
        while read.load(Ordering::Relaxed) == 0 {
            std::thread::sleep(Duration::from_millis(10));
        }
        let before = read.load(Ordering::Relaxed);
        let beside = wait_beside(address, size.time);
        let bytes = read.load(Ordering::Relaxed) - before;
        over.store(true, Ordering::Relaxed);
        handle.stop();
        server.join().expect("no panic").expect("serves");
        println!(
            "  quiet: p99 {:?} of {}; beside: median {:?}, p99 {:?}, worst {:?} of {}; {} MiB/s downloaded",
            at(&quiet, 99),
            quiet.len(),
            at(&beside, 50),
            at(&beside, 99),
            at(&beside, 100),
            beside.len(),
            (bytes >> 20) / size.time.as_secs().max(1)
        );
        (at(&quiet, 99), at(&beside, 99))
    })
}

fn at(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

fn download(address: SocketAddr, size: &Size, over: &AtomicBool, read: &AtomicU64) {
    let begin = |_| {
        let mut peer = TcpStream::connect(address).expect("is accepted");
        let head = b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n";
        peer.write_all(head).expect("is sent");
        peer.set_nonblocking(true).expect("a socket");
        peer
    };
    let mut peers: Vec<TcpStream> = (0..size.clients).map(begin).collect();
    let mut buffer = [0; 16 << 10];
    let pause = Duration::from_millis(100) / u32::try_from(peers.len()).expect("few");
    let mut next = Instant::now();
    while !over.load(Ordering::Relaxed) {
        for peer in &mut peers {
            let count = peer.read(&mut buffer).unwrap_or(0); // nothing there is fine
            read.fetch_add(count as u64, Ordering::Relaxed);
            // Spread over the time, not all at once.
            next += pause;
            if let Some(rest) = next.checked_duration_since(Instant::now())
                && rest > Duration::from_millis(1)
            {
                std::thread::sleep(rest);
            }
        }
    }
}

/// How long each answer took, sorted.
fn wait_beside(address: SocketAddr, time: Duration) -> Vec<Duration> {
    let mut peer = TcpStream::connect(address).expect("is accepted");
    peer.set_nodelay(true).expect("TCP");
    let (begin, mut waits, mut buffer) = (Instant::now(), Vec::new(), [0; 4096]);
    while begin.elapsed() < time {
        let asked = Instant::now();
        peer.write_all(b"GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n")
            .expect("is sent");
        let mut got = 0;
        while !buffer[..got].ends_with(b"quick\n") {
            let more = peer.read(&mut buffer[got..]).expect("is answered");
            assert!(more > 0, "the server hung up");
            got += more;
        }
        waits.push(asked.elapsed());
        std::thread::sleep(Duration::from_millis(1));
    }
    waits.sort_unstable();
    waits
}
