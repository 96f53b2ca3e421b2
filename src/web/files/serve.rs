//! From a request to what is sent, or refused.

use crate::http::{Head, Slots, reparse};
use crate::server::{Reply, ResponseWriter};
use crate::sys::at_hand::Waiting;
use crate::sys::file::Failure;

use super::Files;
use super::accept;
use super::answer::{self, Asking, Refusal, Varies};
use super::coding::Accepted;
use super::disk::Fetched;
use super::listing::{Form, Listing};
use super::media_type;
use super::path::{self, Asked, Refused};
use super::settings::Listings;
use super::tree::{Asker, Found, Representation, Tree};

/// What a file is looked for as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// What has the very name that was asked for.
    Name,
    /// The index of the directory that was asked for.
    Index,
    /// The page that stands for what is missing.
    Fallback,
    /// The page that this is refused with.
    ErrorPage(Refusal),
}

impl Files {
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
            Err(Refused::Hidden) => Err(Refusal::Hidden),
        };
        let reply = match asked {
            Ok(Asked::Name) => self.name(head, res),
            Ok(Asked::Directory) => self.directory(head, res),
            Err(refusal) => self.refuse(head, refusal, res),
        };
        self.tree.let_go();
        reply
    }

    /// Answers with what has the very name that `self.path` is.
    fn name(&mut self, head: &Head<'_>, res: ResponseWriter<'_>) -> Reply {
        let accepted = Accepted::read(head.fields());
        let asker = Asker::of(&res, self.waiting());
        let (tree, settings) = (&mut self.tree, &self.settings);
        match tree.look_up(&self.path, &accepted, settings, &asker) {
            Ok(Found::File(file)) => {
                let asking = Asking::new(head, &accepted, self.pool.as_ref(), &mut self.clock);
                answer::send(file, asking, res)
            }
            Ok(Found::Directory) => self.redirect(head, res),
            Ok(Found::Other) => self.refuse(head, Refusal::Missing, res),
            Ok(Found::Cold) => {
                let paths = vec![self.path.clone()];
                self.fetch(Role::Name, paths, head, res)
            }
            Err(failure) => self.refuse(head, failure.into(), res),
        }
    }

    /// Sends who asked for a directory to its slash.
    fn redirect(&mut self, head: &Head<'_>, res: ResponseWriter<'_>) -> Reply {
        match answer::redirect_to_slash(head, res) {
            Ok(reply) => reply,
            Err(res) => self.refuse(head, Refusal::Missing, res),
        }
    }

    /// Answers with what is in the directory that `self.path` is the path of: the first of its index files that is there.
    fn directory(&mut self, head: &Head<'_>, res: ResponseWriter<'_>) -> Reply {
        let (accepted, waiting) = (Accepted::read(head.fields()), self.waiting());
        let directory = self.path.len();
        for (at, name) in self.settings.index.iter().enumerate() {
            self.path.truncate(directory);
            path::join(&mut self.path, name.as_bytes());
            let asker = Asker::of(&res, waiting);
            let (tree, settings) = (&mut self.tree, &self.settings);
            match tree.look_up(&self.path, &accepted, settings, &asker) {
                Ok(Found::File(file)) => {
                    let asking = Asking::new(head, &accepted, self.pool.as_ref(), &mut self.clock);
                    return answer::send(file, asking, res);
                }
                Ok(Found::Directory | Found::Other) | Err(Failure::Missing) => {}
                Ok(Found::Cold) => {
                    self.path.truncate(directory);
                    let names = self.settings.index[at..].iter();
                    let paths = names.map(|name| {
                        let mut path = self.path.clone();
                        path::join(&mut path, name.as_bytes());
                        path
                    });
                    return self.fetch(Role::Index, paths.collect(), head, res);
                }
                Err(failure) => {
                    self.path.truncate(directory);
                    return self.refuse(head, failure.into(), res);
                }
            }
        }
        self.path.truncate(directory);
        self.without_index(head, res)
    }

    fn without_index(&mut self, head: &Head<'_>, res: ResponseWriter<'_>) -> Reply {
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
            (Tree::Disk(disk), Some(_)) => {
                let job = disk.listing(self.path.clone(), dotfiles);
                self.wait(job, head, res, move |files, listing, head, res| {
                    files.listed(listing, form, head, res)
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
    pub(super) fn refuse(
        &mut self,
        head: &Head<'_>,
        refusal: Refusal,
        res: ResponseWriter<'_>,
    ) -> Reply {
        if self.may_fall_back(refusal)
            && let Some(page) = &self.settings.fallback
            && accept::wants_html(head.fields())
        {
            let (accepted, asker) = (
                Accepted::read(head.fields()),
                Asker::of(&res, self.waiting()),
            );
            let (tree, settings) = (&mut self.tree, &self.settings);
            match tree.look_up(page, &accepted, settings, &asker) {
                Ok(Found::File(page)) => {
                    let asking = Asking::new(head, &accepted, self.pool.as_ref(), &mut self.clock);
                    return answer::send(page, asking.of_many_pages(), res);
                }
                Ok(Found::Cold) => {
                    let paths = vec![page.clone()];
                    return self.fetch(Role::Fallback, paths, head, res);
                }
                Ok(Found::Directory | Found::Other) | Err(_) => {}
            }
        }
        self.refuse_with_page(head, refusal, res)
    }

    fn refuse_with_page(
        &mut self,
        head: &Head<'_>,
        refusal: Refusal,
        mut res: ResponseWriter<'_>,
    ) -> Reply {
        let varies = self.varies(refusal);
        let Some(page) = self.settings.error_page(refusal) else {
            return refusal.explain(varies, res);
        };
        let (accepted, asker) = (
            Accepted::read(head.fields()),
            Asker::of(&res, self.waiting()),
        );
        let (tree, settings) = (&mut self.tree, &self.settings);
        match tree.look_up(page, &accepted, settings, &asker) {
            Ok(Found::File(page)) => {
                let page = page.read_ahead(head, self.pool.as_ref(), &mut res);
                refusal.send(page, varies, res)
            }
            Ok(Found::Cold) => {
                let paths = vec![page.to_vec()];
                self.fetch(Role::ErrorPage(refusal), paths, head, res)
            }
            Ok(Found::Directory | Found::Other) | Err(_) => refusal.explain(varies, res),
        }
    }

    /// Whether the page of an application could stand for what is refused.
    fn may_fall_back(&self, refusal: Refusal) -> bool {
        refusal == Refusal::Missing
            && self.settings.fallback.is_some()
            && !media_type::has_extension(&self.path)
    }

    /// What others could differ in who are not refused.
    fn varies(&self, refusal: Refusal) -> Varies {
        Varies {
            media_type: self.may_fall_back(refusal),
            ..Varies::default()
        }
    }

    /// Whether a look may wait for a disk: not where there are threads to wait.
    fn waiting(&self) -> Waiting {
        match self.pool {
            Some(_) => Waiting::Refused,
            None => Waiting::Allowed,
        }
    }

    /// Has a thread of the pool look for the first of these paths that is a file, and then answers with it.
    #[cold]
    fn fetch(
        &mut self,
        role: Role,
        paths: Vec<Vec<u8>>,
        head: &Head<'_>,
        res: ResponseWriter<'_>,
    ) -> Reply {
        let Tree::Disk(disk) = &self.tree else {
            return Refusal::Broken.explain(Varies::default(), res); // what is in memory is not cold
        };
        let accepted = Accepted::read(head.fields());
        let job = disk.fetching(paths, accepted, self.settings.clone());
        self.wait(job, head, res, move |files, fetched, head, res| {
            files.fetched(role, fetched, head, res)
        })
    }

    fn fetched(
        &mut self,
        role: Role,
        fetched: Result<Fetched, Failure>,
        head: &Head<'_>,
        mut res: ResponseWriter<'_>,
    ) -> Reply {
        let accepted = Accepted::read(head.fields());
        match (role, fetched) {
            (Role::ErrorPage(refusal), Ok(Fetched::File(page))) => {
                let varies = self.varies(refusal);
                let page = Representation::of(&page);
                let page = page.read_ahead(head, self.pool.as_ref(), &mut res);
                refusal.send(page, varies, res)
            }
            (role, Ok(Fetched::File(file))) => {
                let asking = Asking::new(head, &accepted, self.pool.as_ref(), &mut self.clock);
                let asking = match role {
                    Role::Fallback => asking.of_many_pages(),
                    Role::Name | Role::Index | Role::ErrorPage(_) => asking,
                };
                answer::send(Representation::of(&file), asking, res)
            }
            (Role::ErrorPage(refusal), Ok(Fetched::Directory | Fetched::Other) | Err(_)) => {
                refusal.explain(self.varies(refusal), res)
            }
            (Role::Fallback, Ok(Fetched::Directory | Fetched::Other) | Err(_)) => {
                self.refuse_with_page(head, Refusal::Missing, res)
            }
            (Role::Name, Ok(Fetched::Directory)) => self.redirect(head, res),
            (Role::Name, Ok(Fetched::Other)) => self.refuse(head, Refusal::Missing, res),
            (Role::Index, Ok(Fetched::Directory | Fetched::Other) | Err(Failure::Missing)) => {
                self.without_index(head, res)
            }
            (Role::Name | Role::Index, Err(failure)) => self.refuse(head, failure.into(), res),
        }
    }

    /// Has a thread of the pool do what may have to wait, and goes on with what it has come to.
    fn wait<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
        head: &Head<'_>,
        res: ResponseWriter<'_>,
        go_on: impl FnOnce(&mut Files, T, &Head<'_>, ResponseWriter<'_>) -> Reply + 'static,
    ) -> Reply {
        let Some(pool) = &self.pool else {
            return Refusal::Broken.explain(Varies::default(), res); // nobody refuses to wait who has none
        };
        let (mut files, head) = (self.clone(), head.bytes().to_vec());
        pool.run(res, job, move |came, res| {
            let limits = res.limits().http.clone();
            match reparse(&limits, &head, &mut Slots::new()) {
                Some(head) => go_on(&mut files, came, &head, res),
                None => res.status(500).empty(), // a head that was sound is sound
            }
        })
    }
}
