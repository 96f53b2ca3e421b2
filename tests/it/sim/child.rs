//! Tests that need a process of their own.

use std::process::{Command, ExitStatus, Stdio};

/// Runs one test that is otherwise ignored in this test binary once more: how that ended.
pub(super) fn child(test: &str) -> ExitStatus {
    let mut command = Command::new(std::env::current_exe().expect("it has a path"));
    command.args(["--exact", "--ignored", "--nocapture", test]);
    command.stderr(Stdio::inherit());
    let output = command.output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("running 1 test"), "there is no test {test}");
    output.status
}
