//! Server-sent events: what `EventSource` in a browser reads (HTML Living Standard, 9.2).

use core::fmt;

use crate::field_name;
use crate::http::Length;
use crate::server::{BodyWriter, HeadWriter, Reply, Source};

/// An event on its way to an `EventSource`.
///
/// ```
/// use edgeloop::server::{BodyWriter, Pull};
/// use edgeloop::web::{self, ServerEvent};
/// use edgeloop::{Reply, Request, ResponseWriter};
///
/// fn three(_: &Request, res: ResponseWriter) -> Reply {
///     let mut count = 0;
///     let source = move |body: &mut BodyWriter<'_>| {
///         count += 1;
///         match ServerEvent::new(&format!("number {count}")).write(body) {
///             Ok(()) if count < 3 => Pull::More,
///             Ok(()) => Pull::End,
///             Err(_) => Pull::Failed,
///         }
///     };
///     web::event_stream(res.status(200), source)
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerEvent<'e> {
    data: &'e str,
    name: Option<&'e str>,
    id: Option<&'e str>,
}

/// An event that can't be sent: its name or its id has a line end, or its id a NUL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerEventError;

impl fmt::Display for ServerEventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name or the id of an event has a line end or a NUL")
    }
}

impl core::error::Error for ServerEventError {}

impl<'e> ServerEvent<'e> {
    /// An event with this content, of any number of lines. Whoever listens gets lines that end with LF.
    pub fn new(data: &'e str) -> ServerEvent<'e> {
        ServerEvent {
            data,
            name: None,
            id: None,
        }
    }

    /// Names it: it goes to the listeners of this name instead of those of `message`.
    #[must_use]
    pub fn named(mut self, name: &'e str) -> Self {
        self.name = Some(name);
        self
    }

    /// Gives it an id, which a client that comes back says in `Last-Event-ID`.
    #[must_use]
    pub fn with_id(mut self, id: &'e str) -> Self {
        self.id = Some(id);
        self
    }

    /// Writes it to the stream. Errors: nothing is written.
    pub fn write(&self, body: &mut BodyWriter<'_>) -> Result<(), ServerEventError> {
        body.write(self.encode()?.as_bytes());
        Ok(())
    }

    fn encode(&self) -> Result<String, ServerEventError> {
        let mut text = String::with_capacity(self.data.len() + 16);
        for (field, value) in [("event: ", self.name), ("id: ", self.id)] {
            let Some(value) = value else {
                continue;
            };
            if value.contains(['\r', '\n', '\0']) {
                return Err(ServerEventError);
            }
            text.extend([field, value, "\n"]);
        }
        for line in lines(self.data) {
            text.extend(["data: ", line, "\n"]);
        }
        text.push('\n');
        Ok(text)
    }
}

/// Its lines, however they end. Nothing has one line, and it is empty.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    core::iter::from_fn(move || {
        let whole = rest?;
        let Some(at) = whole.find(['\r', '\n']) else {
            rest = None;
            return Some(whole);
        };
        let end = if whole[at..].starts_with("\r\n") {
            2
        } else {
            1
        };
        rest = Some(&whole[at + end..]);
        Some(&whole[..at])
    })
}

/// A comment, which no listener gets: to be sent now and then where something on the way cuts silent connections.
pub fn event_stream_comment(body: &mut BodyWriter<'_>) {
    body.write(b":\n\n");
}

/// Answers with a stream of events that no cache keeps. The head is sent at once, whether or not there is an event.
pub fn event_stream(res: HeadWriter<'_>, source: impl Source + 'static) -> Reply {
    res.field(field_name!("Content-Type"), "text/event-stream")
        .field(field_name!("Cache-Control"), "no-store")
        .stream(Length::Unknown, source)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an `EventSource` makes of it, read by its own rules: name, id and data.
    fn read(text: &str) -> (Option<String>, Option<String>, String) {
        let (mut name, mut id, mut data) = (None, None, Vec::new());
        let event = text.strip_suffix("\n\n").expect("a blank line ends it");
        for line in event.split('\n') {
            let (field, value) = line.split_once(':').expect("a field");
            let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
            match field {
                "event" => name = Some(value),
                "id" => id = Some(value),
                "data" => data.push(value),
                other => panic!("{other}"),
            }
        }
        (name, id, data.join("\n"))
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        for (data, wanted) in [
            ("", ""),
            ("one", "one"),
            ("a\nb", "a\nb"),
            ("a\r\nb\rc\n", "a\nb\nc\n"),
            ("\n\n", "\n\n"),
            (" a: b", " a: b"),
            ("data: x\n\nevent: y", "data: x\n\nevent: y"),
        ] {
            let text = ServerEvent::new(data).encode().expect("no name");
            assert_eq!(read(&text), (None, None, wanted.to_owned()), "{data:?}");
            let named = ServerEvent::new(data).named("tick").with_id("7");
            let (name, id, read) = read(&named.encode().expect("a sound name"));
            assert_eq!((name.as_deref(), id.as_deref()), (Some("tick"), Some("7")));
            assert_eq!(read, wanted);
        }
    }

    #[test]
    fn a_name_or_an_id_can_not_smuggle_lines() {
        for bad in ["a\nb", "a\rb", "a\0b"] {
            let event = ServerEvent::new("x");
            assert_eq!(event.named(bad).encode(), Err(ServerEventError));
            assert_eq!(event.with_id(bad).encode(), Err(ServerEventError));
        }
    }
}
