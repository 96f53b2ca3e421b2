//! The middleware that ships.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use edgeloop::web::{
    Access, AccessEntry, BasicAuth, BasicAuthError, Cors, CorsError, CorsRules, CrossOrigin,
    Deadline, Id, Next, Origins, RequestId, Routes, SecurityHeaders, User,
};
use edgeloop::{Completer, Reply, Request, ResponseWriter, Trial, field_name};

use super::site;

fn hello(_: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
    res.status(200).text("hello")
}

#[test]
fn requests_get_names_that_no_other_has() {
    let id = |req: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
        res.status(200)
            .text(req.attached::<Id>().map_or("", Id::as_str))
    };
    let mut names = BTreeSet::new();
    for _ in 0..3 {
        let mut site = site(Routes::new().layer(RequestId::new()).get("/", id));
        for (line, with_id) in [("GET /", true), ("GET /", true), ("POST /", false)] {
            let answer = site.ask(line, &["X-Request-Id: mine"]);
            let name = answer.field("X-Request-Id").expect("a name").to_owned();
            assert_eq!(answer.body == name, with_id);
            assert!(name.len() > 16 && names.insert(name.clone()), "{name}");
        }
    }
    let accepting = RequestId::new().accept_incoming();
    let mut site = site(Routes::new().layer(accepting).get("/", id).post("/", id));
    let longest = "x".repeat(64);
    for (name, is_kept) in [
        ("mine", true),
        ("a-._~+/=:Z9", true),
        (&longest, true),
        (&[&longest, "x"].concat(), false),
        ("", false),
        ("a b", false),
        ("<script>", false),
        ("\u{e9}", false),
    ] {
        let field = format!("X-Request-Id: {name}");
        for answer in [
            site.ask("GET /", &[&field]),
            site.post("POST /", &[&field], "x"),
        ] {
            assert_eq!(
                answer.field("X-Request-Id") == Some(name),
                is_kept,
                "{name}"
            );
            assert_eq!(answer.field("X-Request-Id"), Some(answer.body.as_str()));
        }
    }
}

/// Middleware sees it twice, and what the answer says is what was said when the head had come.
#[test]
fn a_request_whose_body_is_buffered_has_one_name() {
    let seen: Rc<RefCell<Vec<String>>> = Rc::default();
    let notes = Rc::clone(&seen);
    let note = move |req: &Request<'_>, res: ResponseWriter<'_>, next: Next<'_>| -> Reply {
        let id = req.attached::<Id>().map_or("", Id::as_str);
        notes.borrow_mut().push(id.to_owned());
        next.run(req, res)
    };
    let routes = Routes::new().layer(RequestId::new()).layer(note);
    let routes = routes.get("/", hello).post("/", hello);
    let mut trial = Trial::new(routes.build().expect("sound routes")).expect("descriptors");
    // On one connection, so that a name that is kept could be taken for that of the next request.
    let answers = [
        trial.call("POST", "/", &[], b"body"),
        trial.get("/"),
        trial.call("POST", "/", &[], b"another"),
    ];
    let said = answers.map(|answer| answer.field("X-Request-Id").unwrap_or_default().to_owned());
    let [first, second, third] = &said;
    assert_eq!(
        *seen.borrow(),
        [first, first, second, third, third].map(String::as_str)
    );
    let different: BTreeSet<&String> = said.iter().collect();
    assert_eq!(different.len(), 3);
}

#[test]
fn access_is_told_once_for_each_answer() {
    let entries: Rc<RefCell<Vec<AccessEntry>>> = Rc::default();
    let log = Rc::clone(&entries);
    let mut site = site(
        Routes::new()
            .layer(Access::new(move |entry: &AccessEntry| {
                log.borrow_mut().push(entry.clone());
            }))
            .get("/a/{b}", hello)
            .post("/a/{b}", hello)
            .get("/later", |_, res| {
                let (completer, reply) = res.defer();
                completer.finish(|res| res.status(201).text("later"));
                reply
            })
            .get("/panic", |_, _| panic!("a panic that belongs to a test")),
    );
    site.ask("GET /a/1?x=y", &[]);
    site.post("POST /a/2", &[], "body");
    site.ask("HEAD /a/3", &[]);
    site.ask("GET /later", &[]);
    site.ask("GET /panic", &[]);
    site.ask("GET /none", &[]);
    site.post("PUT /a/4", &[], "body");
    let entries = entries.borrow();
    let told: Vec<_> = entries
        .iter()
        .map(|it| {
            let pattern = it.pattern.as_deref().unwrap_or("-");
            let bytes = it.content_bytes.map_or(-1, u64::cast_signed);
            format!(
                "{} {} {pattern} {} {bytes}",
                it.method, it.target, it.status
            )
        })
        .collect();
    let expected = [
        "GET /a/1?x=y GET /a/{b} 200 5",
        "POST /a/2 POST /a/{b} 200 5",
        "HEAD /a/3 GET /a/{b} 200 5",
        "GET /later GET /later 201 5",
        "GET /panic GET /panic 500 28",
        "GET /none - 404 10",
        "PUT /a/4 - 405 19",
    ];
    assert_eq!(told, expected);
}

#[test]
fn who_is_later_than_the_deadline_of_his_group_is_503() {
    let kept: Rc<RefCell<Vec<Completer>>> = Rc::default();
    let never = move |_: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
        let (completer, reply) = res.defer();
        kept.borrow_mut().push(completer);
        reply
    };
    let soon = Deadline(Duration::from_millis(50));
    let mut site = site(
        Routes::new()
            .layer(Deadline(Duration::from_secs(1000)))
            .group(
                "/soon",
                Routes::new()
                    .layer(soon)
                    .get("/", never.clone())
                    .post("/", never),
            ),
    );
    assert_eq!(site.ask("GET /soon/", &[]).status, 503);
    assert_eq!(site.post("POST /soon/", &[], "body").status, 503);
}

#[test]
fn only_who_has_a_name_and_its_password_gets_in() {
    let users = [("ada", "countess"), ("björn", "påss:word"), ("empty", "")];
    let auth = BasicAuth::new("the \"engine\" room", users).expect("sound");
    let mut site = site(Routes::new().layer(auth).get("/", |req, res| {
        res.status(200)
            .text(req.attached::<User>().map_or("", User::name))
    }));
    // By `printf %s ada:countess | base64`, and so on.
    for (authorization, name) in [
        ("Basic YWRhOmNvdW50ZXNz", "ada"),
        ("basic YWRhOmNvdW50ZXNz", "ada"),
        ("BASIC  YWRhOmNvdW50ZXNz ", "ada"),
        ("Basic YmrDtnJuOnDDpXNzOndvcmQ=", "björn"),
        ("Basic ZW1wdHk6", "empty"),
    ] {
        let answer = site.ask("GET /", &[&format!("Authorization: {authorization}")]);
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, name),
            "{authorization}"
        );
    }
    let long = format!("Basic {}", "YWFh".repeat(200));
    for authorization in [
        "Basic YWRhOmNvdW50ZXN6",     // ada:countesz
        "Basic YWRhOmNvdW50ZXM=",     // ada:countes
        "Basic YWRhOmNvdW50ZXNzAA==", // ada:countess and a zero
        "Basic YWRhOg==",             // ada:
        "Basic YWRh",                 // ada
        "Basic ",
        "Basic",
        "Basic !!!!",
        "Basic YWRhOmNvdW50ZXNz=",
        "Basic YmrDtnJuOnDDpXNzOndvcmQ", // without its padding
        "Bearer YWRhOmNvdW50ZXNz",
        "YWRhOmNvdW50ZXNz",
        &long,
        "",
    ] {
        let answer = site.ask("GET /", &[&format!("Authorization: {authorization}")]);
        assert_eq!(answer.status, 401, "{authorization}");
        let challenge = answer.field("WWW-Authenticate");
        let expected = r#"Basic realm="the \"engine\" room", charset="UTF-8""#;
        assert_eq!(challenge, Some(expected));
    }
    assert_eq!(site.ask("GET /", &[]).status, 401);
    assert_eq!(site.post("POST /none", &[], "body").status, 401);
    let right = "Authorization: Basic YWRhOmNvdW50ZXNz";
    assert_eq!(
        site.ask("GET /", &[right, "Authorization: Basic x"]).status,
        401
    );
    let error = |realm, users: &[(&str, &str)]| {
        BasicAuth::new(realm, users.iter().copied()).expect_err("unsound")
    };
    assert_eq!(error("a\r\nb", &[("a", "b")]), BasicAuthError::Realm);
    assert_eq!(error("é", &[("a", "b")]), BasicAuthError::Realm);
    assert_eq!(error("a", &[]), BasicAuthError::NoUser);
    assert_eq!(error("a", &[("a:b", "c")]), BasicAuthError::Name);
    assert_eq!(error("a", &[("a", "b\n")]), BasicAuthError::Password);
    assert_eq!(
        error("a", &[("a", &"b".repeat(255))]),
        BasicAuthError::Length
    );
}

/// What an answer says to scripts.
fn cors_fields(head: &str) -> Vec<&str> {
    let said = |line: &&str| line.starts_with("Access-Control-") || line.starts_with("Vary");
    head.lines().filter(said).collect()
}

#[test]
fn scripts_of_other_origins_read_what_they_may() {
    let strings = |list: &[&str]| list.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    let rules = CorsRules {
        origins: Origins::These(strings(&["https://app.example", "http://localhost:3000"])),
        methods: strings(&["PUT", "DELETE"]),
        fields: strings(&["X-Token"]),
        exposed: strings(&["X-Total"]),
        credentials: true,
        max_age: Some(Duration::from_secs(600)),
    };
    let cors = Cors::new(rules).expect("sound");
    let auth = BasicAuth::new("a", [("a", "b")]).expect("sound");
    let behind = Routes::new().layer(auth).put("/secret", hello);
    let mut site = site(
        Routes::new()
            .group(
                "/api",
                Routes::new()
                    .layer(cors)
                    .get("/a", |_, res| {
                        res.status(200)
                            .field(field_name!("Vary"), "Accept")
                            .text("hello")
                    })
                    .group("", behind),
            )
            .handle_fn("/", hello),
    );
    let allowed = [
        "Vary: Origin",
        "Access-Control-Allow-Origin: https://app.example",
        "Access-Control-Allow-Credentials: true",
    ];
    let answer = site.ask("GET /api/a", &["Origin: https://app.example"]);
    let exposed = "Access-Control-Expose-Headers: X-Total";
    let expected = [&allowed[..], &[exposed, "Vary: Accept"]].concat();
    assert_eq!(cors_fields(&answer.head), expected);
    for origin in [
        "https://app.example.evil",
        "http://app.example",
        "null",
        "HTTPS://APP.EXAMPLE",
    ] {
        let answer = site.ask("GET /api/a", &[&format!("Origin: {origin}")]);
        assert_eq!(answer.status, 200);
        assert_eq!(cors_fields(&answer.head), ["Vary: Origin", "Vary: Accept"]);
    }
    let answer = site.ask("GET /api/a", &[]);
    assert_eq!(cors_fields(&answer.head), ["Vary: Origin", "Vary: Accept"]);
    // A preflight needs no password, though what it asks for does, and is not for who takes everything.
    let asks = "Access-Control-Request-Method: PUT";
    let preflight = site.ask(
        "OPTIONS /api/secret",
        &["Origin: https://app.example", asks],
    );
    assert_eq!(preflight.status, 204);
    let told = [
        "Access-Control-Allow-Methods: PUT, DELETE",
        "Access-Control-Allow-Headers: X-Token",
        "Access-Control-Max-Age: 600",
    ];
    assert_eq!(cors_fields(&preflight.head), [&allowed[..], &told].concat());
    let refused = site.ask(
        "OPTIONS /api/secret",
        &["Origin: https://evil.example", asks],
    );
    assert_eq!(
        (refused.status, cors_fields(&refused.head)),
        (204, vec!["Vary: Origin"])
    );
    assert_eq!(
        site.ask("OPTIONS /api/a", &[]).field("Allow"),
        Some("GET, HEAD, OPTIONS")
    );
    assert_eq!(
        site.ask("PUT /api/secret", &["Origin: https://app.example"])
            .status,
        401
    );
}

#[test]
fn with_any_origin_nothing_depends_on_which() {
    let rules = CorsRules {
        origins: Origins::Any,
        methods: vec!["*".to_owned()],
        ..CorsRules::default()
    };
    let cors = Cors::new(rules).expect("sound");
    let mut site = site(Routes::new().layer(cors).put("/", hello));
    let answer = site.ask("PUT /", &["Origin: https://any.example"]);
    assert_eq!(
        cors_fields(&answer.head),
        ["Access-Control-Allow-Origin: *"]
    );
    let asks = ["Origin: null", "Access-Control-Request-Method: PUT"];
    let expected = [
        "Access-Control-Allow-Origin: *",
        "Access-Control-Allow-Methods: *",
    ];
    assert_eq!(cors_fields(&site.ask("OPTIONS /", &asks).head), expected);
    assert_eq!(cors_fields(&site.ask("PUT /", &[]).head), [] as [&str; 0]);
}

#[test]
fn rules_that_cannot_be_are_refused_when_they_are_made() {
    let error = |rules: CorsRules| Cors::new(rules).expect_err("unsound");
    let with = |name: &str, credentials| CorsRules {
        methods: vec![name.to_owned()],
        credentials,
        ..CorsRules::default()
    };
    let any = CorsRules {
        origins: Origins::Any,
        credentials: true,
        ..CorsRules::default()
    };
    assert_eq!(error(any), CorsError::AnyWithCredentials);
    assert_eq!(error(with("*", true)), CorsError::AnyWithCredentials);
    assert_eq!(
        error(with("A B", false)),
        CorsError::Token("A B".to_owned())
    );
    assert!(Cors::new(with("*", false)).is_ok());
    for origin in [
        "",
        "*",
        "null",
        "a.example",
        "https://",
        "https://a/",
        "https://a/b",
        "https://u@a",
    ] {
        let rules = CorsRules {
            origins: Origins::These(vec![origin.to_owned()]),
            ..CorsRules::default()
        };
        assert_eq!(error(rules), CorsError::Origin(origin.to_owned()));
        assert!(CrossOrigin::new().trust(origin).is_err(), "{origin}");
    }
}

#[test]
fn pages_of_other_origins_change_nothing() {
    let guard = CrossOrigin::new()
        .trust("https://Trusted.example")
        .expect("sound");
    let mut site = site(Routes::new().layer(guard).handle_fn("/", hello));
    let host = "Host: our.example:8080";
    for (fields, passes) in [
        (&[] as &[&str], true),
        (&["Sec-Fetch-Site: same-origin"], true),
        (&["Sec-Fetch-Site: none"], true),
        (&["Sec-Fetch-Site: same-site"], false),
        (&["Sec-Fetch-Site: cross-site"], false),
        (&["Sec-Fetch-Site: something"], false),
        (
            &[
                "Sec-Fetch-Site: cross-site",
                "Origin: http://our.example:8080",
            ],
            false,
        ),
        (
            &[
                "Sec-Fetch-Site: cross-site",
                "Origin: https://trusted.example",
            ],
            true,
        ),
        (
            &[
                "Sec-Fetch-Site: same-origin",
                "Origin: https://evil.example",
            ],
            true,
        ),
        (&["Sec-Fetch-Site: ", "Origin: https://evil.example"], false),
        (&["Origin: http://our.example:8080"], true),
        (&["Origin: https://OUR.example:8080"], true),
        (&["Origin: http://our.example"], false),
        (&["Origin: http://our.example:8080.evil.example"], false),
        (&["Origin: https://trusted.example"], true),
        (&["Origin: http://trusted.example"], false),
        (&["Origin: null"], false),
        (&["Origin: "], true),
    ] {
        let fields = [fields, &[host]].concat();
        for method in ["POST", "PUT", "PATCH", "DELETE", "BREW"] {
            let line = format!("{method} /");
            let expected = if passes { 200 } else { 403 };
            assert_eq!(
                site.ask(&line, &fields).status,
                expected,
                "{line} {fields:?}"
            );
            assert_eq!(site.post(&line, &fields, "body").status, expected);
        }
        for method in ["GET", "HEAD", "OPTIONS"] {
            assert_eq!(site.ask(&format!("{method} /"), &fields).status, 200);
        }
    }
}

#[test]
fn browsers_are_told_to_be_strict_unless_the_answer_says_otherwise() {
    let headers = SecurityHeaders::new()
        .set("Content-Security-Policy", "default-src 'self'")
        .expect("sound")
        .set("referrer-policy", "no-referrer")
        .expect("sound")
        .with_hsts(Duration::from_secs(31_536_000))
        .without("X-Frame-Options");
    let mut site = site(
        Routes::new()
            .layer(headers)
            .get("/usual", hello)
            .post("/usual", hello)
            .get("/own", |_, res| {
                let head = res.status(200);
                head.field(field_name!("content-security-policy"), "default-src *")
                    .text("x")
            }),
    );
    for (line, policy) in [
        ("GET /usual", "default-src 'self'"),
        ("GET /own", "default-src *"),
        ("POST /usual", "default-src 'self'"),
        ("GET /none", "default-src 'self'"),
    ] {
        let answer = site.post(line, &[], "body");
        assert_eq!(
            answer.field("Content-Security-Policy"),
            Some(policy),
            "{line}"
        );
        for (name, value) in [
            ("X-Content-Type-Options", Some("nosniff")),
            ("X-Frame-Options", None),
            ("Referrer-Policy", Some("no-referrer")),
            ("Cross-Origin-Opener-Policy", Some("same-origin")),
            ("Strict-Transport-Security", Some("max-age=31536000")),
        ] {
            assert_eq!(answer.field(name), value, "{line}");
        }
    }
    for (name, value) in [("a b", ""), ("X-A", "a\r\nb"), ("Date", "x")] {
        assert!(SecurityHeaders::new().set(name, value).is_err(), "{name}");
    }
}
