//! Files that change while they are sent.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;

use edgeloop::sys::file;
use edgeloop::{Reply, Request, ResponseWriter};

use super::{Site, directory, head, noise};

/// Asks for a file that no socket buffers hold, and changes it when the answer has begun.
fn change_while_sending(change: impl FnOnce(&File)) -> (u64, Result<u64, ErrorKind>) {
    const LENGTH: u64 = 64 << 20;
    let site = Site::new(&[("big", b"")]);
    let file = File::options().write(true).open(site.root.join("big"));
    let file = file.expect("is there");
    file.set_len(LENGTH).expect("sparse");
    let mut stream = site.connect();
    let head = head("GET /big", &["Connection: close"]);
    stream.write_all(head.as_bytes()).expect("connected");
    let mut buffer = vec![0; 1 << 16];
    let mut read = stream.read(&mut buffer).expect("an answer");
    let end = buffer.windows(4).position(|four| four == b"\r\n\r\n");
    read -= end.expect("a whole head") + 4;
    change(&file);
    let mut received = read as u64;
    let end = loop {
        match stream.read(&mut buffer) {
            Ok(0) => break Ok(received),
            Ok(read) => received += read as u64,
            Err(error) => break Err(error.kind()),
        }
    };
    (LENGTH, end)
}

#[test]
fn a_file_that_shrinks_while_it_is_sent_ends_the_connection() {
    let (length, end) = change_while_sending(|file| file.set_len(1 << 20).expect("ours"));
    match end {
        Ok(received) => assert!(received < length),
        Err(error) => assert_eq!(error, ErrorKind::ConnectionReset),
    }
}

#[test]
fn a_file_that_ends_before_its_promise_ends_the_connection() {
    // Copied behind the head, sent at once, and sent in several pieces.
    for length in [100, 100_000, 3_000_000] {
        let root = directory(&[("a", &noise(length))]);
        let open = file::open_root(&root).expect("a directory");
        let open = Arc::new(open);
        let handler = move |_: &Request<'_>, res: ResponseWriter<'_>| -> Reply {
            let opened = file::open_beneath(&open, b"a").expect("is there");
            res.status(200).file(opened, 0, length as u64 + 10)
        };
        let site = Site::serve(root, handler);
        let mut stream = site.connect();
        stream
            .write_all(head("GET /a", &[]).as_bytes())
            .expect("connected");
        let mut bytes = Vec::new();
        match stream.read_to_end(&mut bytes) {
            Ok(_) => assert!(bytes.len() < length + 10 + 1000),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{length}"),
        }
    }
}

#[test]
fn a_file_that_grows_while_it_is_sent_is_sent_as_promised() {
    let (length, end) = change_while_sending(|file| file.set_len(65 << 20).expect("ours"));
    assert_eq!(end, Ok(length));
}
