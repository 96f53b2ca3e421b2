//! Steps that take several calls: filling, draining, and what closes a listener.

use edgeloop::sys::socket::{self, More};

use super::places::{Client, Place};
use super::script::{CLIENT, Cast, SERVER, accept_error, errno, pattern, said};

/// Rounds without anything new after which nothing more comes.
const QUIET: usize = 3;
/// More than any kernel holds for a connection.
const TOO_MUCH: usize = 64 << 20;

impl<C: Client> Cast<C> {
    pub(super) fn client_receives<P: Place<Client = C>>(
        &mut self,
        place: &P,
        at: usize,
    ) -> Option<String> {
        let (mut bytes, mut quiet) = (Vec::new(), 0);
        let mut end = self.clients[at].as_mut()?.receive(&mut bytes);
        while quiet < QUIET {
            self.settle(place);
            let before = bytes.len();
            end = self.clients[at].as_mut()?.receive(&mut bytes);
            quiet = if bytes.len() == before { quiet + 1 } else { 0 };
        }
        self.stuck[at] = false;
        self.expect(at, CLIENT, &bytes);
        if self.full[at] {
            return Some(format!("some: {}, {end:?}", !bytes.is_empty()));
        }
        Some(format!("{}, {end:?}", bytes.len()))
    }

    pub(super) fn server_receives<P: Place<Client = C>>(
        &mut self,
        place: &P,
        at: usize,
    ) -> Option<String> {
        let (mut sum, mut quiet) = (0, 0);
        let mut buffer = vec![0; 64 << 10];
        let end = loop {
            match socket::recv(self.servers[at].as_ref()?, &mut buffer) {
                Ok(0) => break "the end".to_owned(),
                Ok(count) => {
                    self.expect(at, SERVER, &buffer[..count]);
                    (sum, quiet) = (sum + count, 0);
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock && quiet < QUIET => {
                    quiet += 1;
                }
                Err(error) => break errno(&error),
            }
            self.settle(place);
        };
        if self.full[at] {
            return Some(format!("some: {}, {end}", sum > 0));
        }
        Some(format!("{sum}, {end}"))
    }

    pub(super) fn fill<P: Place<Client = C>>(&mut self, place: &P, at: usize) -> Option<String> {
        let (mut some, mut quiet) = (false, 0);
        let end = loop {
            let bytes = pattern(at, self.sent[at][SERVER], 16 << 10);
            match socket::send(self.servers[at].as_ref()?, &bytes, More::No) {
                Ok(count) => {
                    self.sent[at][SERVER] += count;
                    (some, quiet) = (true, 0);
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock && quiet < QUIET => {
                    quiet += 1;
                }
                Err(error) => break errno(&error),
            }
            self.settle(place);
        };
        (self.full[at], self.stuck[at]) = (true, true);
        Some(format!("some: {some}, {end}"))
    }

    pub(super) fn send_too_much<P: Place<Client = C>>(
        &mut self,
        place: &P,
        at: usize,
    ) -> Option<String> {
        let bytes = pattern(at, self.sent[at][SERVER], TOO_MUCH);
        let sent = socket::send(self.servers[at].as_ref()?, &bytes, More::No);
        self.sent[at][SERVER] += sent.as_ref().unwrap_or(&0);
        (self.full[at], self.stuck[at]) = (true, true);
        self.settle(place);
        Some(said(sent.map(|count| count < TOO_MUCH)))
    }

    /// What has arrived is what was sent.
    pub(super) fn expect(&mut self, at: usize, side: usize, bytes: &[u8]) {
        let from = self.received[at][side];
        self.received[at][side] += bytes.len();
        if side == CLIENT && self.has_file[at] {
            return;
        }
        let stream = if side == SERVER { at + 3 } else { at };
        let wanted = pattern(stream, from, bytes.len());
        assert!(bytes == wanted, "other bytes have come on {at}");
    }

    /// The last descriptor takes along what waits to be accepted.
    pub(super) fn listener_closed<P: Place<Client = C>>(&mut self, place: &P) -> String {
        if self.listener.is_none() && self.duplicate.is_none() {
            self.waiting.clear();
        }
        self.settle(place);
        String::new()
    }

    pub(super) fn misuse(&mut self) -> Option<String> {
        let (listener, file) = (self.listener.as_ref()?, self.file.as_ref()?);
        let mut said = vec![
            said(socket::recv(listener, &mut [0; 8])),
            said(socket::send(listener, b"x", More::No)),
            said(socket::send_file(listener, file, 0, 8)),
            said(socket::shutdown_write(listener)),
            said(socket::unread(listener)),
            said(socket::unacknowledged(listener)),
            said(socket::recv(file, &mut [0; 8])),
            said(socket::send(file, b"x", More::No)),
            said(socket::shutdown_write(file)),
            said(socket::set_linger_reset(file)),
        ];
        for fd in [Some(file), self.servers[0].as_ref()] {
            let fd = fd?;
            said.push(match socket::accept(fd) {
                Err(error) => accept_error(&error),
                Ok(_) => "accepted".to_owned(),
            });
            said.push(self::said(socket::listen(fd, 1)));
        }
        for fd in [listener, file] {
            said.push(self::said(socket::adopt(fd).map(drop)));
        }
        Some(said.join(", "))
    }
}
