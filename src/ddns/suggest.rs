//! A name that does not tell who its owner is.

use std::io;

use crate::registration::Label;
use crate::sys::random;

/// Sounds that are read aloud without doubt.
const STARTS: &[u8; 16] = b"bdfghklmnprstvwz";
const VOWELS: &[u8; 4] = b"aeio";

/// A random name of four syllables and two digits, such as `kalimoru-47`: one of 1.6 thousand million.
pub fn suggest() -> io::Result<Label> {
    loop {
        let mut bytes = [0; 6];
        random::fill(&mut bytes)?;
        let (syllables, number) = bytes.split_at(4);
        let mut text = String::new();
        for byte in syllables {
            text.push(char::from(STARTS[usize::from(byte & 15)]));
            text.push(char::from(VOWELS[usize::from(byte >> 4 & 3)]));
        }
        text += &format!("-{:02}", (u16::from(number[0]) << 8 | u16::from(number[1])) % 100);
        match Label::new(&text) {
            Ok(label) if !label.is_reserved() => return Ok(label),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_many() {
        let names: BTreeSet<Label> = (0..200).map(|_| suggest().unwrap()).collect();
        assert!(names.len() > 195, "{names:?}");
        assert!(names.iter().all(|name| name.as_str().len() == 11));
    }
}
