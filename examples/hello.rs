//! The shortest server.
//!
//! `cargo run --example hello -- 127.0.0.1:8080`, and then `curl localhost:8080`
//!
//! The lesson: a handler is a function of a request and a writer, and what it returns proves that it has answered.

use edgeloop::{Reply, Request, ResponseWriter, Server};

fn hello(_: &Request, res: ResponseWriter) -> Reply {
    res.status(200).text("Hello, world!\n")
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8080".into());
    let serving = Server::bind(&address)?.serve_fn(hello)?;
    println!("listening on {}", serving.addresses()[0]);
    serving.run()?;
    Ok(())
}
