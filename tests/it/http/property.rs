//! What holds for any bytes, tried on many spoiled ones.

use super::corpus::Ending;
use super::random::{Random, spoiled};
use super::transcript::transcript;

#[test]
fn spoiled_inputs_never_panic_and_get_one_answer_however_they_are_cut() {
    let mut random = Random(1);
    for input in spoiled(&mut random, 40) {
        let ending = [Ending::Fin, Ending::Deadline][random.below(2)];
        let whole = transcript([&input[..]], ending);
        let bytewise = transcript(input.chunks(1), ending);
        assert_eq!(bytewise, whole, "{}: byte by byte", input.escape_ascii());
        for _ in 0..3 {
            let pieces = cut(&mut random, &input);
            let lengths: Vec<_> = pieces.iter().map(|piece| piece.len()).collect();
            let got = transcript(pieces, ending);
            assert_eq!(got, whole, "{}: cut as {lengths:?}", input.escape_ascii());
        }
    }
}

/// Two to nine pieces, some of them empty.
fn cut<'i>(random: &mut Random, input: &'i [u8]) -> Vec<&'i [u8]> {
    let mut ends: Vec<_> = (0..=random.below(8))
        .map(|_| random.below(input.len() + 1))
        .collect();
    ends.push(input.len());
    ends.sort_unstable();
    let mut begin = 0;
    ends.into_iter()
        .map(|end| &input[std::mem::replace(&mut begin, end)..end])
        .collect()
}
