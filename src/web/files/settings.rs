//! How files are served: what can be set.

use std::fmt;
use std::sync::Arc;

use super::answer::Refusal;
use super::cache_control::CacheControl;
use super::media_type::MediaType;
use super::media_types::MediaTypes;
use super::path::{self, Asked, Dotfiles};

/// What can be set of [`Files`](super::Files). Clones of those share it.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// What a directory is answered with: the first that is there.
    pub(super) index: Vec<String>,
    pub(super) dotfiles: Dotfiles,
    pub(super) media_types: MediaTypes,
    pub(super) cache_control: CacheControl,
    /// What refusals of a status are sent with: paths below the root.
    pub(super) error_pages: Vec<(u16, Vec<u8>)>,
    pub(super) compression: Compression,
    /// Whether a directory without an index is listed.
    pub(super) listings: Listings,
    /// What is sent to who wants a page that is not there: a path below the root.
    pub(super) fallback: Option<Vec<u8>>,
}

/// What directories without an index are answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listings {
    /// As if they were not there.
    None,
    /// What is in them.
    All,
}

/// What is done with files that have no coded sibling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    /// They are sent as they are.
    None,
    /// They are compressed where it pays.
    #[cfg(feature = "compress")]
    Gzip,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            index: vec!["index.html".to_owned()],
            dotfiles: Dotfiles::Hidden,
            media_types: MediaTypes::default(),
            cache_control: CacheControl::default(),
            error_pages: Vec::new(),
            compression: Compression::None,
            listings: Listings::None,
            fallback: None,
        }
    }
}

impl Settings {
    /// The media type of the file at this path.
    pub(super) fn media_type(&self, path: &[u8]) -> MediaType {
        self.media_types.of(path)
    }

    /// Whether a file of this length and type is compressed.
    pub(super) fn compresses(&self, length: u64, media_type: &MediaType) -> bool {
        match self.compression {
            Compression::None => {
                let _ = (length, media_type);
                false
            }
            #[cfg(feature = "compress")]
            Compression::Gzip => super::compress::takes(length) && media_type.is_text(),
        }
    }

    /// The value of Cache-Control for the file at this path.
    pub(super) fn cache_control(&self, path: &[u8]) -> Option<Arc<str>> {
        self.cache_control.of(path)
    }

    /// The path of the page that a refusal is sent with.
    pub(super) fn error_page(&self, refusal: Refusal) -> Option<&[u8]> {
        let status = refusal.status();
        let page = self.error_pages.iter().rfind(|page| page.0 == status);
        page.map(|(_, path)| path.as_slice())
    }
}

/// Why a path or a name that files are to be answered with is none, or a status is none that they are refused with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageError(String);

impl PageError {
    /// The path of a file below the root.
    pub(super) fn check_path(path: &str) -> Result<Vec<u8>, PageError> {
        let mut resolved = Vec::new();
        match path::resolve(path, Dotfiles::Served, &mut resolved) {
            Ok(Asked::Name) if !resolved.is_empty() => Ok(resolved),
            Ok(_) | Err(_) => Err(PageError(format!(
                "{path:?} is no path of a file below the root; write one such as '/404.html'"
            ))),
        }
    }

    /// The name of a file in whatever directory.
    pub(super) fn check_name(name: String) -> Result<String, PageError> {
        if path::is_no_name(name.as_bytes()) || name.contains('/') {
            return Err(PageError(format!(
                "{name:?} is no name of a file; write one such as 'index.html'"
            )));
        }
        Ok(name)
    }

    /// A status that files are refused with.
    pub(super) fn check_status(status: u16) -> Result<u16, PageError> {
        if Refusal::STATUSES.contains(&status) {
            return Ok(status);
        }
        let statuses = Refusal::STATUSES
            .map(|status| status.to_string())
            .join(", ");
        Err(PageError(format!(
            "no file is refused with {status}; what can have a page is {statuses}"
        )))
    }
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for PageError {}
