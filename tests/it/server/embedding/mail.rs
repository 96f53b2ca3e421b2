//! Mail from other threads to functions on the loop.

use core::cell::RefCell;
use std::rc::Rc;
use std::thread;

use edgeloop::Limits;
use edgeloop::server::{NotSent, Sender};

use super::super::hand::Hand;
use super::super::patient;
use super::super::running::{Log, mirror};

#[test]
fn mail_from_many_threads_comes_whole_and_each_threads_in_its_order() {
    const THREADS: usize = 4;
    const EACH: usize = 500;
    let mut hand = Hand::new(patient(), mirror, ());
    let got: Rc<RefCell<[Vec<usize>; THREADS]>> = Rc::default();
    let takes = Rc::clone(&got);
    let sender = hand.event_loop.local().mailbox(move |(who, what)| {
        let who: usize = who;
        takes.borrow_mut()[who].push(what);
    });
    thread::scope(|scope| {
        for who in 0..THREADS {
            let sender = sender.clone();
            scope.spawn(move || {
                for what in 0..EACH {
                    sender.send((who, what)).expect("the loop is there");
                }
            });
        }
        hand.until("all mail", |_| {
            got.borrow().iter().all(|it| it.len() == EACH)
        });
    });
    let wanted: Vec<_> = (0..EACH).collect();
    assert!(got.borrow().iter().all(|it| *it == wanted));
}

/// The loop waits, and nothing else would wake it.
#[test]
fn mail_wakes_a_loop_that_waits() {
    let mut hand = Hand::new(patient(), mirror, ());
    let got = Rc::new(RefCell::new(None));
    let takes = Rc::clone(&got);
    let sender = hand
        .event_loop
        .local()
        .mailbox(move |word: &str| *takes.borrow_mut() = Some(word));
    hand.settle();
    let thread = thread::spawn(move || sender.send("wake").expect("it is there"));
    while got.borrow().is_none() {
        let turn = hand.event_loop.turn(Some(super::super::PATIENCE));
        assert!(turn.expect("turns").events > 0, "nobody woke it");
    }
    thread.join().expect("no panic");
}

#[test]
fn a_function_goes_with_its_last_sender() {
    let mut hand = Hand::new(patient(), mirror, ());
    let kept = Rc::new(());
    let held = Rc::clone(&kept);
    let sender: Sender<String> = hand
        .event_loop
        .local()
        .mailbox(move |_| drop(Rc::clone(&held)));
    let other = sender.clone();
    drop(sender);
    hand.settle();
    other.send("still there".to_owned()).expect("the loop is");
    hand.settle();
    assert_eq!(Rc::strong_count(&kept), 2);
    drop(other);
    hand.settle();
    assert_eq!(Rc::strong_count(&kept), 1);
}

#[test]
fn a_function_that_panicked_gets_no_more_mail() {
    let log = Log::default();
    let mut hand = Hand::new(patient(), mirror, log.clone());
    let sender = hand
        .event_loop
        .local()
        .mailbox(|(): ()| panic!("a panic that belongs to a test"));
    sender.send(()).expect("the loop is there");
    hand.settle();
    assert_eq!(sender.send(()), Err(NotSent::Stopped(())));
    hand.settle();
    assert_eq!(log.troubles(), ["LocalPanicked"]);
}

#[test]
fn a_loop_that_has_gone_gives_mail_back() {
    let hand = Hand::new(patient(), mirror, ());
    let sender = hand.event_loop.local().mailbox(|_: String| ());
    drop(hand);
    let back = sender.send("unread".to_owned()).expect_err("it is gone");
    assert_eq!(back, NotSent::Stopped("unread".to_owned()));
}

/// The limit is a mailbox's own, and whoever takes a message makes room for another.
#[test]
fn a_mailbox_has_room_for_so_many_messages() {
    let limits = Limits {
        mailbox_messages_max: 3,
        ..patient()
    };
    let mut hand = Hand::new(limits, mirror, ());
    let got: Rc<RefCell<Vec<u32>>> = Rc::default();
    let takes = Rc::clone(&got);
    let take = move |number| takes.borrow_mut().push(number);
    let sender = hand.event_loop.local().mailbox(take);
    let other = hand.event_loop.local().mailbox(|_: u32| ());
    for number in 0..3 {
        assert_eq!(sender.send(number), Ok(()));
    }
    assert_eq!(sender.clone().send(3), Err(NotSent::Full(3)));
    assert_eq!(other.send(3), Ok(()));
    hand.settle();
    assert_eq!(sender.send(4), Ok(()));
    hand.settle();
    assert_eq!(*got.borrow(), [0, 1, 2, 4]);
}

/// A message that is being taken waits no longer: whoever takes it may send the next one.
#[test]
fn a_function_may_send_to_itself_though_there_is_room_for_one() {
    let limits = Limits {
        mailbox_messages_max: 1,
        ..patient()
    };
    let mut hand = Hand::new(limits, mirror, ());
    let own: Rc<RefCell<Option<Sender<u32>>>> = Rc::default();
    let (sends, got) = (Rc::clone(&own), Rc::new(RefCell::new(Vec::new())));
    let takes = Rc::clone(&got);
    let sender = hand.event_loop.local().mailbox(move |number: u32| {
        takes.borrow_mut().push(number);
        match number {
            3 => *sends.borrow_mut() = None,
            _ => assert_eq!(
                sends.borrow().as_ref().map(|own| own.send(number + 1)),
                Some(Ok(()))
            ),
        }
    });
    *own.borrow_mut() = Some(sender.clone());
    sender.send(1).expect("there is room");
    hand.settle();
    assert_eq!(*got.borrow(), [1, 2, 3]);
}
