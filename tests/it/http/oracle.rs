//! Others read the same bytes and say the same: httparse, and rules as plain as they can be written.

use edgeloop::http::{Body, Conn, Content, Event, Head, Limits, Slots, Version};

use super::corpus::{self, Ending};
use super::random::{Random, spoiled};
use super::transcript::transcript;

/// All inputs of the corpus, and twenty spoiled ones for each.
fn inputs() -> Vec<Vec<u8>> {
    let mut inputs: Vec<_> = corpus::all().into_iter().map(|case| case.input).collect();
    inputs.extend(spoiled(&mut Random(2), 20));
    inputs
}

/// Shows each accepted head at the beginning of an input together with its bytes.
fn accepted(mut check: impl FnMut(&[u8], &Head<'_>)) {
    let mut count = 0;
    for input in inputs() {
        let mut slots = Slots::new();
        if let (used, Event::Request(head)) =
            Conn::new().next(&Limits::default(), &input, &mut slots)
        {
            let mut bytes = &input[..used];
            while let Some(rest) = bytes.strip_prefix(b"\r\n") {
                bytes = rest;
            }
            check(bytes, &head);
            count += 1;
        }
    }
    assert!(count > 1000, "{count} heads");
}

#[test]
fn httparse_reads_the_same_head() {
    accepted(|bytes, head| {
        let mut bytes = bytes.to_vec();
        let line_end = bytes
            .iter()
            .position(|byte| *byte == b'\r')
            .expect("a line");
        // httparse knows no later version; we read it as 1.1.
        if head.version() == Version::Http11 {
            bytes[line_end - 1] = b'1';
        }
        let mut fields = [httparse::EMPTY_HEADER; 128];
        let mut request = httparse::Request::new(&mut fields);
        assert_eq!(
            request.parse(&bytes),
            Ok(httparse::Status::Complete(bytes.len()))
        );
        assert_eq!(request.method, Some(head.method()));
        assert_eq!(request.path, Some(head.target().as_str()));
        assert_eq!(
            request.version,
            Some(u8::from(head.version() == Version::Http11))
        );
        let theirs = request
            .headers
            .iter()
            .map(|field| (field.name, field.value));
        assert!(theirs.eq(head.fields().iter()));
    });
}

#[test]
fn a_head_is_its_lines_and_nothing_else() {
    accepted(|bytes, head| {
        let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
        assert!(text.ends_with("\r\n\r\n") && !text[..text.len() - 2].contains("\r\n\r\n"));
        assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
        assert_eq!(text.matches('\r').count(), text.matches("\r\n").count());
        let mut lines = text.trim_end_matches("\r\n").split("\r\n");
        let words: Vec<_> = lines.next().expect("a request line").split(' ').collect();
        assert_eq!(words[..2], [head.method(), head.target().as_str()]);
        assert_eq!(words.len(), 3);
        let mut fields = head.fields().iter();
        for line in lines {
            let (name, value) = line.split_once(':').expect("a colon");
            let value: Vec<u8> = value
                .trim_matches([' ', '\t'])
                .chars()
                .map(byte_of)
                .collect();
            assert_eq!(fields.next(), Some((name, &value[..])));
        }
        assert!(fields.next().is_none());
    });
}

fn byte_of(char: char) -> u8 {
    u8::try_from(char).expect("made of a byte")
}

#[test]
fn a_head_whose_framing_is_doubtful_is_never_accepted() {
    accepted(|bytes, head| {
        let all = |name| -> Vec<String> {
            let values = head.fields().get_all(name);
            values
                .map(|value| value.escape_ascii().to_string())
                .collect()
        };
        let (hosts, lengths, codings) =
            (all("host"), all("content-length"), all("transfer-encoding"));
        let newer = head.version() == Version::Http11;
        let context = bytes.escape_ascii().to_string();
        assert!(
            hosts.len() == 1 || (hosts.is_empty() && !newer),
            "{context}"
        );
        let mut numbers: Vec<u64> = lengths
            .iter()
            .flat_map(|list| list.split(','))
            .map(|number| {
                let number = number.trim_matches([' ', '\t']).replace(r"\t", "");
                assert!(
                    number.trim().bytes().all(|digit| digit.is_ascii_digit()),
                    "{context}"
                );
                number.trim().parse().expect("a number")
            })
            .collect();
        numbers.dedup();
        assert!(numbers.len() <= 1, "{context}");
        let body = match (numbers.first(), codings.as_slice()) {
            (None | Some(0), []) => Body::None,
            (Some(number), []) => Body::Length((*number).try_into().expect("more than zero")),
            (None, codings) => {
                let codings = codings.join(",").replace(r"\t", "").to_lowercase();
                let named = codings
                    .split(',')
                    .map(str::trim)
                    .filter(|coding| !coding.is_empty());
                assert!(named.eq(["chunked"]) && newer, "{context}");
                Body::Chunked
            }
            (Some(_), [_, ..]) => panic!("a length and a coding: {context}"),
        };
        assert_eq!(head.framing().body, body, "{context}");
        let may_expect = newer && body != Body::None;
        assert!(may_expect || !head.framing().expects_continue, "{context}");
    });
}

#[test]
fn httparse_reads_every_answer_and_finds_its_end() {
    let mut count = 0;
    for input in inputs() {
        let transcript = transcript([&input[..]], Ending::Fin);
        let mut rest = &transcript.output[..];
        for content in &transcript.answers {
            let failed = transcript.end == Some(edgeloop::http::CloseReason::Failed);
            rest = answer(rest, *content, failed);
            count += 1;
        }
        assert_eq!(rest, b"", "{}", transcript.output.escape_ascii());
    }
    assert!(count > 5000, "{count} answers");
}

/// What follows one answer, and the interim ones before it.
fn answer(bytes: &[u8], content: Content, may_be_cut: bool) -> &[u8] {
    let mut fields = [httparse::EMPTY_HEADER; 16];
    let mut response = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(head) = response.parse(bytes).expect("an answer") else {
        panic!("a whole head: {}", bytes.escape_ascii())
    };
    assert_eq!(response.version, Some(1));
    let rest = &bytes[head..];
    if response.code == Some(100) {
        return answer(rest, content, may_be_cut);
    }
    let field = |name: &str| {
        let mut values = response.headers.iter().filter(|field| field.name == name);
        let value = values.next().map(|field| field.value);
        assert!(values.next().is_none(), "{name} once");
        value
    };
    match (field("Content-Length"), field("Transfer-Encoding"), content) {
        (Some(_), Some(_), _) => panic!("two framings"),
        (_, _, Content::Omitted) => rest,
        (Some(length), None, Content::Sent) => {
            let length = std::str::from_utf8(length).expect("digits");
            let length: usize = length.parse().expect("a length");
            assert!(length <= rest.len() || may_be_cut);
            &rest[length.min(rest.len())..]
        }
        (None, Some(coding), Content::Sent) => {
            assert_eq!(coding, b"chunked");
            chunks(rest)
        }
        (None, None, Content::Sent) => {
            assert_eq!(field("Connection"), Some(&b"close"[..]));
            b""
        }
    }
}

/// What follows chunks and trailers.
fn chunks(mut bytes: &[u8]) -> &[u8] {
    loop {
        let Ok(httparse::Status::Complete((at, size))) = httparse::parse_chunk_size(bytes) else {
            panic!("a chunk: {}", bytes.escape_ascii())
        };
        bytes = &bytes[at..];
        if size == 0 {
            let mut trailers = [httparse::EMPTY_HEADER; 4];
            let end = httparse::parse_headers(bytes, &mut trailers).expect("trailers");
            return &bytes[end.unwrap().0..];
        }
        let size = usize::try_from(size).expect("a size");
        assert_eq!(&bytes[size..size + 2], b"\r\n");
        bytes = &bytes[size + 2..];
    }
}
