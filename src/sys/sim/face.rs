//! The calls of `sys`, as this kernel answers them. Each has the name of its function in the seam.

use core::net::{Ipv4Addr, SocketAddr};
use core::ops::Bound;
use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::socket::AddressFamily;

use super::Call;
use super::kernel::{EpollState, Listener, Name, Object};
use super::link::{IN, OURS, OUT, THEIRS};
use super::world::{World, said};
use crate::sys::epoll::Interest;
use crate::sys::file::{Kind, Metadata};
use crate::sys::socket::AcceptError;
use crate::sys::socket_file::Looked;
use crate::sys::{Address, Fd, Instant, UnixTime};

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

    fn open(&self, object: Object) -> Result<Fd, Errno> {
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
                if let Some(link) = kernel.link(link) {
                    link.ends[side].linger_reset = true;
                }
            }
            (_, _, Object::Socket(_) | Object::Listener(_) | Object::Stream(..)) => {}
            _ => return Err(Errno::ENOTSOCK),
        }
        Ok(())
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

    pub(in crate::sys) fn connect_unix(&self, _fd: &Fd, path: &Path) -> io::Result<()> {
        said(self.begin(Call::ConnectUnix).and_then(|()| {
            let mut kernel = self.kernel();
            if !kernel.socket_files.contains_key(path) {
                return Err(Errno::ENOENT);
            }
            let listens = kernel.objects().any(|(_, object)| {
                matches!(object, Object::Listener(Listener { name: Name::Unix(it), .. }) if it == path)
            });
            // Whoever connects from inside only asks: the connection itself is of no use.
            if listens { Ok(()) } else { Err(Errno::ECONNREFUSED) }
        }))
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
                Object::Stream(link, _) => {
                    let link = *link;
                    let name = kernel.link(link).and_then(|link| link.name.clone());
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

    pub(in crate::sys) fn accept(&self, listener: &Fd) -> Result<Fd, AcceptError> {
        Ok(self.accept_one(listener.raw())?)
    }

    fn accept_one(&self, number: RawFd) -> Result<Fd, Errno> {
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
        drop(kernel);
        self.note(|| {
            format!(
                "accept4({number}) = {}, client {}",
                accepted.raw(),
                link.serial
            )
        });
        Ok(accepted)
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
                self.announce(link, IN);
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
            self.announce(link, IN);
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
                self.announce(link, OUT);
            }
            return Err(errno);
        }
        let passed = match self.kernel().link(link) {
            Some(known) => known.ends[side].bytes_out,
            None => return Err(Errno::EBADF),
        };
        if bytes.is_empty() && call == Call::SendFile {
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
            self.announce(link, OUT);
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

    // What has a path.

    pub(in crate::sys) fn look(&self, path: &Path) -> io::Result<Looked> {
        said(self.begin(Call::Look).and_then(|()| {
            let kernel = self.kernel();
            let inode = kernel.socket_files.get(path).copied();
            let is_socket = inode.is_some();
            let file = kernel.paths.get(path).map(|file| *file as u64);
            let inode = inode.or(file).ok_or(Errno::ENOENT)?;
            Ok(Looked {
                device: 1,
                inode,
                is_socket,
            })
        }))
    }

    pub(in crate::sys) fn remove(&self, path: &Path) -> io::Result<()> {
        said(self.begin(Call::Remove).and_then(|()| {
            let removed = self.kernel().socket_files.remove(path);
            removed.map(|_| ()).ok_or(Errno::ENOENT)
        }))
    }

    pub(in crate::sys) fn open_root(&self, path: &Path) -> io::Result<Fd> {
        said(self.begin(Call::OpenRoot).and_then(|()| {
            if !self.is_directory(path) {
                return Err(Errno::ENOENT);
            }
            self.open(Object::Directory(path.to_owned()))
        }))
    }

    fn is_directory(&self, path: &Path) -> bool {
        let kernel = self.kernel();
        let begin = (Bound::Excluded(path), Bound::Unbounded);
        // What is below a path comes next to it.
        let mut next = kernel.paths.range::<Path, _>(begin);
        next.next().is_some_and(|(file, _)| file.starts_with(path))
    }

    pub(in crate::sys) fn open_resolved(&self, root: &Fd, path: &[u8]) -> nix::Result<Fd> {
        self.begin(Call::OpenResolved)?;
        if self.kernel().lacks_openat2 {
            return Err(Errno::ENOSYS);
        }
        self.open_below(root, path)
    }

    pub(in crate::sys) fn open_in(&self, directory: &Fd, name: &[u8]) -> io::Result<Fd> {
        said(
            self.begin(Call::OpenIn)
                .and_then(|()| self.open_below(directory, name)),
        )
    }

    fn open_below(&self, root: &Fd, path: &[u8]) -> nix::Result<Fd> {
        let mut at: PathBuf = match self.kernel().object(root.raw())? {
            Object::Directory(path) => path.clone(),
            _ => return Err(Errno::ENOTDIR),
        };
        if path.starts_with(b"/") {
            return Err(Errno::EXDEV);
        }
        let (mut depth, mut file) = (0, None);
        for name in path.split(|byte| *byte == b'/') {
            // Something stands behind it, if only a slash.
            if file.is_some() {
                return Err(Errno::ENOTDIR);
            }
            match name {
                b"" | b"." => {}
                b".." if depth == 0 => return Err(Errno::EXDEV),
                b".." => {
                    at.pop();
                    depth -= 1;
                }
                name => {
                    at.push(OsStr::from_bytes(name));
                    depth += 1;
                }
            }
            file = self.kernel().paths.get(&at).copied();
            if file.is_none() && !self.is_directory(&at) {
                return Err(Errno::ENOENT);
            }
        }
        self.open(match file {
            Some(file) => Object::File(file),
            None => Object::Directory(at),
        })
    }

    pub(in crate::sys) fn metadata(&self, file: &Fd) -> io::Result<Metadata> {
        said(self.begin(Call::Metadata).and_then(|()| {
            let mut kernel = self.kernel();
            let file = match kernel.object(file.raw())? {
                Object::File(file) => *file,
                object => {
                    let kind = match object {
                        Object::Directory(_) => Kind::Directory,
                        _ => Kind::Other,
                    };
                    return Ok(Metadata {
                        kind,
                        length: 0,
                        modified: UnixTime::new(0, 0),
                    });
                }
            };
            let node = &kernel.files[file];
            Ok(Metadata {
                kind: Kind::File,
                length: node.length,
                modified: UnixTime::new(node.modified, 0),
            })
        }))
    }

    pub(in crate::sys) fn read_at(
        &self,
        file: &Fd,
        into: &mut [u8],
        offset: u64,
    ) -> io::Result<usize> {
        said(self.begin(Call::ReadAt).and_then(|()| {
            let most = self.cut(Call::ReadAt, offset, into.len());
            self.read_file(file.raw(), &mut into[..most], offset)
        }))
    }

    fn read_file(&self, number: RawFd, into: &mut [u8], offset: u64) -> Result<usize, Errno> {
        let mut kernel = self.kernel();
        let file = match kernel.object(number)? {
            Object::File(file) => *file,
            Object::Directory(_) => return Err(Errno::EISDIR),
            _ => return Err(Errno::ESPIPE),
        };
        let node = &kernel.files[file];
        let left = node.length.saturating_sub(offset).min(into.len() as u64) as usize;
        let begin = (offset as usize).min(node.content.len());
        let end = (begin + left).min(node.content.len());
        into[..end - begin].copy_from_slice(&node.content[begin..end]);
        into[end - begin..left].fill(0);
        Ok(left)
    }

    // Readiness.

    pub(in crate::sys) fn epoll_create(&self) -> io::Result<Fd> {
        said(
            self.begin(Call::EpollCreate)
                .and_then(|()| self.open(Object::Epoll(EpollState::default()))),
        )
    }

    pub(in crate::sys) fn epoll_control(
        &self,
        epoll: &Fd,
        op: i32,
        number: RawFd,
        interest: Interest,
        data: u64,
    ) -> io::Result<()> {
        let fault = self.begin(Call::EpollControl);
        let stream = self.kernel().stream(number);
        if let (Err(errno), Ok((link, side))) = (fault, stream) {
            self.blame(Call::EpollControl, link, side, errno);
        }
        let done = fault.and_then(|()| {
            self.kernel()
                .watch(epoll.raw(), op, number, interest.bits(), data)
        });
        self.note(|| {
            format!(
                "epoll_ctl({op}, {number}, {:#x}) = {done:?}",
                interest.bits()
            )
        });
        said(done)
    }

    /// While nothing is ready, the world goes on.
    pub(in crate::sys) fn epoll_wait(
        &self,
        epoll: &Fd,
        events: &mut [libc::epoll_event],
        millis: i32,
    ) -> io::Result<usize> {
        said(self.begin(Call::EpollWait))?;
        let until = u64::try_from(millis)
            .ok()
            .map(|millis| self.now().as_nanos() + millis * 1_000_000);
        loop {
            self.run_due();
            let count = self.wait_once(epoll.raw(), events)?;
            let now = self.now().as_nanos();
            if count > 0 || until.is_some_and(|until| until <= now) {
                self.note(|| format!("epoll_wait({millis}) = {count}"));
                return Ok(count);
            }
            match (self.next_step(), until) {
                (Some(step), Some(until)) => self.leap_to(step.min(until)),
                (Some(step), None) => self.leap_to(step),
                (None, Some(until)) => self.leap_to(until),
                // Nobody will ever do anything again.
                (None, None) => return Err(Errno::EDEADLK.into()),
            }
        }
    }

    fn wait_once(&self, epoll: RawFd, events: &mut [libc::epoll_event]) -> io::Result<usize> {
        let rates = self.rates();
        let room = if self.hits(rates.short) {
            events.len().min(2)
        } else {
            events.len()
        };
        let mut count = said(self.kernel().collect(epoll, &mut events[..room]))?;
        for (rate, kind) in [(rates.spurious, "spurious"), (rates.stale, "stale")] {
            if count < events.len() && self.hits(rate) {
                let mut kernel = self.kernel();
                let random = &mut self.random();
                let event = if kind == "stale" {
                    kernel.stale(epoll, random)
                } else {
                    kernel.spurious(epoll, random)
                };
                if let Some(event) = event {
                    events[count] = event;
                    count += 1;
                    self.count_fault(Call::EpollWait, kind);
                }
            }
        }
        Ok(count)
    }

    pub(in crate::sys) fn eventfd(&self) -> io::Result<Fd> {
        said(
            self.begin(Call::EventFd)
                .and_then(|()| self.open(Object::Event(0))),
        )
    }

    pub(in crate::sys) fn write_event(&self, fd: &Fd) -> io::Result<()> {
        said(self.begin(Call::WriteEvent).and_then(|()| {
            let mut kernel = self.kernel();
            match kernel.object(fd.raw())? {
                Object::Event(count) => *count = count.saturating_add(1),
                _ => return Err(Errno::EINVAL),
            }
            let description = kernel.description(fd.raw())?;
            kernel.wake(description, IN);
            Ok(())
        }))
    }

    // Signals, clocks, the process.

    pub(in crate::sys) fn block_signals(&self) -> io::Result<()> {
        said(self.begin(Call::BlockSignals))
    }

    pub(in crate::sys) fn signalfd(&self) -> io::Result<Fd> {
        said(
            self.begin(Call::SignalFd)
                .and_then(|()| self.open(Object::Signals)),
        )
    }

    pub(in crate::sys) fn read_signal(&self, fd: &Fd) -> io::Result<u32> {
        said(self.begin(Call::ReadSignal).and_then(|()| {
            let mut kernel = self.kernel();
            match kernel.object(fd.raw())? {
                Object::Signals => kernel.signals.pop_first().ok_or(Errno::EAGAIN),
                _ => Err(Errno::EINVAL),
            }
        }))
    }

    pub(in crate::sys) fn sigpipe_is_default(&self) -> bool {
        // Who can't ask takes it for what Rust's programs have.
        let _ = self.begin(Call::SigpipeIsDefault);
        self.kernel().sigpipe_is_default
    }

    pub(in crate::sys) fn monotonic(&self) -> Instant {
        let _ = self.begin(Call::Monotonic); // it can't fail
        self.now()
    }

    pub(in crate::sys) fn realtime(&self) -> UnixTime {
        let _ = self.begin(Call::Realtime); // it can't fail
        let nanos = self.wall_nanos();
        UnixTime::new(
            nanos.div_euclid(1_000_000_000),
            nanos.rem_euclid(1_000_000_000),
        )
    }

    pub(in crate::sys) fn descriptors_max(&self) -> io::Result<u64> {
        said(self.begin(Call::DescriptorsMax))?;
        Ok(self.kernel().descriptors_max as u64)
    }

    pub(in crate::sys) fn processors(&self) -> io::Result<Vec<usize>> {
        said(self.begin(Call::Processors))?;
        Ok(vec![0])
    }

    pub(in crate::sys) fn pin(&self, processor: usize) -> io::Result<()> {
        said(self.begin(Call::Pin))?;
        said(if processor == 0 {
            Ok(())
        } else {
            Err(Errno::EINVAL)
        })
    }

    pub(in crate::sys) fn spawn<T>(&self) -> io::Result<T> {
        said(self.begin(Call::Spawn))?;
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "a simulated world has one thread",
        ))
    }
}
