//! Answers as a client reads them: written apart from the server, with httparse for heads.

/// A whole answer, or an interim one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) fields: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let mut found = self
            .fields
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name));
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} twice");
        value
    }
}

/// How far the answer at the beginning of some bytes has come.
pub(super) enum Progress {
    /// It is not whole, and will not be before there are so many bytes.
    Part(usize),
    /// It is whole, and so many bytes long.
    Whole(Answer, usize),
}

/// Reads the answer at the beginning of `bytes`. `to_head`: it has no body whatever it says. `ended`: no more will come.
pub(super) fn read(bytes: &[u8], to_head: bool, ended: bool) -> Progress {
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut fields);
    let begin = match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Progress::Part(bytes.len() + 1),
        Err(error) => panic!("no answer ({error}): {}", bytes.escape_ascii()),
    };
    let mut answer = Answer {
        status: head.code.expect("it is whole"),
        fields: head
            .headers
            .iter()
            .map(|field| {
                let value = String::from_utf8_lossy(field.value).into_owned();
                (field.name.to_owned(), value)
            })
            .collect(),
        body: Vec::new(),
    };
    let rest = &bytes[begin..];
    let length: Option<usize> = answer
        .field("content-length")
        .map(|value| value.parse().expect("a length"));
    let chunked = answer.field("transfer-encoding").is_some();
    assert!(!(chunked && length.is_some()), "two framings");
    let bodiless = to_head || answer.status < 200 || matches!(answer.status, 204 | 304);
    if bodiless {
        return Progress::Whole(answer, begin);
    }
    match (length, chunked) {
        (Some(length), _) if rest.len() < length => Progress::Part(begin + length),
        (Some(length), _) => {
            answer.body = rest[..length].to_vec();
            Progress::Whole(answer, begin + length)
        }
        (None, true) => match chunks(rest, &mut answer.body) {
            Ok(end) => Progress::Whole(answer, begin + end),
            Err(needed) => Progress::Part(begin + needed),
        },
        (None, false) if ended => {
            answer.body = rest.to_vec();
            Progress::Whole(answer, bytes.len())
        }
        (None, false) => Progress::Part(usize::MAX),
    }
}

/// The status and the content of an answer that has come in part, if its head has.
pub(super) fn part(bytes: &[u8]) -> Option<(u16, Vec<u8>)> {
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut fields);
    let Ok(httparse::Status::Complete(begin)) = head.parse(bytes) else {
        return None;
    };
    let chunked = head
        .headers
        .iter()
        .any(|field| field.name.eq_ignore_ascii_case("transfer-encoding"));
    let mut body = Vec::new();
    if chunked {
        let _ = chunks(&bytes[begin..], &mut body);
    } else {
        body.extend_from_slice(&bytes[begin..]);
    }
    Some((head.code?, body))
}

/// Appends what chunks hold: where they end, or how many bytes it takes at least to know more.
fn chunks(bytes: &[u8], body: &mut Vec<u8>) -> Result<usize, usize> {
    let mut at = 0;
    loop {
        let Some(line) = bytes[at..].windows(2).position(|two| two == b"\r\n") else {
            return Err(bytes.len() + 1);
        };
        let size = std::str::from_utf8(&bytes[at..at + line]).expect("a size");
        let size = usize::from_str_radix(size, 16).expect("a size");
        at += line + 2;
        if size > 0 {
            let here = size.min(bytes.len() - at);
            body.extend_from_slice(&bytes[at..at + here]);
        }
        // The server sends no trailers here, so the last chunk ends as all others do.
        let end = at + size + 2;
        match bytes.get(at + size..end) {
            Some(line_end) => assert_eq!(line_end, b"\r\n"),
            None => return Err(end),
        }
        if size == 0 {
            return Ok(end);
        }
        at = end;
    }
}
