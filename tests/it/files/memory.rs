//! Files that are in memory.

use std::fs;
use std::process::Command;
use std::sync::Arc;

use edgeloop::web::{FileBytes, Files, embed_directory};

use super::{Site, directory, noise};

fn site() -> (Site, Arc<[u8]>) {
    let big: Arc<[u8]> = noise(200_000).into();
    let files: [(&str, FileBytes); 7] = [
        ("index.html", "<!doctype html>hello".into()),
        ("/style/page.css", b"body {}".into()),
        ("style/page.css.gz", "coded".into()),
        ("big", Arc::clone(&big).into()),
        ("ä b", "name".to_owned().into()),
        (".env", "secret".into()),
        ("empty/index.html", Vec::new().into()),
    ];
    let files = Files::memory(files).expect("paths");
    (Site::serve(directory(&[]), files), big)
}

#[test]
fn files_in_memory_are_served_as_those_below_a_directory() {
    let (site, big) = site();
    for (line, status, body) in [
        ("GET /", 200, "<!doctype html>hello".as_bytes()),
        ("GET /index.html", 200, b"<!doctype html>hello"),
        ("GET /style/page.css", 200, b"body {}"),
        ("GET /%C3%A4%20b", 200, b"name"),
        ("GET /empty/", 200, b""),
        ("GET /big", 200, &big),
        ("HEAD /big", 200, b""),
        ("GET /style", 308, b""),
        ("GET /style/", 404, b"not found\n"),
        ("GET /none", 404, b"not found\n"),
        ("GET /index.html/", 404, b"not found\n"),
        ("GET /.env", 404, b"not found\n"),
        ("GET /../big", 400, b"that is no path of a file\n"),
        ("PUT /big", 405, b"files can be had by GET and HEAD only\n"),
    ] {
        let answer = site.check(line, &[], status);
        assert!(answer.body == body, "{line}");
    }
    let got = site.check("GET /style/page.css", &[], 200);
    assert_eq!(got.field("content-type"), Some("text/css; charset=utf-8"));
    assert_eq!(got.field("vary"), Some("Accept-Encoding"));
    assert_eq!(got.field("last-modified"), None);
    let coded = site.check("GET /style/page.css", &["Accept-Encoding: gzip"], 200);
    assert_eq!(
        (coded.field("content-encoding"), &*coded.body),
        (Some("gzip"), b"coded" as &[u8])
    );
    assert_ne!(coded.field("etag"), got.field("etag"));
}

#[test]
fn conditions_and_ranges_hold_in_memory_too() {
    let (site, big) = site();
    let got = site.check("GET /big", &[], 200);
    let tag = got.field("etag").expect("a tag");
    assert!(tag.starts_with('"'), "{tag}");
    site.check("GET /big", &[&format!("If-None-Match: {tag}")], 304);
    site.check("GET /big", &["If-Match: \"x\""], 412);
    site.check(
        "GET /big",
        &["If-Modified-Since: Sun, 06 Nov 2094 08:49:37 GMT"],
        200,
    );
    let part = site.check(
        "GET /big",
        &["Range: bytes=1-3", &format!("If-Range: {tag}")],
        206,
    );
    assert!(part.body == big[1..4]);
    let part = site.check("GET /big", &["Range: bytes=50000-149999"], 206);
    assert!(part.body == big[50_000..150_000]);
    let parts = site.check("GET /big", &["Range: bytes=0-99999,150000-"], 206);
    let has = |part: &[u8]| parts.body.windows(part.len()).any(|it| it == part);
    assert!(has(&big[..100_000]) && has(&big[150_000..]));
    site.check("GET /big", &["Range: bytes=200000-"], 416);
}

#[test]
fn the_same_bytes_have_the_same_tag_wherever_they_are() {
    let tag = |bytes: FileBytes| {
        let files = Files::memory([("a", bytes)]).expect("a path");
        let site = Site::serve(directory(&[]), files);
        site.check("GET /a", &[], 200)
            .field("etag")
            .map(str::to_owned)
    };
    assert_eq!(tag("abc".into()), tag(b"abc".to_vec().into()));
    assert_ne!(tag("abc".into()), tag("abd".into()));
}

#[test]
fn a_directory_is_embedded_by_a_table_that_compiles() {
    let root = directory(&[
        ("site/index.html", b"<!doctype html>hello"),
        ("site/a/b \"c\".css", b"body {}"),
        ("site/empty", b""),
    ]);
    embed_directory(root.join("site"), root.join("site.rs")).expect("a directory");
    let program = r#"
        static SITE: &[(&str, &[u8])] = include!("site.rs");
        fn main() {
            for (name, bytes) in SITE {
                println!("{name}: {}", String::from_utf8_lossy(bytes));
            }
        }
    "#;
    fs::write(root.join("main.rs"), program).expect("writable");
    let rustc = std::env::var_os("RUSTC").unwrap_or("rustc".into());
    let compiled = Command::new(rustc)
        .current_dir(&root)
        .args(["--edition=2024", "main.rs"])
        .output()
        .expect("a compiler");
    let said = String::from_utf8_lossy(&compiled.stderr);
    assert!(compiled.status.success(), "{said}");
    let ran = Command::new(root.join("main")).output().expect("it runs");
    let said = String::from_utf8(ran.stdout).expect("UTF-8");
    assert_eq!(
        said,
        "a/b \"c\".css: body {}\nempty: \nindex.html: <!doctype html>hello\n"
    );
    embed_directory(root.join("none"), root.join("none.rs")).expect_err("no directory");
    fs::remove_dir_all(root).expect("ours");
}
