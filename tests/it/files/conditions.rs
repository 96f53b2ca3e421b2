//! What a client has already, or takes for something else.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use super::{MODIFIED_TEXT, Site};

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
