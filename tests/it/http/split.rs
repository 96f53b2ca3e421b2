//! What comes of a connection depends on its bytes, never on how reads cut them.
//!
//! Every input of the corpus is cut at every byte position, and also comes byte by byte. Nothing is left out for length:
//! the longest are 64 KiB.

use super::corpus::{self, Case};
use super::transcript::transcript;

fn check(case: &Case) {
    let whole = transcript([&case.input[..]], case.ending);
    assert_eq!(
        transcript(case.input.chunks(1), case.ending),
        whole,
        "{}: byte by byte",
        case.name
    );
    for at in 1..case.input.len() {
        let (begin, rest) = case.input.split_at(at);
        assert_eq!(
            transcript([begin, rest], case.ending),
            whole,
            "{}: cut at {at}",
            case.name
        );
    }
}

/// One test for each file, so that they run side by side.
macro_rules! themes {
    ($($theme:ident)*) => {
        $(
            #[test]
            fn $theme() {
                corpus::file(concat!(stringify!($theme), ".txt")).iter().for_each(check);
            }
        )*

        #[test]
        fn no_file_is_forgotten() {
            assert_eq!(corpus::names(), [$(concat!(stringify!($theme), ".txt")),*]);
        }
    };
}

themes! {
    answers chunks coding expect host length limits lines methods persistence targets trailers unfinished
}
