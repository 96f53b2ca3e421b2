//! A server of forty lines around [`Conn`]: it holds what was not used, answers every request with what it understood
//! of it, and writes down the bytes that a client would get.
//!
//! | path | answer |
//! |---|---|
//! | `/unwanted` | 404 at once: nobody wants the body |
//! | `/limit/N` | 413 for a body of more than N bytes |
//! | `/echo` | the body, while it comes |
//! | `/chunked` | of a length that is not known when it begins, with a trailer |
//! | `/status/N` | with this status, which is a final one |
//! | `/close` | the last one |
//! | any other | what was understood of the request |

use edgeloop::field_name;
use edgeloop::http::{
    Body, CloseReason, Conn, Content, Event, Exchange, FieldName, Head, Length, Limits,
};
use edgeloop::http::{Reject, Slots, Stage, TrailerSlots, Version, Writing, encode, trailers};

use super::corpus::Ending;

/// What a connection came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Transcript {
    /// All bytes that the client got.
    pub(crate) output: Vec<u8>,
    /// Why the connection was closed, if it was.
    pub(crate) end: Option<CloseReason>,
    /// Each final answer in order: was content sent with it?
    pub(crate) answers: Vec<Content>,
}

/// Feeds the pieces one after the other, and then what comes after them.
pub(crate) fn transcript<'p>(
    pieces: impl IntoIterator<Item = &'p [u8]>,
    ending: Ending,
) -> Transcript {
    transcript_within(Limits::default(), pieces, ending)
}

/// The same, within other limits.
pub(crate) fn transcript_within<'p>(
    limits: Limits,
    pieces: impl IntoIterator<Item = &'p [u8]>,
    ending: Ending,
) -> Transcript {
    let mut server = Server {
        limits,
        ..Server::default()
    };
    for piece in pieces {
        server.held.extend_from_slice(piece);
        server.turn(false);
    }
    match ending {
        Ending::Fin => server.turn(true),
        Ending::Deadline => server.expire(),
    }
    let end = match server.conn.stage() {
        Stage::Closing(reason) => Some(reason),
        Stage::Head { .. } | Stage::Exchange(_) => None,
    };
    Transcript {
        output: server.out,
        end,
        answers: server.answers,
    }
}

#[derive(Default)]
struct Server {
    conn: Conn,
    limits: Limits,
    held: Vec<u8>,
    out: Vec<u8>,
    asked: Asked,
    answers: Vec<Content>,
}

/// What is kept of a request until its answer.
#[derive(Default)]
struct Asked {
    method: String,
    path: String,
    query: Option<String>,
    host: String,
    version: &'static str,
    body: Vec<u8>,
    trailers: Vec<u8>,
}

impl Asked {
    fn of(head: &Head<'_>) -> Asked {
        Asked {
            method: head.method().to_owned(),
            path: head.path().to_owned(),
            query: head.query().map(str::to_owned),
            host: head.host().to_owned(),
            version: match head.version() {
                Version::Http10 => "HTTP/1.0",
                Version::Http11 => "HTTP/1.1",
            },
            body: Vec::new(),
            trailers: Vec::new(),
        }
    }

    fn path_number(&self, prefix: &str) -> Option<usize> {
        self.path.strip_prefix(prefix)?.parse().ok()
    }

    /// What an answer says of it.
    fn describe(&self) -> Vec<u8> {
        let mut text = format!("{} {}", self.method, self.path).into_bytes();
        if let Some(query) = &self.query {
            text.extend(format!(" query={query}").bytes());
        }
        text.extend(format!(" host={} {}", self.host, self.version).bytes());
        match self.body.len() {
            0 => {}
            1..=40 => text.extend([b" body=", &self.body[..]].concat()),
            bytes => text.extend(format!(" body={bytes} bytes").bytes()),
        }
        for (name, value) in trailers(&self.trailers, &mut TrailerSlots::new()).iter() {
            text.extend([b" ", name.as_bytes(), b"=", value].concat());
        }
        text
    }
}

/// What [`Event`] says, without what it borrows.
enum Step {
    Go,
    Stop,
    Asked(Asked, Body),
    Content,
    Answer,
    Refused(Reject),
}

impl Server {
    /// Steps until there is nothing more to do. With `fin`, nothing more will come.
    fn turn(&mut self, fin: bool) {
        loop {
            let mut slots = Slots::new();
            let (used, event) = self.conn.next(&self.limits, &self.held, &mut slots);
            let step = match event {
                Event::Request(head) => Step::Asked(Asked::of(&head), head.framing().body),
                Event::Data(data) => {
                    self.asked.body.extend_from_slice(data);
                    Step::Content
                }
                Event::Trailer(bytes) => {
                    self.asked.trailers.extend_from_slice(bytes);
                    Step::Go
                }
                Event::End => Step::Answer,
                Event::Rejected(reject) => Step::Refused(reject),
                Event::NeedInput => Step::Stop,
                Event::Paused => panic!("every request is answered before the next step"),
                Event::Closed => {
                    self.held.clear();
                    return;
                }
            };
            self.held.drain(..used);
            match step {
                Step::Go => {}
                Step::Asked(asked, body) => {
                    self.asked = asked;
                    self.begin(body);
                }
                Step::Content => self.content(),
                Step::Answer => self.end(),
                Step::Refused(reject) => self.refuse(reject),
                Step::Stop if !fin => return,
                Step::Stop => match self.conn.finish_input(&self.limits, &self.held) {
                    Some(reject) => self.refuse(reject),
                    // An echo that can't be finished.
                    None if matches!(self.conn.stage(), Stage::Exchange(_)) => self.conn.fail(),
                    None => {}
                },
            }
        }
    }

    fn expire(&mut self) {
        match self.conn.stage() {
            // Not a byte of a head: nothing is said.
            Stage::Head { .. } if self.held.is_empty() => {}
            Stage::Head { .. } => {
                let reject = self.conn.expire_head(&self.limits, &self.held);
                self.refuse(reject);
            }
            Stage::Exchange(Exchange {
                writing: Writing::Head,
                ..
            }) => {
                let reject = self.conn.refuse(Reject::BodyTimeout);
                self.refuse(reject);
            }
            Stage::Exchange(_) => self.conn.fail(),
            Stage::Closing(_) => {}
        }
    }

    /// A head has come.
    fn begin(&mut self, body: Body) {
        if let (Some(most), Body::Length(length)) = (self.asked.path_number("/limit/"), body)
            && length.get() > most as u64
        {
            let reject = self.conn.refuse(Reject::BodyTooLarge);
            return self.refuse(reject);
        }
        match (self.asked.path.as_str(), body) {
            ("/unwanted", _) => self.answer(404, b"not found"),
            ("/echo", Body::Length(length)) => {
                self.conn.want_body(&mut self.out);
                self.head(200, Length::Known(length.get()));
            }
            (_, Body::None) => self.end(),
            (_, Body::Length(_) | Body::Chunked) => self.conn.want_body(&mut self.out),
        }
    }

    /// Some of a body has come.
    fn content(&mut self) {
        if let Stage::Exchange(Exchange {
            writing: Writing::Body(_),
            ..
        }) = self.conn.stage()
        {
            self.conn
                .write_body(&self.limits, &mut self.out, &self.asked.body);
            self.asked.body.clear();
        } else if let Some(most) = self.asked.path_number("/limit/")
            && self.asked.body.len() > most
        {
            let reject = self.conn.refuse(Reject::BodyTooLarge);
            self.refuse(reject);
        }
    }

    /// A request has come whole.
    fn end(&mut self) {
        if !matches!(
            self.conn.stage(),
            Stage::Exchange(Exchange {
                writing: Writing::Head,
                ..
            })
        ) {
            return;
        }
        let text = self.asked.describe();
        if let Some(status) = self.asked.path_number("/status/")
            && let Ok(status) = u16::try_from(status)
            && !(100..200).contains(&status)
        {
            return self.answer(status, &text);
        }
        match self.asked.path.as_str() {
            "/chunked" => {
                if self.head(200, Length::Unknown) == Content::Sent {
                    let (begin, rest) = text.split_at(4);
                    self.conn.write_body(&self.limits, &mut self.out, begin);
                    self.conn.write_body(&self.limits, &mut self.out, b"");
                    self.conn.write_body(&self.limits, &mut self.out, rest);
                    let trailers: [(FieldName<'_>, &[u8]); 2] = [
                        (field_name!("X-Sum"), b"1"),
                        (field_name!("Content-Type"), b"2"),
                    ];
                    self.conn.end_body(&self.limits, &mut self.out, &trailers);
                }
            }
            "/close" => {
                self.conn.close_after_answer();
                self.answer(200, &text);
            }
            _ => self.answer(200, &text),
        }
    }

    fn refuse(&mut self, reject: Reject) {
        self.answer(reject.status(), format!("{}\n", reject.reason()).as_bytes());
    }

    fn answer(&mut self, status: u16, content: &[u8]) {
        if self.head(status, Length::Known(content.len() as u64)) == Content::Sent {
            self.conn.write_body(&self.limits, &mut self.out, content);
        }
    }

    fn head(&mut self, status: u16, length: Length) -> Content {
        encode::status_line(&mut self.out, status);
        let content = self
            .conn
            .finish_head(&self.limits, &mut self.out, status, length);
        self.answers.push(content);
        content
    }
}
