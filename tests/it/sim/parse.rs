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
    /// Its head is not whole yet.
    Head,
    /// This much of its body is here.
    Body(u16, Vec<u8>),
    /// It is whole, and so many bytes long.
    Whole(Answer, usize),
}

/// Reads the answer at the beginning of `bytes`. `to_head`: it has no body whatever it says. `ended`: no more will come.
pub(super) fn read(bytes: &[u8], to_head: bool, ended: bool) -> Progress {
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut fields);
    let begin = match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Progress::Head,
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
        (Some(length), _) if rest.len() < length => Progress::Body(answer.status, rest.to_vec()),
        (Some(length), _) => {
            answer.body = rest[..length].to_vec();
            Progress::Whole(answer, begin + length)
        }
        (None, true) => match chunks(rest) {
            (body, Some(end)) => {
                answer.body = body;
                Progress::Whole(answer, begin + end)
            }
            (body, None) => Progress::Body(answer.status, body),
        },
        (None, false) if ended => {
            answer.body = rest.to_vec();
            Progress::Whole(answer, bytes.len())
        }
        (None, false) => Progress::Body(answer.status, rest.to_vec()),
    }
}

/// What chunks hold, and where they end if they do.
fn chunks(bytes: &[u8]) -> (Vec<u8>, Option<usize>) {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let Some(line) = bytes[at..].windows(2).position(|two| two == b"\r\n") else {
            return (body, None);
        };
        let size = std::str::from_utf8(&bytes[at..at + line]).expect("a size");
        let size = usize::from_str_radix(size, 16).expect("a size");
        at += line + 2;
        if size == 0 {
            // The server sends no trailers here.
            return match bytes.get(at..at + 2) {
                Some(end) => {
                    assert_eq!(end, b"\r\n");
                    (body, Some(at + 2))
                }
                None => (body, None),
            };
        }
        let here = size.min(bytes.len() - at);
        body.extend_from_slice(&bytes[at..at + here]);
        match bytes.get(at + size..at + size + 2) {
            Some(end) => assert_eq!(end, b"\r\n"),
            None => return (body, None),
        }
        at += size + 2;
    }
}
