//! What is on a disk and not in memory, and who waits for it.

use core::ops::Range;
use std::path::Path;

use nix::errno::Errno;

use super::Call;
use super::kernel::{FileNode, Kernel, Object};
use super::world::World;
use crate::sys::Fd;

/// What is in memory or not.
const PAGE_BYTES: u64 = 4096;

/// What a test does.
impl World {
    /// Has whoever opens a file next, and whoever reads any of it next, wait for a disk.
    pub fn cool_file(&self, path: impl AsRef<Path>) {
        let path = path.as_ref();
        self.cool_part(path, 0..u64::MAX);
        self.with_file(path, |node| node.name_is_cold = true);
    }

    /// Has whoever reads these bytes of a file next wait for a disk, and who reads others of the same pages.
    pub fn cool_part(&self, path: impl AsRef<Path>, bytes: Range<u64>) {
        self.with_file(path.as_ref(), |node| {
            let pages = node.pages(bytes);
            node.cold_pages.extend(pages);
        });
    }

    fn with_file(&self, path: &Path, what: impl FnOnce(&mut FileNode)) {
        let mut kernel = self.kernel();
        if let Some(file) = kernel.paths.get(path).copied() {
            what(&mut kernel.files[file]);
        }
    }

    /// How often the loop's own thread has waited for a disk so far: where there is a pool it never has to.
    pub fn disk_waits(&self) -> u64 {
        self.kernel().disk_waits
    }
}

impl FileNode {
    /// The pages that hold these bytes, as far as there are any.
    fn pages(&self, bytes: Range<u64>) -> Range<u64> {
        let end = bytes.end.min(self.length);
        bytes.start / PAGE_BYTES..end.div_ceil(PAGE_BYTES)
    }

    /// How many of these bytes can be had without waiting, from the first one on.
    fn at_hand(&self, bytes: Range<u64>) -> u64 {
        let mut cold = self.cold_pages.range(self.pages(bytes.clone()));
        let end = cold.next().map_or(bytes.end, |page| page * PAGE_BYTES);
        end.saturating_sub(bytes.start).min(bytes.end - bytes.start)
    }
}

impl Kernel {
    /// A file's name is looked up, whatever has to be waited for.
    pub(super) fn fetch_name(&mut self, file: usize) {
        if std::mem::take(&mut self.files[file].name_is_cold) {
            self.wait_for_disk();
        }
    }

    /// Bytes of a file are read, whatever has to be waited for.
    pub(super) fn fetch(&mut self, file: usize, bytes: Range<u64>) {
        let node = &mut self.files[file];
        let pages = node.pages(bytes);
        let before = node.cold_pages.len();
        node.cold_pages.retain(|page| !pages.contains(page));
        if node.cold_pages.len() < before {
            self.wait_for_disk();
        }
    }

    fn wait_for_disk(&mut self) {
        if !self.thread_works {
            self.disk_waits += 1;
        }
    }
}

/// The calls.
impl World {
    pub(in crate::sys) fn read_at_hand(
        &self,
        file: &Fd,
        into: &mut [u8],
        offset: i64,
    ) -> nix::Result<usize> {
        self.begin(Call::ReadAtHand)?;
        let offset = offset.unsigned_abs();
        let mut most = into.len();
        {
            let mut kernel = self.kernel();
            if let Object::File(file) = *kernel.object(file.raw())? {
                let node = &kernel.files[file];
                let wanted = offset..node.length.min(offset + most as u64);
                if !wanted.is_empty() {
                    most = usize::try_from(node.at_hand(wanted)).unwrap_or(most);
                    if most == 0 {
                        return Err(Errno::EAGAIN);
                    }
                }
            }
        }
        let most = self.cut(Call::ReadAtHand, offset, most);
        self.read_file(file.raw(), &mut into[..most], offset)
    }

    pub(in crate::sys) fn cached_pages(
        &self,
        file: &Fd,
        offset: u64,
        length: u64,
    ) -> nix::Result<u64> {
        self.begin(Call::CachedPages)?;
        let mut kernel = self.kernel();
        let Object::File(file) = *kernel.object(file.raw())? else {
            return Ok(0);
        };
        let node = &kernel.files[file];
        let pages = node.pages(offset..offset.saturating_add(length));
        let cold = node.cold_pages.range(pages.clone()).count();
        Ok(pages.end.saturating_sub(pages.start) - cold as u64)
    }
}
