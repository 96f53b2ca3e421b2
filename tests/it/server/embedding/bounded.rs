//! A turn does a bounded amount of work, whatever there is to do, and nobody starves.

use core::cell::{Cell, RefCell};
use core::time::Duration;
use std::io::{ErrorKind, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use edgeloop::server::Watch;
use edgeloop::sys::Interest;
use edgeloop::{Completer, Limits, Local, Reply, Request, ResponseWriter};

use super::super::client::Client;
use super::super::hand::Hand;
use super::super::patient;
use super::super::running::mirror;

/// Sends as much as there is room for.
fn fill(client: &mut Client, requests: &[u8]) {
    client.stream.set_nonblocking(true).expect("a socket");
    loop {
        match client.stream.write(requests) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    client.stream.set_nonblocking(false).expect("a socket");
}

#[test]
fn a_turn_of_zero_ends_though_clients_could_keep_it_busy_for_ever() {
    let asked = Rc::new(Cell::new(0));
    let counts = Rc::clone(&asked);
    let handler = move |_: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
        counts.set(counts.get() + 1);
        res.status(200).empty()
    };
    let limits = Limits {
        request_budget: 10,
        ..patient()
    };
    let mut hand = Hand::new(limits, handler, ());
    let mut clients: Vec<_> = (0..5).map(|_| hand.client()).collect();
    let requests = "GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(500);
    for client in &mut clients {
        fill(client, requests.as_bytes());
    }
    let mut busy = 0;
    for _ in 0..200 {
        let before = asked.get();
        let turn = hand.event_loop.turn(Some(Duration::ZERO)).expect("turns");
        let done = asked.get() - before;
        assert!(done <= 50, "{done} requests in one turn");
        busy += usize::from(turn.more);
        for client in &mut clients {
            fill(client, requests.as_bytes());
            client.pump();
        }
    }
    assert!(busy > 100, "there was always more to do: {busy}");
}

/// Each of these makes work for itself as long as it is called.
#[test]
fn what_makes_work_for_itself_is_called_once_a_turn_and_starves_nobody() {
    fn again(local: &Local, count: Rc<Cell<u64>>) {
        let next = local.clone();
        local.after(Duration::ZERO, move || {
            count.set(count.get() + 1);
            again(&next, count);
        });
    }
    let app = |_: &Request<'_>, res: ResponseWriter<'_>| res.status(200).text("served");
    let mut hand = Hand::new(patient(), app, ());
    let local = hand.event_loop.local().clone();
    let [timer, watch, mail] = [(); 3].map(|()| Rc::new(Cell::new(0)));
    again(&local, Rc::clone(&timer));
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    writer.write_all(b"nobody reads this").expect("room");
    let counts = Rc::clone(&watch);
    let watched = local.watch(reader, Interest::READ, move |_, _| {
        counts.set(counts.get() + 1);
        Watch::Keep
    });
    watched.expect("watched");
    let sender: Rc<Cell<Option<edgeloop::server::Sender<()>>>> = Rc::default();
    let (counts, again) = (Rc::clone(&mail), Rc::clone(&sender));
    let first = local.mailbox(move |()| {
        counts.set(counts.get() + 1);
        let sender = again.take().expect("it is put back");
        sender.send(()).expect("it is there");
        again.set(Some(sender));
    });
    first.send(()).expect("it is there");
    sender.set(Some(first));
    let mut client = Client::connect(hand.address);
    client.ask("/");
    let mut turns = 0;
    while client.poll().is_none() {
        let before = [timer.get(), watch.get(), mail.get()];
        let turn = hand.event_loop.turn(Some(Duration::from_secs(5)));
        assert!(turn.expect("turns").events > 0);
        for (count, before) in [&timer, &watch, &mail].into_iter().zip(before) {
            assert!(count.get() - before <= 1);
        }
        turns += 1;
        assert!(turns < 1000, "a client starves");
    }
    for _ in 0..20 {
        hand.event_loop.turn(Some(Duration::ZERO)).expect("turns");
    }
    for count in [&timer, &watch, &mail] {
        assert!(count.get() >= 20, "{}", count.get());
    }
}

/// Mail beyond a turn's budget stands first in the next turn, and before what has come since.
#[test]
fn a_turn_takes_so_much_of_its_mail_and_the_next_one_does_not_wait() {
    let limits = Limits {
        message_budget: 4,
        ..patient()
    };
    let mut hand = Hand::new(limits, mirror, ());
    let got: Rc<RefCell<Vec<u32>>> = Rc::default();
    let takes = Rc::clone(&got);
    let local = hand.event_loop.local();
    let sender = local.mailbox(move |number| takes.borrow_mut().push(number));
    for number in 0..10 {
        sender.send(number).expect("there is room");
    }
    for taken in [4, 8, 12, 16] {
        let turn = hand.event_loop.turn(None).expect("turns");
        let more = taken < 16;
        let due = hand.event_loop.next_deadline() == Some(Duration::ZERO);
        assert_eq!((turn.more, due), (more, more), "after {taken}");
        assert_eq!(*got.borrow(), (0..taken).collect::<Vec<_>>());
        if taken == 4 {
            for number in 10..16 {
                sender.send(number).expect("there is room");
            }
        }
    }
}

/// The budget is one for everything that comes by mail.
#[test]
fn answers_that_were_put_off_are_given_so_many_a_turn() {
    let waiting: Rc<RefCell<Vec<Completer>>> = Rc::default();
    let puts_off = Rc::clone(&waiting);
    let handler = move |_: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
        let (completer, reply) = res.defer();
        puts_off.borrow_mut().push(completer);
        reply
    };
    let limits = Limits {
        message_budget: 2,
        ..patient()
    };
    let mut hand = Hand::new(limits, handler, ());
    let mut clients: Vec<_> = (0..5).map(|_| hand.client()).collect();
    for client in &mut clients {
        client.ask("/");
    }
    hand.until("all have asked", |_| waiting.borrow().len() == 5);
    let given = Arc::new(AtomicU32::new(0));
    for completer in waiting.take() {
        let given = Arc::clone(&given);
        completer.finish(move |res| {
            given.fetch_add(1, Ordering::Relaxed);
            res.status(200).text("late\n")
        });
    }
    for wanted in [2, 4, 5] {
        hand.event_loop.turn(Some(Duration::ZERO)).expect("turns");
        assert_eq!(given.load(Ordering::Relaxed), wanted);
    }
    for client in &mut clients {
        assert_eq!(hand.answer(client).text(), "late\n");
    }
}
