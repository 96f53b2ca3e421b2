//! What hostile peers do. Each scenario returns what they saw, and lets go of all its connections.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::peers::{Peer, Seen, settle};
use super::server::Setting;

/// Where a scenario takes place.
pub(crate) struct Ground<'a> {
    pub(crate) addresses: &'a [SocketAddr],
    /// How many peers.
    pub(crate) size: usize,
    /// For those that could go on for ever.
    pub(crate) time: Duration,
    /// When the server has cut who takes nothing of its answer.
    pub(crate) cut: Duration,
}

pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// How many peers, and how many in a quick run. Those that loop have so many at a time.
    pub(crate) size: (usize, usize),
    pub(crate) run: fn(&Ground<'_>) -> Seen,
    /// What the peers see: each of these, and nothing else.
    pub(crate) expected: &'static [&'static str],
    /// It has a server of its own, with so many descriptors and connections, rather than the one that all others share.
    pub(crate) own: Option<(Option<u64>, Option<usize>)>,
}

impl Scenario {
    const fn with_own_server(
        mut self,
        descriptors: Option<u64>,
        connections: Option<usize>,
    ) -> Scenario {
        self.own = Some((descriptors, connections));
        self
    }

    /// Those of its own server.
    pub(crate) fn setting(&self, shared: Setting) -> Option<Setting> {
        self.own.map(|(descriptors, connections)| Setting {
            descriptors,
            connections,
            ..shared
        })
    }
}

const fn scenario(
    name: &'static str,
    size: (usize, usize),
    run: fn(&Ground<'_>) -> Seen,
    expected: &'static [&'static str],
) -> Scenario {
    Scenario {
        name,
        size,
        run,
        expected,
        own: None,
    }
}

/// Of these 15,000 stay open at once, on both sides.
pub(crate) const MOST_PEERS: usize = 15_000;

pub(crate) const NO_DESCRIPTORS: &str = "more connections than descriptors";

pub(crate) static ALL: [Scenario; 16] = [
    scenario("slow heads", (500, 20), slow_heads, &["408 closed"]),
    scenario("slow bodies", (500, 20), slow_bodies, &["408 closed"]),
    scenario(
        "slow readers of 16 MiB",
        (500, 10),
        slow_readers,
        &["200 open", "200 reset"],
    ),
    scenario("silent", (2000, 50), silent, &["closed"]),
    scenario("resets in mid-answer", (32, 4), resets, &["200 open"]),
    scenario("garbage", (64, 8), garbage, &["400 closed"]),
    scenario("TLS hello", (64, 8), tls, &["400 closed"]),
    scenario(
        "bombs of heads and chunks",
        (28, 7),
        bombs,
        &["400 closed", "413 closed", "414 closed", "431 closed"],
    ),
    scenario(
        "pipelining, reading nothing",
        (100, 4),
        pipelining,
        &["200 reset"],
    ),
    scenario("half-closes", (64, 8), half_closes, &HALF_CLOSED),
    scenario(
        "Expect, and no body",
        (500, 20),
        no_body,
        &["100 408 closed"],
    ),
    scenario(NO_DESCRIPTORS, (1000, 100), patient_crowd, &["200 open"])
        .with_own_server(Some(64), Some(10_000)),
    scenario(
        "more connections than allowed",
        (2000, 200),
        crowd,
        &["200 closed", "200 open", "closed"],
    )
    .with_own_server(None, Some(100)),
    scenario(
        "churn",
        (20_000, 200),
        churn,
        &["200 closed", "200 open", "open"],
    ),
    scenario("idle", (MOST_PEERS, 100), idle, &["200 open"]),
    scenario(
        "idle, all reset at once",
        (5000, 100),
        idle_then_reset,
        &["200 open"],
    ),
];

const TICK: Duration = Duration::from_millis(100);
const SOON: Duration = Duration::from_micros(500);

const ASK: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const ASK_LAST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

impl Ground<'_> {
    fn address(&self, number: usize) -> SocketAddr {
        self.addresses[number % self.addresses.len()]
    }

    /// So many connections, each of which sends `bytes`.
    fn crowd(&self, bytes: &[u8]) -> Vec<Peer> {
        let peers = (0..self.size).map(|number| {
            let mut peer = Peer::connect(self.address(number));
            peer.send(bytes);
            peer
        });
        peers.collect()
    }

    /// Does it again until the time is over.
    fn again(&self, mut round: impl FnMut() -> Seen) -> Seen {
        let (begun, mut seen) = (Instant::now(), Seen::default());
        while begun.elapsed() < self.time {
            seen.add(&round());
        }
        seen
    }

    /// Each sends `bytes`, and then `drip` every 100 ms until it is answered, and is read from until its end.
    fn drip(&self, bytes: &[u8], drip: &[u8]) -> Seen {
        let mut peers = self.crowd(bytes);
        settle(&mut peers, TICK, Peer::has_ended, |peer| {
            if !peer.has_answer() {
                peer.send(drip);
            }
        });
        Seen::of(&peers)
    }

    /// Again and again, each sends what `bytes` gives for it and is read from until its end.
    fn shout(&self, mut bytes: impl FnMut(usize) -> Vec<u8>) -> Seen {
        self.again(|| {
            let mut peers = self.crowd(b"");
            for (number, peer) in peers.iter_mut().enumerate() {
                peer.send(&bytes(number));
            }
            settle(&mut peers, SOON, Peer::has_ended, |_| {});
            Seen::of(&peers)
        })
    }
}

fn slow_heads(ground: &Ground<'_>) -> Seen {
    ground.drip(b"GET / HTTP/1.1\r\nHost: a\r\nX: ", b"x")
}

fn slow_bodies(ground: &Ground<'_>) -> Seen {
    ground.drip(
        b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n",
        b"x",
    )
}

fn no_body(ground: &Ground<'_>) -> Seen {
    let mut peers = ground.crowd(
        b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n",
    );
    settle(&mut peers, TICK, Peer::has_ended, |_| {});
    Seen::of(&peers)
}

fn silent(ground: &Ground<'_>) -> Seen {
    ground.drip(b"", b"")
}

/// Every other one reads 1 KiB ten times a second, which is enough, and the rest nothing, and they are cut.
fn slow_readers(ground: &Ground<'_>) -> Seen {
    let mut peers: Vec<Peer> = (0..ground.size)
        .map(|number| {
            let mut peer = Peer::connect_narrow(ground.address(number));
            peer.send(b"GET /bytes/16777216 HTTP/1.1\r\nHost: a\r\n\r\n");
            peer
        })
        .collect();
    let begun = Instant::now();
    while begun.elapsed() < ground.cut {
        for peer in peers.iter_mut().step_by(2) {
            peer.receive(1 << 10);
        }
        std::thread::sleep(TICK);
    }
    for peer in peers.iter_mut().skip(1).step_by(2) {
        peer.look();
    }
    Seen::of(&peers)
}

fn resets(ground: &Ground<'_>) -> Seen {
    ground.again(|| {
        let mut peers = ground.crowd(b"GET /bytes/16777216 HTTP/1.1\r\nHost: a\r\n\r\n");
        let mut seen = Seen::default();
        while !peers.is_empty() {
            for mut peer in std::mem::take(&mut peers) {
                peer.receive(1 << 10);
                if peer.has_answer() {
                    seen.count(peer.seen());
                    peer.reset();
                } else {
                    peers.push(peer);
                }
            }
            std::thread::sleep(SOON);
        }
        seen
    })
}

/// xorshift, the same bytes each time.
fn garbage(ground: &Ground<'_>) -> Seen {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    ground.shout(|_| {
        let words = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        });
        words.take(64).flatten().collect()
    })
}

/// A ClientHello of TLS 1.2 with one cipher suite and 32 bytes that are not random.
fn tls(ground: &Ground<'_>) -> Seen {
    let mut hello = vec![22, 3, 1, 0, 45, 1, 0, 0, 41, 3, 3];
    hello.extend_from_slice(&[7; 32]);
    hello.extend_from_slice(&[0, 0, 2, 0x13, 0x01, 1, 0]);
    ground.shout(|_| hello.clone())
}

/// What begins well, what follows without end, and the status that ends it.
const BOMBS: [(&str, &str, &str); 7] = [
    ("", "\r\n", "400 closed"),
    ("GET /", "path/", "414 closed"),
    ("GET / HTTP/1.1\r\nHost: a\r\n", "A: b\r\n", "431 closed"),
    ("GET / HTTP/1.1\r\nHost: a\r\nA: ", "long", "431 closed"),
    (
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;",
        "extension;",
        "400 closed",
    ),
    (
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        "A: b\r\n",
        "431 closed",
    ),
    (
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        "10\r\n0123456789abcdef\r\n",
        "413 closed",
    ),
];

fn bombs(ground: &Ground<'_>) -> Seen {
    let endless = BOMBS.map(|(_, more, _)| more.repeat((16 << 10) / more.len()));
    ground.again(|| {
        let mut peers = ground.crowd(b"");
        let mut seen = Seen::default();
        for (number, peer) in peers.iter_mut().enumerate() {
            peer.send(BOMBS[number % BOMBS.len()].0.as_bytes());
        }
        while !peers.iter().all(Peer::has_ended) {
            for (number, peer) in peers.iter_mut().enumerate() {
                if !peer.has_answer() {
                    peer.send(endless[number % BOMBS.len()].as_bytes());
                }
                peer.look();
            }
            std::thread::sleep(SOON);
        }
        for (number, peer) in peers.iter().enumerate() {
            let (got, (first, _, wanted)) = (peer.seen(), BOMBS[number % BOMBS.len()]);
            seen.count(if got == wanted {
                got
            } else {
                format!("{got} after {first:?}")
            });
        }
        seen
    })
}

fn pipelining(ground: &Ground<'_>) -> Seen {
    let many = ASK.repeat(1000);
    let mut peers = ground.crowd(&many);
    // Nothing is read until they must have been cut: what is not taken any more fails, or fills the way to the server.
    let begun = Instant::now();
    while begun.elapsed() < ground.cut {
        for peer in &mut peers {
            peer.send(&many);
        }
        std::thread::sleep(TICK);
    }
    settle(&mut peers, TICK, Peer::has_ended, |_| {});
    Seen::of(&peers)
}

const HALF_CLOSED: [&str; 3] = ["200 closed", "400 closed", "closed"];

fn half_closes(ground: &Ground<'_>) -> Seen {
    ground.again(|| {
        let mut peers = ground.crowd(b"");
        for (number, peer) in peers.iter_mut().enumerate() {
            peer.send([ASK, b"", &ASK[..20], &ASK.repeat(3)][number % 4]);
            peer.finish();
        }
        settle(&mut peers, SOON, Peer::has_ended, |_| {});
        Seen::of(&peers)
    })
}

/// All ask at once and stay. Those who were answered go when the time is over, so that those behind them come in.
fn patient_crowd(ground: &Ground<'_>) -> Seen {
    let mut peers = ground.crowd(ASK);
    std::thread::sleep(ground.time);
    let (begun, mut seen) = (Instant::now(), Seen::default());
    while !peers.is_empty() && begun.elapsed() < 10 * ground.time {
        peers.retain_mut(|peer| {
            peer.look();
            let stays = !peer.has_answer() && !peer.has_ended();
            if !stays {
                seen.count(peer.seen());
            }
            stays
        });
        std::thread::sleep(SOON);
    }
    for peer in &peers {
        seen.count(format!("{}, never served", peer.seen()));
    }
    seen
}

/// Every other one asks, the rest say nothing, and all stay.
fn crowd(ground: &Ground<'_>) -> Seen {
    let mut peers: Vec<Peer> = (0..ground.size)
        .map(|number| {
            let mut peer = Peer::connect(ground.address(number));
            if number % 2 == 0 {
                peer.send(ASK);
                settle(
                    std::slice::from_mut(&mut peer),
                    SOON / 5,
                    Peer::has_answer,
                    |_| {},
                );
            }
            peer
        })
        .collect();
    // Those who say nothing have made room, or their time is over.
    let done = |peer: &Peer| peer.has_answer() || peer.has_ended();
    settle(&mut peers, TICK, done, |_| {});
    peers.iter_mut().for_each(Peer::look);
    Seen::of(&peers)
}

/// Connects, asks once and goes, in four ways: says so before, hangs up, resets, resets without waiting for an answer.
fn churn(ground: &Ground<'_>) -> Seen {
    const BATCH: usize = 40;
    let mut seen = Seen::default();
    for batch in 0..ground.size / BATCH {
        let mut peers: Vec<Peer> = (0..BATCH)
            .map(|number| {
                let mut peer = Peer::connect(ground.address(batch * BATCH + number / 4));
                peer.send(if number % 4 == 0 { ASK_LAST } else { ASK });
                peer
            })
            .collect();
        for (number, mut peer) in peers.drain(..).enumerate() {
            let one = std::slice::from_mut(&mut peer);
            match number % 4 {
                0 => settle(one, SOON / 10, Peer::has_ended, |_| {}),
                1 | 2 => settle(one, SOON / 10, Peer::has_answer, |_| {}),
                _ => {}
            }
            seen.count(peer.seen());
            if number % 4 >= 2 {
                peer.reset();
            }
        }
    }
    seen
}

fn idle(ground: &Ground<'_>) -> Seen {
    let peers = idlers(ground);
    Seen::of(&peers)
}

fn idle_then_reset(ground: &Ground<'_>) -> Seen {
    let peers = idlers(ground);
    let seen = Seen::of(&peers);
    peers.into_iter().for_each(Peer::reset);
    seen
}

/// Connections that were answered once, and are still open after a while.
fn idlers(ground: &Ground<'_>) -> Vec<Peer> {
    let mut peers = ground.crowd(ASK);
    settle(&mut peers, SOON, Peer::has_answer, |_| {});
    std::thread::sleep(ground.time);
    peers.iter_mut().for_each(Peer::look);
    peers
}
