//! A listing for people: a page that works on a phone and without script, in the dark and in the light.

use core::fmt::Write;

use super::{ENTRIES_MAX, Entry, EntryKind, Listing};
use crate::http::date;
use crate::sys::UnixTime;

const STYLE: &str = "\
:root { color-scheme: light dark; --line: #8884; --faint: #666; --link: #0b57d0 }
@media (prefers-color-scheme: dark) { :root { --faint: #aaa; --link: #8ab4f8 } }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 56rem; margin: 0 auto; padding: 1rem }
h1 { font-size: 1.25rem; overflow-wrap: anywhere }
a { color: var(--link); text-decoration: none; overflow-wrap: anywhere }
a:hover, a:focus { text-decoration: underline }
table { border-collapse: collapse; width: 100% }
th { text-align: start; color: var(--faint); font-weight: normal }
th, td { padding: .5rem .25rem; border-bottom: 1px solid var(--line); vertical-align: top }
td + td, th + th { text-align: end; white-space: nowrap; color: var(--faint); font-variant-numeric: tabular-nums }
p { color: var(--faint) }
@media (max-width: 36rem) {
  thead, td:empty { display: none }
  tr { display: grid; grid-template-columns: 1fr auto; padding: .5rem .25rem; border-bottom: 1px solid var(--line) }
  td { padding: 0; border: 0 }
  td:first-child { grid-column: 1 / -1 }
  td + td { text-align: start; font-size: .875rem }
}
";

pub(super) fn write(listing: &Listing, path: &[u8]) -> String {
    let title = Entry {
        name: [
            b"/" as &[u8],
            path,
            if path.is_empty() { b"" } else { b"/" },
        ]
        .concat(),
        kind: EntryKind::Directory,
    };
    let title = escaped(&title.title());
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n<h1><bdi>{title}</bdi></h1>\n<table>\n\
         <thead><tr><th scope=\"col\">Name<th scope=\"col\">Size<th scope=\"col\">Changed (UTC)\n<tbody>\n"
    );
    if !path.is_empty() {
        page += "<tr><td><a href=\"../\">../</a><td><td>\n";
    }
    for entry in &listing.entries {
        row(&mut page, entry);
    }
    page += "</table>\n";
    if listing.is_cut {
        // Writing to a String does not fail.
        let _ = writeln!(
            page,
            "<p>There is more: only the first {ENTRIES_MAX} are listed."
        );
    }
    if listing.entries.is_empty() {
        page += "<p>There is nothing here.\n";
    }
    page
}

fn row(page: &mut String, entry: &Entry) {
    let (slash, size, changed) = match entry.kind {
        EntryKind::Directory => ("/", String::new(), None),
        EntryKind::File(size, changed) => ("", short(size), changed),
    };
    let (reference, title) = (entry.reference(), escaped(&entry.title()));
    let changed = changed.map_or_else(String::new, minute);
    let _ = writeln!(
        page,
        "<tr><td><a href=\"{reference}\"><bdi>{title}</bdi>{slash}</a><td>{size}<td>{changed}"
    );
}

/// With nothing in it that means something in HTML.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            char => escaped.push(char),
        }
    }
    escaped
}

/// A size in at most four digits.
fn short(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let Some(step) = bytes.checked_ilog2().map(|log| log as usize / 10) else {
        return "0 B".to_owned();
    };
    if step == 0 {
        return format!("{bytes} B");
    }
    let tenths = (u128::from(bytes) * 10) >> (10 * step);
    let unit = units[step - 1];
    if tenths < 100 {
        format!("{}.{} {unit}", tenths / 10, tenths % 10)
    } else {
        format!("{} {unit}", tenths / 10)
    }
}

/// A date to the minute.
fn minute(at: UnixTime) -> String {
    // "Sun, 06 Nov 1994 08:49:37 GMT"
    String::from_utf8_lossy(&date::format(at.secs)[5..22]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::tests::listing;
    use super::*;

    #[test]
    fn names_are_text_and_nothing_else() {
        let file = EntryKind::File(5, None);
        let names: [&[u8]; 6] = [
            b"<script>alert(1)</script>",
            b"\"onclick='x'",
            b"a\nb",
            b"\xff\xfe",
            b"javascript:alert(1)",
            b"100% & more?#",
        ];
        let page = listing(&names.map(|name| (name, file))).write(b"<i>", super::super::Form::Html);
        for wanted in [
            "<a href=\"./%3Cscript%3Ealert%281%29%3C%2Fscript%3E\"><bdi>&lt;script&gt;alert(1)&lt;/script&gt;</bdi>",
            "<a href=\"./%22onclick%3D%27x%27\"><bdi>&quot;onclick=&#39;x&#39;</bdi>",
            "<a href=\"./a%0Ab\"><bdi>a\u{fffd}b</bdi>",
            "<a href=\"./%FF%FE\"><bdi>\u{fffd}\u{fffd}</bdi>",
            "<a href=\"./javascript%3Aalert%281%29\">",
            "<a href=\"./100%25%20%26%20more%3F%23\"><bdi>100% &amp; more?#</bdi>",
            "<title>/&lt;i&gt;/</title>",
        ] {
            assert!(page.contains(wanted), "{wanted}\n{page}");
        }
        assert!(!page.contains("<script") && !page.contains("<i>"));
    }

    #[test]
    fn sizes_are_short() {
        for (bytes, expected) in [
            (0, "0 B"),
            (1, "1 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (10 * 1024, "10 KiB"),
            (1024 * 1024 - 1, "1023 KiB"),
            (5 << 30, "5.0 GiB"),
            (u64::MAX, "15 EiB"),
        ] {
            assert_eq!(short(bytes), expected);
        }
    }

    #[test]
    fn dates_are_to_the_minute() {
        let at = UnixTime {
            secs: 784_111_777,
            nanos: 0,
        };
        assert_eq!(minute(at), "06 Nov 1994 08:49");
    }
}
