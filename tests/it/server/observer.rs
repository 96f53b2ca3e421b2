//! What an observer is told, and in which order.

use edgeloop::http::Reject;
use edgeloop::reactor::Token;
use edgeloop::server::{CloseReason, Summary};
use edgeloop::{Reply, Request, ResponseWriter, field_name};

use super::hand::Hand;
use super::patient;
use super::running::{Log, Seen};

fn only_token(log: &Log) -> Token {
    match log.all().first() {
        Some(Seen::Accepted(token)) => *token,
        other => panic!("{other:?}"),
    }
}

fn summary(status: u16, exchange: u32, reject: Option<Reject>) -> Summary {
    Summary {
        status,
        exchange,
        reject,
    }
}

#[test]
fn an_observer_is_told_everything_once_and_in_order() {
    let log = Log::default();
    let handler = |req: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
        match req.path() {
            "/later" => {
                let (completer, reply) = res.defer();
                completer.finish(|res| res.status(202).empty());
                reply
            }
            "/fault" => res.status(200).field(field_name!("X"), "\n").empty(),
            _ => res.status(200).empty(),
        }
    };
    let mut hand = Hand::new(patient(), handler, log.clone());
    let mut client = hand.client();
    client.send("GET /one HTTP/1.1\r\nHost: a\r\n\r\nHEAD /two HTTP/1.1\r\nHost: a\r\n\r\n");
    client.ask("/later");
    client.ask("/fault");
    client.send("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n");
    client.finish();
    hand.end(&mut client);
    hand.until("it is closed", |_| !log.closed().is_empty());
    let token = only_token(&log);
    let head = |line: &str| Seen::Head(token, line.to_owned());
    let answered =
        |status, exchange, reject| Seen::Answered(token, summary(status, exchange, reject));
    let all = log.all();
    assert!(matches!(&all[8], Seen::Trouble(text) if text.starts_with("Field")));
    let without_trouble: Vec<_> = all
        .into_iter()
        .filter(|seen| !matches!(seen, Seen::Trouble(_)))
        .collect();
    assert_eq!(
        without_trouble,
        [
            Seen::Accepted(token),
            head("GET /one"),
            answered(200, 1, None),
            head("HEAD /two"),
            answered(200, 2, None),
            head("GET /later"),
            answered(202, 3, None),
            head("GET /fault"),
            answered(500, 4, None),
            head("POST /body"),
            answered(413, 5, Some(Reject::BodyTooLarge)),
            Seen::Closed(token, CloseReason::WeAsked),
        ]
    );
}

#[test]
fn a_fault_in_a_head_is_an_answer_without_a_head() {
    let log = Log::default();
    let handler = |_: &Request<'_>, res: ResponseWriter<'_>| -> Reply { res.status(200).empty() };
    let mut hand = Hand::new(patient(), handler, log.clone());
    let mut client = hand.client();
    client.send("GET / HTTP/1.1\r\n\r\n");
    client.finish();
    hand.end(&mut client);
    hand.until("it is closed", |_| !log.closed().is_empty());
    let token = only_token(&log);
    assert_eq!(
        log.all()[1..],
        [
            Seen::Answered(token, summary(400, 1, Some(Reject::Host))),
            Seen::Closed(token, CloseReason::WeAsked),
        ]
    );
}

#[test]
fn accepting_pauses_when_descriptors_run_out_and_goes_on_when_one_is_free() {
    super::alone::alone(
        "server::observer::accepting_pauses_when_descriptors_run_out_and_goes_on_when_one_is_free",
        || {
            use nix::sys::resource::{Resource, getrlimit, setrlimit};
            let log = Log::default();
            let handler =
                |_: &Request<'_>, res: ResponseWriter<'_>| -> Reply { res.status(200).empty() };
            let mut hand = Hand::new(patient(), handler, log.clone());
            let mut clients: Vec<_> = (0..6)
                .map(|_| super::client::Client::connect(hand.address))
                .collect();
            let used = super::alone::descriptors();
            let room = |free: usize| {
                let mut below = (0..).filter(|number| !used.contains(number));
                let limit = below.nth(free).expect("one of all numbers");
                let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
                setrlimit(Resource::RLIMIT_NOFILE, limit, most).expect("within the hard one");
            };
            room(3);
            hand.settle();
            assert_eq!(hand.event_loop.connections(), 3);
            let paused = |log: &Log| {
                let troubles = log.troubles();
                troubles
                    .iter()
                    .filter(|it| it.starts_with("AcceptPaused"))
                    .count()
            };
            assert_eq!(paused(&log), 1, "it does not spin");
            let mut first = clients.remove(0);
            assert_eq!(hand.get(&mut first, "/").status, 200);
            first.finish();
            hand.end(&mut first);
            hand.settle();
            assert_eq!(hand.event_loop.connections(), 3, "another one was accepted");
            // Without a close it tries again by itself.
            room(20);
            hand.until("all are accepted", |hand| {
                hand.event_loop.connections() == 5
            });
            for client in &mut clients {
                assert_eq!(hand.get(client, "/").status, 200);
            }
        },
    );
}
