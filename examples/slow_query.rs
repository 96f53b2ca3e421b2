//! A slow query, answered from a thread, while the loop serves everybody else.
//!
//! `cargo run --example slow_query -- 127.0.0.1:8080`, and then `curl localhost:8080/primes/200000`
//!
//! The lesson: the continuation stays on the loop with what belongs to this core, and only the number crosses threads.

use std::cell::Cell;
use std::error::Error;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use edgeloop::{Client, Promise, Reply, Request, ResponseWriter, Server};

/// As slow as a query without an index: how many primes there are below `end`. Nobody needs it when its client has gone.
fn count_primes(end: u64, promise: Promise<usize>) {
    let mut primes = Vec::new();
    for number in 2..end {
        if promise.client() == Client::Gone {
            return;
        }
        if primes.iter().all(|prime| number % prime != 0) {
            primes.push(number);
        }
    }
    promise.finish(primes.len());
}

/// Answers when there is a number. What it counts belongs to this core: no other thread sees it, and it needs no lock.
fn primes(end: u64, res: ResponseWriter, answered: &Rc<Cell<u64>>) -> Reply {
    let answered = Rc::clone(answered);
    let res = res.deadline(Duration::from_secs(30));
    let (promise, reply) = res.defer_with(move |primes: usize, res| {
        answered.set(answered.get() + 1);
        let count = answered.get();
        res.status(200)
            .text(format!("{primes} primes below {end}, answer {count}\n"))
    });
    // One that can't be started drops the promise, and that answers 500. For many queries there is `edgeloop::Pool`.
    let _ = thread::Builder::new().spawn(move || count_primes(end, promise));
    reply
}

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8080".into());
    let serving = Server::bind(&address)?.serve(|_core| {
        let answered = Rc::new(Cell::new(0));
        move |req: &Request, res: ResponseWriter| {
            let end = req.path().strip_prefix("/primes/");
            match end.map(str::parse) {
                Some(Ok(end)) => primes(end, res, &answered),
                Some(Err(_)) => res.status(400).text("below which number?\n"),
                None => res.status(200).text("ask for /primes/200000\n"),
            }
        }
    })?;
    println!("listening on {}", serving.addresses()[0]);
    serving.run()?;
    Ok(())
}
