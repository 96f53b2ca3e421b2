//! Files that change, and that are not in memory, in a world: whatever fails, nothing old is served.

use core::time::Duration;
use std::rc::Rc;

use edgeloop::server::pool::{Pool, PoolLimits};
use edgeloop::sys::sim::{Peer, PeerState, Plan, World};
use edgeloop::web::{CacheLimits, CacheStats, Files};
use edgeloop::{EventLoop, Handler, Server};

use super::run::Said;
use super::scenes::Fault;

pub(super) const ROOT: &str = "/www";
pub(super) const SMALL: &str = "/www/d/small";
pub(super) const LARGE: &str = "/www/large";
/// More than a cache keeps in memory, and than a turn sends.
pub(super) const LARGE_BYTES: usize = 700_000;

/// What is done to files before somebody asks.
#[derive(Clone, Copy)]
enum Change {
    Nothing,
    Rewritten,
    Replaced,
    Removed,
    Cooled,
    /// So often that notices are lost.
    RewrittenAgainAndAgain,
}

/// What is done, to which file, and how it is asked for.
const STEPS: [(Change, &str, &str); 15] = [
    (Change::Nothing, SMALL, "/d/small"),
    (Change::Nothing, SMALL, "/d/small"),
    (Change::Rewritten, SMALL, "/d/small"),
    (Change::Replaced, SMALL, "/d/small"),
    (Change::Removed, SMALL, "/d/small"),
    (Change::Replaced, SMALL, "/d/small"),
    (Change::Cooled, SMALL, "/d/small"),
    (Change::RewrittenAgainAndAgain, SMALL, "/d/small"),
    (Change::Nothing, SMALL, "/d/small"),
    (Change::Nothing, LARGE, "/large"),
    (Change::Rewritten, LARGE, "/large"),
    (Change::Cooled, LARGE, "/large"),
    (Change::Replaced, LARGE, "/large"),
    (Change::Removed, LARGE, "/large"),
    (Change::Nothing, SMALL, "/none/of/them"),
];

/// The content with this number: long, if it is that of the large one.
pub(super) fn content(path: &str, number: usize) -> Rc<[u8]> {
    let line = format!("{number:09}\n");
    let times = if path == LARGE { LARGE_BYTES / 10 } else { 20 };
    Rc::from(line.repeat(times).into_bytes())
}

/// A server of files, and one client at a time.
pub(super) struct Stage<H: Handler = Files> {
    pub(super) server: EventLoop<H>,
    client: Option<Peer>,
    received: Vec<u8>,
}

impl Stage {
    pub(super) fn begin(limits: CacheLimits) -> Result<Stage, String> {
        let files = Files::new(ROOT).map_err(|error| format!("cannot open the root: {error}"))?;
        let pool = Pool::new(PoolLimits::default());
        Stage::of(files.cache(limits).with_listings().with_pool(pool))
    }
}

impl<H: Handler> Stage<H> {
    pub(super) fn of(handler: H) -> Result<Stage<H>, String> {
        let server = Server::bind("127.0.0.1:80").map_err(|error| error.to_string())?;
        let server = server.event_loop(handler, ());
        Ok(Stage {
            server: server.map_err(|error| error.to_string())?,
            client: None,
            received: Vec::new(),
        })
    }

    /// Asks, and waits for the answer: status and body. `None`: none came, or only half of it.
    pub(super) fn ask(
        &mut self,
        world: &World,
        path: &str,
    ) -> Result<Option<(u16, Vec<u8>)>, String> {
        self.ask_with(world, path, "")
    }

    /// The same with more lines in the head, each with its end.
    pub(super) fn ask_with(
        &mut self,
        world: &World,
        path: &str,
        lines: &str,
    ) -> Result<Option<(u16, Vec<u8>)>, String> {
        let is_open = |client: &Peer| client.state() == PeerState::Open;
        if !self.client.as_ref().is_some_and(is_open) {
            self.client = world.connect(80);
            self.received.clear();
        }
        let Some(client) = &self.client else {
            return Ok(None);
        };
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n{lines}\r\n").as_bytes());
        let begun = world.now();
        while world.now().since(begun) < Duration::from_secs(5) {
            let turned = self.server.turn(Some(Duration::from_secs(1)));
            turned.map_err(|error| error.to_string())?;
            client.receive(&mut self.received, usize::MAX);
            if let Some(answer) = whole(&mut self.received) {
                return Ok(Some(answer));
            }
            if !is_open(client) {
                break;
            }
        }
        self.client = None;
        Ok(None)
    }
}

/// Takes an answer out, once all of it has come.
pub(super) fn whole(received: &mut Vec<u8>) -> Option<(u16, Vec<u8>)> {
    let end = received.windows(4).position(|it| it == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&received[..end]).into_owned();
    let (_, length) = head.split_once("Content-Length: ")?;
    let length: usize = length.split('\r').next()?.parse().ok()?;
    let body = received.get(end..end + length)?.to_vec();
    received.drain(..end + length);
    Some((head[9..12].parse().ok()?, body))
}

fn change(world: &World, change: Change, path: &str, number: usize) {
    match change {
        Change::Nothing => {}
        Change::Rewritten => world.rewrite_file(path, content(path, number)),
        Change::Replaced => world.add_file(path, content(path, number)),
        Change::Removed => world.remove_file(path),
        Change::Cooled => {
            // Otherwise it would be remembered.
            world.rewrite_file(path, content(path, number));
            world.cool_file(path);
        }
        Change::RewrittenAgainAndAgain => {
            world.set_notices_max(3);
            for before in 0..9 {
                world.add_file(path, content(path, before));
                world.rewrite_file(path, content(path, number));
            }
        }
    }
}

/// Goes through all steps. With a fault answers may be errors, or none, but never what was there before.
pub(super) fn files_change(world: &World, fault: &Fault) -> Said<Option<String>> {
    world.add_file(SMALL, content(SMALL, 0));
    world.add_file(LARGE, content(LARGE, 0));
    let mut stage = match Stage::begin(CacheLimits::default()) {
        Ok(stage) => stage,
        Err(error) => return Ok(Some(error)),
    };
    let mut there = [(SMALL, Some(0)), (LARGE, Some(0))];
    let (mut failures, mut unanswered) = (Vec::new(), 0);
    for (number, (what, file, path)) in (1..).zip(STEPS) {
        change(world, what, file, number);
        let known = there
            .iter_mut()
            .find(|it| it.0 == file)
            .expect("one of two");
        match what {
            Change::Nothing => {}
            Change::Removed => known.1 = None,
            _ => known.1 = Some(number),
        }
        let wanted = known.1.filter(|_| file.ends_with(path));
        let answer = match stage.ask(world, path) {
            Ok(answer) => answer,
            Err(error) => return Ok(Some(error)),
        };
        // Where nobody is let in, nothing can be seen.
        unanswered += usize::from(answer.is_none());
        if unanswered > 2 {
            break;
        }
        let is_right = match (&answer, wanted) {
            (Some((200, body)), Some(number)) => body[..] == content(file, number)[..],
            (Some((404, _)), None) => true,
            (Some((200, _)), None) => false,
            _ => !matches!(fault.plan, Plan::Sound),
        };
        if !is_right {
            let (status, begin) = answer.map_or((0, String::new()), |(status, body)| {
                (
                    status,
                    String::from_utf8_lossy(&body[..body.len().min(20)]).into_owned(),
                )
            });
            failures.push(format!(
                "step {number}, {path}: {status}, {begin:?}, not {wanted:?}"
            ));
        }
    }
    match stage.ask(world, "/d/") {
        Ok(Some((200, list))) if list.windows(5).any(|it| it == b"small") => {}
        Ok(_) if !matches!(fault.plan, Plan::Sound) => {}
        Ok(answer) => failures.push(format!("a list: {answer:?}")),
        Err(error) => return Ok(Some(error)),
    }
    drop(stage);
    if failures.is_empty() {
        Ok(None)
    } else {
        Err(failures)
    }
}

pub(super) fn with_files(world: &World, scene: impl FnOnce(&World)) {
    world.add_file(SMALL, content(SMALL, 0));
    world.add_file(LARGE, content(LARGE, 0));
    scene(world);
    world.forget_steps();
    assert_eq!(world.open_descriptors(), 0);
}

pub(super) fn stats(stage: &Stage, files: &Files) -> CacheStats {
    let stats = files.cache_stats(stage.server.local());
    stats.expect("something was asked for")
}

/// A file that is remembered costs no call but those for the request itself.
pub(super) fn what_is_remembered_is_not_looked_at(world: &World) {
    use edgeloop::sys::sim::Call;
    with_files(world, |world| {
        let mut stage = Stage::begin(CacheLimits::default()).expect("begins");
        // Young files have weak tags, whose heads are not kept.
        world.advance(Duration::from_secs(5));
        for path in ["/d/small", "/large", "/none", "/d"] {
            stage.ask(world, path).expect("turns").expect("an answer");
        }
        let about_files = [
            Call::OpenPlain,
            Call::OpenResolved,
            Call::Metadata,
            Call::ReadAt,
            Call::FileSystem,
            Call::InotifyAdd,
            Call::Realtime,
            Call::Close,
        ];
        let made = || about_files.map(|call| world.calls(call));
        let before = made();
        for path in ["/d/small", "/large", "/none", "/d"] {
            stage.ask(world, path).expect("turns").expect("an answer");
        }
        let mut after = made();
        // The date is looked at once a second.
        after[6] = before[6].max(after[6].saturating_sub(2));
        assert_eq!(after, before);
    });
}

/// While one client's file is read from a disk, the others are served.
pub(super) fn a_cold_file_does_not_stop_the_loop(world: &World) {
    use edgeloop::sys::sim::Call;
    with_files(world, |world| {
        let mut stage = Stage::begin(CacheLimits::default()).expect("begins");
        stage
            .ask(world, "/d/small")
            .expect("turns")
            .expect("an answer");
        for path in [SMALL, LARGE] {
            world.rewrite_file(path, content(path, 1));
            world.cool_file(path);
        }
        let looked = |world: &World| {
            let calls = [Call::OpenResolved, Call::ReadAt, Call::SendFile];
            calls.map(|call| world.calls(call))
        };
        let before = looked(world);
        // On the loop nothing is opened that may wait: that is for the thread, whose work comes later.
        let client = world.connect(80).expect("listens");
        client.send(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
        while world.calls(Call::OpenPlain) < 6 {
            stage.server.turn(Some(Duration::ZERO)).expect("turns");
        }
        assert_eq!(looked(world), before);
        let other = stage
            .ask(world, "/d/small")
            .expect("turns")
            .expect("an answer");
        assert_eq!(other.1, &content(SMALL, 1)[..]);
        let mut received = Vec::new();
        for _ in 0..100 {
            stage
                .server
                .turn(Some(Duration::from_secs(1)))
                .expect("turns");
            client.receive(&mut received, usize::MAX);
        }
        let answer = whole(&mut received).expect("an answer");
        assert!(answer.1[..] == content(LARGE, 1)[..]);
        drop((stage, client));
    });
}

/// The budgets hold, and what was asked for of late stays.
pub(super) fn what_is_remembered_stays_within_its_bounds(world: &World) {
    with_files(world, |world| {
        for number in 0..40 {
            world.add_file(format!("{ROOT}/many/{number}"), content(SMALL, number));
            world.add_file(format!("{ROOT}/big/{number}"), content(LARGE, number));
        }
        let limits = CacheLimits {
            bytes_max: 10_000,
            files_max: 3,
            places_max: 12,
            ..CacheLimits::default()
        };
        let files = Files::new(ROOT).expect("a directory").cache(limits);
        let server = Server::bind("127.0.0.1:80").expect("free");
        let mut stage = Stage {
            server: server.event_loop(files.clone(), ()).expect("listens"),
            client: None,
            received: Vec::new(),
        };
        for number in 0..40 {
            for (path, file) in [("many", SMALL), ("big", LARGE), ("many", SMALL)] {
                let path = format!("/{path}/{number}");
                let answer = stage.ask(world, &path).expect("turns").expect("an answer");
                assert!(answer.1[..] == content(file, number)[..], "{path}");
            }
            stage.ask(world, "/d/small").expect("turns");
            let stats = stats(&stage, &files);
            assert!(stats.bytes <= 10_000 && stats.files <= 3, "{stats:?}");
            assert!(stats.places <= 12 && stats.watches <= 16, "{stats:?}");
        }
        let stats = stats(&stage, &files);
        assert!(stats.evicted >= 60 && stats.lost == 0, "{stats:?}");
        assert!(stats.hits >= 70, "{stats:?}");
    });
}

/// The tag of a young file is weak, and strong once the file has settled: also that of one that is remembered.
pub(super) fn the_tag_of_what_is_remembered_becomes_a_strong_one(world: &World) {
    with_files(world, |world| {
        let mut stage = Stage::begin(CacheLimits::default()).expect("begins");
        world.rewrite_file(SMALL, content(SMALL, 1));
        let tag = |stage: &mut Stage| {
            let client = world.connect(80).expect("listens");
            client.send(b"GET /d/small HTTP/1.0\r\nHost: a\r\n\r\n");
            let mut received = Vec::new();
            while client.state() == PeerState::Open {
                stage
                    .server
                    .turn(Some(Duration::from_secs(1)))
                    .expect("turns");
                client.receive(&mut received, usize::MAX);
            }
            let text = String::from_utf8(received).expect("text");
            let (_, tag) = text.split_once("ETag: ").expect("it has one");
            tag.split('\r').next().expect("a line").to_owned()
        };
        let young = tag(&mut stage);
        assert!(young.starts_with("W/\""), "{young}");
        assert_eq!(tag(&mut stage), young);
        world.advance(Duration::from_secs(3));
        let settled = tag(&mut stage);
        assert_eq!(Some(&settled[..]), young.strip_prefix("W/"));
        assert_eq!(tag(&mut stage), settled);
        world.rewrite_file(SMALL, content(SMALL, 2));
        let again = tag(&mut stage);
        assert!(again.starts_with("W/\"") && again != young, "{again}");
    });
}
