//! Content that a handler makes, with its conditions and ranges.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use edgeloop::server::{BodyWriter, Pull, Source};
use edgeloop::web::Content;
use edgeloop::{Reply, Request, ResponseWriter, field_name};

use super::{Answer, ask};

static LETTERS: [u8; 26] = *b"abcdefghijklmnopqrstuvwxyz";
const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

fn modified() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(784_111_777)
}

/// Letters, one each time.
struct Letters(core::ops::Range<u64>);

impl Source for Letters {
    fn pull(&mut self, body: &mut BodyWriter<'_>) -> Pull {
        let at = self.0.next().expect("it is asked for what it has");
        body.write(&LETTERS[at as usize..][..1]);
        if self.0.is_empty() {
            Pull::End
        } else {
            Pull::More
        }
    }
}

fn letters(req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
    match req.path() {
        "/bytes" => Content::bytes("text/plain", &LETTERS)
            .etag("a")
            .answer(req, res),
        "/constant" => Content::constant("text/plain", &LETTERS)
            .etag("a")
            .answer(req, res),
        "/shared" => Content::shared("text/plain", Arc::from(LETTERS))
            .etag("a")
            .answer(req, res),
        "/stream" => Content::stream("text/plain", 26, Letters)
            .etag("a")
            .answer(req, res),
        "/file" => {
            let path =
                std::env::temp_dir().join(format!("edgeloop-content-{}", std::process::id()));
            std::fs::write(&path, LETTERS).expect("room for it");
            let file = std::fs::File::open(&path).expect("it is there");
            std::fs::remove_file(&path).expect("it is ours");
            let file = OwnedFd::from(file).into();
            Content::file("text/plain", file, 26)
                .etag("a")
                .answer(req, res)
        }
        "/empty" => Content::bytes("text/plain", b"").etag("a").answer(req, res),
        "/bare" => Content::bytes("text/plain", &LETTERS).answer(req, res),
        "/dated" => Content::bytes("text/plain", &LETTERS)
            .last_modified(modified())
            .answer(req, res),
        "/future" => Content::bytes("text/plain", &LETTERS)
            .last_modified(SystemTime::now() + Duration::from_secs(10_000))
            .answer(req, res),
        "/weak" => Content::bytes("text/plain", &LETTERS)
            .weak_etag("a")
            .answer(req, res),
        "/fields" => Content::bytes("text/plain", &LETTERS)
            .etag("a")
            .fields(&[
                (field_name!("Cache-Control"), "no-cache"),
                (field_name!("Content-Language"), "en"),
            ])
            .answer(req, res),
        "/bad-etag" => Content::bytes("text/plain", b"")
            .etag("a\"b")
            .answer(req, res),
        _ => res.no_route(req.method()),
    }
}

fn get(path: &str, fields: &[&str]) -> Answer {
    ask(letters, &format!("GET {path}"), fields, b"")
}

const KINDS: [&str; 5] = ["/bytes", "/constant", "/shared", "/stream", "/file"];

#[test]
fn content_of_every_kind_comes_whole_and_in_parts() {
    for path in KINDS {
        let whole = get(path, &[]);
        assert_eq!(
            (whole.status, &whole.body[..]),
            (200, &LETTERS[..]),
            "{path}"
        );
        assert_eq!(whole.field("ETag"), Some("\"a\""));
        assert_eq!(whole.field("Accept-Ranges"), Some("bytes"));
        assert_eq!(whole.field("Content-Type"), Some("text/plain"));
        for (range, part, said) in [
            ("0-0", "a", "bytes 0-0/26"),
            ("2-4", "cde", "bytes 2-4/26"),
            ("24-", "yz", "bytes 24-25/26"),
            ("-3", "xyz", "bytes 23-25/26"),
            ("20-99", "uvwxyz", "bytes 20-25/26"),
        ] {
            let answer = get(path, &[&format!("Range: bytes={range}")]);
            assert_eq!(
                (answer.status, answer.text()),
                (206, part),
                "{path} {range}"
            );
            assert_eq!(answer.field("Content-Range"), Some(said));
            assert_eq!(answer.field("ETag"), Some("\"a\""));
        }
        let beyond = get(path, &["Range: bytes=26-"]);
        assert_eq!(beyond.status, 416);
        assert_eq!(beyond.field("Content-Range"), Some("bytes */26"));
        assert_eq!(get(path, &["Range: bytes=0-1,3-4"]).body, LETTERS);
    }
}

#[test]
fn a_client_that_has_it_gets_304() {
    for path in KINDS {
        let answer = get(path, &["If-None-Match: \"b\", \"a\""]);
        assert_eq!((answer.status, answer.body.len()), (304, 0), "{path}");
        assert_eq!(answer.field("ETag"), Some("\"a\""));
        assert_eq!(get(path, &["If-None-Match: \"b\""]).status, 200);
        assert_eq!(get(path, &["If-Match: \"b\""]).status, 412);
        assert_eq!(get(path, &["If-Match: \"a\""]).status, 200);
    }
    let since = format!("If-Modified-Since: {MODIFIED}");
    let answer = get("/dated", &[&since]);
    assert_eq!(
        (answer.status, answer.field("Last-Modified")),
        (304, Some(MODIFIED))
    );
    assert_eq!(get("/bytes", &[&since]).status, 200);
    assert_eq!(get("/bare", &["If-None-Match: *"]).status, 304);
}

#[test]
fn if_range_decides_whether_a_part_will_do() {
    let part = |path: &str, condition: &str| {
        let answer = get(
            path,
            &["Range: bytes=0-0", &format!("If-Range: {condition}")],
        );
        answer.status == 206
    };
    assert!(part("/bytes", "\"a\""));
    assert!(!part("/bytes", "\"b\""));
    assert!(!part("/weak", "W/\"a\""));
    assert!(!part("/weak", "\"a\""));
    assert!(part("/dated", MODIFIED));
    assert!(!part("/dated", "Sun, 06 Nov 1994 08:49:38 GMT"));
    assert!(!part("/bare", "\"a\""));
}

#[test]
fn a_head_has_no_ranges_and_other_methods_no_conditions() {
    let fields = ["Range: bytes=0-0"];
    let head = ask(letters, "HEAD /bytes", &fields, b"");
    assert_eq!(
        (head.status, head.field("Content-Length")),
        (200, Some("26"))
    );
    assert!(head.body.is_empty());
    let head = ask(letters, "HEAD /bytes", &["If-None-Match: \"a\""], b"");
    assert_eq!(head.status, 304);
    let fields = ["Range: bytes=0-0", "If-None-Match: \"a\""];
    let post = ask(letters, "POST /bytes", &fields, b"x");
    assert_eq!((post.status, &post.body[..]), (200, &LETTERS[..]));
}

#[test]
fn validators_are_those_that_were_given() {
    let bare = get("/bare", &[]);
    assert_eq!(
        (bare.field("ETag"), bare.field("Last-Modified")),
        (None, None)
    );
    assert_eq!(get("/weak", &[]).field("ETag"), Some("W/\"a\""));
    assert_eq!(get("/dated", &[]).field("Last-Modified"), Some(MODIFIED));
    let future = get("/future", &[]);
    let said = httpdate::parse_http_date(future.field("Last-Modified").expect("one"));
    assert!(said.expect("a date") <= SystemTime::now());
    assert_eq!(get("/bad-etag", &[]).status, 500);
}

#[test]
fn fields_come_with_every_answer_that_stands_for_the_content() {
    let fields = |answer: &Answer| {
        let language = answer.field("Content-Language").is_some();
        (answer.field("Cache-Control").is_some(), language)
    };
    assert_eq!(fields(&get("/fields", &[])), (true, true));
    assert_eq!(fields(&get("/fields", &["Range: bytes=0-1"])), (true, true));
    assert_eq!(
        fields(&get("/fields", &["If-None-Match: \"a\""])),
        (true, false)
    );
    assert_eq!(
        fields(&get("/fields", &["If-Match: \"b\""])),
        (false, false)
    );
}

#[test]
fn no_content_is_content() {
    let empty = get("/empty", &[]);
    assert_eq!(
        (empty.status, empty.field("Content-Length")),
        (200, Some("0"))
    );
    assert_eq!(get("/empty", &["Range: bytes=0-"]).status, 416);
    assert_eq!(get("/empty", &["Range: bytes=-5"]).status, 200);
}
