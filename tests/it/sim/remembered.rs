//! What is remembered of files, in a world: it stays within its bounds, and goes when nobody wants it.

use core::time::Duration;

use edgeloop::sys::sim::{Call, Plan, World};
use edgeloop::web::{CacheLimits, Files};
use edgeloop::{Reply, Request, ResponseWriter};

use super::fresh::{LARGE, ROOT, SMALL, Stage, content, stats, with_files};

const GZIP: &str = "Accept-Encoding: gzip\r\n";

fn files(limits: CacheLimits) -> (Stage, Files) {
    let files = Files::new(ROOT).expect("a directory").cache(limits);
    let stage = Stage::of(files.clone()).expect("begins");
    (stage, files)
}

/// A program that makes them anew again and again has the queues and the files of the last ones only.
pub(super) fn a_cache_goes_with_the_files_that_it_is_of(world: &World) {
    with_files(world, |world| {
        let handler = |req: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
            let mut files = Files::new(ROOT).expect("a directory");
            files.serve(req, req.path(), res)
        };
        let mut stage = Stage::of(handler).expect("begins");
        let mut most = 0;
        for round in 0..20 {
            let answer = stage.ask(world, "/large").expect("turns");
            assert_eq!(answer.expect("an answer").0, 200);
            if round == 2 {
                most = world.open_descriptors();
            }
        }
        assert!(world.open_descriptors() <= most, "they pile up");
    });
}

pub(super) fn each_of_two_bounds_has_a_cache_of_its_own(world: &World) {
    with_files(world, |world| {
        let (mut stage, files) = files(CacheLimits::default());
        stage.ask(world, "/d/small").expect("turns");
        assert!(stats(&stage, &files).places > 0);
        let other = files.cache(CacheLimits {
            files_max: 7,
            ..CacheLimits::default()
        });
        assert_eq!(other.cache_stats(stage.server.local()), None);
    });
}

/// A file with its siblings counts as one.
pub(super) fn a_group_of_siblings_stays_within_the_bounds(world: &World) {
    with_files(world, |world| {
        for suffix in [".gz", ".br"] {
            world.add_file(format!("{LARGE}{suffix}"), content(LARGE, 1));
        }
        let (mut stage, files) = files(CacheLimits {
            files_max: 2,
            ..CacheLimits::default()
        });
        for lines in ["", GZIP, GZIP] {
            let answer = stage.ask_with(world, "/large", lines).expect("turns");
            let body = answer.expect("an answer").1;
            let number = usize::from(!lines.is_empty());
            assert!(body[..] == content(LARGE, number)[..]);
            let stats = stats(&stage, &files);
            assert!(stats.files <= 2, "{stats:?}");
        }
    });
}

/// Descriptors may have run out: what could not be opened is there all the same.
pub(super) fn a_sibling_that_fails_is_not_remembered_as_none(world: &World) {
    with_files(world, |world| {
        world.add_file(format!("{SMALL}.gz"), content(SMALL, 1));
        let calls = |world: &World| world.calls(Call::OpenPlain);
        let ask = |stage: &mut Stage| {
            let answer = stage.ask_with(world, "/d/small", GZIP).expect("turns");
            answer.map(|(status, body)| (status, body[..] == content(SMALL, 1)[..]))
        };
        let (mut stage, _) = files(CacheLimits::default());
        let before = calls(world);
        assert_eq!(ask(&mut stage), Some((200, true)));
        let opened = calls(world) - before;
        for nth in 1..=opened {
            world.rewrite_file(SMALL, content(SMALL, 0));
            world.set_plan(Plan::At {
                call: Call::OpenPlain,
                errno: libc::EMFILE,
                nth: calls(world) + nth,
                for_good: false,
            });
            ask(&mut stage);
            world.set_plan(Plan::Sound);
            assert_eq!(ask(&mut stage), Some((200, true)), "after call {nth}");
        }
    });
}

/// One that was not asked for of late goes, with what is in it.
pub(super) fn one_directory_more_costs_another_one_and_not_all(world: &World) {
    with_files(world, |world| {
        for number in 0..40 {
            world.add_file(format!("{ROOT}/{number}/deep/file"), content(SMALL, number));
        }
        let (mut stage, files) = files(CacheLimits {
            directories_max: 9,
            ..CacheLimits::default()
        });
        for number in 0..40 {
            let path = format!("/{number}/deep/file");
            let answer = stage.ask(world, &path).expect("turns").expect("an answer");
            assert!(answer.1[..] == content(SMALL, number)[..], "{path}");
            let stats = stats(&stage, &files);
            assert!(stats.places > number.min(3), "{number}: {stats:?}");
            assert!(stats.watches <= 9 + stats.places, "{stats:?}");
        }
        assert_eq!(stats(&stage, &files).lost, 0);
    });
}

/// What was sent last is no different from what was sent before.
pub(super) fn what_was_removed_is_not_kept_open(world: &World) {
    with_files(world, |world| {
        let (mut stage, _) = files(CacheLimits::default());
        stage.ask(world, "/d/small").expect("turns");
        let before = world.open_descriptors();
        stage
            .ask(world, "/large")
            .expect("turns")
            .expect("an answer");
        assert_eq!(world.open_descriptors(), before + 1);
        world.remove_file(LARGE);
        let turned = stage.server.turn(Some(Duration::from_secs(1)));
        turned.expect("turns");
        assert_eq!(world.open_descriptors(), before);
    });
}
