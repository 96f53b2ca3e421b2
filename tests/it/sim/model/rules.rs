//! The rules, each as a script with what the kernel says.

mod edges;
mod ends;
mod full;
mod listeners;
mod nested;
mod notices;
mod others;
mod resets;

use super::ops::Op;
use super::{compare, on_one_processor, side_by_side};

/// What it is, the steps, and what is observed at each.
type Rule = (&'static str, &'static [(Op, &'static str)]);

#[test]
fn both_kernels_say_what_the_rules_say() {
    on_one_processor(run_all);
}

fn run_all() {
    let mut faults = Vec::new();
    let all = [
        edges::RULES,
        nested::RULES,
        ends::RULES,
        resets::RULES,
        full::RULES,
        listeners::RULES,
        notices::RULES,
        others::RULES,
    ];
    for (name, rule) in all.concat() {
        let script: Vec<Op> = rule.iter().map(|(op, _)| *op).collect();
        let wanted: Vec<&str> = rule.iter().map(|(_, said)| *said).collect();
        match compare(&script) {
            Ok(said) if said == wanted => {}
            Ok(said) => faults.push(format!(
                "{name}: what the rule says, and what both kernels say{}",
                side_by_side(&script, &wanted, &said)
            )),
            Err(fault) => faults.push(format!("{name}: {fault}")),
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n\n"));
}
