//! What the corpus says is what happens.

use super::corpus::{self, Case};
use super::transcript::transcript;

/// Compares one case with what comes of its input when all of it comes at once.
fn check(case: &Case) -> Result<(), String> {
    let got = transcript([&case.input[..]], case.ending);
    let end = got.end.map_or("open".to_owned(), |end| format!("{end:?}"));
    if got.output == case.output && end == case.end {
        return Ok(());
    }
    Err(format!(
        "{}\n  wanted {} = {}\n  got    {} = {end}\n",
        case.name,
        case.output.escape_ascii(),
        case.end,
        got.output.escape_ascii(),
    ))
}

#[test]
fn every_input_gets_its_answer() {
    let faults: String = corpus::all()
        .iter()
        .filter_map(|case| check(case).err())
        .collect();
    assert!(faults.is_empty(), "\n{faults}");
}

#[test]
fn no_two_cases_have_one_name() {
    let mut names: Vec<_> = corpus::all().into_iter().map(|case| case.name).collect();
    names.sort();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(count >= 200, "{count} cases");
}
