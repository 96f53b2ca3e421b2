//! Reading heads: the whole machine from bytes to a request, and httparse alone, which is the floor.

mod common;

use std::hint::black_box;

use common::Table;
use edgeloop::http::{Conn, Event, Limits, Slots};

const PLAIN: &str = "GET /plaintext HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";

const BROWSER: &str = "GET /assets/app.js?v=42 HTTP/1.1\r\n\
    Host: www.example.com\r\n\
    Connection: keep-alive\r\n\
    Cache-Control: max-age=0\r\n\
    sec-ch-ua: \"Chromium\";v=\"130\", \"Not?A_Brand\";v=\"99\"\r\n\
    sec-ch-ua-mobile: ?0\r\n\
    sec-ch-ua-platform: \"Linux\"\r\n\
    Upgrade-Insecure-Requests: 1\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n\
    Sec-Fetch-Site: same-origin\r\n\
    Sec-Fetch-Mode: no-cors\r\n\
    Sec-Fetch-Dest: script\r\n\
    Referer: https://www.example.com/\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-GB,en;q=0.9\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\r\n";

/// Bytes of the request that came out of the input.
fn read<'i>(limits: &Limits, input: &'i [u8], slots: &mut Slots<'i>) -> usize {
    let mut conn = Conn::new();
    match conn.next(limits, black_box(input), slots) {
        (used, Event::Request(head)) => used + head.path().len(),
        (_, event) => panic!("no request but {event:?}"),
    }
}

fn reject<'i>(limits: &Limits, input: &'i [u8], slots: &mut Slots<'i>) {
    let mut conn = Conn::new();
    let (_, event) = conn.next(limits, black_box(input), slots);
    assert!(matches!(event, Event::Rejected(_)), "{event:?}");
}

fn drip<'i>(limits: &Limits, input: &'i [u8], slots: &mut Slots<'i>) {
    let mut conn = Conn::new();
    for end in 1..=input.len() {
        let (_, event) = conn.next(limits, black_box(&input[..end]), slots);
        let whole = matches!(event, Event::Request(_));
        assert_eq!(whole, end == input.len(), "{event:?}");
    }
}

fn floor(input: &[u8]) -> usize {
    let mut fields = [const { std::mem::MaybeUninit::uninit() }; 128];
    let mut request = httparse::Request::new(&mut []);
    let status = request.parse_with_uninit_headers(black_box(input), &mut fields);
    status.expect("sound").unwrap() + request.headers.len()
}

fn main() {
    let limits = Limits::default();
    let many = format!(
        "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
        "X-Some-Field: some value of some length\r\n".repeat(100)
    );
    let table = Table::new("one head");
    for (name, head) in [
        ("1 field", PLAIN),
        ("16 fields, from a browser", BROWSER),
        ("101 fields", &many),
    ] {
        let head = head.as_bytes();
        let mut slots = Slots::new();
        table.row(name, 1, head.len(), || read(&limits, head, &mut slots));
        table.row(&format!("{name}, httparse"), 1, head.len(), || floor(head));
    }
    let bare_lf = BROWSER.replace("dark\r\n", "dark\n");
    let mut slots = Slots::new();
    table.row("16 fields, byte by byte", 1, BROWSER.len(), || {
        drip(&limits, BROWSER.as_bytes(), &mut slots);
    });
    table.row("a fault in the last field", 1, bare_lf.len(), || {
        reject(&limits, bare_lf.as_bytes(), &mut slots);
    });
}
