//! A whole connection to a whole server: what its client gets, whatever it sends and however that is cut.

use std::cell::RefCell;

use edgeloop::http::{Body, Version};
use edgeloop::{Handler, Intake, Limits, Reply, Request, ResponseWriter};

use super::answers::take_final;
use super::asked::requests;
use super::choices::{Choices, narrow, pieces};
use super::wire::{Folder, Wire};

/// Says what it has understood, now or later.
struct App;

impl Handler for App {
    fn on_request(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
        let text = describe(req);
        match (req.path(), req.framing().body) {
            ("/echo", Body::Length(_)) => return res.status(200).body(req.body()),
            // There was no body, so there was no intake.
            ("/unwanted", _) => return res.status(404).body("not found"),
            ("/later", _) => {}
            _ => return res.status(200).body(text),
        }
        let (completer, reply) = res.defer();
        completer.finish(|res| res.status(200).body(text));
        reply
    }

    fn intake(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Intake {
        let path = req.path();
        let most = path.strip_prefix("/limit/").map(str::parse);
        match most {
            _ if path == "/unwanted" => Intake::Answer(res.status(404).body("not found")),
            Some(Ok(most)) => Intake::Buffer(most),
            Some(Err(_)) | None => Intake::Buffer(res.limits().body_bytes_max),
        }
    }
}

fn describe(req: &Request<'_>) -> Vec<u8> {
    let query = req
        .query()
        .map_or(String::new(), |it| format!(" query={it}"));
    let version = match req.version() {
        Version::Http10 => "HTTP/1.0",
        Version::Http11 => "HTTP/1.1",
    };
    let (method, path, host) = (req.method(), req.path(), req.host());
    let line = format!("{method} {path}{query} host={host} {version}");
    let body = match req.body() {
        [] => Vec::new(),
        body if body.len() <= 40 => [b" body=", body].concat(),
        body => format!(" body={} bytes", body.len()).into_bytes(),
    };
    let trailers = req.trailers();
    let trailers = trailers
        .iter()
        .flat_map(|(name, value)| [b" ", name.as_bytes(), b"=", value].concat());
    line.into_bytes()
        .into_iter()
        .chain(body)
        .chain(trailers)
        .collect()
}

thread_local! {
    /// One with the usual limits, and one with narrow ones, that has to stop after every few bytes.
    static SERVERS: [RefCell<Wire<App>>; 2] = [
        RefCell::new(Wire::new(Folder::new(), App)),
        RefCell::new(Wire::within(
            Limits {
                http: narrow(),
                receive_budget: 1,
                send_budget: 7,
                request_budget: 1,
                turn_send_budget: 50,
                ..Limits::default()
            },
            Folder::new(),
            App,
        )),
    ];
}

/// Input: a byte for the limits, one for how many cuts, the cuts, then what a client sends before it finishes.
///
/// Cuts change nothing; what comes back is whole answers; the n-th of them is to the n-th request that the plain reader
/// sees, with its own body, and none is to what it does not see; what has come whole is answered.
pub fn session(data: &[u8]) {
    let mut choices = Choices::new(data);
    let is_narrow = data.first().is_some_and(|byte| byte & 1 != 0);
    let (limits, cuts) = (choices.limits(), choices.cuts());
    let input = choices.rest();
    let (whole, cut) = SERVERS.with(|servers| {
        let mut server = servers[usize::from(is_narrow)].borrow_mut();
        let cut = server.exchange_pieces(pieces(input, cuts));
        (server.exchange(input), cut)
    });
    assert!(
        whole == cut,
        "cut as {cuts:?}: {} not {}",
        cut.escape_ascii(),
        whole.escape_ascii()
    );
    let asked = requests(&limits, input);
    let (mut rest, mut count, mut closes) = (&whole[..], 0, false);
    while !rest.is_empty() {
        assert!(!closes, "the answer before was the last");
        let this = asked.get(count);
        // What is refused may still have been a HEAD.
        let omitted = this.map_or_else(|| is_bare(rest), super::asked::Asked::is_head);
        let (answer, behind) = take_final(rest, omitted).expect("whole answers");
        rest = behind;
        match this {
            Some(asked) if asked.body.is_none() => {}
            // These the server answers by itself.
            Some(asked) if asked.path() == "*" => {
                assert_eq!((answer.status, &answer.body[..]), (200, &b""[..]));
            }
            Some(asked) if asked.path().is_empty() => assert_eq!(answer.status, 501),
            Some(asked) => asked.check(&answer),
            None => assert!(answer.status >= 400, "{answer:?} and nothing was asked"),
        }
        count += 1;
        closes = answer.field("connection") == Some(b"close");
    }
    // What is at fault gets an answer too, and is no request.
    assert!(count <= asked.len() + 1);
    let whole_ones = asked.iter().filter(|asked| asked.body.is_some()).count();
    let gives_up = closes || asked.iter().any(|asked| asked.path() == "/unwanted");
    assert!(gives_up || count >= whole_ones, "no answer");
}

/// Whether nothing follows the head with which these bytes begin.
fn is_bare(answer: &[u8]) -> bool {
    answer.ends_with(b"\r\n\r\n")
}
