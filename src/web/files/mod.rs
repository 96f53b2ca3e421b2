//! Static files.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::content::{self, explain, with_validators};
use super::media_type::{self, MediaType};
use super::path::{self, Asked, Dotfiles, Refused};
use super::validator::{self, EntityTag, Modified, Validators};
use crate::field_line;
use crate::http::Head;
use crate::server::{Handler, Intake, Reply, Request, ResponseWriter};
use crate::sys::file::{self, Failure, Kind, Metadata};
use crate::sys::{Fd, UnixTime};

/// How often a path is looked up that changes while it is looked up, or while signals come.
const TRIES: usize = 4;

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
    root: Arc<Fd>,
    dotfiles: Dotfiles,
    /// Where paths are resolved: its memory is used again.
    path: Vec<u8>,
    /// The wall clock at the last look.
    seen: UnixTime,
}

impl Files {
    /// Serves what lies below `root`, which is opened now: renaming it changes nothing. Errors: those of open(2), also
    /// when it is no directory.
    pub fn new(root: impl AsRef<Path>) -> io::Result<Files> {
        Ok(Files {
            root: Arc::new(file::open_root(root.as_ref())?),
            dotfiles: Dotfiles::Hidden,
            path: Vec::new(),
            seen: UnixTime { secs: 0, nanos: 0 },
        })
    }

    /// Serves dotfiles like other files.
    #[must_use]
    pub fn with_dotfiles(self) -> Files {
        Files {
            dotfiles: Dotfiles::Served,
            ..self
        }
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
        let asked = match path::resolve(path, self.dotfiles, &mut self.path) {
            Ok(asked) => asked,
            Err(Refused::Malformed) => {
                return explain(res.status(400), "that is no path of a file\n");
            }
            Err(Refused::Hidden) => return not_found(res),
        };
        let (file, metadata) = match self.open() {
            Ok(opened) => opened,
            Err(error) => return fail(file::failure(&error), res),
        };
        match (metadata.kind, asked) {
            (Kind::File, _) => self.send(head, file, &metadata, res),
            (Kind::Directory, Asked::Name) => redirect_to_slash(head, res),
            (Kind::Directory, Asked::Index) | (Kind::Other, _) => not_found(res),
        }
    }

    fn open(&self) -> io::Result<(Fd, Metadata)> {
        let mut tries = 1;
        let file = loop {
            match file::open_beneath(&self.root, &self.path) {
                Err(error) if file::failure(&error) == Failure::Again && tries < TRIES => {
                    tries += 1;
                }
                opened => break opened?,
            }
        };
        let metadata = file::metadata(&file)?;
        Ok((file, metadata))
    }

    fn send(
        &mut self,
        head: &Head<'_>,
        file: Fd,
        metadata: &Metadata,
        res: ResponseWriter<'_>,
    ) -> Reply {
        let modified = Modified::of(metadata.modified, self.now(metadata.modified));
        let tag = EntityTag::of(metadata, modified);
        let current = Validators {
            tag: Some(tag.tag()),
            modified: Some(modified),
        };
        let (answer, part) = match content::begin(head, &current, metadata.length, &[], res) {
            Ok(begun) => begun,
            Err(reply) => return reply,
        };
        let answer = match media_type::of(&self.path) {
            MediaType::Complete(value) => answer.field("Content-Type", value),
            MediaType::Text(value) => {
                answer.field_fmt("Content-Type", format_args!("{value}; charset=utf-8"))
            }
        };
        with_validators(answer, &current)
            .line(field_line!("Accept-Ranges", "bytes"))
            .line(field_line!("X-Content-Type-Options", "nosniff"))
            .file(file, part.start, part.end - part.start)
    }

    /// The time to judge the file's age by. An earlier reading of the clock will do once the file has settled by it, so the
    /// clock is read only for recently changed files.
    fn now(&mut self, modified: UnixTime) -> UnixTime {
        if !validator::has_settled(modified, self.seen) {
            self.seen = UnixTime::now();
        }
        self.seen
    }
}

/// The path [below the route](Request::path_below) is the path below the root.
impl Handler for Files {
    fn on_request(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
        // What the router has let stand must not lead past other routes, whose middleware would not see it.
        if req.pattern().is_some() && path::is_unclean(req.path()) {
            return not_found(res);
        }
        self.serve(req, req.path_below(), res)
    }

    /// No body changes the answer.
    fn intake(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Intake {
        Intake::Answer(self.on_request(req, res))
    }
}

/// Sends the client to the same path with a slash behind it. Its own last segment is all that the location has: so it is
/// right below any prefix, and can't lead to another host.
fn redirect_to_slash(head: &Head<'_>, res: ResponseWriter<'_>) -> Reply {
    let name = head.path().rsplit('/').next().unwrap_or_default();
    if name.is_empty() {
        // Another path was served than was asked for: there is no telling where its slash would be.
        return not_found(res);
    }
    // RFC 3986 §4.2: what stands before a colon in the first segment would be a scheme.
    let here = if name.contains(':') { "./" } else { "" };
    let (mark, query) = match head.query() {
        Some(query) => ("?", query),
        None => ("", ""),
    };
    res.status(308)
        .field_fmt("Location", format_args!("{here}{name}/{mark}{query}"))
        .empty()
}

fn fail(failure: Failure, res: ResponseWriter<'_>) -> Reply {
    match failure {
        Failure::Missing => not_found(res),
        Failure::Denied => explain(res.status(403), "that file may not be read\n"),
        Failure::Exhausted | Failure::Again => {
            explain(res.status(503), "files can't be opened at the moment\n")
        }
        Failure::Broken => explain(res.status(500), "the file can't be read\n"),
    }
}

fn not_found(res: ResponseWriter<'_>) -> Reply {
    explain(res.status(404), "not found\n")
}
