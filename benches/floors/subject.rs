//! Our server, with everything that it checks and limits.

use std::path::Path;

use edgeloop::http::{Fields, Length};
use edgeloop::reactor::Token;
use edgeloop::server::pool::Pool;
use edgeloop::server::{BodyWriter, Pull, Sink, Source, Summary, Taken};
use edgeloop::web::{Access, Files, Routes};
use edgeloop::{
    Handler, HeadWriter, Intake, Observer, Reply, Request, ResponseWriter, Server, field_line,
};
use serde::Serialize;

use crate::child::announce;

static MIB: [u8; 1 << 20] = [b'x'; 1 << 20];
/// What a source gives at once.
const PIECE_BYTES: usize = 16 << 10;

struct App {
    json: Vec<u8>,
    /// What is served below `/files/` and, with a look at the file system for each request, below `/uncached/`.
    files: Files,
    uncached: Files,
}

impl Handler for App {
    fn intake(&mut self, req: &Request<'_>, _: ResponseWriter<'_>) -> Intake {
        match req.path() {
            "/sink" => Intake::stream(1 << 30, Count(0)),
            _ => Intake::Buffer(MIB.len()),
        }
    }

    fn on_request(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
        let path = req.path();
        let below = path[1..].split_once('/').unwrap_or_default();
        match below {
            ("files", name) => self.files.serve(req, name, res),
            ("uncached", name) => self.uncached.serve(req, name, res),
            ("known", length) => {
                let left = length.parse().expect("a length");
                plain(res).stream(Length::Known(left), Pieces { left })
            }
            ("chunked", length) => {
                let left = length.parse().expect("a length");
                plain(res).stream(Length::Unknown, Pieces { left })
            }
            _ => match path {
                "/plaintext" => plain(res).body("Hello, World!"),
                "/json" => self.json(res),
                "/echo" => plain(res).body(req.body()),
                "/buffer" => plain(res).body("taken"),
                "/constant" => plain(res).constant(&MIB),
                _ => res.status(404).text("not found\n"),
            },
        }
    }
}

#[derive(Serialize)]
struct Message {
    message: &'static str,
}

impl App {
    fn json(&mut self, res: ResponseWriter<'_>) -> Reply {
        self.json.clear();
        let message = "Hello, World!";
        serde_json::to_writer(&mut self.json, &Message { message }).expect("a Vec takes all");
        res.status(200)
            .line(field_line!("Content-Type", "application/json"))
            .body(&self.json)
    }
}

fn plain(res: ResponseWriter<'_>) -> HeadWriter<'_> {
    res.status(200)
        .line(field_line!("Content-Type", "text/plain"))
}

/// So many bytes, piece by piece.
struct Pieces {
    left: u64,
}

impl Source for Pieces {
    fn pull(&mut self, body: &mut BodyWriter<'_>) -> Pull {
        let piece = PIECE_BYTES.min(usize::try_from(self.left).unwrap_or(usize::MAX));
        body.write(&MIB[..piece]);
        self.left -= piece as u64;
        if self.left == 0 {
            Pull::End
        } else {
            Pull::More
        }
    }
}

/// How many bytes came.
struct Count(u64);

impl Sink for Count {
    fn on_data(&mut self, data: &[u8]) -> Taken {
        self.0 += data.len() as u64;
        Taken::All
    }

    fn on_end(self: Box<Self>, _: Fields<'_>, res: ResponseWriter<'_>) -> Reply {
        assert!(self.0 > 0, "nothing came");
        plain(res).body("taken")
    }
}

/// Counts answers by status, as whoever watches a server does.
#[derive(Default)]
struct Statuses {
    answers: [u64; 6],
    connections: i64,
}

impl Observer for Statuses {
    fn accepted(&mut self, _: Token) {
        self.connections += 1;
    }

    fn answered(&mut self, _: Token, summary: &Summary) {
        self.answers[usize::from(summary.status / 100).min(5)] += 1;
    }

    fn closed(&mut self, _: Token, _: edgeloop::server::CloseReason) {
        self.connections -= 1;
    }
}

/// Who watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watched {
    /// Nobody, apart from the counters that are always there.
    Not,
    /// An observer that counts.
    Counted,
    /// The same, on routes behind the middleware that tells of every answer.
    Logged,
    /// Nobody, on the same routes.
    Routed,
}

/// Serves until the process ends; files are those of `root`.
pub(crate) fn serve(watched: Watched, root: &Path) {
    let files = Files::new(root)
        .expect("a directory")
        .with_pool(Pool::default());
    let make = || App {
        json: Vec::new(),
        uncached: files.clone().without_cache(),
        files: files.clone(),
    };
    match watched {
        Watched::Not => run(&|| (make(), ())),
        Watched::Counted => run(&|| (make(), Statuses::default())),
        Watched::Logged => run(&|| {
            let mut log = Vec::new();
            let access = Access::new(move |it| {
                log.clear();
                let line = (&it.method, &it.target, it.status, it.content_bytes, it.time);
                serde_json::to_writer(&mut log, &line).expect("a Vec takes all");
            });
            let routes = Routes::new().layer(access).get("/plaintext", hello);
            (routes.build().expect("sound"), Statuses::default())
        }),
        Watched::Routed => run(&|| {
            let routes = Routes::new().get("/plaintext", hello);
            (routes.build().expect("sound"), ())
        }),
    }
}

fn hello(_: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
    plain(res).body("Hello, World!")
}

fn run<H: Handler, O: Observer + Send>(make: &(impl Fn() -> (H, O) + Sync)) {
    let serving = Server::bind("127.0.0.1:0")
        .and_then(|server| server.serve_local(|_| make()))
        .expect("a free port");
    announce(serving.addresses());
    serving.run().expect("it serves");
}
