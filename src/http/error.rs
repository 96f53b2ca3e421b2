//! What a peer can do wrong, and the status that it gets for it.

use core::fmt;

/// Why bytes of the peer were refused. The first fault in the order of the bytes decides, however reads cut them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reject {
    /// More than eight empty lines before a request line.
    EmptyLines,
    /// A line that does not end in CRLF: a bare LF or a bare CR (RFC 9112 §2.2 allows to refuse it).
    LineEnd,
    /// The method is empty or no token, or 64 bytes went by without a space (RFC 9112 §3).
    Method,
    /// The target is empty, has an octet outside the URI grammar or a `%` without two hex digits (RFC 3986 §2).
    Target,
    /// The target's form does not fit its method, or its authority is no `host[:port]` (RFC 9112 §3.2).
    TargetForm,
    /// The target is longer than its limit.
    TargetTooLong,
    /// What follows the target is not `HTTP/D.D`.
    Version,
    /// A major version that is not 1.
    VersionUnsupported,
    /// A field name that is empty or no token; white space before the colon; a folded line (RFC 9112 §5).
    FieldName,
    /// A control character in a field value (RFC 9110 §5.5).
    FieldValue,
    /// More fields than the limit.
    TooManyFields,
    /// A head larger than the limit.
    HeadTooLarge,
    /// Host is missing, there more than once, or no `uri-host[:port]` (RFC 9112 §3.2).
    Host,
    /// Content-Length is no single number of at most 19 digits (RFC 9112 §6.2).
    ContentLength,
    /// Transfer-Encoding beside Content-Length, in HTTP/1.0, or with `chunked` anywhere but once and last (RFC 9112 §6.1).
    TransferEncoding,
    /// A transfer coding that is not implemented, before a final `chunked` (RFC 9112 §6.1).
    UnknownCoding,
    /// An expectation other than `100-continue` (RFC 9110 §10.1.1).
    Expectation,
    /// A chunk size that is not 1 to 16 hex digits, or a line around chunk data that does not end in CRLF (RFC 9112 §7.1).
    ChunkSize,
    /// A chunk extension that is malformed or longer than its limit (RFC 9112 §7.1.1).
    ChunkExtension,
    /// A malformed trailer field (RFC 9112 §7.1.2).
    Trailer,
    /// A trailer section larger than its limit.
    TrailersTooLarge,
    /// A body larger than the route's limit.
    BodyTooLarge,
    /// The peer finished sending inside a head.
    UnfinishedHead,
    /// The peer finished sending inside a body.
    UnfinishedBody,
    /// The head did not come in time.
    HeadTimeout,
    /// The body did not come in time.
    BodyTimeout,
    /// There is no room for the body at the moment.
    NoRoom,
}

impl Reject {
    /// The status that says so.
    pub fn status(self) -> u16 {
        match self {
            Reject::EmptyLines
            | Reject::LineEnd
            | Reject::Method
            | Reject::Target
            | Reject::TargetForm
            | Reject::Version
            | Reject::FieldName
            | Reject::FieldValue
            | Reject::Host
            | Reject::ContentLength
            | Reject::TransferEncoding
            | Reject::ChunkSize
            | Reject::ChunkExtension
            | Reject::Trailer
            | Reject::UnfinishedHead
            | Reject::UnfinishedBody => 400,
            Reject::HeadTimeout | Reject::BodyTimeout => 408,
            Reject::BodyTooLarge => 413,
            Reject::TargetTooLong => 414,
            Reject::Expectation => 417,
            Reject::TooManyFields | Reject::HeadTooLarge | Reject::TrailersTooLarge => 431,
            Reject::UnknownCoding => 501,
            Reject::NoRoom => 503,
            Reject::VersionUnsupported => 505,
        }
    }

    /// One line for the peer and for logs, without a full stop.
    pub fn reason(self) -> &'static str {
        match self {
            Reject::EmptyLines => "too many empty lines before the request",
            Reject::LineEnd => "a line does not end in CRLF",
            Reject::Method => "malformed method",
            Reject::Target => "malformed target",
            Reject::TargetForm => "the target does not fit the method",
            Reject::TargetTooLong => "the target is too long",
            Reject::Version => "malformed HTTP version",
            Reject::VersionUnsupported => "only HTTP/1 is spoken here",
            Reject::FieldName => "malformed field name",
            Reject::FieldValue => "malformed field value",
            Reject::TooManyFields => "too many fields",
            Reject::HeadTooLarge => "the head is too large",
            Reject::Host => "exactly one valid Host is needed",
            Reject::ContentLength => "malformed Content-Length",
            Reject::TransferEncoding => "ambiguous Transfer-Encoding",
            Reject::UnknownCoding => "unknown transfer coding",
            Reject::Expectation => "unknown expectation",
            Reject::ChunkSize => "malformed chunk",
            Reject::ChunkExtension => "malformed or oversized chunk extension",
            Reject::Trailer => "malformed trailer",
            Reject::TrailersTooLarge => "the trailers are too large",
            Reject::BodyTooLarge => "the body is too large",
            Reject::UnfinishedHead => "the head is unfinished",
            Reject::UnfinishedBody => "the body is unfinished",
            Reject::HeadTimeout => "the head did not come in time",
            Reject::BodyTimeout => "the body did not come in time",
            Reject::NoRoom => "there is no room for the body at the moment",
        }
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.reason(), self.status())
    }
}

impl core::error::Error for Reject {}
