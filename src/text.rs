//! Foreign text made harmless: service names, guide texts, names of phones.
//!
//! Owns [`CleanText`] and the way into it from DVB strings (EN 300 468 Annex A). Escaping for a sink (M3U, JSON,
//! page) is the sink's. Knows no board: which table text without a selector is in, its caller says.

use std::fmt;

use dvb_si::text::DvbText;
use encoding_rs::GBK;
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
        Self::gather(text.chars())
    }

    /// Decodes and cleans the bytes of a DVB string, its character table selector included; `unmarked` is the table
    /// of a string without one.
    #[must_use]
    pub fn from_dvb(bytes: &[u8], unmarked: Unmarked) -> Self {
        Self::from_dvb_parts([bytes], unmarked)
    }

    /// The same of a text that was cut into several DVB strings, each with a selector of its own.
    #[must_use]
    pub fn from_dvb_parts<'b>(parts: impl IntoIterator<Item = &'b [u8]>, unmarked: Unmarked) -> Self {
        let mut gathered = Gathered::default();
        parts.into_iter().for_each(|part| gathered.decode(part, unmarked));
        gathered.finish()
    }

    fn gather(chars: impl Iterator<Item = char>) -> Self {
        let mut gathered = Gathered::default();
        gathered.extend(chars);
        gathered.finish()
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

/// Clean text under way.
#[derive(Default)]
struct Gathered<const N: usize> {
    clean: String<N>,
    full: bool,
}

impl<const N: usize> Gathered<N> {
    fn decode(&mut self, bytes: &[u8], unmarked: Unmarked) {
        match (bytes.split_first(), unmarked) {
            // Table 0x14 is a part of ISO 10646, two bytes a character, and not the code that is called Big5.
            (Some((0x14, pairs)), _) => {
                let units = pairs.as_chunks().0.iter().map(|pair| u16::from_be_bytes(*pair));
                let chars = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER));
                self.extend(chars.filter_map(uncontrolled));
            }
            (Some((0x20.., _)), Unmarked::Gbk) => {
                let text = GBK.decode_without_bom_handling(bytes).0;
                self.extend(text.chars().filter_map(uncontrolled));
            }
            (Some((0x20.., _)), Unmarked::Utf8) => match utf8(bytes) {
                Some(text) => self.extend(text.chars().filter_map(uncontrolled)),
                None => self.extend(DvbText::new(bytes).decode().chars()),
            },
            _ => self.extend(DvbText::new(bytes).decode().chars()),
        }
    }

    fn extend(&mut self, chars: impl Iterator<Item = char>) {
        for c in chars.filter_map(harmless) {
            let needless = c == ' ' && (self.clean.is_empty() || self.clean.ends_with(' '));
            self.full = self.full || !needless && self.clean.push(c).is_err();
            if self.full {
                return;
            }
        }
    }

    fn finish(mut self) -> CleanText<N> {
        while self.clean.ends_with(' ') {
            self.clean.pop();
        }
        CleanText(self.clean)
    }
}

/// The character table of a DVB string that names none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unmarked {
    /// ISO 6937, as EN 300 468 has it.
    #[default]
    Iso6937,
    /// GBK, as on many Chinese cables.
    Gbk,
    /// UTF-8; what is none is ISO 6937.
    Utf8,
}

impl Unmarked {
    /// The table of that name, as boards have it: `none`, `gbk` or `utf-8`.
    #[must_use]
    pub fn named(name: &str) -> Self {
        match name {
            "gbk" => Self::Gbk,
            "utf-8" => Self::Utf8,
            _ => Self::Iso6937,
        }
    }
}

/// `bytes` as UTF-8, without a last character that was cut off.
fn utf8(bytes: &[u8]) -> Option<&str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(e) if e.error_len().is_none() => std::str::from_utf8(bytes.get(..e.valid_up_to())?).ok(),
        Err(_) => None,
    }
}

/// EN 300 468 §A.1: control codes, as one byte (0x80 to 0x9f) or two (0xe080 to 0xe09f). A line break is a space, all
/// others are nothing.
const fn uncontrolled(c: char) -> Option<char> {
    match c {
        '\u{8a}' | '\u{e08a}' => Some(' '),
        '\u{80}'..='\u{9f}' | '\u{e080}'..='\u{e09f}' => None,
        _ => Some(c),
    }
}

/// `c` as it may be shown: a blank for white space, nothing for what commands or turns the direction of writing.
#[must_use]
pub fn harmless(c: char) -> Option<char> {
    if c.is_whitespace() {
        return Some(' ');
    }
    Some(c).filter(|c| !c.is_control() && !is_bidi_control(*c))
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
        assert_eq!(
            CleanText::<64>::from_dvb(b"\x10\x00\x02Dvojka \xae", Unmarked::default()).as_str(),
            "Dvojka Ž"
        );
    }

    fn decoded(hex: &str, unmarked: Unmarked) -> std::string::String {
        let digits = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        let bytes: Vec<u8> = digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
        CleanText::<96>::from_dvb(&bytes, unmarked).as_str().to_owned()
    }

    /// A string in each table of EN 300 468 Annex A, encoded by glibc's iconv.
    #[test]
    fn every_character_table_is_read() {
        for (hex, text) in TABLES {
            // A selector is a selector, whatever is the table of text without one.
            let all = [Unmarked::Iso6937, Unmarked::Gbk, Unmarked::Utf8];
            let marked = hex.as_bytes()[0] < b'2';
            for unmarked in &all[..if marked { 3 } else { 1 }] {
                assert_eq!(decoded(hex, *unmarked), text, "{hex}");
            }
        }
    }

    #[test]
    fn text_without_a_selector_is_what_the_board_says() {
        let (gbk, utf8) = ("bafec4cfcec0cad3", "e58c97e4baace58dabe8a786");
        assert_eq!(decoded(gbk, Unmarked::Gbk), "湖南卫视");
        assert_eq!(decoded(utf8, Unmarked::Utf8), "北京卫视");
        assert_eq!(decoded(&utf8[..20], Unmarked::Utf8), "北京卫", "its last character was cut off");
        assert_eq!(decoded("4bc86f6c6e", Unmarked::Utf8), "Köln", "it is no UTF-8");
        for unmarked in [Unmarked::Iso6937, Unmarked::Gbk, Unmarked::Utf8] {
            assert_eq!(decoded("43435456", unmarked), "CCTV");
        }
        assert_ne!(decoded(gbk, Unmarked::Iso6937), "湖南卫视");
        assert_ne!(decoded(utf8, Unmarked::Iso6937), "北京卫视");
        // Control codes of two bytes each: emphasis on and off, a line break.
        assert_eq!(decoded("1400410042e0860043e0870044e08a0045", Unmarked::Iso6937), "ABCD E");
        assert_eq!(decoded("41ee828642ee828743ee828a44", Unmarked::Utf8), "ABC D");
        assert_eq!(Unmarked::named("none"), Unmarked::Iso6937);
    }

    #[test]
    fn parts_are_joined_as_they_were_cut() {
        let joined = |parts: &[&[u8]]| CleanText::<16>::from_dvb_parts(parts.iter().copied(), Unmarked::Gbk);
        assert_eq!(joined(&[b" one ", b"\x15tw\xc3\xb6", b"", b"  end "]).as_str(), "one twö end");
        assert_eq!(joined(&[b"twelve bytes", b" and a wide one"]).as_str(), "twelve bytes and");
        assert_eq!(
            joined(&["0123456789abcde".as_bytes(), b"\x15\xc3\xb6", b"f"]).as_str(),
            "0123456789abcde"
        );
    }

    const TABLES: [(&str, &str); 18] = [
        ("4bc86f6c6e20ca416e67737472c86f6d20cf43617520e8c26f64c27a", "Köln Ångström Čau Łódź"),
        ("01bfd5e0d2ebd920dad0ddd0db", "Первый канал"),
        ("02e2e6c7c9", "قناة"),
        ("03c5ebebdce4e1", "Ελλάδα"),
        ("04f2f8e5f5", "ערוץ"),
        ("0554fc726be76520dd", "Türkçe İ"),
        ("06cd736c616e6420bf", "Ísland ŋ"),
        ("07aae8cda7cbb9d6e8a7", "ช่องหนึ่ง"),
        ("094c696574757669f8", "Lietuvių"),
        ("0b4172746520a4", "Arte €"),
        ("10000244766f6a6b6120ae6c75bb6f75e86bfd", "Dvojka Žluťoučký"),
        ("1000015365f1616c20d1", "Señal Ñ"),
        ("1165e5672c30c630ec30d3", "日本テレビ"),
        ("12c7d1b1b9b9e6bcdb", "한국방송"),
        ("13d6d0d1ebb5e7cad3cca8d7dbbacf", "中央电视台综合"),
        ("14516c899665b0805e", "公視新聞"),
        ("15434354562d3120e7bbbce5908820f09f9880", "CCTV-1 综合 😀"),
        ("4186424387448a45", "ABCD E"),
    ];

    proptest::proptest! {
        #[test]
        fn cleaning_twice_changes_nothing(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..80)) {
            for unmarked in [Unmarked::Iso6937, Unmarked::Gbk, Unmarked::Utf8] {
                let once = CleanText::<48>::from_dvb(&bytes, unmarked);
                assert_eq!(CleanText::<48>::new(once.as_str()), once);
                assert!(!once.as_str().chars().any(|c| c.is_control() || is_bidi_control(c)));
            }
        }
    }
}
