//! Where accepted connections come from.

use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;

use edgeloop::sys::sim::World;
use edgeloop::sys::{Address, PeerAddress, socket};

/// What is said of a client: its address without the port, which each kernel chooses, and whether it is the client's own.
fn observe<C>(
    listen: &Address,
    connect: impl Fn(&Address) -> C,
    address: impl Fn(&C) -> PeerAddress,
) -> Vec<String> {
    let listener = socket::listen_on(listen).expect("a free address");
    let there = socket::local_address(&listener).expect("it has one");
    let mut said = Vec::new();
    for _ in 0..2 {
        let client = connect(&there);
        let (_server, peer) = socket::accept_from(&listener).expect("one waits");
        let (ip, is_own) = (peer.ip(), peer == address(&client));
        said.push(format!("{ip:?} {} {is_own}", peer.is_unix()));
    }
    said
}

fn port(address: &Address) -> u16 {
    match address {
        Address::Ip(address) => address.port(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn tcp_clients_come_from_where_the_real_ones_do() {
    for host in ["127.0.0.1", "[::1]"] {
        let listen: Address = format!("{host}:0").parse().expect("an address");
        let real = observe(
            &listen,
            |there| TcpStream::connect(format!("{host}:{}", port(there))).expect("it listens"),
            |client: &TcpStream| client.local_addr().expect("connected").into(),
        );
        let world = World::new(1);
        let _inside = world.enter();
        let simulated = observe(
            &listen,
            |there| world.connect(port(there)).expect("it listens"),
            edgeloop::sys::sim::Peer::address,
        );
        assert_eq!(simulated, real);
        let client: SocketAddr = format!("{host}:1").parse().expect("an address");
        assert_eq!(real[0], format!("{:?} false true", Some(client.ip())));
    }
}

#[test]
fn clients_of_unix_sockets_come_from_nowhere_as_the_real_ones_do() {
    let name = format!("edgeloop-model-{}-peer.sock", std::process::id());
    let path = std::env::temp_dir().join(name);
    let listen = Address::Unix(path.clone());
    let connect = |_: &Address| UnixStream::connect(&path).expect("it listens");
    let real = observe(&listen, connect, |_| PeerAddress::UNIX);
    let _ = std::fs::remove_file(&path); // it is a temporary one
    let world = World::new(1);
    let _inside = world.enter();
    let path: &Path = &path;
    let connect = |_: &Address| world.connect_path(path).expect("it listens");
    let simulated = observe(&listen, connect, edgeloop::sys::sim::Peer::address);
    assert_eq!(simulated, real);
    assert_eq!(real[0], "None true true");
}
