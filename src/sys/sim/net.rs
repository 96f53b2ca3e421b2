//! Connections: how they begin, and what is under way on them.

use std::os::fd::RawFd;
use std::path::Path;

use nix::errno::Errno;

use super::Call;
use super::kernel::{LinkId, Name, Object};
use super::link::{IN, OURS, OUT, THEIRS};
use super::peer::Peer;
use super::world::{Step, World};

impl World {
    /// What a link has under way goes on: at once, or when its time has passed.
    pub(super) fn go_on(&self, link: LinkId, from: usize) {
        let latency = {
            let mut kernel = self.kernel();
            let Some(known) = kernel.link(link) else {
                return;
            };
            if known.scheduled[from] || !known.has_transfer(from) {
                return;
            }
            if known.latency > 0 {
                known.scheduled[from] = true;
            }
            known.latency
        };
        if latency == 0 {
            self.transfer(link, from);
        } else {
            self.schedule(latency, Step::Transfer(link, from));
        }
    }

    pub(super) fn transfer(&self, link: LinkId, from: usize) {
        loop {
            let mut kernel = self.kernel();
            let Some(known) = kernel.link(link) else {
                return;
            };
            if !known.has_transfer(from) {
                return;
            }
            let most = match known.piece {
                usize::MAX => usize::MAX,
                piece => 1 + self.0.random.borrow_mut().index(piece),
            };
            let wakes = known.transfer(from, most);
            let again = known.has_transfer(from);
            let at_once = known.latency == 0;
            kernel.wake_ends(link, wakes);
            drop(kernel);
            if !again {
                return;
            }
            if !at_once {
                return self.go_on(link, from);
            }
        }
    }

    /// Begins a connection to a TCP port: as a client sees it, before anybody has accepted it. `None`: nobody listens there, or
    /// what comes is dropped because the queue is full.
    pub fn connect(&self, port: u16) -> Option<Peer> {
        let to_port = |name: &Name| matches!(name, Name::Ip(address) if address.port() == port);
        self.connect_to(to_port)
    }

    /// The same to the path of a Unix socket.
    pub fn connect_path(&self, path: &Path) -> Option<Peer> {
        self.connect_to(|name| matches!(name, Name::Unix(known) if known == path))
    }

    fn connect_to(&self, wanted: impl Fn(&Name) -> bool) -> Option<Peer> {
        let (link, name) = self.begin_link(wanted)?;
        self.note(|| format!("client {} connects", link.serial));
        self.under_way(link, name);
        Some(Peer::new(self.clone(), link))
    }

    /// A program of this world connects: its socket becomes the client's end.
    pub(super) fn connect_inside(
        &self,
        number: RawFd,
        wanted: impl Fn(&Name) -> bool,
    ) -> Result<(), Errno> {
        match self.kernel().object(number)? {
            Object::Socket(None) => {}
            Object::Socket(Some(_)) | Object::Listener(_) => return Err(Errno::EINVAL),
            Object::Stream(..) => return Err(Errno::EISCONN),
            _ => return Err(Errno::ENOTSOCK),
        }
        let (link, name) = self.begin_link(wanted).ok_or(Errno::ECONNREFUSED)?;
        self.note(|| format!("connect({number}), client {}", link.serial));
        self.kernel().become_end(number, link, THEIRS)?;
        self.under_way(link, name);
        Ok(())
    }

    /// A connection to whoever listens and takes one more.
    fn begin_link(&self, wanted: impl Fn(&Name) -> bool) -> Option<(LinkId, Name)> {
        let net = self.0.net.get();
        let mut kernel = self.kernel();
        let name = kernel.objects().find_map(|(_, object)| match object {
            Object::Listener(it) if wanted(&it.name) => {
                (!it.drops && it.queue.len() <= it.backlog).then(|| it.name.clone())
            }
            _ => None,
        })?;
        let theirs = (net.send_room, net.peer_receive_room);
        let link = kernel.new_link((net.send_room, net.receive_room), theirs);
        if let Some(known) = kernel.link(link) {
            known.latency = net.latency.as_nanos() as u64;
            known.piece = net.piece;
            known.name = Some(name.clone());
        }
        Some((link, name))
    }

    /// It comes to its listener at once, or when its time has passed.
    fn under_way(&self, link: LinkId, name: Name) {
        let net = self.0.net.get();
        if net.latency.is_zero() {
            self.arrive(link, &name);
        } else {
            self.schedule(net.latency.as_nanos() as u64, Step::Arrival(link, name));
        }
    }

    pub(super) fn arrive(&self, link: LinkId, name: &Name) {
        let mut kernel = self.kernel();
        let listener = kernel.objects().find_map(|(at, object)| match object {
            Object::Listener(it) if it.name == *name => {
                it.queue.push_back(link);
                Some(at)
            }
            _ => None,
        });
        match listener {
            Some(at) => kernel.wake(at, IN),
            None => {
                if let Some(known) = kernel.link(link) {
                    let wakes = known.abort(OURS);
                    known.ends[OURS].closed = true;
                    kernel.wake_ends(link, wakes);
                }
            }
        }
    }

    /// After a call that has not seen all there is, or not used all the room: what was left came just after, with an edge.
    pub(super) fn announce(&self, link: LinkId, side: usize, key: u32) {
        let delay = self.0.random.borrow_mut().below(50_000);
        self.schedule(delay, Step::Edge(link, side, key));
    }

    pub(super) fn announce_at(&self, description: usize) {
        let delay = self.0.random.borrow_mut().below(50_000);
        self.schedule(delay, Step::Edges(description, IN | OUT));
    }

    /// A fault has hit the connection: whatever its client sees is not the program's doing. Some are the end of it.
    pub(super) fn blame(&self, call: Call, link: LinkId, side: usize, errno: Errno) {
        if matches!(errno, Errno::EAGAIN | Errno::EINTR) {
            return;
        }
        let mut kernel = self.kernel();
        kernel.faulted.insert((link.serial, call));
        kernel.notice(link);
        if matches!(
            errno,
            Errno::ECONNRESET | Errno::EPIPE | Errno::ETIMEDOUT | Errno::EHOSTUNREACH
        ) && let Some(known) = kernel.link(link)
        {
            let wakes = known.abort(side);
            kernel.wake_ends(link, wakes);
        }
    }
}
