use super::*;

/// Statuses, with `!` behind those that end their connection, and what went wrong.
fn read(input: &[u8], pieces: usize, to_head: bool) -> String {
    let mut reader = Reader::new(to_head);
    let mut said = Vec::new();
    let mut tell = |answer: Answer| {
        let mark = if answer.persists { "" } else { "!" };
        said.push(format!("{}{mark}", answer.status));
    };
    let mut outcome = Ok(());
    'pieces: for mut piece in input.chunks(pieces) {
        while !piece.is_empty() {
            match reader.next(piece) {
                Ok((used, answer)) => {
                    answer.map(&mut tell);
                    piece = &piece[used..];
                }
                Err(wrong) => {
                    outcome = Err(wrong);
                    break 'pieces;
                }
            }
        }
    }
    match outcome.and_then(|()| reader.end()) {
        Ok(last) => last.map(&mut tell).unwrap_or_default(),
        Err(wrong) => said.push(wrong.to_owned()),
    }
    said.join(", ")
}

/// What is read depends on the bytes, never on how they are cut.
fn check(input: &str, wanted: &str) {
    for pieces in 1..=input.len() {
        assert_eq!(
            read(input.as_bytes(), pieces, false),
            wanted,
            "{input:?} by {pieces}"
        );
    }
}

#[test]
fn answers_end_where_their_fields_say() {
    for (input, wanted) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 404 \r\ncontent-length:0\r\n\r\n",
            "200, 404",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\na: b\r\n\r\nHTTP/1.1 204 No\r\n\r\n",
            "200, 204",
        ),
        (
            "HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 103 E\r\nLink: a\r\n\r\nHTTP/1.1 304 N\r\nContent-Length: 9\r\n\r\n",
            "304",
        ),
        ("HTTP/1.1 200 OK\r\n\r\nuntil it ends", "200!"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nuntil it ends",
            "200!",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "200",
        ),
        (
            "HTTP/1.1 500 No\r\nConnection: a, Close\r\nContent-Length: 1\r\n\r\nx",
            "500!",
        ),
        ("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", "200!"),
        (
            "HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\nx",
            "200",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
            "200",
        ),
    ] {
        check(input, wanted);
    }
}

#[test]
fn what_is_no_answer_is_refused() {
    for (input, wanted) in [
        ("hello", "it does not begin with a status line"),
        (
            "\r\nHTTP/1.1 200 OK\r\n\r\n",
            "it does not begin with a status line",
        ),
        (
            "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
            "a line of its head ends without CR",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 0\n\r\n",
            "a line of its head ends without CR",
        ),
        (
            "HTTP/2.0 200 OK\r\n\r\n",
            "its version is not HTTP/1.1 or HTTP/1.0",
        ),
        ("HTTP/1.1 2x0 OK\r\n\r\n", "its status is none"),
        ("HTTP/1.1 099 OK\r\n\r\n", "its status is none"),
        ("HTTP/1.1 600 OK\r\n\r\n", "its status is none"),
        (
            "HTTP/1.1 101 S\r\n\r\n",
            "it changes the protocol, which nobody asked for",
        ),
        ("HTTP/1.1 200 OK\r\na b: c\r\n\r\n", "its head is none"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n",
            "its Content-Length is no number",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
            "its Content-Length is no number",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "its Content-Length is no number",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "it has two lengths",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "it has both a length and a Transfer-Encoding",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n",
            "it has a coding after 'chunked'",
        ),
        (
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "it has a Transfer-Encoding in HTTP/1.0",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
            "its chunks are none",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx",
            "the connection ended within a body",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
            "the connection ended within a body",
        ),
        ("HTTP/1.1 200", "the connection ended within a head"),
    ] {
        for pieces in [1, input.len()] {
            let said = read(input.as_bytes(), pieces, false);
            assert_eq!(said, wanted, "{input:?} by {pieces}");
        }
    }
}

#[test]
fn answers_to_head_have_no_content() {
    let input = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for pieces in 1..=input.len() {
        assert_eq!(read(input, pieces, true), "200, 200");
    }
}

#[test]
fn a_head_has_a_limit() {
    let mut head = b"HTTP/1.1 200 OK\r\n".to_vec();
    while head.len() <= HEAD_BYTES_MAX {
        head.extend_from_slice(b"a: ");
        head.resize(head.len() + 1000, b'b');
        head.extend_from_slice(b"\r\n");
    }
    assert_eq!(read(&head, 4096, false), "its head is longer than 64 KiB");
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(129));
    assert_eq!(
        read(many.as_bytes(), many.len(), false),
        "it has more than 128 fields"
    );
}
