//! A stream that lives: a page shows a number that goes up.
//!
//! `cargo run --example ticker -- 127.0.0.1:8080`, and then open <http://localhost:8080/> or `curl -N localhost:8080/ticks`
//!
//! The lesson: a source that has nothing to say waits, and costs nothing. One timer of the loop wakes all of them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use edgeloop::server::{BodyWriter, Pull, Waker};
use edgeloop::web::{self, Routes, ServerEvent};
use edgeloop::{Reply, ResponseWriter, Server, Signals};

const PAGE: &str = include_str!("ticker.html");
const EVERY: Duration = Duration::from_millis(100);

/// What all streams of a core show.
#[derive(Default)]
struct Ticker {
    now: Cell<u64>,
    listeners: RefCell<Vec<Waker>>,
}

impl Ticker {
    fn tick(&self) {
        self.now.set(self.now.get() + 1);
        let mut listeners = self.listeners.borrow_mut();
        listeners.retain(|waker| !waker.is_over());
        for waker in listeners.iter() {
            waker.wake();
        }
    }

    fn stream(self: &Rc<Ticker>, mut res: ResponseWriter<'_>) -> Reply {
        self.listeners.borrow_mut().push(res.waker());
        let (ticker, mut last) = (Rc::clone(self), None);
        let source = move |body: &mut BodyWriter<'_>| {
            let now = ticker.now.get();
            // A client that reads slowly is woken less often than it ticks, and sees the newest.
            if last.replace(now) != Some(now) {
                let text = now.to_string();
                let event = ServerEvent::new(&text).named("tick").with_id(&text);
                if event.write(body).is_err() {
                    return Pull::Failed;
                }
            }
            Pull::Wait
        };
        web::event_stream(res.status(200), source)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8080".into());
    let signals = Signals::block()?;
    let ticker = Rc::new(Ticker::default());
    let streams = Rc::clone(&ticker);
    let app = Routes::new()
        .get("/{$}", |_, res| res.status(200).html(PAGE))
        .get("/ticks", move |_, res| streams.stream(res))
        .build()?;
    let server = Server::bind(&address)?.drain_on(signals);
    let mut server = server.event_loop(app, ())?;
    println!("listening on {}", server.addresses()[0]);
    server.local().every(EVERY, move || ticker.tick());
    server.run()?;
    Ok(())
}
