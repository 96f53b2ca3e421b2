//! Scripts, and what is observed when they run.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use edgeloop::sys::file::{self, Kind};
use edgeloop::sys::signal::Signals;
use edgeloop::sys::socket::{self, AcceptError, More};
use edgeloop::sys::{Address, Epoll, EventFd, Events, Fd, Ready, at_hand, directory, inotify};
use nix::errno::Errno;

use super::notices::Watching;
use super::ops::{CONNECTIONS, Op, What};
use super::pieces;
use super::places::{Client, Place};

pub(super) const FILE: &str = "file";
pub(super) const FILE_LENGTH: usize = 5000;

const WATCHED: [What; 12] = [
    What::Connection(0),
    What::Connection(1),
    What::Connection(2),
    What::Listener,
    What::Duplicate,
    What::Event,
    What::Inner,
    What::Outer,
    What::File,
    What::Directory,
    What::Signals,
    What::Notices,
];

/// Everything that a script has.
pub(super) struct Cast<C> {
    pub(super) listener: Option<Fd>,
    pub(super) duplicate: Option<Fd>,
    pub(super) port: u16,
    pub(super) address: Address,
    pub(super) servers: [Option<Fd>; CONNECTIONS],
    pub(super) clients: [Option<C>; CONNECTIONS],
    /// Connections that wait to be accepted.
    pub(super) waiting: VecDeque<usize>,
    /// Bytes sent by each end: what they are follows from where they stand.
    pub(super) sent: [[usize; 2]; CONNECTIONS],
    pub(super) received: [[usize; 2]; CONNECTIONS],
    /// Bytes of a file are among what the client gets.
    pub(super) has_file: [bool; CONNECTIONS],
    /// Somebody has filled the buffers, so sizes say nothing.
    pub(super) full: [bool; CONNECTIONS],
    /// The server has filled them, and the client has not received since.
    pub(super) stuck: [bool; CONNECTIONS],
    pub(super) outer: Epoll,
    pub(super) inner: Epoll,
    pub(super) event: EventFd,
    pub(super) signals: Option<Signals>,
    pub(super) urgent: Option<Signals>,
    pub(super) root: Fd,
    pub(super) directory: Fd,
    /// `None`: it was closed.
    pub(super) file: Option<Fd>,
    pub(super) watching: Watching,
}

pub(super) const SERVER: usize = 0;
pub(super) const CLIENT: usize = 1;
const SKIPPED: &str = "-";

/// Runs the script: one observation for each step.
pub(super) fn observe<P: Place>(place: &mut P, script: &[Op]) -> Vec<String> {
    place.write(FILE, &pattern(7, 0, FILE_LENGTH));
    place.write("d/e", b"below");
    let mut cast = Cast::new(place);
    script.iter().map(|op| cast.step(place, *op)).collect()
}

/// The bytes at some place of a stream.
pub(super) fn pattern(stream: usize, from: usize, count: usize) -> Vec<u8> {
    let byte = |at: usize| (at.wrapping_mul(31) ^ (at >> 8) ^ (stream * 89)) as u8;
    (from..from + count).map(byte).collect()
}

pub(super) fn said<T: std::fmt::Debug>(result: io::Result<T>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => errno(&error),
    }
}

pub(super) fn errno(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => format!("{:?}", Errno::from_raw(number)),
        None => error.to_string(),
    }
}

impl<C: Client> Cast<C> {
    fn new<P: Place<Client = C>>(place: &P) -> Cast<C> {
        let any = "127.0.0.1:0".parse().expect("an address");
        let listener = socket::listen_on(&any).expect("a free port");
        let address = socket::local_address(&listener).expect("it has one");
        let Address::Ip(ip) = &address else {
            panic!("{address} is not TCP");
        };
        let root = file::open_root(place.directory()).expect("a directory");
        let file = file::open_beneath(&root, FILE.as_bytes()).expect("a file");
        let directory = file::open_beneath(&root, b"d").expect("a directory");
        Cast {
            listener: Some(listener),
            duplicate: None,
            port: ip.port(),
            address,
            servers: [None, None, None],
            clients: [None, None, None],
            waiting: VecDeque::new(),
            sent: [[0; 2]; CONNECTIONS],
            received: [[0; 2]; CONNECTIONS],
            has_file: [false; CONNECTIONS],
            full: [false; CONNECTIONS],
            stuck: [false; CONNECTIONS],
            outer: Epoll::new().expect("epoll"),
            inner: Epoll::new().expect("epoll"),
            event: EventFd::new().expect("eventfd"),
            signals: None,
            urgent: None,
            root,
            directory,
            file: Some(file),
            watching: Watching::new(),
        }
    }

    pub(super) fn settle<P: Place<Client = C>>(&self, place: &P) {
        let clients = self.clients.iter().flatten();
        place.settle(clients, self.servers.iter().flatten());
    }

    /// As far as there is room.
    fn wait_until_acknowledged<P: Place<Client = C>>(&self, place: &P, at: usize) {
        if let Some(server) = &self.servers[at]
            && !self.stuck[at]
        {
            place.wait_until_acknowledged(server);
        }
    }

    fn step<P: Place<Client = C>>(&mut self, place: &mut P, op: Op) -> String {
        self.try_step(place, op)
            .unwrap_or_else(|| SKIPPED.to_owned())
    }

    fn try_step<P: Place<Client = C>>(&mut self, place: &mut P, op: Op) -> Option<String> {
        let observed = match op {
            Op::Connect(at) => {
                if self.clients[at].is_some()
                    || self.servers[at].is_some()
                    || self.waiting.contains(&at)
                {
                    return None;
                }
                self.clients[at] = place.connect(self.port);
                self.settle(place);
                if self.clients[at].is_none() {
                    return Some("no connection".to_owned());
                }
                self.waiting.push_back(at);
                (self.sent[at], self.received[at]) = ([0; 2], [0; 2]);
                (self.full[at], self.has_file[at]) = (false, false);
                self.stuck[at] = false;
                "connected".to_owned()
            }
            Op::ClientSends(at, count) => {
                let bytes = pattern(at + 3, self.sent[at][CLIENT], count);
                let sent = self.clients[at].as_mut()?.send(&bytes);
                self.sent[at][CLIENT] += sent;
                self.settle(place);
                format!("{sent}")
            }
            Op::ClientFills(at) => {
                let before = self.sent[at][CLIENT];
                loop {
                    let bytes = pattern(at + 3, self.sent[at][CLIENT], 16 << 10);
                    let mut count = 0;
                    // What a call has made room for only when it has arrived may let in some more.
                    for _ in 0..3 {
                        let left = &bytes[count..];
                        count += self.clients[at].as_mut()?.send(left);
                        self.settle(place);
                    }
                    self.sent[at][CLIENT] += count;
                    if count == 0 {
                        break;
                    }
                }
                self.full[at] = true;
                format!("full, took some: {}", self.sent[at][CLIENT] > before)
            }
            Op::ClientReceives(at) => self.client_receives(place, at)?,
            Op::ClientFinishes(at) => {
                self.clients[at].as_mut()?.finish();
                self.settle(place);
                String::new()
            }
            Op::ClientCloses(at) => {
                drop(self.clients[at].take()?);
                self.settle(place);
                String::new()
            }
            Op::ClientResets(at) => {
                self.clients[at].take()?.reset();
                self.settle(place);
                String::new()
            }
            Op::Accept => {
                let listener = self.listener.as_ref().or(self.duplicate.as_ref())?;
                match socket::accept(listener) {
                    Ok(fd) => {
                        let at = self.waiting.pop_front().expect("one that connected");
                        self.servers[at] = Some(fd);
                        format!("{at}")
                    }
                    Err(error) => accept_error(&error),
                }
            }
            Op::Recv(at, most) => {
                let mut bytes = vec![0; most];
                match socket::recv(self.servers[at].as_ref()?, &mut bytes) {
                    Ok(count) => {
                        self.expect(at, SERVER, &bytes[..count]);
                        self.settle(place);
                        format!("{count}")
                    }
                    Err(error) => errno(&error),
                }
            }
            Op::RecvAll(at) => self.server_receives(place, at)?,
            Op::Send(at, count) => {
                let bytes = pattern(at, self.sent[at][SERVER], count);
                let sent = socket::send(self.servers[at].as_ref()?, &bytes, More::No);
                self.sent[at][SERVER] += sent.as_ref().unwrap_or(&0);
                self.settle(place);
                said(sent)
            }
            Op::Fill(at) => self.fill(place, at)?,
            Op::SendTooMuch(at) => self.send_too_much(place, at)?,
            Op::SendFile(at, offset, length) => {
                let fd = self.servers[at].as_ref()?;
                let sent = socket::send_file(fd, self.file.as_ref()?, offset, length);
                self.has_file[at] = true;
                self.settle(place);
                said(sent)
            }
            Op::Shutdown(at) => {
                let done = socket::shutdown_write(self.servers[at].as_ref()?);
                self.settle(place);
                self.wait_until_acknowledged(place, at);
                said(done)
            }
            Op::Linger(at) => said(socket::set_linger_reset(self.servers[at].as_ref()?)),
            Op::Unread(at) => {
                let unread = socket::unread(self.servers[at].as_ref()?);
                if self.full[at] {
                    said(unread.map(|count| count > 0))
                } else {
                    said(unread)
                }
            }
            Op::Unacknowledged(at) => {
                self.wait_until_acknowledged(place, at);
                let count = socket::unacknowledged(self.servers[at].as_ref()?);
                said(count.map(|count| count > 0))
            }
            Op::LocalAddress(at) => {
                let address = socket::local_address(self.servers[at].as_ref()?);
                said(address.map(|address| address == self.address))
            }
            Op::Adopt(at) => said(socket::adopt(self.servers[at].as_ref()?).map(drop)),
            Op::Close(at) => {
                drop(self.servers[at].take()?);
                self.settle(place);
                String::new()
            }
            Op::Backlog(most) => said(socket::listen(self.listener.as_ref()?, most)),
            Op::Duplicate => {
                let copy = socket::duplicate(self.listener.as_ref()?);
                self.duplicate = Some(copy.expect("a descriptor"));
                String::new()
            }
            Op::DropNew => said(socket::drop_new_connections(self.listener.as_ref()?)),
            Op::CloseListener => {
                drop(self.listener.take()?);
                self.listener_closed(place)
            }
            Op::CloseDuplicate => {
                drop(self.duplicate.take()?);
                self.listener_closed(place)
            }
            Op::Misuse => self.misuse()?,
            Op::Add(what, ask) => said(self.outer.add(self.fd(what)?, ask.interest(), data(what))),
            Op::Modify(what, ask) => said(self.outer.modify(
                self.fd(what)?,
                ask.interest(),
                data(what),
            )),
            Op::Delete(what) => said(self.outer.delete(self.fd(what)?)),
            Op::Wait(most) => events(&self.outer, most),
            Op::WaitInner(most) => events(&self.inner, most),
            Op::AddInner(what, ask) => {
                said(self.inner.add(self.fd(what)?, ask.interest(), data(what)))
            }
            Op::Notify => said(self.event.notify()),
            Op::Open(path) => {
                let opened = file::open_beneath(&self.root, path.as_bytes());
                said(opened.and_then(|fd| Ok(file::metadata(&fd)?.kind)))
            }
            Op::Resize(length) => {
                place.resize(FILE, length);
                String::new()
            }
            Op::ReadAt(offset, most) => {
                let mut bytes = vec![0xee; most];
                let read = file::read_at(self.file.as_ref()?, &mut bytes, offset);
                let sum: u64 = bytes.iter().map(|byte| u64::from(*byte)).sum();
                format!("{}, sum {sum}", said(read))
            }
            Op::Length => said(file::metadata(self.file.as_ref()?).map(|it| {
                assert_eq!(it.kind, Kind::File);
                it.length
            })),
            Op::OpenPlain(path, wanted, waiting) => {
                let opened = at_hand::open_plain(&self.root, path.as_bytes(), wanted, waiting);
                said(opened.and_then(|fd| Ok(file::metadata(&fd)?.kind)))
            }
            Op::Names(path, most) => {
                let opened = file::open_beneath(&self.root, path.as_bytes());
                said(
                    opened
                        .and_then(|fd| directory::names(&fd, most))
                        .map(|mut it| {
                            it.names.sort();
                            let names = it.names.iter().map(|name| String::from_utf8_lossy(name));
                            let names = names.collect::<Vec<_>>().join(" ");
                            // Which ones come first is the file system's business.
                            (
                                it.names.len(),
                                it.is_cut,
                                if it.is_cut { String::new() } else { names },
                            )
                        }),
                )
            }
            Op::ReadAtHand(offset, most) => {
                let mut bytes = vec![0xee; most];
                let read = at_hand::read_at_hand(self.file.as_ref()?, &mut bytes, offset);
                let sum: u64 = bytes.iter().map(|byte| u64::from(*byte)).sum();
                format!("{}, sum {sum}", said(read))
            }
            Op::Cached(from, to) => {
                format!(
                    "{:?}",
                    at_hand::is_cached(self.file.as_ref()?, from..to).ok()
                )
            }
            Op::Rewrite(count) => {
                place.rewrite(FILE, &pattern(8, 0, count));
                String::new()
            }
            Op::Replace(name) => {
                place.replace(name, b"another");
                String::new()
            }
            Op::Create(name) => {
                place.write(name, b"new");
                String::new()
            }
            Op::Remove(name) => {
                place.remove(name);
                String::new()
            }
            Op::CloseFile => {
                drop(self.file.take()?);
                String::new()
            }
            Op::Watch(told) => self.watch(told)?,
            Op::Forget(told) => self.watching.forget(told)?,
            Op::Notices => self.watching.notices(),
            Op::TellsAll => said(inotify::tells_all(&self.root)),
            Op::Block => {
                self.signals = Some(Signals::block().expect("signalfd"));
                String::new()
            }
            Op::BlockUrgent => {
                self.urgent = Some(Signals::block_urgent().expect("signalfd"));
                String::new()
            }
            Op::Raise(signal) => {
                // Not blocked, it would end the process.
                self.signals.as_ref()?;
                place.raise(signal);
                String::new()
            }
            Op::NextSignal => said(self.signals.as_ref()?.next()),
            Op::NextUrgent => said(self.urgent.as_ref()?.next()),
            Op::Work(first, then) => pieces::work(place, first, then),
        };
        Some(observed)
    }

    fn fd(&self, what: What) -> Option<BorrowedFd<'_>> {
        match what {
            What::Listener => self.listener.as_ref().map(AsFd::as_fd),
            What::Duplicate => self.duplicate.as_ref().map(AsFd::as_fd),
            What::Connection(at) => self.servers[at].as_ref().map(AsFd::as_fd),
            What::Event => Some(self.event.as_fd()),
            What::Inner => Some(self.inner.as_fd()),
            What::Outer => Some(self.outer.as_fd()),
            What::File => self.file.as_ref().map(AsFd::as_fd),
            What::Directory => Some(self.directory.as_fd()),
            What::Signals => self.signals.as_ref().map(AsFd::as_fd),
            What::Notices => Some(self.watching.queue.as_fd()),
        }
    }
}

fn data(what: What) -> u64 {
    let at = WATCHED.iter().position(|it| *it == what);
    at.expect("it is one of them") as u64
}

/// The events of one wait, in their order.
fn events(epoll: &Epoll, most: usize) -> String {
    let mut events = Events::with_capacity(most);
    let count = epoll.wait(&mut events, Some(std::time::Duration::ZERO));
    let count = match count {
        Ok(count) => count,
        Err(error) => return errno(&error),
    };
    let named = |at: usize| {
        let (data, ready) = events.at(at);
        let bits = [
            (Ready::READ, "IN"),
            (Ready::WRITE, "OUT"),
            (Ready::PEER_CLOSED, "RDHUP"),
            (Ready::HANGUP, "HUP"),
            (Ready::ERROR, "ERR"),
        ];
        let bits: Vec<_> = bits
            .iter()
            .filter(|(bit, _)| ready.contains(*bit))
            .map(|(_, name)| *name)
            .collect();
        let what = match WATCHED[data as usize] {
            What::Connection(at) => format!("{at}"),
            other => format!("{other:?}"),
        };
        format!("{what}:{}", bits.join("|"))
    };
    (0..count).map(named).collect::<Vec<_>>().join(" ")
}

pub(super) fn accept_error(error: &AcceptError) -> String {
    match error {
        AcceptError::NobodyWaits => "nobody waits".to_owned(),
        AcceptError::OneLost(error) => format!("one lost: {}", errno(error)),
        AcceptError::Exhausted(error) => format!("exhausted: {}", errno(error)),
        AcceptError::Broken(error) => format!("broken: {}", errno(error)),
    }
}
