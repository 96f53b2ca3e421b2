//! A client that acts out its plot and checks every byte that it gets.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::UNIX_EPOCH;

use core::time::Duration;

use edgeloop::sys::Instant;
use edgeloop::sys::sim::{Call, Peer, PeerState, World};

use super::app::Seen;
use super::parse::{self, Answer, Progress};
use super::plot::{Act, Body, Expected, Plot, Reading, Takes};

/// What all clients of a run share.
#[derive(Default)]
pub(super) struct Common {
    /// Turns of the server so far, and the bytes that a client can be sent in one, if that is bounded.
    pub(super) turns: u64,
    pub(super) turn_bytes: Option<usize>,
    /// Nanoseconds that the wall clock is ahead, unless clocks leap.
    pub(super) wall_ahead: Option<u64>,
    /// Calls may fail: answers that take files may be errors.
    pub(super) files_fail: bool,
    /// Answers that take mail may be too late.
    pub(super) mail_is_late: bool,
    /// Threads may not start: answers that take some may be errors.
    pub(super) threads_fail: bool,
    /// There may be no room for jobs, or no thread in time.
    pub(super) pool_is_narrow: bool,
    pub(super) seen: Rc<Seen>,
    /// Room is scarce, or the server stops: connections may end before their time, with or without a 503.
    pub(super) scarce: bool,
    pub(super) actions: u64,
    pub(super) answers: u64,
    pub(super) failures: Vec<String>,
}

pub(super) struct Client {
    world: World,
    common: Rc<RefCell<Common>>,
    peer: Option<Peer>,
    pub(super) number: u64,
    /// A Unix socket can't be told to reset.
    is_tcp: bool,
    pub(super) plot: Plot,
    /// Of the bytes that are being sent, how many are.
    sent: usize,
    waits_until: Instant,
    reading: Reading,
    reads_again: Instant,
    /// The last such moment that it is woken for.
    woken_for: Instant,
    /// It reads whatever comes, from its beginning to its end.
    pub(super) prompt: bool,
    /// Bytes that have come since a turn.
    of_turn: (u64, usize),
    inbox: Vec<u8>,
    /// Bytes that it takes to read the next answer.
    needed: usize,
    /// Answers that have come.
    pub(super) got: usize,
    continued: bool,
    refused: bool,
    /// An answer was an error because a call had failed.
    pub(super) excused: bool,
    pub(super) first_byte: Option<Instant>,
    pub(super) last_byte: Option<Instant>,
    /// When it has got something last.
    pub(super) last_got: Option<Instant>,
    pub(super) reset_at: Option<Instant>,
    connected: Instant,
    pub(super) ended: Option<PeerState>,
    pub(super) done: bool,
}

impl Common {
    /// Whether a request may be told that there is no thread for it.
    fn excuses_no_thread(&self, what: &str) -> bool {
        let path = what.split(' ').nth(1).unwrap_or_default();
        let full = self.seen.full.borrow().contains(path);
        if full || self.threads_fail || self.mail_is_late {
            return true;
        }
        // How many of these there may be is known at the end.
        let told = &self.seen.told_late;
        told.set(told.get() + u64::from(self.pool_is_narrow));
        self.pool_is_narrow
    }
}

pub(super) type Shared = Rc<RefCell<Client>>;

impl Client {
    /// Acts out its plot on a connection that has begun.
    pub(super) fn start(
        world: &World,
        common: &Rc<RefCell<Common>>,
        peer: Peer,
        plot: Plot,
    ) -> Shared {
        common.borrow_mut().actions += 1;
        let number = peer.number();
        let name = plot.name;
        world.note(|| format!("client {number} is one that is called: {name}"));
        let client = Rc::new(RefCell::new(Client {
            world: world.clone(),
            common: Rc::clone(common),
            number,
            is_tcp: peer.is_tcp(),
            sent: 0,
            waits_until: world.now(),
            reading: Reading::Promptly,
            reads_again: world.now(),
            woken_for: world.now(),
            prompt: !plot.acts.iter().any(|act| matches!(act, Act::Reading(_))),
            of_turn: (0, 0),
            inbox: Vec::new(),
            needed: 1,
            got: 0,
            continued: false,
            refused: false,
            excused: false,
            first_byte: None,
            last_byte: None,
            last_got: None,
            reset_at: None,
            connected: world.now(),
            ended: None,
            done: false,
            peer: None,
            plot,
        }));
        let weak = Rc::downgrade(&client);
        peer.on_notice(move |world| {
            if let Some(client) = weak.upgrade() {
                act(&client, world);
            }
        });
        client.borrow_mut().peer = Some(peer);
        act(&client, world);
        client
    }

    fn fail(&self, what: &str) {
        let text = format!(
            "client {} ({}), {} of {} answers: {what}",
            self.number,
            self.plot.name,
            self.got,
            self.plot.expected.len()
        );
        self.common.borrow_mut().failures.push(text);
    }

    /// Takes what has come, as far as it reads now. When it is to be asked again.
    fn read(&mut self, now: Instant) -> Option<Duration> {
        let peer = self.peer.as_ref()?;
        let most = match self.reading {
            Reading::Promptly => usize::MAX,
            Reading::Never => 0,
            Reading::Slowly(..) if now < self.reads_again => 0,
            Reading::Slowly(bytes, every) => {
                self.reads_again = now + every;
                bytes
            }
        };
        let received = if most > 0 {
            peer.receive(&mut self.inbox, most)
        } else {
            0
        };
        if received > 0 {
            self.last_got = Some(now);
            self.common.borrow_mut().actions += 1;
        }
        let mut again = None;
        // What comes later is noticed.
        if matches!(self.reading, Reading::Slowly(..))
            && peer.unread() > 0
            && self.woken_for != self.reads_again
        {
            self.woken_for = self.reads_again;
            again = Some(self.reads_again.since(now));
        }
        let (state, unread) = (peer.state(), peer.unread());
        let over = peer.has_end() || self.is_faulted();
        if over && matches!(self.reading, Reading::Never) {
            self.reading = Reading::Promptly;
            return self.read(now);
        }
        if state != PeerState::Open && (state == PeerState::Finished || unread == 0) {
            self.ended = Some(state);
        }
        self.check_share(received);
        let parsed = catch_unwind(AssertUnwindSafe(|| self.take_answers()));
        if parsed.is_err() {
            let begin = self.inbox[..self.inbox.len().min(300)].escape_ascii();
            self.fail(&format!("can't be read: {begin}"));
            self.inbox.clear();
        }
        again
    }

    /// Nobody gets more of a turn than its share.
    fn check_share(&mut self, received: usize) {
        let (turn, max) = {
            let common = self.common.borrow();
            (common.turns, common.turn_bytes)
        };
        let before = if self.of_turn.0 == turn {
            self.of_turn.1
        } else {
            0
        };
        self.of_turn = (turn, before + received);
        if self.prompt && max.is_some_and(|max| self.of_turn.1 > max) {
            self.fail(&format!("{} bytes in one turn", self.of_turn.1));
        }
    }

    fn take_answers(&mut self) {
        let ended = self.ended == Some(PeerState::Finished);
        while self.inbox.len() >= self.needed || ended && !self.inbox.is_empty() {
            if self.refused {
                return self.inbox.clear();
            }
            let scarce = self.is_scarce();
            let head_only = match self.plot.expected.get(self.got) {
                Some(expected) => expected.head_only,
                // A connection that is refused has asked for nothing.
                None if scarce => return self.inbox.clear(),
                None => return self.fail("more than it has asked for"),
            };
            match parse::read(&self.inbox, head_only, ended) {
                Progress::Whole(answer, length) => {
                    self.inbox.drain(..length);
                    self.needed = 1;
                    let closes = answer.field("connection") == Some("close");
                    // The connection was refused before its request, so a body follows.
                    self.refused |= head_only && closes && answer.status == 503 && scarce;
                    if answer.status == 100 {
                        let acts = &mut self.plot.acts.iter();
                        if self.continued || !acts.any(|act| matches!(act, Act::Continue)) {
                            self.fail("100 Continue without being asked");
                        }
                        self.continued = true;
                    } else {
                        self.check(&answer);
                        self.got += 1;
                        self.common.borrow_mut().answers += 1;
                    }
                }
                Progress::Part(needed) => {
                    self.needed = needed;
                    return;
                }
            }
        }
    }

    fn check(&mut self, answer: &Answer) {
        let expected = &self.plot.expected[self.got];
        let scarce = self.is_scarce();
        let common = self.common.borrow();
        let excused = match answer.status {
            503 if scarce => true,
            503 if expected.takes == Takes::Thread => common.excuses_no_thread(&expected.what),
            403 | 404 | 500 | 503 => {
                common.files_fail && expected.takes == Takes::File
                    || common.mail_is_late && expected.takes == Takes::Mail && answer.status == 503
                    || matches!(expected.body, Body::Breaks(_)) && answer.status == 500
            }
            _ => false,
        };
        drop(common);
        // It ends where its connection does.
        if excused || !self.can_be_reset() && self.ended == Some(PeerState::Finished) {
            // It may have ended the connection.
            self.excused = true;
            return;
        }
        let right = answer.status == expected.status
            && (expected.head_only
                || match &expected.body {
                    Body::Exact(body) => answer.body == *body,
                    Body::Content(body) => answer.body == **body,
                    // A file that was shorter from the beginning is whole.
                    Body::Breaks(body) => body.starts_with(&answer.body),
                    Body::Any => true,
                });
        if !right {
            let body = &answer.body[..answer.body.len().min(100)];
            self.fail(&format!(
                "{} gets {} and {} bytes: {}",
                expected.what,
                answer.status,
                answer.body.len(),
                body.escape_ascii()
            ));
        }
        if answer.field("server") != Some("edgeloop") {
            self.fail("an answer without Server");
        }
        self.check_date(answer);
    }

    /// The Date is that of the answer: not of before the connection, and not to come.
    fn check_date(&self, answer: &Answer) {
        let Some(ahead) = self.common.borrow().wall_ahead else {
            return;
        };
        let wall = |at: Instant| at.as_nanos().saturating_add(ahead) / 1_000_000_000;
        let date = answer.field("date").map(httpdate::parse_http_date);
        let date = date.and_then(Result::ok);
        let secs = date.and_then(|date| date.duration_since(UNIX_EPOCH).ok());
        let secs = secs.map_or(0, |secs| secs.as_secs());
        if !(wall(self.connected)..=wall(self.world.now())).contains(&secs) {
            self.fail(&format!("the wrong Date: {:?}", answer.field("date")));
        }
    }

    /// One that has come in part is the beginning of the right one, and ends with a reset if it ends there.
    fn check_rest(&self) {
        let Some(expected) = self.plot.expected.get(self.got) else {
            return;
        };
        if self.inbox.is_empty() {
            return;
        }
        let content = match &expected.body {
            Body::Content(body) | Body::Breaks(body) => *body,
            Body::Exact(body) => body,
            Body::Any => &[],
        };
        if let Some((200, body)) = parse::part(&self.inbox)
            && !content.starts_with(&body)
        {
            self.fail(&format!("{}: wrong bytes in its first part", expected.what));
        }
        if self.ended == Some(PeerState::Finished) && self.can_be_reset() {
            self.fail(&format!("{}: cut short, but ended in order", expected.what));
        }
    }

    /// It is over for the client.
    fn leave(&mut self, world: &World) {
        if self.done {
            return;
        }
        self.done = true;
        self.check_rest();
        world.note(|| format!("client {} is done", self.number));
        self.peer = None;
    }

    fn can_be_reset(&self) -> bool {
        self.is_tcp && !self.world.has_failed(self.number, Call::SetOption)
    }

    fn is_scarce(&self) -> bool {
        self.common.borrow().scarce && !self.plot.verdict.strict
    }

    pub(super) fn is_faulted(&self) -> bool {
        self.world.is_faulted(self.number)
    }

    /// The answer that it should have got and has not, unless an error came in its place.
    pub(super) fn lacks(&self) -> Option<&Expected> {
        let breaks = self.missing().any(|it| matches!(it.body, Body::Breaks(_)));
        let excused = !self.plot.verdict.all || breaks || self.excused;
        self.missing().next().filter(|_| !excused)
    }

    pub(super) fn takes_files(&self) -> bool {
        let mut expected = self.plot.expected.iter();
        expected.any(|it| it.takes == Takes::File)
    }

    /// Whether a file is missing. The reset that says so can overtake answers that were sent before.
    pub(super) fn lacks_file(&self) -> bool {
        self.missing().any(|it| it.takes == Takes::File)
    }

    fn missing(&self) -> impl Iterator<Item = &Expected> {
        self.plot.expected[self.got.min(self.plot.expected.len())..].iter()
    }
}

/// Does what can be done now.
pub(super) fn act(shared: &Shared, world: &World) {
    // A step of its own that is under way goes on with what has happened.
    let Ok(mut client) = shared.try_borrow_mut() else {
        return;
    };
    if client.done {
        return;
    }
    if let Some(delay) = client.read(world.now()) {
        wake(shared, world, delay);
    }
    loop {
        let client = &mut *client;
        let over = client.ended.is_some();
        let Some(peer) = client.peer.as_ref() else {
            return;
        };
        let now = world.now();
        match client.plot.acts.front() {
            None => return client.leave(world),
            Some(Act::Send(_) | Act::Answers(_) | Act::Continue | Act::End | Act::Finish)
                if over =>
            {
                return client.leave(world);
            }
            Some(Act::Send(bytes)) => {
                let sent = peer.send(&bytes[client.sent..]);
                client.sent += sent;
                if sent > 0 {
                    client.common.borrow_mut().actions += 1;
                    client.first_byte = client.first_byte.or(Some(now));
                    client.last_byte = Some(now);
                }
                if client.sent < bytes.len() {
                    if peer.state() == PeerState::Reset && peer.unread() == 0 {
                        client.ended = Some(PeerState::Reset);
                        continue;
                    }
                    return;
                }
                client.sent = 0;
            }
            Some(Act::Pause(time)) if !time.is_zero() => {
                let time = *time;
                client.waits_until = now + time;
                client.plot.acts[0] = Act::Pause(Duration::ZERO);
                return wake(shared, world, time);
            }
            // Others may have woken it meanwhile.
            Some(Act::Pause(_)) if now < client.waits_until => return,
            Some(Act::Pause(_)) => {}
            Some(Act::Answers(count)) if client.got < *count => return,
            Some(Act::Answers(_)) => {}
            Some(Act::Continue) if !client.continued => {
                if client.got == client.plot.expected.len() {
                    return client.leave(world); // it was answered without
                }
                return;
            }
            Some(Act::Continue) => client.continued = false,
            Some(Act::Reading(reading)) => {
                client.reading = *reading;
                if let Reading::Slowly(_, every) = reading {
                    wake(shared, world, *every);
                }
            }
            Some(Act::Insist(_)) if peer.state() == PeerState::Reset => return client.leave(world),
            Some(Act::Insist(bytes)) => {
                peer.send(bytes);
            }
            Some(Act::Finish) => peer.finish(),
            Some(Act::Reset) => {
                client.common.borrow_mut().actions += 1;
                client.reset_at = Some(now);
                if let Some(peer) = client.peer.take() {
                    peer.reset();
                }
                client.plot.acts.clear();
                client.ended = Some(PeerState::Reset);
                client.done = true;
                return;
            }
            Some(Act::End) => return,
        }
        client.common.borrow_mut().actions += 1;
        client.plot.acts.pop_front();
    }
}

/// Reads from now on, whatever it was to do.
pub(super) fn read_on(shared: &Shared, world: &World) {
    shared.borrow_mut().reading = Reading::Promptly;
    act(shared, world);
}

fn wake(shared: &Shared, world: &World, delay: Duration) {
    let again = Rc::clone(shared);
    world.after(delay, move |world| act(&again, world));
}
