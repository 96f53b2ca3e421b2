//! Random numbers that are the same in every run, and inputs of the corpus spoiled by them.

use super::corpus;

/// `SplitMix64`: a counter with large steps, its bits mixed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        usize::try_from(bits % end as u64).expect("below a usize")
    }
}

/// What is put in: whatever decides about lines, framing and persistence.
const WORDS: [&[u8]; 24] = [
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b"\t",
    b":",
    b",",
    b"%",
    b"\0",
    b"\xff",
    b"0",
    b";",
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"HTTP/1.0",
    b"Host: b\r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive\r\n",
    b"Content-Length: 2\r\n",
    b"Content-Length: 0\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip\r\n",
    b"Expect: 100-continue\r\n",
    b"2\r\nhi\r\n",
    b"0\r\n\r\n",
];

/// Inputs of the corpus, each of them `rounds` times changed in one to three places.
pub(crate) fn spoiled(random: &mut Random, rounds: usize) -> Vec<Vec<u8>> {
    let mut inputs: Vec<_> = corpus::all().into_iter().map(|case| case.input).collect();
    inputs.retain(|input| (1..2048).contains(&input.len()));
    let mut changed = Vec::new();
    for input in &inputs {
        for _ in 0..rounds {
            let mut input = input.clone();
            for _ in 0..=random.below(3) {
                spoil(random, &mut input);
            }
            changed.push(input);
        }
    }
    changed
}

pub(crate) fn spoil(random: &mut Random, input: &mut Vec<u8>) {
    let at = random.below(input.len() + 1);
    let end = input.len().min(at + random.below(40));
    match random.below(5) {
        0 if at < input.len() => input[at] ^= 1 << random.below(8),
        0 | 1 => input.insert(at, u8::try_from(random.below(256)).expect("a byte")),
        2 => drop(input.drain(at..end)),
        3 => {
            let again = input[at..end].to_vec();
            input.splice(end..end, again);
        }
        _ => {
            let word = WORDS[random.below(WORDS.len())];
            // Most words mean something only where a line begins.
            let lines: Vec<_> = (0..input.len()).filter(|at| input[*at] == b'\n').collect();
            let at = match lines.len() {
                count @ 1.. if random.below(4) > 0 => lines[random.below(count)] + 1,
                _ => at,
            };
            input.splice(at..at, word.iter().copied());
        }
    }
}
