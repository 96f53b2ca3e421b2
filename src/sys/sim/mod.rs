//! A simulated kernel behind the types of [`sys`](super): the code above it is the code that ships.
//!
//! A [`World`] has descriptors, TCP streams with bounded buffers, epoll with the kernel's own rules of edges, files that
//! shrink while they are sent, signals and clocks. Once a thread has [entered](World::enter) it, every call that this thread
//! makes through `sys` is the world's. Time stands still but for a little per call, and leaps to the next thing that
//! happens when a loop waits; so hours pass in milliseconds. All that is random comes from one seed, and the same seed is
//! the same run to the last call.
//!
//! What happens besides the program are *steps*: [`World::after`] puts one into the world's agenda, and a client's end of a
//! connection ([`Peer`]) can have one whenever something comes. They run while the program waits, and between its calls.
//! Calls fail as a [`Plan`] says.
//!
//! ```
//! use edgeloop::{Request, ResponseWriter, Server};
//! use edgeloop::sys::sim::World;
//!
//! let world = World::new(1);
//! let _inside = world.enter();
//! let mut server = Server::bind("127.0.0.1:80")?
//!     .event_loop(|_: &Request, res: ResponseWriter| res.status(200).text("hello\n"), ())?;
//! let client = world.connect(80).expect("somebody listens");
//! client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
//! while client.unread() == 0 {
//!     server.turn(None)?; // waits in the world's time
//! }
//! let mut answer = Vec::new();
//! client.receive(&mut answer, usize::MAX);
//! assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | file | what |
//! |---|---|
//! | `world` | entering, time, steps |
//! | `settings` | what a test sets and sees |
//! | `call` | every call, and the errors that its man page lists |
//! | `plan` | which calls fail, and how |
//! | `kernel` | descriptors and what they stand for |
//! | `poll` | epoll: who is woken by what |
//! | `link`, `net` | two ends of a stream: buffers, FIN, RST; how connections begin and go on |
//! | `face`, `paths`, `cold`, `notices`, `waits` | the calls of `sys`, one function each: sockets, files, what of them is in memory, what becomes of them, readiness and clocks |
//! | `peer` | a client's end, in the hands of a test |

mod call;
mod cold;
mod face;
mod kernel;
mod link;
mod net;
mod notices;
mod paths;
mod peer;
mod plan;
mod poll;
mod random;
mod settings;
mod waits;
mod world;

pub use call::Call;
pub use peer::{Peer, PeerState};
pub use plan::{Plan, Rates};
pub use random::Random;
pub use world::{Entered, Net, World};

use std::os::fd::RawFd;

/// Where the numbers of the world's descriptors begin: far above those of any process.
const FIRST: RawFd = 1 << 24;

/// Whether a descriptor's number is one of a simulated world.
pub(super) const fn is_simulated(number: RawFd) -> bool {
    number >= FIRST
}

/// The world that this thread is in.
pub(super) fn world() -> Option<World> {
    world::current()
}

/// Closes a number of the world. Does nothing once the thread has left it: the world is gone with all it has.
pub(super) fn close(number: RawFd) {
    if let Some(world) = world() {
        world.close(number);
    }
}
