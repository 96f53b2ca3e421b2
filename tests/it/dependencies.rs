//! What the engine is built from, as cargo sees it: four crates, few more behind them, none that writes code at compile
//! time, and no C.

use std::collections::BTreeSet;
use std::process::Command;

const TARGET: &str = "x86_64-unknown-linux-gnu";

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Crate {
    name: String,
    version: String,
    is_proc_macro: bool,
}

/// The crates that the engine is built from, as deep as `depth`. Build scripts and what they use count.
fn engine(depth: &str) -> BTreeSet<Crate> {
    let tree = cargo(&[
        "tree",
        "--no-default-features",
        "--target",
        TARGET,
        "--edges",
        "normal,build",
        "--depth",
        depth,
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]);
    let crates = tree.lines().filter_map(|line| {
        let (name, rest) = line.split_once(" v")?;
        Some(Crate {
            name: name.to_owned(),
            version: rest.split(' ').next()?.to_owned(),
            is_proc_macro: rest.contains("(proc-macro)"),
        })
    });
    crates.filter(|it| it.name != "edgeloop").collect()
}

fn cargo(words: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(words)
        .args(["--locked", "--offline"])
        .output()
        .expect("cargo runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {words:?}: {said}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn the_engine_has_four_direct_dependencies() {
    let direct: Vec<String> = engine("1").into_iter().map(|it| it.name).collect();
    assert_eq!(direct, ["httparse", "libc", "nix", "slab"]);
}

#[test]
fn the_engine_is_built_from_few_crates_of_plain_rust() {
    let all = engine("99");
    assert!((4..=10).contains(&all.len()), "{all:#?}");
    let metadata = cargo(&[
        "metadata",
        "--format-version=1",
        "--filter-platform",
        TARGET,
    ]);
    for Crate {
        name,
        version,
        is_proc_macro,
    } in &all
    {
        assert!(!is_proc_macro, "{name} is a proc-macro");
        let builds_c = ["cc", "cmake", "pkg-config", "bindgen", "vcpkg"].contains(&name.as_str());
        assert!(!builds_c, "{name} builds or finds C");
        // The keys of a package always come in this order, and `id` only follows `version` in a package.
        let begin = format!(r#"{{"name":"{name}","version":"{version}","id":"#);
        let (_, package) = metadata.split_once(&begin).expect("cargo knows it");
        let (_, links) = package.split_once(r#""links":"#).expect("a key of each");
        assert!(links.starts_with("null"), "{name} links to C");
    }
}
