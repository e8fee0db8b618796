//! Many short texts in one piece of memory: labels, serials. What is freed is used again by a text of the same length.

/// Longest text, bytes.
pub(super) const TEXT_MAX: usize = 64;

/// Where a text is. The default is the empty text. Five bytes, since there are several a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Text {
    at: [u8; 4],
    len: u8,
}

const _: () = assert!(size_of::<Text>() == 5);

impl Text {
    const fn at(self) -> u32 {
        u32::from_ne_bytes(self.at)
    }
}

/// The memory.
pub(super) struct Arena {
    bytes: Vec<u8>,
    free: [Vec<u32>; TEXT_MAX + 1],
}

impl Arena {
    pub(super) const fn new() -> Self {
        Self { bytes: Vec::new(), free: [const { Vec::new() }; TEXT_MAX + 1] }
    }

    /// Keeps `text`; `None` when it is longer than [`TEXT_MAX`] or the memory is at its 4 GiB.
    pub(super) fn keep(&mut self, text: &[u8]) -> Option<Text> {
        if text.is_empty() {
            return Some(Text::default());
        }
        let len = u8::try_from(text.len()).ok()?;
        let free = self.free.get_mut(text.len())?;
        let at = match free.pop() {
            Some(at) => {
                self.bytes[at as usize..at as usize + text.len()].copy_from_slice(text);
                at
            }
            None => {
                let at = u32::try_from(self.bytes.len()).ok()?;
                self.bytes.extend_from_slice(text);
                at
            }
        };
        Some(Text { at: at.to_ne_bytes(), len })
    }

    /// The bytes of `text`.
    pub(super) fn get(&self, text: Text) -> &[u8] {
        let at = text.at() as usize;
        &self.bytes[at..at + usize::from(text.len)]
    }

    /// Gives its place to the next text of that length.
    pub(super) fn free(&mut self, text: Text) {
        if text.len != 0 {
            self.free[usize::from(text.len)].push(text.at());
        }
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.capacity() + self.free.iter().map(|f| f.capacity() * size_of::<u32>()).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn freed_places_are_used_again() {
        let mut arena = Arena::new();
        let alice = arena.keep(b"alice").unwrap();
        let bob = arena.keep(b"bob").unwrap();
        let size = arena.bytes.len();
        arena.free(alice);
        let carol = arena.keep(b"carol").unwrap();
        assert_eq!((arena.get(carol), arena.get(bob)), (&b"carol"[..], &b"bob"[..]));
        assert_eq!(arena.bytes.len(), size);
        assert_eq!(arena.keep(&[b'x'; TEXT_MAX + 1]), None);
    }
}
