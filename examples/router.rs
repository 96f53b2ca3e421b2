//! A router with groups and middleware.
//!
//! `cargo run --example router -- [ADDR]`
//!
//! The lesson: what a group is asked to pass stands beside its routes, and wrong routes are told before anybody is served.

use std::cell::Cell;
use std::error::Error;
use std::io::Write as _;

use edgeloop::web::{
    self, Access, BasicAuth, Next, RequestId, Router, Routes, SecurityHeaders, User,
};
use edgeloop::{Reply, Request, ResponseWriter, Server, Signals, field_name};

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1);
    let signals = Signals::block()?;
    let server = Server::bind(address.as_deref().unwrap_or("127.0.0.1:8080"))?;
    for route in app()?.routes() {
        println!("{}", route.pattern);
    }
    let serving = server
        .drain_on(signals)
        .serve(|_core| app().expect("it was built before"))?;
    println!("listening on {}", serving.addresses()[0]);
    std::io::stdout().flush()?;
    serving.run()?;
    Ok(())
}

/// One for each core: what they know they know without a lock.
fn app() -> Result<Router, Box<dyn Error>> {
    let visits = Cell::new(0);
    let admin = Routes::new()
        .layer(BasicAuth::new("admin", [("ada", "countess")])?)
        .delete("/items/{id}", remove);
    let api = Routes::new()
        .layer(not_stored)
        .get("/items/{id}", item)
        .get("/visits", move |_, res| {
            visits.set(visits.get() + 1);
            res.status(200).text(format!("{}\n", visits.get()))
        })
        .group("/admin", admin);
    let app = Routes::new()
        .layer(RequestId::new())
        .layer(SecurityHeaders::new())
        .layer(Access::new(|it| {
            eprintln!("{} {} {}", it.method, it.target, it.status);
        }))
        .get("/{$}", |_, res| res.status(200).text("Hello, world!\n"))
        .group("/api", api);
    Ok(app.build()?)
}

/// Middleware is a function that passes requests on.
fn not_stored(req: &Request, res: ResponseWriter, next: Next) -> Reply {
    next.run(
        req,
        res.with_field(field_name!("Cache-Control"), "no-store"),
    )
}

fn item(req: &Request, res: ResponseWriter) -> Reply {
    let id = req.path_value("id").unwrap_or_default();
    match web::path_value::<u32>("id", id) {
        Ok(id) => res.status(200).text(format!("item {id}\n")),
        Err(refusal) => refusal.answer(res),
    }
}

fn remove(req: &Request, res: ResponseWriter) -> Reply {
    let name = req.attached::<User>().map_or("nobody", User::name);
    let id = req.path_value("id").unwrap_or_default();
    res.status(200).text(format!("{name} has removed {id}\n"))
}
