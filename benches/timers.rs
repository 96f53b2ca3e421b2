//! Deadlines of 10,000 connections: moved, taken away, met.

mod common;

use std::time::Duration;

use common::Table;
use edgeloop::reactor::{self, Driver, Reactor, Token};
use edgeloop::sys::{Instant, Ready};

const CONNECTIONS: u32 = 10_000;

/// Counts what expires.
struct Count(u32);

impl Driver for Count {
    type Message = ();

    fn on_ready(&mut self, _: &mut Reactor<()>, _: Token, _: Ready) {}

    fn on_deadline(&mut self, _: &mut Reactor<()>, _: Token) {
        self.0 += 1;
    }
}

/// A turn that waits for nothing. How many deadlines were over.
fn turn(reactor: &mut Reactor<()>) -> u32 {
    let mut count = Count(0);
    reactor
        .turn(&mut count, Some(Duration::ZERO))
        .expect("a turn");
    count.0
}

fn main() {
    let mut connections = reactor::Table::new();
    let tokens: Vec<Token> = (0..CONNECTIONS).map(|_| connections.insert(()).0).collect();
    let table = Table::new("one deadline");
    let reactor = || Reactor::new().expect("an event loop");

    let mut one = reactor();
    let mut later = one.now() + Duration::from_secs(3600);
    table.row("moved later", CONNECTIONS, 0, || {
        later = later + Duration::from_nanos(1);
        for token in &tokens {
            one.set_deadline(*token, later);
        }
    });
    table.row("set and taken away", CONNECTIONS, 0, || {
        for token in &tokens {
            one.set_deadline(*token, later);
            one.clear_deadline(*token);
        }
    });
    table.row("a turn beside 10,000 that are not over", 1, 0, || {
        turn(&mut one)
    });

    let mut one = reactor();
    table.row("set and met, all at one moment", CONNECTIONS, 0, || {
        for token in &tokens {
            one.set_deadline(*token, Instant::from_nanos(1));
        }
        assert_eq!(turn(&mut one), CONNECTIONS);
    });
    table.row(
        "set and met, each at its own moment",
        CONNECTIONS,
        0,
        || {
            // Neither in order nor against it.
            for (number, token) in (0..).zip(&tokens) {
                let moment = u64::from(number * 7919 % CONNECTIONS);
                one.set_deadline(*token, Instant::from_nanos(moment + 1));
            }
            assert_eq!(turn(&mut one), CONNECTIONS);
        },
    );
    table.row("moved later once, then met", CONNECTIONS, 0, || {
        let now = Instant::now();
        for token in &tokens {
            one.set_deadline(*token, Instant::from_nanos(1));
            one.set_deadline(*token, now);
        }
        assert_eq!(turn(&mut one), CONNECTIONS);
    });
}
