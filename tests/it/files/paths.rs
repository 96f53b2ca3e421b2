//! From paths to files.

use std::fs;

use edgeloop::web::Files;
use edgeloop::{Reply, Request, ResponseWriter};

use super::{Site, directory};

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
