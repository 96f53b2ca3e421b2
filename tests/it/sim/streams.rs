//! The application's streams: sources that wait, sinks without room, and both at once.

use core::time::Duration;
use std::collections::VecDeque;

use edgeloop::http::{Fields, Length};
use edgeloop::server::{BodyWriter, Duplex, Pull, Sink, Source, Taken, Waker};
use edgeloop::sys::sim::{PeerState, World};
use edgeloop::{Intake, Reply, ResponseWriter};

use super::app::{self, BODY_MAX, content};

/// Bytes of a tick.
const TICK: usize = 2_500;
/// What a duplex keeps at most.
const KEPT: usize = 500;
/// A wake may get lost when calls fail, as mail may.
const AGAIN: Duration = Duration::from_secs(5);

/// Answers by and by.
pub(super) fn ticks(world: &World, id: u32, length: usize, mut res: ResponseWriter<'_>) -> Reply {
    let ticks = Ticks {
        world: world.clone(),
        waker: res.waker(),
        content: content(id, length),
        at: 0,
    };
    res.status(200).stream(Length::Unknown, ticks)
}

/// Takes a body slowly, and gives it back when it is whole.
pub(super) fn slow_sink(world: &World, mut res: ResponseWriter<'_>) -> Intake {
    let sink = Slow {
        world: world.clone(),
        waker: res.waker(),
        body: Vec::new(),
    };
    Intake::stream(BODY_MAX as u64, sink)
}

/// Gives a body back while it comes.
pub(super) fn back(res: ResponseWriter<'_>) -> Reply {
    res.status(200).duplex(Length::Unknown, Back::default())
}

struct Ticks {
    world: World,
    waker: Waker,
    content: &'static [u8],
    at: usize,
}

/// Wakes it after a time that depends on where it is, and once more for good measure.
fn wake_soon(world: &World, waker: &Waker, at: usize) {
    let soon = Duration::from_micros(at as u64 * 7 % 3_000);
    for delay in [soon, AGAIN] {
        let waker = waker.clone();
        world.after(delay, move |_| waker.wake());
    }
}

impl Source for Ticks {
    fn pull(&mut self, body: &mut BodyWriter<'_>) -> Pull {
        let end = self.content.len().min(self.at + TICK);
        body.write(&self.content[self.at..end]);
        self.at = end;
        if end == self.content.len() {
            return Pull::End;
        }
        wake_soon(&self.world, &self.waker, self.at);
        Pull::Wait
    }
}

struct Slow {
    world: World,
    waker: Waker,
    body: Vec<u8>,
}

impl Sink for Slow {
    fn on_data(&mut self, data: &[u8]) -> Taken {
        let most = 1 + self.body.len() % 900;
        let part = data.len().min(most);
        self.body.extend_from_slice(&data[..part]);
        if part == data.len() {
            return Taken::All;
        }
        wake_soon(&self.world, &self.waker, self.body.len());
        Taken::Part(part)
    }

    fn on_end(self: Box<Self>, _: Fields<'_>, res: ResponseWriter<'_>) -> Reply {
        res.status(200).body(&self.body)
    }
}

#[derive(Default)]
struct Back {
    kept: VecDeque<u8>,
    ended: bool,
}

impl Duplex for Back {
    fn on_data(&mut self, data: &[u8]) -> Taken {
        let part = data.len().min(KEPT - self.kept.len());
        self.kept.extend(&data[..part]);
        Taken::Part(part)
    }

    fn on_end(&mut self) {
        self.ended = true;
    }

    fn pull(&mut self, body: &mut BodyWriter<'_>) -> Pull {
        body.write(self.kept.make_contiguous());
        self.kept.clear();
        if self.ended { Pull::End } else { Pull::Wait }
    }
}

/// The answer has begun, and can't say what is wrong.
#[test]
fn a_body_that_goes_wrong_ends_what_gives_it_back_with_a_reset() {
    for wrong in ["1\r\nx\r\nno size", "1\r\nx\r\n"] {
        let world = World::new(1);
        let _inside = world.enter();
        let mut server = app::serve(&world);
        let client = world.connect(80).expect("it listens");
        let head = "POST /back/1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        client.send(head.as_bytes());
        client.send(wrong.as_bytes());
        client.finish();
        while !client.has_end() {
            server.turn(Some(Duration::from_secs(200))).expect("a turn");
        }
        let mut got = Vec::new();
        client.receive(&mut got, usize::MAX);
        assert_eq!(client.state(), PeerState::Reset, "{wrong:?}");
    }
}
