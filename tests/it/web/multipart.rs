//! Forms with files, beside the crate multer.

use std::convert::Infallible;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use edgeloop::web::{
    self, Boundary, Multipart, MultipartError, MultipartEvent, MultipartLimits, PartSink, Refusal,
};
use edgeloop::{Handler, Intake, Reply, Request, ResponseWriter};

use super::{ask, of_head, seen};

/// A part with its name, the name of its file and its content.
type Read = (String, Option<String>, Vec<u8>);

fn read(body: &[u8], pieces: &[&[u8]]) -> Result<Vec<Read>, MultipartError> {
    assert_eq!(pieces.concat(), body);
    let boundary = Boundary::new("x").expect("a boundary");
    let mut form = Multipart::new(boundary, MultipartLimits::default());
    let mut parts: Vec<Read> = Vec::new();
    for piece in pieces {
        form.push(piece, |event| match event {
            MultipartEvent::Part(head) => {
                let file_name = head.file_name().map(str::to_owned);
                parts.push((head.name().to_owned(), file_name, Vec::new()));
            }
            MultipartEvent::Data(data) => {
                let (_, _, content) = parts.last_mut().expect("a part");
                content.extend_from_slice(data);
            }
            MultipartEvent::PartEnd | MultipartEvent::End => {}
            MultipartEvent::NeedInput => panic!("no event"),
        })?;
    }
    form.finish().map(|()| parts)
}

/// What multer reads of it.
fn theirs(body: &[u8]) -> Option<Vec<Read>> {
    let pieces = [Ok::<_, Infallible>(body.to_vec())];
    let stream = futures_util::stream::iter(pieces);
    let mut form = multer::Multipart::new(stream, "x");
    let mut reading = pin!(async {
        let mut parts = Vec::new();
        while let Some(field) = form.next_field().await? {
            let name = field.name().unwrap_or_default().to_owned();
            let file_name = field.file_name().map(str::to_owned);
            parts.push((name, file_name, field.bytes().await?.to_vec()));
        }
        Ok::<_, multer::Error>(parts)
    });
    // Everything is there, so it waits for nothing but its turn.
    let mut context = Context::from_waker(Waker::noop());
    let done = (0..1000).find_map(|_| match reading.as_mut().poll(&mut context) {
        Poll::Ready(done) => Some(done),
        Poll::Pending => None,
    });
    done.expect("it ends").ok()
}

const FORM: &str = "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nhello\r\n\
    --x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"b.txt\"\r\n\
    Content-Type: text/plain\r\n\r\n\r\n--\r\n--y\r\r\n\r\n--x\r\n\
    Content-Disposition: form-data; name=\"\"; filename=\"\"\r\n\r\n\r\n--x--\r\n";

#[test]
fn a_form_has_the_parts_that_multer_reads() {
    let form = |parts: &[(&str, &str)]| {
        let mut body: Vec<String> = Vec::new();
        for (parameters, content) in parts {
            let head = format!("--x\r\nContent-Disposition: form-data{parameters}");
            body.push(format!("{head}\r\n\r\n{content}\r\n"));
        }
        body.concat() + "--x--\r\n"
    };
    let name = "; name=\"a\"";
    for body in [
        FORM.to_owned(),
        form(&[(name, "b")]),
        form(&[(name, "")]),
        form(&[(name, "\r\n"), (name, "\r\n\r\n--"), (name, "a--x")]),
        form(&[("; name=a; filename=b", "c")]),
        form(&[("; name=\"é\"; filename=\"ü.txt\"", "c")]),
        form(&[("; name=\"a b;c=d\"", "e")]),
    ] {
        let body = body.as_bytes();
        let ours = read(body, &[body]).expect("a form");
        assert_eq!(Some(ours), theirs(body), "{}", body.escape_ascii());
    }
}

#[test]
fn a_form_has_the_same_parts_wherever_it_is_cut() {
    let body = FORM.as_bytes();
    let whole = read(body, &[body]).expect("a form");
    assert_eq!(whole.len(), 3);
    assert_eq!(whole[1].1.as_deref(), Some("b.txt"));
    assert_eq!(whole[1].2, b"\r\n--\r\n--y\r\r\n");
    for cut in 0..=body.len() {
        let (begin, rest) = body.split_at(cut);
        assert_eq!(read(body, &[begin, rest]).as_ref(), Ok(&whole), "{cut}");
        assert_eq!(
            read(begin, &[begin]).is_ok(),
            cut >= body.len() - 2,
            "{cut}"
        );
    }
    let bytes: Vec<&[u8]> = body.chunks(1).collect();
    assert_eq!(read(body, &bytes), Ok(whole));
}

fn check(body: &str, error: MultipartError) {
    let body = body.as_bytes();
    assert_eq!(read(body, &[body]), Err(error), "{}", body.escape_ascii());
}

#[test]
fn what_is_no_form_is_told() {
    let with = |head: &str| format!("--x\r\n{head}\r\n\r\nb\r\n--x--");
    check("", MultipartError::Unfinished);
    check("hello", MultipartError::Unfinished);
    check("--x", MultipartError::Unfinished);
    check("--x-", MultipartError::Unfinished);
    check(&FORM[..FORM.len() - 6], MultipartError::Unfinished);
    check("--xy\r\n", MultipartError::Delimiter);
    check("--x-\r\n", MultipartError::Delimiter);
    check("--x\n", MultipartError::Delimiter);
    check("--x \r \n", MultipartError::Delimiter);
    check(
        &format!("--x{}\r\n", " ".repeat(65)),
        MultipartError::Delimiter,
    );
    let disposition = "Content-Disposition: form-data; name=a";
    check(
        &with(&format!("{disposition}\n x: y")),
        MultipartError::Head,
    );
    check(&with("a b: c"), MultipartError::Head);
    check(
        &with(&format!("{disposition}\r\n{disposition}")),
        MultipartError::Head,
    );
    check(&with(&"a: b\r\n".repeat(17)), MultipartError::Head);
    check("--x\r\n\r\nb\r\n--x--", MultipartError::Disposition);
    for head in [
        "Content-Type: text/plain",
        "Content-Disposition: form-data",
        "Content-Disposition: attachment; name=a",
        "Content-Disposition: form-data; filename=a",
        "Content-Disposition: form-data; name=a; name=b",
        "Content-Disposition: form-data; name=\"a",
        "Content-Disposition: form-data; name=a b",
    ] {
        check(&with(head), MultipartError::Disposition);
    }
    for error in [MultipartError::Unfinished, MultipartError::Head] {
        assert_eq!(Refusal::from(error).status(), 400);
    }
}

#[test]
fn the_name_of_a_file_is_no_path() {
    for (sent, name) in [
        ("a.txt", "a.txt"),
        ("../../etc/passwd", "passwd"),
        ("C:\\\\dir\\\\b.txt", "b.txt"),
        ("C:\\dir\\b.txt", "b.txt"),
        ("a/..", ""),
        (".", ""),
        ("a/", ""),
        ("a\\\"b", "a\"b"),
        ("", ""),
    ] {
        let body = format!(
            "--x\r\nContent-Disposition: form-data; name=a; filename=\"{sent}\"\r\n\r\n\r\n--x--"
        );
        let parts = read(body.as_bytes(), &[body.as_bytes()]).expect("a form");
        assert_eq!(parts[0].1.as_deref(), Some(name), "{sent}");
    }
}

#[test]
fn every_limit_holds() {
    let limits = MultipartLimits {
        parts_max: 2,
        head_bytes_max: 50,
        part_bytes_max: 10,
        bytes_max: 150,
    };
    let try_with = |limits: MultipartLimits, parts: &[(&str, &str)]| {
        let mut form = Multipart::new(Boundary::new("x").expect("one"), limits);
        for (name, content) in parts {
            let head = format!("Content-Disposition: form-data; name={name}\r\n\r\n");
            form.push(format!("--x\r\n{head}{content}\r\n").as_bytes(), |_| {})?;
        }
        form.push(b"--x--", |_| {})?;
        form.finish()
    };
    let part = ("a", "0123456789");
    assert_eq!(try_with(limits, &[part, part]), Ok(()));
    assert_eq!(
        try_with(limits, &[part, part, part]),
        Err(MultipartError::Parts)
    );
    let long = ("a", "0123456789a");
    assert_eq!(try_with(limits, &[long]), Err(MultipartError::PartTooLarge));
    // "Content-Disposition: form-data; name=" and the blank line are 41 bytes.
    assert_eq!(try_with(limits, &[("123456789", "")]), Ok(()));
    let error = try_with(limits, &[("1234567890", "")]);
    assert_eq!(error, Err(MultipartError::HeadTooLarge));
    // Two delimiters of 5 bytes and one of 7 with their line ends, two heads of 42, contents of 10.
    let exactly = |bytes_max| {
        try_with(
            MultipartLimits {
                bytes_max,
                ..limits
            },
            &[part, part],
        )
    };
    let sum = 5 + 42 + 10 + 2 + 5 + 42 + 10 + 2 + 5;
    assert_eq!(exactly(sum), Ok(()));
    assert_eq!(exactly(sum - 1), Err(MultipartError::TooLarge));
    for error in [
        MultipartError::Parts,
        MultipartError::PartTooLarge,
        MultipartError::HeadTooLarge,
        MultipartError::TooLarge,
    ] {
        assert_eq!(error.status(), 413);
    }
}

#[test]
fn the_boundary_is_in_the_content_type() {
    let of = |value: &str| {
        let field = format!("Content-Type: {value}");
        of_head("POST /", &[&field], Boundary::of)
    };
    let new = |text: &str| Ok(Boundary::new(text).expect("a boundary"));
    assert_eq!(of("multipart/form-data; boundary=x"), new("x"));
    assert_eq!(
        of("Multipart/Form-Data;charset=utf-8;BOUNDARY=\"a b\""),
        new("a b")
    );
    let longest = "x".repeat(70);
    assert_eq!(
        of(&format!("multipart/form-data; boundary={longest}")),
        new(&longest)
    );
    for value in [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"\"",
        "multipart/form-data; boundary=\"a \"",
        "multipart/form-data; boundary=\"a",
        "multipart/form-data; boundary=a; boundary=b",
        "multipart/form-data; boundary=\"a;b\"",
        "multipart/form-data; boundary=\"é\"",
        &format!("multipart/form-data; boundary={longest}x"),
    ] {
        assert_eq!(of(value), Err(MultipartError::Boundary), "{value}");
    }
    for value in ["text/plain; boundary=x", "multipart/mixed; boundary=x", ""] {
        assert_eq!(of(value), Err(MultipartError::NotMultipart), "{value}");
    }
    assert_eq!(MultipartError::NotMultipart.status(), 415);
}

#[test]
fn a_buffered_form_is_its_parts() {
    let field = "Content-Type: multipart/form-data; boundary=x";
    let seen = seen("POST /", &[field], FORM.as_bytes(), |req| {
        let parts = web::parts(req, MultipartLimits::default()).expect("a form");
        let parts = parts.iter().map(|part| {
            let head = &part.head;
            let (name, of) = (head.name(), head.file_name().unwrap_or("-"));
            let kind = head.content_type().unwrap_or("-");
            format!("{name},{of},{kind},{};", part.data.len())
        });
        parts.collect()
    });
    assert_eq!(seen, "a,-,-,5;file,b.txt,text/plain,12;,,-,0;");
}

#[test]
fn a_buffered_form_that_is_none_is_refused() {
    let handler = |req: &Request<'_>, res: ResponseWriter<'_>| match web::parts(
        req,
        MultipartLimits::default(),
    ) {
        Ok(parts) => res.status(200).text(parts.len().to_string()),
        Err(error) => Refusal::from(error).answer(res),
    };
    let field = "Content-Type: multipart/form-data; boundary=x";
    let answer = |fields: &[&str], body: &str| ask(handler, "POST /", fields, body.as_bytes());
    assert_eq!(answer(&[field], FORM).status, 200);
    assert_eq!(answer(&[field], &FORM[..40]).status, 400);
    assert_eq!(answer(&[], FORM).status, 415);
}

/// What a form has, part by part; a part with a forbidden name is refused.
#[derive(Default)]
struct Told(String);

impl PartSink for Told {
    fn on_event(&mut self, event: MultipartEvent<'_>) -> Result<(), Refusal> {
        match event {
            MultipartEvent::Part(head) if head.name() == "forbidden" => {
                return Err(Refusal::new(403, "that one may not come"));
            }
            MultipartEvent::Part(head) => self.0 += head.name(),
            MultipartEvent::Data(data) => self.0 += &String::from_utf8_lossy(data),
            MultipartEvent::PartEnd => self.0 += ";",
            MultipartEvent::End => self.0 += "end",
            MultipartEvent::NeedInput => panic!("no event"),
        }
        Ok(())
    }

    fn on_end(self: Box<Self>, res: ResponseWriter<'_>) -> Reply {
        res.status(200).text(self.0)
    }
}

struct App;

impl Handler for App {
    fn on_request(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
        res.no_route(req.method())
    }

    fn intake(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Intake {
        let limits = MultipartLimits {
            part_bytes_max: 3 << 20,
            ..MultipartLimits::default()
        };
        web::stream_parts(req, res, limits, Told::default())
    }
}

#[test]
fn a_form_is_taken_as_it_comes() {
    let field = "Content-Type: multipart/form-data; boundary=x";
    let answer = |fields: &[&str], body: &str| ask(App, "POST /", fields, body.as_bytes());
    let head = |name: &str| format!("--x\r\nContent-Disposition: form-data; name={name}\r\n\r\n");
    // Longer than what is buffered.
    let long = "ab\r\n-".repeat(500_000);
    let form = format!("{}{long}\r\n{}c\r\n--x--\r\n", head("a"), head("b"));
    let got = answer(&[field], &form);
    assert_eq!(got.status, 200);
    assert!(got.text() == format!("a{long};bc;end"));
    let refused = format!("{}a\r\n{}{long}", head("a"), head("forbidden"));
    let got = answer(&[field], &refused);
    assert_eq!((got.status, got.text()), (403, "that one may not come\n"));
    assert_eq!(answer(&[field], &format!("{}a", head("a"))).status, 400);
    let longer = format!("{}{long}{long}\r\n--x--", head("a"));
    assert_eq!(answer(&[field], &longer).status, 413);
    assert_eq!(answer(&["Content-Type: text/plain"], "a").status, 415);
}
