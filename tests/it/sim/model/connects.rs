//! Connections that a program begins itself: both ends are its own.

use core::time::Duration;
use std::path::Path;

use edgeloop::sys::sim::World;
use edgeloop::sys::socket::{self, More, Sharing};
use edgeloop::sys::{Address, Epoll, Events, Fd, Interest, Ready};

use super::on_one_processor;
use super::script::said;

/// Waits until it is writable, and says what else it is.
fn ready(epoll: &Epoll) -> Vec<Ready> {
    let mut events = Events::with_capacity(4);
    let count = epoll.wait(&mut events, Some(Duration::from_secs(1)));
    let all = 0..count.expect("a look");
    all.map(|index| events.at(index).1).collect()
}

fn watched(fd: &Fd) -> Epoll {
    let epoll = Epoll::new().expect("an epoll");
    let interest = Interest::STREAM | Interest::WRITE;
    epoll.add(fd, interest, 7).expect("watched");
    epoll
}

/// One connection to a listener: what each end says of the other, and how it ends.
fn exchange(listener: &Fd, address: &Address) -> Vec<String> {
    let client = socket::connect(address).expect("it listens");
    let epoll = watched(&client);
    let mut said_there = vec![format!("{:?}", ready(&epoll))];
    let (server, peer) = socket::accept_from(listener).expect("one waits");
    let named = |fd: &Fd| match socket::local_address(fd) {
        Ok(Address::Ip(ip)) => Some(ip),
        Ok(Address::Host(..) | Address::Unix(_) | Address::Inherited(_)) => None,
        Err(error) => panic!("{error}"),
    };
    said_there.push(format!("{}", named(&client) == peer.socket_address()));
    let beyond = socket::adopt(&client).expect("a connection");
    said_there.push(format!("{}", named(&server) == beyond.socket_address()));
    said_there.push(said(socket::send(&client, b"question", More::No)));
    said_there.push(said(socket::recv(&server, &mut [0; 16])));
    said_there.push(said(socket::send(&server, b"answer", More::No)));
    said_there.push(said(socket::recv(&client, &mut [0; 16])));
    said_there.push(said(socket::recv(&client, &mut [0; 16])));
    said_there.push(said(socket::shutdown_write(&client)));
    said_there.push(said(socket::recv(&server, &mut [0; 16])));
    drop(server);
    said_there.push(said(socket::recv(&client, &mut [0; 16])));
    said_there
}

fn observe(unix: &Path) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for text in ["127.0.0.1:0", "[::1]:0"] {
        let any = text.parse().expect("an address");
        let listener = socket::listen_on(&any).expect("a free port");
        let address = socket::local_address(&listener).expect("it has one");
        all.push(exchange(&listener, &address));
    }
    let address = Address::Unix(unix.to_owned());
    let listener = socket::listen_on(&address).expect("a free path");
    all.push(exchange(&listener, &address));
    drop(listener);
    // Nobody listens: on a path that was left behind, on one that is none, at a port that is kept from others.
    all.push(vec![said(socket::connect(&address).map(drop))]);
    let nowhere = Address::Unix("/nowhere/socket".into());
    all.push(vec![said(socket::connect(&nowhere).map(drop))]);
    let any = "127.0.0.1:0".parse().expect("an address");
    let bound = socket::bind(&any, Sharing::Alone).expect("a free port");
    let silent = socket::local_address(&bound).expect("it has one");
    all.push(vec![refused(&silent)]);
    all
}

/// The kernel says it of the connection, or already of the call.
fn refused(address: &Address) -> String {
    match socket::connect(address) {
        Err(error) => said::<()>(Err(error)),
        Ok(client) => {
            ready(&watched(&client));
            said(socket::send(&client, b"x", More::No))
        }
    }
}

#[test]
fn connections_begin_and_end_as_the_real_ones_do() {
    on_one_processor(|| {
        let name = format!("edgeloop-connects-{}.sock", std::process::id());
        let path = std::env::temp_dir().join(name);
        let real = observe(&path);
        let _ = std::fs::remove_file(&path); // it is a temporary one
        assert_eq!(real[3..], [["ECONNREFUSED"], ["ENOENT"], ["ECONNREFUSED"]]);
        let world = World::new(1);
        let _inside = world.enter();
        assert_eq!(observe(&path), real);
    });
}
