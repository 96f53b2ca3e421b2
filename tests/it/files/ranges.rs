//! Parts of files.

use super::{Answer, MODIFIED_TEXT, Site, noise};

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
        ("HEAD /a", "bytes=0-1,4-5"),
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

/// The parts of a multipart answer: their type, their range, their bytes (RFC 2046 §5.1.1).
fn parts(answer: &Answer) -> Vec<(String, String, Vec<u8>)> {
    let kind = answer.field("content-type").expect("a type");
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=");
    let delimiter = format!("\r\n--{}", boundary.expect("one of several parts"));
    let mut rest = &answer.body[..];
    let mut parts = Vec::new();
    let take = |rest: &mut &[u8], until: &str| {
        let until = until.as_bytes();
        let end = rest.windows(until.len()).position(|it| it == until);
        let (before, after) = rest.split_at(end.expect(kind));
        *rest = &after[until.len()..];
        before.to_vec()
    };
    assert_eq!(take(&mut rest, &delimiter), b"");
    while rest != b"--\r\n" {
        let head = String::from_utf8(take(&mut rest, "\r\n\r\n")).expect("ASCII");
        let mut lines = head.split("\r\n");
        assert_eq!(lines.next(), Some(""));
        let kind = lines
            .next()
            .and_then(|it| it.strip_prefix("Content-Type: "));
        let range = lines
            .next()
            .and_then(|it| it.strip_prefix("Content-Range: "));
        let (kind, range) = (kind.expect("a type"), range.expect("a range"));
        parts.push((
            kind.to_owned(),
            range.to_owned(),
            take(&mut rest, &delimiter),
        ));
    }
    parts
}

#[test]
fn several_ranges_are_several_parts_in_one_answer() {
    let content = noise(300_000);
    let site = Site::new(&[("a.txt", &content)]);
    for (range, expected) in [
        ("0-1,4-5", [(0usize, 1usize), (4, 5)]),
        ("-1, 0-0", [(299_999, 299_999), (0, 0)]),
        ("200000-,10-140000", [(200_000, 299_999), (10, 140_000)]),
        ("0-9,20-29,5-14,400000-", [(0, 14), (20, 29)]),
    ] {
        let answer = site.check("GET /a.txt", &[&format!("Range: bytes={range}")], 206);
        assert_eq!(answer.field("content-range"), None);
        let length = answer.body.len().to_string();
        assert_eq!(answer.field("content-length"), Some(length.as_str()));
        assert!(answer.field("etag").is_some() && answer.field("last-modified").is_some());
        let parts = parts(&answer);
        assert_eq!(parts.len(), expected.len(), "{range}");
        for ((kind, range, bytes), (first, last)) in parts.iter().zip(expected) {
            assert_eq!(kind, "text/plain; charset=utf-8");
            assert_eq!(*range, format!("bytes {first}-{last}/300000"));
            assert!(bytes == &content[first..=last], "{range}");
        }
    }
    // What is left of them may be one part, nothing, or too much.
    let one = site.check("GET /a.txt", &["Range: bytes=5-9,0-4"], 206);
    assert_eq!(one.field("content-range"), Some("bytes 0-9/300000"));
    site.check("GET /a.txt", &["Range: bytes=300000-,400000-"], 416);
    let many: Vec<_> = (0..17).map(|at| format!("{0}-{0}", 2 * at)).collect();
    let whole = site.check(
        "GET /a.txt",
        &[&format!("Range: bytes={}", many.join(","))],
        200,
    );
    assert!(whole.body == content);
    let most = site.check(
        "GET /a.txt",
        &[&format!("Range: bytes={}", many[..16].join(","))],
        206,
    );
    assert_eq!(parts(&most).len(), 16);
}

#[test]
fn parts_of_a_file_that_has_shrunk_end_the_connection() {
    use std::io::{Read, Write};
    let site = Site::new(&[]);
    let file = std::fs::File::create(site.root.join("a")).expect("a new file");
    file.set_len(100 << 20).expect("a sparse file");
    let mut stream = site.connect();
    let head = super::head("GET /a", &["Range: bytes=0-60000000,60000002-90000000"]);
    stream.write_all(head.as_bytes()).expect("connected");
    let mut bytes = vec![0; 1 << 16];
    let mut received = stream.read(&mut bytes).expect("an answer");
    file.set_len(0).expect("ours");
    let ended = loop {
        match stream.read(&mut bytes) {
            Ok(0) => break Ok(()),
            Ok(more) => received += more,
            Err(error) => break Err(error.kind()),
        }
    };
    assert_eq!(ended, Err(std::io::ErrorKind::ConnectionReset));
    assert!(received < 90_000_000, "{received}");
}
