//! Static files.

mod answer;
mod cache;
mod cache_control;
mod coding;
mod disk;
mod entry;
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

use super::content::explain;
use crate::field_line;
use crate::http::Head;
use crate::server::{Handler, Intake, Local, Reply, Request, ResponseWriter};
use crate::sys::at_hand::Waiting;
use crate::sys::file::Failure;
use answer::Clock;
use coding::Accepted;
use disk::Disk;
use memory::Memory;
use path::{Asked, Dotfiles, Refused};
use settings::Settings;
use tree::{Asker, Found, Tree};

pub use cache::{CacheLimits, CacheStats};
pub use cache_control::CacheControlError;
pub use media_types::MediaTypesError;
pub use memory::{FileBytes, FileNameError};

/// A handler that serves what lies below a directory.
///
/// | request | answer |
/// |---|---|
/// | another method than GET and HEAD | 405 |
/// | a file, `/index.html` too | 200, or what its conditions and its Range make of it: 206, 304, 412, 416 |
/// | a file with a slash behind it | 404 |
/// | a directory with a slash behind it | its `index.html`, else 404: that it is there is nobody's business |
/// | a directory without | 308 to the same with a slash, relative |
/// | a dotfile, but for `.well-known` | 404, unless [they are served](Files::with_dotfiles) |
/// | a FIFO, a device, a socket | 404 |
/// | a name with an encoded NUL, slash or dot segment; a path out of the root | 400 |
/// | a symbolic link that stays below the root, wherever the link is | what it leads to; another one: 404 |
/// | what the process may not read | 403 |
/// | descriptors have run out | 503 |
///
/// A small file costs four system calls (openat2, fstat, pread, close) and no allocation. They are done on the loop:
/// files that are not in the page cache make the other connections wait.
///
/// Clones share the directory, so one `Files` can be made and cloned for each core.
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
}

impl Files {
    /// Serves what lies below `root`, which is opened now: renaming it changes nothing. Errors: those of open(2), also
    /// when it is no directory.
    pub fn new(root: impl AsRef<Path>) -> io::Result<Files> {
        Ok(Files::of(Tree::Disk(Disk::open(root.as_ref())?)))
    }

    /// Serves files that are in memory, by path: what is part of the program, or was made. Directories are where files are.
    /// All else is as for those below a directory, but for Last-Modified: nobody knows when they were changed, and the
    /// ETag is a digest. The later one of two with the same path counts. Errors: a path that nobody can ask for, one that is a
    /// directory too.
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

    /// What the cache has come to on this loop. `None`: there is none, or nothing was asked for yet.
    pub fn cache_stats(&self, local: &Local) -> Option<CacheStats> {
        self.tree.cache_stats(local, &self.settings)
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
            let head = res.status(405).line(field_line!("Allow", "GET, HEAD"));
            return explain(head, "files can be had by GET and HEAD only\n");
        }
        let path = match path {
            "" if head.path().ends_with('/') => "/",
            path => path,
        };
        let asked = match path::resolve(path, self.settings.dotfiles, &mut self.path) {
            Ok(asked) => asked,
            Err(Refused::Malformed) => {
                return explain(res.status(400), "that is no path of a file\n");
            }
            Err(Refused::Hidden) => return answer::not_found(res),
        };
        match asked {
            Asked::Name => self.name(head, res),
            Asked::Directory => self.directory(head, res),
        }
    }

    /// Answers with what has the very name that `self.path` is.
    fn name(&mut self, head: &Head<'_>, res: ResponseWriter<'_>) -> Reply {
        let accepted = Accepted::read(head.fields());
        let asker = Asker::of(&res, Waiting::Allowed);
        let found = self
            .tree
            .look_up(&self.path, &accepted, &self.settings, &asker);
        match found {
            Ok(Found::File(file)) => answer::send(head, file, &accepted, &mut self.clock, res),
            Ok(Found::Directory) => answer::redirect_to_slash(head, res),
            Ok(Found::Other | Found::Cold) => answer::not_found(res),
            Err(failure) => answer::fail(failure, res),
        }
    }

    /// Answers with what is in the directory that `self.path` is the path of: the first of its index files that is there.
    fn directory(&mut self, head: &Head<'_>, res: ResponseWriter<'_>) -> Reply {
        let accepted = Accepted::read(head.fields());
        let directory = self.path.len();
        for name in &self.settings.index {
            self.path.truncate(directory);
            path::join(&mut self.path, name.as_bytes());
            let asker = Asker::of(&res, Waiting::Allowed);
            let found = self
                .tree
                .look_up(&self.path, &accepted, &self.settings, &asker);
            match found {
                Ok(Found::File(file)) => {
                    return answer::send(head, file, &accepted, &mut self.clock, res);
                }
                Ok(Found::Directory | Found::Other | Found::Cold) | Err(Failure::Missing) => {}
                Err(failure) => return answer::fail(failure, res),
            }
        }
        answer::not_found(res)
    }
}

/// The path [below the route](Request::path_below) is the path below the root.
impl Handler for Files {
    fn on_request(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
        // What the router has let stand must not lead past other routes, whose middleware would not see it.
        if req.pattern().is_some() && path::is_unclean(req.path()) {
            return answer::not_found(res);
        }
        self.serve(req, req.path_below(), res)
    }

    /// No body changes the answer.
    fn intake(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Intake {
        Intake::Answer(self.on_request(req, res))
    }
}
