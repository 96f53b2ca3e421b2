//! Requests that can't be served as they are, and what the client is told.

use core::fmt;

use crate::field_line;
use crate::server::{Reply, ResponseWriter};

/// Why a request is not served: a status and a sentence for the client. What reads requests returns it as an error.
///
/// ```
/// use edgeloop::{Reply, Request, ResponseWriter, web};
///
/// fn page(req: &Request, res: ResponseWriter) -> Reply {
///     match web::query(req).parse::<u32>("number") {
///         Ok(number) => res.status(200).text(format!("page {number}\n")),
///         Err(refusal) => refusal.answer(res), // 400: `number` in the query is …
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    status: u16,
    why: String,
}

impl Refusal {
    /// One with this status.
    pub fn new(status: u16, why: impl Into<String>) -> Refusal {
        let why = why.into();
        Refusal { status, why }
    }

    /// 400 Bad Request.
    pub fn bad_request(why: impl Into<String>) -> Refusal {
        Refusal::new(400, why)
    }

    /// The status to answer with.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Answers with the status, and with the sentence as plain text that no browser takes for a page.
    pub fn answer(&self, res: ResponseWriter<'_>) -> Reply {
        res.status(self.status)
            .line(field_line!("X-Content-Type-Options", "nosniff"))
            .text(format!("{}\n", self.why))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl core::error::Error for Refusal {}
