//! Files that lie coded beside themselves.

use edgeloop::web::Files;
use edgeloop::{Reply, Request, ResponseWriter};

use super::{Site, directory};

/// One file with all its siblings, and others with some or none.
fn site() -> Site {
    Site::new(&[
        ("all.css", b"as it is"),
        ("all.css.br", b"brotli"),
        ("all.css.zst", b"zstandard"),
        ("all.css.gz", b"gzip"),
        ("some.txt", b"as it is"),
        ("some.txt.gz", b"gzip"),
        ("none.html", b"as it is"),
        ("dir/index.html", b"as it is"),
        ("dir/index.html.gz", b"gzip"),
        ("picture.png", b"as it is"),
        ("picture.png.gz", b"never"),
        ("odd.js", b"as it is"),
        ("odd.js.gz/file", b"a directory"),
        ("only.css.gz", b"gzip"),
    ])
}

#[test]
fn a_sibling_is_sent_in_the_coding_that_is_liked_best() {
    let site = site();
    for (path, accept, coding, body) in [
        ("/all.css", "gzip, deflate, br, zstd", Some("br"), "brotli"),
        ("/all.css", "gzip, zstd", Some("zstd"), "zstandard"),
        ("/all.css", "br;q=0.1, gzip;q=0.2", Some("gzip"), "gzip"),
        ("/all.css", "*", Some("br"), "brotli"),
        ("/all.css", "br;q=0, *;q=0.5", Some("zstd"), "zstandard"),
        ("/all.css", "deflate", None, "as it is"),
        ("/all.css", "", None, "as it is"),
        ("/all.css", "gzip;q=0", None, "as it is"),
        ("/all.css", "identity, gzip;q=0.5", None, "as it is"),
        ("/some.txt", "br, gzip", Some("gzip"), "gzip"),
        ("/some.txt", "br, zstd", None, "as it is"),
        (
            "/some.txt",
            "br, gzip;q=0.5, identity;q=0.6",
            None,
            "as it is",
        ),
        ("/dir/", "gzip", Some("gzip"), "gzip"),
    ] {
        let answer = site.check(
            &format!("GET {path}"),
            &[&format!("Accept-Encoding: {accept}")],
            200,
        );
        assert_eq!(answer.field("content-encoding"), coding, "{path} {accept}");
        assert_eq!(answer.body, body.as_bytes(), "{path} {accept}");
        assert_eq!(
            answer.field("vary"),
            Some("Accept-Encoding"),
            "{path} {accept}"
        );
    }
    let none = site.check("GET /all.css", &[], 200);
    assert_eq!(none.field("content-encoding"), None);
    assert_eq!(none.field("vary"), Some("Accept-Encoding"));
    let kind = site.check("GET /all.css", &["Accept-Encoding: br"], 200);
    assert_eq!(kind.field("content-type"), Some("text/css; charset=utf-8"));
}

#[test]
fn what_has_no_siblings_does_not_vary() {
    let site = site();
    for path in ["/none.html", "/picture.png", "/odd.js"] {
        let answer = site.check(&format!("GET {path}"), &["Accept-Encoding: br, gzip"], 200);
        assert_eq!(answer.field("content-encoding"), None, "{path}");
        assert_eq!(answer.field("vary"), None, "{path}");
        assert_eq!(answer.body, b"as it is", "{path}");
    }
    // A sibling stands for nothing that is not there, and is a file itself.
    site.check("GET /only.css", &["Accept-Encoding: gzip"], 404);
    let itself = site.check("GET /only.css.gz", &["Accept-Encoding: gzip"], 200);
    assert_eq!(itself.field("content-encoding"), None);
    assert_eq!(itself.field("content-type"), Some("application/gzip"));
}

#[test]
fn who_takes_nothing_that_there_is_gets_406() {
    let site = site();
    for (path, accept) in [
        ("/none.html", "identity;q=0"),
        ("/none.html", "gzip, *;q=0"),
        ("/some.txt", "br, identity;q=0"),
    ] {
        let answer = site.check(
            &format!("GET {path}"),
            &[&format!("Accept-Encoding: {accept}")],
            406,
        );
        assert_eq!(answer.field("vary"), Some("Accept-Encoding"));
    }
    site.check("GET /some.txt", &["Accept-Encoding: gzip, *;q=0"], 200);
}

#[test]
fn each_form_has_a_tag_of_its_own() {
    let site = site();
    let forms = ["br", "zstd", "gzip", "identity"];
    let tags = forms.map(|coding| {
        let answer = site.check(
            "GET /all.css",
            &[&format!("Accept-Encoding: {coding}")],
            200,
        );
        answer.field("etag").expect("a tag").to_owned()
    });
    for (at, coding) in forms.iter().enumerate() {
        for (of, tag) in tags.iter().enumerate() {
            let fields = [
                &format!("Accept-Encoding: {coding}"),
                &*format!("If-None-Match: {tag}"),
            ];
            let status = if at == of { 304 } else { 200 };
            let answer = site.check("GET /all.css", &fields, status);
            assert_eq!(answer.field("vary"), Some("Accept-Encoding"));
            assert_eq!(answer.field("etag"), Some(&*tags[at]));
        }
    }
}

#[test]
fn ranges_are_of_the_form_that_is_sent() {
    let site = site();
    let fields = ["Accept-Encoding: gzip", "Range: bytes=1-2"];
    let answer = site.check("GET /all.css", &fields, 206);
    assert_eq!(answer.field("content-range"), Some("bytes 1-2/4"));
    assert_eq!(answer.body, b"zi");
    assert_eq!(answer.field("content-encoding"), Some("gzip"));
}

#[test]
fn siblings_lead_nowhere_either() {
    let root = directory(&[("public/a.css", b"as it is"), ("secret", b"secret")]);
    std::os::unix::fs::symlink("../secret", root.join("public/a.css.gz")).expect("a link");
    let files = Files::new(root.join("public")).expect("a directory");
    let site = Site::serve_files(root, files);
    let answer = site.check("GET /a.css", &["Accept-Encoding: gzip"], 200);
    assert_eq!(answer.body, b"as it is");
    assert_eq!(answer.field("vary"), None);
}

/// A link leads to where nothing is watched: what it is a sibling of is looked up for each request, and once for the cache.
#[test]
fn what_has_a_link_for_a_sibling_is_not_tried_again_and_again() {
    let root = directory(&[("a.txt", b"text"), ("b.gz", b"coded")]);
    std::os::unix::fs::symlink("b.gz", root.join("a.txt.gz")).expect("a link");
    let mut files = Files::new(&root).expect("a directory");
    let handler = move |req: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
        if req.path() == "/misses" {
            let stats = files.cache_stats(res.local()).expect("there is one");
            return res.status(200).text(stats.misses.to_string());
        }
        files.serve(req, req.path(), res)
    };
    let site = Site::serve(root, handler);
    let mut misses = Vec::new();
    for _ in 0..4 {
        let answer = site.check("GET /a.txt", &["Accept-Encoding: gzip"], 200);
        assert_eq!(answer.body, b"coded");
        misses.push(site.check("GET /misses", &[], 200).body);
    }
    assert_eq!(misses[1], misses[3]);
}
