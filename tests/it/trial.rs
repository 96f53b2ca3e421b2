//! Handlers in a trial: what tests of applications rely on.

use std::thread;

use edgeloop::http::Length;
use edgeloop::server::{BodyWriter, Pull};
use edgeloop::{Limits, Reply, Request, ResponseWriter, Trial, field_name};

fn app(req: &Request<'_>, mut res: ResponseWriter<'_>) -> Reply {
    match (req.method(), req.path()) {
        ("POST", "/echo") => {
            let kind = req.field("content-type").unwrap_or_default();
            res.status(201)
                .field(field_name!("X-Kind"), kind)
                .body(req.body())
        }
        (_, "/later") => {
            let (promise, reply) = res.defer_with(|text: &str, res| res.status(200).text(text));
            thread::spawn(move || promise.finish("at last"));
            reply
        }
        (_, "/ticks") => {
            let local = res.local().clone();
            let waker = res.waker();
            let (mut ticks, timer) = (0, std::time::Duration::from_millis(1));
            local.every(timer, move || waker.wake());
            let source = move |body: &mut BodyWriter<'_>| {
                ticks += 1;
                body.write(b"tick ");
                if ticks == 3 { Pull::End } else { Pull::Wait }
            };
            res.status(200).stream(Length::Unknown, source)
        }
        (_, "/long") => res.status(200).body(vec![b'x'; 3 << 20]),
        (_, "/panics") => panic!("a panic that belongs to a test"),
        _ => res.no_route(req.method()),
    }
}

fn trial() -> Trial<fn(&Request<'_>, ResponseWriter<'_>) -> Reply> {
    Trial::new(app as fn(&Request<'_>, ResponseWriter<'_>) -> Reply).expect("descriptors")
}

/// The same on both kernels.
fn try_all() {
    let mut trial = trial();
    let answer = trial.call("POST", "/echo", &[("Content-Type", "text/x")], b"hello");
    assert_eq!((answer.status, answer.text()), (201, "hello"));
    assert_eq!(answer.field("x-kind"), Some("text/x"));
    assert_eq!(answer.field("nothing"), None);
    let long = trial.get("/long");
    assert_eq!((long.status, long.body.len()), (200, 3 << 20));
    assert_eq!(trial.call("HEAD", "/long", &[], b"").body, b"");
    assert_eq!(trial.get("/none").status, 404);
    assert_eq!(trial.get("/ticks").text(), "tick tick tick ");
    // A connection that has ended is followed by another one.
    assert_eq!(trial.get("/panics").status, 500);
    assert_eq!(trial.exchange(b"nonsense\r\n\r\n").status, 400);
    let asked = b"POST /echo HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi";
    assert_eq!(trial.exchange(asked).text(), "hi");
    let expects =
        b"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi";
    assert_eq!(trial.exchange(expects).text(), "hi");
}

#[test]
fn a_trial_shows_what_clients_would_see() {
    try_all();
    assert_eq!(trial().get("/later").text(), "at last");
}

#[test]
fn its_limits_are_those_of_a_server() {
    let limits = Limits {
        body_bytes_max: 4,
        ..Limits::default()
    };
    let mut trial = Trial::with_limits(app, limits).expect("descriptors");
    assert_eq!(trial.call("POST", "/echo", &[], b"hello").status, 413);
    assert_eq!(trial.call("POST", "/echo", &[], b"hell").status, 201);
}

#[test]
#[should_panic(expected = "no answer within 50ms")]
fn no_answer_is_told() {
    let mut kept = Vec::new();
    let forgets = move |_: &Request<'_>, res: ResponseWriter<'_>| {
        let (completer, reply) = res.defer();
        kept.push(completer);
        reply
    };
    let patience = std::time::Duration::from_millis(50);
    let mut trial = Trial::new(forgets).expect("descriptors").patience(patience);
    trial.get("/");
}

#[cfg(feature = "sim")]
#[test]
fn a_trial_in_a_world_is_the_same_with_every_seed() {
    use edgeloop::sys::sim::{Plan, Rates, World};

    for seed in 0..20 {
        let world = World::new(seed);
        let _inside = world.enter();
        world.set_plan(Plan::Random(Rates::UNEVEN));
        try_all();
    }
}
