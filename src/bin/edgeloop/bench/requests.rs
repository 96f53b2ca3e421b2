//! What is sent: the bytes of one request, again and again.

use std::fmt::Write;
use std::io;

use edgeloop::http::{is_token, is_value};
use edgeloop::sys::{Fd, socket};

use super::settings::Settings;
use super::target::Target;

/// What is given to the kernel at once, at least one request.
const BATCH_BYTES: usize = 64 << 10;

/// A request as often as one send can take it. All are alike, so what is to be sent next is a place in it.
#[derive(Debug)]
pub(crate) struct Requests {
    batch: Vec<u8>,
    /// Of one request.
    length: usize,
    /// The most that one send takes.
    piece: usize,
}

/// How far the sending of a connection is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sending {
    /// Where in a request.
    at: usize,
    /// Bytes that are asked for and not sent.
    left: usize,
}

/// What became of a send.
#[derive(Debug)]
pub(crate) enum Sent {
    /// All that was to be sent is.
    All,
    /// A piece, and the next one goes in the next turn.
    Piece,
    /// As much as there was room for.
    Full,
}

impl Requests {
    /// The requests that the settings ask for.
    pub(crate) fn new(settings: &Settings, target: &Target, body: &[u8]) -> Requests {
        let mut bytes = head(settings, target, body.len()).into_bytes();
        bytes.extend_from_slice(body);
        let length = bytes.len();
        let times = (BATCH_BYTES / length).clamp(1, settings.depth);
        Requests {
            batch: bytes.repeat(times),
            length,
            piece: settings.split.unwrap_or(usize::MAX),
        }
    }

    /// Sends what there is to be sent: in pieces, if they are split, one a call.
    pub(crate) fn send(&self, fd: &Fd, sending: &mut Sending) -> io::Result<Sent> {
        while sending.left > 0 {
            let rest = &self.batch[sending.at..];
            let most = rest.len().min(sending.left).min(self.piece);
            let sent = match socket::send(fd, &rest[..most], socket::More::No) {
                Ok(sent) => sent,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Sent::Full),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            sending.at = (sending.at + sent) % self.length;
            sending.left -= sent;
            if sent == self.piece && sending.left > 0 {
                return Ok(Sent::Piece);
            }
        }
        Ok(Sent::All)
    }
}

impl Sending {
    /// One request more is to be sent.
    pub(crate) fn add(&mut self, requests: &Requests) {
        self.left += requests.length;
    }

    /// Whether nothing is left to be sent.
    pub(crate) fn is_done(&self) -> bool {
        self.left == 0
    }
}

/// The head. What frames it is written here and nowhere else.
fn head(settings: &Settings, target: &Target, length: usize) -> String {
    let (method, path) = (&settings.method, &target.path);
    let mut head = format!("{method} {path} HTTP/1.1\r\n");
    let is_given = |wanted: &str| {
        let mut names = settings.headers.iter().map(|(name, _)| name);
        names.any(|name| name.eq_ignore_ascii_case(wanted))
    };
    // Writing to a String does not fail.
    if !is_given("host") {
        let _ = write!(head, "Host: {}\r\n", target.authority);
    }
    for (name, value) in &settings.headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    // RFC 9110 §8.6: methods that are about content say also that there is none.
    if length > 0 || matches!(&**method, "POST" | "PUT" | "PATCH") {
        let _ = write!(head, "Content-Length: {length}\r\n");
    }
    if settings.churn {
        head.push_str("Connection: close\r\n");
    }
    head.push_str("\r\n");
    head
}

/// Reads `Name: value`.
pub(crate) fn field(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once(':')
        .map(|(name, value)| (name, value.trim_matches([' ', '\t'])))
        .filter(|(name, value)| is_token(name.as_bytes()) && is_value(value.as_bytes()))
        .ok_or_else(|| format!("'{text}' is no field; write one such as 'Accept: */*'"))?;
    let framing = [
        "connection",
        "content-length",
        "transfer-encoding",
        "upgrade",
        "expect",
    ];
    if framing.iter().any(|it| name.eq_ignore_ascii_case(it)) {
        return Err(format!(
            "{name} can't be set: it is said by --churn, --body-file and the like, or not at all"
        ));
    }
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::Asked;
    use crate::bench::settings::BENCH;

    fn requests(words: &[&str], body: &[u8]) -> Requests {
        let words = [&["http://localhost/a"], words].concat();
        let Ok(Asked::Run(settings)) = BENCH.parse(&mut lexopt::Parser::from_args(&words)) else {
            panic!("{words:?}");
        };
        Requests::new(&settings, settings.check().expect("in order"), body)
    }

    #[test]
    fn a_request_says_what_it_has_to_and_nothing_else() {
        for (words, body, wanted) in [
            (
                &[] as &[_],
                "",
                "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n",
            ),
            (
                &["--method=POST"],
                "",
                "POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
            ),
            (
                &["--header=host: b", "--header=A:", "--churn"],
                "xy",
                "GET /a HTTP/1.1\r\nhost: b\r\nA: \r\nContent-Length: 2\r\nConnection: close\r\n\r\nxy",
            ),
        ] {
            let requests = requests(words, body.as_bytes());
            assert_eq!(
                requests.batch.escape_ascii().to_string(),
                wanted.as_bytes().escape_ascii().to_string()
            );
        }
    }

    #[test]
    fn requests_that_are_split_are_sent_one_piece_a_call() {
        let requests = requests(&["--split=7", "--depth=2"], b"");
        let (ours, theirs) = socket::pair().expect("a pair");
        let mut sending = Sending::default();
        sending.add(&requests);
        sending.add(&requests);
        let mut came = Vec::new();
        loop {
            let sent = requests.send(&ours, &mut sending).expect("room");
            let mut bytes = [0; 64];
            let length = socket::recv(&theirs, &mut bytes).expect("a piece");
            came.extend_from_slice(&bytes[..length]);
            match sent {
                Sent::Piece => assert_eq!(length, 7),
                Sent::All => break,
                Sent::Full => panic!("there is room"),
            }
        }
        assert_eq!(came, requests.batch[..requests.length].repeat(2));
    }

    #[test]
    fn a_place_in_the_batch_comes_round() {
        let requests = requests(&["--depth=3"], b"");
        let (ours, theirs) = socket::pair().expect("a pair");
        let mut sending = Sending {
            at: 5,
            left: 7 * requests.length - 5,
        };
        let sent = requests.send(&ours, &mut sending);
        assert!(matches!(sent, Ok(Sent::All)) && sending == Sending::default());
        let mut bytes = [0; 4096];
        let length = socket::recv(&theirs, &mut bytes).expect("bytes");
        assert_eq!(
            bytes[..length],
            requests.batch[..requests.length].repeat(7)[5..]
        );
    }
}
