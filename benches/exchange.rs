//! Whole exchanges in memory: a request's bytes in, its answer's bytes out, on a connection that is kept. What a server
//! without sockets would cost.

mod common;

use std::hint::black_box;

use common::Table;
use edgeloop::field_name;
use edgeloop::http::{Body, Conn, Event, Length, Limits, Slots, encode};

const GET: &str = "GET /plaintext HTTP/1.1\r\n\
    Host: 127.0.0.1:8080\r\n\
    User-Agent: some-client/1.0\r\n\
    Accept: text/plain, */*;q=0.1\r\n\r\n";

/// Answers all requests in the input. How many there were.
fn serve(
    limits: &Limits,
    conn: &mut Conn,
    input: &[u8],
    body: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> usize {
    let (mut at, mut answered) = (0, 0);
    body.clear();
    out.clear();
    loop {
        let mut slots = Slots::new();
        let (used, event) = conn.next(limits, &input[at..], &mut slots);
        at += used;
        let length = match event {
            Event::Request(head) if head.framing().body == Body::None => 13,
            Event::Request(_) | Event::Trailer(_) => continue,
            Event::Data(data) => {
                body.extend_from_slice(data);
                continue;
            }
            Event::End => body.len(),
            Event::NeedInput if at == input.len() => return answered,
            Event::NeedInput | Event::Paused | Event::Rejected(_) | Event::Closed => {
                panic!("{event:?} after {at} bytes")
            }
        };
        encode::status_line(out, 200);
        for (name, value) in [
            (field_name!("Server"), "edgeloop"),
            (field_name!("Content-Type"), "text/plain"),
        ] {
            encode::field(out, name, value.as_bytes()).expect("sound");
        }
        conn.finish_head(limits, out, 200, Length::Known(length as u64));
        match body.as_slice() {
            [] => conn.write_body(limits, out, b"Hello, World!"),
            body => conn.write_body(limits, out, body),
        }
        body.clear();
        answered += 1;
    }
}

fn main() {
    let limits = Limits::default();
    let table = Table::new("one exchange");
    let kib = "x".repeat(1024);
    for (name, input, requests) in [
        ("GET", GET.to_owned(), 1),
        ("GET, 16 pipelined", GET.repeat(16), 16),
        (
            "POST of 1 KiB by length",
            format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1024\r\n\r\n{kib}"),
            1,
        ),
        (
            "POST of 1 KiB in 4 chunks",
            format!(
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n",
                format!("100\r\n{}\r\n", &kib[..256]).repeat(4)
            ),
            1,
        ),
    ] {
        let (mut conn, mut body, mut out) = (Conn::new(), Vec::new(), Vec::new());
        table.row(name, requests, input.len(), || {
            let answered = serve(
                &limits,
                &mut conn,
                black_box(input.as_bytes()),
                &mut body,
                &mut out,
            );
            assert_eq!(answered, requests as usize);
            black_box(out.len())
        });
    }
}
