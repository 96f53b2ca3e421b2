//! System calls as strace(1) counts them, if it is installed: also those that the server does not count.

use std::fs;
use std::io;
use std::process::{Command, Stdio};

use super::scratch::Scratch;
use super::server::{PATIENCE, Running, Server, lines};
use crate::Failure;

const MISSING: &str = "strace is not installed; its package has this name";

/// A system call's name, and how often it was made.
pub(crate) type Calls = Vec<(String, u64)>;

/// Counts the calls of a server while `drive` runs, which goes slowly, and until it has stopped: strace ends with it. The inner
/// error says, in words, why there are none.
pub(crate) fn count(
    server: Server,
    scratch: &Scratch,
    drive: impl FnOnce(&Server) -> Result<(), Failure>,
) -> Result<Result<Calls, String>, Failure> {
    let table = scratch.path("strace.table");
    let started = Running::start(
        Command::new("strace")
            .args(["-f", "-c", "-p", &server.id().to_string(), "-o"])
            .arg(&table)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped()),
    );
    let mut strace = match started {
        Ok(strace) => strace,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Err(MISSING.into())),
        Err(error) => return Ok(Err(format!("cannot run strace: {error}"))),
    };
    let said = strace.0.stderr.take().map(lines);
    match said.map(|said| said.recv_timeout(PATIENCE)) {
        Some(Ok(line)) if line.ends_with("attached") => {}
        Some(Ok(line)) => return Ok(Err(line)),
        Some(Err(_)) | None => return Ok(Err("strace says nothing".into())),
    }
    drive(&server)?;
    server.stop()?;
    if !strace.end() {
        return Ok(Err("strace does not end".into()));
    }
    let table = fs::read_to_string(&table).unwrap_or_default();
    let calls = parse(&table);
    Ok(if calls.is_empty() {
        Err("strace has counted nothing".into())
    } else {
        Ok(calls)
    })
}

/// The table of `strace -c`: share of the time, seconds, microseconds a call, calls, errors if there were any, name.
fn parse(table: &str) -> Calls {
    let rows = table.lines().filter_map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        let ([share, _, _, calls, name] | [share, _, _, calls, _, name]) = words[..] else {
            return None;
        };
        share.parse::<f64>().ok()?;
        let row = (name.to_owned(), calls.parse().ok()?);
        (name != "total").then_some(row)
    });
    let mut calls: Calls = rows.collect();
    calls.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    calls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_with_errors_and_without() {
        let table = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 70.00    0.700000          35     20000           sendto
 30.00    0.300000          14     21000         7 recvfrom
------ ----------- ----------- --------- --------- ----------------
100.00    1.000000          24     41000         7 total
";
        let wanted = [("recvfrom".to_owned(), 21_000), ("sendto".into(), 20_000)];
        assert_eq!(parse(table), wanted);
        assert_eq!(parse("strace: no such process"), []);
    }
}
