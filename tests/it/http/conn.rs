//! What a server may do with a [`Conn`] beside the straight way from request to answer.

use edgeloop::http::{
    CloseReason, Conn, Content, Event, Exchange, Length, Limits, Persist, Reading,
};
use edgeloop::http::{Reject, Slots, Stage, Writing, encode};

/// A connection that has taken one head, and the rest of its input.
fn asked(input: &[u8]) -> (Conn, &[u8]) {
    let mut conn = Conn::new();
    let mut slots = Slots::new();
    let (used, event) = conn.next(&Limits::default(), input, &mut slots);
    assert!(matches!(event, Event::Request(_)), "{event:?}");
    (conn, &input[used..])
}

fn answer(conn: &mut Conn, status: u16, length: Length) -> (Content, String) {
    let mut out = Vec::new();
    encode::status_line(&mut out, status);
    let content = conn.finish_head(&Limits::default(), &mut out, status, length);
    (content, String::from_utf8(out).expect("ASCII"))
}

fn exchange(conn: &Conn) -> Exchange {
    match conn.stage() {
        Stage::Exchange(exchange) => *exchange,
        other => panic!("{other:?}"),
    }
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const EXPECTING: &[u8] =
    b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";

#[test]
fn nothing_of_the_next_request_is_looked_at_before_the_answer() {
    let input = [GET, GET].concat();
    let (mut conn, rest) = asked(&input);
    for _ in 0..2 {
        assert!(matches!(
            conn.next(&Limits::default(), rest, &mut Slots::new()),
            (0, Event::Paused)
        ));
    }
    answer(&mut conn, 200, Length::Known(0));
    assert!(matches!(
        conn.next(&Limits::default(), rest, &mut Slots::new()),
        (27, Event::Request(_))
    ));
    assert_eq!(conn.serial(), 2);
}

#[test]
fn a_held_back_body_is_not_looked_at_before_it_is_wanted() {
    let input = [EXPECTING, b"hi"].concat();
    let (mut conn, rest) = asked(&input);
    assert!(matches!(
        conn.next_data(&Limits::default(), rest),
        (0, Event::Paused)
    ));
    let mut out = Vec::new();
    conn.want_body(&mut out);
    conn.want_body(&mut out);
    assert_eq!(out, b"HTTP/1.1 100 Continue\r\n\r\n");
    assert!(matches!(
        conn.next_data(&Limits::default(), rest),
        (2, Event::Data(b"hi"))
    ));
    assert!(matches!(
        conn.next_data(&Limits::default(), b""),
        (0, Event::End)
    ));
}

#[test]
fn no_100_goes_out_once_the_answer_has_begun() {
    let (mut conn, _) = asked(EXPECTING);
    let (_, head) = answer(&mut conn, 200, Length::Unknown);
    assert_eq!(
        head,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    );
    let mut out = Vec::new();
    conn.want_body(&mut out);
    assert_eq!(out, b"");
    assert!(matches!(exchange(&conn).reading, Reading::AwaitContinue(_)));
    conn.end_body(&Limits::default(), &mut out, &[]);
    assert_eq!(*conn.stage(), Stage::Closing(CloseReason::BodyUnread));
}

#[test]
fn requests_that_came_before_the_fin_are_answered_too() {
    let input = [GET, GET].concat();
    let (mut conn, rest) = asked(&input);
    assert_eq!(conn.finish_input(&Limits::default(), rest), None);
    let (_, head) = answer(&mut conn, 200, Length::Known(0));
    assert_eq!(head, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let mut slots = Slots::new();
    let (used, event) = conn.next(&Limits::default(), rest, &mut slots);
    assert!(matches!(event, Event::Request(_)));
    assert_eq!(conn.finish_input(&Limits::default(), &rest[used..]), None);
    let (_, head) = answer(&mut conn, 200, Length::Known(0));
    assert_eq!(
        head,
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(*conn.stage(), Stage::Closing(CloseReason::PeerAsked));
}

#[test]
fn a_held_back_body_that_came_before_the_fin_can_still_be_read() {
    let input = [EXPECTING, b"hi"].concat();
    let (mut conn, rest) = asked(&input);
    assert_eq!(conn.finish_input(&Limits::default(), rest), None);
    conn.want_body(&mut Vec::new());
    assert!(matches!(
        conn.next_data(&Limits::default(), rest),
        (2, Event::Data(b"hi"))
    ));
    assert!(matches!(
        conn.next_data(&Limits::default(), b""),
        (0, Event::End)
    ));
}

#[test]
fn a_held_back_body_that_did_not_come_before_the_fin_is_unfinished() {
    let (mut conn, _) = asked(EXPECTING);
    assert_eq!(
        conn.finish_input(&Limits::default(), b""),
        Some(Reject::UnfinishedBody)
    );
}

#[test]
fn a_half_closed_client_gets_its_whole_answer() {
    let (mut conn, _) = asked(GET);
    answer(&mut conn, 200, Length::Known(2));
    assert_eq!(conn.finish_input(&Limits::default(), b""), None);
    let mut out = Vec::new();
    conn.write_body(&Limits::default(), &mut out, b"h");
    assert_eq!(
        exchange(&conn).writing,
        Writing::Body(encode::Encoder::Length(1))
    );
    conn.write_body(&Limits::default(), &mut out, b"i");
    assert_eq!(out, b"hi");
    assert_eq!(*conn.stage(), Stage::Closing(CloseReason::PeerAsked));
}

#[test]
fn an_interim_status_is_no_answer() {
    for status in [100, 102, 103, 199] {
        let answered = std::panic::catch_unwind(|| {
            let (mut conn, _) = asked(GET);
            answer(&mut conn, status, Length::Known(0));
        });
        assert!(answered.is_err(), "{status}");
    }
}

#[test]
fn switching_protocols_has_no_length() {
    let (mut conn, _) = asked(GET);
    assert_eq!(
        answer(&mut conn, 101, Length::Unknown),
        (
            Content::Omitted,
            "HTTP/1.1 101 Switching Protocols\r\n\r\n".to_owned()
        )
    );
}

#[test]
fn an_answer_is_given_once() {
    let twice = std::panic::catch_unwind(|| {
        let (mut conn, _) = asked(GET);
        answer(&mut conn, 200, Length::Known(1));
        answer(&mut conn, 200, Length::Known(1));
    });
    assert!(twice.is_err());
}

#[test]
fn content_is_never_longer_than_promised() {
    let longer = std::panic::catch_unwind(|| {
        let (mut conn, _) = asked(GET);
        answer(&mut conn, 200, Length::Known(1));
        conn.write_body(&Limits::default(), &mut Vec::new(), b"hi");
    });
    assert!(longer.is_err());
}

#[test]
fn content_that_is_shorter_than_promised_ends_the_connection() {
    let (mut conn, _) = asked(GET);
    answer(&mut conn, 200, Length::Known(2));
    conn.sent_body(&Limits::default(), 1);
    conn.end_body(&Limits::default(), &mut Vec::new(), &[]);
    assert_eq!(*conn.stage(), Stage::Closing(CloseReason::Failed));
}

#[test]
fn the_last_answer_says_so() {
    let (mut conn, _) = asked(GET);
    conn.close_after_answer();
    assert_eq!(exchange(&conn).persist, Persist::WeClose);
    let (_, head) = answer(&mut conn, 200, Length::Known(0));
    assert_eq!(
        head,
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(*conn.stage(), Stage::Closing(CloseReason::WeAsked));
}

#[test]
fn a_limit_of_more_than_128_fields_is_one_of_128() {
    let limits = Limits {
        fields_max: 500,
        ..Limits::default()
    };
    let fields = b"B:\r\n".repeat(128);
    for version in ["1.1", "1.2"] {
        let line = format!("GET / HTTP/{version}\r\nHost: a\r\n");
        let input = [line.as_bytes(), &fields, b"\r\n"].concat();
        let mut slots = Slots::new();
        let (_, event) = Conn::new().next(&limits, &input, &mut slots);
        assert!(matches!(event, Event::Rejected(Reject::TooManyFields)));
    }
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let (mut conn, _) = asked(head);
    let input = [b"0\r\n", &fields[..], b"B:\r\n"].concat();
    assert!(matches!(
        conn.next_data(&limits, &input),
        (0, Event::Rejected(Reject::TrailersTooLarge))
    ));
}

/// Offers ever more of `input`, as a slow client sends it, until it is refused: by how many bytes, and why.
fn refused_at(input: &[u8]) -> (usize, Reject) {
    let (mut conn, limits) = (Conn::new(), Limits::default());
    for end in 1..=input.len() {
        let mut slots = Slots::new();
        match conn.next(&limits, &input[..end], &mut slots) {
            (0, Event::NeedInput) => {}
            (0, Event::Rejected(reject)) => return (end, reject),
            other => panic!("{other:?}"),
        }
    }
    panic!("all of it was held");
}

#[test]
fn what_never_ends_is_not_held_beyond_its_limit() {
    let fields = [b"GET / HTTP/1.1\r\n", &b"B: c\r\n".repeat(100)[..]].concat();
    let value = [&fields[..], b"D: ", &b"e".repeat(20_000)].concat();
    let target = [b"GET /", &b"a".repeat(20_000)[..]].concat();
    assert_eq!(refused_at(&value), (16 << 10, Reject::HeadTooLarge));
    assert_eq!(
        refused_at(&target),
        (64 + (8 << 10) + 1, Reject::TargetTooLong)
    );
    assert_eq!(refused_at(&[b'M'; 100]), (64, Reject::Method));
}
