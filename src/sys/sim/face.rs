//! The calls that are about sockets, as this kernel answers them. Each has the name of its function in the seam.

use core::net::{Ipv4Addr, SocketAddr};
use std::collections::VecDeque;
use std::io;
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::socket::AddressFamily;

use super::Call;
use super::kernel::{Listener, Name, Object};
use super::link::{IN, OURS, OUT, THEIRS};
use super::world::{World, said};
use crate::sys::socket::AcceptError;
use crate::sys::{Address, Fd, PeerAddress};

/// The first port that is given to who asks for any.
const PORTS: u16 = 32_768;

impl World {
    // Descriptors.

    pub(in crate::sys) fn close(&self, number: RawFd) {
        // Whatever it says, the descriptor is closed.
        let _ = self.begin(Call::Close);
        let stream = self.kernel().stream(number);
        self.kernel().close(number);
        self.note(|| format!("close({number})"));
        if let Ok((link, side)) = stream {
            self.go_on(link, side);
        }
    }

    pub(super) fn open(&self, object: Object) -> Result<Fd, Errno> {
        self.kernel().open(object).map(Fd::simulated)
    }

    // Sockets.

    pub(in crate::sys) fn socket(&self, _family: AddressFamily) -> io::Result<Fd> {
        said(
            self.begin(Call::Socket)
                .and_then(|()| self.open(Object::Socket(None))),
        )
    }

    pub(in crate::sys) fn set_option(&self, fd: &Fd, level: i32, name: i32) -> io::Result<()> {
        let fault = self.begin(Call::SetOption);
        let stream = self.kernel().stream(fd.raw());
        if let (Err(errno), Ok((link, side))) = (fault, stream) {
            self.blame(Call::SetOption, link, side, errno);
        }
        said(fault.and_then(|()| self.set_one(fd.raw(), level, name)))
    }

    fn set_one(&self, number: RawFd, level: i32, name: i32) -> Result<(), Errno> {
        let mut kernel = self.kernel();
        match (level, name, kernel.object(number)?) {
            (libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, Object::Listener(it)) => it.drops = true,
            (libc::SOL_SOCKET, libc::SO_LINGER, Object::Stream(link, side)) => {
                let (link, side) = (*link, *side);
                // A Unix socket takes the option and does nothing with it.
                if let Some(link) = kernel.link(link).filter(|link| link.is_tcp()) {
                    link.ends[side].linger_reset = true;
                }
            }
            (_, _, Object::Socket(_) | Object::Listener(_) | Object::Stream(..)) => {}
            _ => return Err(Errno::ENOTSOCK),
        }
        Ok(())
    }

    pub(in crate::sys) fn get_option(&self, fd: &Fd, level: i32, name: i32) -> io::Result<i32> {
        said(self.begin(Call::GetOption).and_then(|()| {
            let listens = match self.kernel().object(fd.raw())? {
                Object::Listener(_) => true,
                Object::Socket(_) | Object::Stream(..) => false,
                _ => return Err(Errno::ENOTSOCK),
            };
            match (level, name) {
                (libc::SOL_SOCKET, libc::SO_TYPE) => Ok(libc::SOCK_STREAM),
                (libc::SOL_SOCKET, libc::SO_ACCEPTCONN) => Ok(i32::from(listens)),
                _ => Err(Errno::ENOPROTOOPT),
            }
        }))
    }

    pub(in crate::sys) fn peer_name(&self, fd: &Fd) -> io::Result<PeerAddress> {
        said(self.begin(Call::PeerName).and_then(|()| {
            let mut kernel = self.kernel();
            let (link, side) = match kernel.object(fd.raw())? {
                Object::Stream(link, side) => (*link, *side),
                Object::Socket(_) | Object::Listener(_) => return Err(Errno::ENOTCONN),
                _ => return Err(Errno::ENOTSOCK),
            };
            let link = kernel.link(link).ok_or(Errno::ENOTCONN)?;
            if link.has_no_peer(side) {
                return Err(Errno::ENOTCONN);
            }
            Ok(link.address_beyond(side))
        }))
    }

    /// Here nothing blocks and nothing is executed.
    pub(in crate::sys) fn set_flags(&self, fd: &Fd) -> io::Result<()> {
        said(
            self.begin(Call::SetFlags)
                .and_then(|()| self.kernel().object(fd.raw()).map(drop)),
        )
    }

    pub(in crate::sys) fn resolve(&self, name: &str, port: u16) -> io::Result<SocketAddr> {
        said(self.begin(Call::Resolve))?;
        match name {
            "localhost" => Ok((Ipv4Addr::LOCALHOST, port).into()),
            _ => Err(io::Error::other(
                "the host is not found (this world has only localhost)",
            )),
        }
    }

    pub(in crate::sys) fn bind_ip(&self, fd: &Fd, address: &SocketAddr) -> io::Result<()> {
        said(self.begin(Call::BindIp).and_then(|()| {
            let mut port = address.port();
            let taken = |port: u16| {
                self.kernel().objects().any(|(_, object)| {
                    matches!(object,
                        Object::Socket(Some(Name::Ip(it)))
                        | Object::Listener(Listener { name: Name::Ip(it), .. })
                        if it.port() == port)
                })
            };
            if port == 0 {
                port = (PORTS..=u16::MAX)
                    .find(|port| !taken(*port))
                    .ok_or(Errno::EADDRINUSE)?;
            } else if taken(port) {
                return Err(Errno::EADDRINUSE);
            }
            let name = Name::Ip(SocketAddr::new(address.ip(), port));
            self.name(fd, name)
        }))
    }

    pub(in crate::sys) fn bind_unix(&self, fd: &Fd, path: &Path) -> io::Result<()> {
        said(self.begin(Call::BindUnix).and_then(|()| {
            if self.kernel().socket_files.contains_key(path) {
                return Err(Errno::EADDRINUSE);
            }
            self.name(fd, Name::Unix(path.to_owned()))?;
            let mut kernel = self.kernel();
            kernel.inodes += 1;
            let inode = kernel.inodes;
            kernel.socket_files.insert(path.to_owned(), inode);
            Ok(())
        }))
    }

    fn name(&self, fd: &Fd, name: Name) -> Result<(), Errno> {
        match self.kernel().object(fd.raw())? {
            Object::Socket(unnamed @ None) => *unnamed = Some(name),
            Object::Socket(Some(_)) | Object::Listener(_) => return Err(Errno::EINVAL),
            _ => return Err(Errno::ENOTSOCK),
        }
        Ok(())
    }

    pub(in crate::sys) fn connect_unix(&self, fd: &Fd, path: &Path) -> io::Result<()> {
        said(self.begin(Call::ConnectUnix).and_then(|()| {
            if !self.kernel().socket_files.contains_key(path) {
                return Err(Errno::ENOENT);
            }
            let to_path = |name: &Name| matches!(name, Name::Unix(it) if it == path);
            self.connect_inside(fd.raw(), to_path)
        }))
    }

    /// A listener whose queue is full refuses: the time after which the kernel gives up passes within the call.
    pub(in crate::sys) fn connect_ip(&self, fd: &Fd, address: &SocketAddr) -> io::Result<()> {
        let fault = self.begin(Call::ConnectIp);
        let to_port = |name: &Name| matches!(name, Name::Ip(it) if it.port() == address.port());
        said(match fault {
            // Under way is not failed.
            Err(Errno::EINPROGRESS) => self.connect_inside(fd.raw(), to_port).and(fault),
            fault => fault.and_then(|()| self.connect_inside(fd.raw(), to_port)),
        })
    }

    pub(in crate::sys) fn listen(&self, fd: &Fd, backlog: u16) -> io::Result<()> {
        said(self.begin(Call::Listen).and_then(|()| {
            let mut kernel = self.kernel();
            let object = kernel.object(fd.raw())?;
            match object {
                Object::Socket(Some(name)) => {
                    *object = Object::Listener(Listener {
                        name: name.clone(),
                        queue: VecDeque::new(),
                        backlog: usize::from(backlog),
                        drops: false,
                    });
                    Ok(())
                }
                Object::Listener(listener) => {
                    listener.backlog = usize::from(backlog);
                    Ok(())
                }
                Object::Stream(..) => Err(Errno::EINVAL),
                Object::Socket(None) => Err(Errno::EDESTADDRREQ),
                _ => Err(Errno::ENOTSOCK),
            }
        }))
    }

    pub(in crate::sys) fn duplicate(&self, fd: &Fd) -> io::Result<Fd> {
        said(
            self.begin(Call::Duplicate)
                .and_then(|()| self.kernel().duplicate(fd.raw()).map(Fd::simulated)),
        )
    }

    pub(in crate::sys) fn local_address(&self, fd: &Fd) -> io::Result<Address> {
        said(self.begin(Call::LocalAddress).and_then(|()| {
            let mut kernel = self.kernel();
            let name = match kernel.object(fd.raw())? {
                Object::Socket(name) => {
                    let none = || Name::Ip((Ipv4Addr::UNSPECIFIED, 0).into());
                    name.clone().unwrap_or_else(none)
                }
                Object::Listener(listener) => listener.name.clone(),
                Object::Stream(link, side) => {
                    let (link, side) = (*link, *side);
                    let name = kernel.link(link).and_then(|link| link.name_of(side));
                    name.unwrap_or_else(|| Name::Unix(PathBuf::new()))
                }
                _ => return Err(Errno::ENOTSOCK),
            };
            Ok(match name {
                Name::Ip(address) => Address::Ip(address),
                Name::Unix(path) => Address::Unix(path),
            })
        }))
    }

    pub(in crate::sys) fn accept(&self, listener: &Fd) -> Result<(Fd, PeerAddress), AcceptError> {
        Ok(self.accept_one(listener.raw())?)
    }

    fn accept_one(&self, number: RawFd) -> Result<(Fd, PeerAddress), Errno> {
        let fault = self.begin(Call::Accept);
        let mut kernel = self.kernel();
        if let Err(errno) = fault {
            let description = kernel.description(number)?;
            if matches!(AcceptError::from(errno), AcceptError::OneLost(_))
                && errno != Errno::EINTR
                && let Object::Listener(listener) = kernel.object(number)?
                && let Some(lost) = listener.queue.pop_front()
                && let Some(link) = kernel.link(lost)
            {
                let wakes = link.abort(OURS);
                link.ends[OURS].closed = true;
                kernel.faulted.insert((lost.serial, Call::Accept));
                kernel.wake_ends(lost, wakes);
            }
            if errno == Errno::EAGAIN {
                drop(kernel);
                self.announce_at(description);
            }
            return Err(errno);
        }
        // The kernel takes the number before it looks at the queue.
        kernel.free_number()?;
        let link = match kernel.object(number)? {
            Object::Listener(listener) => listener.queue.pop_front().ok_or(Errno::EAGAIN)?,
            Object::Socket(_) | Object::Stream(..) => return Err(Errno::EINVAL),
            _ => return Err(Errno::ENOTSOCK),
        };
        let accepted = Fd::simulated(kernel.open_end(link, OURS)?);
        kernel.last_accepted = link.serial;
        let peer = kernel.link(link).map(|link| link.peer_address());
        drop(kernel);
        self.note(|| {
            format!(
                "accept4({number}) = {}, client {}",
                accepted.raw(),
                link.serial
            )
        });
        Ok((accepted, peer.unwrap_or(PeerAddress::UNIX)))
    }

    pub(in crate::sys) fn pair(&self) -> io::Result<(Fd, Fd)> {
        said(self.begin(Call::Pair).and_then(|()| {
            let mut kernel = self.kernel();
            let room = (128 << 10, 128 << 10);
            let link = kernel.new_link(room, room);
            let one = Fd::simulated(kernel.open_end(link, OURS)?);
            Ok((one, Fd::simulated(kernel.open_end(link, THEIRS)?)))
        }))
    }

    pub(in crate::sys) fn recv(&self, fd: &Fd, into: &mut [u8]) -> io::Result<usize> {
        said(self.recv_some(fd.raw(), into))
    }

    fn recv_some(&self, number: RawFd, into: &mut [u8]) -> Result<usize, Errno> {
        let fault = self.begin(Call::Recv);
        let (link, side) = self.kernel().stream(number)?;
        if let Err(errno) = fault {
            self.blame(Call::Recv, link, side, errno);
            if errno == Errno::EAGAIN {
                self.announce(link, side, IN);
            }
            return Err(errno);
        }
        let (passed, unread) = match self.kernel().link(link) {
            Some(known) => (known.ends[side].bytes_in, known.ends[side].unread()),
            None => return Err(Errno::EBADF),
        };
        let there = unread.min(into.len());
        let most = self.cut(Call::Recv, passed, there);
        let received = match self.kernel().link(link) {
            Some(known) if there == 0 => known.receive(side, into),
            Some(known) => known.receive(side, &mut into[..most]),
            None => Err(Errno::EBADF),
        };
        self.note(|| format!("recv({number}) = {received:?}"));
        if most < there {
            self.announce(link, side, IN);
        }
        if received.is_ok_and(|count| count > 0) {
            self.go_on(link, 1 - side);
        }
        received
    }

    pub(in crate::sys) fn send(&self, fd: &Fd, bytes: &[u8]) -> io::Result<usize> {
        said(self.send_some(Call::Send, fd.raw(), bytes))
    }

    fn send_some(&self, call: Call, number: RawFd, bytes: &[u8]) -> Result<usize, Errno> {
        let fault = self.begin(call);
        let stream = self.kernel().stream(number);
        let (link, side) = stream.map_err(|errno| match errno {
            Errno::ENOTCONN => Errno::EPIPE,
            errno => errno,
        })?;
        if let Err(errno) = fault {
            self.blame(call, link, side, errno);
            if errno == Errno::EAGAIN {
                self.announce(link, side, OUT);
            }
            return Err(errno);
        }
        let passed = match self.kernel().link(link) {
            Some(known) => known.ends[side].bytes_out,
            None => return Err(Errno::EBADF),
        };
        let ended = bytes.is_empty() || self.hits(self.rates().ended);
        if ended && call == Call::SendFile {
            self.count_fault(call, "end");
            return Ok(0);
        }
        let most = self.cut(call, passed, bytes.len());
        let sent = match self.kernel().link(link) {
            Some(known) => known.send(side, &bytes[..most]),
            None => Err(Errno::EBADF),
        };
        self.note(|| format!("{}({number}, {}) = {sent:?}", call.site(), bytes.len()));
        if most < bytes.len() && sent == Ok(most) {
            self.announce(link, side, OUT);
        }
        self.go_on(link, side);
        sent
    }

    pub(in crate::sys) fn send_file(
        &self,
        fd: &Fd,
        file: &Fd,
        offset: u64,
        length: usize,
    ) -> io::Result<usize> {
        // A pipe's worth is what one call looks at.
        let mut piece = vec![0; length.min(64 << 10)];
        let read = said(self.read_file(file.raw(), &mut piece, offset))?;
        // At the end of the file it sends nothing, and can fail all the same.
        said(self.send_some(Call::SendFile, fd.raw(), &piece[..read]))
    }

    pub(in crate::sys) fn shutdown_write(&self, fd: &Fd) -> io::Result<()> {
        let done = self.shut(fd.raw());
        self.note(|| format!("shutdown({}) = {done:?}", fd.raw()));
        said(done)
    }

    fn shut(&self, number: RawFd) -> Result<(), Errno> {
        let fault = self.begin(Call::ShutdownWrite);
        if matches!(self.kernel().object(number)?, Object::Listener(_)) {
            return fault; // it has no such direction
        }
        let (link, side) = self.kernel().stream(number)?;
        if let Err(errno) = fault {
            self.blame(Call::ShutdownWrite, link, side, errno);
            return Err(errno);
        }
        let mut kernel = self.kernel();
        let done = match kernel.link(link) {
            Some(known) => known.shutdown(side),
            None => Err(Errno::EBADF),
        };
        // Whatever it says, those who wait for anything look again.
        let description = kernel.description(number)?;
        kernel.wake(description, 0);
        drop(kernel);
        self.go_on(link, side);
        done
    }

    pub(in crate::sys) fn ask_count(&self, fd: &Fd, request: libc::Ioctl) -> io::Result<usize> {
        said(self.begin(Call::AskCount).and_then(|()| {
            let mut kernel = self.kernel();
            match kernel.object(fd.raw())? {
                Object::Listener(_) => return Err(Errno::EINVAL),
                Object::Socket(_) => return Ok(0),
                _ => {}
            }
            let (link, side) = kernel.stream(fd.raw())?;
            let end = &kernel.link(link).ok_or(Errno::EBADF)?.ends[side];
            Ok(if request == libc::FIONREAD {
                end.unread()
            } else {
                end.unacknowledged()
            })
        }))
    }
}
