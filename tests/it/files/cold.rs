//! Files that are on a disk and nowhere else: threads of a pool read them, and the loop does not wait.

use std::fs::File;
use std::io;
use std::path::Path;

use edgeloop::server::pool::{Pool, PoolLimits};
use edgeloop::sys::{at_hand, file};
use edgeloop::web::Files;
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};

use super::{Site, directory, noise, write};

/// Has the kernel forget what it has of a file.
fn cool(root: &Path, name: &str) {
    let file = File::open(root.join(name)).expect("is there");
    file.sync_all().expect("a disk");
    posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED).expect("a file");
}

/// Whether the kernel forgets, and can tell. Whoever asks it for what it has not has it read from then on, so that is tried
/// with a file that nobody asks for.
fn can_be_cold(root: &Path) -> bool {
    write(&root.join("tried"), &noise(3_000));
    cool(root, "tried");
    let tried = file::open_root(root).and_then(|root| file::open_beneath(&root, b"tried"));
    let read = at_hand::read_at_hand(&tried.expect("is there"), &mut [0], 0);
    read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

/// Where the file system of temporary files is on no disk, or can't tell, there is nothing to be seen.
#[test]
fn cold_files_are_read_by_the_pool() {
    for with_cache in [true, false] {
        let root = directory(&[]);
        let (small, large) = (noise(3_000), noise(5 << 20));
        write(&root.join("small"), &small);
        write(&root.join("large"), &large);
        let pool = Pool::new(PoolLimits::default());
        let files = Files::new(&root)
            .expect("a directory")
            .with_pool(pool.clone());
        let files = if with_cache {
            files
        } else {
            files.without_cache()
        };
        let site = Site::serve(root, files);
        for (name, content) in [("small", &small), ("large", &large)] {
            let is_cold = can_be_cold(&site.root);
            cool(&site.root, name);
            let before = pool.stats().ended;
            let answer = site.check(&format!("GET /{name}"), &[], 200);
            assert!(answer.body == *content, "{name}");
            if is_cold {
                assert!(pool.stats().ended > before, "{name} {with_cache}");
            } else {
                eprintln!("nothing is cold here");
            }
        }
        assert_eq!(pool.stats().refused, 0);
    }
}
