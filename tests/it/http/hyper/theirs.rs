//! How hyper reads the bytes of one connection: in memory, polled by hand, without a runtime.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::num::NonZeroU64;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use edgeloop::http::{Body, Limits, Version};
use hyper::body::{Body as _, Incoming};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Response};

use super::seen::{Fault, Field, Request, STATUS, Seen, continued, sorted};

/// What hyper makes of the bytes, given as fast as it reads them. Its limits on heads are ours.
pub(super) fn theirs(input: &[u8]) -> Seen {
    let (requests, output) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
    let limits = Limits::default();
    let service = service_fn(|request| serve(request, &requests));
    let memory = Memory {
        input,
        output: &output,
    };
    let connection = http1::Builder::new()
        .half_close(true)
        .header_read_timeout(None)
        .max_headers(limits.fields_max)
        // It counts the empty lines before a head.
        .max_header_size(limits.head_bytes_max + 16)
        .serve_connection(memory, service);
    let ended = run(connection);
    let mut requests: Vec<Request> = requests.take();
    continued(&output.borrow(), &mut requests);
    let unfinished = requests.last().is_some_and(|request| !request.whole);
    Seen {
        requests,
        ended: false,
        rest: Vec::new(),
        refused: match ended {
            Err(error) => Some(Fault::Theirs(error.to_string())),
            Ok(()) if unfinished => Some(Fault::Theirs("a bad body".to_owned())),
            Ok(()) => None,
        },
    }
}

/// Writes down a request and its body while it comes, and answers.
async fn serve(
    request: hyper::Request<Incoming>,
    requests: &RefCell<Vec<Request>>,
) -> Result<Response<String>, Infallible> {
    let (head, mut body) = request.into_parts();
    // A path that is not there reads as `/`; an authority form has none.
    let path = match head.uri.path_and_query() {
        None if head.uri.scheme().is_none() => "",
        _ => head.uri.path(),
    };
    requests.borrow_mut().push(Request {
        head: Vec::new(),
        method: head.method.as_str().to_owned(),
        version: match head.version {
            hyper::Version::HTTP_10 => Version::Http10,
            hyper::Version::HTTP_11 => Version::Http11,
            other => panic!("{other:?}"),
        },
        authority: head.uri.authority().map(|it| it.as_str().to_owned()),
        path: path.to_owned(),
        query: head.uri.query().map(str::to_owned),
        fields: fields(&head.headers),
        framing: match body.size_hint().exact() {
            Some(length) => NonZeroU64::new(length).map_or(Body::None, Body::Length),
            None => Body::Chunked,
        },
        body: Vec::new(),
        trailers: Vec::new(),
        continued: false,
        whole: false,
    });
    loop {
        let frame = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        let mut requests = requests.borrow_mut();
        let request = requests.last_mut().expect("the one that came in");
        match frame {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => request.body.extend_from_slice(&data),
                Err(frame) => {
                    let trailers = frame.into_trailers().expect("data or trailers");
                    request.trailers = fields(&trailers);
                }
            },
            Some(Err(_)) => break,
            None => {
                request.whole = true;
                break;
            }
        }
    }
    let answer = Response::builder().status(STATUS).body(String::new());
    Ok(answer.expect("a valid answer"))
}

fn fields(map: &HeaderMap) -> Vec<Field> {
    sorted(
        map.iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes())),
    )
}

/// A client that has sent everything and takes everything.
struct Memory<'m> {
    input: &'m [u8],
    output: &'m RefCell<Vec<u8>>,
}

impl Read for Memory<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let (now, later) = self.input.split_at(self.input.len().min(into.remaining()));
        into.put_slice(now);
        self.input = later;
        Poll::Ready(Ok(()))
    }
}

impl Write for Memory<'_> {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.output.borrow_mut().extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Remembers that somebody called.
struct Called(AtomicBool);

impl Wake for Called {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Polls until it is done. Memory is always ready, so whoever waits has to be woken by itself.
fn run<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let called = Arc::new(Called(AtomicBool::new(true)));
    let waker = Waker::from(Arc::clone(&called));
    let mut context = Context::from_waker(&waker);
    while called.0.swap(false, Ordering::Relaxed) {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
    panic!("it waits for nobody");
}
