//! Servers that are recorded: what is in the file, what is not, and that it replays alike.

use core::time::Duration;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use edgeloop::ops::{NotRecorded, RecordLimits, Recorded, Writer};
use edgeloop::server::{Recording, Replay};
use edgeloop::{Reply, Request, ResponseWriter};

use super::client::{Client, End};
use super::hand::Hand;
use super::patient;
use super::running::{Log, Seen, mirror};

/// A file that the test can read.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn bytes(&self) -> Vec<u8> {
        self.0.lock().expect("no panic").clone()
    }

    fn text(&self) -> String {
        String::from_utf8(self.bytes()).expect("text")
    }

    fn recording(&self) -> Recording {
        Recording::parse(&self.bytes()).expect("a recording")
    }
}

type Recorder = edgeloop::ops::Recorder;

/// A server that is recorded while `ask` asks it: how much was, and what an observer was told.
fn recorded<H: edgeloop::Handler>(
    limits: RecordLimits,
    file: &Shared,
    handler: H,
    ask: impl FnOnce(&mut Hand<H, (Log, Recorder)>),
) -> (Recorded, Vec<u16>) {
    let (writer, recorder) = Writer::start(file.clone(), limits).expect("a thread");
    let log = Log::default();
    let mut hand = Hand::new(patient(), handler, (log.clone(), recorder));
    ask(&mut hand);
    hand.settle();
    drop(hand);
    let statuses = log.all().into_iter().filter_map(|seen| match seen {
        Seen::Answered(_, summary) => Some(summary.status),
        _ => None,
    });
    (writer.finish().expect("it is written"), statuses.collect())
}

fn send<H: edgeloop::Handler>(
    hand: &mut Hand<H, (Log, Recorder)>,
    client: &mut Client,
    bytes: &str,
) {
    client.send(bytes);
    hand.settle();
}

/// 200 to who knows the password, and to everybody else what is wrong.
fn door(req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
    match req.path() {
        "/none" => res.no_route(req.method()),
        _ => mirror(req, res),
    }
}

const SENT: [&str; 5] = [
    "GET /a HTTP/1.1\r\nHost: a\r\nCookie: sid=1\r\n\r\nGET /none HTTP/1.1\r\nHost: a\r\n\r\nHEAD /b HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;e=f\r\nhello\r\n0\r\nX-Key: 1\r\n\r\nPOST /d HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /e HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /f HTTP/1.1\r\nHost: a\r\nAuthorization: a\r\n b\r\n\r\n",
    "GET /g HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
    "GET /h HTTP/1.1\r\nHost: a\r\nX-Long",
];

#[test]
fn what_is_recorded_replays_alike() {
    for piece in [1000, 40, 7] {
        let file = Shared::default();
        let (recorded, mut statuses) = recorded(RecordLimits::default(), &file, door, |hand| {
            for sent in SENT {
                let mut client = hand.client();
                for piece in sent.as_bytes().chunks(piece) {
                    // Who was refused may not be there any more.
                    if client.try_send(piece) {
                        hand.settle();
                    }
                }
                if client.poll_end().is_none() {
                    client.finish();
                    hand.settle();
                }
                drop(client);
                hand.settle();
            }
        });
        let recording = file.recording();
        assert_eq!((recorded.connections, recording.connections()), (5, 5));
        let sent: usize = SENT.iter().map(|sent| sent.len()).sum();
        assert!(recording.bytes() <= recorded.bytes && recorded.bytes <= sent as u64);
        let played = Replay::with_limits(door, patient())
            .expect("descriptors")
            .run(&recording, 1);
        let played = played.expect("played");
        let played = played
            .answers
            .iter()
            .flat_map(|(status, count)| vec![*status; *count as usize]);
        let played: Vec<u16> = played.collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 200, 200, 200, 200, 400, 400, 400, 404]);
        assert_eq!(played, statuses, "pieces of {piece} bytes\n{}", file.text());
    }
}

#[test]
fn pieces_are_those_that_were_received() {
    let file = Shared::default();
    let (_, statuses) = recorded(RecordLimits::default(), &file, mirror, |hand| {
        let mut client = hand.client();
        for piece in [
            "GET /a HT",
            "TP/1.1\r\nHost: a\r\n\r",
            "\nGET /b HTTP/1.1\r\nHo",
            "st: a\r\n\r\n",
        ] {
            send(hand, &mut client, piece);
        }
    });
    assert_eq!(statuses, [200, 200]);
    let recording = file.recording();
    let lengths = recording
        .pieces()
        .map(|pieces| pieces.map(<[u8]>::len).collect::<Vec<_>>());
    assert_eq!(lengths.collect::<Vec<_>>(), [[9, 18, 20, 9]]);
    let text = file.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "edgeloop recording 1");
    assert!(
        lines[1].starts_with("open 1 ")
            && lines
                .last()
                .is_some_and(|line| line.starts_with("close 1 "))
    );
}

/// As many bytes, and nothing of what was in them.
#[test]
fn a_credential_is_never_in_the_file_however_it_is_cut() {
    let line = "Authorization: Basic c2VjcmV0";
    let head =
        format!("GET /a?key=c2VjcmV0 HTTP/1.1\r\nHost: a\r\n{line}\r\nX-Last: c2VjcmV0\r\n\r\n");
    let begin = head.find(line).expect("it is there");
    for cut in begin..=begin + line.len() {
        let file = Shared::default();
        let (recorded, statuses) = recorded(RecordLimits::default(), &file, mirror, |hand| {
            let mut client = hand.client();
            send(hand, &mut client, &head[..cut]);
            send(hand, &mut client, &head[cut..]);
        });
        assert_eq!(statuses, [200]);
        assert_eq!(recorded.bytes, head.len() as u64);
        let text = file.text();
        assert!(
            !text.contains("c2V") && !text.contains("mV0"),
            "cut at {cut}: {text}"
        );
        assert!(
            text.contains("Basic") || text.contains("Authorization: xxxxx xxxxxxxx") || cut > begin
        );
        let recording = file.recording();
        assert_eq!(recording.bytes(), head.len() as u64);
        let mut pieces = recording.pieces();
        let pieces: Vec<&[u8]> = pieces.next().expect("one client").collect();
        let wanted = head
            .replace("Basic c2VjcmV0", "xxxxx xxxxxxxx")
            .replace("c2VjcmV0", "xxxxxxxx");
        assert_eq!(pieces.concat(), wanted.as_bytes());
        assert_eq!(pieces[0].len(), cut);
    }
}

#[test]
fn bodies_and_credentials_are_there_when_they_are_asked_for() {
    let sent = "POST /a HTTP/1.1\r\nHost: a\r\nCookie: b=c\r\nContent-Length: 5\r\n\r\nhello";
    for (bodies, credentials) in [(false, false), (true, false), (false, true), (true, true)] {
        let limits = RecordLimits {
            bodies,
            credentials,
            ..RecordLimits::default()
        };
        let file = Shared::default();
        recorded(limits, &file, mirror, |hand| {
            let mut client = hand.client();
            send(hand, &mut client, sent);
        });
        let text = file.text();
        assert_eq!(text.contains("hello"), bodies, "{text}");
        assert_eq!(text.contains("Cookie: b=c"), credentials, "{text}");
        assert_eq!(file.recording().bytes(), sent.len() as u64);
    }
}

/// What another protocol says is nobody's business.
#[test]
fn nothing_is_recorded_behind_a_change_of_protocol() {
    let file = Shared::default();
    let (recorded, _) = recorded(RecordLimits::default(), &file, mirror, |hand| {
        let mut client = hand.client();
        send(
            hand,
            &mut client,
            "GET /a HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: b\r\n\r\nGET /secret",
        );
        send(hand, &mut client, " HTTP/1.1\r\nHost: a\r\n\r\n");
    });
    assert_eq!(recorded.cut, 1);
    let text = file.text();
    assert!(
        text.contains("Upgrade: b\r\n\r\n\ncut 1 ") && !text.contains("secret"),
        "{text}"
    );
}

#[test]
fn bounds_hold_and_what_is_beyond_is_told() {
    let get = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
    let limits = RecordLimits {
        bytes_max: 100,
        connections_max: 3,
        ..RecordLimits::default()
    };
    let file = Shared::default();
    let (recorded, statuses) = recorded(limits, &file, mirror, |hand| {
        for _ in 0..5 {
            let mut client = hand.client();
            send(hand, &mut client, get);
            send(hand, &mut client, get);
            drop(client);
            hand.settle();
        }
    });
    assert_eq!(statuses, [200; 10], "they are answered all the same");
    // Three requests have room: two of the first client, and one of the second.
    let wanted = Recorded {
        connections: 3,
        bytes: 3 * get.len() as u64,
        cut: 2,
    };
    assert_eq!(recorded, wanted);
    let recording = file.recording();
    let pieces: Vec<usize> = recording.pieces().map(Iterator::count).collect();
    assert_eq!(pieces, [2, 1, 0]);
}

#[test]
fn what_was_read_of_an_adopted_connection_is_recorded() {
    let file = Shared::default();
    recorded(RecordLimits::default(), &file, mirror, |hand| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it has one");
        let mut client = Client::connect(address);
        let (theirs, _) = listener.accept().expect("somebody waits");
        let adopted = hand
            .event_loop
            .adopt(std::os::fd::OwnedFd::from(theirs), *b"GET /a HT");
        adopted.expect("it serves");
        send(hand, &mut client, "TP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(hand.answer(&mut client).status, 200);
    });
    let recording = file.recording();
    let pieces: Vec<Vec<u8>> = recording
        .pieces()
        .map(|pieces| pieces.flatten().copied().collect())
        .collect();
    assert_eq!(pieces, [b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"]);
}

/// A file that takes nothing any more.
struct Full;

impl Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_file_that_cannot_be_written_is_told_at_the_end_and_hinders_nobody() {
    let (writer, recorder) = Writer::start(Full, RecordLimits::default()).expect("a thread");
    let mut hand = Hand::new(patient(), mirror, recorder);
    for _ in 0..3 {
        let mut client = hand.client();
        assert_eq!(hand.get(&mut client, "/a").status, 200);
        client.finish();
        assert_eq!(hand.end(&mut client), End::Finished);
    }
    drop(hand);
    let told = writer.finish().expect_err("nothing is written");
    assert!(matches!(told, NotRecorded::Write(_)));
    assert!(
        told.to_string().starts_with("the recording ends early: "),
        "{told}"
    );
}

/// A file that takes nothing before it is told to.
struct Slow(Receiver<()>, Shared);

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.0.recv(); // or who would tell it is gone
        self.1.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The loop goes on, and what is kept for the file has a bound: beyond it connections are cut.
#[test]
fn a_slow_file_hinders_nobody() {
    let (go_on, wait): (Sender<()>, _) = channel();
    let file = Shared::default();
    let limits = RecordLimits {
        bodies: true,
        ..RecordLimits::default()
    };
    let (writer, recorder) = Writer::start(Slow(wait, file.clone()), limits).expect("a thread");
    let mut hand = Hand::new(patient(), mirror, recorder);
    let go_on = go_on; // dropped before the recorder, which waits for the file at its end
    let body = "x".repeat(1 << 20);
    let sent = 12;
    for _ in 0..sent {
        let mut client = hand.client();
        client.send(format!(
            "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
            body.len()
        ));
        for piece in body.as_bytes().chunks(64 << 10) {
            client.send(piece);
            hand.event_loop.turn(Some(Duration::ZERO)).expect("turns");
        }
        assert_eq!(hand.answer(&mut client).status, 200);
        drop(client);
        hand.settle();
    }
    drop(go_on);
    drop(hand);
    let told = writer.finish().expect("it is written");
    assert!(told.cut > 0, "{told:?}");
    assert!(told.bytes < sent << 20 && told.bytes >= 4 << 20, "{told:?}");
    assert_eq!(file.recording().connections() as u64, told.connections);
}
