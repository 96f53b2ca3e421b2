//! What a router is besides its rules: groups, other handlers below it, errors, and bodies.

use edgeloop::server::Intake;
use edgeloop::web::{BodyLimit, Files, RouteError, RouteInfo, Routes, Unclean};
use edgeloop::{Handler, Reply, Request, ResponseWriter};

use super::{Site, site};
use crate::process::Scratch;

/// Says by which route a request has come, and with what.
fn told(req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
    let pattern = req.pattern().unwrap_or("none");
    let names = ["a", "b", "rest"];
    let values = names.map(|name| req.path_value(name).unwrap_or("-"));
    let text = format!("{pattern} {} {}", values.join(" "), req.path_below());
    res.status(200).text(text)
}

#[test]
fn wildcards_keep_their_values_as_they_came() {
    let mut site = site(
        Routes::new()
            .get("/v/{a}/x/{b}", told)
            .get("/v/{a}/y/{rest...}", told)
            .get("/tree/", told),
    );
    for (path, expected) in [
        ("/v/1/x/2", "GET /v/{a}/x/{b} 1 2 - /v/1/x/2"),
        (
            "/v/%31/x/a%2Fb",
            "GET /v/{a}/x/{b} %31 a%2Fb - /v/%31/x/a%2Fb",
        ),
        ("/v/1/y/", "GET /v/{a}/y/{rest...} 1 -  "),
        (
            "/v/1/y/2/3%2F/",
            "GET /v/{a}/y/{rest...} 1 - 2/3%2F/ 2/3%2F/",
        ),
        ("/tree/", "GET /tree/ - - - "),
        ("/tree/1/2", "GET /tree/ - - - 1/2"),
    ] {
        assert_eq!(site.ask(&format!("GET {path}"), &[]).body, expected);
    }
}

#[test]
fn groups_have_prefixes_and_hosts_and_nest() {
    let inner = Routes::new()
        .get("", told)
        .get("/", told)
        .put("/{b}", told)
        .handle_fn("PATCH /{b}", told)
        .handle_fn("TRACE /all", told);
    let outer = Routes::new().group("/{a}/items", inner).get("/{$}", told);
    let routes = Routes::new()
        .group("/api", outer)
        .group("", Routes::new().delete("/bare", told))
        .host(
            "h",
            Routes::new().group("/api", Routes::new().post("/x", told)),
        )
        .post("i/x", told);
    let mut site = site(routes);
    for (line, host, expected) in [
        (
            "GET /api/1/items",
            "x",
            "GET /api/{a}/items 1 - - /api/1/items",
        ),
        ("GET /api/1/items/", "x", "GET /api/{a}/items/ 1 - - "),
        ("GET /api/1/items/2", "x", "GET /api/{a}/items/ 1 - - 2"),
        (
            "PUT /api/1/items/2",
            "x",
            "PUT /api/{a}/items/{b} 1 2 - /api/1/items/2",
        ),
        (
            "PATCH /api/1/items/2",
            "x",
            "PATCH /api/{a}/items/{b} 1 2 - /api/1/items/2",
        ),
        (
            "TRACE /api/1/items/all",
            "x",
            "TRACE /api/{a}/items/all 1 - - /api/1/items/all",
        ),
        ("GET /api/", "x", "GET /api/{$} - - - /api/"),
        ("DELETE /bare", "x", "DELETE /bare - - - /bare"),
        ("POST /api/x", "h", "POST h/api/x - - - /api/x"),
        ("POST /x", "i", "POST i/x - - - /x"),
        ("POST /x", "h", "not found\n"),
    ] {
        assert_eq!(
            site.ask(line, &[&format!("Host: {host}")]).body,
            expected,
            "{line}"
        );
    }
}

#[test]
fn routes_can_be_listed() {
    let router = Routes::new()
        .group(
            "/api",
            Routes::new().host("H.x", Routes::new().get("/{id}", told)),
        )
        .handle_fn("/", told)
        .build()
        .expect("sound routes");
    let info = |method, host, path, pattern| RouteInfo {
        method,
        host,
        path,
        pattern,
    };
    let expected = [
        info(None, None, "/", "/"),
        info(Some("GET"), Some("h.x"), "/api/{id}", "GET H.x/api/{id}"),
    ];
    assert_eq!(router.routes().collect::<Vec<_>>(), expected);
    assert_eq!(format!("{router:?}"), r#"["/", "GET H.x/api/{id}"]"#);
}

#[test]
fn all_that_is_wrong_is_said_with_its_place_when_routes_are_built() {
    let errors = Routes::new()
        .get("/{a}/x", told)
        .group("/y", Routes::new().get("/{b}", told).get("/a//b", told))
        .group("api", Routes::new())
        .group("/api/", Routes::new())
        .host("a/b", Routes::new())
        .host("h", Routes::new().get("i/", told).host("i", Routes::new()))
        .get("POST /", told)
        .handle_fn("/ok", told)
        .handle_fn("x/y/{$}", told)
        .build()
        .expect_err("much is wrong");
    let text = errors.to_string();
    let wrong = |error: &RouteError| match error {
        RouteError::Malformed { pattern, why, .. } => format!("{pattern}: {why}"),
        RouteError::Conflict {
            pattern,
            other,
            example,
            ..
        } => {
            format!("{pattern} and {other}: {example}")
        }
    };
    let expected = [
        "POST /: it has a method of its own",
        "/a//b: it has an empty segment, which never matches",
        "api: the prefix of a group begins with a slash and ends without one",
        "/api/: the prefix of a group begins with a slash and ends without one",
        "a/b: a host has no slash",
        "i/: a host within a host",
        "i: a host within a host",
        "GET /y/{b} and GET /{a}/x: GET /y/x",
    ];
    assert_eq!(errors.iter().map(wrong).collect::<Vec<_>>(), expected);
    assert_eq!(text.lines().count(), expected.len());
    let conflict = text.lines().last().expect("one");
    assert_eq!(
        conflict.matches("routes/serving.rs:").count(),
        2,
        "{conflict}"
    );
    let twice = Routes::new().get("/{x}", told).get("/{y}", told).build();
    let twice = twice.expect_err("the same").to_string();
    assert!(
        twice.contains(r#""GET /{y}""#) && twice.contains(r#""GET /{x}""#),
        "{twice}"
    );
}

#[test]
fn paths_that_are_not_clean_are_redirected_or_served_or_not_found() {
    let router = || {
        Routes::new()
            .get("/a", told)
            .get("/v/{a}/b", told)
            .get("/tree/", told)
            .build()
            .expect("sound routes")
    };
    let mut redirects = Site::new(router());
    let mut serves = Site::new(router().with_unclean(Unclean::Serve));
    let mut refuses = Site::new(router().with_unclean(Unclean::NotFound));
    for (path, place, served, clean) in [
        ("//a", Some("/a"), None, false),
        ("/./a", Some("/a"), None, false),
        ("/v/../b", None, Some("GET /v/{a}/b .. - - /v/../b"), false),
        (
            "/tree//x/../y",
            Some("/tree/y"),
            Some("GET /tree/ - - - /x/../y"),
            false,
        ),
        ("//tree", Some("/tree/"), None, false),
        ("/a", None, Some("GET /a - - - /a"), true),
    ] {
        let line = format!("GET {path}");
        let redirected = redirects.ask(&line, &[]);
        assert_eq!(redirected.field("Location"), place, "{path}");
        let body = serves.ask(&line, &[]).body;
        assert_eq!(body, served.unwrap_or("not found\n"), "{path}");
        assert_eq!(refuses.ask(&line, &[]).status == 404, !clean, "{path}");
    }
}

#[test]
fn what_is_served_unclean_leads_past_no_other_route() {
    let dir = Scratch::new("unclean");
    std::fs::create_dir(dir.path().join("admin")).expect("room");
    dir.file("admin/secret", "secret\n");
    dir.file("open", "open\n");
    let routes = Routes::new()
        .handle("/", Files::new(dir.path()).expect("a directory"))
        .get("/admin/secret", told)
        .build();
    let mut site = Site::new(routes.expect("sound routes").with_unclean(Unclean::Serve));
    assert_eq!(site.ask("GET /open", &[]).body, "open\n");
    for path in [
        "//admin/secret",
        "/x/../admin/secret",
        "/./admin/secret",
        "/admin//secret",
    ] {
        let answer = site.ask(&format!("GET {path}"), &[]);
        assert_eq!(answer.status, 404, "{path}: {}", answer.body);
    }
    let routes = Routes::new().get("/{x}/", told).build();
    let mut site = Site::new(routes.expect("a sound route").with_unclean(Unclean::Serve));
    for path in ["/.", "/.."] {
        let place = site.ask(&format!("GET {path}"), &[]);
        assert_ne!(place.field("Location"), Some("//"), "{path}");
    }
}

#[test]
fn files_and_other_routers_stand_below_a_route() {
    let dir = Scratch::new("routed");
    dir.file("a.txt", "a file\n");
    std::fs::create_dir(dir.path().join("sub")).expect("room");
    dir.file("sub/index.html", "an index\n");
    let files = Files::new(dir.path()).expect("a directory");
    let inner = Routes::new()
        .get("/inner/{b}", told)
        .get("/inner/files/{rest...}", |req, res| {
            res.status(200).text(req.path_value("a").unwrap_or("-"))
        })
        .build()
        .expect("sound routes");
    let mut site = site(
        Routes::new()
            .handle("/static/", files.clone())
            .handle("GET /named/{a}/{rest...}", files)
            .handle("/inner/", inner),
    );
    for (line, status, said) in [
        ("GET /static/a.txt", 200, "a file\n"),
        ("GET /static/b.txt", 404, "not found\n"),
        ("GET /static/sub/", 200, "an index\n"),
        ("GET /static/sub", 308, "sub/"),
        ("POST /static/a.txt", 405, "GET, HEAD"),
        ("GET /named/x/a.txt", 200, "a file\n"),
        ("POST /named/x/a.txt", 405, "GET, HEAD, OPTIONS"),
        ("GET /inner/7", 200, "GET /inner/{b} - 7 - 7"),
        ("GET /inner/files/x", 200, "-"),
        ("POST /inner/7", 405, "GET, HEAD, OPTIONS"),
        ("GET /inner/", 404, "not found\n"),
    ] {
        let answer = site.ask(line, &[]);
        let place = answer.field("Location").or(answer.field("Allow"));
        let got = (answer.status, place.unwrap_or(&answer.body));
        assert_eq!(got, (status, said), "{line}");
        // A body changes nothing.
        if !line.contains("inner") {
            assert_eq!(site.post(line, &[], "body").status, status, "{line}");
        }
    }
}

/// Takes bodies of at most three bytes, but for those it refuses.
struct Choosy;

impl Handler for Choosy {
    fn on_request(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
        res.status(200).body(req.body())
    }

    fn intake(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Intake {
        assert_eq!(req.pattern(), Some("POST /{name}/choosy"));
        match req.path_value("name") {
            Some("no") => Intake::Answer(res.status(403).text("no\n")),
            _ => Intake::Buffer(3),
        }
    }
}

#[test]
fn what_becomes_of_a_body_is_decided_by_the_route_before_it_comes() {
    let mut site = site(
        Routes::new()
            .handle("POST /{name}/choosy", Choosy)
            .group(
                "/limited",
                Routes::new()
                    .layer(BodyLimit(5))
                    .post("/five", |req, res| res.status(200).body(req.body()))
                    .group(
                        "/inner",
                        Routes::new()
                            .layer(BodyLimit(2 << 20))
                            .post("/large", |req, res| {
                                res.status(200).text(req.body().len().to_string())
                            }),
                    ),
            )
            .post("/usual", |req, res| {
                res.status(200).text(req.body().len().to_string())
            }),
    );
    let large = "x".repeat(2 << 20);
    for (line, body, status, said) in [
        ("POST /yes/choosy", "abc", 200, "abc"),
        ("POST /limited/five", "12345", 200, "12345"),
        ("POST /limited/inner/large", &large, 200, "2097152"),
        ("POST /usual", &large[..1 << 20], 200, "1048576"),
    ] {
        let answer = site.post(line, &[], body);
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (status, said),
            "{line}"
        );
    }
    // No byte of these is sent.
    for (line, declared, status) in [
        ("POST /yes/choosy", 4, 413),
        ("POST /no/choosy", 1 << 30, 403),
        ("POST /limited/five", 6, 413),
        ("POST /limited/inner/large", (2 << 20) + 1, 413),
        ("POST /usual", (1 << 20) + 1, 413),
        ("POST /nowhere", 1 << 30, 404),
        ("PUT /usual", 1 << 30, 405),
        ("BREW /nowhere", 1 << 30, 501),
        ("POST //usual", 1 << 30, 308),
    ] {
        let expects = [
            "Expect: 100-continue",
            &format!("Content-Length: {declared}"),
        ];
        assert_eq!(site.ask(line, &expects).status, status, "{line}");
    }
}
