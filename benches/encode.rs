//! Writing answers, and what they are put together from. Whole answers include the reading of a short GET, since only
//! what was asked can be answered.

mod common;

use std::hint::black_box;

use common::Table;
use edgeloop::field_name;
use edgeloop::http::{Conn, Length, Limits, Slots, date, encode};

/// A connection on which an answer is owed.
fn asked(limits: &Limits) -> Conn {
    let mut conn = Conn::new();
    let (used, _) = conn.next(
        limits,
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        &mut Slots::new(),
    );
    assert_ne!(used, 0);
    conn
}

fn fields(out: &mut Vec<u8>) {
    for (name, value) in [
        (field_name!("Content-Type"), "text/html; charset=utf-8"),
        (
            field_name!("Cache-Control"),
            "public, max-age=31536000, immutable",
        ),
        (field_name!("ETag"), "\"66b1e1f2-1a2b\""),
        (field_name!("Vary"), "Accept-Encoding"),
        (field_name!("X-Content-Type-Options"), "nosniff"),
    ] {
        encode::field(out, black_box(name), black_box(value).as_bytes()).expect("sound");
    }
}

fn main() {
    let limits = Limits::default();
    let mut out = Vec::with_capacity(1 << 20);
    let table = Table::new("one");

    table.row("status line", 1, 0, || {
        out.clear();
        encode::status_line(&mut out, black_box(200));
    });
    table.row("field, of five", 5, 0, || {
        out.clear();
        fields(&mut out);
    });
    table.row("number of 10 digits", 1, 0, || {
        out.clear();
        encode::decimal(&mut out, black_box(1_234_567_890));
    });
    table.row("date", 1, 0, || date::format(black_box(1_700_000_000)));
    table.row("answer: five fields, 13 bytes", 1, 0, || {
        let mut conn = asked(&limits);
        out.clear();
        encode::status_line(&mut out, 200);
        fields(&mut out);
        conn.finish_head(&limits, &mut out, 200, Length::Known(13));
        conn.write_body(&limits, &mut out, black_box(b"Hello, World!"));
    });
    for size in [64, 1 << 10, 16 << 10] {
        let piece = vec![b'x'; size];
        let chunks = (64 << 10) / size;
        let name = format!("answer: 64 KiB in chunks of {size}");
        table.row(&name, 1, 64 << 10, || {
            let mut conn = asked(&limits);
            out.clear();
            encode::status_line(&mut out, 200);
            conn.finish_head(&limits, &mut out, 200, Length::Unknown);
            for _ in 0..chunks {
                conn.write_body(&limits, &mut out, black_box(&piece));
            }
            conn.end_body(&limits, &mut out, &[]);
        });
    }
}
