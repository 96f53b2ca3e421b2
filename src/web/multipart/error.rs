//! How much of a form is taken, and why not more.

use core::fmt;

use crate::web::refusal::Refusal;

/// How much of a body is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MultipartLimits {
    /// Parts.
    pub parts_max: usize,
    /// Bytes of one part's head, with its blank line.
    pub head_bytes_max: usize,
    /// Bytes of one part's content.
    pub part_bytes_max: u64,
    /// Bytes of all parts with their heads and delimiters.
    pub bytes_max: u64,
}

impl Default for MultipartLimits {
    /// 128 parts, heads of 4 KiB, 16 MiB a part, 32 MiB in all. What is buffered has the server's limit besides.
    fn default() -> Self {
        MultipartLimits {
            parts_max: 128,
            head_bytes_max: 4 << 10,
            part_bytes_max: 16 << 20,
            bytes_max: 32 << 20,
        }
    }
}

/// Why a body is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MultipartError {
    /// It is of another type: 415.
    NotMultipart,
    /// Its boundary is missing or unsound: 400.
    Boundary,
    /// What follows a delimiter is neither an end of line nor the end of the body: 400.
    Delimiter,
    /// The head of a part can't be read, or has bare line feeds: 400.
    Head,
    /// A part has no `Content-Disposition: form-data` with a name: 400.
    Disposition,
    /// It ended before its last delimiter: 400.
    Unfinished,
    /// More parts than [`parts_max`](MultipartLimits::parts_max): 413.
    Parts,
    /// A longer head than [`head_bytes_max`](MultipartLimits::head_bytes_max): 413.
    HeadTooLarge,
    /// A longer part than [`part_bytes_max`](MultipartLimits::part_bytes_max): 413.
    PartTooLarge,
    /// More than [`bytes_max`](MultipartLimits::bytes_max): 413.
    TooLarge,
}

impl MultipartError {
    /// The status to answer with.
    pub fn status(self) -> u16 {
        match self {
            MultipartError::NotMultipart => 415,
            MultipartError::Boundary
            | MultipartError::Delimiter
            | MultipartError::Head
            | MultipartError::Disposition
            | MultipartError::Unfinished => 400,
            MultipartError::Parts
            | MultipartError::HeadTooLarge
            | MultipartError::PartTooLarge
            | MultipartError::TooLarge => 413,
        }
    }
}

impl fmt::Display for MultipartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MultipartError::NotMultipart => "the body is to be multipart/form-data",
            MultipartError::Boundary => "the boundary of the form is missing or unsound",
            MultipartError::Delimiter => "a boundary in the form is followed by something else",
            MultipartError::Head => "the head of a part of the form can't be read",
            MultipartError::Disposition => "a part of the form has no name",
            MultipartError::Unfinished => "the form has no end",
            MultipartError::Parts => "the form has too many parts",
            MultipartError::HeadTooLarge => "the head of a part of the form is too long",
            MultipartError::PartTooLarge => "a part of the form is too long",
            MultipartError::TooLarge => "the form is too long",
        })
    }
}

impl core::error::Error for MultipartError {}

impl From<MultipartError> for Refusal {
    fn from(error: MultipartError) -> Refusal {
        Refusal::new(error.status(), error.to_string())
    }
}
