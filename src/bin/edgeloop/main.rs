//! The edgeloop program.

fn main() {}
