//! Parts of files.

use super::{MODIFIED_TEXT, Site, noise};

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
