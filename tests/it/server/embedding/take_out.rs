//! Connections that leave the server.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{self, Receiver};

use edgeloop::server::{CloseReason, Handler, Intake, TakenOut};
use edgeloop::{Limits, Reply, Request, ResponseWriter};

use super::super::client::{Client, End};
use super::super::running::{Running, serve, serve_with, take, wait};
use super::super::{PATIENCE, patient};

/// A server whose path `/out` gives connections away after an answer, and `/raw` without one.
fn giving(limits: Limits) -> (Running, Receiver<TakenOut>) {
    let (to, taken) = mpsc::channel();
    let server = serve(
        limits,
        move |req: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
            let to = to.clone();
            let give = move |taken| drop(to.send(taken));
            match req.path() {
                "/out" => res.status(200).take_out("yours", give),
                "/large" => res.status(200).take_out(vec![b'x'; 20 << 20], give),
                "/raw" => res.take_out(give),
                "/panics" => res.take_out(|_| panic!("a panic that belongs to a test")),
                path => res.status(200).body(path),
            }
        },
    );
    (server, taken)
}

/// As the standard library has it, and blocking.
fn stream(taken: TakenOut) -> (TcpStream, Vec<u8>) {
    let stream = TcpStream::from(OwnedFd::from(taken.fd));
    stream.set_nonblocking(false).expect("a socket");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time");
    (stream, taken.unread)
}

#[test]
fn an_answered_connection_goes_on_elsewhere_with_what_is_unread() {
    let (server, taken) = giving(patient());
    let mut client = server.client();
    client
        .send("GET /first HTTP/1.1\r\nHost: a\r\n\r\nGET /out HTTP/1.1\r\nHost: a\r\n\r\nand more");
    assert_eq!(client.answer().text(), "/first");
    assert_eq!(client.answer().text(), "yours");
    let (mut stream, unread) = stream(take(&taken));
    assert_eq!(unread, b"and more");
    assert_eq!(server.log.wait_closed(1), [CloseReason::TakenOut]);
    // The server no longer reads what comes.
    client.send("GET /second HTTP/1.1\r\n");
    let mut line = [0; 22];
    stream.read_exact(&mut line).expect("it is ours");
    assert_eq!(&line, b"GET /second HTTP/1.1\r\n");
    stream.write_all(b"spoken elsewhere").expect("it is ours");
    drop(stream);
    assert_eq!(client.rest(), (b"spoken elsewhere".to_vec(), End::Finished));
    assert_eq!(server.client().get("/now").text(), "/now");
    assert_eq!(server.log.troubles(), [""; 0]);
}

#[test]
fn what_is_taken_out_without_an_answer_has_said_nothing() {
    let (server, taken) = giving(patient());
    let mut client = server.client();
    client.send("GET /raw HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n\0\x01");
    let (mut stream, unread) = stream(take(&taken));
    assert_eq!(unread, b"\0\x01");
    stream.write_all(b"anything").expect("open");
    drop(stream);
    assert_eq!(client.rest(), (b"anything".to_vec(), End::Finished));
}

#[test]
fn a_large_answer_is_sent_whole_before() {
    let (server, taken) = giving(patient());
    let mut client = server.client();
    client.ask("/large");
    assert!(taken.try_recv().is_err(), "no kernel takes so much at once");
    assert_eq!(client.answer().body.len(), 20 << 20);
    let (mut stream, unread) = stream(take(&taken));
    assert!(unread.is_empty());
    client.send("x");
    stream.read_exact(&mut [0]).expect("it is ours");
}

#[test]
fn a_client_that_goes_before_its_answer_is_sent_is_not_given() {
    let (server, taken) = giving(patient());
    let mut client = server.client();
    client.ask("/large");
    client.receive();
    client.reset();
    assert_eq!(server.log.wait_closed(1), [CloseReason::Reset]);
    drop(server);
    assert!(taken.recv().is_err());
}

#[test]
fn a_body_that_nobody_reads_goes_along_as_it_came() {
    struct TakesOut(mpsc::Sender<TakenOut>);
    impl Handler for TakesOut {
        fn on_request(&mut self, _: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
            res.status(500).empty()
        }

        fn intake(&mut self, _: &Request<'_>, res: ResponseWriter<'_>) -> Intake {
            let to = self.0.clone();
            Intake::Answer(res.take_out(move |taken| drop(to.send(taken))))
        }
    }
    let (to, taken) = mpsc::channel();
    let server = serve_with(patient(), move |_| TakesOut(to.clone()));
    let mut client = server.client();
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n3\r\nabc\r\n";
    client.send(chunked);
    let (_stream, unread) = stream(take(&taken));
    assert_eq!(unread, b"3\r\nabc\r\n");
    assert!(client.poll().is_none() && client.text().is_empty());
}

#[test]
fn a_completer_may_take_out_as_well() {
    let (to, taken) = mpsc::channel();
    let server = serve(
        patient(),
        move |_: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
            let (completer, reply) = res.defer();
            let to = to.clone();
            std::thread::spawn(move || {
                completer.finish(move |res| {
                    res.status(200)
                        .take_out("late", move |taken| drop(to.send(taken)))
                });
            });
            reply
        },
    );
    let mut client = server.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\nrest");
    assert_eq!(client.answer().text(), "late");
    assert_eq!(stream(take(&taken)).1, b"rest");
}

#[test]
fn a_panic_of_who_takes_it_costs_that_connection_only() {
    let (server, _taken) = giving(patient());
    let mut client: Client = server.client();
    client.ask("/panics");
    assert_eq!(client.end(), End::Finished);
    wait("it is told", || server.log.troubles() == ["LocalPanicked"]);
    assert_eq!(server.client().get("/now").text(), "/now");
}
