//! A client that finishes sending: before, inside and after a request.

use edgeloop::server::CloseReason;
use edgeloop::{Reply, Request, ResponseWriter};

use super::client::End;
use super::patient;
use super::running::{mirror, serve};

#[test]
fn an_end_inside_a_head_or_a_body_is_answered_400() {
    let server = serve(patient(), mirror);
    let unfinished = [
        "G",
        "GET / HTTP/1.1\r\nHost: a\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\r",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcd",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
        "GET /whole HTTP/1.1\r\nHost: a\r\n\r\nGET /half",
    ];
    for bytes in unfinished {
        let mut client = server.client();
        client.send(bytes);
        client.finish();
        let mut answer = client.answer();
        if bytes.contains("/whole") {
            assert_eq!(answer.text(), "GET /whole ");
            answer = client.answer();
        }
        assert_eq!((answer.status, answer.closes()), (400, true), "{bytes:?}");
        assert_eq!(client.end(), End::Finished);
    }
}

#[test]
fn an_end_between_requests_is_closed_without_a_word() {
    let server = serve(patient(), mirror);
    let mut mute = server.client();
    mute.finish();
    assert_eq!(mute.end(), End::Finished);
    let mut done = server.client();
    assert_eq!(done.get("/").status, 200);
    done.finish();
    assert_eq!(done.end(), End::Finished);
    assert_eq!(server.log.wait_closed(2), [CloseReason::PeerFinished; 2]);
}

#[test]
fn a_client_that_breaks_the_connection_is_forgotten() {
    let server = serve(patient(), mirror);
    let mut client = server.client();
    assert_eq!(client.get("/").status, 200);
    client.reset();
    assert_eq!(server.log.wait_closed(1), [CloseReason::Reset]);
}

const BIG: usize = 8 << 20;
static BIG_BODY: [u8; BIG] = [b'x'; BIG];

#[test]
fn a_half_closed_client_gets_everything_it_asked_for() {
    let server = serve(
        patient(),
        |req: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
            match req.path() {
                "/copied" => res.status(200).body(&BIG_BODY[..]),
                _ => res.status(200).constant(&BIG_BODY),
            }
        },
    );
    let mut client = server.client();
    client.ask("/copied");
    client.ask("/constant");
    client.send("POST /last HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nend");
    client.finish();
    for _ in 0..3 {
        assert_eq!(client.answer().body.len(), BIG);
    }
    assert_eq!(client.end(), End::Finished);
    assert_eq!(server.log.wait_closed(1), [CloseReason::PeerFinished]);
}
