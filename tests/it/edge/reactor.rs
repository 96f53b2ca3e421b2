//! The reactor by itself, with no HTTP.

use core::time::Duration;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;

use edgeloop::reactor::{Driver, Mailbox, Reactor, Table, Token, Turn};
use edgeloop::sys::socket::{self, More};
use edgeloop::sys::{Epoll, Events, Fd, Instant, Interest, Ready};

use super::serve::PATIENCE;

const ZERO: Option<Duration> = Some(Duration::ZERO);
const ONE: Token = Token::fixed(1);
const TWO: Token = Token::fixed(2);

/// What a driver was told, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Turn,
    Ready(Token, Ready),
    Resume(Token),
    Settled,
    Deadline(Token),
    Message(u64),
}

/// Writes down what it is told, and does no more than that.
#[derive(Default)]
struct Notes(Vec<Told>);

impl Driver for Notes {
    type Message = u64;

    fn on_turn(&mut self, _: &mut Reactor<u64>) {
        self.0.push(Told::Turn);
    }

    fn on_ready(&mut self, _: &mut Reactor<u64>, token: Token, ready: Ready) {
        self.0.push(Told::Ready(token, ready));
    }

    fn on_resume(&mut self, _: &mut Reactor<u64>, token: Token) {
        self.0.push(Told::Resume(token));
    }

    fn on_settled(&mut self, _: &mut Reactor<u64>) {
        self.0.push(Told::Settled);
    }

    fn on_deadline(&mut self, _: &mut Reactor<u64>, token: Token) {
        self.0.push(Told::Deadline(token));
    }

    fn on_message(&mut self, _: &mut Reactor<u64>, message: u64) {
        self.0.push(Told::Message(message));
    }
}

fn reactor<M>() -> Reactor<M> {
    Reactor::new().expect("descriptors")
}

fn turn<D: Driver>(reactor: &mut Reactor<D::Message>, driver: &mut D) -> Turn {
    reactor.turn(driver, ZERO).expect("epoll works")
}

fn pair() -> (Fd, Fd) {
    socket::pair().expect("descriptors")
}

fn send(fd: &Fd, bytes: &[u8]) {
    assert_eq!(
        socket::send(fd, bytes, More::No).expect("room"),
        bytes.len()
    );
}

#[test]
fn a_turn_goes_in_its_order() {
    let (mut reactor, mut notes) = (reactor(), Notes::default());
    let (near, far) = pair();
    reactor
        .register(&near, ONE, Interest::STREAM)
        .expect("a socket");
    send(&far, b"x");
    reactor.run_later(TWO);
    reactor.set_deadline(TWO, Instant::now());
    reactor.mailbox().post(7).expect("it is there");
    let turn = turn(&mut reactor, &mut notes);
    assert!(!turn.more);
    let order = [
        Told::Turn,
        Told::Resume(TWO),
        Told::Ready(ONE, Ready::READ),
        Told::Settled,
        Told::Deadline(TWO),
        Told::Message(7),
    ];
    assert_eq!(notes.0, order);
}

#[test]
fn a_turn_without_time_and_without_work_does_not_wait() {
    let (mut reactor, mut notes) = (reactor(), Notes::default());
    let begin = std::time::Instant::now();
    for _ in 0..100 {
        let turn = turn(&mut reactor, &mut notes);
        assert_eq!((turn.events, turn.more), (0, false));
    }
    assert!(begin.elapsed() < PATIENCE);
    assert_eq!(reactor.next_deadline(), None);
}

/// Whether a thread comes to its end. It has as much time as it needs, as long as it makes progress.
fn ends(over: &mpsc::Receiver<()>, progress: &AtomicU64) -> bool {
    loop {
        let before = progress.load(Ordering::Relaxed);
        if over.recv_timeout(PATIENCE).is_ok() {
            return true;
        }
        if progress.load(Ordering::Relaxed) == before {
            return false;
        }
    }
}

/// Several threads post as fast as they can; the loop waits without end each time, so one lost wake-up hangs it.
#[test]
fn mail_wakes_a_waiting_loop_and_none_is_lost() {
    const THREADS: u64 = 4;
    const EACH: u64 = 20_000;
    struct Count {
        next: [u64; THREADS as usize],
        left: u64,
        progress: Arc<AtomicU64>,
    }
    impl Driver for Count {
        type Message = (u64, u64);

        fn on_ready(&mut self, _: &mut Reactor<Self::Message>, _: Token, _: Ready) {}

        fn on_message(&mut self, reactor: &mut Reactor<Self::Message>, message: (u64, u64)) {
            let (thread, number) = message;
            let next = &mut self.next[thread as usize];
            assert_eq!(number, *next, "in the order of posts");
            *next += 1;
            self.left -= 1;
            self.progress.fetch_add(1, Ordering::Relaxed);
            if self.left == 0 {
                reactor.stop();
            }
        }
    }
    let progress = Arc::<AtomicU64>::default();
    let (counter, (tell, over)) = (Arc::clone(&progress), mpsc::channel());
    thread::spawn(move || {
        let mut reactor = reactor();
        let mailbox: Mailbox<(u64, u64)> = reactor.mailbox();
        let start = Barrier::new(THREADS as usize);
        thread::scope(|scope| {
            for number in 0..THREADS {
                let (mailbox, start) = (mailbox.clone(), &start);
                scope.spawn(move || {
                    start.wait();
                    for message in 0..EACH {
                        mailbox.post((number, message)).expect("it is there");
                        if message % 64 == 0 {
                            thread::yield_now(); // so that the loop comes to wait
                        }
                    }
                });
            }
            let mut count = Count {
                next: [0; THREADS as usize],
                left: THREADS * EACH,
                progress: counter,
            };
            reactor.run(&mut count).expect("epoll works");
        });
        tell.send(())
    });
    assert!(ends(&over, &progress), "mail was lost");
}

/// A ball goes to and fro between two loops that wait without end: each post finds its loop waiting, or about to.
#[test]
fn two_loops_wake_each_other() {
    struct Player(Mailbox<u64>, Arc<AtomicU64>);
    impl Driver for Player {
        type Message = u64;

        fn on_ready(&mut self, _: &mut Reactor<u64>, _: Token, _: Ready) {}

        fn on_message(&mut self, reactor: &mut Reactor<u64>, ball: u64) {
            let _ = self.0.post(ball.saturating_sub(1)); // the last ball finds nobody
            self.1.fetch_add(1, Ordering::Relaxed);
            if ball <= 1 {
                reactor.stop();
            }
        }
    }
    let progress = Arc::<AtomicU64>::default();
    let (counter, (tell, over)) = (Arc::clone(&progress), mpsc::channel());
    thread::spawn(move || {
        let (mut one, mut other) = (reactor(), reactor());
        let (to_one, to_other) = (one.mailbox(), other.mailbox());
        to_one.post(20_000).expect("it is there");
        thread::scope(|scope| {
            let mut player = Player(to_other, Arc::clone(&counter));
            scope.spawn(move || one.run(&mut player).expect("epoll works"));
            let mut player = Player(to_one, counter);
            other.run(&mut player).expect("epoll works");
        });
        tell.send(())
    });
    assert!(ends(&over, &progress), "a ball was lost");
}

#[test]
fn a_post_within_a_turn_makes_no_event_and_is_delivered_in_that_turn() {
    struct Posts(Mailbox<u64>, Vec<u64>);
    impl Driver for Posts {
        type Message = u64;

        fn on_ready(&mut self, _: &mut Reactor<u64>, _: Token, _: Ready) {}

        fn on_settled(&mut self, _: &mut Reactor<u64>) {
            if self.1.is_empty() {
                for message in 0..100 {
                    self.0.post(message).expect("it is there");
                }
            }
        }

        fn on_message(&mut self, _: &mut Reactor<u64>, message: u64) {
            self.1.push(message);
        }
    }
    let mut reactor = reactor();
    let mut posts = Posts(reactor.mailbox(), Vec::new());
    turn(&mut reactor, &mut posts);
    assert_eq!(posts.1, (0..100).collect::<Vec<_>>());
    // Nobody wrote to the eventfd: there is nothing to see.
    assert_eq!(turn(&mut reactor, &mut posts).events, 0);
}

#[test]
fn many_posts_to_a_waiting_loop_make_one_event() {
    let (mut reactor, mut notes) = (reactor(), Notes::default());
    turn(&mut reactor, &mut notes);
    notes.0.clear();
    let mailbox = reactor.mailbox();
    for message in 0..100 {
        mailbox.post(message).expect("it is there");
    }
    assert_eq!(turn(&mut reactor, &mut notes).events, 1);
    let messages = notes.0.iter().filter(|it| matches!(it, Told::Message(_)));
    assert_eq!(messages.count(), 100);
    assert_eq!(turn(&mut reactor, &mut notes).events, 0);
}

#[test]
fn mail_for_a_loop_that_is_gone_comes_back() {
    let reactor = reactor();
    let mailbox = reactor.mailbox();
    drop(reactor);
    assert_eq!(mailbox.post(7).map_err(|stopped| stopped.0), Err(7));
}

/// Two descriptors are ready in one turn, and the first event closes the other one's entry, whose slot is taken at once.
#[test]
fn a_stale_token_finds_nothing_although_its_slot_is_taken() {
    struct Closes {
        table: Table<Fd>,
        tokens: Vec<Token>,
        stale: usize,
        found: usize,
    }
    impl Driver for Closes {
        type Message = ();

        fn on_ready(&mut self, reactor: &mut Reactor<()>, token: Token, _: Ready) {
            if self.table.get(token).is_none() {
                self.stale += 1;
                return;
            }
            self.found += 1;
            for other in std::mem::take(&mut self.tokens) {
                if other != token {
                    self.table.remove(other);
                    let (near, _) = pair();
                    let (successor, near) = self.table.insert(near);
                    assert_ne!(successor, other);
                    reactor
                        .register(&*near, successor, Interest::NONE)
                        .expect("a socket");
                }
            }
        }
    }
    let (mut reactor, mut table) = (reactor(), Table::new());
    let (mut tokens, mut others) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let (near, far) = pair();
        let (token, near) = table.insert(near);
        reactor
            .register(&*near, token, Interest::STREAM)
            .expect("a socket");
        send(&far, b"x");
        tokens.push(token);
        others.push(far);
    }
    let mut closes = Closes {
        table,
        tokens,
        stale: 0,
        found: 0,
    };
    turn(&mut reactor, &mut closes);
    assert_eq!((closes.found, closes.stale), (1, 1));
}

#[test]
fn the_run_queue_is_fair_and_one_turn_late() {
    struct Goes(Vec<Token>, usize);
    impl Driver for Goes {
        type Message = ();

        fn on_ready(&mut self, _: &mut Reactor<()>, _: Token, _: Ready) {}

        fn on_resume(&mut self, reactor: &mut Reactor<()>, token: Token) {
            self.0.push(token);
            self.1 = self.1.saturating_sub(1);
            reactor.run_later(token);
        }

        fn may_resume(&self) -> bool {
            self.1 > 0
        }
    }
    let mut reactor = reactor();
    let tokens = [0, 1, 2, 3, 4].map(Token::fixed);
    for token in tokens {
        reactor.run_later(token);
    }
    assert_eq!(reactor.next_deadline(), Some(Duration::ZERO));
    let mut goes = Goes(Vec::new(), usize::MAX);
    // Everybody once, although all come back at once.
    assert!(turn(&mut reactor, &mut goes).more);
    assert_eq!(goes.0, tokens);
    // Two in a turn: nobody comes twice before all have come once.
    for _ in 0..5 {
        goes.1 = 2;
        assert!(turn(&mut reactor, &mut goes).more);
    }
    assert_eq!(goes.0, [tokens, tokens, tokens].concat());
    // Work that is left does not wait for an event.
    let begin = std::time::Instant::now();
    goes.1 = 1;
    reactor.turn(&mut goes, None).expect("epoll works");
    assert!(begin.elapsed() < PATIENCE);
}

#[test]
fn deadlines_are_met_in_order_and_never_early() {
    struct Times(Vec<(Token, Instant)>);
    impl Driver for Times {
        type Message = ();

        fn on_ready(&mut self, _: &mut Reactor<()>, _: Token, _: Ready) {}

        fn on_deadline(&mut self, reactor: &mut Reactor<()>, token: Token) {
            self.0.push((token, reactor.now()));
        }
    }
    let mut reactor = reactor();
    let begin = Instant::now();
    // Odd microseconds: rounded down to milliseconds they would be early, or make a loop that spins.
    let at = |number: u16| begin + Duration::from_micros(1_700 + 1_301 * u64::from(number));
    for number in (0..20).rev() {
        reactor.set_deadline(Token::fixed(number), at(number));
    }
    let (mut times, mut turns) = (Times(Vec::new()), 0);
    while let Some(left) = reactor.next_deadline() {
        assert!(left < Duration::from_secs(1));
        reactor.turn(&mut times, None).expect("epoll works");
        turns += 1;
    }
    assert!(turns <= 21, "{turns} turns");
    let tokens: Vec<Token> = times.0.iter().map(|(token, _)| *token).collect();
    assert_eq!(tokens, (0..20).map(Token::fixed).collect::<Vec<_>>());
    for (number, (_, met)) in (0..20).zip(&times.0) {
        assert!(*met >= at(number), "{number} is early");
    }
}

#[test]
fn a_deadline_that_was_taken_away_or_moved_is_not_met() {
    let (mut reactor, mut notes) = (reactor(), Notes::default());
    reactor.set_deadline(ONE, Instant::now());
    reactor.clear_deadline(ONE);
    reactor.set_deadline(TWO, Instant::now());
    reactor.set_deadline(TWO, Instant::now() + Duration::from_secs(60));
    turn(&mut reactor, &mut notes);
    assert_eq!(notes.0, [Told::Turn, Told::Settled]);
    let left = reactor.next_deadline().expect("one is left");
    assert!(left > Duration::from_secs(50) && left <= Duration::from_secs(60));
}

/// A timer that is set to the present each time it is met: other work has its turn all the same.
#[test]
fn a_deadline_of_no_time_does_not_hold_up_the_turn() {
    struct Hurries(usize);
    impl Driver for Hurries {
        type Message = ();

        fn on_ready(&mut self, _: &mut Reactor<()>, _: Token, _: Ready) {}

        fn on_deadline(&mut self, reactor: &mut Reactor<()>, token: Token) {
            self.0 += 1;
            assert!(self.0 < 100, "the turn has no end");
            reactor.set_deadline(token, reactor.now());
        }
    }
    let (mut reactor, mut hurries) = (reactor(), Hurries(0));
    reactor.set_deadline(ONE, Instant::now());
    for turns in 1..10 {
        reactor.turn(&mut hurries, None).expect("epoll works");
        assert_eq!(hurries.0, turns);
        assert_eq!(reactor.next_deadline(), Some(Duration::ZERO));
    }
}

/// Takes one message a turn.
#[derive(Default)]
struct OneATurn {
    taken: Vec<u64>,
    may: bool,
}

impl Driver for OneATurn {
    type Message = u64;

    fn on_turn(&mut self, _: &mut Reactor<u64>) {
        self.may = true;
    }

    fn on_ready(&mut self, _: &mut Reactor<u64>, _: Token, _: Ready) {}

    fn may_deliver(&self) -> bool {
        self.may
    }

    fn on_message(&mut self, _: &mut Reactor<u64>, message: u64) {
        self.taken.push(message);
        self.may = false;
    }
}

#[test]
fn mail_that_a_turn_leaves_is_work_for_the_next_one_before_newer_mail() {
    let (mut reactor, mut driver) = (reactor(), OneATurn::default());
    for message in 0..2 {
        reactor.mailbox().post(message).expect("it is there");
    }
    let first = turn(&mut reactor, &mut driver);
    assert!(first.more);
    assert_eq!(reactor.next_deadline(), Some(Duration::ZERO));
    reactor.mailbox().post(2).expect("it is there");
    // Nothing waits, whatever the time-out.
    for taken in [2, 3] {
        let next = reactor.turn(&mut driver, None).expect("epoll works");
        assert_eq!((driver.taken.len(), next.more), (taken, taken < 3));
    }
    assert_eq!(driver.taken, [0, 1, 2]);
    assert_eq!(reactor.next_deadline(), None);
}

/// What a loop that hosts this one has to know: its descriptor is readable when there are events or mail, is not when they
/// were dealt with, and the time-outs say the rest.
#[test]
fn a_reactor_nests_in_another_epoll_level_triggered() {
    let (mut reactor, mut notes) = (reactor(), Notes::default());
    let (host, mut events) = (
        Epoll::new().expect("a descriptor"),
        Events::with_capacity(8),
    );
    host.add(&reactor, Interest::READ, 1).expect("epolls nest");
    let mut readable = || host.wait(&mut events, ZERO).expect("epoll works") == 1;
    assert!(!readable());

    let (near, far) = pair();
    reactor
        .register(&near, ONE, Interest::STREAM)
        .expect("a socket");
    assert!(!readable());
    send(&far, b"x");
    assert!(readable() && readable(), "until it has had its turn");
    turn(&mut reactor, &mut notes);
    assert!(!readable(), "the event was taken, the byte was not");

    reactor.mailbox().post(1).expect("it is there");
    assert!(readable());
    turn(&mut reactor, &mut notes);
    assert!(!readable());

    reactor.run_later(ONE);
    assert_eq!(reactor.next_deadline(), Some(Duration::ZERO));
    assert!(!readable(), "leftover work is not an event");
    turn(&mut reactor, &mut notes);
    assert_eq!(reactor.next_deadline(), None);

    let mailbox = reactor.mailbox();
    let other = thread::spawn(move || mailbox.post(2));
    let woken = host.wait(&mut events, Some(PATIENCE)).expect("epoll works");
    assert_eq!(woken, 1, "another thread wakes the host");
    assert!(other.join().expect("no panic").is_ok());
    turn(&mut reactor, &mut notes);
    assert!(notes.0.contains(&Told::Message(2)));
}

#[test]
fn an_edge_is_told_once_and_reregistering_tells_it_again() {
    let (mut reactor, mut notes) = (reactor(), Notes::default());
    let (near, far) = pair();
    reactor
        .register(&near, ONE, Interest::STREAM)
        .expect("a socket");
    send(&far, b"x");
    assert_eq!(turn(&mut reactor, &mut notes).events, 1);
    assert_eq!(turn(&mut reactor, &mut notes).events, 0);
    let both = Interest::STREAM | Interest::WRITE;
    reactor.reregister(&near, ONE, both).expect("a socket");
    notes.0.clear();
    assert_eq!(turn(&mut reactor, &mut notes).events, 1);
    assert_eq!(notes.0[1], Told::Ready(ONE, Ready::READ | Ready::WRITE));
    // Closed, it is watched no longer.
    send(&far, b"y");
    drop(near);
    assert_eq!(turn(&mut reactor, &mut notes).events, 0);
}

#[test]
fn data_and_the_end_are_one_event_and_no_edge_follows() {
    let (mut reactor, mut notes) = (reactor(), Notes::default());
    let (near, far) = pair();
    reactor
        .register(&near, ONE, Interest::STREAM)
        .expect("a socket");
    send(&far, b"last words");
    socket::shutdown_write(&far).expect("open");
    turn(&mut reactor, &mut notes);
    let ready = Ready::READ | Ready::PEER_CLOSED;
    assert_eq!(notes.0[1], Told::Ready(ONE, ready));
    let mut buffer = [0; 100];
    assert_eq!(socket::recv(&near, &mut buffer).expect("bytes"), 10);
    // A short read, and the end of the stream is still to be had: nobody will say so.
    assert_eq!(turn(&mut reactor, &mut notes).events, 0);
    assert_eq!(socket::recv(&near, &mut buffer).expect("the end"), 0);
}
