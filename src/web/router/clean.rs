//! Paths with empty segments and dot segments, and without.

/// Whether the path has neither an empty segment but for its last, nor a dot segment. It begins with a slash.
pub(super) fn is_clean(path: &str) -> bool {
    let mut pairs = path.as_bytes().windows(2);
    let suspects = pairs.any(|pair| pair[0] == b'/' && matches!(pair[1], b'/' | b'.'));
    if !suspects {
        return true;
    }
    let mut rest = &path[1..];
    while let Some((segment, behind)) = rest.split_once('/') {
        if matches!(segment, "" | "." | "..") {
            return false;
        }
        rest = behind;
    }
    !matches!(rest, "." | "..")
}

/// The path without them: `..` takes the segment before it, if there is one. It begins with one slash, and ends with one if
/// it did.
pub(super) fn clean(path: &str) -> String {
    let mut cleaned = String::with_capacity(path.len());
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => cleaned.truncate(cleaned.rfind('/').unwrap_or(0)),
            segment => {
                cleaned.push('/');
                cleaned.push_str(segment);
            }
        }
    }
    if cleaned.is_empty() || path.ends_with('/') {
        cleaned.push('/');
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cleaned_is_clean_and_stays_as_it_is() {
        for (path, cleaned) in [
            ("/", "/"),
            ("//", "/"),
            ("//evil", "/evil"),
            ("///evil//x/", "/evil/x/"),
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/a/..", "/"),
            ("/a/../", "/"),
            ("/../../a", "/a"),
            ("/a/.", "/a"),
            ("/.", "/"),
            ("/.//evil", "/evil"),
            ("/a/b/../../..//c/", "/c/"),
            ("/...", "/..."),
            ("/.a/..b/c.", "/.a/..b/c."),
            ("/%2e%2e/a", "/%2e%2e/a"),
        ] {
            assert_eq!(clean(path), cleaned, "{path}");
            assert_eq!(is_clean(path), path == cleaned, "{path}");
            assert!(is_clean(cleaned) && !cleaned.starts_with("//"));
        }
    }
}
