//! The names in a directory.

use std::io;

use nix::errno::Errno;

use super::Fd;

/// Names as a directory has them: in no order that means anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Without `.` and `..`.
    pub names: Vec<Vec<u8>>,
    /// There are more than were asked for.
    pub is_cut: bool,
}

impl Names {
    /// Takes one more name, unless there are `most`: whether there was room.
    pub(super) fn take(&mut self, name: &[u8], most: usize) -> bool {
        if matches!(name, b"." | b"..") {
            return true;
        }
        self.is_cut = self.names.len() == most;
        if !self.is_cut {
            self.names.push(name.to_vec());
        }
        !self.is_cut
    }
}

/// The numbers in front of a name: inode, offset, length and type (getdents64(2)).
const NAME_AT: usize = 19;
const LENGTH_AT: usize = 16;

/// Reads the names in a directory that was opened for reading just now, at most so many. Errors: those of getdents64(2).
pub fn names(directory: &Fd, most: usize) -> io::Result<Names> {
    simulated!(names(directory, most));
    let mut names = Names::default();
    // In words, so that the kernel's records are aligned.
    let mut room = [0_u64; 2048];
    loop {
        // SAFETY: the kernel writes at most as many bytes as the room has, and keeps no pointer to it.
        let read = unsafe {
            libc::syscall(
                libc::SYS_getdents64,
                directory.raw(),
                room.as_mut_ptr(),
                size_of_val(&room),
            )
        };
        let read = Errno::result(read)?.unsigned_abs() as usize;
        if read == 0 {
            return Ok(names);
        }
        // SAFETY: the words are initialised, and the slice is as long as they are; bytes need no alignment.
        let bytes = unsafe { core::slice::from_raw_parts(room.as_ptr().cast::<u8>(), read) };
        let mut rest = bytes;
        while let Some((name, behind)) = record(rest) {
            if !names.take(name, most) {
                return Ok(names);
            }
            rest = behind;
        }
    }
}

/// The name of the record that the bytes begin with, and what stands behind it.
fn record(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = bytes.get(LENGTH_AT..LENGTH_AT + 2)?;
    let length = usize::from(u16::from_ne_bytes([length[0], length[1]]));
    let (record, behind) = bytes.split_at_checked(length)?;
    let name = record.get(NAME_AT..)?;
    let end = name.iter().position(|byte| *byte == 0)?;
    Some((&name[..end], behind))
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;
    use std::fs;

    #[test]
    fn names_are_read_as_the_standard_library_reads_them() {
        let base = std::env::temp_dir().join(format!("edgeloop-names-{}", std::process::id()));
        fs::create_dir_all(base.join("sub")).expect("a new directory");
        let mut expected = vec![b"sub".to_vec()];
        // More than fit the room at once.
        for at in 0..1500 {
            let name = format!("a name that takes some room, number {at}");
            fs::write(base.join(&name), "").expect("writable");
            expected.push(name.into_bytes());
        }
        let root = file::open_root(&base).expect("a directory");
        let open = || file::open_beneath(&root, b"").expect("a directory");
        let mut all = names(&open(), 10_000).expect("a directory");
        all.names.sort();
        expected.sort();
        assert_eq!(all.names, expected);
        assert!(!all.is_cut);
        let whole = names(&open(), 1501).expect("a directory");
        assert_eq!((whole.names.len(), whole.is_cut), (1501, false));
        let some = names(&open(), 1500).expect("a directory");
        assert_eq!((some.names.len(), some.is_cut), (1500, true));
        let file = file::open_beneath(&root, &expected[0]).expect("a file");
        let error = names(&file, 1).expect_err("no directory");
        assert_eq!(error.raw_os_error(), Some(libc::ENOTDIR));
        let _ = fs::remove_dir_all(&base);
    }
}
