//! Files that are on a disk and not in memory, in a world: the loop's own thread never waits for them where there is a pool.

use core::time::Duration;
use std::rc::Rc;

use edgeloop::server::pool::{Pool, PoolLimits};
use edgeloop::sys::sim::{Call, Peer, PeerState, Plan, World};
use edgeloop::web::Files;

use super::fresh::{LARGE, LARGE_BYTES, ROOT, SMALL, Stage, content, whole, with_files};

/// Larger than what is sent with the head, smaller than what a cache keeps; what is in memory of it begins it.
const MIDDLE: &str = "/www/middle.txt";
const PAGES: [&str; 3] = ["/www/404.html", "/www/app.html", "/www/coded.txt.gz"];

fn files() -> Files {
    let files = Files::new(ROOT).expect("a directory");
    let files = files.with_error_page(404, "/404.html").expect("a page");
    let files = files.with_fallback("/app.html").expect("a page");
    files.with_listings()
}

/// Served as it is and from what is remembered, whatever is cold.
pub(super) fn nothing_that_is_served_is_waited_for_by_the_loop(world: &World) {
    with_files(world, |world| {
        world.add_file(MIDDLE, Rc::from(content(SMALL, 1).repeat(100)));
        world.add_file("/www/coded.txt", content(SMALL, 2));
        for page in PAGES {
            world.add_file(page, content(SMALL, 3));
        }
        for files in [files(), files().without_cache()] {
            let pool = Pool::new(PoolLimits::default());
            let mut stage = Stage::of(files.with_pool(pool)).expect("begins");
            for (path, lines, status) in [
                ("/d/small", "", 200),
                ("/large", "", 200),
                ("/large", "Range: bytes=500000-500009\r\n", 206),
                ("/middle.txt", "", 200),
                ("/coded.txt", "Accept-Encoding: gzip\r\n", 200),
                ("/none.txt", "", 404),
                ("/none", "Accept: text/html\r\n", 200),
                ("/d/", "", 200),
                ("/large", "If-None-Match: *\r\n", 304),
            ] {
                for _ in 0..2 {
                    for file in [SMALL, LARGE, MIDDLE, "/www/coded.txt"] {
                        world.cool_file(file);
                    }
                    for page in PAGES {
                        world.cool_file(page);
                    }
                    let answer = stage.ask_with(world, path, lines).expect("turns");
                    let answer = answer.map_or(304, |(status, _)| status);
                    assert_eq!(answer, status, "{path}");
                    assert_eq!(world.disk_waits(), 0, "{path} {lines}");
                }
            }
            // Part of what is sent may be cold: the end of a small file, a sibling.
            for (path, cold) in [("/middle.txt", MIDDLE), ("/coded.txt", PAGES[2])] {
                let lines = "Accept-Encoding: gzip\r\n";
                stage.ask_with(world, path, lines).expect("turns");
                world.cool_part(cold, 8192..20_000);
                if cold != MIDDLE {
                    world.cool_file(cold);
                }
                let answer = stage.ask_with(world, path, lines).expect("turns");
                assert_eq!(answer.map(|(status, _)| status), Some(200));
                assert_eq!(world.disk_waits(), 0, "part of {path}");
            }
        }
    });
}

/// What is in memory may be any of its pages.
pub(super) fn a_hole_in_the_middle_of_a_piece_is_read_by_the_pool(world: &World) {
    with_files(world, |world| {
        let pool = Pool::new(PoolLimits::default());
        let mut stage = Stage::of(files().with_pool(pool)).expect("begins");
        for at in [20_000, 300_000, 600_000] {
            world.cool_part(LARGE, at..at + 1);
            let (_, body) = stage
                .ask(world, "/large")
                .expect("turns")
                .expect("an answer");
            assert!(body[..] == content(LARGE, 0)[..]);
            assert_eq!(world.disk_waits(), 0, "the page at {at}");
        }
    });
}

fn turn(stage: &mut Stage, client: &Peer, received: &mut Vec<u8>) {
    let turned = stage.server.turn(Some(Duration::from_millis(100)));
    turned.expect("turns");
    client.receive(received, usize::MAX);
}

/// From here on no thread can be had, or every one again.
fn withhold_threads(world: &World, are_withheld: bool) {
    world.set_plan(if are_withheld {
        Plan::At {
            call: Call::StartThread,
            errno: libc::EAGAIN,
            nth: world.calls(Call::StartThread) + 1,
            for_good: true,
        }
    } else {
        Plan::Sound
    });
}

/// Asks for what is cold in its middle.
fn ask_for_half(world: &World, stage: &mut Stage) -> Peer {
    stage
        .ask(world, "/large")
        .expect("turns")
        .expect("an answer");
    world.cool_part(LARGE, 400_000..u64::MAX);
    let client = world.connect(80).expect("listens");
    client.send(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
    client
}

/// The answer has begun: it goes on when there are threads again, and nobody waits for a disk meanwhile.
pub(super) fn without_a_thread_the_middle_of_a_file_is_waited_for(world: &World) {
    with_files(world, |world| {
        let pool = Pool::new(PoolLimits::default());
        let mut stage = Stage::of(files().with_pool(pool)).expect("begins");
        withhold_threads(world, true);
        let client = ask_for_half(world, &mut stage);
        let (mut received, begun) = (Vec::new(), world.now());
        while world.now().since(begun) < Duration::from_secs(2) {
            turn(&mut stage, &client, &mut received);
        }
        assert!((1..LARGE_BYTES).contains(&received.len()), "it has begun");
        assert_eq!(world.disk_waits(), 0);
        assert!(world.calls(Call::StartThread) < 100, "it does not spin");
        withhold_threads(world, false);
        let again = world.now();
        let (status, body) = loop {
            turn(&mut stage, &client, &mut received);
            if let Some(answer) = whole(&mut received) {
                break answer;
            }
            assert!(
                world.now().since(again) < Duration::from_secs(2),
                "all of it"
            );
        };
        assert!(status == 200 && body[..] == content(LARGE, 0)[..]);
        assert_eq!(world.disk_waits(), 0);
        drop((stage, client));
    });
}

/// What was promised can't be kept: the client is told by a reset, and waits no longer than it has to.
pub(super) fn a_pool_without_threads_ends_the_answer(world: &World) {
    with_files(world, |world| {
        let pool = Pool::new(PoolLimits::default());
        let mut stage = Stage::of(files().with_pool(pool)).expect("begins");
        withhold_threads(world, true);
        let client = ask_for_half(world, &mut stage);
        let (mut received, begun) = (Vec::new(), world.now());
        while client.state() == PeerState::Open {
            turn(&mut stage, &client, &mut received);
            assert!(
                world.now().since(begun) < Duration::from_secs(60),
                "for ever"
            );
        }
        assert_eq!(client.state(), PeerState::Reset);
        assert_eq!(world.disk_waits(), 0);
        drop((stage, client));
    });
}
