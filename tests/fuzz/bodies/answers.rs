//! What a client makes of an answer: its head by httparse, its content by rules written here (RFC 9112 §6.3).

/// One answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, Vec<u8>)>,
    pub(crate) framing: Framing,
}

/// How the end of the content was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    None,
    Length,
    Chunked,
    UntilClose,
}

impl Answer {
    /// The value of a field, which is there once at most.
    pub(crate) fn field(&self, name: &str) -> Option<&[u8]> {
        let mut values = self
            .fields
            .iter()
            .filter(|(it, _)| it.eq_ignore_ascii_case(name));
        let value = values.next().map(|(_, value)| value.as_slice());
        assert!(values.next().is_none(), "{name} is there twice");
        value
    }
}

/// The first final answer and what follows it. With `omitted` the request allows no content. Content that the end of the
/// connection cuts short is taken as far as it goes.
pub(crate) fn take_final(bytes: &[u8], omitted: bool) -> Result<(Answer, &[u8]), String> {
    let mut rest = bytes;
    loop {
        let (answer, behind) = take(rest, omitted)?;
        if answer.status != 100 {
            return Ok((answer, behind));
        }
        assert!(answer.fields.is_empty());
        rest = behind;
    }
}

fn take(bytes: &[u8], omitted: bool) -> Result<(Answer, &[u8]), String> {
    let context = || bytes[..bytes.len().min(2000)].escape_ascii().to_string();
    let mut slots = [httparse::EMPTY_HEADER; 128];
    let mut head = httparse::Response::new(&mut slots);
    let length = match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        other => return Err(format!("{other:?}: {}", context())),
    };
    assert_lines(&bytes[..length]);
    assert_eq!(head.version, Some(1), "{}", context());
    let mut answer = Answer {
        status: head.code.expect("a whole head"),
        fields: owned(head.headers),
        body: Vec::new(),
        trailers: Vec::new(),
        framing: Framing::None,
    };
    let rest = &bytes[length..];
    let length = answer.field("content-length").map(|digits| {
        let digits = core::str::from_utf8(digits).expect("digits");
        assert!(digits.bytes().all(|digit| digit.is_ascii_digit()));
        digits.parse::<usize>().expect("a length")
    });
    let coding = answer.field("transfer-encoding").map(<[u8]>::to_vec);
    let bodiless = matches!(answer.status, 100..200 | 204 | 304);
    assert!(length.is_none() || coding.is_none(), "two framings");
    // RFC 9112 §6.1 and RFC 9110 §8.6. Of 304 nothing is said here.
    assert!(
        !bodiless || (length.is_none() && coding.is_none()),
        "{}",
        context()
    );
    if bodiless || omitted {
        return Ok((answer, rest));
    }
    let used = match (length, coding) {
        (Some(length), _) => {
            answer.framing = Framing::Length;
            let length = length.min(rest.len());
            answer.body = rest[..length].to_vec();
            length
        }
        (None, Some(coding)) => {
            assert_eq!(coding, b"chunked");
            answer.framing = Framing::Chunked;
            chunks(rest, &mut answer)?
        }
        (None, None) => {
            assert_eq!(answer.field("connection"), Some(&b"close"[..]));
            answer.framing = Framing::UntilClose;
            answer.body = rest.to_vec();
            rest.len()
        }
    };
    Ok((answer, &rest[used..]))
}

fn owned(fields: &[httparse::Header<'_>]) -> Vec<(String, Vec<u8>)> {
    let fields = fields.iter();
    fields
        .map(|it| (it.name.to_owned(), it.value.to_vec()))
        .collect()
}

/// No line ends in anything but CRLF, and none has CR, LF or NUL inside.
fn assert_lines(head: &[u8]) {
    let head = head.strip_suffix(b"\r\n\r\n").expect("an empty line");
    for line in String::from_utf8_lossy(head).split("\r\n") {
        assert!(
            !line.is_empty() && !line.contains(['\r', '\n', '\0']),
            "{line:?}"
        );
    }
}

/// Sizes in hexadecimal digits alone, data, and trailers: how many bytes.
fn chunks(bytes: &[u8], answer: &mut Answer) -> Result<usize, String> {
    let mut at = 0;
    loop {
        let rest = &bytes[at..];
        let line = rest.windows(2).position(|pair| pair == b"\r\n");
        let line = line.ok_or_else(|| format!("no size: {}", rest.escape_ascii()))?;
        let digits = core::str::from_utf8(&rest[..line]).map_err(|error| error.to_string())?;
        assert!(
            digits.bytes().all(|digit| digit.is_ascii_hexdigit()),
            "{digits}"
        );
        let size = usize::from_str_radix(digits, 16).map_err(|error| error.to_string())?;
        at += line + 2;
        if size == 0 {
            break;
        }
        let end = at.checked_add(size).ok_or("too large")?;
        let data = bytes.get(at..end).ok_or("the connection ends in a chunk")?;
        answer.body.extend_from_slice(data);
        assert_eq!(
            bytes.get(end..end + 2),
            Some(&b"\r\n"[..]),
            "behind a chunk"
        );
        at = end + 2;
    }
    let mut slots = [httparse::EMPTY_HEADER; 64];
    match httparse::parse_headers(&bytes[at..], &mut slots) {
        Ok(httparse::Status::Complete((length, fields))) => {
            answer.trailers = owned(fields);
            Ok(at + length)
        }
        other => Err(format!("{other:?}")),
    }
}
