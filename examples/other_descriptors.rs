//! Other descriptors on the server's loop: a timerfd that ticks, and the pipe of a child process.
//!
//! `cargo run --example other_descriptors -- [ADDR]`; `/ticks` says how often the timer has ticked, `/words` what a child
//! has printed.
//!
//! The lesson: [`Local::watch`] takes whatever owns a descriptor and calls a function when it is ready, between
//! connections and on their thread. A handler that has to wait for one gives its [`Completer`] to that function.

use std::cell::Cell;
use std::error::Error;
use std::io::{self, Read};
use std::process::{ChildStdout, Command, Stdio};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use edgeloop::server::Watch;
use edgeloop::sys::Interest;
use edgeloop::{Completer, Local, Reply, Request, ResponseWriter, Server, Signals};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

const TICK: Duration = Duration::from_millis(10);

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8080".into());
    let ticks = Rc::new(Cell::new(0));
    let shown = Rc::clone(&ticks);
    let handler = move |req: &Request<'_>, res: ResponseWriter<'_>| match req.path() {
        "/ticks" => res.status(200).text(format!("{}\n", shown.get())),
        "/words" => words(res),
        _ => res.status(404).text("not found\n"),
    };
    let server = Server::bind(&address)?.drain_on(Signals::block()?);
    let mut server = server.event_loop(handler, ())?;
    println!("listening on {}", server.addresses()[0]);

    let timer = TimerFd::new(
        ClockId::CLOCK_MONOTONIC,
        TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC,
    )?;
    let every = Expiration::Interval(TimeSpec::from_duration(TICK));
    timer.set(every, TimerSetTimeFlags::empty())?;
    server
        .local()
        .watch(timer, Interest::READ, move |timer, _| match timer.wait() {
            Ok(()) => {
                ticks.set(ticks.get() + 1);
                Watch::Keep
            }
            Err(_) => Watch::End,
        })?;
    server.run()?;
    Ok(())
}

/// Answers with what a child prints, once it has closed its output.
fn words(res: ResponseWriter<'_>) -> Reply {
    let local = res.local().clone();
    let (completer, reply) = res.defer();
    // If it can't be started the completer is dropped, which answers 500.
    if let Err(error) = start(&local, completer) {
        eprintln!("cannot start a child: {error}");
    }
    reply
}

fn start(local: &Local, completer: Completer) -> io::Result<()> {
    let mut child = Command::new("sh")
        .args(["-c", "printf 'three '; sleep 0.1; echo words"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let pipe = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let (mut printed, mut waiting) = (Vec::new(), Some((child, completer)));
    // Level-triggered, so one read for each call is enough, and it never blocks.
    let on_ready = move |pipe: &mut ChildStdout, _| {
        let mut bytes = [0; 4096];
        if let Ok(count @ 1..) = pipe.read(&mut bytes) {
            printed.extend_from_slice(&bytes[..count]);
            return Watch::Keep;
        }
        let text = std::mem::take(&mut printed);
        if let Some((mut child, completer)) = waiting.take() {
            completer.finish(|res| res.status(200).text(text));
            // It may go on though it has closed its output, and the loop waits for nobody.
            thread::spawn(move || child.wait());
        }
        Watch::End
    };
    local.watch(pipe, Interest::READ, on_ready)?;
    Ok(())
}
