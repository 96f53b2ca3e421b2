//! What parts the parts of a form, and what their heads say.

use super::error::MultipartError;
use crate::http::Head;
use crate::web::content_type::{self, Escapes, Parameters};

/// RFC 2046 §5.1.1.
const BOUNDARY_BYTES_MAX: usize = 70;

/// What parts the parts of a body: the parameter `boundary` of its Content-Type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boundary {
    /// CRLF, two hyphens, the boundary.
    pub(super) delimiter: Box<[u8]>,
}

impl Boundary {
    /// That of a request. Errors: [`NotMultipart`](MultipartError::NotMultipart) for a body of another type than
    /// multipart/form-data, [`Boundary`](MultipartError::Boundary) for one without a boundary of 1 to 70 sound characters.
    pub fn of(head: &Head<'_>) -> Result<Boundary, MultipartError> {
        let value = content_type::value_of(head).ok_or(MultipartError::NotMultipart)?;
        if !content_type::essence(value).eq_ignore_ascii_case("multipart/form-data") {
            return Err(MultipartError::NotMultipart);
        }
        let mut parameters = Parameters::of(value, Escapes::All);
        let mut found = None;
        for (name, value) in parameters.by_ref() {
            if name.eq_ignore_ascii_case("boundary") && found.replace(value).is_some() {
                return Err(MultipartError::Boundary);
            }
        }
        match found {
            Some(boundary) if parameters.is_whole() => Boundary::new(&boundary),
            Some(_) | None => Err(MultipartError::Boundary),
        }
    }

    /// A boundary that is known. Errors: as of [`of`](Boundary::of).
    pub fn new(boundary: &str) -> Result<Boundary, MultipartError> {
        let is_sound = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
        let bytes = boundary.as_bytes();
        let has_length = (1..=BOUNDARY_BYTES_MAX).contains(&bytes.len());
        if !has_length || !bytes.iter().all(|byte| is_sound(*byte)) || bytes.ends_with(b" ") {
            return Err(MultipartError::Boundary);
        }
        let delimiter = [b"\r\n--", bytes].concat().into();
        Ok(Boundary { delimiter })
    }
}

/// What the head of a part says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartHead {
    name: String,
    file_name: Option<String>,
    content_type: Option<String>,
}

impl PartHead {
    /// The name of the form's field.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of the file, if the part is one; empty if none was chosen. Folders before it are cut off, by whichever
    /// slash, and what would be a folder is empty. It is the client's word: never open a file by it.
    pub fn file_name(&self) -> Option<&str> {
        self.file_name.as_deref()
    }

    /// Its Content-Type, which is the client's word too.
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    pub(super) fn read(bytes: &[u8]) -> Result<PartHead, MultipartError> {
        // httparse takes a line feed alone as the end of a line.
        let is_bare = |at: usize| bytes[at] == b'\n' && (at == 0 || bytes[at - 1] != b'\r');
        if (0..bytes.len()).any(is_bare) {
            return Err(MultipartError::Head);
        }
        let mut fields = [httparse::EMPTY_HEADER; 16];
        let Ok(httparse::Status::Complete((_, fields))) =
            httparse::parse_headers(bytes, &mut fields)
        else {
            return Err(MultipartError::Head);
        };
        let value_of = |name: &str| {
            let mut found = fields
                .iter()
                .filter(|field| field.name.eq_ignore_ascii_case(name));
            match (found.next(), found.next()) {
                (None, _) => Ok(None),
                (Some(field), None) => core::str::from_utf8(field.value)
                    .map(Some)
                    .map_err(|_| MultipartError::Head),
                (Some(_), Some(_)) => Err(MultipartError::Head),
            }
        };
        let disposition = value_of("content-disposition")?.ok_or(MultipartError::Disposition)?;
        if !content_type::essence(disposition).eq_ignore_ascii_case("form-data") {
            return Err(MultipartError::Disposition);
        }
        let (mut name, mut file_name) = (None, None);
        let mut parameters = Parameters::of(disposition, Escapes::QuoteAndBackslash);
        for (parameter, value) in parameters.by_ref() {
            // RFC 7578 §4.2: `filename*` must not be used.
            let place = match parameter {
                it if it.eq_ignore_ascii_case("name") => &mut name,
                it if it.eq_ignore_ascii_case("filename") => &mut file_name,
                _ => continue,
            };
            if place.replace(value.into_owned()).is_some() {
                return Err(MultipartError::Disposition);
            }
        }
        if !parameters.is_whole() {
            return Err(MultipartError::Disposition);
        }
        Ok(PartHead {
            name: name.ok_or(MultipartError::Disposition)?,
            file_name: file_name.map(|path| last_name(&path).to_owned()),
            content_type: value_of("content-type")?.map(str::to_owned),
        })
    }
}

fn last_name(path: &str) -> &str {
    match path.rsplit(['/', '\\']).next() {
        Some("." | "..") | None => "",
        Some(name) => name,
    }
}
