//! Nobody takes more than their turn: rules 4 and 9.

use edgeloop::Limits;

use super::client::{Client, get, post};
use super::serve::{PATIENCE, app, hand};

#[test]
fn rule_4_more_connections_than_the_accept_budget_are_all_taken_without_a_new_event() {
    let limits = Limits {
        accept_budget: 4,
        ..Limits::default()
    };
    let mut hand = hand(limits, app);
    let mut clients: Vec<Client> = (0..41).map(|_| Client::connect(hand.address)).collect();
    for turns in 1.. {
        // It may wait, and does not: the rest makes itself heard, although nobody has come since.
        let turn = hand.event_loop.turn(Some(PATIENCE)).expect("epoll works");
        assert_eq!(turn.events, 1, "the listener is still ready");
        assert!(
            hand.event_loop.connections() <= 4 * turns,
            "a budget is kept"
        );
        if hand.event_loop.connections() == 41 {
            break;
        }
    }
    for client in &mut clients {
        client.get("/");
    }
    for client in &mut clients {
        hand.answers(client, 1);
    }
}

#[test]
fn rule_4_a_new_connection_is_heard_after_the_queue_was_emptied() {
    let mut hand = hand(Limits::default(), app);
    for round in 1..=5 {
        let mut clients: Vec<Client> = (0..round).map(|_| hand.connect()).collect();
        for client in &mut clients {
            client.get("/");
            hand.answers(client, 1);
        }
    }
}

#[test]
fn rule_9_a_greedy_pipeliner_does_not_keep_others_from_their_answers() {
    let mut hand = hand(Limits::default(), app);
    let (mut greedy, mut modest) = (hand.connect(), hand.connect());
    let budget = hand.event_loop.limits().request_budget;
    let (mut sent, mut turns) = (0, 0);
    for round in 1..=20 {
        modest.get("/");
        let mut took = 0;
        hand.until("an answer", |hand| {
            while sent < greedy.answers().len() + 1000 {
                greedy.send(get("/").repeat(100));
                sent += 100;
            }
            let turn = hand.turn();
            assert!(
                turn.events > 0 || turn.more,
                "what is left waits for no event"
            );
            (turns, took) = (turns + 1, took + 1);
            greedy.receive();
            modest.receive();
            // `until` makes a turn of its own.
            assert!(greedy.answers().len() <= 2 * turns * budget, "in {turns}");
            modest.answers().len() == round
        });
        assert!(took < 10, "{took} turns");
    }
    hand.answers(&mut greedy, sent);
}

#[test]
fn rule_9_a_greedy_sender_does_not_keep_others_from_their_answers() {
    let limits = Limits {
        receive_budget: 1,
        ..Limits::default()
    };
    let mut hand = hand(limits, app);
    let (mut greedy, mut modest) = (hand.connect(), hand.connect());
    greedy.send(post("/", &vec![b'x'; 300_000]));
    modest.get("/");
    let mut turns = 0;
    hand.until("an answer", |_| {
        turns += 1;
        greedy.receive();
        greedy.answers().len() == 1
    });
    assert!(turns > 4, "one receive a turn, and there were {turns}");
    modest.receive();
    assert_eq!(modest.answers().len(), 1);
}

#[test]
fn rule_9_a_connection_sends_no_more_than_its_budget_in_a_turn() {
    let mut hand = hand(Limits::default(), app);
    let budget = hand.event_loop.limits().send_budget;
    for path in ["/constant/8000000", "/stream/8000000"] {
        let mut client = hand.connect();
        client.get(path);
        let mut turns = 0;
        hand.until("it gets on", |_| {
            turns += 1;
            client.receive();
            let slack = 128 << 10; // a piece that was encoded at the end of the budget
            assert!(client.received.len() <= turns * budget + slack, "{path}");
            client.received.len() > 10 * budget
        });
    }
}

#[test]
fn rule_9_all_connections_together_send_no_more_than_a_mebibyte_in_a_turn() {
    let mut hand = hand(Limits::default(), app);
    let budget = hand.event_loop.limits().turn_send_budget;
    assert_eq!(budget, 1 << 20);
    let paths = ["/constant/8000000", "/stream/8000000", "/body/300000"];
    let mut clients: Vec<Client> = (0..30).map(|_| hand.connect()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.get(paths[number % 3]);
    }
    let (mut sum, mut turns) = (0, 0);
    hand.until("they get on", |_| {
        turns += 1;
        sum += clients.iter_mut().map(Client::receive).sum::<usize>();
        // The last one to be asked may send one answer too many.
        assert!(sum <= turns * (budget + (300 << 10)), "{sum} in {turns}");
        sum > 10 * budget
    });
}

#[test]
fn rule_9_who_asks_for_little_does_not_wait_behind_those_who_ask_for_much() {
    let mut hand = hand(Limits::default(), app);
    let mut many: Vec<Client> = (0..60).map(|_| hand.connect()).collect();
    let mut modest = hand.connect();
    for client in &mut many {
        client.get("/constant/8000000");
    }
    for round in 1..=20 {
        hand.turn();
        for client in &mut many {
            client.receive();
        }
        modest.get("/");
        let turns = hand.until("its answer", |_| {
            modest.receive();
            modest.answers().len() == round
        });
        // The others need fifteen turns for one round. Its request may be a turn late, as everything from a socket may.
        assert!(turns <= 5, "{turns} turns");
    }
}
