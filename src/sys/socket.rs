//! Stream sockets: listening, accepting, receiving, sending.

use core::mem::{MaybeUninit, size_of};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::sys::sendfile::sendfile64;
use nix::sys::socket::{
    self, AddressFamily, Backlog, MsgFlags, Shutdown, SockFlag, SockType, SockaddrStorage,
    UnixAddr, sockopt,
};

use super::socket_file;
use super::{Address, Fd, PeerAddress};

/// How many bytes the kernel holds unsent for a connection before it says "not writable" (tcp(7)). With this bound a slow
/// reader pins about 50 KiB of kernel memory; without it, megabytes.
const NOTSENT_LOWAT_BYTES: i32 = 128 << 10;

/// The same for a reader that has shown that it is fast, and is woken for more at a time.
const NOTSENT_LOWAT_BYTES_WIDE: i32 = 4 << 20;

/// How many connections may wait to be accepted. The kernel's own bound is usually the same (`net.core.somaxconn`).
pub const BACKLOG: u16 = 4096;

/// Whether several sockets may listen on one address, each with a queue of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// It is in use.
    Alone,
    /// The kernel spreads connections over all of them (`SO_REUSEPORT`).
    Shared,
}

/// Opens a socket and gives it its address, non-blocking and close-on-exec. It does not listen yet, unless it was
/// inherited.
///
/// What TCP connections inherit is set here: no delay of small segments, and a bound on what waits unsent in the kernel. An
/// IPv6 socket takes IPv4 as well. A host name is looked up, which may take long. The socket file of a dead server is
/// removed. Errors: those of socket(2) and bind(2), a host that is not found, and a descriptor that is no listening socket.
pub fn bind(address: &Address, sharing: Sharing) -> io::Result<Fd> {
    match address {
        Address::Ip(ip) => bind_ip(ip, sharing),
        Address::Host(name, port) => bind_ip(&resolve(name, *port)?, sharing),
        Address::Unix(path) => bind_unix(path),
        Address::Inherited(number) => inherit(*number),
    }
}

fn open(family: AddressFamily) -> io::Result<Fd> {
    simulated!(socket(family));
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    Ok(socket::socket(family, SockType::Stream, flags, None)?.into())
}

/// The first address of a host.
fn resolve(name: &str, port: u16) -> io::Result<SocketAddr> {
    simulated!(resolve(name, port));
    let unknown = |why| io::Error::other(format!("the host is not found ({why})"));
    let mut found = (name, port)
        .to_socket_addrs()
        .map_err(|error| unknown(error.to_string()))?;
    found
        .next()
        .ok_or_else(|| unknown("it has no address".to_owned()))
}

fn bind_ip(address: &SocketAddr, sharing: Sharing) -> io::Result<Fd> {
    let fd = match address {
        SocketAddr::V4(_) => open(AddressFamily::Inet)?,
        SocketAddr::V6(_) => {
            let fd = open(AddressFamily::Inet6)?;
            set_int(&fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 0)?;
            fd
        }
    };
    set_int(&fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
    if sharing == Sharing::Shared {
        set_int(&fd, libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)?;
    }
    set_stream_options(&fd)?;
    name_ip(&fd, address)?;
    Ok(fd)
}

fn name_ip(fd: &Fd, address: &SocketAddr) -> io::Result<()> {
    simulated!(bind_ip(fd, address));
    Ok(socket::bind(fd.raw(), &SockaddrStorage::from(*address))?)
}

/// Who has said nothing for longer than an idle connection may is asked whether it is still there (tcp(7)): a stream that has
/// nothing to send would never notice a client that has vanished.
const KEEP_IDLE_SECS: i32 = 90;
const KEEP_INTERVAL_SECS: i32 = 15;
const KEEP_PROBES: i32 = 4;

/// What connections inherit from a TCP listener.
fn set_stream_options(fd: &Fd) -> io::Result<()> {
    set_int(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, 1)?;
    let name = libc::TCP_NOTSENT_LOWAT;
    set_int(fd, libc::IPPROTO_TCP, name, NOTSENT_LOWAT_BYTES)?;
    set_int(fd, libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1)?;
    set_int(fd, libc::IPPROTO_TCP, libc::TCP_KEEPIDLE, KEEP_IDLE_SECS)?;
    set_int(
        fd,
        libc::IPPROTO_TCP,
        libc::TCP_KEEPINTVL,
        KEEP_INTERVAL_SECS,
    )?;
    set_int(fd, libc::IPPROTO_TCP, libc::TCP_KEEPCNT, KEEP_PROBES)
}

fn bind_unix(path: &Path) -> io::Result<Fd> {
    let fd = open(AddressFamily::Unix)?;
    match name_unix(&fd, path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_stale(path)? => {
            socket_file::remove(path)?;
            name_unix(&fd, path)?;
        }
        done => done?,
    }
    Ok(fd)
}

fn name_unix(fd: &Fd, path: &Path) -> io::Result<()> {
    simulated!(bind_unix(fd, path));
    Ok(socket::bind(fd.raw(), &UnixAddr::new(path)?)?)
}

/// Whether the path is a socket that nobody listens on.
fn is_stale(path: &Path) -> io::Result<bool> {
    if !socket_file::look(path)?.is_socket {
        return Ok(false);
    }
    let probe = open(AddressFamily::Unix)?;
    Ok(connect_unix(&probe, path)
        .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused))
}

fn connect_unix(fd: &Fd, path: &Path) -> io::Result<()> {
    simulated!(connect_unix(fd, path));
    Ok(socket::connect(fd.raw(), &UnixAddr::new(path)?)?)
}

/// Opens a socket and begins to connect it, non-blocking, close-on-exec, and on TCP with the options that accepted
/// connections have.
///
/// It may still be under way when this returns: then sending says `EAGAIN`, and the socket becomes writable when it is
/// there or has failed, which sending tells (connect(2)). A host name is looked up, which may take long. Errors: those of
/// socket(2), setsockopt(2) and connect(2), a host that is not found, and what can't be connected to, such as an inherited
/// listener.
pub fn connect(address: &Address) -> io::Result<Fd> {
    let ip = match address {
        Address::Ip(ip) => *ip,
        Address::Host(name, port) => resolve(name, *port)?,
        Address::Unix(path) => {
            let fd = open(AddressFamily::Unix)?;
            connect_unix(&fd, path)?;
            return Ok(fd);
        }
        Address::Inherited(_) => {
            return Err(io::Error::other("an inherited socket listens already"));
        }
    };
    let fd = open(match ip {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    })?;
    set_stream_options(&fd)?;
    match connect_ip(&fd, &ip) {
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => Ok(fd),
        done => done.map(|()| fd),
    }
}

fn connect_ip(fd: &Fd, address: &SocketAddr) -> io::Result<()> {
    simulated!(connect_ip(fd, address));
    Ok(socket::connect(fd.raw(), &SockaddrStorage::from(*address))?)
}

/// Takes over a listening socket that the process was started with. What is none is not touched.
fn inherit(number: i32) -> io::Result<Fd> {
    // A world starts no programs, so nothing in it is inherited.
    #[cfg(feature = "sim")]
    if super::sim::world().is_some() {
        return Err(Errno::EBADF.into());
    }
    // SAFETY: F_GETFD looks at a number and touches nothing; a number that is no descriptor is an error.
    if unsafe { libc::fcntl(number, libc::F_GETFD) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is open, so its number is not -1, and it is only asked for an option of sockets.
    let lent = unsafe { BorrowedFd::borrow_raw(number) };
    if !socket::getsockopt(&lent, sockopt::AcceptConn)? {
        return Err(io::Error::other("the inherited socket does not listen"));
    }
    // SAFETY: it is open, and who names a listening socket gives it away (`Address::Inherited`).
    let fd = Fd::from(unsafe { OwnedFd::from_raw_fd(number) });
    set_flags(&fd)?;
    match local_address(&fd)? {
        Address::Ip(_) => set_stream_options(&fd)?,
        Address::Host(..) | Address::Unix(_) | Address::Inherited(_) => {}
    }
    Ok(fd)
}

/// Makes a connection that was accepted elsewhere one of ours: non-blocking, close-on-exec, and on TCP with the options that
/// a listener's connections inherit. The address that it comes from. Errors: those of getsockopt(2), getpeername(2) and
/// fcntl(2), what is no stream, and what listens.
pub fn adopt(fd: &Fd) -> io::Result<PeerAddress> {
    if ask_int(fd, libc::SOL_SOCKET, libc::SO_TYPE)? != libc::SOCK_STREAM {
        return Err(io::Error::other("it is no stream socket"));
    }
    if ask_int(fd, libc::SOL_SOCKET, libc::SO_ACCEPTCONN)? != 0 {
        return Err(io::Error::other("it is no connection: it listens"));
    }
    let peer = peer_name(fd)?;
    set_flags(fd)?;
    if peer.ip().is_some() {
        // A stream that is not TCP may lack them, and does without.
        let _ = set_stream_options(fd);
    }
    Ok(peer)
}

/// The address that a connection comes from.
fn peer_name(fd: &Fd) -> io::Result<PeerAddress> {
    simulated!(peer_name(fd));
    let mut storage = MaybeUninit::<libc::sockaddr_storage>::zeroed();
    let mut length = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
    let into = storage.as_mut_ptr().cast();
    // SAFETY: the kernel writes at most `length` bytes of address, for which there is room, and then how many it has.
    if unsafe { libc::getpeername(fd.raw(), into, &raw mut length) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: all zeros are a sockaddr_storage, and so are they with an address in them.
    let storage = unsafe { storage.assume_init() };
    Ok(peer_address(&storage))
}

/// Makes a descriptor that came from elsewhere non-blocking and close-on-exec. Errors: those of fcntl(2).
pub fn set_flags(fd: &Fd) -> io::Result<()> {
    simulated!(set_flags(fd));
    let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
    fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    Ok(())
}

/// Begins to listen. `backlog` connections may wait, or what `net.core.somaxconn` says if that is less.
/// Errors: those of listen(2).
pub fn listen(fd: &Fd, backlog: u16) -> io::Result<()> {
    simulated!(listen(fd, backlog));
    let backlog = Backlog::new(i32::from(backlog)).unwrap_or(Backlog::MAXCONN);
    Ok(socket::listen(fd, backlog)?)
}

/// Binds and listens, alone and with a long queue. Errors: those of [`bind`] and [`listen`].
pub fn listen_on(address: &Address) -> io::Result<Fd> {
    let fd = bind(address, Sharing::Alone)?;
    listen(&fd, BACKLOG)?;
    Ok(fd)
}

/// Another descriptor of the same socket, for another loop to accept from. Errors: those of fcntl(2).
pub fn duplicate(fd: &Fd) -> io::Result<Fd> {
    simulated!(duplicate(fd));
    let number = fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(3))?;
    // SAFETY: the call has made this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) }.into())
}

/// The address that a socket has. Errors: those of getsockname(2).
pub fn local_address(fd: &Fd) -> io::Result<Address> {
    simulated!(local_address(fd));
    let storage: SockaddrStorage = socket::getsockname(fd.raw())?;
    if let Some(address) = storage.as_sockaddr_in() {
        return Ok(Address::Ip(SocketAddr::V4((*address).into())));
    }
    if let Some(address) = storage.as_sockaddr_in6() {
        return Ok(Address::Ip(SocketAddr::V6((*address).into())));
    }
    let path = storage.as_unix_addr().and_then(UnixAddr::path);
    Ok(Address::Unix(path.unwrap_or(Path::new("")).to_owned()))
}

/// Why no connection was accepted: the errors of accept(2) in four classes.
#[derive(Debug)]
pub enum AcceptError {
    /// Nobody waits (`EAGAIN`).
    NobodyWaits,
    /// That connection is lost, the next one may do: `ECONNABORTED`, `EPROTO`, `EINTR`, a firewall's `EPERM`, and the
    /// errors of the network that are passed on.
    OneLost(io::Error),
    /// Descriptors or memory have run out: `EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM`.
    Exhausted(io::Error),
    /// It is no listener: `EBADF`, `EINVAL`, `ENOTSOCK`, `EOPNOTSUPP`, `EFAULT`.
    Broken(io::Error),
}

impl From<Errno> for AcceptError {
    fn from(errno: Errno) -> AcceptError {
        match errno {
            Errno::EAGAIN => AcceptError::NobodyWaits,
            Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM => {
                AcceptError::Exhausted(errno.into())
            }
            Errno::EBADF | Errno::EINVAL | Errno::ENOTSOCK | Errno::EOPNOTSUPP | Errno::EFAULT => {
                AcceptError::Broken(errno.into())
            }
            _ => AcceptError::OneLost(errno.into()),
        }
    }
}

/// Accepts a connection, non-blocking and close-on-exec.
#[inline]
pub fn accept(listener: &Fd) -> Result<Fd, AcceptError> {
    accept_from(listener).map(|(fd, _)| fd)
}

/// Accepts a connection, non-blocking and close-on-exec, with the address that it comes from.
pub fn accept_from(listener: &Fd) -> Result<(Fd, PeerAddress), AcceptError> {
    simulated!(accept(listener));
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    let mut storage = MaybeUninit::<libc::sockaddr_storage>::zeroed();
    let mut length = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes of address, for which there is room, and then how many it has.
    let number = unsafe {
        let address = storage.as_mut_ptr().cast();
        libc::accept4(listener.raw(), address, &raw mut length, flags)
    };
    if number < 0 {
        return Err(Errno::last().into());
    }
    // SAFETY: the call has made this descriptor, and nobody else knows it.
    let fd = Fd::from(unsafe { OwnedFd::from_raw_fd(number) });
    // SAFETY: all zeros are a sockaddr_storage, and so are they with an address in them.
    let storage = unsafe { storage.assume_init() };
    Ok((fd, peer_address(&storage)))
}

/// Of another family than IPv4 and IPv6, and of none, it is [`PeerAddress::UNIX`].
fn peer_address(storage: &libc::sockaddr_storage) -> PeerAddress {
    let address = std::ptr::from_ref(storage);
    match i32::from(storage.ss_family) {
        libc::AF_INET => {
            // SAFETY: a storage has room and alignment for any address, and its family says that it is one of IPv4.
            let address = unsafe { &*address.cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr));
            SocketAddr::from((ip, u16::from_be(address.sin_port))).into()
        }
        libc::AF_INET6 => {
            // SAFETY: the same of IPv6.
            let address = unsafe { &*address.cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(address.sin6_addr.s6_addr);
            SocketAddr::from((ip, u16::from_be(address.sin6_port))).into()
        }
        _ => PeerAddress::UNIX,
    }
}

/// Refuses new connections from now on, without a word: clients try again. Connections whose handshake has begun still
/// come into the queue.
///
/// A packet filter drops the SYN; it sees the TCP header first (socket(7), `SO_ATTACH_FILTER`). Does nothing useful on
/// a socket that is not TCP. Errors: those of setsockopt(2).
pub fn drop_new_connections(listener: &Fd) -> io::Result<()> {
    const FLAGS_AT: u32 = 13;
    const SYN: u32 = 0x02;
    const ACK: u32 = 0x10;
    let op = |code: u32, jt: u8, jf: u8, k: u32| libc::sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    let mut program = [
        op(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS, 0, 0, FLAGS_AT),
        op(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, 0, 0, SYN | ACK),
        op(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, SYN),
        op(libc::BPF_RET | libc::BPF_K, 0, 0, 0),
        op(libc::BPF_RET | libc::BPF_K, 0, 0, u32::MAX),
    ];
    let filter = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: the option is a sock_fprog; `program`, which it points to, lives to the end of this function.
    unsafe { set_option(listener, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &filter) }
}

/// Receives into `into`: how many bytes, 0 at the end of the stream. Errors: those of recv(2).
#[inline]
pub fn recv(fd: &Fd, into: &mut [u8]) -> io::Result<usize> {
    simulated!(recv(fd, into));
    Ok(socket::recv(fd.raw(), into, MsgFlags::empty())?)
}

/// Whether more bytes follow at once, so that a half-filled segment need not go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum More {
    /// `MSG_MORE`
    Yes,
    /// These are the last for now.
    No,
}

/// Sends the beginning of `bytes`: how many of them. A peer that has gone is an error, never `SIGPIPE`. Errors: those of
/// send(2).
#[inline]
pub fn send(fd: &Fd, bytes: &[u8], more: More) -> io::Result<usize> {
    simulated!(send(fd, bytes));
    let flags = match more {
        More::Yes => MsgFlags::MSG_NOSIGNAL | MsgFlags::from_bits_retain(libc::MSG_MORE),
        More::No => MsgFlags::MSG_NOSIGNAL,
    };
    Ok(socket::send(fd.raw(), bytes, flags)?)
}

/// Sends part of a file: how many bytes, 0 when the file ends before `offset`. A peer that has gone is `SIGPIPE` where
/// that is not ignored. Errors: those of sendfile(2).
pub fn send_file(fd: &Fd, file: &Fd, offset: u64, length: usize) -> io::Result<usize> {
    simulated!(send_file(fd, file, offset, length));
    let mut offset = i64::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
    Ok(sendfile64(fd, file, Some(&mut offset), length)?)
}

/// How much the kernel holds unsent for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsent {
    /// Little: what a slow reader may have.
    Narrow,
    /// More: a fast one costs fewer wake-ups.
    Wide,
}

/// Sets how much the kernel holds unsent for a connection. Errors: those of setsockopt(2), as for a Unix socket, which has no
/// such bound.
pub fn set_unsent(fd: &Fd, unsent: Unsent) -> io::Result<()> {
    let bytes = match unsent {
        Unsent::Narrow => NOTSENT_LOWAT_BYTES,
        Unsent::Wide => NOTSENT_LOWAT_BYTES_WIDE,
    };
    set_int(fd, libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT, bytes)
}

/// Says that nothing more will be sent (FIN). Errors: those of shutdown(2).
pub fn shutdown_write(fd: &Fd) -> io::Result<()> {
    simulated!(shutdown_write(fd));
    Ok(socket::shutdown(fd.raw(), Shutdown::Write)?)
}

/// Makes closing the socket a reset that drops what is unsent (`SO_LINGER` of zero seconds).
/// Errors: those of setsockopt(2).
pub fn set_linger_reset(fd: &Fd) -> io::Result<()> {
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    // SAFETY: the option is a linger, which has no pointers.
    unsafe { set_option(fd, libc::SOL_SOCKET, libc::SO_LINGER, &linger) }
}

/// Bytes that were sent and that the peer has not acknowledged, or not been sent at all (`SIOCOUTQ`). Errors:
/// those of ioctl(2).
pub fn unacknowledged(fd: &Fd) -> io::Result<usize> {
    ask_count(fd, libc::TIOCOUTQ)
}

/// Bytes that have come and that nobody has received (`SIOCINQ`). Errors: those of ioctl(2).
pub fn unread(fd: &Fd) -> io::Result<usize> {
    ask_count(fd, libc::FIONREAD)
}

/// Two connected stream sockets, non-blocking and close-on-exec. Errors: those of socketpair(2).
pub fn pair() -> io::Result<(Fd, Fd)> {
    simulated!(pair());
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let (one, other) = socket::socketpair(AddressFamily::Unix, SockType::Stream, None, flags)?;
    Ok((one.into(), other.into()))
}

fn ask_count(fd: &Fd, request: libc::Ioctl) -> io::Result<usize> {
    simulated!(ask_count(fd, request));
    let mut count: libc::c_int = 0;
    // SAFETY: both requests of this file write one int, and `count` is one (tcp(7), unix(7)).
    if unsafe { libc::ioctl(fd.raw(), request, &raw mut count) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(usize::try_from(count).unwrap_or(0))
}

fn ask_int(fd: &Fd, level: i32, name: i32) -> io::Result<i32> {
    simulated!(get_option(fd, level, name));
    let mut value: libc::c_int = 0;
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    let into = (&raw mut value).cast();
    // SAFETY: the kernel writes at most `length` bytes to `value`, which has that size.
    if unsafe { libc::getsockopt(fd.raw(), level, name, into, &raw mut length) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(value)
}

fn set_int(fd: &Fd, level: i32, name: i32, value: i32) -> io::Result<()> {
    // SAFETY: the options of this file that are set by this function are ints (socket(7), tcp(7), ipv6(7)).
    unsafe { set_option(fd, level, name, &value) }
}

/// # Safety
///
/// `T` is what this option is, and whatever it points to is alive.
unsafe fn set_option<T>(fd: &Fd, level: i32, name: i32, value: &T) -> io::Result<()> {
    simulated!(set_option(fd, level, name));
    let length = size_of::<T>() as libc::socklen_t;
    let value = std::ptr::from_ref(value).cast();
    // SAFETY: the kernel reads `length` bytes at `value`, which has that size and outlives the call. What it points to is
    // the caller's care.
    if unsafe { libc::setsockopt(fd.raw(), level, name, value, length) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;
    use std::fs;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::IntoRawFd;

    fn listening(text: &str) -> (Fd, Address) {
        let fd = bind(&text.parse().expect(text), Sharing::Alone).expect("a free port");
        listen(&fd, 16).expect("listens");
        let address = local_address(&fd).expect("has an address");
        (fd, address)
    }

    fn ip(address: &Address) -> SocketAddr {
        match address {
            Address::Ip(ip) => *ip,
            Address::Host(..) | Address::Unix(_) | Address::Inherited(_) => panic!("TCP"),
        }
    }

    #[test]
    fn accepted_connections_inherit_the_listeners_options() {
        let (ours, _) = listening("127.0.0.1:0");
        let theirs = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let theirs = Address::Inherited(theirs.into_raw_fd());
        let theirs = bind(&theirs, Sharing::Alone).expect("listens");
        for listener in [ours, theirs] {
            sets_its_options(&listener);
        }
    }

    fn sets_its_options(listener: &Fd) {
        let address = local_address(listener).expect("has one");
        let _client = TcpStream::connect(ip(&address)).expect("connects");
        let accepted = accept(listener).expect("one waits");
        assert!(socket::getsockopt(&accepted, sockopt::TcpNoDelay).expect("TCP"));
        let mut lowat = 0i32;
        let mut length = size_of::<i32>() as libc::socklen_t;
        // SAFETY: the kernel writes at most `length` bytes to `lowat`.
        let asked = unsafe {
            libc::getsockopt(
                accepted.raw(),
                libc::IPPROTO_TCP,
                libc::TCP_NOTSENT_LOWAT,
                (&raw mut lowat).cast(),
                &raw mut length,
            )
        };
        assert_eq!((asked, lowat), (0, NOTSENT_LOWAT_BYTES));
        assert!(matches!(accept(listener), Err(AcceptError::NobodyWaits)));
    }

    #[test]
    fn a_host_is_looked_up_when_it_is_bound() {
        let (_, address) = listening("localhost:0");
        assert!(ip(&address).ip().is_loopback());
        // RFC 6761 §6.4: this name is in no zone.
        let nowhere = Address::Host("host.invalid".to_owned(), 80);
        let error = bind(&nowhere, Sharing::Alone).expect_err("no host");
        assert!(error.to_string().contains("not found"), "{error}");
    }

    #[test]
    fn bytes_go_both_ways_and_are_counted() {
        let (one, other) = pair().expect("a pair");
        assert_eq!(send(&one, b"hello", More::No).expect("room"), 5);
        assert_eq!(unread(&other).expect("a socket"), 5);
        let mut buffer = [0; 8];
        assert_eq!(recv(&other, &mut buffer).expect("bytes"), 5);
        shutdown_write(&one).expect("open");
        assert_eq!(recv(&other, &mut buffer).expect("the end"), 0);
        drop(other);
        let error = send(&one, b"x", More::No).expect_err("finished");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_stale_unix_socket_is_replaced_and_a_live_one_is_not() {
        let path = std::env::temp_dir().join(format!("edgeloop-sys-{}", std::process::id()));
        let address = Address::Unix(path.clone());
        let first = bind(&address, Sharing::Alone).expect("binds");
        listen(&first, 1).expect("listens");
        let error = bind(&address, Sharing::Alone).expect_err("in use");
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        drop(first);
        drop(bind(&address, Sharing::Alone).expect("replaces the stale one"));
        fs::remove_file(path).expect("is there");
    }

    #[test]
    fn a_listener_that_drops_new_connections_keeps_those_it_has() {
        let (listener, address) = listening("127.0.0.1:0");
        let mut client = TcpStream::connect(ip(&address)).expect("connects");
        drop_new_connections(&listener).expect("TCP");
        let late = TcpStream::connect_timeout(&ip(&address), Duration::from_millis(50));
        assert!(late.is_err());
        client.write_all(b"ping").expect("established");
        let mut accepted = TcpStream::from(OwnedFd::from(accept(&listener).expect("in the queue")));
        accepted.set_nonblocking(false).expect("a socket");
        let mut buffer = [0; 4];
        accepted.read_exact(&mut buffer).expect("was sent");
        assert_eq!(&buffer, b"ping");
    }

    #[test]
    fn what_is_inherited_has_to_listen_and_is_not_touched_if_it_does_not() {
        let (one, other) = pair().expect("a pair");
        for number in [one.raw(), 1 << 20, -1] {
            assert!(bind(&Address::Inherited(number), Sharing::Alone).is_err());
        }
        send(&one, b"x", More::No).expect("it is open");
        drop(other);
    }
}
