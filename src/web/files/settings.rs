//! How files are served: what can be set.

use std::sync::Arc;

use super::cache_control::CacheControl;
use super::media_type::MediaType;
use super::media_types::MediaTypes;
use super::path::Dotfiles;

/// What can be set of [`Files`](super::Files). Clones of those share it.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// What a directory is answered with: the first that is there.
    pub(super) index: Vec<String>,
    pub(super) dotfiles: Dotfiles,
    pub(super) media_types: MediaTypes,
    pub(super) cache_control: CacheControl,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            index: vec!["index.html".to_owned()],
            dotfiles: Dotfiles::Hidden,
            media_types: MediaTypes::default(),
            cache_control: CacheControl::default(),
        }
    }
}

impl Settings {
    /// The media type of the file at this path.
    pub(super) fn media_type(&self, path: &[u8]) -> MediaType {
        self.media_types.of(path)
    }

    /// The value of Cache-Control for the file at this path.
    pub(super) fn cache_control(&self, path: &[u8]) -> Option<Arc<str>> {
        self.cache_control.of(path)
    }
}
