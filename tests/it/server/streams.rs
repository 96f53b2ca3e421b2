//! Streams: bodies that go to the application as they come, answers that live, both at once, and other protocols.

use std::collections::VecDeque;
use std::sync::mpsc;
use std::thread;

use edgeloop::http::{Fields, Length};
use edgeloop::server::{BodyWriter, CloseReason, Duplex, Pull, Sink, Source, Taken, Waker};
use edgeloop::{Handler, Intake, Limits, Reply, Request, ResponseWriter, field_name};

use super::client::End;
use super::running::{Running, serve_with, take};
use super::{ms, patient};

/// What tests are told.
#[derive(Debug)]
enum Told {
    Waker(Waker),
    Data(usize),
    Dropped,
}

type Tell = mpsc::Sender<Told>;

/// A server of all kinds of streams, and what it tells.
fn streaming(limits: Limits) -> (Running, mpsc::Receiver<Told>) {
    let (tell, told) = mpsc::channel();
    let server = serve_with(limits, move |_| App(tell.clone()));
    (server, told)
}

fn waker(told: &mpsc::Receiver<Told>) -> Waker {
    loop {
        if let Told::Waker(waker) = take(told) {
            return waker;
        }
    }
}

struct App(Tell);

impl App {
    fn tell(&self, told: Told) {
        let _ = self.0.send(told); // a test that is over hears nothing
    }
}

impl Handler for App {
    fn intake(&mut self, head: &Request<'_>, mut res: ResponseWriter<'_>) -> Intake {
        let mut count = Count {
            tell: self.0.clone(),
            bytes: 0,
            sum: 0,
            most: usize::MAX,
            refuses_at: usize::MAX,
        };
        match head.path() {
            "/count" => {}
            "/some" => {
                count.most = 1000;
                self.tell(Told::Waker(res.waker()));
            }
            "/some-and-nobody" => count.most = 1000,
            "/refuse" => count.refuses_at = 0,
            "/panic" => return Intake::stream(100, Panics),
            "/brief" => {
                count.most = 1000;
                let res = &mut res;
                self.tell(Told::Waker(res.waker()));
            }
            "/stuck" => {
                let duplex = Stuck;
                return Intake::Answer(res.status(200).duplex(Length::Unknown, duplex));
            }
            "/bad-echo" => {
                let res = res.status(200).field(field_name!("X-Bad"), "a\nb");
                return Intake::Answer(res.duplex(Length::Unknown, Echo::new()));
            }
            "/echo" => return Intake::Answer(res.status(200).duplex(Length::Unknown, Echo::new())),
            "/refuses-both" => {
                let duplex = Refuses;
                return Intake::Answer(res.status(200).duplex(Length::Unknown, duplex));
            }
            _ => return Intake::Buffer(100),
        }
        if head.path() == "/brief" {
            let _ = res.deadline(ms(200));
        }
        Intake::stream(10 << 20, count)
    }

    fn on_request(&mut self, req: &Request<'_>, mut res: ResponseWriter<'_>) -> Reply {
        match req.path() {
            "/ticks" => {
                self.tell(Told::Waker(res.waker()));
                let mut asked = 0;
                let source = move |body: &mut BodyWriter<'_>| {
                    asked += 1;
                    match asked {
                        1 => Pull::Wait,
                        2..=3 => {
                            body.write(format!("tick {asked}\n").as_bytes());
                            Pull::Wait
                        }
                        _ => Pull::End,
                    }
                };
                res.status(200).stream(Length::Unknown, source)
            }
            "/silent" => {
                let silent = Silent {
                    tell: self.0.clone(),
                    _own: res.waker(),
                };
                res.status(200).stream(Length::Unknown, silent)
            }
            "/given-away" => {
                self.tell(Told::Waker(res.waker()));
                let silent = |_: &mut BodyWriter<'_>| Pull::Wait;
                res.status(200).stream(Length::Unknown, silent)
            }
            "/nobody" => {
                let silent = |_: &mut BodyWriter<'_>| Pull::Wait;
                res.status(200).stream(Length::Unknown, silent)
            }
            "/echo" => res.status(200).duplex(Length::Unknown, Echo::new()),
            "/upgrade" => match res.upgrade(req, "Echo") {
                Ok(upgrade) => upgrade
                    .field(field_name!("X-More"), "yes")
                    .duplex(Echo::new()),
                Err(reply) => reply,
            },
            path => res.status(200).body(path),
        }
    }
}

/// Counts, takes so much at a time, and refuses what comes after so much.
struct Count {
    tell: Tell,
    bytes: usize,
    sum: u64,
    most: usize,
    refuses_at: usize,
}

impl Sink for Count {
    fn on_data(&mut self, data: &[u8]) -> Taken {
        if self.bytes >= self.refuses_at {
            return Taken::Refused;
        }
        let part = data.len().min(self.most);
        self.bytes += part;
        self.sum += data[..part]
            .iter()
            .map(|byte| u64::from(*byte))
            .sum::<u64>();
        let _ = self.tell.send(Told::Data(part)); // a test that is over hears nothing
        if part == data.len() {
            Taken::All
        } else {
            Taken::Part(part)
        }
    }

    fn on_end(self: Box<Self>, trailers: Fields<'_>, res: ResponseWriter<'_>) -> Reply {
        let trailer = trailers.get("x-trailer").unwrap_or(b"none");
        let trailer = trailer.escape_ascii();
        let text = format!("{} bytes, {}, {trailer}", self.bytes, self.sum);
        let status = if self.refuses_at < usize::MAX {
            403
        } else {
            200
        };
        res.status(status).text(text)
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        let _ = self.tell.send(Told::Dropped); // a test that is over hears nothing
    }
}

struct Panics;

impl Sink for Panics {
    fn on_data(&mut self, _: &[u8]) -> Taken {
        panic!("a sink panics, as it should")
    }

    fn on_end(self: Box<Self>, _: Fields<'_>, res: ResponseWriter<'_>) -> Reply {
        res.status(200).empty()
    }
}

/// Gives nothing, and can only be woken by itself.
struct Silent {
    tell: Tell,
    _own: Waker,
}

impl Source for Silent {
    fn pull(&mut self, _: &mut BodyWriter<'_>) -> Pull {
        let _ = self.tell.send(Told::Data(0)); // a test that is over hears nothing
        Pull::Wait
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        let _ = self.tell.send(Told::Dropped); // a test that is over hears nothing
    }
}

/// Gives back what it takes, of which it keeps no more than 10,000 bytes.
struct Echo {
    kept: VecDeque<u8>,
    ended: bool,
}

const ECHO_MAX: usize = 10_000;

impl Echo {
    fn new() -> Echo {
        Echo {
            kept: VecDeque::new(),
            ended: false,
        }
    }
}

impl Duplex for Echo {
    fn on_data(&mut self, data: &[u8]) -> Taken {
        let part = data.len().min(ECHO_MAX - self.kept.len());
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

/// Takes nothing and gives nothing.
struct Stuck;

impl Duplex for Stuck {
    fn on_data(&mut self, _: &[u8]) -> Taken {
        Taken::Part(0)
    }

    fn on_end(&mut self) {}

    fn pull(&mut self, _: &mut BodyWriter<'_>) -> Pull {
        Pull::Wait
    }
}

struct Refuses;

impl Duplex for Refuses {
    fn on_data(&mut self, _: &[u8]) -> Taken {
        Taken::Refused
    }

    fn on_end(&mut self) {}

    fn pull(&mut self, _: &mut BodyWriter<'_>) -> Pull {
        Pull::Wait
    }
}

fn post(path: &str, length: usize) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n")
}

fn post_chunked(path: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte)).sum()
}

#[test]
fn a_sink_takes_the_body_as_it_comes_and_then_answers() {
    let (server, told) = streaming(patient());
    let mut client = server.client();
    let body = pattern(5_000_000);
    let right = format!("{} bytes, {}, none", body.len(), sum(&body));
    client.send(post("/count", body.len()));
    for piece in body.chunks(70_000) {
        client.send(piece);
    }
    assert_eq!(client.answer().text(), right);
    client.send(post_chunked("/count"));
    for piece in body.chunks(70_000) {
        client.send(format!("{:x}\r\n", piece.len()));
        client.send(piece);
        client.send("\r\n");
    }
    client.send("0\r\nX-Trailer: yes\r\n\r\n");
    assert_eq!(client.answer().text(), right.replace("none", "yes"));
    client.send(format!("{}hello{}x", post("/count", 5), post("/count", 1)));
    assert_eq!(client.answer().text(), "5 bytes, 532, none");
    assert_eq!(client.answer().text(), "1 bytes, 120, none");
    assert_eq!(client.get("/more").text(), "/more");
    let most = told.try_iter().map(|told| match told {
        Told::Data(bytes) => bytes,
        Told::Waker(_) | Told::Dropped => 0,
    });
    let most = most.max();
    assert!(most.is_some_and(|most| most <= 64 << 10), "{most:?}");
}

#[test]
fn a_client_that_waits_for_100_gets_it_when_its_body_has_a_taker() {
    let (server, _told) = streaming(patient());
    for (path, answer) in [("/count", "5 bytes, 532, none"), ("/echo", "hello")] {
        let mut client = server.client();
        client.send(post(path, 5).replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n"));
        assert_eq!(client.answer().status, 100, "{path}");
        client.send("hello");
        let last = client.answer();
        assert_eq!((last.status, last.text()), (200, answer), "{path}");
    }
}

#[test]
fn a_sink_without_room_has_its_client_wait() {
    let (server, told) = streaming(patient());
    let mut client = server.client();
    let body = pattern(20_000);
    client.send(post("/some", body.len()));
    client.send(&body);
    client.ask("/next");
    let waker = waker(&told);
    for _ in 0..19 {
        assert!(matches!(take(&told), Told::Data(1000)));
        assert!(client.poll().is_none());
        waker.wake();
    }
    let right = format!("{} bytes, {}, none", body.len(), sum(&body));
    assert_eq!(client.answer().text(), right);
    assert_eq!(client.answer().text(), "/next");
}

#[test]
fn what_a_stalled_sink_does_not_take_is_not_received() {
    let (server, told) = streaming(patient());
    let mut client = server.client();
    client.send(post("/some", 10 << 20));
    let waker = waker(&told);
    // The kernel's buffers fill, and those of the server do not.
    client.stream.set_nonblocking(true).expect("a socket");
    let piece = vec![b'a'; 64 << 10];
    let mut sent = 0;
    let mut quiet = 0;
    while quiet < 20 && sent < 9 << 20 {
        if let Ok(count) = std::io::Write::write(&mut client.stream, &piece) {
            (sent, quiet) = (sent + count, 0);
        } else {
            // The server turns between two looks.
            assert_eq!(server.client().get("/turn").text(), "/turn");
            quiet += 1;
        }
    }
    assert!(sent < 9 << 20, "{sent}");
    let data: Vec<Told> = told.try_iter().collect();
    assert!(matches!(data[..], [Told::Data(1000)]), "{data:?}");
    client.stream.set_nonblocking(false).expect("a socket");
    client.reset();
    crate::server::running::wait("it ends", || {
        server.log.closed().contains(&CloseReason::Reset)
    });
    assert!(waker.is_over());
    waker.wake();
    assert_eq!(server.client().get("/after").text(), "/after");
}

#[test]
fn a_sink_that_nobody_can_wake_is_no_answer() {
    let (server, _told) = streaming(patient());
    let mut client = server.client();
    client.send(post("/some-and-nobody", 20_000));
    client.send(pattern(20_000));
    assert_eq!(client.answer().status, 500);
}

#[test]
fn a_stalled_sink_is_waited_for_as_long_as_a_handler() {
    let limits = Limits {
        handler_time: ms(200),
        ..patient()
    };
    let (server, told) = streaming(limits);
    let mut client = server.client();
    client.send(post("/some", 3_000));
    client.send(pattern(3_000));
    let waker = waker(&told);
    assert_eq!(client.answer().status, 503);
    waker.wake();
    assert_eq!(client.get("/after").text(), "/after");
}

#[test]
fn a_sink_may_refuse_and_a_limit_holds() {
    let (server, _told) = streaming(patient());
    let mut client = server.client();
    client.send(post("/refuse", 10));
    client.send("hello");
    client.send("again");
    let answer = client.answer();
    assert_eq!((answer.status, answer.text()), (403, "0 bytes, 0, none"));
    // The rest was short enough to be read over.
    assert_eq!(client.get("/after").text(), "/after");
    client.send(post("/count", 11 << 20));
    assert_eq!(client.answer().status, 413);
    let mut client = server.client();
    client.send(post_chunked("/count"));
    for _ in 0..11 {
        let whole = client.try_send("100000\r\n") && client.try_send(vec![b'a'; 1 << 20]);
        if !whole || !client.try_send("\r\n") {
            break;
        }
    }
    assert_eq!(client.answer().status, 413);
}

#[test]
fn a_body_that_does_not_come_whole_drops_its_sink() {
    let (server, told) = streaming(patient());
    for (sent, status) in [("hel", 400), ("\r\nnothing", 400)] {
        let mut client = server.client();
        let head = match status {
            400 if sent == "hel" => post("/count", 5),
            _ => post_chunked("/count"),
        };
        client.send(head);
        client.send(sent);
        if sent == "hel" {
            client.finish();
        }
        assert_eq!(client.answer().status, status, "{sent:?}");
        while !matches!(take(&told), Told::Dropped) {}
    }
    let mut client = server.client();
    client.send(post("/panic", 5));
    client.send("hello");
    assert_eq!(client.answer().status, 500);
}

#[test]
fn a_source_that_waits_is_asked_again_when_it_is_woken() {
    let (server, told) = streaming(patient());
    let mut client = server.client();
    client.ask("/ticks");
    let waker = waker(&told);
    // The head has come before the first byte of content.
    while !client.text().ends_with("\r\n\r\n") {
        client.receive();
    }
    for tick in ["tick 2\n", "tick 3\n"] {
        let waker = waker.clone();
        thread::spawn(move || waker.wake())
            .join()
            .expect("no panic");
        while !client.text().contains(tick) {
            client.receive();
        }
    }
    assert!(!waker.is_over());
    waker.wake();
    assert_eq!(client.answer().text(), "tick 2\ntick 3\n");
    for _ in 0..3 {
        waker.wake();
        assert_eq!(client.get("/after").text(), "/after");
    }
    assert!(waker.is_over());
}

#[test]
fn no_time_ends_a_live_stream_and_a_client_that_goes_does() {
    let short = ms(50);
    let limits = Limits {
        head_time: short,
        idle_time: short,
        handler_time: short,
        ..patient()
    };
    let (server, told) = streaming(limits);
    let mut client = server.client();
    client.ask("/silent");
    assert!(matches!(take(&told), Told::Data(0)));
    // Other connections of this server come to their end meanwhile.
    for _ in 0..3 {
        assert_eq!(server.client().end(), End::Finished);
    }
    assert_eq!(client.poll_end(), None);
    client.reset();
    assert!(matches!(take(&told), Told::Dropped));
    assert!(server.log.wait_closed(4).contains(&CloseReason::Reset));
}

#[test]
fn a_source_that_nobody_can_wake_breaks_the_connection() {
    let (server, _told) = streaming(patient());
    let mut client = server.client();
    client.ask("/nobody");
    let (_, end) = client.rest();
    assert_eq!(end, End::Reset);
    assert_eq!(server.log.wait_closed(1), [CloseReason::Failed]);
}

#[test]
fn a_source_whose_last_waker_is_dropped_breaks_the_connection() {
    let (server, told) = streaming(patient());
    let mut client = server.client();
    client.ask("/given-away");
    let waker = waker(&told);
    while !client.text().ends_with("\r\n\r\n") {
        client.receive();
    }
    let other = waker.clone();
    drop(waker);
    assert_eq!(server.client().get("/meanwhile").text(), "/meanwhile");
    assert_eq!(client.poll_end(), None);
    thread::spawn(move || drop(other)).join().expect("no panic");
    assert_eq!(client.rest().1, End::Reset);
}

#[test]
fn a_sink_has_the_time_that_its_intake_gives_it() {
    let (server, told) = streaming(patient());
    let mut client = server.client();
    client.send(post("/brief", 3_000));
    client.send(pattern(3_000));
    let _waker = waker(&told);
    assert_eq!(client.answer().status, 503);
}

#[test]
fn a_duplex_that_nobody_can_move_breaks_the_connection() {
    let (server, _told) = streaming(patient());
    let mut client = server.client();
    client.send(post("/stuck", 5));
    client.send("hello");
    assert_eq!(client.rest().1, End::Reset);
}

#[test]
fn a_framed_body_that_stalls_ends_its_duplex() {
    let mut limits = patient();
    limits.progress.start = ms(200);
    let (server, _told) = streaming(limits);
    let mut client = server.client();
    client.send(post("/echo", 5));
    client.send("he");
    assert_eq!(client.rest().1, End::Reset);
    assert_eq!(server.log.wait_closed(1), [CloseReason::BodyTooSlow]);
    // What has no frame may be silent for as long as it likes.
    let mut client = server.client();
    client.send("GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
    assert_eq!(client.answer().status, 101);
    let mut other = server.client();
    other.send(post("/echo", 5));
    assert_eq!(other.rest().1, End::Reset);
    client.send("still here");
    while client.text() != "still here" {
        client.receive();
    }
}

#[test]
fn a_duplex_whose_head_can_not_be_sent_asks_for_no_body() {
    let (server, _told) = streaming(patient());
    let mut client = server.client();
    client.send(post("/bad-echo", 5).replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n"));
    let answer = client.answer();
    // Whether the body comes stays open, so the connection ends.
    assert!(answer.status == 500 && answer.closes(), "{answer:?}");
    assert_eq!(client.end(), End::Finished);
}

#[test]
fn an_answer_may_go_on_while_the_body_comes() {
    let (server, _told) = streaming(patient());
    let mut client = server.client();
    client.send(post_chunked("/echo"));
    for word in ["one ", "two ", "three "] {
        client.send(format!("{:x}\r\n{word}\r\n", word.len()));
        while !client.text().contains(word) {
            client.receive();
        }
    }
    client.send("0\r\n\r\n");
    assert_eq!(client.answer().text(), "one two three ");
    assert_eq!(client.get("/echo").text(), "");
    let body = pattern(3_000_000);
    let mut writer = client.stream.try_clone().expect("a descriptor");
    let sent = body.clone();
    let sending = thread::spawn(move || {
        std::io::Write::write_all(&mut writer, post("/echo", sent.len()).as_bytes())?;
        std::io::Write::write_all(&mut writer, &sent)
    });
    assert_eq!(client.answer().body, body);
    sending.join().expect("no panic").expect("it is read");
}

#[test]
fn a_duplex_whose_body_goes_wrong_ends_in_a_reset() {
    let (server, _told) = streaming(patient());
    for (head, sent, finish) in [
        (post_chunked("/echo"), "1\r\nx\r\nno size", false),
        (post("/echo", 5), "x", true),
        (post("/refuses-both", 5), "x", false),
    ] {
        let mut client = server.client();
        client.send(head);
        client.send(sent);
        if finish {
            client.finish();
        }
        let (_, end) = client.rest();
        assert_eq!(end, End::Reset, "{sent}");
    }
}

#[test]
fn a_protocol_changes_with_what_was_sent_behind_the_request() {
    let (server, _told) = streaming(patient());
    let ask = "GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: other, echo\r\n\r\n";
    let mut client = server.client();
    client.send(format!("{ask}behind"));
    let answer = client.answer();
    assert_eq!(answer.status, 101);
    assert_eq!(answer.field("upgrade"), Some("Echo"));
    assert_eq!(answer.field("connection"), Some("Upgrade"));
    assert_eq!(answer.field("x-more"), Some("yes"));
    assert_eq!(answer.field("transfer-encoding"), None);
    while client.text() != "behind" {
        client.receive();
    }
    client.send(" GET / HTTP/1.1\r\n\r\n");
    client.finish();
    let (rest, end) = client.rest();
    assert_eq!(
        rest.escape_ascii().to_string(),
        "behind GET / HTTP/1.1\\r\\n\\r\\n"
    );
    assert_eq!(end, End::Finished);
    assert_eq!(server.log.wait_closed(1), [CloseReason::WeAsked]);
}

#[test]
fn who_has_not_asked_for_a_protocol_is_told_its_name() {
    let (server, _told) = streaming(patient());
    let mut client = server.client();
    for fields in [
        "",
        "Upgrade: echo\r\n",
        "Connection: Upgrade\r\n",
        "Connection: Upgrade\r\nUpgrade: other\r\n",
    ] {
        client.send(format!("GET /upgrade HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
        let answer = client.answer();
        assert_eq!(answer.status, 426, "{fields}");
        assert_eq!(answer.field("upgrade"), Some("Echo"));
    }
    client
        .send("GET /upgrade HTTP/1.0\r\nConnection: keep-alive, upgrade\r\nUpgrade: echo\r\n\r\n");
    assert_eq!(client.answer().status, 426);
}

#[test]
fn a_slow_reader_of_a_large_echo_holds_little_and_gets_all() {
    // More than all kernel buffers on the way take, and far more than the server may keep: beyond that it would cut.
    let limits = Limits {
        buffers_bytes_max: 512 << 10,
        ..patient()
    };
    let (server, _told) = streaming(limits);
    let mut client = server.client();
    let body = pattern(32_000_000);
    let mut writer = client.stream.try_clone().expect("a descriptor");
    let sent = body.clone();
    let sending = thread::spawn(move || {
        std::io::Write::write_all(&mut writer, post("/echo", sent.len()).as_bytes())?;
        std::io::Write::write_all(&mut writer, &sent)
    });
    // Others are served while it does not read.
    for _ in 0..20 {
        assert_eq!(server.client().get("/other").text(), "/other");
    }
    assert!(!sending.is_finished(), "it waits for its own reader");
    assert_eq!(client.answer().body, body);
    sending.join().expect("no panic").expect("it is read");
}
