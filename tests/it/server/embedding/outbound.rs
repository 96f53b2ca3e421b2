//! Connections that the program makes, on the server's loop: a socket that becomes writable, and is then asked whether it
//! is connected.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};

use edgeloop::server::Watch;
use edgeloop::sys::{Interest, Ready};
use edgeloop::{Completer, Local, Reply, Request, ResponseWriter};
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, connect, socket};

use super::super::patient;
use super::super::running::serve;

/// Begins to connect, and waits for nothing.
fn begin(to: SocketAddr) -> nix::Result<TcpStream> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let fd: OwnedFd = socket(AddressFamily::Inet, SockType::Stream, flags, None)?;
    match connect(fd.as_raw_fd(), &SockaddrStorage::from(to)) {
        Ok(()) | Err(Errno::EINPROGRESS) => Ok(TcpStream::from(fd)),
        Err(errno) => Err(errno),
    }
}

/// Asks the other server, and answers with what it says until it ends.
fn ask(local: &Local, to: SocketAddr, word: String, completer: Completer) -> std::io::Result<()> {
    let stream = begin(to)?;
    let mut completer = Some(completer);
    let mut answer = move |text: String| {
        if let Some(completer) = completer.take() {
            completer.finish(move |res| res.status(200).text(text));
        }
        Watch::End
    };
    let (mut asked, mut heard) = (false, Vec::new());
    let interest = Interest::STREAM | Interest::WRITE;
    local.watch(stream, interest, move |stream: &mut TcpStream, ready| {
        if !asked && ready.contains(Ready::WRITE) {
            if let Ok(Some(error)) = stream.take_error() {
                return answer(format!("cannot connect: {}", error.kind()));
            }
            asked = stream.write_all(word.as_bytes()).is_ok(); // a new socket has room for it
        }
        match stream.read_to_end(&mut heard) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Watch::Keep,
            Ok(_) => answer(String::from_utf8_lossy(&heard).into_owned()),
            Err(error) => answer(format!("broken off: {}", error.kind())),
        }
    })?;
    Ok(())
}

#[test]
fn a_handler_asks_another_server_without_blocking() {
    let backend = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = backend.local_addr().expect("it has one");
    let closed = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let nobody = closed.local_addr().expect("it has one");
    drop(closed);
    let server = serve(
        patient(),
        move |req: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
            let to = if req.path() == "/nobody" {
                nobody
            } else {
                address
            };
            let (local, word) = (res.local().clone(), req.path().to_owned());
            let (completer, reply) = res.defer();
            ask(&local, to, word, completer).expect("a socket");
            reply
        },
    );
    let (mut one, mut other) = (server.client(), server.client());
    one.ask("/one");
    other.ask("/other");
    // Both wait at once, on one thread.
    let mut asked: Vec<_> = (0..2)
        .map(|_| backend.accept().expect("it connects").0)
        .collect();
    for stream in &mut asked {
        let mut word = [0; 16];
        let count = stream.read(&mut word).expect("it asks");
        let word = String::from_utf8_lossy(&word[..count]).into_owned();
        write!(stream, "you said {word}").expect("it reads");
    }
    drop(asked);
    assert_eq!(other.answer().text(), "you said /other");
    assert_eq!(one.answer().text(), "you said /one");
    assert_eq!(
        one.get("/nobody").text(),
        "cannot connect: connection refused"
    );
}
