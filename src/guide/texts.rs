//! Memory for the texts of events: blocks of one size, chained, so that it never has to be tidied.

/// Bytes of a block, and of the text in it.
const BLOCK: usize = 64;
const ROOM: usize = BLOCK - size_of::<u32>();
/// No block.
const NONE: u32 = u32::MAX;

/// Where a text is, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chain {
    first: u32,
    bytes: u32,
}

/// All texts.
pub(super) struct Texts {
    /// Text, then the number of the next block. Grows up to its capacity: memory that is not needed is not touched. Not
    /// zeroed memory: not every C library asks the kernel for that, some write it.
    blocks: Vec<[u8; BLOCK]>,
    capacity: usize,
    /// The first of those that were used and are free.
    free: u32,
    /// Blocks in use.
    used: usize,
}

impl Texts {
    /// Room for `bytes`, in whole blocks.
    pub(super) fn new(bytes: usize) -> Self {
        let capacity = (bytes / BLOCK).min(NONE as usize);
        Self { blocks: Vec::with_capacity(capacity), capacity, free: NONE, used: 0 }
    }

    /// Bytes in use, and bytes in all.
    pub(super) fn filled(&self) -> (usize, usize) {
        (self.used * BLOCK, self.capacity * BLOCK)
    }

    /// Keeps `parts`, one behind the other; `None` where they do not fit.
    pub(super) fn keep(&mut self, parts: &[&str]) -> Option<Chain> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        if self.capacity - self.used < length.div_ceil(ROOM) {
            return None;
        }
        let mut chain = Chain { first: NONE, bytes: u32::try_from(length).ok()? };
        let mut last = NONE;
        for (i, byte) in parts.iter().flat_map(|part| part.bytes()).enumerate() {
            if i % ROOM == 0 {
                let block = self.take();
                if i == 0 {
                    chain.first = block;
                } else {
                    self.link(last, block);
                }
                last = block;
            }
            self.blocks[last as usize][i % ROOM] = byte;
        }
        Some(chain)
    }

    /// The bytes of a text that was kept.
    pub(super) fn read(&self, chain: Chain) -> impl Iterator<Item = u8> {
        let mut block = chain.first;
        (0..chain.bytes as usize).map(move |i| {
            let byte = self.blocks[block as usize][i % ROOM];
            if i % ROOM == ROOM - 1 {
                block = self.next(block);
            }
            byte
        })
    }

    /// Gives the room of a text back.
    pub(super) fn free(&mut self, chain: Chain) {
        let count = (chain.bytes as usize).div_ceil(ROOM);
        if count == 0 {
            return;
        }
        let last = (1..count).fold(chain.first, |block, _| self.next(block));
        self.link(last, self.free);
        self.free = chain.first;
        self.used -= count;
    }

    /// A block that is free; there is one.
    fn take(&mut self) -> u32 {
        self.used += 1;
        let block = self.free;
        if block == NONE {
            self.blocks.push([0; BLOCK]);
            return u32::try_from(self.blocks.len() - 1).unwrap_or(NONE); // the capacity is below
        }
        self.free = self.next(block);
        block
    }

    fn next(&self, block: u32) -> u32 {
        self.blocks[block as usize].last_chunk().map_or(NONE, |next| u32::from_ne_bytes(*next))
    }

    fn link(&mut self, block: u32, next: u32) {
        self.blocks[block as usize][ROOM..].copy_from_slice(&next.to_ne_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(texts: &Texts, chain: Chain) -> String {
        String::from_utf8(texts.read(chain).collect()).unwrap()
    }

    #[test]
    fn a_full_memory_takes_nothing_more() {
        let mut texts = Texts::new(3 * 64 + 63);
        assert_eq!(texts.filled(), (0, 192));
        let long = "x".repeat(120);
        let two = texts.keep(&[&long]).unwrap();
        assert!(texts.keep(&["y".repeat(61).as_str()]).is_none());
        let one = texts.keep(&["a", "", &"z".repeat(59)]).unwrap();
        assert_eq!((texts.filled().0, texts.keep(&["q"])), (192, None));
        assert_eq!(text(&texts, one), format!("a{}", "z".repeat(59)));
        texts.free(two);
        let again = texts.keep(&[&long[..61]]).unwrap();
        assert_eq!((text(&texts, again), texts.filled().0), ("x".repeat(61), 192));
        let nothing = texts.keep(&[]).unwrap();
        assert_eq!(text(&texts, nothing), "");
        texts.free(nothing);
    }

    proptest::proptest! {
        /// What is kept stays as it was while others come and go, and all room comes back.
        #[test]
        fn texts_do_not_disturb_each_other(steps in proptest::collection::vec((0usize..8, 0usize..300), 1..60)) {
            let mut texts = Texts::new(20 * 64);
            let mut kept: Vec<Option<(Chain, String)>> = vec![None; 8];
            for (n, (place, length)) in steps.into_iter().enumerate() {
                if let Some((chain, _)) = kept[place].take() {
                    texts.free(chain);
                }
                let wanted: String = ('a'..='z').cycle().skip(n).take(length).collect();
                kept[place] = texts.keep(&[&wanted[..length / 2], &wanted[length / 2..]]).map(|c| (c, wanted));
                let blocks: usize = kept.iter().flatten().map(|(_, t)| t.len().div_ceil(ROOM)).sum();
                assert_eq!(texts.filled().0, blocks * 64);
                for (chain, wanted) in kept.iter().flatten() {
                    assert_eq!(&text(&texts, *chain), wanted);
                }
            }
            for (chain, _) in kept.into_iter().flatten() {
                texts.free(chain);
            }
            assert!(texts.keep(&[&"x".repeat(20 * ROOM)]).is_some());
        }
    }
}
