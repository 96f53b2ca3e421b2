//! The two kernels, as far as scripts have to tell them apart: clients, files, signals, and when nothing is under way.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::linux::net::TcpStreamExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use edgeloop::sys::sim::{Call, Entered, Net, Peer, PeerState, Plan, World};
use edgeloop::sys::thread::Thread;
use edgeloop::sys::{Epoll, Events, Fd, socket};
use nix::errno::Errno;
use nix::sys::signal::{Signal, raise};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, connect, getpeername, setsockopt, sockopt,
};
use nix::{setsockopt_impl, sockopt_impl};

/// For an acknowledgement that is held back.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_micros(200);

/// What has become of a connection, as its client sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Open,
    Finished,
    Reset,
}

pub(super) trait Client {
    /// How many bytes were taken; none once it is over.
    fn send(&mut self, bytes: &[u8]) -> usize;
    /// Appends all that has come.
    fn receive(&mut self, into: &mut Vec<u8>) -> End;
    fn finish(&mut self);
    /// Closes with a RST.
    fn reset(self);
}

pub(super) trait Place {
    type Client: Client;
    /// A directory that is this place's own.
    fn directory(&self) -> &Path;
    /// The file `name` in it has this content from now on.
    fn write(&self, name: &str, content: &[u8]);
    fn resize(&self, name: &str, length: u64);
    /// In place, whoever has it open.
    fn rewrite(&self, name: &str, content: &[u8]);
    /// Another file comes to be called so.
    fn replace(&self, name: &str, content: &[u8]);
    fn remove(&self, name: &str);
    fn raise(&self, signal: Signal);
    /// Waits for the end of a thread.
    fn join(&self, thread: Thread);
    /// `None`: nobody listens, or nobody answers.
    fn connect(&mut self, port: u16) -> Option<Self::Client>;
    /// Whatever is under way arrives.
    fn settle<'a>(
        &self,
        clients: impl Iterator<Item = &'a Self::Client>,
        servers: impl Iterator<Item = &'a Fd>,
    ) where
        Self: 'a;
    /// The other end of this connection has taken what was sent, if it is one still. It may take its time over that.
    fn wait_until_acknowledged(&self, server: &Fd);
}

/// The kernel that this program runs on.
pub(super) struct Real {
    directory: PathBuf,
    /// What is sent here arrives after what was sent before it elsewhere.
    barrier: (TcpStream, TcpStream),
}

pub(super) struct RealClient {
    stream: TcpStream,
    end: End,
}

static PLACES: AtomicU32 = AtomicU32::new(0);

impl Real {
    pub(super) fn new() -> Real {
        let number = PLACES.fetch_add(1, Ordering::Relaxed);
        let name = format!("edgeloop-model-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir_all(directory.join("d")).expect("a place for files");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it has one");
        let one = TcpStream::connect(address).expect("it listens");
        let (other, _) = listener.accept().expect("one waits");
        for stream in [&one, &other] {
            stream.set_nodelay(true).expect("TCP");
            reset_when_closed(stream);
        }
        Real {
            directory,
            barrier: (one, other),
        }
    }

    fn pass_barrier(&self) {
        let (mut one, mut other) = (&self.barrier.0, &self.barrier.1);
        for _ in 0..2 {
            one.write_all(b"x").expect("open");
            other.read_exact(&mut [0]).expect("open");
            other.write_all(b"x").expect("open");
            one.read_exact(&mut [0]).expect("open");
        }
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory); // it is a temporary one
    }
}

fn reset_when_closed(stream: &TcpStream) {
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    setsockopt(stream, sockopt::Linger, &linger).expect("a socket");
}

impl Place for Real {
    type Client = RealClient;

    fn directory(&self) -> &Path {
        &self.directory
    }

    fn write(&self, name: &str, content: &[u8]) {
        fs::write(self.directory.join(name), content).expect("a place for files");
    }

    fn resize(&self, name: &str, length: u64) {
        let file = File::options().write(true).open(self.directory.join(name));
        file.and_then(|file| file.set_len(length))
            .expect("a regular file");
    }

    fn rewrite(&self, name: &str, content: &[u8]) {
        self.write(name, content);
    }

    fn replace(&self, name: &str, content: &[u8]) {
        let beside = self.directory.with_extension("new");
        fs::write(&beside, content).expect("a place for files");
        fs::rename(&beside, self.directory.join(name)).expect("one file system");
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.directory.join(name)).expect("is there");
    }

    fn raise(&self, signal: Signal) {
        raise(signal).expect("a signal");
    }

    fn join(&self, thread: Thread) {
        thread.join();
    }

    fn connect(&mut self, port: u16) -> Option<RealClient> {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let fd = nix::sys::socket::socket(AddressFamily::Inet, SockType::Stream, flags, None)
            .expect("a socket");
        let address = SockaddrIn::from(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port));
        let begun = connect(fd.as_raw_fd(), &address);
        assert!(
            matches!(
                begun,
                Ok(()) | Err(Errno::EINPROGRESS | Errno::ECONNREFUSED)
            ),
            "{begun:?}"
        );
        self.pass_barrier();
        let stream = TcpStream::from(fd);
        // Only one that is connected has a peer.
        stream.peer_addr().ok()?;
        stream.set_nodelay(true).expect("TCP");
        // Where the kernel does not know it, the test takes longer.
        let _ = setsockopt(&stream, HeldBackMax, &1);
        Some(RealClient {
            stream,
            end: End::Open,
        })
    }

    fn settle<'a>(
        &self,
        clients: impl Iterator<Item = &'a RealClient>,
        servers: impl Iterator<Item = &'a Fd>,
    ) {
        let clients: Vec<_> = clients.collect();
        let servers: Vec<TcpStream> = servers
            .map(|fd| {
                let copy: OwnedFd = fd.as_fd().try_clone_to_owned().expect("a descriptor");
                copy.into()
            })
            .collect();
        for _ in 0..2 {
            self.pass_barrier();
            // No acknowledgement is held back. One that is over has none.
            for stream in clients.iter().map(|it| &it.stream).chain(&servers) {
                let _ = stream.set_quickack(true);
            }
        }
        self.pass_barrier();
    }

    fn wait_until_acknowledged(&self, server: &Fd) {
        let is_connected = || getpeername::<SockaddrIn>(server.as_fd().as_raw_fd()).is_ok();
        let begin = Instant::now();
        while socket::unacknowledged(server).is_ok_and(|count| count > 0) && is_connected() {
            assert!(begin.elapsed() < PATIENCE, "nobody acknowledges");
            thread::sleep(PAUSE);
        }
        self.pass_barrier();
    }
}

/// `TCP_DELACK_MAX_US` (Linux 6.15).
const DELACK_MAX_US: libc::c_int = 46;

sockopt_impl!(
    /// The longest time for which an acknowledgement is held back, in microseconds.
    HeldBackMax,
    SetOnly,
    libc::IPPROTO_TCP,
    DELACK_MAX_US,
    u32
);

impl Client for RealClient {
    fn send(&mut self, bytes: &[u8]) -> usize {
        match (&self.stream).write(bytes) {
            Ok(count) => count,
            Err(error) => {
                if error.kind() == ErrorKind::ConnectionReset {
                    self.end = End::Reset; // it is said only once
                }
                0
            }
        }
    }

    fn receive(&mut self, into: &mut Vec<u8>) -> End {
        receive_all(&self.stream, &mut self.end, into)
    }

    fn finish(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write); // one that is broken is finished
    }

    fn reset(self) {
        reset_when_closed(&self.stream);
    }
}

/// Appends all that has come, and notes how it ends.
pub(super) fn receive_all(mut stream: impl Read, end: &mut End, into: &mut Vec<u8>) -> End {
    match stream.read_to_end(into) {
        Ok(_) if *end == End::Reset => {}
        Ok(_) => *end = End::Finished,
        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => *end = End::Reset,
        Err(error) => panic!("a client can't receive: {error}"),
    }
    *end
}

/// A world.
pub(super) struct Simulated {
    world: World,
    has_latency: bool,
    /// Where nothing is ever ready: waiting there lets time pass.
    idle: Option<Epoll>,
}

const LATENCY: Duration = Duration::from_millis(3);
/// Enough for all that a script can have under way.
const LONG: Duration = Duration::from_secs(60);

impl Simulated {
    /// What is sent is there when the call returns.
    pub(super) fn at_once() -> Simulated {
        Simulated {
            world: World::new(1),
            has_latency: false,
            idle: None,
        }
    }

    /// What is sent is under way for a while, and comes in pieces.
    pub(super) fn with_latency() -> Simulated {
        let world = World::new(1);
        world.set_net(Net {
            latency: LATENCY,
            piece: 1000,
            ..Net::default()
        });
        Simulated {
            world,
            has_latency: true,
            idle: None,
        }
    }

    pub(super) fn enter(&mut self) -> Entered {
        let inside = self.world.enter();
        if self.has_latency {
            self.idle = Some(Epoll::new().expect("epoll"));
        }
        inside
    }

    /// The first of these calls fails.
    pub(super) fn fail(&self, call: Call, errno: i32) {
        self.world.set_plan(Plan::At {
            call,
            errno,
            nth: 1,
            for_good: false,
        });
    }

    /// The number of this descriptor, and what is above it, can't be had any more.
    pub(super) fn limit(&self, spare: Option<&Fd>) {
        let descriptors = if spare.is_some() {
            self.world.open_descriptors() - 1
        } else {
            1024
        };
        self.world.set_descriptors_max(descriptors);
    }

    fn wait(&self) {
        if let Some(idle) = &self.idle {
            idle.wait(&mut Events::with_capacity(1), Some(LONG))
                .expect("it is one");
        }
    }
}

impl Place for Simulated {
    type Client = Peer;

    fn directory(&self) -> &Path {
        Path::new("/model")
    }

    fn write(&self, name: &str, content: &[u8]) {
        self.world
            .add_file(self.directory().join(name), Rc::from(content));
    }

    fn resize(&self, name: &str, length: u64) {
        self.world.resize_file(self.directory().join(name), length);
    }

    fn rewrite(&self, name: &str, content: &[u8]) {
        self.world
            .rewrite_file(self.directory().join(name), Rc::from(content));
    }

    fn replace(&self, name: &str, content: &[u8]) {
        self.write(name, content);
    }

    fn remove(&self, name: &str) {
        self.world.remove_file(self.directory().join(name));
    }

    fn raise(&self, signal: Signal) {
        self.world.raise(signal as i32);
    }

    fn join(&self, thread: Thread) {
        assert!(thread.is_over(), "nobody can wait for it");
        self.world.advance(LONG);
    }

    fn connect(&mut self, port: u16) -> Option<Peer> {
        let peer = self.world.connect(port);
        self.wait();
        peer
    }

    fn settle<'a>(&self, _: impl Iterator<Item = &'a Peer>, _: impl Iterator<Item = &'a Fd>) {
        self.wait();
    }

    fn wait_until_acknowledged(&self, _: &Fd) {
        self.wait();
    }
}

impl Client for Peer {
    fn send(&mut self, bytes: &[u8]) -> usize {
        Peer::send(self, bytes)
    }

    fn receive(&mut self, into: &mut Vec<u8>) -> End {
        Peer::receive(self, into, usize::MAX);
        match self.state() {
            PeerState::Open => End::Open,
            PeerState::Finished => End::Finished,
            PeerState::Reset => End::Reset,
        }
    }

    fn finish(&mut self) {
        Peer::finish(self);
    }

    fn reset(self) {
        Peer::reset(self);
    }
}
