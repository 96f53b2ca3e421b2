//! The server over real sockets: what time does to a connection, what its limits are, and what applications are promised.
//!
//! Deadlines are shortened, and only ever asserted from one side: that something happens, at the latest before a test's
//! own patience is over. Nothing here is proved by being fast.

mod added;
mod allocation;
mod alone;
mod client;
mod closing;
mod connections;
mod content;
mod cores;
mod counters;
mod deferred;
mod descriptors;
mod drain;
mod dropped;
mod embedding;
mod faults;
mod finish;
mod hand;
mod helpers;
mod hostile;
mod intake;
mod observer;
mod peer;
mod pool;
mod recording;
mod replay;
mod requests;
mod route;
mod running;
mod streams;
mod time;

use core::time::Duration;

use edgeloop::server::{Limits, Linger, Progress};

/// How long a test waits for what has to come.
const PATIENCE: Duration = Duration::from_secs(20);

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Limits under which every deadline that a test waits for is near, and every other one is far.
fn patient() -> Limits {
    let far = Duration::from_secs(60);
    Limits {
        head_time: far,
        idle_time: far,
        handler_time: far,
        progress: Progress {
            start: far,
            bytes_per_second: 256,
            most: far,
        },
        linger: Linger {
            silence: ms(200),
            time: ms(500),
            bytes_max: 16 << 20,
        },
        // Nobody is far away here.
        last_calls: ms(5),
        drain_grace: ms(300),
        drain_time: far,
        ..Limits::default()
    }
}
