//! Someone wakes it: whatever clients do and however small the budgets are, a loop at rest owes nobody anything.

use core::cell::RefCell;
use std::collections::VecDeque;
use std::io::{ErrorKind, Write};
use std::rc::Rc;

use edgeloop::{Completer, Limits, Request, ResponseWriter};

use super::client::{Client, End, get, post, post_chunked};
use super::serve::{CONTENT, app, hand};

/// Answers that were put off, and their content.
type Late = Rc<RefCell<Vec<(Completer, &'static [u8])>>>;

/// xorshift
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

/// A client with its requests, what was sent of them, and what has to come.
struct Script {
    client: Client,
    unsent: VecDeque<u8>,
    expected: Vec<&'static [u8]>,
    finishes: bool,
}

fn script(client: Client, random: &mut Random) -> Script {
    let (mut unsent, mut expected) = (VecDeque::new(), Vec::new());
    for _ in 0..=random.below(12) {
        // Sizes on both sides of the buffers.
        let most = [10, 1000, 70_000, 300_000][random.below(4)];
        let length = 1 + random.below(most);
        let content = &CONTENT[..length];
        let request = match random.below(8) {
            0 => post("/", content),
            1 => post_chunked("/", content),
            2 => get(&format!("/constant/{length}")).into_bytes(),
            3 => get(&format!("/stream/{length}")).into_bytes(),
            4 => get(&format!("/later/{length}")).into_bytes(),
            5 => get(&format!("/soon/{length}")).into_bytes(),
            _ => get(&format!("/body/{length}")).into_bytes(),
        };
        unsent.extend(request);
        expected.push(content);
    }
    Script {
        client,
        unsent,
        expected,
        finishes: random.below(2) == 0,
    }
}

impl Script {
    /// Sends some of what is unsent, in one write.
    fn send(&mut self, most: usize) {
        if self.unsent.is_empty() {
            return;
        }
        let (front, _) = self.unsent.as_slices();
        match self.client.stream.write(&front[..front.len().min(most)]) {
            Ok(count) => drop(self.unsent.drain(..count)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error}"),
        }
        if self.unsent.is_empty() && self.finishes {
            self.client.finish();
        }
    }

    fn is_served(&self) -> bool {
        let end = if self.finishes {
            Some(End::Finished)
        } else {
            None
        };
        self.unsent.is_empty()
            && self.client.end == end
            && self.client.answers().len() == self.expected.len()
    }

    fn check(&self, seed: u64) {
        let answers = self.client.answers();
        assert_eq!(answers.len(), self.expected.len(), "seed {seed}");
        for ((status, content), expected) in answers.iter().zip(&self.expected) {
            assert_eq!(
                (*status, content.len()),
                (200, expected.len()),
                "seed {seed}"
            );
            assert!(content == expected, "seed {seed}");
        }
    }
}

fn check(seed: u64, limits: Limits) {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let late = Late::default();
    let put_off = Rc::clone(&late);
    let handler = move |req: &Request<'_>, res: ResponseWriter<'_>| {
        let way = req.path().get(..5).unwrap_or_default();
        if way != "/late" && way != "/soon" {
            return app(req, res);
        }
        let length = req.path().rsplit('/').next().unwrap_or_default();
        let content = &CONTENT[..length.parse().expect("a number")];
        let (completer, reply) = res.defer();
        if way == "/soon" {
            completer.finish(move |res| res.status(200).constant(content));
        } else {
            put_off.borrow_mut().push((completer, content));
        }
        reply
    };
    let mut hand = hand(limits, handler);
    let mut scripts: Vec<Script> = (0..=random.below(5))
        .map(|_| {
            let client = hand.connect();
            script(client, &mut random)
        })
        .collect();
    for _ in 0..random.below(300) {
        let number = random.below(scripts.len());
        match random.below(5) {
            0 => scripts[number].send(1 + random.below(60_000)),
            1 => {
                let client = &mut scripts[number].client;
                client.receive_most(1 + random.below(60_000));
            }
            2 => finish_one(&late, &mut random),
            _ => {
                hand.turn();
            }
        }
    }
    // Everybody sends what is left and receives what comes. Whoever is forgotten now is woken by nothing else.
    hand.until(&format!("seed {seed}"), |_| {
        finish_one(&late, &mut random);
        scripts.iter_mut().all(|script| {
            script.send(usize::MAX);
            script.client.receive();
            script.is_served()
        })
    });
    hand.settle();
    for script in &mut scripts {
        script.client.receive();
        script.check(seed);
    }
}

/// One of the answers that were put off is given.
fn finish_one(late: &Late, random: &mut Random) {
    let count = late.borrow().len();
    if count == 0 {
        return;
    }
    let (completer, content) = late.borrow_mut().swap_remove(random.below(count));
    match random.below(2) {
        0 => completer.finish(move |res| res.status(200).body(content)),
        _ => completer.finish(move |res| res.status(200).constant(content)),
    }
}

#[test]
fn a_loop_at_rest_owes_nobody_anything() {
    for seed in 0..60 {
        check(seed, Limits::default());
    }
}

#[test]
fn a_loop_at_rest_owes_nobody_anything_however_small_its_budgets_are() {
    for seed in 100..160 {
        let mut random = Random(seed);
        let mut budget = |most: usize| 1 + random.below(most);
        let limits = Limits {
            receive_budget: budget(100_000),
            send_budget: 1000 * budget(100),
            request_budget: budget(3),
            turn_send_budget: 1000 * budget(100),
            accept_budget: budget(2),
            ..Limits::default()
        };
        check(seed, limits);
    }
}
