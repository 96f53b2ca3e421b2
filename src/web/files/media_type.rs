//! Media types by the extension of a file's name.

use core::fmt;
use std::sync::Arc;

/// A media type, with the parameter that texts have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum MediaType {
    /// It is complete.
    Complete(&'static str),
    /// `; charset=utf-8` has still to be written behind it.
    Text(&'static str),
    /// It is complete, and the operator's own.
    Own(Arc<str>),
}

/// As it is sent.
impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MediaType::Complete(value) => f.write_str(value),
            MediaType::Own(value) => f.write_str(value),
            MediaType::Text(value) => write!(f, "{value}; charset=utf-8"),
        }
    }
}

impl MediaType {
    /// Whether content of this type is text, or much like it, so that it becomes a third or less by compression.
    #[cfg(feature = "compress")]
    pub(super) fn is_text(&self) -> bool {
        let name = self.name();
        let (kind, format) = name.split_once('/').unwrap_or((name, ""));
        let format = format.split(';').next().unwrap_or_default();
        let is_structured = format.ends_with("+json") || format.ends_with("+xml");
        match kind {
            "text" => true,
            "application" => {
                is_structured
                    || matches!(
                        format,
                        "json" | "javascript" | "xml" | "wasm" | "x-javascript"
                    )
            }
            "font" => matches!(format, "ttf" | "otf"),
            _ => is_structured,
        }
    }

    fn name(&self) -> &str {
        match self {
            MediaType::Complete(name) | MediaType::Text(name) => name,
            MediaType::Own(name) => name,
        }
    }

    /// Whether content of this type is compressed by itself, so that coding it once more gains nothing.
    pub(super) fn is_compressed(&self) -> bool {
        let name = self.name();
        let (kind, format) = name.split_once('/').unwrap_or((name, ""));
        match kind {
            "image" => !matches!(format, "svg+xml" | "bmp" | "x-icon" | "x-ms-bmp"),
            "audio" => format != "wav",
            "video" => true,
            "font" => matches!(format, "woff" | "woff2"),
            "application" => matches!(
                format,
                "gzip" | "zip" | "zstd" | "x-bzip2" | "x-xz" | "x-7z-compressed" | "vnd.rar"
            ),
            _ => false,
        }
    }
}

/// The media type of what is not known.
const UNKNOWN: &str = "application/octet-stream";

/// The media type of a file with this name. Never allocates.
///
/// What the Web is made of is found in a few nanoseconds; the other thousand extensions cost ten times as much.
pub(super) fn of(path: &[u8]) -> MediaType {
    let extension = extension(path);
    if let Some(common) = common(extension) {
        return MediaType::Complete(common);
    }
    let guess = core::str::from_utf8(extension)
        .ok()
        .and_then(|extension| mime_guess::from_ext(extension).first_raw());
    match guess {
        Some(text) if text.starts_with("text/") => MediaType::Text(text),
        Some(other) => MediaType::Complete(other),
        None => MediaType::Complete(UNKNOWN),
    }
}

/// What follows the last dot of the name; a dot in front makes no extension.
pub(super) fn extension(path: &[u8]) -> &[u8] {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    match name.iter().rposition(|byte| *byte == b'.') {
        None | Some(0) => b"",
        Some(dot) => &name[dot + 1..],
    }
}

/// Whether the name has an extension.
pub(super) fn has_extension(path: &[u8]) -> bool {
    !extension(path).is_empty()
}

#[inline]
fn common(extension: &[u8]) -> Option<&'static str> {
    Some(match extension {
        b"html" | b"htm" => "text/html; charset=utf-8",
        b"css" => "text/css; charset=utf-8",
        // RFC 9239: this type for all of JavaScript, modules too.
        b"js" | b"mjs" => "text/javascript; charset=utf-8",
        b"txt" => "text/plain; charset=utf-8",
        // Source maps are JSON (ECMA-426).
        b"json" | b"map" => "application/json",
        b"svg" => "image/svg+xml",
        b"png" => "image/png",
        b"jpg" | b"jpeg" => "image/jpeg",
        b"gif" => "image/gif",
        b"webp" => "image/webp",
        b"avif" => "image/avif",
        b"ico" => "image/x-icon",
        // RFC 8081: not `application/font-woff`.
        b"woff" => "font/woff",
        b"woff2" => "font/woff2",
        b"wasm" => "application/wasm",
        b"pdf" => "application/pdf",
        // RFC 8878 §7.
        b"zst" => "application/zstd",
        b"bin" => UNKNOWN,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: &str) {
        assert_eq!(of(path.as_bytes()).to_string(), expected, "{path}");
    }

    #[test]
    fn the_extension_of_the_name_says_the_type() {
        check("a/b.html", "text/html; charset=utf-8");
        check("a/b.HTML", "text/html; charset=utf-8");
        check("a/b.tar.gz", "application/gzip");
        check("a.js", "text/javascript; charset=utf-8");
        check("a.csv", "text/csv; charset=utf-8");
        check("a.md", "text/markdown; charset=utf-8");
        check("a.xml", "text/xml; charset=utf-8");
        check("a.mp4", "video/mp4");
    }

    #[test]
    fn what_is_not_known_is_bytes() {
        for path in ["a", "a.", "a.b/c", ".html", "a/.css", "a.zzz", "a.é", ""] {
            check(path, UNKNOWN);
        }
        assert_eq!(of(b"a.\xff"), MediaType::Complete(UNKNOWN));
    }

    #[test]
    fn what_is_compressed_gains_nothing_by_a_coding() {
        for (name, expected) in [
            ("a.html", false),
            ("a.svg", false),
            ("a.wasm", false),
            ("a.ttf", false),
            ("a.pdf", false),
            ("a", false),
            ("a.png", true),
            ("a.woff2", true),
            ("a.mp4", true),
            ("a.tar.gz", true),
            ("a.zip", true),
            ("a.zst", true),
        ] {
            assert_eq!(of(name.as_bytes()).is_compressed(), expected, "{name}");
        }
    }

    #[test]
    fn common_types_agree_with_mime_guess() {
        for extension in [
            "html", "htm", "css", "js", "txt", "json", "svg", "png", "jpg", "jpeg", "gif", "webp",
            "avif", "ico", "woff2", "wasm", "pdf", "bin",
        ] {
            let guess = mime_guess::from_ext(extension).first_raw().expect("common");
            let ours = common(extension.as_bytes()).expect("common");
            assert_eq!(ours.trim_end_matches("; charset=utf-8"), guess);
            assert_eq!(
                ours.ends_with("; charset=utf-8"),
                guess.starts_with("text/")
            );
        }
    }
}
