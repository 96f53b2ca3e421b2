//! Nothing is allocated per request.

use edgeloop::field_name;
use edgeloop::http::{Conn, Content, Event, Length, Limits, Slots, date, encode};

use crate::alloc::allocations;

/// Answers all of `input` into `out`, as a server does it. How many answers.
fn serve(
    conn: &mut Conn,
    limits: &Limits,
    date: &[u8],
    mut input: &[u8],
    out: &mut Vec<u8>,
) -> u32 {
    out.clear();
    let mut answers = 0;
    loop {
        let mut slots = Slots::new();
        let (used, event) = conn.next(limits, input, &mut slots);
        let whole = match event {
            Event::Request(head) => head.framing().body == edgeloop::http::Body::None,
            Event::End => true,
            Event::Data(_) | Event::Trailer(_) => false,
            Event::NeedInput => return answers,
            Event::Paused => {
                conn.want_body(out);
                false
            }
            Event::Rejected(_) | Event::Closed => panic!("{event:?}"),
        };
        input = &input[used..];
        if whole {
            encode::status_line(out, 200);
            encode::field(out, field_name!("Content-Type"), b"text/plain").expect("a field");
            out.extend_from_slice(date);
            if conn.finish_head(limits, out, 200, Length::Known(13)) == Content::Sent {
                conn.write_body(limits, out, b"Hello, world!");
            }
            answers += 1;
        }
    }
}

/// After one round to warm up, `input` gets its answers on the same connection without an allocation.
fn check(input: &[u8], expected: u32) {
    let (mut conn, limits, mut out) = (Conn::new(), Limits::default(), Vec::new());
    let date = date::format(784_111_777);
    serve(&mut conn, &limits, &date, input, &mut out);
    let mut answers = 0;
    let asked = allocations(|| {
        for _ in 0..100 {
            answers += serve(&mut conn, &limits, &date, input, &mut out);
        }
    });
    assert_eq!((asked, answers), (0, expected * 100));
}

const GET: &[u8] = b"GET /plaintext HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";

#[test]
fn a_request_allocates_nothing() {
    check(GET, 1);
}

#[test]
fn a_pipelined_batch_allocates_nothing() {
    check(&GET.repeat(16), 16);
}

#[test]
fn a_body_with_a_length_allocates_nothing() {
    check(
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        1,
    );
}

#[test]
fn a_chunked_body_with_trailers_allocates_nothing() {
    let head =
        b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n";
    check(
        &[&head[..], b"5;a=b\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"].concat(),
        1,
    );
}

#[test]
fn a_head_of_128_fields_allocates_nothing() {
    let fields = b"X-Field: value\r\n".repeat(127);
    check(
        &[b"GET / HTTP/1.1\r\nHost: a\r\n", &fields[..], b"\r\n"].concat(),
        1,
    );
}
