//! Tests that need a process of their own, because they count what belongs to the process.

use std::process::Command;

/// Runs `body` in a child process that runs nothing but the test of this name.
pub(super) fn alone(test: &str, body: impl FnOnce()) {
    const MARK: &str = "EDGELOOP_TEST_ALONE";
    if std::env::var_os(MARK).is_some() {
        return body();
    }
    let program = std::env::current_exe().expect("this is one");
    let output = Command::new(program)
        .args(["--exact", test, "--test-threads=1", "--nocapture"])
        .env(MARK, "yes")
        .output()
        .expect("it starts");
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{out}\n{err}");
    assert!(out.contains("1 passed"), "no such test: {test}\n{out}");
}

/// The numbers of the descriptors that the process has open.
pub(super) fn descriptors() -> Vec<u64> {
    let entries = std::fs::read_dir("/proc/self/fd").expect("procfs");
    let mut numbers: Vec<_> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            // Not the one that looks.
            let target = std::fs::read_link(entry.path()).ok()?;
            let looks = target.ends_with("fd") && target.starts_with("/proc");
            if looks {
                return None;
            }
            entry.file_name().to_str()?.parse().ok()
        })
        .collect();
    numbers.sort_unstable();
    numbers
}

/// How many threads the process has.
pub(super) fn threads() -> usize {
    std::fs::read_dir("/proc/self/task")
        .expect("procfs")
        .count()
}
