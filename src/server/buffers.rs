//! Memory of connections: lent while a head or a body is partial or an answer waits, and taken back.

/// Buffers that wait for their next user.
const SPARE: usize = 64;
/// A buffer that has grown beyond this is freed rather than kept.
const SPARE_BYTES: usize = 64 << 10;
/// When more than this is lent, none is kept until all has come back: one spare buffer at the end of the heap would keep
/// the allocator from giving back to the system what is free before it.
const CROWD_BYTES: usize = 1 << 20;

/// Lends buffers and knows how much is lent.
#[derive(Debug)]
pub(super) struct Pool {
    spare: Vec<Vec<u8>>,
    lent_bytes: usize,
    bytes_max: usize,
    /// What a spare buffer has at most: all of them together are not more than can be lent.
    spare_bytes: usize,
    /// More than [`CROWD_BYTES`] were lent, and not all of it has come back.
    crowded: bool,
}

/// The pool has no more to give.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Exhausted;

impl Pool {
    pub(super) fn new(bytes_max: usize) -> Pool {
        Pool {
            spare: Vec::new(),
            lent_bytes: 0,
            bytes_max,
            spare_bytes: SPARE_BYTES.min(bytes_max / SPARE),
            crowded: false,
        }
    }

    /// Bytes that are lent at the moment.
    pub(super) fn lent_bytes(&self) -> usize {
        self.lent_bytes
    }

    /// Whether so many bytes more can be lent.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.lent_bytes.saturating_add(bytes) <= self.bytes_max
    }

    /// A buffer with `bytes` in it. Never refused: these are bytes that have been received or encoded already, which the
    /// server cannot drop.
    pub(super) fn keep(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut buffer = self.spare.pop().unwrap_or_default();
        self.lent_bytes += buffer.capacity();
        self.extend(&mut buffer, bytes);
        buffer
    }

    /// Appends to a lent buffer what the server itself has to keep.
    pub(super) fn extend(&mut self, buffer: &mut Vec<u8>, bytes: &[u8]) {
        let before = buffer.capacity();
        buffer.extend_from_slice(bytes);
        self.lent_bytes += buffer.capacity() - before;
        self.crowded |= self.lent_bytes > CROWD_BYTES;
    }

    /// Appends to a lent buffer what a client sends: refused when it would exhaust the pool.
    pub(super) fn try_extend(
        &mut self,
        buffer: &mut Vec<u8>,
        bytes: &[u8],
    ) -> Result<(), Exhausted> {
        let grows = buffer.len() + bytes.len() > buffer.capacity();
        if grows && self.lent_bytes + buffer.capacity().max(bytes.len()) > self.bytes_max {
            return Err(Exhausted);
        }
        self.extend(buffer, bytes);
        Ok(())
    }

    /// Takes a buffer back.
    pub(super) fn give_back(&mut self, mut buffer: Vec<u8>) {
        self.lent_bytes -= buffer.capacity();
        if self.crowded {
            self.spare.clear();
            self.crowded = self.lent_bytes > 0;
        } else if self.spare.len() < SPARE && (1..=self.spare_bytes).contains(&buffer.capacity()) {
            buffer.clear();
            self.spare.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_lent_comes_back() {
        let mut pool = Pool::new(1 << 20);
        let mut buffers: Vec<_> = (0..200).map(|n| pool.keep(&vec![0; n * 7])).collect();
        assert!(pool.lent_bytes() >= buffers.iter().map(Vec::len).sum());
        pool.extend(&mut buffers[3], &vec![0; 100_000]);
        for buffer in buffers {
            pool.give_back(buffer);
        }
        assert_eq!(pool.lent_bytes(), 0);
        assert!(
            pool.spare.len() <= SPARE
                && pool
                    .spare
                    .iter()
                    .all(|buffer| buffer.capacity() <= SPARE_BYTES)
        );
    }

    /// One spare buffer at the end of the heap keeps the allocator from giving back all the free memory before it.
    #[test]
    fn after_a_crowd_nothing_is_kept() {
        let mut pool = Pool::new(64 << 20);
        let one = vec![0; 40_000];
        let lend = |pool: &mut Pool, count| {
            let lent: Vec<_> = (0..count).map(|_| pool.keep(&one)).collect();
            for buffer in lent {
                pool.give_back(buffer);
            }
            (pool.spare.len(), pool.lent_bytes())
        };
        for _ in 0..3 {
            assert_eq!(lend(&mut pool, 10), (10, 0), "they are used again");
            assert_eq!(lend(&mut pool, 300), (0, 0));
        }
    }

    #[test]
    fn what_is_spare_leaves_room_for_clients() {
        let mut pool = Pool::new(20_000);
        let large = pool.keep(&vec![0; 43_000]);
        pool.give_back(large);
        let raw = pool.keep(b"head");
        let mut body = pool.keep(b"head");
        assert_eq!(pool.try_extend(&mut body, &[0; 3000]), Ok(()));
        pool.give_back(raw);
        pool.give_back(body);
        assert_eq!(pool.lent_bytes(), 0);
    }

    #[test]
    fn clients_cannot_exhaust_it() {
        let mut pool = Pool::new(10_000);
        let mut buffer = pool.keep(b"head");
        let taken = (0..100)
            .take_while(|_| pool.try_extend(&mut buffer, &[0; 1000]).is_ok())
            .count();
        assert!((4..10).contains(&taken), "{taken}");
        assert!(pool.lent_bytes() <= 10_000);
        assert_eq!(buffer.len(), 4 + taken * 1000);
    }
}
