//! An accept loop written by hand, which gives the connections that it likes to the server.
//!
//! `cargo run --example accept_loop -- [ADDR]`
//!
//! The lesson: a descriptor is given away once, by its type. `handle.adopt` takes it: nothing can be written to it here
//! afterwards, and it can't be closed under the server's hands. What the server can't take comes back with the reason.

use std::error::Error;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::Duration;

use edgeloop::{Handle, Reply, Request, ResponseWriter, Server, Signals};

fn hello(_: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
    res.status(200).text("Hello from the other side\n")
}

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8080".into());
    let signals = Signals::block()?; // before there is another thread, which would get them
    let listener = TcpListener::bind(address)?;
    println!("listening on http://{}/", listener.local_addr()?);

    let server = Server::unbound().cores(2).drain_on(signals);
    let server = server.serve_fn(hello)?;
    let handle = server.handle();
    thread::spawn(move || accept(&listener, &handle));
    server.run()?;
    Ok(())
}

fn accept(listener: &TcpListener, handle: &Handle) {
    for accepted in listener.incoming() {
        match accepted {
            Ok(stream) if is_welcome(&stream) => {
                if let Err(refused) = handle.adopt(OwnedFd::from(stream), b"") {
                    eprintln!("{refused}");
                }
            }
            Ok(_) => {} // dropped, and so closed
            // Out of descriptors, for one: this loop has to see to that by itself.
            Err(error) => {
                eprintln!("cannot accept: {error}");
                thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

/// What a hand-written loop is for: to look before a byte is served.
fn is_welcome(stream: &TcpStream) -> bool {
    stream.peer_addr().is_ok_and(|peer| peer.ip().is_loopback())
}
