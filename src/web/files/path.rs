//! From the path of a target to the path of a file below the root.
//!
//! The path is decoded once, segment by segment, and dot segments are resolved here, before any file is looked for. What
//! comes out has neither `.` nor `..` in it, no empty segment, no NUL, and does not begin with a slash.

use percent_encoding::percent_decode_str;

/// Whether files whose name begins with a dot are served, or what lies in directories of such a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dotfiles {
    /// They are as if they were not there, but for `.well-known` (RFC 8615).
    Hidden,
    /// They are files like others.
    Served,
}

/// What a path asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// What has this very name.
    Name,
    /// What is in a directory: the path ends in a slash, or as if in one.
    Directory,
}

/// Why a path is no path of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It leads out of the root, or a segment decodes to something that can't be a name.
    Malformed,
    /// It has the name of a dotfile.
    Hidden,
}

/// Writes the path of the file or directory that `path` asks for into `into`, instead of what was there. That of the root is
/// empty.
pub(super) fn resolve(
    path: &str,
    dotfiles: Dotfiles,
    into: &mut Vec<u8>,
) -> Result<Asked, Refused> {
    into.clear();
    if path.is_empty() {
        return Ok(Asked::Name);
    }
    let mut asked = Asked::Directory;
    for segment in path.split('/') {
        asked = match segment {
            "" | "." => Asked::Directory,
            ".." => {
                leave(into)?;
                Asked::Directory
            }
            segment => {
                enter(segment, dotfiles, into)?;
                Asked::Name
            }
        };
    }
    Ok(asked)
}

/// Goes on to a name in the directory that `into` is the path of.
pub(super) fn join(into: &mut Vec<u8>, name: &[u8]) {
    separate(into);
    into.extend_from_slice(name);
}

fn separate(into: &mut Vec<u8>) {
    if !into.is_empty() {
        into.push(b'/');
    }
}

fn enter(segment: &str, dotfiles: Dotfiles, into: &mut Vec<u8>) -> Result<(), Refused> {
    separate(into);
    let begin = into.len();
    if segment.contains('%') {
        into.extend(percent_decode_str(segment));
    } else {
        into.extend_from_slice(segment.as_bytes());
    }
    match &into[begin..] {
        // Whoever encodes a dot segment hides it from somebody: clients and proxies resolve the plain ones.
        b"." | b".." => Err(Refused::Malformed),
        name if name.iter().any(|byte| matches!(byte, 0 | b'/')) => Err(Refused::Malformed),
        name if !is_shown(name, dotfiles) => Err(Refused::Hidden),
        _ => Ok(()),
    }
}

/// What can't be a name in a path that is asked for.
pub(super) fn is_no_name(name: &[u8]) -> bool {
    matches!(name, b"" | b"." | b"..") || name.contains(&0)
}

/// Whether what has this name in a directory is served.
pub(super) fn is_shown(name: &[u8], dotfiles: Dotfiles) -> bool {
    match dotfiles {
        Dotfiles::Hidden => !name.starts_with(b".") || name == b".well-known",
        Dotfiles::Served => true,
    }
}

fn leave(into: &mut Vec<u8>) -> Result<(), Refused> {
    if into.is_empty() {
        return Err(Refused::Malformed);
    }
    let parent = into.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    into.truncate(parent);
    Ok(())
}

/// Whether a path has segments that stand for others: `.`, `..`, or nothing between two slashes.
pub(super) fn is_unclean(path: &str) -> bool {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut segments = path.split('/');
    !path.is_empty() && segments.any(|segment| matches!(segment, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: Result<&[u8], Refused>) {
        let mut into = b"what was there".to_vec();
        let resolved = resolve(path, Dotfiles::Hidden, &mut into).map(|_| into.as_slice());
        assert_eq!(resolved, expected, "{path}");
    }

    #[test]
    fn a_path_is_decoded_once() {
        check("/a.txt", Ok(b"a.txt"));
        check("/a%20b", Ok(b"a b"));
        check("/a%2520b", Ok(b"a%20b"));
        check("/%252e%252e/b", Ok(b"%2e%2e/b"));
        check("/%E2%82%AC", Ok("€".as_bytes()));
        check("/%ff", Ok(b"\xff"));
        check("/a+b", Ok(b"a+b"));
        check("/a%5cb", Ok(b"a\\b"));
    }

    #[test]
    fn a_slash_at_the_end_asks_for_what_is_in_a_directory() {
        let mut into = Vec::new();
        for (path, asked, resolved) in [
            ("/", Asked::Directory, ""),
            ("//", Asked::Directory, ""),
            ("/a/", Asked::Directory, "a"),
            ("/a/.", Asked::Directory, "a"),
            ("/a/b/..", Asked::Directory, "a"),
            ("/a/..", Asked::Directory, ""),
            ("/a/index.html", Asked::Name, "a/index.html"),
            ("/a", Asked::Name, "a"),
            ("", Asked::Name, ""),
        ] {
            let found = resolve(path, Dotfiles::Hidden, &mut into);
            assert_eq!(found, Ok(asked), "{path}");
            assert_eq!(into, resolved.as_bytes(), "{path}");
        }
    }

    #[test]
    fn a_name_joins_the_directory_that_it_is_in() {
        let mut path = Vec::new();
        join(&mut path, b"a");
        join(&mut path, b"b");
        assert_eq!(path, b"a/b");
    }

    #[test]
    fn below_a_prefix_a_path_needs_no_slash_in_front() {
        check("", Ok(b""));
        check("a", Ok(b"a"));
        check("a/b", Ok(b"a/b"));
    }

    #[test]
    fn empty_segments_and_dot_segments_are_resolved() {
        check("//evil", Ok(b"evil"));
        check("/a///b", Ok(b"a/b"));
        check("/a/./b", Ok(b"a/b"));
        check("/a/../b", Ok(b"b"));
        check("/a/b/../../c", Ok(b"c"));
        check("/a//../b", Ok(b"b"));
    }

    #[test]
    fn no_path_leads_out_of_the_root() {
        for path in [
            "/..",
            "/../",
            "/../etc/passwd",
            "/a/../../b",
            "//..",
            "/./..",
            "..",
            "/%2e%2e/etc/passwd",
            "/.%2e/etc/passwd",
            "/%2e./etc/passwd",
            "/a/%2E%2E/b",
            "/a/%2e/b",
            "/..%2fetc",
            "/%2fetc/passwd",
            "/a%2Fb",
            "/a%00.txt",
            "/%00",
        ] {
            check(path, Err(Refused::Malformed));
        }
    }

    #[test]
    fn dotfiles_are_hidden_but_for_well_known() {
        for path in [
            "/.git/config",
            "/.env",
            "/%2eenv",
            "/a/.htaccess",
            "/...",
            "/.git/..",
            "/.well-known/.a",
            "/.well-known2",
        ] {
            check(path, Err(Refused::Hidden));
        }
        check("/.well-known/security.txt", Ok(b".well-known/security.txt"));
        let mut into = Vec::new();
        let served = resolve("/.git/config", Dotfiles::Served, &mut into);
        assert_eq!(served, Ok(Asked::Name));
        assert_eq!(into, b".git/config");
    }

    #[test]
    fn what_comes_out_has_only_names_in_it() {
        // All paths of up to six of these pieces.
        const PIECES: [&str; 8] = ["/", ".", "..", "a", "%2e", "%2f", "%00", ".b"];
        let mut into = Vec::new();
        for length in 1..=6 {
            for number in 0..PIECES.len().pow(length) {
                let path: String = (0..length)
                    .map(|place| PIECES[number / PIECES.len().pow(place) % PIECES.len()])
                    .collect();
                if resolve(&path, Dotfiles::Served, &mut into).is_err() || into.is_empty() {
                    continue;
                }
                for name in into.split(|byte| *byte == b'/') {
                    assert!(!matches!(name, b"" | b"." | b".."), "{path}");
                    assert!(!name.contains(&0), "{path}");
                }
            }
        }
    }
}
