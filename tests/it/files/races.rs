//! Trees that change while files are asked for: nothing outside of the root is ever served.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use edgeloop::web::Files;

use super::{Site, directory, head, take_answer};

/// How many requests go on while the tree changes: more, up to so many, until both were seen, for the thread that changes it
/// has its turn when the system says.
const REQUESTS: usize = 3000;
const REQUESTS_MAX: usize = 300_000;

/// Serves `root/public` while `change` goes on beside it, over and over, and asks for each path in turn: what the answers
/// were, which are "inside" or 404 and nothing else.
fn race(change: impl Fn(&Path) + Send + Sync, paths: &[&str]) -> (usize, usize) {
    let root = directory(&[
        ("public/dir/file", b"inside"),
        ("public/dir/deep/file", b"inside"),
        ("outside/file", b"secret"),
        ("outside/deep/file", b"secret"),
    ]);
    symlink("../outside", root.join("public/way-out")).expect("a link");
    symlink("../../outside/file", root.join("public/dir/file-out")).expect("a link");
    let files = Files::new(root.join("public")).expect("a directory");
    let site = Site::serve(root, files);
    let over = AtomicBool::new(false);
    let ended = Ended(&over);
    let (mut inside, mut missing) = (0, 0);
    thread::scope(|scope| {
        let ended = ended;
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                change(&site.root);
            }
        });
        let mut stream = site.connect();
        let mut bytes = Vec::new();
        for at in 0..REQUESTS_MAX {
            if at >= REQUESTS && inside > 0 && missing > 0 {
                break;
            }
            let line = format!("GET {}", paths[at % paths.len()]);
            stream
                .write_all(head(&line, &[]).as_bytes())
                .expect("connected");
            let answer = loop {
                if let Some(answer) = take_answer(&mut bytes) {
                    break answer;
                }
                let mut more = [0; 4096];
                let read = stream.read(&mut more).expect("an answer");
                assert!(read > 0, "closed");
                bytes.extend_from_slice(&more[..read]);
            };
            match answer.status {
                200 => {
                    assert_eq!(answer.body, b"inside", "{line}");
                    inside += 1;
                }
                404 => missing += 1,
                // A directory for the moment, and a tree that changes faster than it can be looked at.
                308 | 503 => {}
                status => panic!("{status} for {line}"),
            }
        }
        drop(ended);
    });
    (inside, missing)
}

/// Ends the changes, also when an answer is one that must not be.
struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Has two names change places, at once (renameat2(2)).
fn exchange(one: &Path, other: &Path) {
    use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
    renameat2(AT_FDCWD, one, AT_FDCWD, other, RenameFlags::RENAME_EXCHANGE)
        .expect("both are there");
}

#[test]
fn a_directory_that_becomes_a_link_leads_nowhere() {
    let change = |root: &Path| exchange(&root.join("public/dir"), &root.join("public/way-out"));
    let (inside, missing) = race(change, &["/dir/file", "/dir/deep/file", "/way-out/file"]);
    assert!(inside > 0 && missing > 0, "{inside} {missing}");
}

#[test]
fn a_file_that_becomes_a_link_leads_nowhere() {
    let change = |root: &Path| {
        exchange(
            &root.join("public/dir/file"),
            &root.join("public/dir/file-out"),
        );
    };
    let (inside, missing) = race(change, &["/dir/file", "/dir/file-out"]);
    assert!(inside > 0 && missing > 0, "{inside} {missing}");
}

#[test]
fn a_directory_that_is_moved_out_and_back_is_no_way_out() {
    let change = |root: &Path| {
        fs::rename(root.join("public/dir"), root.join("moved")).expect("is there");
        thread::yield_now();
        fs::rename(root.join("moved"), root.join("public/dir")).expect("is there");
    };
    let (inside, missing) = race(
        change,
        &["/dir/deep/file", "/dir/deep/../file", "/dir/file"],
    );
    assert!(inside > 0 && missing > 0, "{inside} {missing}");
}

#[test]
fn a_directory_deep_down_that_becomes_a_link_leads_nowhere() {
    // The link says `../outside`, which from down there is another place: below the root, where nothing is.
    let change = |root: &Path| {
        exchange(&root.join("public/dir/deep"), &root.join("public/way-out"));
    };
    let (inside, missing) = race(change, &["/dir/deep/file", "/way-out/file"]);
    assert!(inside > 0 && missing > 0, "{inside} {missing}");
}
