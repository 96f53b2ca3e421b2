//! What every answer begins with: the status line, Server and Date.

use core::time::Duration;

use crate::http::{date, encode};
use crate::sys::{Instant, UnixTime};

/// The bytes of an answer up to its own fields, ready to be copied. Made anew once a second.
#[derive(Debug)]
pub(super) struct Preamble {
    /// The line of status 200, then the fields.
    bytes: Vec<u8>,
    /// Where the fields begin.
    fields_at: usize,
    settings: Settings,
    /// The Date is right until then.
    until: Instant,
}

/// What the operator chose.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// The value of Server.
    pub(super) server: Option<String>,
    /// Whether there is a Date (RFC 9110 §6.6.1: a server with a clock has to send it).
    pub(super) date: bool,
}

impl Preamble {
    pub(super) fn new(settings: Settings) -> Preamble {
        Preamble {
            bytes: Vec::with_capacity(256),
            fields_at: 0,
            settings,
            until: Instant::from_nanos(0),
        }
    }

    /// To be called once a turn: reads the wall clock when the second is over.
    #[inline]
    pub(super) fn refresh(&mut self, now: Instant) {
        if now >= self.until {
            self.build(now, UnixTime::now());
        }
    }

    /// Takes this for the time, for ever.
    pub(super) fn stop_at(&mut self, time: UnixTime) {
        self.build(Instant::from_nanos(0), time);
        self.until = Instant::NEVER;
    }

    #[cold]
    fn build(&mut self, now: Instant, time: UnixTime) {
        self.until = now + Duration::from_nanos(1_000_000_000 - u64::from(time.nanos));
        self.bytes.clear();
        encode::status_line(&mut self.bytes, 200);
        self.fields_at = self.bytes.len();
        if let Some(server) = &self.settings.server {
            self.bytes.extend_from_slice(b"Server: ");
            self.bytes.extend_from_slice(server.as_bytes());
            self.bytes.extend_from_slice(b"\r\n");
        }
        if self.settings.date {
            self.bytes.extend_from_slice(b"Date: ");
            self.bytes.extend_from_slice(&date::format(time.secs));
            self.bytes.extend_from_slice(b"\r\n");
        }
    }

    /// Begins an answer.
    #[inline]
    pub(super) fn begin(&self, out: &mut Vec<u8>, status: u16) {
        if status == 200 {
            out.extend_from_slice(&self.bytes);
        } else {
            encode::status_line(out, status);
            out.extend_from_slice(&self.bytes[self.fields_at..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_changes_when_the_second_does() {
        let mut preamble = Preamble::new(Settings {
            server: Some("x".into()),
            date: true,
        });
        let begin = Instant::from_nanos(5_000_000_000);
        preamble.build(
            begin,
            UnixTime {
                secs: 784_111_777,
                nanos: 900_000_000,
            },
        );
        let mut out = Vec::new();
        preamble.begin(&mut out, 200);
        assert_eq!(
            out,
            b"HTTP/1.1 200 OK\r\nServer: x\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
        );
        assert_eq!(preamble.until, begin + Duration::from_millis(100));
        out.clear();
        preamble.begin(&mut out, 404);
        assert_eq!(
            out,
            b"HTTP/1.1 404 Not Found\r\nServer: x\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
        );
    }
}
