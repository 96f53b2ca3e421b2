//! What must not be served, and what the kernel refuses.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;

use edgeloop::web::Files;
use edgeloop::{Handler, Reply, Request, ResponseWriter};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use super::{Site, directory};

#[test]
fn nothing_outside_of_the_root_is_served() {
    let site = Site::new(&[("public/index.html", b""), ("secret", b"secret")]);
    let root = site.root.join("public");
    symlink("../secret", root.join("link")).expect("a link");
    symlink("..", root.join("up")).expect("a link");
    symlink("/etc", root.join("etc")).expect("a link");
    symlink("index.html", root.join("inside")).expect("a link");
    let site = Site::serve(site.root.clone(), Files::new(&root).expect("a directory"));
    for (path, status) in [
        ("/../secret", 400),
        ("/%2e%2e/secret", 400),
        ("/.%2e/secret", 400),
        ("/..%2fsecret", 400),
        ("/%2e%2e%2fsecret", 400),
        ("/%2fetc/passwd", 400),
        ("/a/../../secret", 400),
        ("/index.html%00.txt", 400),
        ("/%252e%252e/secret", 404),
        ("/..%5csecret", 404),
        ("/link", 404),
        ("/up/secret", 404),
        ("/etc/passwd", 404),
        ("/etc", 404),
        ("//etc/passwd", 404),
        ("/inside", 200),
    ] {
        let answer = site.check(&format!("GET {path}"), &[], status);
        assert!(
            !answer.body.windows(6).any(|six| six == b"secret"),
            "{path}"
        );
    }
}

#[test]
fn dotfiles_are_hidden_unless_they_are_served() {
    let files: [(&str, &[u8]); 4] = [
        (".env", b"secret"),
        (".git/config", b"secret"),
        ("a/.b", b"secret"),
        (".well-known/security.txt", b"known"),
    ];
    let site = Site::new(&files);
    for path in [
        "/.env",
        "/%2eenv",
        "/.git",
        "/.git/config",
        "/a/.b",
        "/.none",
    ] {
        site.check(&format!("GET {path}"), &[], 404);
    }
    site.check("GET /.well-known/security.txt", &[], 200);
    let root = directory(&files);
    let handler = Files::new(&root).expect("a directory").with_dotfiles();
    let site = Site::serve_files(root, handler);
    site.check("GET /.env", &[], 200);
    site.check("GET /.git/config", &[], 200);
}

#[test]
fn what_is_no_file_is_not_found() {
    let site = Site::new(&[]);
    let fifo = site.root.join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("a new name");
    let _listener = UnixListener::bind(site.root.join("socket")).expect("a new name");
    symlink("loop", site.root.join("loop")).expect("a link");
    for path in ["/fifo", "/fifo/", "/socket", "/loop", "/none", "/none/none"] {
        let answer = site.check(&format!("GET {path}"), &[], 404);
        assert_eq!(answer.body, b"not found\n");
        assert_eq!(answer.field("x-content-type-options"), Some("nosniff"));
    }
    // A device, and the links of proc(5) that lead anywhere.
    let devices = Files::new("/dev").expect("every Linux has it");
    Site::serve(directory(&[]), devices).check("GET /null", &[], 404);
    let process = Files::new("/proc/self").expect("every Linux has it");
    let process = Site::serve(directory(&[]), process);
    process.check("GET /exe", &[], 404);
    process.check("GET /root/etc/passwd", &[], 404);
}

#[test]
fn what_may_not_be_read_is_forbidden() {
    let site = Site::new(&[("closed", b"secret"), ("open", b"open")]);
    let closed = fs::Permissions::from_mode(0o000);
    fs::set_permissions(site.root.join("closed"), closed).expect("ours");
    let files = Files::new(&site.root).expect("a directory");
    // Who runs the tests may be allowed everything: the server's thread is nobody to the file system.
    let handler = move |req: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
        nix::unistd::setfsuid(nix::unistd::Uid::from_raw(65534));
        files.clone().on_request(req, res)
    };
    let site = Site::serve(site.root.clone(), handler);
    site.check("GET /closed", &[], 403);
    site.check("GET /open", &[], 200);
}

/// Has the calling thread be told `errno` whenever it calls openat2 (seccomp(2)).
fn refuse_openat2(errno: i32) {
    let op = |code: u32, jf: u8, k: u32| libc::sock_filter {
        code: u16::try_from(code).expect("a small number"),
        jt: 0,
        jf,
        k,
    };
    let number = u32::try_from(libc::SYS_openat2).expect("a small number");
    let refusal = libc::SECCOMP_RET_ERRNO | errno.unsigned_abs();
    // The number of the system call is what seccomp_data begins with.
    let mut program = [
        op(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
        op(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 1, number),
        op(libc::BPF_RET, 0, refusal),
        op(libc::BPF_RET, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let filter = libc::sock_fprog {
        len: 4,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: the first call takes numbers only; the second reads the filter, which outlives it.
    let done = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            | libc::prctl(
                libc::PR_SET_SECCOMP,
                libc::SECCOMP_MODE_FILTER,
                &raw const filter,
            )
    };
    assert_eq!(done, 0);
}

#[test]
fn what_the_kernel_says_is_what_the_client_is_told() {
    for (errno, status) in [
        (libc::EMFILE, 503),
        (libc::ENFILE, 503),
        (libc::EAGAIN, 503),
        (libc::EINTR, 503),
        (libc::EIO, 500),
        (libc::EACCES, 403),
        (libc::EXDEV, 404),
        // There is no openat2: it goes without.
        (libc::ENOSYS, 200),
        (libc::EPERM, 200),
    ] {
        let root = directory(&[("a/b", b"content")]);
        let files = Files::new(&root).expect("a directory");
        let mut refused = false;
        let handler = move |req: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
            // On the server's thread, which ends with the test.
            if !std::mem::replace(&mut refused, true) {
                refuse_openat2(errno);
            }
            files.clone().on_request(req, res)
        };
        let site = Site::serve(root, handler);
        let answer = site.check("GET /a/b", &[], status);
        // RFC 9110 §15.6.4.
        let retry_after = (status == 503).then_some("1");
        assert_eq!(answer.field("retry-after"), retry_after);
        // It goes on, whatever it was.
        site.check("GET /a/b", &[], status);
        site.check("POST /a/b", &[], 405);
    }
}

/// Whether a name was opened since the queue was looked at last: looking at it is no opening.
fn was_opened(queue: &Inotify) -> bool {
    queue.read_events().is_ok_and(|events| !events.is_empty())
}

#[test]
fn without_openat2_what_is_no_file_is_not_opened_either() {
    let root = directory(&[("d/file", b"content")]);
    let fifo = root.join("d/fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("a new name");
    let queue = Inotify::init(InitFlags::IN_NONBLOCK).expect("a queue");
    queue
        .add_watch(&fifo, AddWatchFlags::IN_OPEN)
        .expect("it is there");
    let files = Files::new(&root).expect("a directory").with_listings();
    let mut refused = false;
    let handler = move |req: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
        if !std::mem::replace(&mut refused, true) {
            refuse_openat2(libc::ENOSYS);
        }
        files.clone().on_request(req, res)
    };
    let site = Site::serve(root, handler);
    site.check("GET /d/fifo", &[], 404);
    let list = site.check("GET /d/", &[], 200);
    assert!(!String::from_utf8_lossy(&list.body).contains("fifo"));
    site.check("GET /d/file", &[], 200);
    site.check("GET /d", &[], 308);
    assert!(!was_opened(&queue));
}

/// It may be gone through and not be read, which is all that its slash needs.
#[test]
fn a_directory_that_may_not_be_read_has_its_slash_and_its_files() {
    let site = Site::new(&[("d/file", b"content"), ("d/index.html", b"index")]);
    let through = fs::Permissions::from_mode(0o711);
    fs::set_permissions(site.root.join("d"), through).expect("ours");
    let files = Files::new(&site.root).expect("a directory");
    for files in [files.clone().without_cache(), files] {
        let handler = move |req: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
            nix::unistd::setfsuid(nix::unistd::Uid::from_raw(65534));
            files.clone().on_request(req, res)
        };
        let site = Site::serve(directory(&[]), handler);
        for _ in 0..2 {
            site.check("GET /d", &[], 308);
            site.check("GET /d/file", &[], 200);
            site.check("GET /d/", &[], 200);
        }
    }
}

#[test]
fn what_is_no_file_is_not_even_opened() {
    let root = directory(&[("file", b"content")]);
    let fifo = root.join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("a new name");
    let queue = Inotify::init(InitFlags::IN_NONBLOCK).expect("a queue");
    for name in ["file", "fifo"] {
        let path = root.join(name);
        let flags = AddWatchFlags::IN_OPEN;
        queue.add_watch(&path, flags).expect("it is there");
    }
    let files = Files::new(&root).expect("a directory");
    for files in [
        files.clone(),
        files.clone().without_cache(),
        files.with_listings(),
    ] {
        let site = Site::serve(directory(&[]), files);
        site.check("GET /fifo", &[], 404);
        site.check("GET /fifo/", &[], 404);
        site.check("GET /fifo", &["Accept-Encoding: gzip"], 404);
        site.ask("GET /", &[]);
        assert!(!was_opened(&queue));
        site.check("GET /file", &[], 200);
        assert!(was_opened(&queue));
    }
    fs::remove_dir_all(root).expect("ours");
}
