//! Small scenes, always the same, that together make every call there is.

use core::time::Duration;
use std::collections::VecDeque;

use edgeloop::server::CloseReason as Why;
use edgeloop::sys::sim::{Net, Plan, World};

use super::alone;
use super::app::{self, FILES};
use super::fresh;
use super::local;
use super::plot::{ANY_END_BY_CLIENT, ASKED, Act, Body, Expected, ORDERLY, Plot, Reading, Takes};
use super::plots::silent;
use super::report::{Failure, Report};
use super::requests::{all_answers, refused};
use super::run::{Cast, Said, check_nothing_left, in_world, play};
use super::setting::{Excuse, Setting};

/// Something that a server goes through.
#[derive(Clone, Copy)]
pub(super) struct Scene {
    pub(super) name: &'static str,
    pub(super) play: fn(&Fault) -> Result<Report, Failure>,
    /// Accepting pauses in it. With an epoll that takes no changes at all a listener can't be told to be quiet then, and the
    /// loop turns without rest: that epoll_ctl(2) fails for good is not tried here.
    pub(super) pauses: bool,
}

/// What goes wrong in a scene.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) plan: Plan,
    pub(super) excused: Vec<Excuse>,
    pub(super) calls_max: u64,
    pub(super) trace: bool,
}

pub(super) const SCENES: &[Scene] = &[
    Scene {
        name: "all kinds of clients",
        play: |fault| fault.strike(two_addresses(), all_kinds()),
        pauses: false,
    },
    Scene {
        name: "files without openat2 and sendfile",
        play: |fault| fault.strike(old_kernel(), vec![gets_files(), gets_files()]),
        pauses: false,
    },
    Scene {
        name: "few descriptors",
        play: |fault| fault.strike(few_descriptors(), (0..5).map(|_| keeps_on()).collect()),
        pauses: true,
    },
    Scene {
        name: "no descriptors at first",
        play: |fault| fault.strike(no_descriptors(), vec![keeps_on(), keeps_on()]),
        pauses: true,
    },
    Scene {
        name: "stopped while busy",
        play: |fault| fault.strike(stopped_while_busy(), busy()),
        pauses: false,
    },
    Scene {
        name: "one core, pinned",
        play: |fault| fault.strike_at(alone::one_core),
        pauses: false,
    },
    Scene {
        name: "two cores",
        play: |fault| fault.strike_at(alone::two_cores),
        pauses: false,
    },
    Scene {
        name: "a program around the server",
        play: |fault| fault.strike_at(local::program),
        pauses: false,
    },
    Scene {
        name: "files that change",
        play: |fault| fault.strike_at(fresh::files_change),
        pauses: false,
    },
    Scene {
        name: "calls by themselves",
        play: |fault| fault.strike_at(alone::single_calls),
        pauses: false,
    },
];

impl Fault {
    /// Nothing fails.
    pub(super) fn none() -> Fault {
        Fault {
            plan: Plan::Sound,
            excused: Vec::new(),
            calls_max: 10_000,
            trace: false,
        }
    }

    pub(super) fn strike(&self, setting: Setting, cast: Vec<Plot>) -> Result<Report, Failure> {
        let setting = Setting {
            plan: self.plan.clone(),
            excused: self.excused.clone(),
            start_may_fail: true,
            calls_max: self.calls_max,
            ..setting
        };
        play(1, setting, Cast::These(cast.into()), self.trace)
    }

    fn strike_at(
        &self,
        scene: fn(&World, &Fault) -> Said<Option<String>>,
    ) -> Result<Report, Failure> {
        in_world(1, self.trace, |world| {
            world.set_plan(self.plan.clone());
            world.set_calls_max(self.calls_max);
            let error = scene(world, self)?;
            world.forget_steps();
            check_nothing_left(world)?;
            Ok(Report {
                error,
                ..Report::of(world)
            })
        })
    }
}

/// Buffers that answers of some thousand bytes fill.
const NARROW: Net = Net {
    send_room: 8_000,
    receive_room: 8_000,
    peer_receive_room: 4_000,
    latency: Duration::ZERO,
    piece: usize::MAX,
};

/// With the socket file of a dead server, and stopped by a signal.
fn two_addresses() -> Setting {
    Setting {
        net: NARROW,
        addresses: &["127.0.0.1:80", "unix:/run/a.sock"],
        lanes: 4,
        has_signals: true,
        ..Setting::plain()
    }
}

fn all_kinds() -> Vec<Plot> {
    vec![
        keeps_on(),
        expects(),
        gets_files(),
        waits(),
        works(),
        reads_slowly(),
        silent(),
        breaks(),
        never_reads(),
        old(),
        panics(),
        resets(),
        finishes(),
    ]
}

/// Neither openat2 nor sendfile.
fn old_kernel() -> Setting {
    Setting {
        net: NARROW,
        lanes: 2,
        has_sendfile: false,
        has_openat2: false,
        ..Setting::plain()
    }
}

/// Those of the loop, the listener and the files are five: two more clients have room.
fn few_descriptors() -> Setting {
    Setting {
        lanes: 5,
        descriptors: 7,
        ..Setting::plain()
    }
}

/// Accepting pauses several times with no connection whose end would have it go on.
fn no_descriptors() -> Setting {
    Setting {
        lanes: 2,
        descriptors: 5,
        more_descriptors_at: Some(Duration::from_millis(1_200)),
        ..Setting::plain()
    }
}

fn stopped_while_busy() -> Setting {
    Setting {
        lanes: 4,
        drain_at: Some(Duration::from_millis(100)),
        ..two_addresses()
    }
}

fn busy() -> Vec<Plot> {
    vec![silent(), never_reads(), waits(), reads_slowly()]
}

fn text(plot: &mut Plot, id: u32) {
    let body = Body::Exact(id.to_string().into());
    plot.get(&format!("/text/{id}"), body, Takes::Nothing);
}

fn content(plot: &mut Plot, kind: &str, id: u32, length: usize) {
    let body = Body::Content(app::content(id, length));
    plot.get(&format!("/{kind}/{id}/{length}"), body, Takes::Nothing);
}

fn file(plot: &mut Plot, kind: &str, which: usize) {
    let (name, length) = FILES[which];
    let body = Body::Content(app::content(0, length));
    plot.get(&format!("/{kind}/0/{name}"), body, Takes::File);
}

/// Requests one after the other and behind each other.
pub(super) fn keeps_on() -> Plot {
    let mut plot = Plot::new("keeps on", ORDERLY);
    text(&mut plot, 1);
    text(&mut plot, 2);
    all_answers(&mut plot);
    plot.act(Act::Pause(Duration::from_millis(2)));
    content(&mut plot, "body", 3, 2_000);
    all_answers(&mut plot);
    plot
}

/// Holds its body back, and sends it in chunks.
pub(super) fn expects() -> Plot {
    let mut plot = Plot::new("expects", ORDERLY);
    let head = "POST /echo/4 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n";
    plot.act(Act::Send(head.into()));
    plot.act(Act::Continue);
    let body = app::content(4, 700);
    for part in body.chunks(300) {
        plot.act(Act::Send(format!("{:x}\r\n", part.len()).into()));
        plot.act(Act::Send([part, b"\r\n"].concat()));
    }
    plot.act(Act::Send(b"0\r\n\r\n".to_vec()));
    plot.expected.push(Expected {
        what: "POST /echo/4".to_owned(),
        head_only: false,
        status: 200,
        body: Body::Content(body),
        takes: Takes::Nothing,
    });
    all_answers(&mut plot);
    plot.act(Act::Finish);
    plot.act(Act::End);
    plot
}

/// A small one, which is read, and one that is sent with sendfile, by both handlers.
pub(super) fn gets_files() -> Plot {
    let mut plot = Plot::new("gets files", ORDERLY);
    for kind in ["file", "www"] {
        for which in [1, 2] {
            file(&mut plot, kind, which);
            all_answers(&mut plot);
        }
    }
    // What is in their directory.
    plot.get("/www/0/", Body::Any, Takes::File);
    all_answers(&mut plot);
    plot
}

pub(super) fn gets_a_small_file() -> Plot {
    let mut plot = Plot::new("gets a small file", ORDERLY);
    file(&mut plot, "www", 1);
    all_answers(&mut plot);
    plot
}

/// Its first answer comes later, by mail.
fn waits() -> Plot {
    let mut plot = Plot::new("waits", ORDERLY);
    plot.get("/later/5/3000", Body::Exact(b"5".to_vec()), Takes::Mail);
    text(&mut plot, 6);
    all_answers(&mut plot);
    plot
}

/// Its answers come from threads.
fn works() -> Plot {
    let mut plot = Plot::new("works", ORDERLY);
    for kind in ["pool", "lane", "steps"] {
        let path = format!("/{kind}/15");
        plot.get(&path, Body::Exact(b"15".to_vec()), Takes::Thread);
    }
    plot.get("/promise/16/2000", Body::Exact(b"16".to_vec()), Takes::Mail);
    all_answers(&mut plot);
    plot
}

fn reads_slowly() -> Plot {
    let mut plot = Plot::new("reads slowly", ORDERLY);
    let every = Duration::from_millis(20);
    plot.act(Act::Reading(Reading::Slowly(4_000, every)));
    content(&mut plot, "constant", 7, 30_000);
    text(&mut plot, 8);
    all_answers(&mut plot);
    plot.act(Act::Finish);
    plot.act(Act::End);
    plot
}

/// Content that can't be had to its end.
fn breaks() -> Plot {
    let mut plot = Plot::new("breaks", &[Why::Failed]);
    let body = Body::Breaks(app::content(9, 12_000));
    plot.get("/fails/9/12000", body, Takes::Nothing);
    all_answers(&mut plot);
    plot
}

fn never_reads() -> Plot {
    let mut plot = Plot::new("never reads", &[Why::ReaderTooSlow]);
    plot.act(Act::Reading(Reading::Never));
    content(&mut plot, "shared", 10, 30_000);
    plot.act(Act::End);
    plot.verdict.all = false;
    plot
}

/// Content that ends with the connection.
pub(super) fn old() -> Plot {
    let mut plot = Plot::new("old", ASKED);
    content(&mut plot, "stream", 11, 10_000);
    plot.acts = VecDeque::from([
        Act::Send(b"GET /stream/11/10000 HTTP/1.0\r\n\r\n".to_vec()),
        Act::End,
    ]);
    plot
}

/// The server ends it first.
fn panics() -> Plot {
    let mut plot = Plot::new("panics", &[Why::WeAsked]);
    plot.get("/panics/12", Body::Any, Takes::Nothing);
    plot.expected = vec![refused("a panic", 500)];
    plot.act(Act::End);
    plot
}

fn resets() -> Plot {
    let mut plot = Plot::new("resets", ANY_END_BY_CLIENT);
    content(&mut plot, "constant", 13, 30_000);
    plot.act(Act::Pause(Duration::from_millis(1)));
    plot.act(Act::Reset);
    plot.verdict.all = false;
    plot
}

/// Finishes inside a body.
fn finishes() -> Plot {
    let mut plot = Plot::new("finishes", &[Why::WeAsked]);
    let head = "POST /echo/14 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc";
    plot.act(Act::Send(head.into()));
    plot.expected.push(refused("half a body", 400));
    plot.act(Act::Finish);
    plot.act(Act::End);
    plot
}
