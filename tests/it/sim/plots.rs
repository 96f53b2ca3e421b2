//! The clients that there are: each does one thing, right or wrong.

use core::time::Duration;

use edgeloop::server::CloseReason as Why;
use edgeloop::sys::sim::Random;

use super::app::{self, SHRINKS};
use super::plot::{
    ANY_END_BY_CLIENT, ASKED, Act, Body, Expected, ORDERLY, Plot, Reading, Since, Takes,
};
use super::requests::{
    all_answers, body_path, millis, old_request, post, refused, request, requests, send, take_id,
    work,
};

const LINGER_TIME: Duration = Duration::from_secs(5);
const HEAD_TIME: Duration = Duration::from_secs(10);
const IDLE_TIME: Duration = Duration::from_secs(75);
const START: Duration = Duration::from_secs(10);

/// One of all there are.
pub(super) fn any(random: &mut Random, next_id: &mut u32) -> Plot {
    match random.below(36) {
        0 => silent(),
        1 => slow_head(random),
        2 => idle(random, next_id),
        3 => stalled_body(random, next_id),
        4 => never_reads(random, next_id),
        5 | 6 => reads_slowly(random, next_id),
        7 => garbage(random),
        8 | 9 => expects(random, next_id),
        10 => waits_for_ever(random, next_id),
        11 => breaks(random, next_id),
        12..=14 => resets(random, next_id),
        15 => leaves_early(random, next_id),
        16 => floods(random, next_id),
        17 => unfinished(random, next_id),
        18 => closing_handlers(random, next_id),
        19 => insists(random),
        20 | 21 => slow_body(random, next_id),
        22 => reads_at_leisure(next_id),
        23 | 24 => works(random, next_id),
        _ => good(random, next_id),
    }
}

/// Comes when everything is well.
pub(super) fn fresh() -> Plot {
    let mut plot = Plot::new("fresh", ORDERLY);
    plot.get("/text/1", Body::Exact(b"1".to_vec()), Takes::Nothing);
    all_answers(&mut plot);
    plot
}

/// The last one, when all others have gone and nothing goes wrong any more: there is room for it again.
pub(super) fn last(random: &mut Random, next_id: &mut u32) -> Plot {
    let mut plot = Plot::new("last", ORDERLY);
    plot.verdict.strict = true;
    for _ in 0..4 {
        let (bytes, expected) = post(random, take_id(next_id), "");
        for piece in bytes.chunks(200) {
            plot.act(Act::Send(piece.to_vec()));
            plot.act(Act::Pause(millis(1)));
        }
        plot.expected.push(expected);
        all_answers(&mut plot);
    }
    plot
}

/// Does everything right, and ends in one of the right ways.
fn good(random: &mut Random, next_id: &mut u32) -> Plot {
    let mut plot = Plot::new("good", ORDERLY);
    let count = random.between(1, 8);
    requests(&mut plot, random, next_id, count);
    match random.below(5) {
        // Asks for the end.
        0 | 1 => {
            let (bytes, expected) = if random.below(3) == 0 {
                old_request(random, next_id)
            } else {
                request(random, next_id, "Connection: close\r\n")
            };
            send(&mut plot, random, &bytes);
            plot.expected.push(expected);
            plot.verdict.reasons = ASKED;
            plot.act(Act::End);
        }
        // Finishes when it has its answers, or while they are under way.
        2 => {
            all_answers(&mut plot);
            plot.act(Act::Finish);
            plot.act(Act::End);
        }
        3 => {
            plot.act(Act::Finish);
            plot.act(Act::End);
        }
        // Closes when it has its answers.
        _ => all_answers(&mut plot),
    }
    plot
}

/// Asks for one thing after the other that threads do.
fn works(random: &mut Random, next_id: &mut u32) -> Plot {
    let mut plot = Plot::new("works", ORDERLY);
    for _ in 0..random.between(5, 20) {
        let (bytes, expected) = work(random, take_id(next_id), "");
        send(&mut plot, random, &bytes);
        plot.expected.push(expected);
        all_answers(&mut plot);
    }
    plot
}

/// Is not heard of again.
fn resets(random: &mut Random, next_id: &mut u32) -> Plot {
    let mut plot = Plot::new("resets", ANY_END_BY_CLIENT);
    let count = random.between(1, 4);
    requests(&mut plot, random, next_id, count);
    if random.below(4) == 0 {
        // Nobody is left for an answer that would come much later.
        let path = format!("/later/{}/5000000", take_id(next_id));
        let bytes = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        plot.act(Act::Send(bytes.into_bytes()));
    } else {
        let keep = random.index(plot.acts.len() + 1);
        plot.acts.truncate(keep);
    }
    plot.act(Act::Pause(Duration::from_micros(random.below(5_000))));
    plot.act(Act::Reset);
    plot.verdict.all = false;
    plot.verdict.after = Some((Since::Reset, Duration::ZERO));
    plot
}

/// Closes while answers are under way, which makes the rest of them a reset.
fn leaves_early(random: &mut Random, next_id: &mut u32) -> Plot {
    let mut plot = Plot::new("leaves early", ANY_END_BY_CLIENT);
    let count = random.between(1, 5);
    requests(&mut plot, random, next_id, count);
    let keep = random.index(plot.acts.len() + 1);
    plot.acts.truncate(keep);
    plot.verdict.all = false;
    plot
}

pub(super) fn silent() -> Plot {
    let mut plot = Plot::new("silent", &[Why::Idle]);
    plot.act(Act::End);
    plot.verdict.after = Some((Since::Accepted, HEAD_TIME));
    plot
}

/// A head that drips and never ends.
fn slow_head(random: &mut Random) -> Plot {
    let mut plot = Plot::new("slow head", &[Why::WeAsked]);
    plot.act(Act::Pause(millis(random.below(9_000))));
    plot.act(Act::Send(
        b"GET /text/0 HTTP/1.1\r\nHost: a\r\nX: ".to_vec(),
    ));
    for _ in 0..random.below(15) {
        plot.act(Act::Pause(millis(500)));
        plot.act(Act::Send(b"x".to_vec()));
    }
    plot.expected.push(refused("a slow head", 408));
    plot.act(Act::End);
    plot.verdict.after = Some((Since::FirstByte, HEAD_TIME));
    plot
}

/// Is served and then says nothing more.
fn idle(random: &mut Random, next_id: &mut u32) -> Plot {
    let mut plot = Plot::new("idle", &[Why::Idle]);
    let count = random.between(1, 2);
    requests(&mut plot, random, next_id, count);
    if random.below(2) == 0 {
        // The time begins anew with each answer.
        all_answers(&mut plot);
        plot.act(Act::Pause(millis(random.between(1_000, 30_000))));
        requests(&mut plot, random, next_id, 1);
    }
    plot.act(Act::End);
    plot.verdict.after = Some((Since::LastAnswer, IDLE_TIME));
    plot
}

/// A body of which only the beginning comes.
fn stalled_body(random: &mut Random, next_id: &mut u32) -> Plot {
    let mut plot = Plot::new("stalled body", &[Why::WeAsked]);
    let id = take_id(next_id);
    let head = format!("POST /echo/{id} HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
    plot.act(Act::Send(head.into_bytes()));
    for _ in 0..random.below(4) {
        plot.act(Act::Send(b"some".to_vec()));
        plot.act(Act::Pause(millis(random.below(900))));
    }
    plot.expected.push(refused("a stalled body", 408));
    plot.act(Act::End);
    plot.verdict.after = Some((Since::LastByteAtLeast, START.saturating_sub(millis(3_600))));
    plot
}

/// A body that comes slowly, for longer than a body has to begin with, but faster than it has to.
fn slow_body(random: &mut Random, next_id: &mut u32) -> Plot {
    let mut plot = Plot::new("slow body", ORDERLY);
    let (bytes, expected) = post(random, take_id(next_id), "");
    for piece in bytes.chunks(320) {
        plot.act(Act::Send(piece.to_vec()));
        plot.act(Act::Pause(millis(random.between(900, 1_000))));
    }
    plot.expected.push(expected);
    all_answers(&mut plot);
    plot
}

/// Goes on sending when it has been refused, and never ends.
fn insists(random: &mut Random) -> Plot {
    let mut plot = Plot::new("insists", &[Why::WeAsked]);
    plot.act(Act::Send(b"GET  / HTTP/1.1\r\n\r\n".to_vec()));
    plot.expected.push(refused("what it insists on", 400));
    for _ in 0..30 {
        plot.act(Act::Pause(millis(random.between(200, 400))));
        plot.act(Act::Insist(b"x".to_vec()));
    }
    plot.verdict.after = Some((Since::LastAnswer, LINGER_TIME));
    plot
}

/// Asks for much and reads nothing of it.
fn never_reads(random: &mut Random, next_id: &mut u32) -> Plot {
    let mut plot = Plot::new("never reads", &[Why::ReaderTooSlow]);
    plot.act(Act::Reading(Reading::Never));
    let kind = ["shared", "constant", "stream", "sized", "body"][random.index(5)];
    plot.verdict.outlasts_drain = true;
    plot.verdict.unread_each = Some(500_000);
    // More than all buffers on the way hold.
    for _ in 0..random.between(4, 12) {
        let id = take_id(next_id);
        let path = body_path(kind, id, 500_000);
        plot.get(
            &path,
            Body::Content(app::content(id, 500_000)),
            Takes::Nothing,
        );
    }
    plot.act(Act::End);
    plot.verdict.all = false;
    plot.verdict.after = Some((Since::LastByteAtLeast, START));
    plot
}

/// Reads slowly, but faster than it has to.
fn reads_slowly(random: &mut Random, next_id: &mut u32) -> Plot {
    let mut plot = Plot::new("reads slowly", ORDERLY);
    plot.verdict.outlasts_drain = true;
    let bytes = random.between(20_000, 60_000) as usize;
    plot.act(Act::Reading(Reading::Slowly(
        bytes,
        millis(random.between(1, 20)),
    )));
    let count = random.between(1, 4);
    requests(&mut plot, random, next_id, count);
    all_answers(&mut plot);
    plot.act(Act::Finish);
    plot.act(Act::End);
    plot
}

/// Takes longer for one answer than a reader has to begin with.
fn reads_at_leisure(next_id: &mut u32) -> Plot {
    let mut plot = Plot::new("reads at leisure", ORDERLY);
    plot.verdict.outlasts_drain = true;
    plot.act(Act::Reading(Reading::Slowly(1_000, millis(40))));
    let id = take_id(next_id);
    let path = body_path("constant", id, 500_000);
    plot.get(
        &path,
        Body::Content(app::content(id, 500_000)),
        Takes::Nothing,
    );
    all_answers(&mut plot);
    plot.act(Act::Finish);
    plot.act(Act::End);
    plot
}

/// Bytes that are no request.
fn garbage(random: &mut Random) -> Plot {
    let mut plot = Plot::new("garbage", &[Why::WeAsked, Why::PeerFinished]);
    let first: &[u8] = [
        &b"\x16\x03\x01\x02\x00\x01\x00"[..],
        b"GET  / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"\0\0\0\0\0\0\0\0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    ][random.index(6)];
    let mut bytes = first.to_vec();
    bytes.extend((0..random.index(3000)).map(|_| random.next() as u8));
    bytes.extend(b" \r\n\r\n");
    send(&mut plot, random, &bytes);
    plot.expected.push(refused("garbage", 400));
    plot.act(Act::End);
    plot
}

/// Holds its body back until it is asked for.
fn expects(random: &mut Random, next_id: &mut u32) -> Plot {
    let mut plot = Plot::new("expects", ORDERLY);
    for _ in 0..random.between(1, 3) {
        let id = take_id(next_id);
        let (bytes, expected) = post(random, id, "Expect: 100-continue\r\n");
        let head = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let (head, body) = bytes.split_at(head.expect("a head") + 4);
        send(&mut plot, random, head);
        if !body.is_empty() {
            plot.act(Act::Continue);
        }
        send(&mut plot, random, body);
        plot.expected.push(expected);
        all_answers(&mut plot);
    }
    plot
}

/// Its answer never comes, or too late for it.
fn waits_for_ever(random: &mut Random, next_id: &mut u32) -> Plot {
    let mut plot = Plot::new("waits for ever", ORDERLY);
    plot.verdict.outlasts_drain = true;
    let id = take_id(next_id);
    let path = if random.below(3) == 0 {
        format!("/never/{id}")
    } else if random.below(2) == 0 {
        format!("/brief/{id}/{}", random.below(30_000))
    } else {
        // While the next exchange of the same connection waits as well.
        let kind = ["later", "promise"][random.index(2)];
        let micros = 60_000_000 + random.between(200_000, 900_000);
        format!("/{kind}/{id}/{micros}")
    };
    plot.act(Act::Send(
        format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes(),
    ));
    plot.expected.push(Expected {
        takes: Takes::Mail,
        ..refused(&path, 503)
    });
    all_answers(&mut plot);
    let id = take_id(next_id);
    let path = format!("/later/{id}/2000000");
    plot.get(&path, Body::Exact(id.to_string().into()), Takes::Mail);
    all_answers(&mut plot);
    plot
}

/// Content that can't be had to its end.
fn breaks(random: &mut Random, next_id: &mut u32) -> Plot {
    let mut plot = Plot::new("breaks", &[Why::Failed]);
    let count = random.below(3);
    requests(&mut plot, random, next_id, count);
    let id = take_id(next_id);
    let (path, content) = if random.below(2) == 0 {
        (body_path("fails", id, 90_000), app::content(id, 90_000))
    } else {
        // It may be whole, if it is sent before the file shrinks.
        plot.verdict.reasons = &[Why::Failed, Why::PeerFinished];
        let (name, length) = SHRINKS;
        (format!("/file/{id}/{name}"), app::content(0, length))
    };
    plot.get(&path, Body::Breaks(content), Takes::File);
    all_answers(&mut plot);
    plot
}

/// Sends more requests at once than are answered at once.
fn floods(random: &mut Random, next_id: &mut u32) -> Plot {
    let mut plot = Plot::new("floods", ORDERLY);
    let mut bytes = Vec::new();
    for _ in 0..random.between(20, 400) {
        let id = take_id(next_id);
        bytes.extend(format!("GET /text/{id} HTTP/1.1\r\nHost: a\r\n\r\n").bytes());
        plot.expected.push(Expected {
            what: format!("GET /text/{id}, one of many"),
            head_only: false,
            status: 200,
            body: Body::Exact(id.to_string().into()),
            takes: Takes::Nothing,
        });
    }
    plot.act(Act::Send(bytes));
    if random.below(2) == 0 {
        plot.act(Act::Finish);
        plot.act(Act::End);
    } else {
        all_answers(&mut plot);
    }
    plot
}

/// Finishes inside a head or a body.
fn unfinished(random: &mut Random, next_id: &mut u32) -> Plot {
    let mut plot = Plot::new("unfinished", &[Why::WeAsked]);
    let count = random.below(3);
    requests(&mut plot, random, next_id, count);
    let id = take_id(next_id);
    let (bytes, _) = post(random, id, "");
    let end = 1 + random.index(bytes.len() - 1);
    send(&mut plot, random, &bytes[..end]);
    plot.expected.push(refused("an unfinished request", 400));
    plot.act(Act::Finish);
    plot.act(Act::End);
    plot
}

/// Handlers that end the connection, or refuse a body before it comes.
fn closing_handlers(random: &mut Random, next_id: &mut u32) -> Plot {
    let id = take_id(next_id);
    let mut plot = Plot::new("panics", &[Why::WeAsked]);
    if random.below(2) == 0 {
        plot.act(Act::Send(
            format!("GET /panics/{id} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes(),
        ));
        plot.expected.push(refused("a panic", 500));
        plot.act(Act::End);
        return plot;
    }
    plot = Plot::new("is refused", &[Why::PeerFinished, Why::BodyUnread]);
    let length = 1 + random.index(300_000);
    let head = format!("POST /refuse/{id} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
    plot.act(Act::Send(head.into_bytes()));
    plot.expected.push(Expected {
        body: Body::Exact(id.to_string().into()),
        ..refused("a refused body", 403)
    });
    plot.act(Act::Send(app::content(id, length).to_vec()));
    all_answers(&mut plot);
    plot.act(Act::Finish);
    plot.act(Act::End);
    plot
}
