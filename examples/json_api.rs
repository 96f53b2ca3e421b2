//! A JSON API over items in memory: made, read, changed and removed.
//!
//!     cargo run --example json_api --features json -- 127.0.0.1:8080
//!     curl -d '{"name":"tea","price":250}' -H 'Content-Type: application/json' localhost:8080/items
//!
//! The lesson: the items are the handler's own. One thread serves all requests, so there is no lock.

use std::collections::BTreeMap;

use edgeloop::web::{self, Refusal, Respond};
use edgeloop::{Handler, Reply, Request, ResponseWriter, Server, Signals};
use serde::{Deserialize, Serialize};

/// What clients send.
#[derive(Deserialize, Serialize)]
struct Item {
    name: String,
    price: u32,
}

/// What they get.
#[derive(Serialize)]
struct Numbered<'i> {
    id: u64,
    #[serde(flatten)]
    item: &'i Item,
}

#[derive(Default)]
struct Items {
    last_id: u64,
    items: BTreeMap<u64, Item>,
}

impl Items {
    fn list(&self, req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
        let limit = match web::query(req).parse_if_any("limit") {
            Ok(limit) => limit.unwrap_or(100),
            Err(refusal) => return refusal.answer(res),
        };
        let items = self.items.iter().take(limit);
        let list: Vec<_> = items.map(|(id, item)| Numbered { id: *id, item }).collect();
        res.status(200).json(&list)
    }

    fn add(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
        let item = match web::json(req) {
            Ok(item) => item,
            Err(refusal) => return refusal.answer(res),
        };
        self.last_id += 1;
        let id = self.last_id;
        let item = &*self.items.entry(id).or_insert(item);
        res.status(201)
            .location(&format!("/items/{id}"))
            .json(&Numbered { id, item })
    }

    fn one(&mut self, id: &str, req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
        let id = match web::path_value("id", id) {
            Ok(id) => id,
            Err(refusal) => return refusal.answer(res),
        };
        let Some(item) = self.items.get_mut(&id) else {
            return Refusal::new(404, "no such item").answer(res);
        };
        match req.method() {
            "GET" | "HEAD" => res.status(200).json(&Numbered { id, item }),
            "PUT" => match web::json(req) {
                Ok(changed) => {
                    *item = changed;
                    res.status(200).json(&Numbered { id, item })
                }
                Err(refusal) => refusal.answer(res),
            },
            "DELETE" => {
                self.items.remove(&id);
                res.status(204).empty()
            }
            _ => not_allowed("GET, HEAD, PUT, DELETE", res),
        }
    }
}

impl Handler for Items {
    fn on_request(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
        match (req.method(), req.path()) {
            ("GET" | "HEAD", "/items") => self.list(req, res),
            ("POST", "/items") => self.add(req, res),
            (_, "/items") => not_allowed("GET, HEAD, POST", res),
            (method, path) => match path.strip_prefix("/items/") {
                Some(id) => self.one(id, req, res),
                None => res.no_route(method),
            },
        }
    }
}

fn not_allowed(allow: &str, res: ResponseWriter<'_>) -> Reply {
    res.status(405)
        .field("Allow", allow)
        .text("method not allowed\n")
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listen = std::env::args().nth(1);
    let signals = Signals::block()?;
    let serving = Server::bind(listen.as_deref().unwrap_or("127.0.0.1:8080"))?
        .drain_on(signals)
        .serve(|_core| Items::default())?;
    println!("listening on {}", serving.addresses()[0]);
    serving.run()?;
    Ok(())
}
