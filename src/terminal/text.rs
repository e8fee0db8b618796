//! Text that the box sent, made fit for a terminal.

use std::fmt;

use serde::{Deserialize, Deserializer};
use serde_json_core::str::{EscapedStr, EscapedStringFragment};

use crate::text::harmless;

/// Foreign text. Holding one proves that no character in it commands a terminal, and that it is at most
/// [`Text::MAX`] characters long.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Text(String);

impl Text {
    /// Characters of the longest text; the rest is cut off.
    pub(super) const MAX: usize = 300;

    /// What may be shown of `foreign`.
    pub(super) fn new(foreign: &str) -> Self {
        let mut text = Self::default();
        text.push(foreign.chars());
        text
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Columns it takes.
    pub(super) fn width(&self) -> usize {
        self.0.chars().map(columns).sum()
    }

    fn push(&mut self, foreign: impl Iterator<Item = char>) {
        let left = Self::MAX - self.0.chars().count();
        self.0.extend(foreign.filter_map(printable).take(left));
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Text {
    /// Of a JSON string. An escape that is none ends the text with U+FFFD; so do UTF-16 surrogates.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut text = Self::default();
        for fragment in EscapedStr::deserialize(deserializer)?.fragments() {
            match fragment {
                Ok(EscapedStringFragment::NotEscaped(plain)) => text.push(plain.chars()),
                Ok(EscapedStringFragment::Escaped(c)) => text.push([c].into_iter()),
                Err(_) => {
                    text.push(['\u{fffd}'].into_iter());
                    break;
                }
            }
        }
        Ok(text)
    }
}

/// `c` as it may be shown, or nothing for what takes no column: terminals differ in what they make of it.
fn printable(c: char) -> Option<char> {
    match c {
        '\u{200b}' | '\u{2060}'..='\u{206f}' => None,
        '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}' => None,
        c => harmless(c),
    }
}

/// Columns of `c`: 2 for the wide characters of East Asia, 0 for marks that join the one before (Unicode Annex 11).
fn columns(c: char) -> usize {
    match c {
        '\u{0300}'..='\u{036f}' | '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{303e}'
        | '\u{3041}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff01}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1f64f}'
        | '\u{1f900}'..='\u{1f9ff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_commands_the_terminal() {
        let text = Text::new("a\u{1b}[31mb\nc\u{9b}d\u{202e}e\u{7f}");
        assert_eq!(text.as_str(), "a[31mb cde");
        assert_eq!(Text::new(&"x".repeat(1000)).as_str().len(), Text::MAX);
    }

    #[test]
    fn wide_characters_take_two_columns() {
        for (text, width) in [("News", 4), ("中央一台", 8), ("e\u{0301}", 1), ("KBS 한국", 8), ("", 0)]
        {
            assert_eq!(Text::new(text).width(), width, "{text}");
        }
    }

    #[test]
    fn json_escapes_are_read_and_cleaned() {
        let read = |json: &str| serde_json_core::from_str::<Text>(json).unwrap().0;
        assert_eq!(read(r#""a\"b\u001b\u4e2d\n!""#).as_str(), "a\"b中 !");
        assert_eq!(read(r#""a\ud83d\ude00b""#).as_str(), "a\u{fffd}");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_made_printable(foreign in "\\PC*|.*") {
            let text = Text::new(&foreign);
            assert!(!text.as_str().chars().any(char::is_control));
            assert!(text.as_str().chars().count() <= Text::MAX);
        }
    }
}
