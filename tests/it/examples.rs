//! The examples do what they say.

use std::io::{Read, Write};
use std::net::UdpSocket;
use std::process::{Command, Stdio};

use super::process::{Process, Scratch, ask, clean, connect, connect_unix, within};

/// Builds an example as these tests are built, and so mostly finds it built.
fn example(name: &str) -> Command {
    example_with(name, "default")
}

/// The same of one that needs a feature.
fn example_with(name: &str, feature: &str) -> Command {
    let test = std::env::current_exe().expect("a path");
    let built = test.ancestors().nth(2).expect("target/PROFILE/deps/it");
    let profile = match built.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "test",
        Some(name) => name,
    };
    let output = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--locked", "--offline", "--example", name])
        .args(["--features", feature])
        .args(["--profile", profile, "--target-dir"])
        .arg(built.parent().expect("target"))
        .output()
        .expect("cargo runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let mut command = Command::new(built.join("examples").join(name));
    command.stdin(Stdio::null());
    command
}

#[test]
fn echo_reactor_echoes() {
    let dir = Scratch::new("echo");
    let socket = dir.path().join("socket");
    let mut command = example("echo_reactor");
    let _server = Process::start(command.arg(format!("unix:{}", socket.display())));
    let mut clients: Vec<_> = (0..3).map(|_| connect_unix(&socket)).collect();
    for round in 0..3 {
        for (number, client) in clients.iter_mut().enumerate() {
            let sent = format!("{number} in round {round}\n").repeat(300);
            client.write_all(sent.as_bytes()).expect("it reads");
            let mut echo = vec![0; sent.len()];
            client.read_exact(&mut echo).expect("it echoes");
            assert_eq!(echo, sent.as_bytes());
        }
    }
    let last = clients.pop().expect("one of three");
    last.shutdown(std::net::Shutdown::Write).expect("open");
    assert_eq!((&last).read(&mut [0]).expect("the end"), 0);
}

/// The content of an answer to GET.
fn get(address: &str, path: &str) -> String {
    let (head, content) = ask(connect(address), &format!("GET {path}"), "");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    content
}

#[test]
fn foreign_loop_serves_beside_what_else_its_host_does() {
    let mut command = example("foreign_loop");
    let server = Process::start(command.args(["127.0.0.1:0", "127.0.0.1:0"]));
    let address = server.address();
    let datagrams = server.line();
    let to = datagrams.strip_prefix("datagrams to ").expect("an address");
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    assert_eq!(get(&address, "/"), "0 datagrams\n");
    for _ in 0..3 {
        socket.send_to(b"x", to).expect("loopback");
    }
    within(|| (get(&address, "/") == "3 datagrams\n").then_some(()));
    assert_eq!(server.term(), clean());
}

#[test]
fn other_descriptors_are_read_beside_connections() {
    let mut command = example("other_descriptors");
    let server = Process::start(command.arg("127.0.0.1:0"));
    let address = server.address();
    let ticks = || {
        get(&address, "/ticks")
            .trim()
            .parse::<u64>()
            .expect("a number")
    };
    let first = ticks();
    // Two children at once, on one thread.
    let words: Vec<_> = (0..2)
        .map(|_| {
            let address = address.clone();
            std::thread::spawn(move || get(&address, "/words"))
        })
        .collect();
    for words in words {
        assert_eq!(words.join().expect("no panic"), "three words\n");
    }
    within(|| (ticks() > first).then_some(()));
    assert_eq!(server.term(), clean());
}

#[test]
fn accept_loop_gives_its_connections_to_the_server() {
    let server = Process::start(example("accept_loop").arg("127.0.0.1:0"));
    let address = server.address();
    for _ in 0..5 {
        assert_eq!(get(&address, "/"), "Hello from the other side\n");
    }
    assert_eq!(server.term(), clean());
}

#[test]
fn endpoints_answers_each_of_its_endpoints() {
    let dir = Scratch::new("endpoints");
    dir.file("a.txt", "in a file\n");
    let words = ["--listen", "127.0.0.1:0", "--cores", "2", "--root"];
    let server = Process::start(example("endpoints").args(words).arg(dir.path()));
    let address = server.address();
    let large = "x".repeat(3 << 20);
    for (line, sent, status, content) in [
        ("GET /plaintext", "", "200 OK", "Hello, World!"),
        ("HEAD /plaintext", "", "200 OK", ""),
        ("GET /json", "", "200 OK", r#"{"message":"Hello, World!"}"#),
        ("POST /echo", "a\nb", "200 OK", "a\nb"),
        ("GET /bytes/0", "", "200 OK", ""),
        ("GET /bytes/10", "", "200 OK", "xxxxxxxxxx"),
        ("GET /bytes/3145728", "", "200 OK", &large),
        ("GET /bytes/x", "", "404 Not Found", "not found\n"),
        (
            "BREW /coffee",
            "",
            "501 Not Implemented",
            "unknown method\n",
        ),
        ("GET /users/7", "", "200 OK", "7"),
        ("GET /users/7/8", "", "404 Not Found", "not found\n"),
        (
            "GET /echo",
            "",
            "405 Method Not Allowed",
            "method not allowed\n",
        ),
        (
            "DELETE /plaintext",
            "",
            "405 Method Not Allowed",
            "method not allowed\n",
        ),
        ("OPTIONS /json", "", "204 No Content", ""),
        ("GET /", "", "404 Not Found", "not found\n"),
        ("GET /static/a.txt", "", "200 OK", "in a file\n"),
        ("GET /static/b.txt", "", "404 Not Found", "not found\n"),
    ] {
        let (head, answer) = ask(connect(&address), line, sent);
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status}\r\n")),
            "{line}: {head}"
        );
        assert!(answer == content, "{line}: {} bytes", answer.len());
    }
    assert_eq!(server.term(), clean());
}

#[test]
fn json_api_makes_reads_changes_and_removes_items() {
    let server = Process::start(example_with("json_api", "json").arg("127.0.0.1:0"));
    let address = server.address();
    let json = "Content-Type: application/json";
    let check = |line: &str, sent: &str, status: u16, content: &str| {
        let mut stream = connect(&address);
        let length = sent.len();
        write!(
            stream,
            "{line} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{json}\r\nContent-Length: {length}\r\n\r\n{sent}"
        )
        .expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{line}: {answer}"
        );
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert_eq!(body, content, "{line}");
        head.to_owned()
    };
    let tea = r#"{"name":"tea","price":250}"#;
    check("GET /items", "", 200, "[]");
    let head = check(
        "POST /items",
        tea,
        201,
        r#"{"id":1,"name":"tea","price":250}"#,
    );
    assert!(head.contains("\r\nLocation: /items/1\r\n"), "{head}");
    check(
        "GET /items/1",
        "",
        200,
        r#"{"id":1,"name":"tea","price":250}"#,
    );
    let cake = r#"{"name":"cake","price":400}"#;
    check(
        "PUT /items/1",
        cake,
        200,
        r#"{"id":1,"name":"cake","price":400}"#,
    );
    check(
        "POST /items",
        tea,
        201,
        r#"{"id":2,"name":"tea","price":250}"#,
    );
    check(
        "GET /items?limit=1",
        "",
        200,
        r#"[{"id":1,"name":"cake","price":400}]"#,
    );
    check("DELETE /items/1", "", 204, "");
    check("DELETE /items/1", "", 404, "no such item\n");
    check(
        "GET /items",
        "",
        200,
        r#"[{"id":2,"name":"tea","price":250}]"#,
    );
    let why = "`id` in the path is `x`: invalid digit found in string\n";
    check("GET /items/x", "", 400, why);
    let why = "`limit` in the query is `-1`: invalid digit found in string\n";
    check("GET /items?limit=-1", "", 400, why);
    let why = "the body is not as it should be: missing field `price` at line 1 column 14\n";
    check("POST /items", r#"{"name":"tea"}"#, 400, why);
    let head = check("PATCH /items", "", 405, "method not allowed\n");
    assert!(
        head.contains("\r\nAllow: GET, HEAD, OPTIONS, POST\r\n"),
        "{head}"
    );
    assert_eq!(server.term(), clean());
}

#[test]
fn router_routes_by_groups_and_middleware() {
    let mut command = example("router");
    let server = Process::start(command.arg("127.0.0.1:0"));
    let listed = [
        "GET /{$}",
        "GET /api/items/{id}",
        "GET /api/visits",
        "DELETE /api/admin/items/{id}",
    ];
    for pattern in listed {
        assert_eq!(server.line(), pattern);
    }
    let address = server.address();
    let check = |line: &str, field: &str, status: u16, content: &str| {
        let mut stream = connect(&address);
        let always = "Host: a\r\nConnection: close\r\n";
        write!(stream, "{line} HTTP/1.1\r\n{always}{field}\r\n").expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert_eq!(
            (&head[9..12], body),
            (status.to_string().as_str(), content),
            "{line}"
        );
        assert!(head.contains("\r\nX-Request-Id: "), "{head}");
        assert!(
            head.contains("\r\nX-Content-Type-Options: nosniff"),
            "{head}"
        );
        let stored = !head.contains("\r\nCache-Control: no-store");
        let is_redirect = line.contains("//");
        assert_eq!(stored, is_redirect || !line.contains("/api/"), "{head}");
    };
    check("GET /", "", 200, "Hello, world!\n");
    check("GET /api/items/7", "", 200, "item 7\n");
    let why = "`id` in the path is `x`: invalid digit found in string\n";
    check("GET /api/items/x", "", 400, why);
    check("GET /api/visits", "", 200, "1\n");
    check("GET /api/visits", "", 200, "2\n");
    check("GET /api//items/7", "", 308, "");
    check("POST /api/visits", "", 405, "method not allowed\n");
    check("GET /none", "", 404, "not found\n");
    let remove = "DELETE /api/admin/items/7";
    check(remove, "", 401, "a name and a password are wanted\n");
    let ada = "Authorization: Basic YWRhOmNvdW50ZXNz\r\n";
    check(remove, ada, 200, "ada has removed 7\n");
    assert_eq!(server.term().status, clean().status);
}

#[test]
fn slow_query_answers_others_meanwhile() {
    let server = Process::start(example("slow_query").arg("127.0.0.1:0"));
    let address = server.address();
    // It goes on for longer than this test.
    let mut slow = connect(&address);
    let end = u64::MAX;
    write!(slow, "GET /primes/{end} HTTP/1.1\r\nHost: a\r\n\r\n").expect("it reads");
    for (line, status, content) in [
        ("GET /", "200 OK", "ask for /primes/200000\n"),
        (
            "GET /primes/100",
            "200 OK",
            "25 primes below 100, answer 1\n",
        ),
        ("GET /primes/x", "400 Bad Request", "below which number?\n"),
        ("GET /primes/8", "200 OK", "4 primes below 8, answer 2\n"),
    ] {
        let (head, answer) = ask(connect(&address), line, "");
        let wanted = format!("HTTP/1.1 {status}\r\n");
        assert!(head.starts_with(&wanted), "{line}: {head}");
        assert_eq!(answer, content, "{line}");
    }
}

#[test]
fn hello_says_hello() {
    let server = Process::start(example("hello").arg("127.0.0.1:0"));
    let (head, body) = ask(connect(&server.address()), "GET /any", "");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert_eq!(body, "Hello, world!\n");
}

#[test]
fn upload_sums_what_comes() {
    let server = Process::start(example("upload").arg("127.0.0.1:0"));
    let address = server.address();
    // The sum of "Wikipedia" is known far and wide.
    let (_, body) = ask(connect(&address), "PUT /", "Wikipedia");
    assert_eq!(body, "9 bytes, Adler-32 11e60398\n");
    let (_, body) = ask(connect(&address), "GET /", "");
    assert_eq!(body, "send a body\n");
    // As zlib has it: three million zeros leave `a` at 1, and `b` at their count.
    let zeros = "\0".repeat(3_000_000);
    let (_, body) = ask(connect(&address), "POST /", &zeros);
    let sum = (3_000_000 % 65_521) << 16 | 1;
    assert_eq!(body, format!("3000000 bytes, Adler-32 {sum:08x}\n"));
    assert_eq!(server.term(), clean());
}

#[test]
fn ticker_ticks_on_every_open_stream() {
    let server = Process::start(example("ticker").arg("127.0.0.1:0"));
    let address = server.address();
    let (head, page) = ask(connect(&address), "GET /", "");
    assert!(head.contains("\r\nContent-Type: text/html"), "{head}");
    assert!(page.contains("new EventSource"), "{page}");
    let mut streams: Vec<_> = (0..3).map(|_| connect(&address)).collect();
    for stream in &mut streams {
        stream
            .write_all(b"GET /ticks HTTP/1.1\r\nHost: a\r\n\r\n")
            .expect("it reads");
    }
    for stream in &mut streams {
        let (mut text, mut piece) = (String::new(), [0; 1024]);
        while text.matches("event: tick\n").count() < 3 {
            let count = stream.read(&mut piece).expect("it goes on");
            assert!(count > 0, "it has ended: {text}");
            text.push_str(core::str::from_utf8(&piece[..count]).expect("text"));
        }
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
        assert!(
            text.contains("\r\nContent-Type: text/event-stream\r\n"),
            "{text}"
        );
        let ticks: Vec<u64> = text
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .map(|number| number.parse().expect("a number"))
            .collect();
        assert!(ticks.is_sorted_by(|one, next| one < next), "{ticks:?}");
    }
}

#[test]
fn page_renders_rows_of_a_database() {
    let server = Process::start(example_with("page", "example-page").arg("127.0.0.1:0"));
    let address = server.address();
    let (head, page) = ask(connect(&address), "GET /", "");
    assert!(head.contains("\r\nContent-Type: text/html"), "{head}");
    assert!(page.contains("<h1>3 items</h1>"), "{page}");
    let rows = [
        "<td>tea<td>250",
        "<td>scone<td>320",
        // What comes from a database is text, and no markup.
        "<td>&lt;b&gt;cake&lt;&#x2f;b&gt;<td>400",
    ];
    let mut rest = page.as_str();
    for row in rows {
        let at = rest.find(row).unwrap_or_else(|| panic!("{row}: {rest}"));
        rest = &rest[at..];
    }
    let (_, items) = ask(connect(&address), "GET /items?at-most=300", "");
    assert_eq!(items, r#"[{"id":1,"name":"tea","price":250}]"#);
    let (head, why) = ask(connect(&address), "GET /items?at-most=x", "");
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    assert!(why.contains("at-most"), "{why}");
    assert_eq!(server.term(), clean());
}
