//! Static files.

mod accept;
mod ahead;
mod answer;
mod cache;
mod cache_control;
mod coding;
#[cfg(feature = "compress")]
mod compress;
mod disk;
mod embed;
mod entry;
mod listing;
mod media_type;
mod media_types;
mod memory;
mod multipart;
mod path;
mod serve;
mod settings;
mod tree;

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::server::pool::Pool;
use crate::server::{Handler, Intake, Local, Reply, Request, ResponseWriter};
use answer::{Clock, Refusal};
use disk::Disk;
use memory::Memory;
use path::Dotfiles;
use settings::{Listings, Settings};
use tree::Tree;

pub use cache::{CacheLimits, CacheStats};
pub use cache_control::CacheControlError;
pub use embed::embed_directory;
pub use media_types::MediaTypesError;
pub use memory::{FileBytes, FileNameError};
pub use settings::PageError;

/// A handler that serves what lies below a directory.
///
/// | request | answer |
/// |---|---|
/// | another method than GET and HEAD | 405 |
/// | a file, `/index.html` too | 200, or what its conditions and its Range make of it: 206, 304, 412, 416 |
/// | several ranges of it | their parts in one answer (multipart/byteranges), joined where they meet; the whole for more than 16 |
/// | a file beside which the same name lies with `.br`, `.zst` or `.gz` behind it | the form that Accept-Encoding likes best, with an ETag of its own, and Vary; 406 for who takes none |
/// | a file with a slash behind it | 404 |
/// | a directory with a slash behind it | its [index](Files::with_index) or [what is in it](Files::with_listings), else 404 |
/// | a directory without | 308 to the same with a slash, relative, whether or not there is anything to be had in it |
/// | a dotfile, but for `.well-known` | 404, unless [they are served](Files::with_dotfiles) |
/// | a FIFO, a device, a socket | 404: it is looked at, and never opened |
/// | a directory that may be gone through and not be read | 308 to its slash, and the files in it |
/// | a name with an encoded NUL, slash or dot segment; a path out of the root | 400 |
/// | a symbolic link that stays below the root, wherever the link is | what it leads to; another one, and every one that begins with a slash: 404 |
/// | what the process may not read | 403 |
/// | descriptors have run out | 503, with Retry-After |
///
/// A refusal is a sentence, or [a page](Files::with_error_page). What is mounted below the directory belongs to it.
///
/// What was asked for is [remembered](Files::cache): a small file then costs no system call but those for the request, no
/// allocation, and one more read(2) for all requests of a turn of the loop, which tells whether anything has changed. One
/// that is not remembered costs some more (openat2 and fstat to look at it, the same to open it, pread, two close). They are
/// done on the loop, and files that are not in the page cache make the other connections wait, unless there is a
/// [pool](Files::with_pool).
///
/// Clones share the directory and, on one loop, what is remembered, so one `Files` can be made and cloned for each core.
///
/// ```no_run
/// use edgeloop::{Server, web::Files};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let files = Files::new("site")?;
/// Server::bind("127.0.0.1:8080")?.serve_fn(files)?.run()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Files {
    settings: Arc<Settings>,
    tree: Tree,
    clock: Clock,
    /// Where paths are resolved: its memory is used again.
    path: Vec<u8>,
    /// Who waits for disks.
    pool: Option<Pool>,
}

impl Files {
    /// Serves what lies below `root`, which is opened now: renaming it changes nothing. Errors: those of open(2), also
    /// when it is no directory.
    pub fn new(root: impl AsRef<Path>) -> io::Result<Files> {
        Ok(Files::of(Tree::Disk(Disk::open(root.as_ref())?)))
    }

    /// Serves files that are in memory, by path: what is part of the program, or was made. Directories are where files are.
    /// All else is as for those below a directory, but for Last-Modified: nobody knows when they were changed, and the ETag
    /// is a digest. A build script makes such files of a directory ([`embed_directory`]). The later one of two with the same
    /// path counts. Errors: a path that nobody can ask for, one that is a directory too.
    ///
    /// ```
    /// use edgeloop::web::Files;
    ///
    /// # fn main() -> Result<(), edgeloop::web::FileNameError> {
    /// let files = Files::memory([
    ///     ("index.html", "<!doctype html><title>Hello</title>"),
    ///     ("style/page.css", "body { margin: 4em auto; max-width: 40em }"),
    /// ])?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn memory<P: Into<String>, B: Into<FileBytes>>(
        files: impl IntoIterator<Item = (P, B)>,
    ) -> Result<Files, FileNameError> {
        let files = files.into_iter();
        let files = files.map(|(path, bytes)| (path.into(), bytes.into()));
        Ok(Files::of(Tree::Memory(Memory::new(files)?)))
    }

    fn of(tree: Tree) -> Files {
        Files {
            settings: Arc::default(),
            tree,
            clock: Clock::new(),
            path: Vec::new(),
            pool: None,
        }
    }

    fn set(mut self, set: impl FnOnce(&mut Settings)) -> Files {
        set(Arc::make_mut(&mut self.settings));
        self
    }

    /// Serves dotfiles like other files.
    #[must_use]
    pub fn with_dotfiles(self) -> Files {
        self.set(|settings| settings.dotfiles = Dotfiles::Served)
    }

    /// Answers a directory with the first of these names that is a file in it, instead of `index.html`. With none of them
    /// directories have no index. Errors: what can't be the name of a file, such as one with a slash in it.
    pub fn with_index<N: Into<String>>(
        mut self,
        names: impl IntoIterator<Item = N>,
    ) -> Result<Files, PageError> {
        let names = names
            .into_iter()
            .map(|name| PageError::check_name(name.into()));
        Arc::make_mut(&mut self.settings).index = names.collect::<Result<_, _>>()?;
        Ok(self)
    }

    /// Adds media types by extension, which come before those that are known: a table as in `mime.types` of Apache, a row
    /// being `text/html html htm`, or of nginx, the same in `types { }` with a semicolon behind each row. Extensions in
    /// capitals are the same. Errors: the first row that can't be read.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let files = edgeloop::web::Files::new("site")?.with_media_types("application/x-own own")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_media_types(mut self, table: &str) -> Result<Files, MediaTypesError> {
        Arc::make_mut(&mut self.settings).media_types.add(table)?;
        Ok(self)
    }

    /// Says Cache-Control of the files whose path below the root matches a pattern: `?` and `*` stand for octets but the
    /// slash, `**` for those too, `[ab]` and `{js,css}` for one of several. A pattern without a slash is matched against the
    /// name; in one with a slash, `**` as a whole segment stands for no segment as well, so `/a/**/b` matches `/a/b`. Of several rules
    /// the one that was added first counts. Errors: an empty pattern, a value that can't be sent.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let files = edgeloop::web::Files::new("site")?
    ///     .with_cache_control("/assets/**", "max-age=31536000, immutable")?
    ///     .with_cache_control("*.html", "no-cache")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_cache_control(
        mut self,
        pattern: &str,
        value: &str,
    ) -> Result<Files, CacheControlError> {
        let settings = Arc::make_mut(&mut self.settings);
        settings.cache_control.add(pattern, value)?;
        Ok(self)
    }

    /// Sets the bounds of what is remembered of files below a directory: see [`CacheLimits`]. It is remembered by each loop
    /// for itself, and told by the kernel when it changes, so that nothing is served that was changed before the request was
    /// sent; where the kernel can't tell, as on a network file system, every file is opened and looked at for every request.
    #[must_use]
    pub fn cache(mut self, limits: CacheLimits) -> Files {
        self.tree.set_cache(Some(limits));
        self
    }

    /// Remembers nothing: every file is opened and looked at for every request.
    #[must_use]
    pub fn without_cache(mut self) -> Files {
        self.tree.set_cache(None);
        self
    }

    /// Has threads of this pool wait for disks, so that the loop does not: files that the system has not in its memory are
    /// opened and read there before they are sent from here. When the pool has no room the client gets 503; where that happens in
    /// the middle of a file, its client waits for room, half a minute at most, and is cut off then.
    ///
    /// Without a pool the loop itself waits, for no more than one piece of one file at a time: no thread is started that nobody
    /// has asked for. The binary has one.
    #[must_use]
    pub fn with_pool(mut self, pool: Pool) -> Files {
        self.pool = Some(pool);
        self
    }

    /// What the cache has come to on this loop. `None`: there is none, or nothing was asked for yet.
    pub fn cache_stats(&self, local: &Local) -> Option<CacheStats> {
        self.tree.cache_stats(local, &self.settings)
    }

    /// Compresses files that have no coded sibling, for who takes gzip: texts, scripts, JSON, SVG, WebAssembly and the like, of
    /// 1 to 64 KiB, which takes less than a millisecond of the loop: once for what is [remembered](Self::cache), else each time. Others are sent as they are. A compressed answer has
    /// a weak ETag of its own and no ranges.
    #[cfg(feature = "compress")]
    #[must_use]
    pub fn with_compression(self) -> Files {
        self.set(|settings| settings.compression = settings::Compression::Gzip)
    }

    /// Lists what is in a directory that has no index: as a page, or in JSON for who likes `application/json` better than
    /// `text/html`. Of each file it has the size and the date, and of all at most 1000 names, which is said. What would not be
    /// served is not listed. It is read on the loop, or by a thread of the [pool](Self::with_pool).
    #[must_use]
    pub fn with_listings(self) -> Files {
        self.set(|settings| settings.listings = Listings::All)
    }

    /// Sends what refuses a file with this status as the page at `path` below the root, rather than in a sentence. Where that
    /// is not there, a sentence it is. Of several pages for a status the last one counts. Errors: a status that no file is
    /// refused with (400, 403, 404, 405, 500 and 503 are), a path that no file can have.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let files = edgeloop::web::Files::new("site")?.with_error_page(404, "/404.html")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_error_page(mut self, status: u16, path: &str) -> Result<Files, PageError> {
        let page = (
            PageError::check_status(status)?,
            PageError::check_path(path)?,
        );
        Arc::make_mut(&mut self.settings).error_pages.push(page);
        Ok(self)
    }

    /// Sends the page at `path` below the root, with 200, to who wants a page where nothing is: for an application of one
    /// page, which reads the rest of the path itself. Only a request whose Accept names `text/html` gets it, as browsers do
    /// that open a page, and only where the last name of its path has no extension: a script or an image that is missing
    /// is 404, and so is what a script asks for. Errors: a path that no file can have.
    pub fn with_fallback(mut self, path: &str) -> Result<Files, PageError> {
        let page = PageError::check_path(path)?;
        Arc::make_mut(&mut self.settings).fallback = Some(page);
        Ok(self)
    }
}

/// The path [below the route](Request::path_below) is the path below the root.
impl Handler for Files {
    fn on_request(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
        // What the router has let stand must not lead past other routes, whose middleware would not see it.
        if req.pattern().is_some() && path::is_unclean(req.path()) {
            return self.refuse(req, Refusal::Hidden, res);
        }
        self.serve(req, req.path_below(), res)
    }

    /// No body changes the answer.
    fn intake(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Intake {
        Intake::Answer(self.on_request(req, res))
    }
}
