//! Writes what a fuzz target begins with: `seeds NAME FOLDER`, a file for each input.

use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let mut words = std::env::args().skip(1);
    let (Some(name), Some(folder)) = (words.next(), words.next()) else {
        eprintln!("usage: seeds NAME FOLDER");
        std::process::exit(2);
    };
    let folder = PathBuf::from(folder);
    std::fs::create_dir_all(&folder)?;
    for (number, input) in edgeloop_fuzz::inputs::seeds(&name).iter().enumerate() {
        std::fs::write(folder.join(format!("seed-{number:04}")), input)?;
    }
    Ok(())
}
