//! Static files, end to end: requests as bytes over a socket, files in a directory of the test's own.

mod changes;
mod codings;
mod cold;
#[cfg(feature = "compress")]
mod compress;
mod conditions;
mod fresh;
mod listing;
mod memory;
mod paths;
mod races;
mod ranges;
mod safety;
mod settings;
mod turns;
mod whole;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, UNIX_EPOCH};

use edgeloop::server::pool::{Pool, PoolLimits};
use edgeloop::sys::Address;
use edgeloop::web::Files;
use edgeloop::{Handle, Handler, Server};

/// Sun, 06 Nov 1994 08:49:37 GMT: when every file of a [`Site`] was changed.
const MODIFIED: Duration = Duration::from_secs(784_111_777);
const MODIFIED_TEXT: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

/// A directory with a server for it, both gone when dropped.
struct Site {
    root: PathBuf,
    address: SocketAddr,
    handle: Handle,
    server: Option<JoinHandle<()>>,
    /// Servers of the same files that have to answer the same: without a cache, and with a pool that waits for disks.
    ways: Vec<Site>,
}

impl Site {
    fn new(files: &[(&str, &[u8])]) -> Site {
        let root = directory(files);
        let handler = Files::new(&root).expect("a directory");
        Site::serve_files(root, handler)
    }

    /// Serves files in every way: whoever [asks](Site::ask) asks all of them.
    fn serve_files(root: PathBuf, files: Files) -> Site {
        let pool = Pool::new(PoolLimits::default());
        let ways = [
            files.clone().without_cache(),
            files.clone().with_pool(pool.clone()),
            files.clone().without_cache().with_pool(pool),
        ];
        let ways = ways.map(|files| Site::serve(directory(&[]), files));
        let mut site = Site::serve(root, files);
        site.ways = ways.into();
        site
    }

    fn serve(root: PathBuf, handler: impl Handler + Clone + Send + Sync + 'static) -> Site {
        let server = Server::bind("127.0.0.1:0").expect("a free port");
        let serving = server.serve_fn(handler).expect("listens");
        let handle = serving.handle();
        let Address::Ip(address) = serving.addresses()[0] else {
            panic!("an IP address")
        };
        let server = std::thread::spawn(move || {
            serving.run().expect("runs");
        });
        Site {
            root,
            address,
            handle,
            server: Some(server),
            ways: Vec::new(),
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("listens");
        let most = Some(Duration::from_secs(20));
        stream.set_read_timeout(most).expect("not zero");
        stream
    }

    /// Asks twice, so that the second answer is of what is remembered, and in every other way: all answers are the same.
    fn ask(&self, line: &str, fields: &[&str]) -> Answer {
        let answer = self.ask_once(line, fields);
        if !self.ways.is_empty() {
            let again = std::iter::once(self).chain(&self.ways);
            for (way, site) in again.enumerate() {
                let other = site.ask_once(line, fields);
                assert_eq!(other.but_for_date(), answer.but_for_date(), "{line} {way}");
            }
        }
        answer
    }

    fn ask_once(&self, line: &str, fields: &[&str]) -> Answer {
        let mut stream = self.connect();
        let head = head(line, &[fields, &["Connection: close"]].concat());
        stream.write_all(head.as_bytes()).expect("connected");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("an answer");
        Answer::parse(&bytes)
    }

    fn check(&self, line: &str, fields: &[&str], status: u16) -> Answer {
        let answer = self.ask(line, fields);
        assert_eq!(answer.status, status, "{line} {fields:?}");
        answer
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.handle.stop();
        let ended = self.server.take().map(JoinHandle::join);
        let _ = fs::remove_dir_all(&self.root);
        if !std::thread::panicking() {
            ended.expect("was started").expect("did not panic");
        }
    }
}

fn directory(files: &[(&str, &[u8])]) -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("edgeloop-files-{}-{number}", std::process::id());
    let root = std::env::temp_dir().join(name);
    fs::create_dir(&root).expect("a new directory");
    for (name, content) in files {
        write(&root.join(name), content);
    }
    root
}

fn write(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().expect("below the root")).expect("a directory");
    fs::write(path, content).expect("a file");
    let file = File::options().write(true).open(path).expect("is there");
    file.set_modified(UNIX_EPOCH + MODIFIED).expect("ours");
}

fn head(line: &str, fields: &[&str]) -> String {
    let line = format!("{line} HTTP/1.1");
    [&[&line, "Host: a"], fields, &["\r\n"]]
        .concat()
        .join("\r\n")
}

/// An answer that ended with its connection.
#[derive(Debug)]
struct Answer {
    status: u16,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Answer {
        let mut slots = [httparse::EMPTY_HEADER; 32];
        let mut response = httparse::Response::new(&mut slots);
        let parsed = response.parse(bytes).expect("HTTP");
        let httparse::Status::Complete(used) = parsed else {
            panic!("a whole head: {:?}", String::from_utf8_lossy(bytes))
        };
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        Answer {
            status: response.code.expect("a status"),
            fields: response
                .headers
                .iter()
                .map(|field| (field.name.to_ascii_lowercase(), text(field.value)))
                .collect(),
            body: bytes[used..].to_vec(),
        }
    }

    fn but_for_date(&self) -> (u16, Vec<&(String, String)>, String) {
        let fields = self.fields.iter().filter(|(name, _)| name != "date");
        let body = self.body.escape_ascii().take(2000).collect::<Vec<_>>();
        let body = format!(
            "{} bytes, {}",
            self.body.len(),
            String::from_utf8_lossy(&body)
        );
        (self.status, fields.collect(), body)
    }

    fn field(&self, name: &str) -> Option<&str> {
        let mut values = self.fields.iter().filter(|(each, _)| each == name);
        let value = values.next().map(|(_, value)| value.as_str());
        assert_eq!(values.next(), None, "{name} once");
        value
    }
}

/// Takes the answer that `bytes` begin with, once it is whole. It has a Content-Length.
fn take_answer(bytes: &mut Vec<u8>) -> Option<Answer> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let mut answer = Answer::parse(&bytes[..head]);
    let length: usize = answer.field("content-length")?.parse().expect("a length");
    if bytes.len() < head + length {
        return None;
    }
    answer.body = bytes[head..head + length].to_vec();
    bytes.drain(..head + length);
    Some(answer)
}

fn noise(length: usize) -> Vec<u8> {
    let mut state = 1u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}
