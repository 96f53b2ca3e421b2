//! Between the corpus and libFuzzer's files: `seeds TARGET FOLDER` writes what a target begins with, a file for each input;
//! `seeds line FILE` prints what it has found as a line for `tests/corpus/fuzz/TARGET.txt`.

use std::fs;
use std::path::PathBuf;

use edgeloop_fuzz::inputs::{line, seeds};

fn main() -> std::io::Result<()> {
    let mut words = std::env::args().skip(1);
    let (Some(word), Some(path)) = (words.next(), words.next()) else {
        eprintln!("usage: seeds TARGET FOLDER, or seeds line FILE");
        std::process::exit(2);
    };
    let path = PathBuf::from(path);
    if word == "line" {
        println!("{}", line(&fs::read(path)?));
        return Ok(());
    }
    fs::create_dir_all(&path)?;
    for (number, input) in seeds(&word).iter().enumerate() {
        fs::write(path.join(format!("seed-{number:04}")), input)?;
    }
    Ok(())
}
