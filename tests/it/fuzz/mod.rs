//! The bodies of the fuzz targets, each run a fixed number of times on inputs made from the corpus and a seed.

#[path = "../../fuzz/bodies/mod.rs"]
#[expect(
    unreachable_pub,
    reason = "public for the fuzz targets, which are other crates"
)]
mod bodies;
#[path = "../../fuzz/inputs.rs"]
#[expect(
    unreachable_pub,
    reason = "public for the fuzz targets, which are other crates"
)]
mod inputs;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::http::random::{Random, spoil};

/// Runs a body on its seeds, and then on `runs` inputs made from them.
fn run(name: &str, body: fn(&[u8]), runs: usize) {
    let seeds = inputs::seeds(name);
    for seed in &seeds {
        try_one(name, body, seed);
    }
    let mut random = Random(u64::from_le_bytes(*b"edgeloop"));
    for _ in 0..runs {
        let mut input = seeds[random.below(seeds.len())].clone();
        for _ in 0..=random.below(4) {
            spoil(&mut random, &mut input);
        }
        try_one(name, body, &input);
    }
}

fn try_one(name: &str, body: fn(&[u8]), input: &[u8]) {
    let held = catch_unwind(AssertUnwindSafe(|| body(input))).is_ok();
    assert!(
        held,
        "broken by this line of tests/corpus/fuzz/{name}.txt:\n{}\n",
        inputs::line(input)
    );
}

#[test]
fn heads_are_taken_as_the_plain_reader_and_httparse_take_them() {
    run("head", bodies::head, 200_000);
}

#[test]
fn chunks_are_decoded_as_the_plain_reader_decodes_them() {
    run("chunks", bodies::chunks, 200_000);
}

#[test]
fn connections_answer_what_the_plain_reader_sees_asked_however_they_are_cut() {
    run("connection", bodies::connection, 100_000);
}

#[test]
fn sessions_answer_what_the_plain_reader_sees_asked_however_it_comes() {
    run("session", bodies::session, 20_000);
}

#[test]
fn clients_find_the_answers_that_handlers_give() {
    run("response", bodies::response, 50_000);
}

#[test]
#[cfg(feature = "web")]
fn conditions_and_ranges_select_what_they_plainly_say() {
    run("conditions", bodies::conditions, 50_000);
}

#[test]
#[cfg(feature = "web")]
fn paths_lead_where_they_plainly_lead_and_never_out_of_the_root() {
    run("path", bodies::path, 10_000);
}

#[test]
#[cfg(feature = "web")]
fn forms_have_the_parts_that_they_plainly_have_however_they_are_cut() {
    run("multipart", bodies::multipart, 100_000);
}
