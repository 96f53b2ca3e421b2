//! What tools find of the static probes: the notes in this very binary, which has the whole server in it.

use std::collections::BTreeMap;

use object::Endianness;
use object::elf::FileHeader64;
use object::read::elf::{FileHeader, SectionHeader};

/// Of which name, and how many arguments it has.
const PROBES: [(&str, usize); 8] = [
    ("accept_ready", 1),
    ("encode", 2),
    ("expire", 1),
    ("handle", 2),
    ("parse_head", 2),
    ("recv_ready", 2),
    ("route", 2),
    ("send_ready", 2),
];

/// The probes of edgeloop in a binary, with the numbers of their arguments. A probe that was inlined stands there more than
/// once.
fn notes(binary: &[u8]) -> object::Result<BTreeMap<String, Vec<usize>>> {
    let mut found = BTreeMap::<_, Vec<_>>::new();
    let header = FileHeader64::<Endianness>::parse(binary)?;
    let endian = header.endian()?;
    for section in header.sections(endian, binary)?.iter() {
        let Some(mut notes) = section.notes(endian, binary)? else {
            continue;
        };
        while let Some(note) = notes.next()? {
            if note.name() != b"stapsdt" || note.n_type(endian).0 != 3 {
                continue;
            }
            // Three addresses, of the probe, of a section to relate it to, and of a semaphore; then three strings.
            let words = note.desc()[24..].split(|byte| *byte == 0);
            let words: Vec<_> = words.map(String::from_utf8_lossy).collect();
            assert_ne!(note.desc()[..8], [0; 8], "it is nowhere");
            if words[0] == "edgeloop" {
                let arguments = words[2].split_whitespace().count();
                found
                    .entry(words[1].to_string())
                    .or_default()
                    .push(arguments);
            }
        }
    }
    Ok(found)
}

#[test]
fn each_phase_has_its_probe_where_the_feature_is_on_and_none_where_it_is_not() {
    let path = std::env::current_exe().expect("it runs");
    let binary = std::fs::read(path).expect("it is there");
    let found = notes(&binary).expect("an ELF file");
    let named: Vec<_> = found.keys().map(String::as_str).collect();
    if !cfg!(feature = "usdt") {
        assert!(named.is_empty(), "{named:?}");
        return;
    }
    assert_eq!(named, PROBES.map(|(name, _)| name));
    for (name, arguments) in PROBES {
        assert!(
            found[name].iter().all(|count| *count == arguments),
            "{name}: {:?}",
            found[name]
        );
    }
}
