//! A listing for programs.

use core::fmt::Write;

use super::{Entry, EntryKind, Listing};
use crate::http::date;

/// `{"complete": …, "entries": [{"name", "href", "type", "size", "modified"}]}`. A name that is no UTF-8 has replacement
/// characters in it; `href` is the very name, percent-encoded. `modified` is a date as HTTP writes it.
pub(super) fn write(listing: &Listing) -> String {
    let mut text = format!("{{\"complete\": {}, \"entries\": [", !listing.is_cut);
    for (at, entry) in listing.entries.iter().enumerate() {
        text += if at == 0 { "\n" } else { ",\n" };
        row(&mut text, entry);
    }
    text += "\n]}\n";
    text
}

fn row(text: &mut String, entry: &Entry) {
    *text += "{\"name\": ";
    string(text, &String::from_utf8_lossy(&entry.name));
    *text += ", \"href\": ";
    string(text, &entry.reference());
    // Writing to a String does not fail.
    let _ = match entry.kind {
        EntryKind::Directory => write!(text, ", \"type\": \"directory\"}}"),
        EntryKind::File(size, None) => write!(text, ", \"type\": \"file\", \"size\": {size}}}"),
        EntryKind::File(size, Some(at)) => {
            let date = date::format(at.secs);
            let date = String::from_utf8_lossy(&date);
            write!(
                text,
                ", \"type\": \"file\", \"size\": {size}, \"modified\": \"{date}\"}}"
            )
        }
    };
}

/// RFC 8259 §7.
fn string(text: &mut String, value: &str) {
    text.push('"');
    for char in value.chars() {
        match char {
            '"' => *text += "\\\"",
            '\\' => *text += "\\\\",
            char if char.is_control() => {
                let _ = write!(text, "\\u{:04x}", u32::from(char));
            }
            char => text.push(char),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::super::tests::listing;
    use super::super::{EntryKind, Form};
    use crate::sys::UnixTime;

    #[test]
    fn it_is_json_whatever_the_names_are() {
        let at = UnixTime {
            secs: 784_111_777,
            nanos: 0,
        };
        let listing = listing(&[
            (b"a\"b\\c\nd\x7f", EntryKind::File(7, Some(at))),
            (b"\xff", EntryKind::File(0, None)),
            ("ä".as_bytes(), EntryKind::Directory),
        ]);
        let expected = concat!(
            "{\"complete\": true, \"entries\": [\n",
            "{\"name\": \"ä\", \"href\": \"./%C3%A4/\", \"type\": \"directory\"},\n",
            "{\"name\": \"a\\\"b\\\\c\\u000ad\\u007f\", \"href\": \"./a%22b%5Cc%0Ad%7F\", \"type\": \"file\", ",
            "\"size\": 7, \"modified\": \"Sun, 06 Nov 1994 08:49:37 GMT\"},\n",
            "{\"name\": \"\u{fffd}\", \"href\": \"./%FF\", \"type\": \"file\", \"size\": 0}\n",
            "]}\n"
        );
        assert_eq!(listing.write(b"", Form::Json), expected);
    }
}
