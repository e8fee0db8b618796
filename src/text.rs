//! Foreign text made harmless: service names, guide texts, names of phones.
//!
//! Owns [`CleanText`] and the way into it from DVB strings (EN 300 468 Annex A). Escaping for a sink (M3U, JSON,
//! page) is the sink's.

use std::fmt;

use dvb_si::text::DvbText;
use heapless::String;
use serde::{Deserialize, Deserializer, Serialize};

/// Text of at most `N` bytes that can be shown anywhere a sink escapes its own quotes.
///
/// Holding one proves: valid UTF-8, no control characters (C0, C1, line and paragraph separators), no
/// bidirectional overrides or isolates, no white space at either end.
#[derive(Clone, Default, PartialEq, Eq, Hash, Serialize)]
pub struct CleanText<const N: usize>(String<N>);

impl<const N: usize> CleanText<N> {
    /// Cleans `text`; what does not fit is cut at a character.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut clean = String::new();
        for c in text.chars() {
            let c = if c.is_whitespace() { ' ' } else { c };
            let needless = c == ' ' && (clean.is_empty() || clean.ends_with(' '));
            let harmful = c.is_control() || is_bidi_control(c);
            if !harmful && !needless && clean.push(c).is_err() {
                break;
            }
        }
        while clean.ends_with(' ') {
            clean.pop();
        }
        Self(clean)
    }

    /// Decodes and cleans the bytes of a DVB string, its character table selector included.
    #[must_use]
    pub fn from_dvb(bytes: &[u8]) -> Self {
        Self::new(&DvbText::new(bytes).decode())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// There is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Embeddings, overrides, isolates and marks that reorder what stands around them (Unicode UAX #9).
const fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{061c}')
}

impl<const N: usize> fmt::Display for CleanText<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl<const N: usize> fmt::Debug for CleanText<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0.as_str(), f)
    }
}

impl<'de, const N: usize> Deserialize<'de> for CleanText<N> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // Flash is foreign too: what comes from it is cleaned again.
        String::<N>::deserialize(from).map(|text| Self::new(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_harm_is_gone() {
        for (dirty, clean) in [
            ("  Das\tErste \n HD ", "Das Erste HD"),
            ("a\u{0}b\u{1b}[31mc\u{85}\u{9b}d", "ab[31mc d"),
            ("\u{202e}evil\u{2066}\u{2028}", "evil"),
            ("<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"),
            ("中央电视台", "中央电视台"),
        ] {
            assert_eq!(CleanText::<64>::new(dirty).as_str(), clean);
        }
        assert_eq!(CleanText::<4>::new("a中央").as_str(), "a中");
        assert_eq!(CleanText::<64>::from_dvb(b"\x10\x00\x02Dvojka \xae").as_str(), "Dvojka Ž");
    }

    proptest::proptest! {
        #[test]
        fn cleaning_twice_changes_nothing(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..80)) {
            let once = CleanText::<48>::from_dvb(&bytes);
            assert_eq!(CleanText::<48>::new(once.as_str()), once);
            assert!(!once.as_str().chars().any(|c| c.is_control() || is_bidi_control(c)));
        }
    }
}
