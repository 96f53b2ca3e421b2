//! What a client wants to see (RFC 9110 §12.5.1), as far as it matters here.

use super::coding::weight;
use crate::http::Fields;

/// Whether Accept names `text/html`, as browsers do that open a page. `*/*` does not: scripts say it, and want data.
pub(super) fn wants_html(fields: Fields<'_>) -> bool {
    weight_of(fields, "text/html") > 0
}

/// Whether Accept likes `application/json` better than `text/html`.
pub(super) fn prefers_json(fields: Fields<'_>) -> bool {
    weight_of(fields, "application/json") > weight_of(fields, "text/html")
}

/// The greatest weight that this very type is given, in thousandths.
fn weight_of(fields: Fields<'_>, media_type: &str) -> u16 {
    let ranges = fields.get_all("accept");
    let ranges = ranges.flat_map(|value| value.split(|byte| *byte == b','));
    let weights = ranges.filter_map(|range| {
        let mut parts = range.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let name = parts.next().unwrap_or_default();
        let named = name.eq_ignore_ascii_case(media_type.as_bytes());
        let quality = parts.find_map(|part| match part {
            [b'q' | b'Q', b'=', value @ ..] => Some(weight(value).unwrap_or(0)),
            _ => None,
        });
        named.then_some(quality.unwrap_or(1000))
    });
    weights.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Limits, Slots, reparse};

    fn check(accept: &str, html: bool, json: bool) {
        let head = format!("GET / HTTP/1.1\r\nHost: a\r\nAccept: {accept}\r\n\r\n");
        let mut slots = Slots::new();
        let head = reparse(&Limits::default(), head.as_bytes(), &mut slots).expect("a head");
        assert_eq!(wants_html(head.fields()), html, "{accept}");
        assert_eq!(prefers_json(head.fields()), json, "{accept}");
    }

    #[test]
    fn only_what_is_named_is_wanted() {
        check("text/html,application/xhtml+xml,*/*;q=0.8", true, false);
        check("Text/HTML;q=0.1", true, false);
        check("text/html;q=0", false, false);
        check(
            "text/html;level=1;q=0.5, application/json;q=0.4",
            true,
            false,
        );
        check("text/html;q=0.4, application/json;q=0.5", true, true);
        check("application/json", false, true);
        check("*/*", false, false);
        check("text/*", false, false);
        check("", false, false);
        check("text/html;q=x", false, false);
    }
}
