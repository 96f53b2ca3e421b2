//! Unix sockets: what is sent is at the other end at once, and a close can't be told to reset.

use core::time::Duration;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use edgeloop::sys::sim::{Peer, World};
use edgeloop::sys::socket::{self, More};
use edgeloop::sys::{Address, Epoll, Events, Fd, Interest, Ready};

use super::places::{Client, End, receive_all};
use super::script::said;

/// How the server's end ends.
#[derive(Clone, Copy, Debug)]
enum Way {
    Close,
    CloseToldToReset,
    CloseWithUnread,
    Finish,
}

/// How the client's end does.
#[derive(Clone, Copy, Debug)]
enum ClientWay {
    Close,
    CloseWithUnread,
    Finish,
}

struct UnixClient {
    stream: UnixStream,
    end: End,
}

impl Client for UnixClient {
    fn send(&mut self, bytes: &[u8]) -> usize {
        self.stream.write(bytes).unwrap_or(0)
    }

    fn receive(&mut self, into: &mut Vec<u8>) -> End {
        receive_all(&self.stream, &mut self.end, into)
    }

    fn finish(&mut self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Write); // one that is over is finished
    }

    fn reset(self) {}
}

fn ended_by_us<C: Client>(way: Way, server: Fd, mut client: C) -> Vec<String> {
    let mut said_there = vec![said(socket::send(&server, b"hello", More::No))];
    match way {
        Way::Close => {}
        Way::CloseToldToReset => said_there.push(said(socket::set_linger_reset(&server))),
        Way::CloseWithUnread => said_there.push(client.send(b"unread").to_string()),
        Way::Finish => said_there.push(said(socket::shutdown_write(&server))),
    }
    let kept = if let Way::Finish = way {
        Some(server)
    } else {
        drop(server);
        None
    };
    let mut bytes = Vec::new();
    let end = client.receive(&mut bytes);
    said_there.push(format!("{}, {end:?}", bytes.escape_ascii()));
    said_there.push(client.send(b"late").to_string());
    if let Some(server) = kept {
        said_there.push(said(socket::recv(&server, &mut [0; 9])));
    }
    said_there
}

fn ended_by_client<C: Client>(way: ClientWay, server: &Fd, mut client: C) -> Vec<String> {
    let mut said_there = vec![client.send(b"hello").to_string()];
    if let ClientWay::CloseWithUnread = way {
        said_there.push(said(socket::send(server, b"unread", More::No)));
    }
    let kept = if let ClientWay::Finish = way {
        client.finish();
        Some(client)
    } else {
        drop(client);
        None
    };
    said_there.push(format!("{:?}", ready(server)));
    for _ in 0..3 {
        said_there.push(said(socket::recv(server, &mut [0; 9])));
    }
    for _ in 0..2 {
        said_there.push(said(socket::send(server, b"late", More::No)));
    }
    if let Some(mut client) = kept {
        let mut bytes = Vec::new();
        let end = client.receive(&mut bytes);
        said_there.push(format!("{}, {end:?}", bytes.escape_ascii()));
    }
    said_there
}

/// What epoll says of it.
fn ready(server: &Fd) -> Vec<Ready> {
    let epoll = Epoll::new().expect("an epoll");
    let interest = Interest::STREAM | Interest::WRITE;
    epoll.add(server, interest, 7).expect("watched");
    let mut events = Events::with_capacity(4);
    let count = epoll.wait(&mut events, Some(Duration::ZERO));
    let all = 0..count.expect("a look");
    all.map(|index| events.at(index).1).collect()
}

/// All of it on one kernel.
fn observe<C: Client>(path: &Path, mut connect: impl FnMut() -> C) -> Vec<String> {
    let address = Address::Unix(path.into());
    let listener = socket::listen_on(&address).expect("a free path");
    let mut all = Vec::new();
    for way in [
        Way::Close,
        Way::CloseToldToReset,
        Way::CloseWithUnread,
        Way::Finish,
    ] {
        let client = connect();
        let server = socket::accept(&listener).expect("one waits");
        all.push(format!("{way:?}: {:?}", ended_by_us(way, server, client)));
    }
    for way in [
        ClientWay::Close,
        ClientWay::CloseWithUnread,
        ClientWay::Finish,
    ] {
        let client = connect();
        let server = socket::accept(&listener).expect("one waits");
        let lines = ended_by_client(way, &server, client);
        all.push(format!("the client, {way:?}: {lines:?}"));
    }
    all
}

#[test]
fn unix_sockets_end_as_the_real_ones_do() {
    let name = format!("edgeloop-model-{}.sock", std::process::id());
    let path: PathBuf = std::env::temp_dir().join(name);
    let real = observe(&path, || {
        let stream = UnixStream::connect(&path).expect("it listens");
        stream.set_nonblocking(true).expect("a socket");
        UnixClient {
            stream,
            end: End::Open,
        }
    });
    let _ = std::fs::remove_file(&path); // it is a temporary one
    let world = World::new(1);
    let _inside = world.enter();
    let simulated = observe(&path, || -> Peer {
        world.connect_path(&path).expect("it listens")
    });
    assert_eq!(simulated, real);
}
