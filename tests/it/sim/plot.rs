//! What a client will do, what it will get for it, and how its connection ends.

use core::time::Duration;
use std::collections::VecDeque;

use edgeloop::server::CloseReason as Why;

/// What a client does, one after the other.
#[derive(Debug)]
pub(super) enum Act {
    Send(Vec<u8>),
    Pause(Duration),
    /// Waits until so many answers have come in all.
    Answers(usize),
    /// Waits for `100 Continue`, or for an answer in its place.
    Continue,
    Reading(Reading),
    /// Sends although the server may have finished.
    Insist(Vec<u8>),
    Finish,
    Reset,
    /// Waits for the server's end.
    End,
}

/// How a client reads.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reading {
    Promptly,
    /// So many bytes in so much time.
    Slowly(usize, Duration),
    Never,
}

/// What a request gets.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) what: String,
    pub(super) head_only: bool,
    pub(super) status: u16,
    pub(super) body: Body,
    /// It takes a file, a thread or mail: when calls fail, it may get an error instead.
    pub(super) takes: Takes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    Nothing,
    File,
    Mail,
    /// And mail.
    Thread,
}

#[derive(Debug)]
pub(super) enum Body {
    Exact(Vec<u8>),
    Content(&'static [u8]),
    /// Some of it, and then the connection breaks; or 500.
    Breaks(&'static [u8]),
    /// Whatever says what is wrong.
    Any,
}

/// How it has to end, unless a fault or a lack of room hits it.
#[derive(Debug)]
pub(super) struct Verdict {
    /// Every answer comes, whole.
    pub(super) all: bool,
    pub(super) reasons: &'static [Why],
    /// When the server ends it, if time does.
    pub(super) after: Option<(Since, Duration)>,
    /// It may take longer than a drain waits.
    pub(super) outlasts_drain: bool,
    /// Neither faults nor a lack of room excuse anything.
    pub(super) strict: bool,
    /// Nothing is read of its answers, which are of this length each.
    pub(super) unread_each: Option<usize>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Since {
    Accepted,
    FirstByte,
    /// Only a lower bound: what comes later depends on the pace.
    LastByteAtLeast,
    LastAnswer,
    /// The client broke it.
    Reset,
}

#[derive(Debug)]
pub(super) struct Plot {
    pub(super) name: &'static str,
    pub(super) acts: VecDeque<Act>,
    pub(super) expected: Vec<Expected>,
    pub(super) verdict: Verdict,
}

pub(super) const ORDERLY: &[Why] = &[Why::PeerFinished];
pub(super) const ASKED: &[Why] = &[Why::PeerAsked, Why::WeAsked];
pub(super) const ANY_END_BY_CLIENT: &[Why] = &[
    Why::PeerFinished,
    Why::Reset,
    Why::PeerAsked,
    Why::WeAsked,
    Why::Failed,
];

impl Plot {
    pub(super) fn new(name: &'static str, reasons: &'static [Why]) -> Plot {
        Plot {
            name,
            acts: VecDeque::new(),
            expected: Vec::new(),
            verdict: Verdict {
                all: true,
                reasons,
                after: None,
                outlasts_drain: false,
                strict: false,
                unread_each: None,
            },
        }
    }

    pub(super) fn act(&mut self, act: Act) {
        self.acts.push_back(act);
    }

    /// Sends a request for something.
    pub(super) fn get(&mut self, path: &str, body: Body, takes: Takes) {
        let bytes = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        self.act(Act::Send(bytes.into_bytes()));
        self.expected.push(Expected {
            what: format!("GET {path}"),
            head_only: false,
            status: 200,
            body,
            takes,
        });
    }
}
