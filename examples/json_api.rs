//! A JSON API over items in memory: made, read, changed and removed.
//!
//!     cargo run --example json_api --features json -- 127.0.0.1:8080
//!     curl -d '{"name":"tea","price":250}' -H 'Content-Type: application/json' localhost:8080/items
//!
//! The lesson: the items are the worker's own, and all routes have them. One thread serves all requests, so there is no lock.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use edgeloop::web::{self, Refusal, Respond, RouteErrors, Router, Routes};
use edgeloop::{Reply, Request, ResponseWriter, Server, Signals};
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

fn api() -> Result<Router, RouteErrors> {
    let items: Rc<RefCell<Items>> = Rc::default();
    let with_items = |function: fn(&mut Items, &Request<'_>, ResponseWriter<'_>) -> Reply| {
        let items = Rc::clone(&items);
        move |req: &Request<'_>, res: ResponseWriter<'_>| {
            function(&mut items.borrow_mut(), req, res)
        }
    };
    Routes::new()
        .get("/items", with_items(list))
        .post("/items", with_items(add))
        .get("/items/{id}", with_items(show))
        .put("/items/{id}", with_items(change))
        .delete("/items/{id}", with_items(remove))
        .build()
}

fn list(items: &mut Items, req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
    let limit = match web::query(req).parse_if_any("limit") {
        Ok(limit) => limit.unwrap_or(100),
        Err(refusal) => return refusal.answer(res),
    };
    let items = items.items.iter().take(limit);
    let list: Vec<_> = items.map(|(id, item)| Numbered { id: *id, item }).collect();
    res.status(200).json(&list)
}

fn add(items: &mut Items, req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
    let item = match web::json(req) {
        Ok(item) => item,
        Err(refusal) => return refusal.answer(res),
    };
    items.last_id += 1;
    let id = items.last_id;
    let item = &*items.items.entry(id).or_insert(item);
    res.status(201)
        .location(&format!("/items/{id}"))
        .json(&Numbered { id, item })
}

fn show(items: &mut Items, req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
    match items.find(req) {
        Ok((id, item)) => res.status(200).json(&Numbered { id, item }),
        Err(refusal) => refusal.answer(res),
    }
}

fn change(items: &mut Items, req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
    match items.find(req).and_then(|(id, item)| {
        *item = web::json(req)?;
        Ok((id, item))
    }) {
        Ok((id, item)) => res.status(200).json(&Numbered { id, item }),
        Err(refusal) => refusal.answer(res),
    }
}

fn remove(items: &mut Items, req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
    let id = match items.find(req) {
        Ok((id, _)) => id,
        Err(refusal) => return refusal.answer(res),
    };
    items.items.remove(&id);
    res.status(204).empty()
}

impl Items {
    /// The item that the path names.
    fn find(&mut self, req: &Request<'_>) -> Result<(u64, &mut Item), Refusal> {
        let id = web::path_value("id", req.path_value("id").unwrap_or_default())?;
        match self.items.get_mut(&id) {
            Some(item) => Ok((id, item)),
            None => Err(Refusal::new(404, "no such item")),
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listen = std::env::args().nth(1);
    let signals = Signals::block()?;
    let mut server = Server::bind(listen.as_deref().unwrap_or("127.0.0.1:8080"))?
        .drain_on(signals)
        .event_loop(api()?, ())?;
    println!("listening on {}", server.addresses()[0]);
    server.run()?;
    Ok(())
}
