//! Scenes that a server goes through on a thread of its own, and calls that no server makes.

use core::time::Duration;
use std::cell::RefCell;
use std::rc::Rc;

use edgeloop::sys::sim::{Call, Plan, World};
use edgeloop::sys::socket::{self, AcceptError, More};
use edgeloop::sys::{Address, Epoll, Instructions, Interest, process, signal, thread};
use edgeloop::{Reply, Request, ResponseWriter, Server};
use nix::errno::Errno;

use super::client::{Client, Common, Shared};
use super::plots;
use super::run::{Said, connect};
use super::scenes::Fault;
use super::setting::Excuse;

const PATH: &str = "/run/b.sock";

fn number_one(_: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
    res.status(200).text("1")
}

/// At a host's name, pinned, run to its end: what it said if it could not.
pub(super) fn one_core(world: &World, fault: &Fault) -> Said<Option<String>> {
    let serving = Server::bind("localhost:80").and_then(|it| it.pinned().serve_fn(number_one));
    let serving = match serving {
        Ok(serving) => serving,
        Err(error) => return Ok(Some(error.to_string())),
    };
    let common = Rc::new(RefCell::new(Common::default()));
    let clients: Rc<RefCell<Vec<Shared>>> = Rc::default();
    // The last one wakes a loop that was told to stop and could not be woken.
    let late = fault.excused.contains(&Excuse::MailIsLate).then_some(30);
    for millis in [1, 2].into_iter().chain(late) {
        let (common, clients) = (Rc::clone(&common), Rc::clone(&clients));
        world.after(Duration::from_millis(millis), move |world| {
            if let Some(peer) = connect(world, "localhost:80") {
                let client = Client::start(world, &common, peer, plots::fresh());
                clients.borrow_mut().push(client);
            }
        });
    }
    let handle = serving.handle();
    world.after(Duration::from_millis(20), move |_| handle.drain());
    let begun = world.now();
    let ended = serving.run();
    let took = world.now().since(begun);
    world.advance(Duration::from_secs(30));
    let mut failures = std::mem::take(&mut common.borrow_mut().failures);
    for client in clients.borrow().iter().take(2) {
        let client = client.borrow();
        // Who waits while accepting pauses is reset when the server stops.
        let accepting = matches!(
            fault.plan,
            Plan::At {
                call: Call::Accept,
                ..
            }
        );
        let excused = client.is_faulted() || ended.is_err() || accepting;
        if let Some(missing) = client.lacks()
            && !excused
        {
            failures.push(format!(
                "client {} never got {}",
                client.number, missing.what
            ));
        }
    }
    // A loop that was told to stop is awake at once, not when its next deadline comes.
    if took > Duration::from_secs(5) && late.is_none() {
        failures.push(format!("it took {took:?} to stop"));
    }
    if failures.is_empty() {
        Ok(ended.err().map(|error| error.to_string()))
    } else {
        Err(failures)
    }
}

/// A world has one thread, so they can't be had: what the server says of that.
pub(super) fn two_cores(world: &World, fault: &Fault) -> Said<Option<String>> {
    let serving = Server::bind(&format!("unix:{PATH}"));
    let error = match serving.and_then(|it| it.cores(2).serve_fn(number_one)) {
        Ok(serving) => serving.run().err().map(|error| error.to_string()),
        Err(error) => Some(error.to_string()),
    };
    let stays = fault.excused.contains(&Excuse::SocketFileStays);
    if world.socket_file(PATH).is_some() && !stays {
        return Err(vec!["the socket's file is left".to_owned()]);
    }
    match error {
        None => Err(vec!["two cores in a world with one".to_owned()]),
        Some(text) if text.contains("one thread") => Ok(None),
        other => Ok(other),
    }
}

pub(super) fn a_server_with_a_name_runs(world: &World) {
    assert_eq!(one_core(world, &Fault::none()), Ok(None));
}

pub(super) fn two_cores_can_not_be_had(world: &World) {
    assert_eq!(two_cores(world, &Fault::none()), Ok(None));
}

/// A thread that has nothing to do.
struct Idle;

impl thread::Work for Idle {
    fn work(&mut self) -> bool {
        false
    }

    fn rest(&mut self, _: Duration) -> bool {
        false
    }
}

/// A connection to itself, which is there when the call has said so or that it is under way.
fn connects(address: &Address) -> std::io::Result<()> {
    let listener = socket::listen_on(address)?;
    let client = socket::connect(address)?;
    socket::send(&client, b"word", More::No)?;
    let server = match socket::accept(&listener) {
        Ok(server) => server,
        Err(AcceptError::NobodyWaits) => return Err(Errno::EAGAIN.into()),
        Err(AcceptError::OneLost(why) | AcceptError::Exhausted(why) | AcceptError::Broken(why)) => {
            return Err(why);
        }
    };
    let count = socket::recv(&server, &mut [0; 9])?;
    if count == 4 {
        return Ok(());
    }
    Err(std::io::Error::other(format!("{count} bytes came, not 4")))
}

/// A world has no other process, and no counters.
fn not_there(errno: Errno, said: std::io::Result<()>) -> std::io::Result<()> {
    match said {
        Err(error) if error.raw_os_error() == Some(errno as i32) => Ok(()),
        Err(error) => Err(error),
        Ok(()) => Err(std::io::Error::other("nobody is there who could answer")),
    }
}

/// Those that are there for applications and tests.
pub(super) fn single_calls(_: &World, _: &Fault) -> Said<Option<String>> {
    let word = || {
        process::raise_descriptors_max()?;
        let (one, other) = socket::pair()?;
        let epoll = Epoll::new()?;
        epoll.add(&other, Interest::READ, 7)?;
        epoll.delete(&other)?;
        socket::send(&one, b"word", More::No)?;
        let mut bytes = [0; 4];
        socket::recv(&other, &mut bytes)?;
        thread::start("alone", Idle)?.join();
        connects(&"127.0.0.1:82".parse().expect("an address"))?;
        not_there(Errno::ESRCH, signal::terminate(7))?;
        not_there(Errno::ESRCH, signal::urge(7))?;
        not_there(Errno::ENOENT, Instructions::of_thread(7).map(drop))?;
        Ok(bytes)
    };
    let came: std::io::Result<_> = word();
    match came {
        Ok(other) if other != *b"word" => Err(vec![format!("{} came", other.escape_ascii())]),
        Ok(_) => Ok(None),
        Err(error) => Ok(Some(format!("cannot call: {error}"))),
    }
}
