//! Samples by perf(1), if it is installed: on a software clock, which every machine has.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use super::samples::Samples;
use super::scratch::Scratch;
use super::server::{Running, Server};
use crate::Failure;

/// Samples a second. Not a divisor of a second, so that nothing periodic keeps in step with it.
pub(crate) const RATE: u32 = 997;

/// How much of the stack is taken: enough for all functions of this server, and the release build has no frame pointers.
const STACK: &str = "dwarf,8192";

const MISSING: &str = "perf is not installed; its package is linux-perf or linux-tools";

/// Samples a server while `drive` runs, and stops it: perf ends with what it looks at, and with no signal, for those that
/// end it are blocked here and it inherits that. The inner error says, in words, why there are no samples.
pub(crate) fn sample(
    server: Server,
    scratch: &Scratch,
    drive: impl FnOnce(&Server) -> Result<(), Failure>,
) -> Result<Result<Samples, String>, Failure> {
    let (data, said) = (scratch.path("perf.data"), scratch.path("perf.said"));
    let perf = match record(server.id(), &data, &said) {
        Ok(perf) => perf,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Err(MISSING.into())),
        Err(error) => return Ok(Err(format!("cannot run perf: {error}"))),
    };
    drive(&server)?;
    server.stop()?;
    if !perf.end() {
        return Ok(Err("perf does not end".into()));
    }
    let script = match script(&data) {
        Ok(script) => script,
        Err(error) => return Ok(Err(format!("cannot run perf script: {error}"))),
    };
    let samples = Samples::parse(&script);
    if samples.count() > 0 {
        return Ok(Ok(samples));
    }
    let why = fs::read_to_string(&said).unwrap_or_default();
    let why = why.lines().find(|line| !line.trim().is_empty());
    Ok(Err(match why {
        Some(why) => format!("perf says: {}", why.trim()),
        None => "perf has seen nothing".into(),
    }))
}

fn record(process: u32, data: &Path, said: &Path) -> io::Result<Running> {
    let said = fs::File::create(said)?;
    Running::start(
        Command::new("perf")
            .args(["record", "-q", "-e", "cpu-clock", "--call-graph", STACK])
            .args(["-F", &RATE.to_string(), "-p", &process.to_string(), "-o"])
            .arg(data)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said),
    )
}

fn script(data: &Path) -> io::Result<String> {
    let output = Command::new("perf")
        .args(["script", "--no-inline", "-F", "comm,tid,ip,sym", "-i"])
        .arg(data)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
