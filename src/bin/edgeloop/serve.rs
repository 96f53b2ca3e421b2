//! `edgeloop serve`: from settings to a server that has stopped.

use std::fmt::{Display, Write};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt;

use edgeloop::ops::{RecordLimits, Recorder, Writer};
use edgeloop::server::Report;
use edgeloop::server::StartError;
use edgeloop::server::pool::{Pool, PoolLimits};
use edgeloop::sys::process;
use edgeloop::web::Files;
use edgeloop::{Observer, Server, Signals};

use crate::Failure;
use crate::arguments::see_help;
use crate::complain::{self, Complaints};
use crate::settings::Settings;
use crate::stats::{self, Stats};

/// Serves until a signal stops it. Says where it listens on stdout, and on stderr what an operator has to know.
pub(crate) fn serve(settings: &Settings, signals: Signals) -> Result<(), Failure> {
    if let Err(error) = process::raise_descriptors_max() {
        // It serves with those that it has.
        complain::say(&format!("cannot raise the limit of open files: {error}"));
    }
    let files = files(settings)?.with_pool(Pool::new(PoolLimits {
        threads_max: FILE_THREADS,
        ..PoolLimits::default()
    }));
    let complaints = Complaints::default();
    let stats = Stats::new(settings.stats.unwrap_or_default())?;
    let server = bind(&settings.listen)?
        .cores(settings.cores)
        .drain_on(signals);
    // Who records nothing has a server of its own, that is told nothing of what it receives.
    let report = match record(settings)? {
        None => {
            let observer = complaints.clone();
            run(server, &stats, move || (files.clone(), observer.clone()))?
        }
        Some((writer, recorder)) => {
            let observer = (complaints.clone(), recorder);
            // The factory goes with the server, and with it the last recorder.
            let report = run(server, &stats, move || (files.clone(), observer.clone()))?;
            tell(writer)?;
            report
        }
    };
    if let Some(form) = settings.stats {
        stats::tell(form, settings.cores, &report.counters);
    }
    match complaints.untold() {
        0 => {}
        untold => complain::say(&format!("{untold} more troubles were not told one by one")),
    }
    match report.cut {
        0 => {}
        cut => complain::say(&format!("stopped; {cut} connections were cut")),
    }
    Ok(())
}

/// Serves until it is told to stop. Says where it listens as soon as it does.
fn run<O: Observer + Send + Sync>(
    server: Server,
    stats: &Stats,
    make: impl Fn() -> (Files, O) + Send + Sync,
) -> Result<Report, Failure> {
    let asked = stats.clone();
    let serving = server
        .serve_local(move |local| {
            asked.watch_from(local);
            make()
        })
        .map_err(failure)?;
    stats.attach(serving.handle());
    // Clients can connect by now: what they ask is answered as soon as it runs.
    let mut lines = String::new();
    for address in serving.addresses() {
        let _ = writeln!(lines, "listening on {address}"); // a String takes everything
    }
    crate::print(&lines)?;
    serving
        .run()
        .map_err(|error| Failure::Running(format!("cannot go on: {error}")))
}

/// What clients send is written to a file that nobody else may read, and that was not there.
fn record(settings: &Settings) -> Result<Option<(Writer, Recorder)>, Failure> {
    let Some(path) = &settings.record else {
        return Ok(None);
    };
    let told = |why: &dyn Display| {
        let path = path.display();
        Failure::Running(format!("cannot record to '{path}': {why}"))
    };
    let file = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => told(&"it is there already; name a new file"),
            _ => told(&error),
        })?;
    let limits = RecordLimits {
        bytes_max: settings.record_bytes,
        connections_max: settings.record_connections,
        bodies: settings.record_bodies,
        credentials: settings.record_credentials,
        ..RecordLimits::default()
    };
    let started = Writer::start(file, limits);
    started.map(Some).map_err(|error| told(&error))
}

/// Says how much was recorded.
fn tell(writer: Writer) -> Result<(), Failure> {
    let recorded = writer
        .finish()
        .map_err(|error| Failure::Running(error.to_string()))?;
    complain::say(&format!(
        "recorded {} bytes of {} connections, of which {} are not whole",
        recorded.bytes, recorded.connections, recorded.cut
    ));
    Ok(())
}

/// What is served, as it is set.
pub(crate) fn files(settings: &Settings) -> Result<Files, Failure> {
    let mut files = Files::new(&settings.dir).map_err(|error| {
        let dir = settings.dir.display();
        Failure::Running(format!("cannot serve '{dir}': {error}; name a directory"))
    })?;
    files = files.with_index(settings.index.clone()).map_err(unfit)?;
    if settings.dotfiles {
        files = files.with_dotfiles();
    }
    #[cfg(feature = "compress")]
    if settings.compress {
        files = files.with_compression();
    }
    if settings.list {
        files = files.with_listings();
    }
    for path in &settings.mime_types {
        let told = |why: &dyn Display| {
            let path = path.display();
            Failure::Running(format!("cannot take the media types of '{path}': {why}"))
        };
        let table = fs::read_to_string(path).map_err(|error| told(&error))?;
        files = files
            .with_media_types(&table)
            .map_err(|error| told(&error))?;
    }
    for (glob, value) in &settings.cache_control {
        files = files.with_cache_control(glob, value).map_err(unfit)?;
    }
    for (status, path) in &settings.error_pages {
        files = files.with_error_page(*status, path).map_err(unfit)?;
    }
    if let Some(path) = &settings.spa {
        files = files.with_fallback(path).map_err(unfit)?;
    }
    Ok(files)
}

/// Threads that wait for disks, for all cores together. None is started before something is not in memory.
const FILE_THREADS: usize = 4;

/// A value that can be read, but not be meant.
fn unfit(error: impl Display) -> Failure {
    see_help(&error, " serve")
}

fn bind(addresses: &[String]) -> Result<Server, Failure> {
    let (first, more) = addresses
        .split_first()
        .expect("the settings have an address");
    let mut server = Server::bind(first).map_err(failure)?;
    for address in more {
        server = server.and_bind(address).map_err(failure)?;
    }
    Ok(server)
}

fn failure(error: StartError) -> Failure {
    match error {
        StartError::Address(error) => see_help(&error, " serve"),
        StartError::Bind(..) | StartError::Name(_) | StartError::System(..) => {
            Failure::Running(error.to_string())
        }
    }
}
