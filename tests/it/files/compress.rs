//! Files that are compressed while they are served.

use std::io::Write;
use std::process::{Command, Stdio};

use edgeloop::web::Files;

use super::{Answer, Site, directory, noise};

fn site(with: &[(&str, &[u8])]) -> Site {
    let root = directory(with);
    let files = Files::new(&root).expect("a directory");
    Site::serve(root, files.with_compression())
}

/// What gzip makes of it.
fn unzip(bytes: &[u8]) -> Vec<u8> {
    let gzip = Command::new("gzip")
        .arg("-dc")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut gzip = gzip.expect("gzip is there");
    let mut stdin = gzip.stdin.take().expect("it is piped");
    stdin.write_all(bytes).expect("it reads all");
    drop(stdin);
    let output = gzip.wait_with_output().expect("it ends");
    assert!(output.status.success());
    output.stdout
}

fn check(answer: &Answer, content: &[u8], is_compressed: bool) {
    let coding = answer.field("content-encoding");
    assert_eq!(coding, is_compressed.then_some("gzip"));
    if is_compressed {
        assert!(answer.body.len() < content.len());
        assert_eq!(unzip(&answer.body), content);
        assert_eq!(answer.field("accept-ranges"), None);
        let tag = answer.field("etag").expect("a tag");
        assert!(tag.starts_with("W/\"") && tag.ends_with("-gzip\""), "{tag}");
    } else {
        assert_eq!(answer.body, content);
    }
}

const GZIP: &str = "Accept-Encoding: gzip, deflate, br";

#[test]
fn where_it_pays_files_are_compressed_for_who_takes_it() {
    let text = "So much text, and so little in it. "
        .repeat(100)
        .into_bytes();
    let (short, long) = (&text[..1023], text.repeat(20));
    let random = noise(3500);
    let site = site(&[
        ("a.html", &text),
        ("a.json", &text),
        ("a.svg", &text),
        ("a.bin", &text),
        ("a.png", &text),
        ("short.txt", short),
        ("long.txt", &long),
        ("random.txt", &random),
        ("coded.css", &text),
        ("coded.css.gz", b"coded"),
    ]);
    for path in ["/a.html", "/a.json", "/a.svg"] {
        let answer = site.check(&format!("GET {path}"), &[GZIP], 200);
        check(&answer, &text, true);
        assert_eq!(answer.field("vary"), Some("Accept-Encoding"));
        let head = site.check(&format!("HEAD {path}"), &[GZIP], 200);
        assert_eq!(head.field("content-length"), answer.field("content-length"));
        for refused in [
            "Accept-Encoding: br",
            "Accept-Encoding: gzip;q=0",
            "X: nothing",
        ] {
            let answer = site.check(&format!("GET {path}"), &[refused], 200);
            check(&answer, &text, false);
            assert_eq!(answer.field("vary"), Some("Accept-Encoding"));
            assert_eq!(answer.field("accept-ranges"), Some("bytes"));
        }
    }
    for (path, content) in [
        ("/a.bin", &*text),
        ("/a.png", &*text),
        ("/short.txt", short),
        ("/long.txt", &*long),
    ] {
        let answer = site.check(&format!("GET {path}"), &[GZIP], 200);
        check(&answer, content, false);
        assert_eq!(answer.field("vary"), None, "{path}");
    }
    // What does not become smaller is sent all the same: nobody knows before.
    assert_eq!(
        unzip(&site.check("GET /random.txt", &[GZIP], 200).body),
        random
    );
    // A sibling saves the work.
    assert_eq!(site.check("GET /coded.css", &[GZIP], 200).body, b"coded");
}

#[test]
fn a_compressed_answer_has_conditions_and_no_ranges() {
    let text = b"text ".repeat(1000);
    let site = site(&[("a.txt", &text)]);
    let answer = site.check("GET /a.txt", &[GZIP], 200);
    let tag = answer.field("etag").expect("a tag");
    let same = format!("If-None-Match: {tag}");
    let unchanged = site.check("GET /a.txt", &[GZIP, &same], 304);
    assert_eq!(unchanged.field("vary"), Some("Accept-Encoding"));
    site.check("GET /a.txt", &[&same], 200);
    site.check("GET /a.txt", &[GZIP, &format!("If-Match: {tag}")], 412);
    let whole = site.check("GET /a.txt", &[GZIP, "Range: bytes=0-9"], 200);
    check(&whole, &text, true);
    let part = site.check("GET /a.txt", &["Range: bytes=0-9"], 206);
    assert_eq!(part.body, &text[..10]);
    site.check("GET /a.txt", &["Accept-Encoding: gzip, identity;q=0"], 200);
}

#[test]
fn what_is_in_memory_is_compressed_too() {
    let text = "text ".repeat(1000);
    let files = Files::memory([("a.txt", text.clone())]).expect("a path");
    let site = Site::serve(directory(&[]), files.with_compression());
    let answer = site.check("GET /a.txt", &[GZIP], 200);
    check(&answer, text.as_bytes(), true);
}
