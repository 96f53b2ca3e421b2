//! What a connection that waits costs in memory.

use std::path::Path;

use crate::SERVE;
use crate::child::Child;
use crate::duel::Server;
use crate::get;
use crate::load::{Load, Manner};

/// Prints by how many bytes the server's process grows for each connection, from a tenth of `crowd` to one and a half of it:
/// what it takes to start with is not in it.
pub(crate) fn report(crowd: usize, core: usize, root: &Path) {
    let core = core.to_string();
    let words = [SERVE.as_ref(), Server::Ours.word().as_ref(), core.as_ref()];
    let server = Child::start(&[&words[..], &[root.as_os_str()]].concat(), 1);
    let (ask, address) = (get("/plaintext"), server.addresses[0]);
    let answer_bytes = ask.answer_of(address).len();
    let more = |idle| {
        let manner = Manner {
            clients: 0,
            depth: 1,
            idle,
            anew: false,
        };
        Load::new(address, &ask, &manner, answer_bytes)
    };
    let (few, many) = (crowd / 10, crowd * 3 / 2);
    let _first = more(few);
    let before = server.resident();
    let _others = more(many - few);
    let grown = (server.resident() - before) * 1024;
    let added = i64::try_from(many - few).expect("few");
    println!(
        "idle: from {few} connections to {many}, bytes of memory for each: {}",
        grown / added
    );
}
