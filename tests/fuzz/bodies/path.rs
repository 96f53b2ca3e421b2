//! From a target to a file: what is found, and that nothing outside of the root is.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::rc::Rc;

use edgeloop::web::Files;
use edgeloop::{Handler, Reply, Request, ResponseWriter};

use super::answers::{Answer, take_final};
use super::choices::Choices;
use super::plain_fields::target_is_sound;
use super::wire::{Folder, Wire};

const FOUND: &[u8] = b"what was put there";
/// What nobody may get: its files lie beside the root, above it, and at paths that begin with its own.
const SECRET: &[u8] = b"a secret";

/// Files below one root, dotfiles among them or not.
struct Site {
    shown: Files,
    hidden: Files,
    shows: bool,
}

struct App(Rc<RefCell<Site>>);

impl Handler for App {
    fn on_request(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
        let site = &mut *self.0.borrow_mut();
        let files = if site.shows {
            &mut site.shown
        } else {
            &mut site.hidden
        };
        files.on_request(req, res)
    }
}

struct Server {
    wire: Wire<App>,
    site: Rc<RefCell<Site>>,
    root: PathBuf,
}

thread_local! {
    static SERVER: RefCell<Server> = RefCell::new(start());
}

fn start() -> Server {
    let folder = Folder::new();
    let root = folder.path().join("root");
    fs::create_dir(&root).expect("a new folder");
    for name in ["secret", "root2", "index.html"] {
        fs::write(folder.path().join(name), SECRET).expect("a new file");
    }
    let files = Files::new(&root).expect("a directory");
    let site = Rc::new(RefCell::new(Site {
        shown: files.clone().with_dotfiles(),
        hidden: files,
        shows: false,
    }));
    let wire = Wire::new(folder, App(site.clone()));
    Server { wire, site, root }
}

/// What a path asks for, as plainly as it can be said.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Malformed,
    Hidden,
    /// These names, one below the other; the last of them is the index of a directory, or has been asked for.
    Names {
        names: Vec<Vec<u8>>,
        is_index: bool,
    },
}

fn ask(path: &str, shows_dotfiles: bool) -> Asked {
    let mut names = Vec::new();
    let mut is_index = true;
    for segment in path.split('/') {
        is_index = matches!(segment, "" | "." | "..");
        match segment {
            "" | "." => {}
            ".." if names.is_empty() => return Asked::Malformed,
            ".." => drop(names.pop()),
            segment => {
                let name = decode(segment);
                let is_name = !name.is_empty() && !name.contains(&b'/') && !name.contains(&0);
                if !is_name || name == b"." || name == b".." {
                    return Asked::Malformed;
                }
                if name[0] == b'.' && name != b".well-known" && !shows_dotfiles {
                    return Asked::Hidden;
                }
                names.push(name);
            }
        }
    }
    if is_index {
        names.push(b"index.html".to_vec());
    }
    Asked::Names { names, is_index }
}

/// Two digits behind each `%` are a byte.
fn decode(segment: &str) -> Vec<u8> {
    let mut parts = segment.split('%');
    let mut name = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at(2);
        name.push(u8::from_str_radix(digits, 16).expect("two digits"));
        name.extend_from_slice(rest.as_bytes());
    }
    name
}

/// Input: a byte for whether dotfiles are served and for what is put there, then a target without its first slash.
///
/// A file is put where the path plainly leads: it is found there. With a directory in its place the client is sent to the
/// same path with a slash, on the same host. Without either there is nothing. No path gets anything from outside.
pub fn path(data: &[u8]) {
    let mut choices = Choices::new(data);
    let (how, target) = (choices.byte(), choices.rest());
    let Ok(target) = core::str::from_utf8(target) else {
        return;
    };
    let target = format!("/{target}");
    if !target_is_sound(target.as_bytes(), true) {
        return;
    }
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let (shows, puts) = (how & 1 != 0, how >> 1 & 3);
    let asked = ask(path, shows);
    SERVER.with_borrow_mut(|server| {
        server.site.borrow_mut().shows = shows;
        // What is hidden is there.
        let there = ask(path, true);
        let put = match &there {
            Asked::Names { names, .. } => server.put(names, puts),
            Asked::Malformed | Asked::Hidden => Put::Nothing,
        };
        let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let got = server.wire.exchange(request.as_bytes());
        if let Asked::Names { names, .. } = &there {
            server.clear(&names[0]);
        }
        let (answer, rest) = take_final(&got, false).expect("an answer");
        assert!(rest.is_empty());
        assert_ne!(answer.body, SECRET, "{target}");
        check(&answer, &asked, put, path, query);
    });
}

#[derive(Clone, Copy, Debug)]
enum Put {
    Nothing,
    File,
    Directory,
}

fn check(answer: &Answer, asked: &Asked, put: Put, path: &str, query: &str) {
    let status = answer.status;
    match (asked, put) {
        (Asked::Malformed, _) => assert_eq!(status, 400, "{path}"),
        (Asked::Hidden, _) | (Asked::Names { .. }, Put::Nothing) => {
            assert_eq!(status, 404, "{path}");
        }
        (Asked::Names { .. }, Put::File) => {
            assert_eq!((status, &answer.body[..]), (200, FOUND), "{path}");
        }
        (Asked::Names { is_index: true, .. }, Put::Directory) => assert_eq!(status, 404, "{path}"),
        (Asked::Names { .. }, Put::Directory) => {
            assert_eq!(status, 308, "{path}");
            let location = answer.field("location").expect("to somewhere");
            let location = core::str::from_utf8(location).expect("ASCII");
            assert_eq!(resolved(path, location), format!("{path}/"), "{location}");
            let theirs = location.split_once('?').map_or("", |(_, query)| query);
            assert_eq!(theirs, query);
        }
    }
}

/// The path that a client goes to, if it stays on this host at all (RFC 3986 §5.2).
fn resolved(base: &str, location: &str) -> String {
    let path = location.split('?').next().unwrap_or_default();
    let first = path.split('/').next().unwrap_or_default();
    assert!(
        !first.is_empty(),
        "it begins with a slash or is empty: {location}"
    );
    assert!(!first.contains(':'), "a scheme: {location}");
    let path = path.strip_prefix("./").unwrap_or(path);
    let begin = base.rfind('/').expect("it begins with one");
    format!("{}/{path}", &base[..begin])
}

impl Server {
    /// Puts a file or a directory below the root, where names that no file can have put nothing.
    fn put(&self, names: &[Vec<u8>], how: u8) -> Put {
        let mut path = self.root.clone();
        path.extend(names.iter().map(|name| OsStr::from_bytes(name)));
        let parent = path.parent().expect("below the root");
        let made = match how {
            0 => return Put::Nothing,
            1 => fs::create_dir_all(&path).map(|()| Put::Directory),
            _ => fs::create_dir_all(parent)
                .and_then(|()| fs::write(&path, FOUND))
                .map(|()| Put::File),
        };
        made.unwrap_or(Put::Nothing)
    }

    fn clear(&self, first: &[u8]) {
        let path = self.root.join(OsStr::from_bytes(first));
        if fs::remove_file(&path).is_err() {
            let _ = fs::remove_dir_all(&path);
        }
    }
}
