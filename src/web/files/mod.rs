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
mod settings;
mod tree;

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::http::{Head, Slots, reparse};
use crate::server::pool::Pool;
use crate::server::{Handler, Intake, Local, Reply, Request, ResponseWriter};
use crate::sys::at_hand::Waiting;
use crate::sys::file::Failure;
use answer::{Clock, Refusal, Varies};
use coding::Accepted;
use disk::Disk;
use listing::{Form, Listing};
use memory::Memory;
use path::{Asked, Dotfiles, Refused};
use settings::{Listings, Settings};
use tree::{Asker, Found, Tree};

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
/// | a directory with a slash behind it | its [index](Files::with_index) or [what is in it](Files::with_listings), else 404: that it is there is nobody's business |
/// | a directory without | 308 to the same with a slash, relative |
/// | a dotfile, but for `.well-known` | 404, unless [they are served](Files::with_dotfiles) |
/// | a FIFO, a device, a socket | 404: it is looked at, and never opened |
/// | a name with an encoded NUL, slash or dot segment; a path out of the root | 400 |
/// | a symbolic link that stays below the root, wherever the link is | what it leads to; another one: 404 |
/// | what the process may not read | 403 |
/// | descriptors have run out | 503 |
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
    /// How often it has waited for the request that is answered.
    warmed: u8,
}

/// What is cold again after so many times is waited for on the loop.
const WARMED_MAX: u8 = 4;

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
            warmed: 0,
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
    /// directories have no index.
    #[must_use]
    pub fn with_index<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Files {
        let index = names.into_iter().map(Into::into).collect();
        self.set(|settings| settings.index = index)
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
    /// name. Of several rules the one that was added first counts. Errors: an empty pattern, a value that can't be sent.
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
    /// opened and read there before they are sent from here. When the pool has no room the client gets 503.
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
    /// 1 to 64 KiB, which takes less than a millisecond of the loop each time. Others are sent as they are. A compressed answer has
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

    /// Answers with the file at `path`, still percent-encoded: for handlers that serve files below a prefix, which they
    /// cut off, with its slash or without.
    ///
    /// ```
    /// use edgeloop::{Reply, Request, ResponseWriter, web::Files};
    ///
    /// struct App {
    ///     assets: Files,
    /// }
    ///
    /// impl edgeloop::Handler for App {
    ///     fn on_request(&mut self, req: &Request, res: ResponseWriter) -> Reply {
    ///         match req.path().strip_prefix("/assets/") {
    ///             Some(path) => self.assets.serve(req, path, res),
    ///             None => res.status(200).text("Hello, world!\n"),
    ///         }
    ///     }
    /// }
    /// ```
    pub fn serve(&mut self, head: &Head<'_>, path: &str, res: ResponseWriter<'_>) -> Reply {
        if !matches!(head.method(), "GET" | "HEAD") {
            return self.refuse(head, Refusal::Method, res);
        }
        let path = match path {
            "" if head.path().ends_with('/') => "/",
            path => path,
        };
        let asked = match path::resolve(path, self.settings.dotfiles, &mut self.path) {
            Ok(asked) => Ok(asked),
            Err(Refused::Malformed) => Err(Refusal::Malformed),
            Err(Refused::Hidden) => Err(Refusal::Missing),
        };
        self.answer(asked, head, res)
    }

    /// Answers with what is asked for at `self.path`, or refuses it.
    fn answer(
        &mut self,
        asked: Result<Asked, Refusal>,
        head: &Head<'_>,
        res: ResponseWriter<'_>,
    ) -> Reply {
        match asked {
            Ok(Asked::Name) => self.name(head, res),
            Ok(Asked::Directory) => self.directory(head, res),
            Err(refusal) => self.refuse(head, refusal, res),
        }
    }

    /// Answers with what has the very name that `self.path` is.
    fn name(&mut self, head: &Head<'_>, mut res: ResponseWriter<'_>) -> Reply {
        let (accepted, varies) = (Accepted::read(head.fields()), Varies::default());
        let asker = Asker::of(&res, self.waiting());
        let (tree, settings) = (&mut self.tree, &self.settings);
        match tree.look_up(&self.path, &accepted, settings, &asker) {
            Ok(Found::File(file)) => {
                let file = file.read_ahead(self.pool.as_ref(), &mut res);
                answer::send(head, file, &accepted, varies, &mut self.clock, res)
            }
            Ok(Found::Directory) => answer::redirect_to_slash(head, res),
            Ok(Found::Other) => self.refuse(head, Refusal::Missing, res),
            Ok(Found::Cold) => {
                let cold = self.path.clone();
                self.warm(Ok(Asked::Name), cold, head, res)
            }
            Err(failure) => self.refuse(head, failure.into(), res),
        }
    }

    /// Answers with what is in the directory that `self.path` is the path of: the first of its index files that is there.
    fn directory(&mut self, head: &Head<'_>, mut res: ResponseWriter<'_>) -> Reply {
        let (accepted, varies) = (Accepted::read(head.fields()), Varies::default());
        let (directory, waiting) = (self.path.len(), self.waiting());
        for name in &self.settings.index {
            self.path.truncate(directory);
            path::join(&mut self.path, name.as_bytes());
            let asker = Asker::of(&res, waiting);
            let (tree, settings) = (&mut self.tree, &self.settings);
            match tree.look_up(&self.path, &accepted, settings, &asker) {
                Ok(Found::File(file)) => {
                    let file = file.read_ahead(self.pool.as_ref(), &mut res);
                    return answer::send(head, file, &accepted, varies, &mut self.clock, res);
                }
                Ok(Found::Directory | Found::Other) | Err(Failure::Missing) => {}
                Ok(Found::Cold) => {
                    let cold = self.path.clone();
                    self.path.truncate(directory);
                    return self.warm(Ok(Asked::Directory), cold, head, res);
                }
                Err(failure) => return self.refuse(head, failure.into(), res),
            }
        }
        self.path.truncate(directory);
        match self.settings.listings {
            Listings::None => self.refuse(head, Refusal::Missing, res),
            Listings::All => self.list(head, res),
        }
    }

    /// Answers with what is in the directory that `self.path` is the path of. Where there are threads to wait for disks, one
    /// of them reads it.
    fn list(&mut self, head: &Head<'_>, res: ResponseWriter<'_>) -> Reply {
        let form = if accept::prefers_json(head.fields()) {
            Form::Json
        } else {
            Form::Html
        };
        let dotfiles = self.settings.dotfiles;
        match (&self.tree, &self.pool) {
            (Tree::Disk(disk), Some(pool)) => {
                let job = disk.listing(self.path.clone(), dotfiles);
                let (mut files, head) = (self.clone(), head.bytes().to_vec());
                files.path.clone_from(&self.path);
                pool.run(res, job, move |listing, res| {
                    let limits = res.limits().http.clone();
                    match reparse(&limits, &head, &mut Slots::new()) {
                        Some(head) => files.listed(listing, form, &head, res),
                        None => res.status(500).empty(), // a head that was sound is sound
                    }
                })
            }
            (Tree::Disk(disk), None) => {
                let listing = disk.listing(self.path.clone(), dotfiles)();
                self.listed(listing, form, head, res)
            }
            (Tree::Memory(memory), _) => {
                let listing = memory.list(&self.path, dotfiles);
                self.listed(listing, form, head, res)
            }
        }
    }

    fn listed(
        &mut self,
        listing: Result<Listing, Failure>,
        form: Form,
        head: &Head<'_>,
        res: ResponseWriter<'_>,
    ) -> Reply {
        match listing {
            Ok(listing) => answer::list(&listing, &self.path, form, res),
            Err(failure) => self.refuse(head, failure.into(), res),
        }
    }

    /// Answers that there is no file, with whatever page is set for that.
    fn refuse(&mut self, head: &Head<'_>, refusal: Refusal, res: ResponseWriter<'_>) -> Reply {
        let (accepted, waiting) = (Accepted::read(head.fields()), self.waiting());
        let mut varies = Varies::default();
        let (tree, settings) = (&mut self.tree, &self.settings);
        if refusal == Refusal::Missing
            && let Some(page) = &settings.fallback
            && !media_type::has_extension(&self.path)
        {
            varies.media_type = true;
            if accept::wants_html(head.fields()) {
                let asker = Asker::of(&res, waiting);
                match tree.look_up(page, &accepted, settings, &asker) {
                    Ok(Found::File(page)) => {
                        return answer::send(head, page, &accepted, varies, &mut self.clock, res);
                    }
                    Ok(Found::Cold) => {
                        let cold = page.clone();
                        return self.warm(Err(refusal), cold, head, res);
                    }
                    Ok(Found::Directory | Found::Other) | Err(_) => {}
                }
            }
        }
        if let Some(page) = settings.error_page(refusal) {
            let asker = Asker::of(&res, waiting);
            match tree.look_up(page, &accepted, settings, &asker) {
                Ok(Found::File(page)) => return refusal.send(page, varies, res),
                Ok(Found::Cold) => {
                    let cold = page.to_vec();
                    return self.warm(Err(refusal), cold, head, res);
                }
                Ok(Found::Directory | Found::Other) | Err(_) => {}
            }
        }
        refusal.explain(varies, res)
    }

    /// Whether a look may wait for a disk: not where there are threads to wait, unless they have waited in vain.
    fn waiting(&self) -> Waiting {
        if self.pool.is_some() && self.warmed < WARMED_MAX {
            Waiting::Refused
        } else {
            Waiting::Allowed
        }
    }

    /// Has what is at the path `cold` read by a thread of the pool, and then answers as was asked for.
    #[cold]
    fn warm(
        &mut self,
        asked: Result<Asked, Refusal>,
        cold: Vec<u8>,
        head: &Head<'_>,
        res: ResponseWriter<'_>,
    ) -> Reply {
        let (Some(pool), Some(job)) = (&self.pool, self.tree.warming(cold)) else {
            return self.refuse(head, Refusal::Broken, res); // what is cold is on a disk, and there is a pool
        };
        let head = head.bytes().to_vec();
        let mut files = Files {
            warmed: self.warmed + 1,
            ..self.clone()
        };
        pool.run(res, job, move |(), res| {
            let limits = res.limits().http.clone();
            match reparse(&limits, &head, &mut Slots::new()) {
                Some(head) => files.answer(asked, &head, res),
                None => res.status(500).empty(), // a head that was sound is sound
            }
        })
    }
}

/// The path [below the route](Request::path_below) is the path below the root.
impl Handler for Files {
    fn on_request(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
        // What the router has let stand must not lead past other routes, whose middleware would not see it.
        if req.pattern().is_some() && path::is_unclean(req.path()) {
            return Refusal::Missing.explain(Varies::default(), res);
        }
        self.serve(req, req.path_below(), res)
    }

    /// No body changes the answer.
    fn intake(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Intake {
        Intake::Answer(self.on_request(req, res))
    }
}
