//! What fuzzing begins with, and what it leaves: the corpus, in the form that each body takes.

use crate::http::corpus;

/// The inputs of a body: those of its own file, and what the corpus of connections has for it.
pub fn seeds(name: &str) -> Vec<Vec<u8>> {
    let mut seeds = corpus::fuzz(name);
    let cases = corpus::all().into_iter().map(|case| case.input);
    let inputs = cases.filter(|input| input.len() < 4096);
    match name {
        "head" => seeds.extend(inputs.flat_map(|input| {
            // Within the usual limits, and within narrow ones.
            [[&[0], &input[..]].concat(), [&[1], &input[..]].concat()]
        })),
        "chunks" => seeds.extend(inputs.flat_map(|input| {
            let text = String::from_utf8_lossy(&input).to_lowercase();
            let head = input.windows(4).position(|four| four == b"\r\n\r\n");
            match head {
                Some(head) if text.contains("chunked") => {
                    let body = &input[head + 4..];
                    vec![
                        [b"\0\x01\x03", body].concat(),
                        [b"\x01\x02\x01\x07", body].concat(),
                    ]
                }
                _ => Vec::new(),
            }
        })),
        "connection" => seeds.extend(inputs.flat_map(|input| {
            [
                [b"\0\0\x02\x05\x11", &input[..]].concat(),
                [b"\x01\x01\x01\x07", &input[..]].concat(),
            ]
        })),
        "session" => seeds.extend(inputs.flat_map(|input| {
            [
                [b"\0\x01\x13", &input[..]].concat(),
                [b"\x01\x02\x05\x20", &input[..]].concat(),
            ]
        })),
        _ => {}
    }
    seeds
}

/// An input as a line of the corpus.
pub fn line(input: &[u8]) -> String {
    let escaped = input.iter().map(|byte| match byte {
        b'\r' => r"\r".to_owned(),
        b'\n' => r"\n".to_owned(),
        b'\t' => r"\t".to_owned(),
        b'\\' => r"\\".to_owned(),
        b'}' | b'#' | 0..b' ' | 0x7f.. => format!(r"\x{byte:02x}"),
        byte => char::from(*byte).to_string(),
    });
    escaped.collect()
}
