//! What can be set of how files are served.

use edgeloop::web::Files;

use super::{Answer, Site, directory};

fn site(files: &[(&str, &[u8])], set: impl FnOnce(Files) -> Files) -> Site {
    let root = directory(files);
    let handler = set(Files::new(&root).expect("a directory"));
    Site::serve_files(root, handler)
}

#[test]
fn a_directory_is_the_first_index_that_is_there() {
    let files: [(&str, &[u8]); 5] = [
        ("a/second.html", b"second"),
        ("b/first.html", b"first"),
        ("b/second.html", b"second"),
        ("c/index.html", b"index"),
        ("d/first.html/file", b"a directory"),
    ];
    let named = site(&files, |files| {
        files
            .with_index(["first.html", "second.html"])
            .expect("names")
    });
    for (path, body) in [("/a/", "second"), ("/b/", "first")] {
        let answer = named.check(&format!("GET {path}"), &[], 200);
        assert_eq!(answer.body, body.as_bytes());
    }
    named.check("GET /c/", &[], 404);
    named.check("GET /d/", &[], 404);
    named.check("GET /c", &[], 308);
    let none = site(&files, |files| files.with_index([""; 0]).expect("none"));
    none.check("GET /c/", &[], 404);
    for name in ["", ".", "..", "a/b", "/a", "a\0"] {
        let files = Files::new(&named.root).expect("a directory");
        files.with_index([name]).expect_err("no name");
    }
}

#[test]
fn media_types_of_ones_own_come_first() {
    let site = site(&[("a.png", b""), ("a.OWN", b""), ("a.css", b"")], |files| {
        let files = files.with_media_types("types {\n image/x-png png;\n text/x-own own;\n}");
        files.expect("a table")
    });
    for (path, kind) in [
        ("/a.png", "image/x-png"),
        ("/a.OWN", "text/x-own; charset=utf-8"),
        ("/a.css", "text/css; charset=utf-8"),
    ] {
        let answer = site.check(&format!("GET {path}"), &[], 200);
        assert_eq!(answer.field("content-type"), Some(kind));
    }
}

/// The table that nginx comes with has rows of more than one line. Where it is not installed there is nothing to be read.
#[test]
fn nginx_own_table_of_media_types_is_taken() {
    let Ok(table) = std::fs::read_to_string("/etc/nginx/mime.types") else {
        eprintln!("no nginx here");
        return;
    };
    let site = site(&[("a.docx", b""), ("a.jar", b"")], |files| {
        files.with_media_types(&table).expect("nginx takes it")
    });
    let word = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
    for (path, kind) in [("/a.docx", word), ("/a.jar", "application/java-archive")] {
        let answer = site.check(&format!("GET {path}"), &[], 200);
        assert_eq!(answer.field("content-type"), Some(kind));
    }
}

#[test]
fn cache_control_is_said_by_path() {
    let files: [(&str, &[u8]); 4] = [
        ("index.html", b""),
        ("a.css", b"css"),
        ("assets/a.js", b""),
        ("x", b""),
    ];
    let site = site(&files, |files| {
        let files = files.with_cache_control("/assets/**", "max-age=31536000, immutable");
        let files = files
            .expect("a rule")
            .with_cache_control("*.css", "max-age=60");
        files
            .expect("a rule")
            .with_cache_control("*.html", "no-cache")
            .expect("a rule")
    });
    for (path, expected) in [
        ("/", Some("no-cache")),
        ("/a.css", Some("max-age=60")),
        ("/assets/a.js", Some("max-age=31536000, immutable")),
        ("/x", None),
    ] {
        let answer = site.check(&format!("GET {path}"), &[], 200);
        assert_eq!(answer.field("cache-control"), expected, "{path}");
        // RFC 9110 §15.4.5: a 304 says it too.
        let answer = site.check(&format!("GET {path}"), &["If-None-Match: *"], 304);
        assert_eq!(answer.field("cache-control"), expected, "{path}");
    }
    let part = site.check("GET /a.css", &["Range: bytes=1-1"], 206);
    assert_eq!(part.field("cache-control"), Some("max-age=60"));
    assert_eq!(
        site.check("GET /none.css", &[], 404).field("cache-control"),
        None
    );
}

fn with_pages(files: Files) -> Files {
    let files = files
        .with_error_page(404, "/errors/404.html")
        .expect("a page");
    let files = files
        .with_error_page(405, "/errors/405.txt")
        .expect("a page");
    files.with_error_page(400, "/errors/none").expect("a page")
}

#[test]
fn refusals_are_sent_with_their_page() {
    let files: [(&str, &[u8]); 4] = [
        ("errors/404.html", b"<!doctype html>nothing here"),
        ("errors/404.html.gz", b"coded"),
        ("errors/405.txt", b"GET it"),
        ("a", b"a"),
    ];
    let site = site(&files, with_pages);
    for line in [
        "GET /none",
        "GET /errors/",
        "GET /.env",
        "GET /a/",
        "GET /none/none",
    ] {
        // What is asked of the file is not asked of the page.
        let answer = site.check(line, &["Range: bytes=0-1", "If-None-Match: *"], 404);
        assert_eq!(answer.body, b"<!doctype html>nothing here", "{line}");
        assert_eq!(
            answer.field("content-type"),
            Some("text/html; charset=utf-8")
        );
        assert_eq!(answer.field("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.field("vary"), Some("Accept-Encoding"));
        for name in ["etag", "last-modified", "accept-ranges", "content-range"] {
            assert_eq!(answer.field(name), None, "{name}");
        }
    }
    let coded = site.check("GET /none", &["Accept-Encoding: gzip"], 404);
    assert_eq!(
        (coded.field("content-encoding"), &*coded.body),
        (Some("gzip"), b"coded" as &[u8])
    );
    let head = site.check("HEAD /none", &[], 404);
    assert_eq!(
        (head.field("content-length"), &*head.body),
        (Some("27"), b"" as &[u8])
    );
    let method = site.check("DELETE /a", &[], 405);
    assert_eq!(
        (method.field("allow"), &*method.body),
        (Some("GET, HEAD"), b"GET it" as &[u8])
    );
    // A page that is not there is a sentence.
    let plain = site.check("GET /a%00", &[], 400);
    assert_eq!(plain.body, b"that is no path of a file\n");
    // By its own name it is a file like others.
    site.check("GET /errors/404.html", &[], 200);
}

#[test]
fn pages_that_cannot_be_are_refused_when_they_are_set() {
    let root = directory(&[]);
    let files = Files::new(&root).expect("a directory");
    for (status, path) in [
        (200, "/a"),
        (304, "/a"),
        (404, ""),
        (404, "/"),
        (404, "/../a"),
        (404, "/a/"),
    ] {
        files
            .clone()
            .with_error_page(status, path)
            .expect_err("no page");
    }
    files.clone().with_fallback("/a/").expect_err("no page");
    files
        .clone()
        .with_cache_control("", "x")
        .expect_err("no pattern");
    files.with_media_types("html").expect_err("no table");
    std::fs::remove_dir(root).expect("ours");
}

const BROWSER: &str = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

#[test]
fn an_application_of_one_page_is_that_page_wherever_a_browser_opens_it() {
    let files: [(&str, &[u8]); 4] = [
        ("index.html", b"the page"),
        ("a.js", b"script"),
        ("dir/file", b"file"),
        ("errors/404.html", b"nothing here"),
    ];
    let site = site(&files, |files| {
        with_pages(files)
            .with_fallback("/index.html")
            .expect("a page")
    });
    let is_page = |answer: &Answer| {
        assert_eq!(answer.body, b"the page");
        assert_eq!(
            answer.field("content-type"),
            Some("text/html; charset=utf-8")
        );
        assert_eq!(answer.field("vary"), Some("Accept"));
        assert!(answer.field("etag").is_some());
    };
    for path in ["/users/7", "/users/7/", "/dir/", "/a.b/c"] {
        is_page(&site.check(&format!("GET {path}"), &[BROWSER], 200));
        let head = site.check(&format!("HEAD {path}"), &[BROWSER], 200);
        assert_eq!(head.field("content-length"), Some("8"));
    }
    site.check("GET /users/7", &[BROWSER, "If-None-Match: *"], 304);
    // Others get what there is: who wants data, and who wants what belongs to a page.
    for (path, accept) in [
        ("/users/7", "Accept: application/json"),
        ("/users/7", "Accept: */*"),
        ("/users/7", "X: no Accept"),
    ] {
        let answer = site.check(&format!("GET {path}"), &[accept], 404);
        assert_eq!(answer.body, b"nothing here");
        assert_eq!(answer.field("vary"), Some("Accept"));
    }
    site.check("GET /.env", &[BROWSER], 404);
    let script = site.check("GET /none.js", &[BROWSER], 404);
    assert_eq!(script.field("vary"), None);
    assert_eq!(site.check("GET /a.js", &[BROWSER], 200).body, b"script");
    assert_eq!(site.check("GET /dir/file", &[BROWSER], 200).body, b"file");
    site.check("POST /users/7", &[BROWSER], 405);
    site.check("GET /a/..%2f", &[BROWSER], 400);
}
