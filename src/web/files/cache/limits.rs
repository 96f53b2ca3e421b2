//! What a cache may take, and what it has come to.

/// The bounds of what is remembered of files, for each tree on each loop.
///
/// Beyond one of them what was not asked for of late is forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheLimits {
    /// Bytes in memory: content, heads and names (32 MiB).
    pub bytes_max: usize,
    /// Descriptors of files that are too large to be in memory (256, but at most a sixty-fourth of what the process may have
    /// when the cache is made).
    pub files_max: usize,
    /// Paths, also of what is not there (16,384). Each that is a file takes one inotify watch.
    pub places_max: usize,
    /// Files of at most so many bytes are kept in memory (64 KiB).
    pub content_bytes_max: usize,
    /// Directories that are watched (4,096).
    pub directories_max: usize,
}

impl Default for CacheLimits {
    fn default() -> Self {
        CacheLimits {
            bytes_max: 32 << 20,
            files_max: 256,
            places_max: 16_384,
            content_bytes_max: 64 << 10,
            directories_max: 4_096,
        }
    }
}

/// What a cache has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Lookups that found what they were for, also that there is nothing.
    pub hits: u64,
    /// Lookups that had to ask the file system.
    pub misses: u64,
    /// What was forgotten because it had changed.
    pub changed: u64,
    /// What was forgotten to make room.
    pub evicted: u64,
    /// How often everything was forgotten, because notices were lost.
    pub lost: u64,
    /// Paths that are remembered at present.
    pub places: usize,
    /// What they take in memory, in bytes.
    pub bytes: usize,
    /// Descriptors that are kept open.
    pub files: usize,
    /// Files and directories that are watched.
    pub watches: usize,
}
