//! What is sent of a file, and how.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use edgeloop::Server;
use edgeloop::sys::Address;
use edgeloop::web::Files;

use super::{Answer, MODIFIED, MODIFIED_TEXT, Site, directory, head, noise, write};
use crate::alloc::allocations;

#[test]
fn a_file_is_sent_with_all_that_is_known_of_it() {
    let content = noise(1024);
    let site = Site::new(&[("a.txt", &content)]);
    let answer = site.check("GET /a.txt", &[], 200);
    assert_eq!(answer.body, content);
    let tag = format!("\"400-{:x}\"", MODIFIED.as_nanos());
    for (name, value) in [
        ("content-type", "text/plain; charset=utf-8"),
        ("content-length", "1024"),
        ("last-modified", MODIFIED_TEXT),
        ("etag", &tag),
        ("accept-ranges", "bytes"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(answer.field(name), Some(value));
    }
}

#[test]
fn head_is_get_without_content() {
    let site = Site::new(&[
        ("a", &[b'a'; 1000]),
        ("big", &vec![b'b'; 100_000]),
        ("empty", b""),
    ]);
    for path in ["/a", "/big", "/empty", "/none", "/a/"] {
        let get = site.ask(&format!("GET {path}"), &[]);
        let head = site.ask(&format!("HEAD {path}"), &[]);
        let without_date = |answer: &Answer| {
            let mut fields = answer.fields.clone();
            fields.retain(|(name, _)| name != "date");
            fields
        };
        assert_eq!(get.status, head.status, "{path}");
        assert_eq!(without_date(&get), without_date(&head), "{path}");
        assert_eq!(head.body, b"", "{path}");
        let length = get.body.len().to_string();
        assert_eq!(get.field("content-length"), Some(length.as_str()), "{path}");
    }
}

#[test]
fn only_get_and_head_have_files() {
    let site = Site::new(&[("a", b"a")]);
    for (line, fields) in [
        ("POST /a", ["Content-Length: 0"]),
        ("PUT /none", ["Content-Length: 5000000"]),
        ("DELETE /a", ["Accept: */*"]),
        ("OPTIONS /a", ["Accept: */*"]),
        ("get /a", ["Accept: */*"]),
    ] {
        let answer = site.check(line, &fields, 405);
        assert_eq!(answer.field("allow"), Some("GET, HEAD"));
    }
    // A body changes nothing, and is not waited for.
    let answer = site.check("GET /a", &["Content-Length: 5000000"], 200);
    assert_eq!(answer.body, b"a");
}

#[test]
fn every_size_arrives_byte_by_byte() {
    // Around what is copied behind the head and what is sent by sendfile.
    let sizes = [0, 1, 32 << 10, (32 << 10) + 1, 64 << 10, 3_000_001];
    let site = Site::new(&[]);
    for size in sizes {
        let content = noise(size);
        write(&site.root.join("file"), &content);
        let answer = site.check("GET /file", &[], 200);
        assert!(answer.body == content, "{size}");
    }
}

#[test]
fn a_small_file_is_sent_without_an_allocation() {
    let content = noise(1024);
    let root = directory(&[("a.txt", &content)]);
    let handler = Files::new(&root).expect("a directory");
    let server = Server::bind("127.0.0.1:0").expect("a free port");
    let Some(&Address::Ip(address)) = server.addresses().next() else {
        panic!("an IP address")
    };
    // The loop turns on this thread, whose allocations are counted.
    let mut event_loop = server.event_loop(handler, ()).expect("listens");
    let mut client = TcpStream::connect(address).expect("listens");
    let request = head("GET /a.txt", &["User-Agent: test", "Accept: */*"]);
    let mut answer = [0; 4096];
    let mut counted = [0; 50];
    for count in &mut counted {
        let mut received = 0;
        *count = allocations(|| {
            client.write_all(request.as_bytes()).expect("connected");
            while !answer[..received].ends_with(&content) {
                event_loop
                    .turn(Some(Duration::from_secs(20)))
                    .expect("turns");
                client.set_nonblocking(true).expect("a socket");
                match client.read(&mut answer[received..]) {
                    Ok(0) => panic!("closed"),
                    Ok(read) => received += read,
                    Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
                }
            }
        });
    }
    fs::remove_dir_all(root).expect("ours");
    // The first ones warm up: the buffers that are used again have grown to their size.
    assert_eq!(counted[2..], [0; 48], "{counted:?}");
}

#[test]
fn files_are_pipelined() {
    let big = noise(200_000);
    let site = Site::new(&[("small", b"small"), ("big", &big)]);
    let mut stream = site.connect();
    let mut heads = String::new();
    for line in [
        "GET /small",
        "GET /big",
        "HEAD /big",
        "GET /none",
        "GET /small",
    ] {
        heads += &head(line, &[]);
    }
    heads += &head("GET /small", &["Connection: close"]);
    stream.write_all(heads.as_bytes()).expect("connected");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("answers");
    for body in [
        b"small" as &[u8],
        &big,
        b"",
        b"not found\n",
        b"small",
        b"small",
    ] {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        bytes.drain(..end.expect("a head") + 4);
        assert!(bytes.starts_with(body));
        bytes.drain(..body.len());
    }
    assert_eq!(bytes, b"");
}
