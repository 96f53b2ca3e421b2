//! Descriptors and timers of the program's own on the server's loop.

use core::cell::{Cell, RefCell};
use core::time::Duration;
use std::fs::File;
use std::io::{ErrorKind, PipeReader, PipeWriter, Read, Write, pipe};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::mpsc;

use edgeloop::server::{Observer, Trouble, Watch};
use edgeloop::sys::{Interest, Ready};
use edgeloop::{Handler, Local, Reply, Request, ResponseWriter, Server};

use super::super::hand::Hand;
use super::super::running::{mirror, run, take};
use super::super::{ms, patient};

/// Keeps what it is told.
#[derive(Clone, Default)]
struct Told(Rc<RefCell<Vec<String>>>);

impl Observer for Told {
    fn trouble(&mut self, trouble: &Trouble) {
        self.0.borrow_mut().push(trouble.to_string());
    }
}

fn hand() -> (Hand<impl Handler, Told>, Local, Told) {
    let told = Told::default();
    let hand = Hand::new(patient(), mirror, told.clone());
    let local = hand.event_loop.local().clone();
    (hand, local, told)
}

/// Notes in the order of calls, and a function that makes one.
fn notes() -> (Rc<RefCell<Vec<String>>>, impl Fn(&str) + Clone) {
    let notes: Rc<RefCell<Vec<String>>> = Rc::default();
    let to = Rc::clone(&notes);
    (notes, move |note: &str| to.borrow_mut().push(note.into()))
}

/// A watched pipe that notes what it reads, and ends with its writer.
fn read_pipe(local: &Local, note: impl Fn(&str) + 'static) -> PipeWriter {
    let (reader, writer) = pipe().expect("a pipe");
    let watched = local.watch(reader, Interest::READ, move |reader: &mut PipeReader, _| {
        let mut bytes = [0; 16];
        match reader.read(&mut bytes) {
            Ok(0) | Err(_) => {
                note("end");
                Watch::End
            }
            Ok(count) => {
                note(&String::from_utf8_lossy(&bytes[..count]));
                Watch::Keep
            }
        }
    });
    watched.expect("watched");
    writer
}

#[test]
fn a_descriptor_of_ones_own_is_read_beside_connections() {
    let (mut hand, local, _) = hand();
    let (read, note) = notes();
    let mut writer = read_pipe(&local, note);
    let mut client = hand.client();
    for word in ["one", "two"] {
        writer.write_all(word.as_bytes()).expect("room");
        assert_eq!(hand.get(&mut client, "/").text(), "GET / ");
        hand.settle();
    }
    drop(writer);
    hand.settle();
    assert_eq!(*read.borrow(), ["one", "two", "end"]);
}

#[test]
fn an_edge_is_told_once_and_a_level_as_long_as_it_lasts() {
    let (mut hand, local, _) = hand();
    let counts = [Rc::new(Cell::new(0)), Rc::new(Cell::new(0))];
    let mut others = Vec::new();
    for (count, interest) in counts
        .iter()
        .zip([Interest::READ | Interest::EDGE, Interest::READ])
    {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        let count = Rc::clone(count);
        let watched = local.watch(ours, interest, move |_, _| {
            count.set(count.get() + 1);
            if count.get() < 5 {
                Watch::Keep
            } else {
                Watch::End
            }
        });
        watched.expect("watched");
        others.push(theirs);
    }
    for other in &mut others {
        other.write_all(b"x").expect("room");
    }
    hand.settle();
    assert_eq!((counts[0].get(), counts[1].get()), (1, 5));
    others[0].write_all(b"x").expect("room");
    hand.settle();
    assert_eq!(counts[0].get(), 2);
}

#[test]
fn a_function_may_change_what_is_watched_for() {
    let (mut hand, local, _) = hand();
    let (seen, note) = notes();
    let (ours, mut theirs) = UnixStream::pair().expect("a pair");
    let watched = local.watch(
        ours,
        Interest::WRITE,
        move |ours: &mut UnixStream, ready| {
            if ready.contains(Ready::WRITE) {
                note("write");
                return Watch::Change(Interest::READ);
            }
            let mut byte = [0];
            note(&format!("{:?}", ours.read(&mut byte).ok()));
            Watch::End
        },
    );
    watched.expect("watched");
    hand.settle();
    theirs.write_all(b"x").expect("room");
    hand.settle();
    assert_eq!(*seen.borrow(), ["write", "Some(1)"]);
    assert_eq!(theirs.read(&mut [0]).expect("it was dropped"), 0);
}

#[test]
fn what_cannot_be_watched_is_an_error() {
    let (_hand, local, _) = hand();
    let file = File::open("/proc/self/exe").expect("this program");
    let refused = local.watch(file, Interest::READ, |_, _| Watch::End);
    let kind = refused.expect_err("it is always ready").kind();
    assert_eq!(kind, ErrorKind::PermissionDenied);
}

/// A copy of the descriptor lives on, so its events would as well.
#[test]
fn a_watch_that_ends_is_not_told_of_a_duplicate() {
    let (mut hand, local, _) = hand();
    let (ours, mut theirs) = UnixStream::pair().expect("a pair");
    let _copy = ours.try_clone().expect("a copy");
    let ended = Rc::new(Cell::new(false));
    let end = Rc::clone(&ended);
    let watched = local.watch(ours, Interest::READ, move |_, _| {
        end.set(true);
        Watch::End
    });
    let watched = watched.expect("watched");
    theirs.write_all(b"x").expect("room");
    hand.settle(); // it would never be, if the copy were still watched
    assert!(ended.get());
    assert!(!local.cancel(watched), "it has ended");
}

#[test]
fn timers_come_in_their_order_and_may_be_cancelled() {
    let (mut hand, local, _) = hand();
    let (called, note) = notes();
    let timer = |time: u64, name: &'static str| {
        let note = note.clone();
        local.after(ms(time), move || note(name))
    };
    let late = timer(30, "late");
    timer(10, "second");
    timer(0, "first");
    let never = timer(20, "never");
    assert!(hand.event_loop.next_deadline() < Some(ms(1)));
    assert!(local.cancel(never) && !local.cancel(never));
    hand.until("the last one", |_| called.borrow().len() == 3);
    assert_eq!(*called.borrow(), ["first", "second", "late"]);
    assert!(!local.cancel(late), "it was called");
}

#[test]
fn a_timer_that_repeats_ends_when_it_is_cancelled_by_itself_or_others() {
    let (mut hand, local, _) = hand();
    let count = Rc::new(Cell::new(0));
    let (counts, cancels) = (Rc::clone(&count), local.clone());
    let id = Rc::new(Cell::new(None));
    let own = Rc::clone(&id);
    let by_itself = local.every(Duration::ZERO, move || {
        counts.set(counts.get() + 1);
        if counts.get() == 3 {
            assert!(cancels.cancel(own.get().expect("set before the first turn")));
        }
    });
    id.set(Some(by_itself));
    let other = local.every(ms(1), || ());
    hand.until("three times", |_| count.get() == 3);
    assert!(!local.cancel(by_itself) && local.cancel(other));
    hand.settle();
    assert_eq!((count.get(), hand.event_loop.next_deadline()), (3, None));
}

/// Functions may use the loop that calls them.
#[test]
fn functions_start_and_end_others() {
    let (mut hand, local, _) = hand();
    let (called, note) = notes();
    let (reader, mut writer) = pipe().expect("a pipe");
    let (again, note_again) = (local.clone(), note.clone());
    let victim = local.after(Duration::from_secs(60), || panic!("it was cancelled"));
    let watched = local.watch(reader, Interest::READ, move |_, _| {
        assert!(again.cancel(victim));
        let (inner, note) = (again.clone(), note_again.clone());
        again.after(Duration::ZERO, move || {
            let note = note.clone();
            let writer = read_pipe(&inner, note);
            (&writer).write_all(b"from within").expect("room");
        });
        Watch::End
    });
    watched.expect("watched");
    writer.write_all(b"go").expect("room");
    hand.until("all of it", |_| called.borrow().len() == 2);
    assert_eq!(*called.borrow(), ["from within", "end"]);
}

#[test]
fn a_panic_costs_that_function_only_and_is_told() {
    let (mut hand, local, told) = hand();
    let (mut writers, kept) = (Vec::new(), Rc::new(()));
    for panics in [true, false] {
        let (reader, writer) = pipe().expect("a pipe");
        let kept = Rc::clone(&kept);
        let watched = local.watch(reader, Interest::READ, move |reader: &mut PipeReader, _| {
            drop(Rc::clone(&kept));
            assert!(!panics, "a panic that belongs to a test");
            reader.read_exact(&mut [0]).expect("a byte");
            Watch::Keep
        });
        watched.expect("watched");
        writers.push(writer);
    }
    local.after(Duration::ZERO, || panic!("a panic that belongs to a test"));
    let once = Rc::new(Cell::new(0));
    let counts = Rc::clone(&once);
    local.every(ms(1), move || {
        counts.set(counts.get() + 1);
        panic!("a panic that belongs to a test")
    });
    for _ in 0..3 {
        for writer in &mut writers {
            let _ = writer.write_all(b"x"); // the first one's reader goes
        }
        hand.settle();
    }
    hand.until("three panics", |_| told.0.borrow().len() == 3);
    hand.settle();
    assert_eq!((once.get(), Rc::strong_count(&kept)), (1, 2));
    assert!(told.0.borrow().iter().all(|it| it.contains("panicked")));
    let mut client = hand.client();
    assert_eq!(hand.get(&mut client, "/").status, 200);
}

#[test]
fn a_loop_that_goes_takes_its_functions_with_it_also_those_that_hold_it() {
    let (hand, local, _) = hand();
    let kept = Rc::new(());
    let (reader, writer) = pipe().expect("a pipe");
    let both = || (local.clone(), Rc::clone(&kept));
    let held = both();
    local
        .watch(reader, Interest::READ, move |_, _| {
            let _held = &held;
            Watch::Keep
        })
        .expect("watched");
    let held = both();
    local.after(Duration::from_secs(60), move || drop(held));
    let held = both();
    local.every(Duration::from_secs(60), move || drop(held.clone()));
    let held = both();
    let sender = local.mailbox(move |(): ()| drop(held.clone()));
    assert_eq!(Rc::strong_count(&kept), 5);
    drop(hand);
    assert_eq!(Rc::strong_count(&kept), 1);
    (&writer).write_all(b"x").expect_err("its reader is gone");
    sender.send(()).expect_err("nobody is there");
    // Nothing is taken any more.
    let (reader, _writer) = pipe().expect("a pipe");
    assert!(
        local
            .watch(reader, Interest::READ, |_, _| Watch::End)
            .is_err()
    );
    let held = both();
    let id = local.after(Duration::ZERO, move || drop(held));
    assert!(!local.cancel(id));
    let held = both();
    let _sender = local.mailbox(move |(): ()| drop(held.clone()));
    assert_eq!(Rc::strong_count(&kept), 1);
}

#[test]
fn a_handler_answers_from_a_timer_or_a_pipe() {
    fn answer(req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
        let local = res.local().clone();
        let (completer, reply) = res.defer();
        if req.path() == "/timer" {
            local.after(ms(5), move || {
                completer.finish(|res| res.status(200).text("from a timer"));
            });
            return reply;
        }
        let (reader, mut writer) = pipe().expect("a pipe");
        std::thread::spawn(move || writer.write_all(b"from a pipe").expect("it is read"));
        let mut completer = Some(completer);
        let watched = local.watch(reader, Interest::READ, move |reader: &mut PipeReader, _| {
            let mut text = String::new();
            reader.read_to_string(&mut text).expect("it is closed");
            if let Some(completer) = completer.take() {
                completer.finish(move |res| res.status(200).text(text));
            }
            Watch::End
        });
        watched.expect("watched");
        reply
    }
    let server = super::super::running::serve(patient(), answer);
    let (mut one, mut other) = (server.client(), server.client());
    for _ in 0..3 {
        one.ask("/timer");
        other.ask("/pipe");
        assert_eq!(one.answer().text(), "from a timer");
        assert_eq!(other.answer().text(), "from a pipe");
    }
}

#[test]
fn each_core_has_a_loop_of_its_own() {
    let (to, cores) = mpsc::channel();
    let server = Server::bind("127.0.0.1:0").expect("a free port");
    let serving = server
        .limits(patient())
        .cores(3)
        .serve_local(move |local| {
            let (to, core) = (to.clone(), local.core());
            let thread = std::thread::current().id();
            local.after(ms(1), move || {
                assert_eq!(std::thread::current().id(), thread);
                to.send(core).expect("the test waits");
            });
            (mirror, ())
        })
        .expect("listens");
    let handle = serving.handle();
    let thread = std::thread::spawn(move || serving.run());
    let mut seen = [take(&cores), take(&cores), take(&cores)];
    seen.sort_unstable();
    assert_eq!(seen, [0, 1, 2]);
    handle.stop();
    thread.join().expect("no panic").expect("no error");
    // The other way to make handlers counts the same.
    let (to, cores) = mpsc::channel();
    let server = Server::bind("127.0.0.1:0").expect("a free port").cores(2);
    let running = run(server, move |core| {
        to.send(core).expect("the test waits");
        mirror
    });
    assert_eq!(take(&cores) + take(&cores), 1);
    drop(running);
}
