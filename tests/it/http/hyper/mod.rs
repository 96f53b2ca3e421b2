//! hyper reads the same bytes and must come to the same: which requests there are, where each one ends, what is in it,
//! and whether the connection goes on. What is different on purpose stands in one table with its reason.

mod compare;
mod grammar;
mod known;
mod seen;
mod theirs;
mod words;

use super::corpus;
use super::random::{Random, spoiled};
use compare::compare;
use grammar::Grammar;
use known::KNOWN;
use seen::ours;
use theirs::theirs;

/// All inputs of the corpus, many spoiled ones, and series of requests with few or many odd things in them.
fn inputs() -> Vec<Vec<u8>> {
    let mut inputs: Vec<_> = corpus::all().into_iter().map(|case| case.input).collect();
    inputs.extend(spoiled(&mut Random(3), 20));
    for (seed, odd) in [(4, 0), (5, 100), (6, 25)] {
        let random = Random(seed);
        let mut grammar = Grammar { random, odd };
        inputs.extend((0..10_000).map(|_| grammar.series().bytes));
    }
    inputs
}

/// Figures are shown by `cargo test http::hyper -- --nocapture`.
#[test]
fn hyper_agrees_but_for_the_known_differences() {
    let mut counts = vec![0; KNOWN.len()];
    let (mut all, mut agreed, mut refused, mut both) = (0, 0, 0, 0);
    for input in inputs() {
        let (ours, theirs) = (ours(&input), theirs(&input));
        let compared = compare(&ours, &theirs);
        let text = input.escape_ascii();
        for it in &compared.differences {
            let at = KNOWN.iter().position(|known| known.is(it));
            let at = at.unwrap_or_else(|| {
                panic!("{:?}\nours: {ours:?}\ntheirs: {theirs:?}\n{text}", it.part)
            });
            counts[at] += 1;
        }
        for (one, other) in ours.requests.iter().zip(&theirs.requests) {
            if let Some(known) = KNOWN.iter().find(|known| known.forbids(one, other)) {
                panic!("taken all the same: {}\n{text}", known.name);
            }
        }
        all += 1;
        if compared.differences.is_empty() {
            agreed += 1;
            refused += usize::from(ours.refused.is_some());
        }
        both += compared.both;
    }
    println!(
        "{all} inputs, and the same of {agreed}, {refused} of them refused by both; {both} requests that both took"
    );
    for (known, count) in KNOWN.iter().zip(&counts) {
        println!("{count:6}  {}\n        {}", known.name, known.reason);
    }
    assert!(agreed > 30_000 && refused > 3000 && both > 30_000);
    // What does not happen any more is not to stay in the table.
    for (known, count) in KNOWN.iter().zip(&counts) {
        assert!(*count > 0, "never: {}", known.name);
    }
}

#[test]
fn both_take_what_the_grammar_allows_as_it_was_meant() {
    let mut grammar = Grammar {
        random: Random(7),
        odd: 0,
    };
    for _ in 0..10_000 {
        let series = grammar.series();
        let (ours, theirs) = (ours(&series.bytes), theirs(&series.bytes));
        let text = series.bytes.escape_ascii();
        for (name, seen) in [("ours", ours), ("hyper", theirs)] {
            assert!(seen.refused.is_none(), "{name}: {:?}: {text}", seen.refused);
            assert_eq!(seen.requests.len(), series.meant.len(), "{name}: {text}");
            for (request, meant) in seen.requests.iter().zip(&series.meant) {
                assert_eq!(request.method, meant.method, "{name}: {text}");
                assert_eq!(request.framing, meant.framing, "{name}: {text}");
                assert_eq!(request.body, meant.body, "{name}: {text}");
                assert!(request.whole, "{name}: {text}");
            }
        }
    }
}
