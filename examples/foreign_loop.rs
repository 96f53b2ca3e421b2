//! The server inside a loop of the program's own: it counts datagrams, and says over HTTP how many have come.
//!
//! `cargo run --example foreign_loop -- [ADDR [UDP-ADDR]]`
//!
//! The lesson: watch the server's descriptor level-triggered, wait no longer than its next deadline, and let it turn
//! without waiting. What the host and the handler share needs no lock, for they are on one thread.

use std::cell::Cell;
use std::error::Error;
use std::net::UdpSocket;
use std::rc::Rc;
use std::time::Duration;

use edgeloop::{Request, ResponseWriter, Server, Signals};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

const SERVER: u64 = 0;
const DATAGRAMS: u64 = 1;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let address = args.next().unwrap_or("127.0.0.1:8080".into());
    let datagrams = UdpSocket::bind(args.next().unwrap_or("127.0.0.1:8080".into()))?;
    datagrams.set_nonblocking(true)?;

    let count = Rc::new(Cell::new(0));
    let shown = Rc::clone(&count);
    let handler = move |_: &Request<'_>, res: ResponseWriter<'_>| {
        res.status(200).text(format!("{} datagrams\n", shown.get()))
    };
    let server = Server::bind(&address)?.drain_on(Signals::block()?);
    let mut server = server.event_loop(handler, ())?;
    println!("listening on {}", server.addresses()[0]);
    println!("datagrams to {}", datagrams.local_addr()?);

    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    epoll.add(&server, EpollEvent::new(EpollFlags::EPOLLIN, SERVER))?;
    epoll.add(&datagrams, EpollEvent::new(EpollFlags::EPOLLIN, DATAGRAMS))?;
    let mut events = [EpollEvent::empty(); 16];
    while !server.is_stopped() {
        let ready = match epoll.wait(&mut events, timeout(server.next_deadline())?) {
            Err(Errno::EINTR) => 0,
            ready => ready?,
        };
        for event in &events[..ready] {
            if event.data() == DATAGRAMS {
                while datagrams.recv(&mut [0; 1500]).is_ok() {
                    count.set(count.get() + 1);
                }
            }
        }
        // Also when its descriptor said nothing: its deadline may be over.
        server.turn(Some(Duration::ZERO))?;
    }
    Ok(())
}

/// In milliseconds, rounded up: rounded down, the loop would spin through the last one.
fn timeout(left: Option<Duration>) -> Result<EpollTimeout, Box<dyn Error>> {
    Ok(match left {
        None => EpollTimeout::NONE,
        Some(left) => EpollTimeout::try_from(left + Duration::from_nanos(999_999))?,
    })
}
