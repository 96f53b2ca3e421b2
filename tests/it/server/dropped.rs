//! Values of the application's that panic when they are dropped, wherever a server holds some: it costs their connection, or
//! nothing.

use core::cell::RefCell;
use std::net::Shutdown;
use std::panic::panic_any;
use std::rc::Rc;

use edgeloop::http::{Fields, Length};
use edgeloop::server::{BodyWriter, Duplex, Intake, Pull, Sink, Taken, Watch};
use edgeloop::sys::{Interest, socket};
use edgeloop::{Completer, Handler, Promise, Reply, Request, ResponseWriter};

use super::client::Client;
use super::hand::Hand;
use super::patient;

/// Panics when it is dropped.
struct Bomb(());

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("a panic that belongs to a test");
    }
}

impl Bomb {
    /// So that a closure takes the whole of it.
    fn keep(&self) {
        let Bomb(()) = self;
    }
}

/// Takes bodies.
struct Holds {
    _bomb: Bomb,
    says: Taken,
}

impl Sink for Holds {
    fn on_data(&mut self, _: &[u8]) -> Taken {
        self.says
    }

    fn on_end(self: Box<Self>, _: Fields<'_>, res: ResponseWriter<'_>) -> Reply {
        res.status(200).text("taken\n")
    }
}

impl Duplex for Holds {
    fn on_data(&mut self, _: &[u8]) -> Taken {
        self.says
    }

    fn on_end(&mut self) {}

    fn pull(&mut self, _: &mut BodyWriter<'_>) -> Pull {
        Pull::Wait
    }
}

/// What was put off, to be given when nobody waits for it any more.
#[derive(Default)]
struct PutOff {
    completers: Vec<Completer>,
    promises: Vec<Promise<Bomb>>,
}

struct App(Rc<RefCell<PutOff>>);

impl Handler for App {
    fn on_request(&mut self, req: &Request<'_>, mut res: ResponseWriter<'_>) -> Reply {
        let bomb = Bomb(());
        let mut put_off = self.0.borrow_mut();
        match req.path() {
            "/source-ends" => {
                let source = move |_: &mut BodyWriter<'_>| {
                    bomb.keep();
                    Pull::End
                };
                res.status(200).stream(Length::Unknown, source)
            }
            "/source-waits" => {
                let waker = res.waker();
                let source = move |_: &mut BodyWriter<'_>| {
                    (&bomb, &waker).0.keep();
                    Pull::Wait
                };
                res.status(200).stream(Length::Unknown, source)
            }
            "/source-of-a-panic" => {
                let source = move |_: &mut BodyWriter<'_>| {
                    bomb.keep();
                    Pull::End
                };
                let _reply = res.status(200).stream(Length::Unknown, source);
                panic!("a panic that belongs to a test")
            }
            "/upgrade" => match res.upgrade(req, "other") {
                Ok(upgrade) => upgrade.duplex(Holds {
                    _bomb: bomb,
                    says: Taken::All,
                }),
                Err(reply) => reply,
            },
            "/completer" => {
                let (completer, reply) = res.defer();
                put_off.completers.push(completer);
                std::mem::forget(bomb);
                reply
            }
            "/continuation" => {
                let (promise, reply) = res.defer_with(move |value: Bomb, res| {
                    bomb.keep();
                    std::mem::forget(value);
                    res.status(200).text("never")
                });
                put_off.promises.push(promise);
                reply
            }
            "/hook" => res
                .on_answered(move |_| bomb.keep())
                .status(200)
                .text("told\n"),
            "/hook-of-nobody" => {
                let (completer, reply) = res.on_answered(move |_| bomb.keep()).defer();
                put_off.completers.push(completer);
                reply
            }
            "/state" => {
                res.connection_state_or(move || bomb);
                res.status(200).text("kept\n")
            }
            "/take-out" => res.take_out(move |_| bomb.keep()),
            "/panic" => panic_any(bomb),
            _ => {
                std::mem::forget(bomb);
                res.status(200).text("fine")
            }
        }
    }

    fn intake(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Intake {
        let holds = |says| Holds {
            _bomb: Bomb(()),
            says,
        };
        match req.path() {
            "/sink" => Intake::stream(1000, holds(Taken::All)),
            "/sink-refuses" => Intake::stream(1000, holds(Taken::Refused)),
            "/sink-without-room" => Intake::stream(1000, holds(Taken::Part(0))),
            "/sink-of-less" => Intake::stream(1, holds(Taken::All)),
            "/sink-beside-an-answer" => {
                let _reply = res.status(200).text("answered");
                Intake::stream(1000, holds(Taken::All))
            }
            "/duplex" => {
                let (length, duplex) = (Length::Unknown, holds(Taken::All));
                Intake::Answer(res.status(200).duplex(length, duplex))
            }
            _ => Intake::Buffer(res.body_bytes_max()),
        }
    }
}

/// Asks, and goes in one of two ways while whatever holds the value is still held, or was dropped before.
fn meet(hand: &mut Hand<App, ()>, request: &str, bystander: &mut Client) {
    for resets in [false, true] {
        let mut client = hand.client();
        client.send(request);
        hand.settle();
        client.pump();
        if resets {
            client.reset();
        } else {
            let _ = client.stream.shutdown(Shutdown::Write); // it may be broken already
            hand.settle();
            drop(client);
        }
        hand.settle();
        assert_eq!(hand.get(bystander, "/").text(), "fine", "{request:?}");
    }
}

#[test]
fn a_value_that_panics_when_it_is_dropped_costs_no_more_than_its_connection() {
    let put_off: Rc<RefCell<PutOff>> = Rc::default();
    let mut hand = Hand::new(patient(), App(Rc::clone(&put_off)), ());
    let mut bystander = hand.client();
    for path in [
        "/source-ends",
        "/source-waits",
        "/source-of-a-panic",
        "/completer",
        "/continuation",
        "/hook",
        "/hook-of-nobody",
        "/state",
        "/take-out",
        "/panic",
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        meet(&mut hand, &request, &mut bystander);
    }
    let upgrade =
        "GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\nx";
    meet(&mut hand, upgrade, &mut bystander);
    for path in [
        "/sink",
        "/sink-refuses",
        "/sink-without-room",
        "/sink-of-less",
        "/sink-beside-an-answer",
        "/duplex",
    ] {
        for body in ["ab", "whole"] {
            let request =
                format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n{body}");
            meet(&mut hand, &request, &mut bystander);
        }
    }
    // Those who gave an answer find nobody.
    let PutOff {
        completers,
        promises,
    } = put_off.take();
    assert_eq!((completers.len(), promises.len()), (4, 2));
    for completer in completers {
        let bomb = Bomb(());
        completer.finish(move |res| {
            bomb.keep();
            res.status(200).text("never")
        });
    }
    for promise in promises {
        promise.finish(Bomb(()));
    }
    hand.settle();
    assert_eq!(hand.get(&mut bystander, "/").text(), "fine");
}

#[test]
fn what_a_program_has_on_the_loop_can_panic_when_it_is_dropped() {
    let mut hand = Hand::new(patient(), App(Rc::default()), ());
    let mut bystander = hand.client();
    let local = hand.event_loop.local().clone();

    // A descriptor that ends, one that is cancelled, and one that is still there at the end.
    for then in [Watch::End, Watch::Keep, Watch::Keep] {
        let bomb = Bomb(());
        let on_ready = move |_: &mut edgeloop::sys::Fd, _| {
            bomb.keep();
            then
        };
        let (near, far) = socket::pair().expect("descriptors");
        let id = local.watch(near, Interest::READ | Interest::EDGE, on_ready);
        drop(far);
        hand.settle();
        let there = local.cancel(id.expect("it is watched"));
        assert_eq!(there, then == Watch::Keep);
    }
    let bomb = Bomb(());
    local.after(super::ms(1), move || bomb.keep());
    let bomb = Bomb(());
    let every = local.every(super::ms(1), move || bomb.keep());
    let bomb = Bomb(());
    local.after(super::PATIENCE, move || bomb.keep());
    hand.settle();
    assert!(local.cancel(every));

    // Mail that is not read any more, and who would have read it.
    let bomb = Bomb(());
    let sender = local.mailbox(move |message: Bomb| {
        bomb.keep();
        drop(message);
    });
    for _ in 0..2 {
        sender.send(Bomb(())).expect("there is room");
    }
    hand.settle();
    drop(sender);
    let bomb = Bomb(());
    let sender = local.mailbox(move |(): ()| bomb.keep());
    drop(sender);
    hand.settle();
    assert_eq!(hand.get(&mut bystander, "/").text(), "fine");
    drop(hand);
}
