//! Static files, end to end: requests as bytes over a socket, files in a directory of the test's own.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::alloc::allocations;
use edgeloop::sys::{Address, file};
use edgeloop::web::Files;
use edgeloop::{Handle, Handler, Reply, Request, ResponseWriter, Server};

/// Sun, 06 Nov 1994 08:49:37 GMT: when every file of a [`Site`] was changed.
const MODIFIED: Duration = Duration::from_secs(784_111_777);
const MODIFIED_TEXT: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

/// A directory with a server for it, both gone when dropped.
struct Site {
    root: PathBuf,
    address: SocketAddr,
    handle: Handle,
    server: Option<JoinHandle<()>>,
}

impl Site {
    fn new(files: &[(&str, &[u8])]) -> Site {
        let root = directory(files);
        let handler = Files::new(&root).expect("a directory");
        Site::serve(root, handler)
    }

    fn serve(root: PathBuf, handler: impl Handler + Clone + Send + Sync + 'static) -> Site {
        let server = Server::bind("127.0.0.1:0").expect("a free port");
        let serving = server.serve_fn(handler).expect("listens");
        let handle = serving.handle();
        let Address::Ip(address) = serving.addresses()[0] else {
            panic!("an IP address")
        };
        let server = std::thread::spawn(move || {
            serving.run().expect("runs");
        });
        Site {
            root,
            address,
            handle,
            server: Some(server),
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("listens");
        let most = Some(Duration::from_secs(20));
        stream.set_read_timeout(most).expect("not zero");
        stream
    }

    fn ask(&self, line: &str, fields: &[&str]) -> Answer {
        let mut stream = self.connect();
        let head = head(line, &[fields, &["Connection: close"]].concat());
        stream.write_all(head.as_bytes()).expect("connected");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("an answer");
        Answer::parse(&bytes)
    }

    fn check(&self, line: &str, fields: &[&str], status: u16) -> Answer {
        let answer = self.ask(line, fields);
        assert_eq!(answer.status, status, "{line} {fields:?}");
        answer
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.handle.stop();
        let ended = self.server.take().map(JoinHandle::join);
        let _ = fs::remove_dir_all(&self.root);
        if !std::thread::panicking() {
            ended.expect("was started").expect("did not panic");
        }
    }
}

fn directory(files: &[(&str, &[u8])]) -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("edgeloop-files-{}-{number}", std::process::id());
    let root = std::env::temp_dir().join(name);
    fs::create_dir(&root).expect("a new directory");
    for (name, content) in files {
        write(&root.join(name), content);
    }
    root
}

fn write(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().expect("below the root")).expect("a directory");
    fs::write(path, content).expect("a file");
    let file = File::options().write(true).open(path).expect("is there");
    file.set_modified(UNIX_EPOCH + MODIFIED).expect("ours");
}

fn head(line: &str, fields: &[&str]) -> String {
    let line = format!("{line} HTTP/1.1");
    [&[&line, "Host: a"], fields, &["\r\n"]]
        .concat()
        .join("\r\n")
}

/// An answer that ended with its connection.
#[derive(Debug)]
struct Answer {
    status: u16,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Answer {
        let mut slots = [httparse::EMPTY_HEADER; 32];
        let mut response = httparse::Response::new(&mut slots);
        let parsed = response.parse(bytes).expect("HTTP");
        let httparse::Status::Complete(used) = parsed else {
            panic!("a whole head: {:?}", String::from_utf8_lossy(bytes))
        };
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        Answer {
            status: response.code.expect("a status"),
            fields: response
                .headers
                .iter()
                .map(|field| (field.name.to_ascii_lowercase(), text(field.value)))
                .collect(),
            body: bytes[used..].to_vec(),
        }
    }

    fn field(&self, name: &str) -> Option<&str> {
        let mut values = self.fields.iter().filter(|(each, _)| each == name);
        let value = values.next().map(|(_, value)| value.as_str());
        assert_eq!(values.next(), None, "{name} once");
        value
    }
}

fn noise(length: usize) -> Vec<u8> {
    let mut state = 1u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn a_file_is_sent_with_all_that_is_known_of_it() {
    let content = noise(1024);
    let site = Site::new(&[("a.txt", &content)]);
    let answer = site.check("GET /a.txt", &[], 200);
    assert_eq!(answer.body, content);
    let tag = format!("\"400-{:x}\"", MODIFIED.as_nanos());
    for (name, value) in [
        ("content-type", "text/plain; charset=utf-8"),
        ("content-length", "1024"),
        ("last-modified", MODIFIED_TEXT),
        ("etag", &tag),
        ("accept-ranges", "bytes"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(answer.field(name), Some(value));
    }
}

#[test]
fn head_is_get_without_content() {
    let site = Site::new(&[
        ("a", &[b'a'; 1000]),
        ("big", &vec![b'b'; 100_000]),
        ("empty", b""),
    ]);
    for path in ["/a", "/big", "/empty", "/none", "/a/"] {
        let get = site.ask(&format!("GET {path}"), &[]);
        let head = site.ask(&format!("HEAD {path}"), &[]);
        let without_date = |answer: &Answer| {
            let mut fields = answer.fields.clone();
            fields.retain(|(name, _)| name != "date");
            fields
        };
        assert_eq!(get.status, head.status, "{path}");
        assert_eq!(without_date(&get), without_date(&head), "{path}");
        assert_eq!(head.body, b"", "{path}");
        let length = get.body.len().to_string();
        assert_eq!(get.field("content-length"), Some(length.as_str()), "{path}");
    }
}

#[test]
fn only_get_and_head_have_files() {
    let site = Site::new(&[("a", b"a")]);
    for (line, fields) in [
        ("POST /a", ["Content-Length: 0"]),
        ("PUT /none", ["Content-Length: 5000000"]),
        ("DELETE /a", ["Accept: */*"]),
        ("OPTIONS /a", ["Accept: */*"]),
        ("get /a", ["Accept: */*"]),
    ] {
        let answer = site.check(line, &fields, 405);
        assert_eq!(answer.field("allow"), Some("GET, HEAD"));
    }
    // A body changes nothing, and is not waited for.
    let answer = site.check("GET /a", &["Content-Length: 5000000"], 200);
    assert_eq!(answer.body, b"a");
}

#[test]
fn every_size_arrives_byte_by_byte() {
    // Around what is copied behind the head and what is sent by sendfile.
    let sizes = [0, 1, 32 << 10, (32 << 10) + 1, 64 << 10, 3_000_001];
    let site = Site::new(&[]);
    for size in sizes {
        let content = noise(size);
        write(&site.root.join("file"), &content);
        let answer = site.check("GET /file", &[], 200);
        assert!(answer.body == content, "{size}");
    }
}

#[test]
fn a_small_file_is_sent_without_an_allocation() {
    let content = noise(1024);
    let root = directory(&[("a.txt", &content)]);
    let handler = Files::new(&root).expect("a directory");
    let server = Server::bind("127.0.0.1:0").expect("a free port");
    let Some(&Address::Ip(address)) = server.addresses().next() else {
        panic!("an IP address")
    };
    // The loop turns on this thread, whose allocations are counted.
    let mut event_loop = server.event_loop(handler, ()).expect("listens");
    let mut client = TcpStream::connect(address).expect("listens");
    let request = head("GET /a.txt", &["User-Agent: test", "Accept: */*"]);
    let mut answer = [0; 4096];
    let mut counted = [0; 50];
    for count in &mut counted {
        let mut received = 0;
        *count = allocations(|| {
            client.write_all(request.as_bytes()).expect("connected");
            while !answer[..received].ends_with(&content) {
                event_loop
                    .turn(Some(Duration::from_secs(20)))
                    .expect("turns");
                client.set_nonblocking(true).expect("a socket");
                match client.read(&mut answer[received..]) {
                    Ok(0) => panic!("closed"),
                    Ok(read) => received += read,
                    Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
                }
            }
        });
    }
    fs::remove_dir_all(root).expect("ours");
    // The first ones warm up: the buffers that are used again have grown to their size.
    assert_eq!(counted[2..], [0; 48], "{counted:?}");
}

#[test]
fn files_are_pipelined() {
    let big = noise(200_000);
    let site = Site::new(&[("small", b"small"), ("big", &big)]);
    let mut stream = site.connect();
    let mut heads = String::new();
    for line in [
        "GET /small",
        "GET /big",
        "HEAD /big",
        "GET /none",
        "GET /small",
    ] {
        heads += &head(line, &[]);
    }
    heads += &head("GET /small", &["Connection: close"]);
    stream.write_all(heads.as_bytes()).expect("connected");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("answers");
    for body in [
        b"small" as &[u8],
        &big,
        b"",
        b"not found\n",
        b"small",
        b"small",
    ] {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        bytes.drain(..end.expect("a head") + 4);
        assert!(bytes.starts_with(body));
        bytes.drain(..body.len());
    }
    assert_eq!(bytes, b"");
}

#[test]
fn a_directory_is_its_index() {
    let site = Site::new(&[
        ("index.html", b"top"),
        ("a/index.html", b"below"),
        ("b/c", b"c"),
    ]);
    for (path, body) in [
        ("/", "top"),
        ("/index.html", "top"),
        ("//", "top"),
        ("/a/", "below"),
        ("/a/index.html", "below"),
        ("/a/..", "top"),
        ("/?query", "top"),
    ] {
        let answer = site.check(&format!("GET {path}"), &[], 200);
        assert_eq!(answer.body, body.as_bytes(), "{path}");
        assert_eq!(
            answer.field("content-type"),
            Some("text/html; charset=utf-8")
        );
    }
    site.check("GET /b/", &[], 404);
    site.check("GET /b/c/", &[], 404);
    site.check("GET /index.html/", &[], 404);
    fs::create_dir(site.root.join("b/index.html")).expect("a new name");
    site.check("GET /b/", &[], 404);
}

#[test]
fn a_directory_redirects_to_its_slash_and_never_elsewhere() {
    let site = Site::new(&[
        ("a/index.html", b""),
        ("a b/index.html", b""),
        ("a:b/index.html", b""),
        ("evil.example/index.html", b""),
        ("a/\\evil/index.html", b""),
    ]);
    for (target, location) in [
        ("/a", "a/"),
        ("/a?x=1&y=%20?", "a/?x=1&y=%20?"),
        ("/a?", "a/?"),
        ("/a%20b", "a%20b/"),
        ("/%61", "%61/"),
        ("/a:b", "./a:b/"),
        ("//evil.example", "evil.example/"),
        ("///evil.example?//x", "evil.example/?//x"),
        ("/a/..//evil.example", "evil.example/"),
        ("/a/%5Cevil", "%5Cevil/"),
        ("http://a/a", "a/"),
    ] {
        let answer = site.check(&format!("GET {target}"), &[], 308);
        assert_eq!(answer.field("location"), Some(location), "{target}");
    }
}

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
fn names_are_bytes() {
    let site = Site::new(&[("ä €", b"1"), ("a%20b", b"2"), ("a+b", b"3"), ("%", b"4")]);
    for (path, body) in [
        ("/%C3%A4%20%E2%82%AC", "1"),
        ("/a%2520b", "2"),
        ("/a+b", "3"),
        ("/%25", "4"),
    ] {
        let answer = site.check(&format!("GET {path}"), &[], 200);
        assert_eq!(answer.body, body.as_bytes(), "{path}");
    }
    site.check("GET /%ff", &[], 404);
    site.check(&format!("GET /{}", "n".repeat(300)), &[], 404);
    site.check(&format!("GET /{}x", "n/".repeat(3000)), &[], 404);
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
    let site = Site::serve(root, handler);
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
    for path in ["/fifo", "/socket", "/loop", "/none", "/none/none"] {
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
        site.check("GET /a/b", &[], status);
        // It goes on, whatever it was.
        site.check("GET /a/b", &[], status);
        site.check("POST /a/b", &[], 405);
    }
}

#[test]
fn a_client_that_has_the_file_is_told_so() {
    let site = Site::new(&[("a", b"content")]);
    let got = site.check("GET /a", &[], 200);
    let tag = got.field("etag").expect("an ETag");
    for (line, fields, status) in [
        ("GET /a", vec![format!("If-None-Match: {tag}")], 304),
        ("HEAD /a", vec![format!("If-None-Match: {tag}")], 304),
        (
            "GET /a",
            vec![format!("If-None-Match: \"x\", W/{tag}")],
            304,
        ),
        ("GET /a", vec!["If-None-Match: *".to_owned()], 304),
        ("GET /a", vec!["If-None-Match: \"x\"".to_owned()], 200),
        (
            "GET /a",
            vec![format!("If-Modified-Since: {MODIFIED_TEXT}")],
            304,
        ),
        (
            "GET /a",
            vec!["If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT".to_owned()],
            304,
        ),
        (
            "GET /a",
            vec!["If-Modified-Since: Sun Nov  6 08:49:37 1994".to_owned()],
            304,
        ),
        (
            "GET /a",
            vec!["If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT".to_owned()],
            200,
        ),
        (
            "GET /a",
            vec![
                "If-None-Match: \"x\"".to_owned(),
                format!("If-Modified-Since: {MODIFIED_TEXT}"),
            ],
            200,
        ),
        (
            "GET /a",
            vec![
                format!("If-None-Match: {tag}"),
                "Range: bytes=0-1".to_owned(),
            ],
            304,
        ),
        ("GET /none", vec!["If-None-Match: *".to_owned()], 404),
    ] {
        let fields: Vec<_> = fields.iter().map(String::as_str).collect();
        let answer = site.check(line, &fields, status);
        if status == 304 {
            assert_eq!(answer.field("etag"), Some(tag));
            assert_eq!(answer.field("last-modified"), Some(MODIFIED_TEXT));
            assert_eq!(answer.field("content-length"), None);
            assert_eq!(answer.body, b"");
        }
    }
}

#[test]
fn a_client_that_means_another_file_is_told_so() {
    let site = Site::new(&[("a", b"content")]);
    let got = site.check("GET /a", &[], 200);
    let tag = got.field("etag").expect("an ETag");
    for (field, status) in [
        (format!("If-Match: {tag}"), 200),
        (format!("If-Match: W/{tag}"), 412),
        ("If-Match: *".to_owned(), 200),
        ("If-Match: \"x\"".to_owned(), 412),
        (format!("If-Unmodified-Since: {MODIFIED_TEXT}"), 200),
        (
            "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT".to_owned(),
            412,
        ),
        ("If-Unmodified-Since: yesterday".to_owned(), 200),
    ] {
        let answer = site.check("GET /a", &[&field], status);
        assert_eq!(answer.body == b"content", status == 200, "{field}");
    }
    // Whether there is a file comes before what is asked of it.
    site.check("GET /none", &["If-Match: \"x\""], 404);
}

#[test]
fn a_file_that_has_just_changed_has_a_weak_tag() {
    let site = Site::new(&[]);
    fs::write(site.root.join("now"), "now").expect("a file");
    let answer = site.check("GET /now", &[], 200);
    let tag = answer.field("etag").expect("an ETag").to_owned();
    assert!(tag.starts_with("W/\""), "{tag}");
    site.check("GET /now", &[&format!("If-None-Match: {tag}")], 304);
    let range = format!("If-Range: {}", tag.trim_start_matches("W/"));
    site.check("GET /now", &[&range, "Range: bytes=0-0"], 200);

    let future = SystemTime::now() + Duration::from_secs(86_400);
    let file = File::options().write(true).open(site.root.join("now"));
    file.expect("is there").set_modified(future).expect("ours");
    let answer = site.check("GET /now", &[], 200);
    let date = |name| {
        let text = answer.field(name).expect(name);
        httpdate::parse_http_date(text).expect("a date")
    };
    assert!(date("last-modified") <= date("date"));
}

#[test]
fn a_range_is_a_part() {
    let content = noise(100_000);
    let site = Site::new(&[("a", &content), ("empty", b"")]);
    for (range, part) in [
        ("bytes=0-0", 0..1),
        ("bytes=10-19", 10..20),
        ("bytes=99999-", 99_999..100_000),
        ("bytes=-1000", 99_000..100_000),
        ("bytes=-200000", 0..100_000),
        ("bytes=10-999999999999999999999", 10..100_000),
        ("bytes=10000-90000", 10_000..90_001),
    ] {
        let answer = site.check("GET /a", &[&format!("Range: {range}")], 206);
        let expected = format!("bytes {}-{}/100000", part.start, part.end - 1);
        assert_eq!(answer.field("content-range"), Some(expected.as_str()));
        assert_eq!(
            answer.field("content-type"),
            Some("application/octet-stream")
        );
        assert!(answer.field("etag").is_some() && answer.field("last-modified").is_some());
        assert!(answer.body == content[part], "{range}");
    }
    for (line, range, expected) in [
        ("GET /a", "bytes=100000-", "bytes */100000"),
        ("GET /a", "bytes=-0", "bytes */100000"),
        ("GET /empty", "bytes=0-", "bytes */0"),
    ] {
        let answer = site.check(line, &[&format!("Range: {range}")], 416);
        assert_eq!(answer.field("content-range"), Some(expected), "{range}");
    }
    for (line, range) in [
        ("GET /a", "bytes=2-1"),
        ("GET /a", "bytes=x"),
        ("GET /a", "lines=1-2"),
        ("GET /a", "bytes=0-1,4-5"),
        ("HEAD /a", "bytes=0-1"),
        ("HEAD /a", "bytes=100000-"),
    ] {
        let answer = site.check(line, &[&format!("Range: {range}")], 200);
        assert_eq!(answer.field("content-range"), None, "{range}");
        assert_eq!(answer.field("content-length"), Some("100000"), "{range}");
    }
}

#[test]
fn if_range_says_of_which_file() {
    let site = Site::new(&[("a", b"content")]);
    let got = site.check("GET /a", &[], 200);
    let tag = got.field("etag").expect("an ETag");
    for (condition, status) in [
        (tag.to_owned(), 206),
        (MODIFIED_TEXT.to_owned(), 206),
        (format!("W/{tag}"), 200),
        ("\"x\"".to_owned(), 200),
        ("Sun, 06 Nov 1994 08:49:38 GMT".to_owned(), 200),
    ] {
        let fields = [&format!("If-Range: {condition}"), "Range: bytes=1-2"];
        site.check("GET /a", &fields, status);
    }
    // What can't be had of another file is sent whole.
    site.check("GET /a", &["If-Range: \"x\"", "Range: bytes=100-"], 200);
    site.check(
        "GET /a",
        &[&format!("If-Range: {tag}"), "Range: bytes=100-"],
        416,
    );
    // The other conditions come first.
    site.check("GET /a", &["If-Match: \"x\"", "Range: bytes=1-2"], 412);
}

#[test]
fn below_a_prefix_paths_are_relative_to_it() {
    for prefix in ["/static", "/static/"] {
        let root = directory(&[
            ("index.html", b"top"),
            ("a.txt", b"a"),
            ("b/index.html", b"b"),
        ]);
        let mut files = Files::new(&root).expect("a directory");
        let handler = move |req: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
            match req.path().strip_prefix(prefix) {
                Some(path) => files.serve(req, path, res),
                None => res.status(404).body("elsewhere"),
            }
        };
        let site = Site::serve(root, handler);
        for (path, body) in [
            ("/static/", "top"),
            ("/static/a.txt", "a"),
            ("/static/b/", "b"),
        ] {
            let answer = site.check(&format!("GET {path}"), &[], 200);
            assert_eq!(answer.body, body.as_bytes(), "{path}");
        }
        let answer = site.check("GET /static/b", &[], 308);
        assert_eq!(answer.field("location"), Some("b/"));
        site.check("GET /static/../secret", &[], 400);
        site.check("GET /other", &[], 404);
        if prefix == "/static" {
            let answer = site.check("GET /static", &[], 308);
            assert_eq!(answer.field("location"), Some("static/"));
        }
    }
}

/// Asks for a file that no socket buffers hold, and changes it when the answer has begun.
fn change_while_sending(change: impl FnOnce(&File)) -> (u64, Result<u64, ErrorKind>) {
    const LENGTH: u64 = 64 << 20;
    let site = Site::new(&[("big", b"")]);
    let file = File::options().write(true).open(site.root.join("big"));
    let file = file.expect("is there");
    file.set_len(LENGTH).expect("sparse");
    let mut stream = site.connect();
    let head = head("GET /big", &["Connection: close"]);
    stream.write_all(head.as_bytes()).expect("connected");
    let mut buffer = vec![0; 1 << 16];
    let mut read = stream.read(&mut buffer).expect("an answer");
    let end = buffer.windows(4).position(|four| four == b"\r\n\r\n");
    read -= end.expect("a whole head") + 4;
    change(&file);
    let mut received = read as u64;
    let end = loop {
        match stream.read(&mut buffer) {
            Ok(0) => break Ok(received),
            Ok(read) => received += read as u64,
            Err(error) => break Err(error.kind()),
        }
    };
    (LENGTH, end)
}

#[test]
fn a_file_that_shrinks_while_it_is_sent_ends_the_connection() {
    let (length, end) = change_while_sending(|file| file.set_len(1 << 20).expect("ours"));
    match end {
        Ok(received) => assert!(received < length),
        Err(error) => assert_eq!(error, ErrorKind::ConnectionReset),
    }
}

#[test]
fn a_file_that_ends_before_its_promise_ends_the_connection() {
    // Copied behind the head, sent at once, and sent in several pieces.
    for length in [100, 100_000, 3_000_000] {
        let root = directory(&[("a", &noise(length))]);
        let open = file::open_root(&root).expect("a directory");
        let open = Arc::new(open);
        let handler = move |_: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
            let opened = file::open_beneath(&open, b"a").expect("is there");
            res.status(200).file(opened, 0, length as u64 + 10)
        };
        let site = Site::serve(root, handler);
        let mut stream = site.connect();
        stream
            .write_all(head("GET /a", &[]).as_bytes())
            .expect("connected");
        let mut bytes = Vec::new();
        match stream.read_to_end(&mut bytes) {
            Ok(_) => assert!(bytes.len() < length + 10 + 1000),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{length}"),
        }
    }
}

#[test]
fn a_file_that_grows_while_it_is_sent_is_sent_as_promised() {
    let (length, end) = change_while_sending(|file| file.set_len(65 << 20).expect("ours"));
    assert_eq!(end, Ok(length));
}
