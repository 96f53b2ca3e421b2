//! A directory as part of a program: for build scripts.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;

use super::path::{Dotfiles, is_shown};

/// Writes a Rust expression of the files below `root` to the file `into`: a table of paths and contents, which
/// [`Files::memory`](super::Files::memory) takes. It names the files by their place, so the compiler reads them, and builds
/// again what depends on them when they change. Symbolic links are followed.
/// Names that begin with a dot are left out, but for `.well-known`: what they hold is rarely meant for everybody.
///
/// This is for a build script, with this crate among the `build-dependencies`:
///
/// ```no_run
/// // build.rs
/// # fn main() -> std::io::Result<()> {
/// let into = std::env::var("OUT_DIR").expect("cargo sets it") + "/site.rs";
/// edgeloop::web::embed_directory("site", into)?;
/// println!("cargo::rerun-if-changed=site"); // for files that come and go
/// # Ok(())
/// # }
/// ```
///
/// ```ignore
/// // main.rs
/// static SITE: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/site.rs"));
/// let files = Files::memory(SITE.iter().copied())?;
/// ```
///
/// Errors: what can't be read or written, what is neither a file nor a directory, and names that are no UTF-8.
pub fn embed_directory(root: impl AsRef<Path>, into: impl AsRef<Path>) -> io::Result<()> {
    let root = fs::canonicalize(root)?;
    let mut table = "&[\n".to_owned();
    add(&root, "", &mut table)?;
    table += "]\n";
    fs::write(into, table)
}

fn add(directory: &Path, prefix: &str, table: &mut String) -> io::Result<()> {
    let entries = fs::read_dir(directory)?;
    let mut names = entries
        .map(|entry| Ok(entry?.file_name()))
        .collect::<io::Result<Vec<_>>>()?;
    names.sort(); // the same table wherever it is built
    for name in names {
        let path = directory.join(&name);
        let (Some(text), Some(place)) = (name.to_str(), path.to_str()) else {
            let why = format!("{} is no UTF-8", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        };
        if !is_shown(name.as_encoded_bytes(), Dotfiles::Hidden) {
            continue;
        }
        let kind = fs::metadata(&path)?;
        if !kind.is_dir() && !kind.is_file() {
            let why = format!("{} is neither a file nor a directory", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        if kind.is_dir() {
            add(&path, &format!("{prefix}{text}/"), table)?;
        } else {
            let name = format!("{prefix}{text}");
            // Writing to a String does not fail.
            let _ = writeln!(table, "    ({name:?}, include_bytes!({place:?})),");
        }
    }
    Ok(())
}
