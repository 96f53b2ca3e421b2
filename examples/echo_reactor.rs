//! An echo server on the reactor, with no HTTP at all. It hangs up on peers that do not read what they are sent.
//!
//! The lesson: a driver keeps what it works on in a table, and a token that is stale finds nothing there.

use edgeloop::reactor::{Driver, Reactor, Table, Token};
use edgeloop::sys::{Fd, Interest, Ready, socket};
struct Echo(Fd, Table<Fd>);
impl Driver for Echo {
    type Message = ();
    fn on_ready(&mut self, reactor: &mut Reactor<()>, token: Token, ready: Ready) {
        let Some(peer) = self.1.get(token) else {
            let new = socket::accept(&self.0).map(|peer| self.1.insert(peer));
            return drop(new.map(|(token, peer)| reactor.register(peer, token, Interest::STREAM)));
        };
        let (mut bytes, mut reads_on) = ([0; 4096], true);
        while reads_on && let Ok(count @ 1..) = socket::recv(peer, &mut bytes) {
            reads_on = socket::send(peer, &bytes[..count], socket::More::No).ok() == Some(count);
        }
        if !reads_on || ready.intersects(Ready::END) {
            self.1.remove(token);
        }
    }
}
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:7777".into());
    let (listener, mut reactor) = (socket::listen_on(&address.parse()?)?, Reactor::new()?);
    reactor.register(&listener, Token::fixed(0), Interest::READ)?;
    Ok(reactor.run(&mut Echo(listener, Table::new()))?)
}
