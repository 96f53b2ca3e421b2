//! A few endpoints, as benchmarks of HTTP servers ask for them.
//!
//! `cargo run --release --example endpoints -- [--listen ADDR]… [--cores N] [--root DIR]`
//!
//! `cargo run --release --example endpoints -- --replay FILE [--iterations N] [--root DIR]` plays what clients have sent to
//! the same handler, without a network, for whoever counts instructions.
//!
//! The lesson: fields that never change are constants, content that never changes is sent from where it is, and nothing is
//! allocated for an answer.

use std::error::Error;
use std::fmt::{Display, Write as _};
use std::io::Write as _;
use std::process::ExitCode;

use edgeloop::field_line;
use edgeloop::http::Length;
use edgeloop::server::{BodyWriter, Pull, Recording, Replay, Source};
use edgeloop::web::{Files, Router, Routes};
use edgeloop::{Handler, HeadWriter, Reply, Request, ResponseWriter, Server, Signals, field_name};
use lexopt::ValueExt;

const HELLO: &str = "Hello, World!";
static MIB: [u8; 1 << 20] = [b'x'; 1 << 20];

/// One per core: it needs no lock, and need not be `Send`.
struct App {
    json: String,
    /// What is served below `/static/`.
    files: Option<Files>,
    /// What is served below `/memory/`: a file of 1 KiB.
    memory: Files,
    /// What is served below `/orgs/`.
    routes: Router,
}

impl Handler for App {
    fn on_request(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
        let path = req.path();
        match path {
            "/plaintext" => only(req, res, "GET", |res| plain(res).body(HELLO)),
            "/json" => only(req, res, "GET", |res| self.json(res)),
            "/echo" => only(req, res, "POST", |res| binary(res).body(req.body())),
            _ => {
                if let Some(files) = &mut self.files
                    && let Some(below) = path.strip_prefix("/static/")
                {
                    return files.serve(req, below, res);
                }
                if let Some(below) = path.strip_prefix("/memory/") {
                    return self.memory.serve(req, below, res);
                }
                if let Some(count) = path.strip_prefix("/bytes/")
                    && let Ok(count) = count.parse()
                {
                    only(req, res, "GET", |res| bytes(res, count))
                } else if let Some(id) = path.strip_prefix("/users/")
                    && !id.is_empty()
                    && !id.contains('/')
                {
                    only(req, res, "GET", |res| plain(res).body(id))
                } else if path.starts_with("/orgs/") {
                    self.routes.on_request(req, res)
                } else {
                    res.no_route(req.method())
                }
            }
        }
    }
}

impl App {
    fn new(files: Option<Files>) -> App {
        let memory = Files::memory([("1k.txt", &MIB[..1024])]);
        let routes = Routes::new().get("/orgs/{org}/members/{member}", member);
        App {
            json: String::new(),
            files,
            memory: memory.expect("the path is one"),
            routes: routes.build().expect("one route is in nobody's way"),
        }
    }

    fn json(&mut self, res: ResponseWriter<'_>) -> Reply {
        self.json.clear();
        // A debug string of ASCII without control characters is a JSON string.
        let _ = write!(self.json, "{{\"message\":{HELLO:?}}}");
        res.status(200)
            .line(field_line!("Content-Type", "application/json"))
            .body(&self.json)
    }
}

/// The values of the path, one behind the other.
fn member(req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
    let value = |name| req.path_value(name).unwrap_or_default();
    let mut text = [0; 64];
    let mut rest = &mut text[..];
    let written = write!(rest, "{} {}", value("org"), value("member"));
    let left = rest.len();
    match written {
        Ok(()) => plain(res).body(&text[..64 - left]),
        Err(_) => res.status(414).text("these names are too long\n"),
    }
}

/// Answers with `answer` if the method is the one that the path has, and with what it has if not.
fn only<'a>(
    req: &Request<'_>,
    res: ResponseWriter<'a>,
    method: &str,
    answer: impl FnOnce(ResponseWriter<'a>) -> Reply,
) -> Reply {
    let allow = match method {
        "GET" => "GET, HEAD, OPTIONS",
        _ => "POST, OPTIONS",
    };
    match req.method() {
        asked if asked == method => answer(res),
        "HEAD" if method == "GET" => answer(res),
        "OPTIONS" => res.status(204).field(field_name!("Allow"), allow).empty(),
        _ => res
            .status(405)
            .field(field_name!("Allow"), allow)
            .text("method not allowed\n"),
    }
}

fn plain(res: ResponseWriter<'_>) -> HeadWriter<'_> {
    res.status(200)
        .line(field_line!("Content-Type", "text/plain"))
}

fn binary(res: ResponseWriter<'_>) -> HeadWriter<'_> {
    res.status(200)
        .line(field_line!("Content-Type", "application/octet-stream"))
}

/// So many bytes: up to a mebibyte from where they are, more than that piece by piece.
fn bytes(res: ResponseWriter<'_>, count: u64) -> Reply {
    match usize::try_from(count)
        .ok()
        .and_then(|count| MIB.get(..count))
    {
        Some(bytes) => binary(res).constant(bytes),
        None => binary(res).stream(Length::Known(count), Repeat(count)),
    }
}

struct Repeat(u64);

impl Source for Repeat {
    fn pull(&mut self, body: &mut BodyWriter<'_>) -> Pull {
        let piece = body.room().min(MIB.len());
        let piece = usize::try_from(self.0).map_or(piece, |left| left.min(piece));
        body.write(&MIB[..piece]);
        self.0 -= piece as u64;
        if self.0 == 0 { Pull::End } else { Pull::More }
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("endpoints: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let (mut listen, mut cores, mut files) = (Vec::new(), 1, None);
    let (mut recording, mut iterations) = (None, 1);
    let mut words = lexopt::Parser::from_env();
    while let Some(word) = words.next()? {
        match word {
            lexopt::Arg::Long("listen") => listen.push(words.value()?.string()?),
            lexopt::Arg::Long("cores") => cores = words.value()?.parse()?,
            lexopt::Arg::Long("root") => {
                let root = words.value()?;
                let opened = Files::new(&root);
                files = Some(opened.map_err(|why| format!("{}: {why}", root.display()))?);
            }
            lexopt::Arg::Long("replay") => {
                let path = words.value()?;
                let told = |why: &dyn Display| format!("{}: {why}", path.display());
                let file = std::fs::read(&path).map_err(|why| told(&why))?;
                recording = Some(Recording::parse(&file).map_err(|why| told(&why))?);
            }
            lexopt::Arg::Long("iterations") => iterations = words.value()?.parse()?,
            other => return Err(other.unexpected().into()),
        }
    }
    if let Some(recording) = recording {
        let replayed = Replay::new(App::new(files))?.run(&recording, iterations)?;
        print!("{replayed}");
        return Ok(());
    }
    if listen.is_empty() {
        listen.push("127.0.0.1:8080".to_owned());
    }
    let signals = Signals::block()?;
    let mut server = Server::bind(&listen[0])?;
    for address in &listen[1..] {
        server = server.and_bind(address)?;
    }
    let serving = server
        .cores(cores)
        .drain_on(signals)
        .serve(|_core| App::new(files.clone()))?;
    for address in serving.addresses() {
        println!("listening on {address}");
    }
    std::io::stdout().flush()?;
    serving.run()?;
    Ok(())
}
