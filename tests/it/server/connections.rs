//! More clients than there is room for, and clients that would take all of the loop's time.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::mpsc;

use edgeloop::server::CloseReason;
use edgeloop::{Completer, Handler, Limits, Reply, Request, ResponseWriter};

use super::client::{Client, End};
use super::hand::Hand;
use super::running::{Log, Seen, take};
use super::{ms, patient};

fn room_for(connections: usize) -> Limits {
    Limits {
        connections_max: Some(connections),
        ..patient()
    }
}

/// Answers at once, or under `/later` never by itself.
fn handler() -> (impl Handler, mpsc::Receiver<Completer>) {
    let (to, from) = mpsc::channel();
    let handler = move |req: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
        if req.path() != "/later" {
            return res.status(200).body(req.path());
        }
        let (completer, reply) = res.defer();
        to.send(completer).expect("the test waits for it");
        reply
    };
    (handler, from)
}

/// Connects beyond the limit, and asks.
fn one_more(hand: &mut Hand<impl Handler, Log>) -> (Client, u16) {
    let mut client = Client::connect(hand.address);
    client.ask("/");
    let status = hand.answer(&mut client).status;
    (client, status)
}

#[test]
fn who_never_sent_a_byte_makes_room_first_then_who_idles_longest() {
    let (handler, deferred) = handler();
    let log = Log::default();
    let mut hand = Hand::new(room_for(5), handler, log.clone());
    let mut idle_longest = hand.client();
    hand.get(&mut idle_longest, "/");
    hand.settle();
    let mut idle = hand.client();
    hand.get(&mut idle, "/");
    hand.settle();
    let mut mute_longest = hand.client();
    hand.settle();
    let mut mute = hand.client();
    let mut busy = hand.client();
    busy.ask("/later");
    hand.settle();
    let completer = take(&deferred);

    let mut served = Vec::new();
    for victim in [&mut mute_longest, &mut mute, &mut idle_longest, &mut idle] {
        assert_eq!(victim.poll_end(), None);
        let (client, status) = one_more(&mut hand);
        assert_eq!(status, 200);
        assert_eq!(hand.end(victim), End::Finished);
        served.push(client);
        hand.settle();
    }
    assert_eq!(log.closed(), [CloseReason::Evicted; 4]);
    assert_eq!(hand.event_loop.connections(), 5);
    // The busy one is not idle.
    completer.finish(|res| res.status(200).body("busy"));
    assert_eq!(hand.answer(&mut busy).text(), "busy");
    for client in &mut served {
        assert_eq!(hand.get(client, "/still").text(), "/still");
    }
}

#[test]
fn when_all_are_busy_one_more_is_told_so() {
    let (handler, deferred) = handler();
    let log = Log::default();
    let mut hand = Hand::new(room_for(4), handler, log.clone());
    let mut busy: Vec<_> = (0..4).map(|_| hand.client()).collect();
    for client in &mut busy {
        client.ask("/later");
    }
    hand.settle();
    let completers: Vec<_> = (0..4).map(|_| take(&deferred)).collect();

    let mut refused = Client::connect(hand.address);
    let answer = hand.answer(&mut refused);
    assert_eq!((answer.status, answer.closes()), (503, true));
    assert_eq!(hand.end(&mut refused), End::Finished);
    drop(refused);
    hand.until("it is closed", |_| log.closed() == [CloseReason::Refused]);
    assert_eq!(log.troubles(), ["Refused"]);

    // Beyond what can be told, they are closed at once.
    let mut many: Vec<_> = (0..50).map(|_| Client::connect(hand.address)).collect();
    hand.settle();
    assert!(hand.event_loop.connections() <= 4 + 32);
    let troubles = log.troubles();
    let count = |what: &str| troubles.iter().filter(|it| *it == what).count();
    assert_eq!((count("Refused"), count("Dropped")), (1 + 32, 50 - 32));
    let told = many.iter_mut().filter_map(Client::poll).count();
    assert_eq!(told, 32);
    drop(many);
    hand.until("there is room", |hand| hand.event_loop.connections() == 4);

    for completer in completers {
        completer.finish(|res| res.status(200).body("done"));
    }
    for client in &mut busy {
        assert_eq!(hand.answer(client).text(), "done");
    }
    assert_eq!(one_more(&mut hand).1, 200, "one of them idles now");
}

#[test]
fn a_request_that_the_kernel_has_is_not_evicted() {
    let log = Log::default();
    let late: Rc<RefCell<Option<Client>>> = Rc::default();
    let sender = Rc::clone(&late);
    let handler = move |req: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
        // After this turn's wait, and before anybody is accepted in it.
        if let ("/trigger", Some(idle)) = (req.path(), &mut *sender.borrow_mut()) {
            idle.ask("/in-the-kernel");
        }
        res.status(200).body(req.path())
    };
    let mut hand = Hand::new(room_for(3), handler, log.clone());
    let [mut idle, mut younger, mut trigger] = [(); 3].map(|()| {
        let mut client = hand.client();
        assert_eq!(hand.get(&mut client, "/").status, 200);
        client
    });
    idle.pump();
    *late.borrow_mut() = Some(idle);
    trigger.ask("/trigger");
    let mut newcomer = Client::connect(hand.address);
    newcomer.ask("/new");
    assert_eq!(hand.answer(&mut newcomer).text(), "/new");
    let mut idle = late.take().expect("put there");
    assert_eq!(hand.answer(&mut idle).text(), "/in-the-kernel");
    assert_eq!(hand.answer(&mut trigger).text(), "/trigger");
    assert_eq!(hand.end(&mut younger), End::Finished);
    assert_eq!(log.closed(), [CloseReason::Evicted]);
}

fn answered(log: &Log) -> usize {
    let all = log.all();
    all.iter()
        .filter(|seen| matches!(seen, Seen::Answered(..)))
        .count()
}

#[test]
fn one_client_with_many_requests_does_not_keep_the_others_waiting() {
    let limits = Limits {
        request_budget: 3,
        ..patient()
    };
    let (handler, _deferred) = handler();
    let log = Log::default();
    let mut hand = Hand::new(limits, handler, log.clone());
    let mut greedy = hand.client();
    greedy.send("GET /greedy HTTP/1.1\r\nHost: a\r\n\r\n".repeat(100));
    hand.until("it begins", |_| answered(&log) > 0);
    assert_eq!(answered(&log), 3);
    let mut modest = hand.client();
    assert_eq!(hand.get(&mut modest, "/modest").text(), "/modest");
    assert!(answered(&log) < 100, "the greedy one is not done");
    for _ in 0..100 {
        assert_eq!(hand.answer(&mut greedy).text(), "/greedy");
    }
}

const BIG: usize = 4 << 20;
static BIG_BODY: [u8; BIG] = [b'x'; BIG];

#[test]
fn a_turn_sends_no_more_than_its_budget() {
    const CLIENTS: usize = 5;
    let limits = Limits {
        send_budget: 64 << 10,
        turn_send_budget: 100 << 10,
        ..patient()
    };
    let big =
        |_: &Request<'_>, res: ResponseWriter<'_>| -> Reply { res.status(200).constant(&BIG_BODY) };
    let mut hand = Hand::new(limits, big, Log::default());
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| hand.client()).collect();
    for client in &mut clients {
        client.ask("/");
    }
    let mut received = [0; CLIENTS];
    while received.iter().any(|bytes| *bytes < BIG) {
        let before: usize = received.iter().sum();
        hand.event_loop.turn(Some(ms(1))).expect("turns");
        for (client, bytes) in clients.iter_mut().zip(&mut received) {
            *bytes += drained(client);
        }
        let sent = received.iter().sum::<usize>() - before;
        // The heads of a few answers may come on top, and what the kernel held back before.
        assert!(sent <= 5 * (100 << 10), "{sent} bytes in one turn");
        let (most, least) = (received.iter().max(), received.iter().min());
        let ahead = most.expect("some") - least.expect("some");
        assert!(ahead <= 2 << 20, "one is {ahead} bytes ahead of another");
    }
}

/// How many bytes are there to be received, which are.
fn drained(client: &mut Client) -> usize {
    use std::io::Read;
    client.stream.set_nonblocking(true).expect("a socket");
    let (mut piece, mut bytes) = ([0; 16 << 10], 0);
    while let Ok(count @ 1..) = client.stream.read(&mut piece) {
        bytes += count;
    }
    bytes
}
