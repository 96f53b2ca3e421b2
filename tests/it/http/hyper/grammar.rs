//! Requests put together from the grammar of RFC 9112, in series as a client pipelines them; as they should be, or with
//! something odd here and there.

use edgeloop::http::Body;

use super::words::{
    CONNECT_TARGETS, CONNECTIONS, EXPECTS, EXTENSIONS, FIELDS, HOSTS, LINE_END, METHODS,
    ODD_CODINGS, ODD_CONNECT_TARGETS, ODD_CONNECTIONS, ODD_EXPECTS, ODD_EXTENSIONS, ODD_FIELDS,
    ODD_HOSTS, ODD_LENGTHS, ODD_LINE_ENDS, ODD_METHODS, ODD_SIZES, ODD_SPACES, ODD_TARGETS,
    ODD_TRAILERS, ODD_VERSIONS, OPTIONS_TARGETS, SPACE, TARGETS, TRAILERS, Words,
};
use crate::http::random::Random;

/// Puts requests together. Nothing odd is chosen unless `odd` is positive: then once in so many choices.
pub(super) struct Grammar {
    pub(super) random: Random,
    pub(super) odd: usize,
}

/// The bytes of a connection and what was meant by them.
#[derive(Default)]
pub(super) struct Series {
    pub(super) bytes: Vec<u8>,
    /// Up to the first that ends the connection.
    pub(super) meant: Vec<Meant>,
}

/// One request as it was meant.
pub(super) struct Meant {
    pub(super) method: &'static str,
    pub(super) framing: Body,
    pub(super) body: Vec<u8>,
}

impl Grammar {
    /// One to four requests.
    pub(super) fn series(&mut self) -> Series {
        let mut series = Series::default();
        let mut open = true;
        for _ in 0..=self.random.below(4) {
            let (meant, last) = self.request(&mut series.bytes);
            if open {
                series.meant.push(meant);
            }
            open &= !last;
        }
        series
    }

    fn chance(&mut self, once_in: usize) -> bool {
        self.random.below(once_in) == 0
    }

    fn is_odd(&mut self) -> bool {
        self.odd > 0 && self.chance(self.odd)
    }

    fn pick(&mut self, usual: Words, odd: Words) -> &'static str {
        let words = if !odd.is_empty() && self.is_odd() {
            odd
        } else {
            usual
        };
        words[self.random.below(words.len())]
    }

    /// Appends one request. What was meant by it, and whether it ends the connection.
    fn request(&mut self, bytes: &mut Vec<u8>) -> (Meant, bool) {
        let method = self.pick(METHODS, ODD_METHODS);
        let target = match method {
            "CONNECT" => self.pick(CONNECT_TARGETS, ODD_CONNECT_TARGETS),
            "OPTIONS" => self.pick(OPTIONS_TARGETS, ODD_TARGETS),
            _ => self.pick(TARGETS, ODD_TARGETS),
        };
        let old = self.chance(5);
        let version = self.pick(
            if old { &["HTTP/1.0"] } else { &["HTTP/1.1"] },
            ODD_VERSIONS,
        );
        let mut lines = Vec::new();
        if !old || self.chance(2) {
            lines.push(format!("Host: {}", self.pick(HOSTS, ODD_HOSTS)));
        }
        if self.is_odd() {
            lines = vec!["Host: a".to_owned(); 2 * self.random.below(2)];
        }
        for _ in 0..self.random.below(4) {
            lines.push(self.pick(FIELDS, ODD_FIELDS).to_owned());
        }
        let last = self.persistence(old, &mut lines);
        let (meant, sent) = self.body(method, old, &mut lines);
        if self.chance(4) {
            lines.push(format!("Expect: {}", self.pick(EXPECTS, ODD_EXPECTS)));
        }
        if self.chance(6) {
            bytes.extend(b"\r\n");
        }
        push(bytes, method);
        push(bytes, self.pick(SPACE, ODD_SPACES));
        push(bytes, target);
        push(bytes, self.pick(SPACE, ODD_SPACES));
        push(bytes, version);
        push(bytes, self.pick(LINE_END, ODD_LINE_ENDS));
        while !lines.is_empty() {
            let line = lines.swap_remove(self.random.below(lines.len()));
            push(bytes, &line);
            push(bytes, self.pick(LINE_END, ODD_LINE_ENDS));
        }
        push(bytes, self.pick(LINE_END, ODD_LINE_ENDS));
        bytes.extend(sent);
        (meant, last)
    }

    /// Adds fields that say whether the connection lives on. Whether it ends.
    fn persistence(&mut self, old: bool, lines: &mut Vec<String>) -> bool {
        let (mut close, mut keep) = (false, false);
        while self.chance(4) {
            let value = self.pick(CONNECTIONS, ODD_CONNECTIONS);
            close |= value.to_lowercase().contains("close");
            keep |= value.to_lowercase().contains("keep-alive");
            lines.push(format!("Connection: {value}"));
        }
        close || (old && !keep)
    }

    /// Adds fields that frame a body. What was meant by the request, and the body's bytes on the wire.
    fn body(
        &mut self,
        method: &'static str,
        old: bool,
        lines: &mut Vec<String>,
    ) -> (Meant, Vec<u8>) {
        let content: Vec<u8> = (0..self.random.below(20))
            .map(|_| b"hi\r\n0;: "[self.random.below(8)])
            .collect();
        let (framing, sent) = match self.random.below(4) {
            0 | 1 if !old || self.is_odd() => {
                let coding = self.pick(&["chunked", "Chunked", "\tchunked "], ODD_CODINGS);
                lines.push(format!("Transfer-Encoding: {coding}"));
                if self.is_odd() {
                    lines.push(format!("Content-Length: {}", content.len()));
                }
                (Body::Chunked, self.chunks(&content))
            }
            0..=2 => {
                let digits = content.len().to_string();
                let length = self.pick(&["", "0", "0000", " \t"], ODD_LENGTHS);
                let length = match length {
                    "" | "0" | "0000" | " \t" => format!("{length}{digits}"),
                    odd => odd.to_owned(),
                };
                lines.push(format!("Content-Length: {length}"));
                if self.chance(5) {
                    lines.push(format!("content-length:{digits}"));
                }
                let framing = (content.len() as u64)
                    .try_into()
                    .map_or(Body::None, Body::Length);
                (framing, content.clone())
            }
            _ => (Body::None, Vec::new()),
        };
        let body = if framing == Body::None {
            Vec::new()
        } else {
            content
        };
        (
            Meant {
                method,
                framing,
                body,
            },
            sent,
        )
    }

    /// The content in chunks, and trailers behind it.
    fn chunks(&mut self, mut content: &[u8]) -> Vec<u8> {
        let mut sent = Vec::new();
        while !content.is_empty() {
            let (chunk, rest) = content.split_at(1 + self.random.below(content.len()));
            content = rest;
            let size = match self.random.below(3) {
                0 => format!("{:x}", chunk.len()),
                1 => format!("{:X}", chunk.len()),
                _ => format!("{:04x}", chunk.len()),
            };
            let size = if self.is_odd() {
                self.pick(ODD_SIZES, &[]).to_owned()
            } else {
                size
            };
            push(&mut sent, &size);
            push(&mut sent, self.pick(EXTENSIONS, ODD_EXTENSIONS));
            push(&mut sent, self.pick(LINE_END, ODD_LINE_ENDS));
            sent.extend_from_slice(chunk);
            push(&mut sent, self.pick(LINE_END, ODD_LINE_ENDS));
        }
        push(&mut sent, self.pick(&["0", "00", "0000"], ODD_SIZES));
        push(&mut sent, self.pick(EXTENSIONS, ODD_EXTENSIONS));
        push(&mut sent, self.pick(LINE_END, ODD_LINE_ENDS));
        while self.chance(3) {
            push(&mut sent, self.pick(TRAILERS, ODD_TRAILERS));
            push(&mut sent, self.pick(LINE_END, ODD_LINE_ENDS));
        }
        push(&mut sent, self.pick(LINE_END, ODD_LINE_ENDS));
        sent
    }
}

/// Each character is a byte: `\u{e9}` is one of obs-text.
fn push(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend(text.chars().map(|char| u32::from(char) as u8));
}
